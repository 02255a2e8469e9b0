"""The root of the command line.

A verb is imported when it runs, so that `--help` and `validate` start at once and need no AWS client. Usage errors exit
with 64, because 2 means drift; what the tree of errors says is printed as one sentence and exits with 1. A traceback
is printed for a bug only, and says that it is one.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any, Final, NoReturn

import click

import controller
from controller.cli import options, output
from controller.errors import ControllerError, Usage, leaves

USAGE: Final = 64
ASKED: Final = frozenset({"help", "--help", "-h", "--version"})
"""Words after which click prints; everything else is printed by `output`."""

VERBS: Final = {
    "run": "Run the daemon (what `controller` alone does too).",
    "validate": "Check spec files; needs no credentials and no network.",
    "apply": "Carry out a plan that was saved with --once --out.",
    "render": "Print the exact ECS requests of spec files.",
    "import": "Make spec files of live services, and prove them.",
    "status": "Show how everything stands: source, last pass, every workload.",
    "get": "List workloads, or show one in full.",
    "events": "Show what has happened: transitions, steps, healed drift.",
    "fleet": "Show DL1 instances, their eight cards, and who holds them.",
    "check": "Try credentials, permissions, clusters and DL1 capacity.",
    "schema": "Print the JSON Schema of a kind, or write crds/.",
    "sandbox": "Serve an embedded AWS on a loopback port.",
    "demo": "Play the whole story against the embedded AWS.",
}

EPILOG: Final = """\b
Settings come from flags, then CONTROLLER_* variables (--port-base is
CONTROLLER_PORT_BASE), then the --config file. AWS credentials, profile,
region and endpoint are found as the AWS CLI finds them.

\b
Exit codes: 0 in sync or done, 1 runtime error, 2 drift or pending changes,
3 invalid spec, 4 applied but not healthy in time, 64 usage, 130 interrupted.
Data goes to stdout, logs and findings to stderr."""


class Verbs(click.Group):
    """A group that imports `controller.cli.<verb>` only when that verb runs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`controller help [VERB]` is `controller [VERB] --help`."""
        return super().parse_args(ctx, [*args[1:2], "--help"] if args[:1] == ["help"] else args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; Ctrl-C is an exit code, not click's empty line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            output.after_interrupt()
            raise click.exceptions.Exit(output.INTERRUPTED) from None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Verbs in the order of the help text."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of a verb."""
        if cmd_name not in VERBS:
            return None
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = import_module(f"controller.cli.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the first argument names."""
        if args[0] not in VERBS:
            raise click.UsageError(f"`{args[0]}` is no command{_meant(args[0], ctx.command)}", ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The flags by what they go with, then the commands."""
        sections: dict[str, list[tuple[str, str]]] = {
            "Options": [],
            "With --once": [],
            "With --once and the daemon": [],
        }
        alone, one_pass, both = sections.values()
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row is not None:
                known = parameter.name in options.BOTH
                (one_pass if parameter.name in options.ONE_PASS else both if known else alone).append(row)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)
        with formatter.section("Commands"):  # by their one-liners, without importing them
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, invoke_without_command=True, epilog=EPILOG, context_settings=options.CONTEXT)
@click.version_option(controller.__version__, prog_name="controller", message="%(prog)s %(version)s")
@click.option("--once", is_flag=True, help="Look at everything once and print the plan; a dry run unless --apply.")
@options.for_one_pass
@options.for_both
@click.pass_context
def cli(ctx: click.Context, /, *, once: bool, **flags: Any) -> None:
    """Keep ECS services on DL1 (Habana Gaudi) instances in line with YAML specs."""
    given = options.given(ctx)
    if ctx.invoked_subcommand is not None:
        for one in given:
            raise click.UsageError(_misplaced(ctx, one, ctx.invoked_subcommand), ctx)
        return
    for one in given:
        if not once and one.name in options.ONE_PASS:
            raise click.UsageError(f"{options.flag(one)} goes with --once", ctx)
    verb: Callable[..., Any] = import_module("controller.cli.once" if once else "controller.cli.run").start
    kept = flags if once else {name: value for name, value in flags.items() if name not in options.ONE_PASS}
    ctx.exit(verb(**kept))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    output.forgiving()
    try:
        code = run(arguments)
    except KeyboardInterrupt:
        code = output.INTERRUPTED
    except Exception:  # noqa: BLE001 - the last boundary: a bug is told as one, with all that finds it
        _traceback()
        code = _failed(
            f"this is a bug in controller {controller.__version__}, please report it with the lines above", 1
        )
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; answers the exit code."""
    try:
        code = cli.main(arguments, prog_name="controller", standalone_mode=False)
    except click.UsageError as error:
        return _wrong(error)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return output.INTERRUPTED
    except Usage as error:
        return _failed(str(error), USAGE)
    except ControllerError as error:
        return _failed(str(error), 1)
    except SystemExit:  # how click tells of a broken pipe
        output.had_enough()
        given = sys.argv[1:] if arguments is None else arguments
        return 0 if ASKED & {*given} else 1
    except OSError as error:  # what the operating system refuses is said in one sentence, whoever asked for it
        said = error.strerror or str(error)
        if not error.filename:
            output.had_enough()  # it may have been stdout, which would complain again at the very end
        return _failed(f"{os.fspath(error.filename)}: {said}" if error.filename else said, 1)
    except ExceptionGroup as group:
        return _several(group)
    return code if isinstance(code, int) else 0


def _failed(sentence: str, code: int) -> int:
    from controller.core.quoting import escaped
    from controller.core.redact import redact

    output.note(f"error: {escaped(redact(sentence))}")
    return code


def _traceback() -> None:
    """What finds a bug. People paste it into issues, so it shows no secret either."""
    import traceback

    from controller.core.quoting import escaped
    from controller.core.redact import redact

    for line in redact(traceback.format_exc()).splitlines():
        output.note(escaped(line))


def _several(group: "ExceptionGroup[Exception]") -> int:
    """What tasks that ran side by side have raised: each sentence once, unless there is a bug among it."""
    known, bugs = group.split(ControllerError)
    if bugs is not None or known is None:
        raise group
    for sentence in dict.fromkeys(map(str, leaves(known))):
        _failed(sentence, 1)
    return 1


# Usage
# --------------------------------------------------------------------------------------------------------------------


def _wrong(error: click.UsageError) -> int:
    """A command line that means nothing: what is wrong with it, what was meant, where it says what there is."""
    from controller.core.quoting import escaped

    path = error.ctx.command_path if error.ctx else "controller"
    output.note(f"error: {escaped(_sentence(error, path))}\nhelp:  {path} --help")
    return USAGE


def _sentence(error: click.UsageError, path: str) -> str:
    match error:
        case click.NoSuchOption(option_name=flag) if path != "controller" and flag in _flags(cli):
            return f"{flag} goes with `controller{'' if flag == '--once' else ' --once'}`, not with `{path}`"
        case click.NoSuchOption(option_name=flag, ctx=ctx):
            known = _flags(ctx.command) if ctx else set()
            return f"{flag} is no flag of `{path}`{_alike(flag, known) or _alike(flag, _flags(cli))}"
        case click.MissingParameter(param=parameter, ctx=ctx) if parameter is not None and ctx is not None:
            return f"`{path}` needs {parameter.make_metavar(ctx)}"
        case _:
            text = error.format_message().rstrip(".")
            return text[:1].lower() + text[1:]


def _meant(word: str, command: click.Command) -> str:
    """What somebody may have meant with a word that is no verb: a verb, a flag, a source."""
    if Path(word).exists() or word.endswith((".yaml", ".yml")) or "/" in word:
        return f"; a source is given with -s {word}"
    if f"--{word}" in _flags(command):
        return f"; did you mean --{word}?"
    return _alike(word, VERBS) or f"; there are {', '.join(VERBS)}"


def _alike(word: str, known: Any) -> str:
    import difflib

    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _flags(command: click.Command) -> set[str]:
    return {"--help", *(flag for one in command.params for flag in one.opts)}


def _misplaced(ctx: click.Context, parameter: click.Parameter, verb: str) -> str:
    """What to do about a flag in front of a verb."""
    flag = options.flag(parameter)
    command = cli.get_command(ctx, verb)
    if command is not None and flag in _flags(command):
        return f"put {flag} after `{verb}`"
    goes_with = " it goes with `controller --once`" if parameter.name in options.ONE_PASS else ""
    return f"`{verb}` has no {flag}{';' if goes_with else ''}{goes_with}"
