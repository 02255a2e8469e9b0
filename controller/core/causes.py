"""Who has moved: the spec, somebody live, or both.

Three states are needed for that, and ECS holds only one of them. The third is what was applied last. Where the digest
tag names the very spec that is rendered now, the spec has not moved, so everything that differs was changed live. Where
it does not, the record in the tags (`applied`) tells it for each service member, and for a task definition the revision
that was applied last, if it is still among those that were looked at. Where nothing tells, the cause is unknown: it is
never guessed. Neighbours: `compare` asks, `applied` remembers.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from controller.core.applied import Applied, Cause, cause_of, revision_hash
from controller.core.diff import diff
from controller.core.normalize import Canonical, digest, normalize
from controller.core.path import Path

Causes: TypeAlias = Callable[[Path], Cause]
"""Path below `service` or `taskDefinition` → cause of the difference there."""
SERVICE: Final = "CreateServiceRequest"


def all_live(_: Path) -> Cause:
    """The spec is the one that was applied: whatever differs was changed live."""
    return Cause.LIVE


def service_causes(spec: dict[str, Canonical], live: dict[str, Canonical], applied: Applied, *, daemon: bool) -> Causes:
    """Causes of differences between what a spec asks of a service and what is live, both as canonical members."""
    defaults = normalize(SERVICE, {"schedulingStrategy": "DAEMON"} if daemon else {}).members

    def cause(path: Path) -> Cause:
        name = str(path[0])
        return applied.cause(name, spec=spec.get(name), live=live.get(name), default=defaults.get(name))

    return cause


def revision_causes(
    spec: dict[str, Canonical], live: dict[str, Canonical], known: Iterable[dict[str, Canonical]], applied: Applied
) -> Causes:
    """Causes of differences between task definitions, all as canonical content. `known` are other revisions, among
    which may be the one that was applied last."""
    last = next(iter(applied.revisions), None)
    if last is None:
        return lambda _: Cause.UNKNOWN
    spec_moved, live_moved = (revision_hash(digest(one)) != last for one in (spec, live))
    if not (spec_moved and live_moved):
        whole = cause_of(spec_moved=spec_moved, live_moved=live_moved)
        return lambda _: whole
    before = next((one for one in known if revision_hash(digest(one)) == last), None)
    if before is None:
        return lambda _: Cause.UNKNOWN
    in_spec, in_live = ([difference.path for difference in diff(side, before)] for side in (spec, live))
    return lambda path: cause_of(spec_moved=_touches(in_spec, path), live_moved=_touches(in_live, path))


def _touches(moved: Iterable[Path], path: Path) -> bool:
    """Whether one of the paths is this one, above it or below it."""
    return any(one[: len(path)] == path[: len(one)] for one in moved)
