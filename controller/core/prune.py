"""Deleting what no spec asks for any more, and all the reasons not to.

A service is an orphan only if it carries our owner tag. It is deleted only on the word of a source revision that was
read whole, understood whole, is not empty and has stood for a while; at most a few in one pass; and where one revision
stops naming a large part of the fleet, only once somebody has confirmed it. Where its last spec said
`onDelete: orphan` it only loses our tags; where it was suspended it stays until the suspension ends. Every doubt holds
the deletion and says why. Neighbours: `plan` has the steps, `app` gathers the orphans.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controller.core.live import LiveService
from controller.core.ownership import PREFIX
from controller.core.plan import DRAINING_POLL, DeleteService, Drift, Hold, Plan, Step, TagService
from controller.core.steps import deletion
from controller.core.workload import Key
from controller.reasons import Reason

SHARE_PER_PASS: Final = 10
"""Percent of the owned services that may be deleted in one pass; at least one."""
SHRINK: Final = 50
"""Percent of the owned services that a revision may stop naming without anybody's word; at least one."""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """What the source revision says about itself."""

    complete: bool
    """Every file was read and every document understood."""
    workloads: int
    """Valid workloads in it."""
    revision: str = ""
    stale: str | None = None
    """Why it cannot be read at present, where that is so: nobody knows what it says by now."""
    young: float = 0.0
    """Seconds until it has stood long enough to be believed about what it does not name: a folder or a bucket that is
    being written shows states that nobody has meant."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far deletions may go."""

    share: int = SHARE_PER_PASS
    """Percent of the owned services that may be deleted in one pass; at least one. With 0 nothing is deleted."""
    shrink: int = SHRINK
    """Percent of the owned services that may be without a spec at once; at least one."""
    confirmed: str | None = None
    """The revision of which somebody has said that it means to lose what it loses."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Deletions of the pass so far."""

    begun: frozenset[Key] = frozenset()
    """Services whose deletion has begun: they count against the share, and go on."""
    ends: float = 0.0
    """Seconds until the next pass."""


def plan_orphans(
    orphans: Mapping[Key, LiveService],
    *,
    owned: int,
    source: SourceHealth,
    now: datetime | None = None,
    limits: Limits | None = None,
    so_far: Pass | None = None,
) -> tuple[Plan, ...]:
    """One plan for each service that carries our owner tag and has no spec, in a stable order.

    `owned` counts all services that carry our owner tag, orphans included; `now` is needed only where suspensions are
    to be heeded.
    """
    limits, so_far = limits or Limits(), so_far or Pass()
    shrunk = _shrunk(orphans, owned=owned, source=source, limits=limits)
    allowance = max(1, owned * limits.share // 100) - len(so_far.begun) if limits.share else 0
    plans: list[Plan] = []
    for key, live in sorted(orphans.items()):
        planned = plan_orphan(key, live, source=source, now=now)
        if planned.steps and shrunk is not None:
            planned = _held(key, shrunk)
        elif any(isinstance(step, DeleteService) for step in planned.steps) and key not in so_far.begun:
            allowance -= 1
            if allowance < 0:
                planned = _held(key, _over_the_share(owned, limits, so_far))
        plans.append(planned)
    return tuple(plans)


def plan_orphan(key: Key, live: LiveService, *, source: SourceHealth, now: datetime | None = None) -> Plan:
    """What becomes of one orphan, whatever becomes of the others: the caller has seen to the limits of the pass."""
    if live.draining:
        hold = Hold(Reason.DRAINING, f"service {live.name} is deleted and drains", DRAINING_POLL)
        return _held(key, hold)
    hold_back = doubt(source) or _foreign(live) or _suspended(live, now)
    if hold_back is not None:
        return _held(key, hold_back)
    if live.ownership.orphan_on_delete:
        return Plan(key, Drift.ORPHANED, steps=(letting_go(key, live),))
    return Plan(key, Drift.ORPHANED, steps=deletion(key, live))


def letting_go(key: Key, live: LiveService) -> Step:
    """`onDelete: orphan`: the service stays as it is and becomes nobody's."""
    return TagService(key, remove=tuple(sorted(name for name in live.tags if name.startswith(PREFIX))))


def orphans_of(
    services: Iterable[LiveService], *, cluster: str, target: str | None, owner: str, wanted: Iterable[Key]
) -> dict[Key, LiveService]:
    """The services of a cluster that carry our owner tag and that no spec names."""
    kept = set(wanted)
    found = {Key(cluster, live.name, target): live for live in services if live.ownership.owner == owner}
    return {key: live for key, live in found.items() if key not in kept}


def doubt(source: SourceHealth) -> Hold | None:
    """Why nothing is deleted on the word of a source; None where it can be believed."""
    if not source.complete:
        message = "nothing is deleted while a document of the source is invalid: it may be this one"
        return Hold(Reason.DELETE_HELD, message)
    if source.workloads == 0:
        return Hold(Reason.DELETE_HELD, "nothing is deleted on the word of an empty source")
    if source.stale is not None:
        return Hold(Reason.SOURCE_STALE, f"nothing is deleted while the source cannot be read ({source.stale})")
    if source.young > 0:
        return Hold(Reason.DELETE_HELD, "nothing is deleted before the revision has stood for a while", source.young)
    return None


def _shrunk(orphans: Mapping[Key, LiveService], *, owned: int, source: SourceHealth, limits: Limits) -> Hold | None:
    """A revision that loses much of the fleet at once: more often a wrong path or branch than somebody's wish."""
    lost = sum(not live.draining for live in orphans.values())
    if lost <= max(1, owned * limits.shrink // 100) or (limits.confirmed and limits.confirmed == source.revision):
        return None
    revision = source.revision or "this revision"
    message = (
        f"{revision} no longer names {lost} of the {owned} owned services, more than {limits.shrink} % at once;"
        f" if that is meant, confirm it with CONTROLLER_CONFIRM_DELETIONS={revision}"
    )
    return Hold(Reason.DELETE_HELD, message)


def _foreign(live: LiveService) -> Hold | None:
    """Somebody else has taken it over and left our tag in place."""
    return Hold(Reason.FOREIGN_CONTROLLER, f"service {live.name} {live.managed_by}") if live.managed_by else None


def _over_the_share(owned: int, limits: Limits, so_far: Pass) -> Hold:
    if not limits.share:
        return Hold(Reason.DELETE_HELD, "nothing is deleted: CONTROLLER_DELETE_SHARE is 0")
    message = f"at most {limits.share} % of the {owned} owned services go in one pass"
    return Hold(Reason.DELETE_HELD, message, so_far.ends)


def _suspended(live: LiveService, now: datetime | None) -> Hold | None:
    until = live.ownership.suspended_until
    if until is None or now is None or now >= until:
        return None
    message = f"the spec of service {live.name} is gone, but it was suspended until {until.isoformat()}"
    return Hold(Reason.SUSPENDED, message, (until - now).total_seconds())


def _held(key: Key, hold: Hold) -> Plan:
    return Plan(key, Drift.ORPHANED, holds=(hold,))
