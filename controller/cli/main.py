"""The root of the command line.

A verb is imported when it runs, so that `--help` and `validate` start at once and need no AWS client. Usage errors exit
with 64, because 2 means drift; what the tree of errors says is printed as one sentence and exits with 1.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NoReturn

import click

import controller
from controller.cli import options
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
        if given:
            raise click.UsageError(f"put {_flag(given[0])} after `{ctx.invoked_subcommand}`", ctx)
        return
    only_once = [name for name in given if name in options.ONE_PASS]
    if not once and only_once:
        raise click.UsageError(f"{_flag(only_once[0])} goes with --once", ctx)
    verb: Callable[..., Any] = import_module("controller.cli.once" if once else "controller.cli.run").start
    kept = flags if once else {name: value for name, value in flags.items() if name not in options.ONE_PASS}
    ctx.exit(verb(**kept))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; answers the exit code."""
    try:
        code = cli.main(arguments, prog_name="controller", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except Usage as error:
        click.echo(f"error: {error}", err=True)
        return USAGE
    except ControllerError as error:
        click.echo(f"error: {error}", err=True)
        return 1
    except BrokenPipeError:
        return _closed_pipe()
    return code if isinstance(code, int) else 0


def _closed_pipe() -> int:
    """Whoever read our output has had enough (`controller render | head`)."""
    sys.stderr.close()
    return 0


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
