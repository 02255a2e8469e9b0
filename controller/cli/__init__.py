"""The command line: verbs, flags, exit codes. Nothing heavy is imported before a verb needs it."""
