"""The root of the command line.

A verb is imported when it runs, so that `--help` and `validate` start at once and need no AWS client. Usage errors exit
with 64, because 2 means drift; what the tree of errors says is printed as one sentence and exits with 1.
"""

import io
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NoReturn

import click

import controller
from controller.cli import options, output
from controller.errors import ControllerError, Usage

USAGE: Final = 64
INTERRUPTED: Final = 130

VERBS: Final = {
    "run": "Run the daemon (what `controller` alone does too).",
    "validate": "Check spec files; needs no credentials and no network.",
    "render": "Print the exact ECS requests of spec files.",
    "schema": "Print the JSON Schema of a kind, or write crds/.",
    "sandbox": "Serve an embedded AWS on a loopback port.",
    "demo": "Play the whole story against the embedded AWS.",
}

EPILOG: Final = """\b
Exit codes: 0 in sync or done, 1 runtime error, 2 drift or pending changes,
3 invalid spec, 4 applied but not healthy in time, 64 usage.
Data goes to stdout, logs and findings to stderr."""


class Verbs(click.Group):
    """A group that imports `controller.cli.<verb>` only when that verb runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Verbs in the order of the help text."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of a verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"controller.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the first argument names."""
        if args[0] not in VERBS:
            hint = f"verbs: {', '.join(VERBS)}; a source is given with -s"
            raise click.UsageError(f"`{args[0]}` is no verb ({hint})", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Verbs with their one-liners, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, invoke_without_command=True, epilog=EPILOG, context_settings=options.CONTEXT)
@click.version_option(controller.__version__, prog_name="controller")
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
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; answers the exit code."""
    try:
        code = cli.main(arguments, prog_name="controller", standalone_mode=False)
    except click.UsageError as error:
        shown = io.StringIO()
        error.show(shown)
        output.note(shown.getvalue().rstrip())
        return USAGE
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except Usage as error:
        return _failed(str(error), USAGE)
    except ControllerError as error:
        return _failed(str(error), 1)
    except OSError as error:  # what the operating system refuses is said in one sentence, whoever asked for it
        return _failed(f"{os.fspath(error.filename)}: {error.strerror}" if error.filename else str(error), 1)
    return code if isinstance(code, int) else 0


def _failed(sentence: str, code: int) -> int:
    from controller.core.quoting import escaped
    from controller.core.redact import redact

    output.note(f"error: {escaped(redact(sentence))}")
    return code


def _misplaced(ctx: click.Context, parameter: click.Parameter, verb: str) -> str:
    """What to do about a flag in front of a verb."""
    flag = options.flag(parameter)
    command = ctx.command.get_command(ctx, verb) if isinstance(ctx.command, click.Group) else None
    known = {name for one in command.params for name in one.opts} if command else set()
    return f"put {flag} after `{verb}`" if flag in known else f"`{verb}` has no {flag}"
