"""Deleting what no spec asks for any more, and all the reasons not to.

A service is an orphan only if it carries our owner tag. It is deleted only on the word of a source revision that was
read whole, understood whole and is not empty, and at most a few in one pass. Where its last spec said
`onDelete: orphan` it only loses our tags. Every doubt holds the deletion and says why. Neighbours: `plan` has the
steps, `app` gathers the orphans.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from controller.core.live import LiveService
from controller.core.ownership import PREFIX
from controller.core.plan import DRAINING_POLL, DeleteService, Drift, Hold, Plan, ScaleToZero, Step, TagService
from controller.core.workload import Key
from controller.reasons import Reason

SHARE_PER_PASS: Final = 10
"""Percent of the owned services of a pass that may be deleted in it; at least one."""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """What the source revision says about itself."""

    complete: bool
    """Every file was read and every document understood."""
    workloads: int
    """Valid workloads in it."""


def plan_orphans(orphans: Mapping[Key, LiveService], *, owned: int, source: SourceHealth) -> tuple[Plan, ...]:
    """One plan for each service that carries our owner tag and has no spec, in a stable order.

    `owned` counts all services that carry our owner tag, orphans included.
    """
    allowance = max(1, owned * SHARE_PER_PASS // 100)
    plans: list[Plan] = []
    for key, live in sorted(orphans.items()):
        if live.draining:
            hold = Hold(Reason.DRAINING, f"service {live.name} is deleted and drains", DRAINING_POLL)
            plans.append(Plan(key, Drift.ORPHANED, holds=(hold,)))
            continue
        release = live.ownership.orphan_on_delete
        doubt = _doubt(source)
        if doubt is None and not release and allowance <= 0:
            doubt = Hold(Reason.DELETE_HELD, f"at most {SHARE_PER_PASS} % of the owned services go in one pass", 0.0)
        if doubt is not None:
            plans.append(Plan(key, Drift.ORPHANED, holds=(doubt,)))
        elif release:
            plans.append(Plan(key, Drift.ORPHANED, steps=(letting_go(key, live),)))
        else:
            allowance -= 1
            plans.append(Plan(key, Drift.ORPHANED, steps=deletion(key, live)))
    return tuple(plans)


def deletion(key: Key, live: LiveService) -> tuple[Step, ...]:
    """Scale down, then delete: ECS refuses to delete a service that is scaled above zero, and so the tasks get their
    stop signal from a living service.
    """
    delete = DeleteService(key)
    daemon = live.wire.get("schedulingStrategy") == "DAEMON"
    return (delete,) if live.desired == 0 or daemon else (ScaleToZero(key), delete)


def letting_go(key: Key, live: LiveService) -> Step:
    """`onDelete: orphan`: the service stays as it is and becomes nobody's."""
    return TagService(key, remove=tuple(sorted(name for name in live.tags if name.startswith(PREFIX))))


def _doubt(source: SourceHealth) -> Hold | None:
    if not source.complete:
        message = "nothing is deleted while a document of the source is invalid: it may be this one"
        return Hold(Reason.DELETE_HELD, message)
    if source.workloads == 0:
        return Hold(Reason.DELETE_HELD, "nothing is deleted on the word of an empty source")
    return None


def orphans_of(
    services: Iterable[LiveService], *, cluster: str, target: str | None, owner: str, wanted: Iterable[Key]
) -> dict[Key, LiveService]:
    """The services of a cluster that carry our owner tag and that no spec names."""
    kept = set(wanted)
    found = {Key(cluster, live.name, target): live for live in services if live.ownership.owner == owner}
    return {key: live for key, live in found.items() if key not in kept}
