"""One key: observe → decide → act → status.

The ports say what this room needs of the world; who provides it is decided in `controller.app`. A dry run is given the
read-only port, so that it cannot write: there is no `if dry_run` anywhere.
"""
