"""Flags that several verbs share, and how they become settings."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from controller.cli.forms import FORMS
from controller.cli.output import note

if TYPE_CHECKING:
    from controller.core.render import Settings as Rendering
    from controller.settings import Loaded, Settings

F = TypeVar("F", bound=Callable[..., Any])

CONTEXT: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
ONE_PASS: Final = ("apply", "wait", "output", "selector", "force", "verbose", "full", "timeout", "out")
"""Flags that mean something for one pass only."""
BOTH: Final = (*("source", "clusters", "region", "profile", "owner", "port_base", "config", "no_color", "log_format"),)
"""Flags that mean the same for one pass and for the daemon."""
SETTINGS: Final = (
    "source",
    "owner",
    "clusters",
    "region",
    "profile",
    "resync",
    "workers",
    "timeout",
    "port_base",
    "http",
)


def for_one_pass(function: F) -> F:
    """Flags of `--once`."""
    return _all(
        function,
        (
            click.option("--apply", is_flag=True, help="Carry the plan out."),
            click.option("--wait", is_flag=True, help="With --apply: follow the rollouts to their end."),
            click.option("--timeout", type=float, metavar="SECONDS", help="Seconds that --wait waits.  [default: 900]"),
            click.option("--force", is_flag=True, help="Try again what ECS rolled back."),
            click.option("-l", "--selector", metavar="LABELS", help="Only workloads with these: team=nlp,tier!=dev."),
            output("table", "json", *FORMS),
            click.option(
                "--out",
                type=click.Path(path_type=Path, dir_okay=False),
                metavar="FILE",
                help="Save the plan for `controller apply`.",
            ),
            click.option("-v", "--verbose", is_flag=True, help="List workloads that are in sync, too."),
            click.option("--full", is_flag=True, help="Show what differs within all that is around it, as a diff."),
        ),
    )


def for_both(function: F) -> F:
    """Flags of one pass and of the daemon."""
    return _all(
        function,
        (
            click.option("-s", "--source", metavar="SOURCE", help="A path, s3://… or git+https://…  [default: specs]"),
            click.option(
                "--cluster",
                "clusters",
                metavar="NAME",
                multiple=True,
                help="Look here for services without a spec, too.",
            ),
            click.option("--profile", metavar="NAME", help="AWS profile."),
            for_rendering,
            click.option(
                "--log-format",
                type=click.Choice(["auto", "json", "console"]),
                default="auto",
                help="Logs on stderr; auto is console on a terminal.",
            ),
        ),
    )


def for_rendering(function: F) -> F:
    """Flags of everything that renders specs, so that it renders them as the daemon does."""
    return _all(
        function,
        (
            click.option(
                "--owner", metavar="NAME", help="Identity written to managed services.  [default: controller]"
            ),
            click.option(
                "--port-base", type=int, metavar="PORT", help="Host port that stands for card 0.  [default: 18100]"
            ),
            click.option("--region", metavar="NAME", help="AWS region, where the environment does not say it."),
            click.option(
                "--config",
                type=click.Path(path_type=Path, dir_okay=False),
                envvar="CONTROLLER_CONFIG",
                help="Settings as YAML.  [default: controller.yaml, if there is one]",
            ),
            click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same."),
        ),
    )


def _all(function: F, decorators: Sequence[Callable[[F], F]]) -> F:
    """Put the flags on a command in the order in which they are written."""
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


def output(*formats: str) -> Callable[[F], F]:
    """The `-o` flag with these formats, the first being the default."""
    return click.option(
        "-o", "--output", type=click.Choice(formats), default=formats[0], show_default=True, help="Form of the output."
    )


def given(ctx: click.Context) -> list[click.Parameter]:
    """The flags that stand on the command line."""
    source = click.core.ParameterSource.COMMANDLINE
    return [one for one in ctx.command.params if one.name and ctx.get_parameter_source(one.name) is source]


def flag(parameter: click.Parameter) -> str:
    """A flag as people write it: its long form."""
    return max(parameter.opts, key=len)


def settings(flags: dict[str, Any]) -> "Settings":
    """The settings under these flags, the environment and the configuration file."""
    return loaded(flags).settings


def loaded(flags: dict[str, Any]) -> "Loaded":
    """The settings, and where each comes from."""
    from controller.settings import load

    wanted = {name: flags[name] for name in SETTINGS if flags.get(name) not in (None, ())}
    config: Path | None = flags.get("config")
    default = Path("controller.yaml")
    file = config or (default if default.is_file() else None)
    found = load(flags=wanted, environment=os.environ, file=file)
    for variable, meant in found.suspects.items():
        note(f"note: {variable} is no setting; did you mean {meant}?")
    return found


def rendering(flags: dict[str, Any]) -> "Rendering":
    """Of these settings what rendering needs."""
    from controller.settings import rendering as of

    return of(settings(flags), environment=os.environ, today=datetime.now(UTC).date())
