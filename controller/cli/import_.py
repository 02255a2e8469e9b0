"""`controller import`: a live service, a whole cluster, or what another tool has on disk, as spec files.

Specs go to stdout or into files, everything that is to be known about them to stderr. A file that exists is never
overwritten unless asked for, and then all or none is checked before the first is written. Neighbours: `app.importing`
(reads and proves), `report.imported` (tells).
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from controller.cli import options, output
from controller.errors import ControllerError, Usage
from controller.reasons import Reason

if TYPE_CHECKING:
    from controller.app.importing import Import, Imported
    from controller.core.importing.exports import Address
    from controller.settings import Settings

STDIN: Final = Path("-")
STDOUT: Final = "(stdout)"
"""What stdout is called in messages that point into it."""


@click.command("import", context_settings=options.CONTEXT)
@click.argument("where", metavar="CLUSTER[/SERVICE]", required=False)
@click.option(
    "--from",
    "sources",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    multiple=True,
    help="Read this file instead of ECS; give it again for a second one. `-` is stdin.",
)
@click.option(
    "-d",
    "--directory",
    type=click.Path(path_type=Path, file_okay=False, allow_dash=True),
    default=STDIN,
    help="Write NAME.yaml for each service in here.  [default: -, stdout]",
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@click.option("--no-replicas", is_flag=True, help="Leave the number of tasks to somebody else.")
@click.option(
    "--plain", metavar="NAME", multiple=True, help="This environment variable looks like a secret and is none."
)
@click.option("--target", metavar="NAME", help="Look in this account and region of the configuration.")
@click.option("--profile", metavar="NAME", help="AWS profile.")
@options.for_rendering
def command(**flags: Any) -> None:
    """Make spec files of live services, and prove that they plan as in sync.

    Without a SERVICE all services of the cluster are imported. --from takes the output of `aws ecs describe-services`,
    `describe-task-definition` or `register-task-definition`, their input (as ecspresso keeps it), or a CloudFormation
    template whose values are plain. Defaults are left out, Gaudi settings become `gaudi:`, and what looks like a secret
    is never copied. Exit codes: 0 in sync but for secrets to fill in, 1 runtime error or refused, 2 written but some
    difference remains, 3 a file cannot be read as what it should be.
    """
    click.get_current_context().exit(_import(flags))


def _import(flags: dict[str, Any]) -> int:
    from controller.report.frame import frames
    from controller.report.imported import imported_text, summary

    done, files = _done(flags)
    colour = output.colour(no_color=flags["no_color"], stderr=True)
    if done.diagnostics:
        output.note(frames(done.diagnostics, files, colour=colour))
    _put(done.specs, flags["directory"], force=flags["force"])
    for one in done.specs:
        output.note(imported_text(one.found, one.spec, one.proof))
    for refused in done.refused:
        output.note(f"skip   {refused.name}: {refused.why}")
    if not done.specs and not done.refused and not done.diagnostics:
        output.note(f"note: cluster {flags['where']} has no services")
    if len(done.specs) + len(done.refused) > 1:
        output.note(summary(len(done.specs), sum(one.proof.in_sync for one in done.specs), done.refused))
    if not done.specs and done.diagnostics:
        return 3
    return 0 if done.in_sync else 2


def _done(flags: dict[str, Any]) -> "tuple[Import, dict[str, bytes]]":
    """The specs with their proofs, and the files that were read for them."""
    from controller.app import importing
    from controller.app.compose import SystemClock
    from controller.core.importing.exports import Address, exports

    if not flags["where"] and not flags["sources"]:
        raise Usage("`controller import` needs CLUSTER[/SERVICE], or --from FILE")
    if flags["target"] and flags["sources"]:
        raise Usage("--target and --from exclude each other", advice="a file is in no account")
    where = importing.address(flags["where"]) if flags["where"] else Address()
    settings = options.settings(flags)
    directory, now = flags["directory"], SystemClock().now()
    wanted = importing.choices(
        settings, environment=os.environ, now=now, replicas=not flags["no_replicas"], plain=flags["plain"]
    )
    joined = directory == STDIN
    refused: Sequence[Any] = ()
    diagnostics: Sequence[Any] = ()
    files: dict[str, bytes] = {}
    if flags["sources"]:
        files = _files(flags["sources"])
        found, diagnostics = (read := exports(files, where)).found, read.diagnostics
    else:
        found, refused = asyncio.run(_read(settings, where, flags["target"]))
    specs = importing.written(
        found, wanted, file=lambda name: STDOUT if joined else str(directory / f"{name}.yaml"), now=now, joined=joined
    )
    return importing.Import(specs, tuple(refused), tuple(diagnostics)), files


async def _read(settings: "Settings", where: "Address", target: str | None) -> Any:
    from controller.app import compose, importing
    from controller.aws.limits import Limits

    place = importing.place_of(settings, target)
    async with compose.reader(place, Limits(settings.api_share)) as ecs:
        return await importing.read(ecs, where, owner=settings.owner, target=target)


def _files(paths: Sequence[Path]) -> dict[str, bytes]:
    """The files by the names under which the user knows them.

    Raises:
        ControllerError: one cannot be read.
    """
    files: dict[str, bytes] = {}
    for path in paths:
        try:
            files[str(path)] = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
        except OSError as error:
            reason = Reason.SOURCE_UNREADABLE
            raise ControllerError(f"{path} cannot be read: {error.strerror}", reason=reason) from error
    return files


def _put(specs: "Sequence[Imported]", directory: Path, *, force: bool) -> None:
    """The specs to where they shall go.

    Raises:
        ControllerError: a file exists already, or cannot be written.
    """
    if directory == STDIN:
        if specs:
            output.data("---\n".join(one.spec.text for one in specs).rstrip("\n"))
        return
    existing = [one.file for one in specs if os.path.lexists(one.file)]
    if existing and not force:
        advice = "--force overwrites; or name another --directory"
        raise ControllerError(f"nothing is written: {', '.join(existing)} exists already", advice=advice)
    directory.mkdir(parents=True, exist_ok=True)
    for one in specs:
        _write(Path(one.file), one.spec.text)


def _write(path: Path, text: str) -> None:
    """All of a file or nothing of it: who reads the folder meanwhile never sees half a spec."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
