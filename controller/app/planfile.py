"""Saving a plan, and carrying out exactly the one that was saved: `--once --out FILE`, `controller apply FILE`.

`apply` believes nothing of the file but where the source is. It reads the very revision again (a commit, versions of
objects, the same bytes of a folder), plans again, and compares everything: another setting, another account, another
live state, another step is a difference, and with one difference nothing is written. Then only steps that are in the
plan are carried out, each after the key was read live once more.

The file is made for its owner alone (0600). It holds no secrets as far as masking knows them, but names accounts,
images and variables, and nobody but whoever made it needs it: a job that keeps it as an artifact runs as the same user.
Neighbours: `report.saved_plan` (what is in it), `everywhere` (the passes), `cli.apply`.
"""

import asyncio
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import controller
from controller.app import compose, everywhere, folders
from controller.app.once import Order
from controller.aws.client import Connection, connect
from controller.aws.objects import S3Objects
from controller.core.diagnostics import Diagnostic
from controller.core.pass_report import Exit, PassReport
from controller.core.plan import Plan
from controller.core.redact import redact
from controller.errors import ControllerError, Stalled
from controller.reasons import Reason
from controller.reconcile.ports import Clock, Recorder
from controller.report.document import as_json
from controller.report.saved_plan import (
    Basis,
    Difference,
    SavedPlan,
    differences,
    saved_plan,
    step_digest,
    steps_of,
    understood,
)
from controller.settings import Settings
from controller.sources.git import GitSource
from controller.sources.snapshot import Snapshot
from controller.sources.uri import GitLocation, S3Location, locate

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a plan file: ten thousand workloads with a hundred changes each."""
MODE: Final = 0o600
READS_AT_ONCE: Final = 16

_COMMIT: Final = re.compile(r"(?:^|@)(?:sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})$")
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_ECS", "AWS_ENDPOINT_URL")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan was asked for, as it can be asked for again."""

    order: Order
    selector: str | None = None


@dataclass(frozen=True, slots=True)
class Stale:
    """A plan that is not what would be done now; nothing was written."""

    differences: tuple[Difference, ...]


async def save(settings: Settings, clock: Clock, path: Path, *, asked: Asked) -> tuple[PassReport, str | None]:
    """A dry run, and its plan as a file. Answers why there is none, where it is not whole.

    Raises:
        ControllerError: the source or an account cannot be read, or the file cannot be written.
    """
    found = await everywhere.read(settings)
    report = await everywhere.look(settings, clock, order=asked.order, found=found)
    why_not = _why_not(report, found.problems)
    if why_not is None:
        document = saved_plan(
            report, await _basis(settings, asked, found), made=clock.now(), version=controller.__version__
        )
        await asyncio.to_thread(_write, path, f"{as_json(document)}\n")
    return report, why_not


def read(path: Path) -> SavedPlan:
    """A plan file.

    Raises:
        ControllerError: it cannot be read, is none, or of another version.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ControllerError(f"plan {path} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise ControllerError(f"plan {path} is larger than {LARGEST // 1024**2} MiB")
    return understood(content.decode("utf-8", errors="replace"), str(path))


async def apply(
    settings: Settings, clock: Clock, recorder: Recorder, saved: SavedPlan, *, asked: Asked
) -> PassReport | Stale:
    """Carry out a saved plan, or say what has changed since.

    Raises:
        ControllerError: the source or an account cannot be read now, or something cannot be observed.
    """
    found = await _pinned(settings, saved)
    if isinstance(found, Stale):
        return found
    report = await everywhere.look(settings, clock, order=asked.order, found=found)
    if report.exit_code is Exit.ERROR:
        return report  # what cannot be observed cannot be compared, and nothing was written
    now = saved_plan(report, await _basis(settings, asked, found), made=clock.now(), version=controller.__version__)
    changed = differences(saved.document, now)
    if changed:
        return Stale(tuple(changed))
    order = replace(asked.order, only=frozenset(one.key for one in report.workloads if one.plan.steps))
    return await everywhere.apply(settings, clock, recorder, order=order, found=found, agreed=only_steps_of(report))


def only_steps_of(report: PassReport) -> Callable[[Plan], None]:
    """Refuses, with a Stalled, a plan that does more than this report's: somebody may have written since. What was done
    already may be missing, because planning again gives the rest."""
    allowed = steps_of(report)

    def agreed(plan: Plan) -> None:
        if not {step_digest(step) for step in plan.steps} <= allowed.get(str(plan.key), frozenset()):
            message = f"{plan.key} has changed while the plan was carried out; nothing more is written to it"
            raise Stalled(message, reason=Reason.PLAN_STALE, advice="make the plan anew")

    return agreed


def _why_not(report: PassReport, problems: Sequence[Diagnostic]) -> str | None:
    if report.exit_code is Exit.ERROR:
        return "something could not be observed"
    if problems:
        return f"{len(problems)} of the source's files cannot be read"
    return None


async def _basis(settings: Settings, asked: Asked, found: Snapshot) -> Basis:
    return Basis(
        settings=_deciding(settings),
        places=await _places(settings),
        selector=asked.selector,
        force=asked.order.force,
        objects=found.objects,
    )


def _deciding(settings: Settings) -> dict[str, Any]:
    """Settings that decide what a plan says. Where and as whom is in `places`; how fast is no part of it."""
    return {
        "owner": settings.owner,
        "portBase": settings.port_base,
        "clusters": sorted(settings.clusters),
        "targets": {one.name: {"region": one.region, "role": one.role_arn} for one in settings.targets},
        "deleteShare": settings.delete_share,
        "deleteShrink": settings.delete_shrink,
        "confirmDeletions": settings.confirm_deletions,
        "maxConcurrentRollouts": settings.max_concurrent_rollouts,
    }


async def _places(settings: Settings) -> dict[str, Any]:
    """Every account and region, as STS tells it. One that cannot be worked in says why."""
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    places: dict[str, Any] = {}
    async with compose.sessions_of(settings) as opened:
        for place, session in opened:
            told: dict[str, Any] = {"region": place.settings.region, "endpoint": redact(endpoint)}
            if isinstance(session, ControllerError):
                told["unconnected"] = str(session.reason)
            else:
                told |= {"account": (await session.identity()).account, "region": session.region}
            places[place.name or ""] = told
    return places


async def _pinned(settings: Settings, saved: SavedPlan) -> Snapshot | Stale:
    """The revision that the plan is of, wherever the source has gone since."""
    location = locate(settings.source)
    here = str(redact(location.uri if isinstance(location, S3Location | GitLocation) else str(location)))
    if here != saved.uri:
        return Stale((Difference(("source", "uri"), saved.uri, here),))
    match location:
        case S3Location():
            return await _objects(settings, location, saved)
        case GitLocation() if _COMMIT.search(saved.revision):
            commit = saved.revision.rpartition(":")[2]
            signers = Path(settings.source_signers) if settings.source_signers else None
            pinned = GitSource(replace(location, ref=commit), folders.cache() / "git", allowed_signers=signers)
            found = await pinned.snapshot()
            return replace(found, uri=location.uri, revision=saved.revision)
        case _:
            return await everywhere.read(settings)


async def _objects(settings: Settings, location: S3Location, saved: SavedPlan) -> Snapshot | Stale:
    """The objects of the plan, each by its version or, where the bucket keeps none, while its ETag is the same."""
    prefix = location.prefix if not location.is_object else location.prefix.rpartition("/")[0]
    strangers = [name for name, one in saved.objects.items() if not one.key.startswith(prefix)]
    if strangers:
        return Stale(
            tuple(Difference(("source", "objects", name), saved.objects[name].key, None) for name in strangers)
        )
    slots = asyncio.Semaphore(READS_AT_ONCE)
    connection = Connection(region=settings.region, profile=settings.profile)
    async with connect(connection, "s3") as api:
        bucket = S3Objects(api, location.bucket, owner=settings.source_bucket_owner)

        async def content(name: str) -> bytes | None:
            async with slots:
                return await bucket.read(saved.objects[name])

        names = sorted(saved.objects)
        try:
            async with asyncio.TaskGroup() as group:
                reading = {name: group.create_task(content(name)) for name in names}
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
    read = {name: task.result() for name, task in reading.items()}
    gone = tuple(
        Difference(("source", "objects", name), "read", "gone or changed") for name in names if read[name] is None
    )
    if gone:
        return Stale(gone)
    files: Mapping[str, bytes] = {name: body for name, body in read.items() if body is not None}
    return Snapshot(location.uri, saved.revision, files, objects=saved.objects)


def _write(path: Path, text: str) -> None:
    """Write the whole file or none, for its owner alone.

    Raises:
        ControllerError: it cannot be written.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogatepass") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(MODE)
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise ControllerError(f"plan {path} cannot be written: {error.strerror}") from error
