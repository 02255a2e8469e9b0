"""What keeps a step back: services of others, members that only a new service can have, autoscalers, rollbacks, and the
user's own word.

Guards only ever take steps away, and each says why. Neighbours: `plan` asks them, `prune` has those of deletions.
"""

from dataclasses import replace
from typing import assert_never

from controller.core.compare import Comparison
from controller.core.live import LiveService, Observation, ScalableTarget, UnknownScaling
from controller.core.spec import Mode, Reconcile
from controller.core.steps import Drift, Guards, Hold, Plan, Step
from controller.reasons import Reason

DRAINING_POLL = 10.0
"""Seconds until a draining service is looked at again. Tasks stop within their stopTimeout (30 s unless set)."""
DEPENDENCY_POLL = 30.0
"""Seconds until an unready dependency is looked at again. Source: Flux, --requeue-dependency."""
ROLLBACK_POLL = 15.0
"""Seconds until a service that is being rolled back is looked at again."""
SCALING_POLL = 60.0
"""Seconds until Application Auto Scaling is asked again whether it owns a count, where it could not be asked."""


def refusal(live: LiveService, owner: str, *, adopt: bool) -> Hold | None:
    """Services that are not ours to touch."""
    ownership = live.ownership
    if live.managed_by is not None:
        return Hold(Reason.FOREIGN_CONTROLLER, f"service {live.name} {live.managed_by}")
    if ownership.owner not in (None, owner):
        return Hold(Reason.OWNED_BY_ANOTHER, f"service {live.name} is owned by controller `{ownership.owner}`")
    if ownership.owner is None and not adopt:
        message = f"service {live.name} exists and nobody owns it; set reconcile.adopt: true to take it over"
        return Hold(Reason.NOT_OWNED, message)
    return None


def replacement(comparison: Comparison, *, allowed: bool) -> Hold | None:
    """Members that only a new service can have: refused, or with `reconcile.replace` what is waited for."""
    if not comparison.replaces:
        return None
    members = ", ".join(comparison.replaces)
    if allowed:
        message = f"only a new service can have another {members}: it is created anew as soon as the old one is gone"
        return Hold(Reason.REPLACE_REQUIRED, message, DRAINING_POLL)
    message = (
        f"only a new service can have another {members}; change the spec back, delete the service,"
        " or let reconcile.replace: true do so, which stops its tasks"
    )
    return Hold(Reason.REPLACE_REQUIRED, message)


def rolled_back(observation: Observation, wanted: str | None, live: LiveService) -> Hold | None:
    """A revision that ECS gave up on is not tried again until the spec, and so the wanted revision, changes."""
    rollout = observation.rollout
    if rollout is None or not rollout.failed or wanted is None or rollout.target != wanted:
        return None
    why = f" ({rollout.reason.rstrip('.')})" if rollout.reason else ""
    message = (
        f"ECS rolled back {_short(rollout.target)} to {_short(live.task_definition)}{why};"
        " it is not tried again until the spec changes"
    )
    return Hold(Reason.ROLLED_BACK, message, None if rollout.status.startswith("ROLLBACK_S") else ROLLBACK_POLL)


def autoscaled(live: LiveService, scaling: ScalableTarget | UnknownScaling | None) -> Hold | None:
    """A count that an autoscaler moves is never fought over, and none is written while nobody can tell."""
    match scaling:
        case None | ScalableTarget(suspended=True):
            return None
        case ScalableTarget(minimum=minimum, maximum=maximum):
            message = (
                f"Application Auto Scaling owns the count of service {live.name} ({minimum} to {maximum} tasks);"
                " remove `replicas` from the spec, or the scalable target"
            )
            return Hold(Reason.AUTOSCALED, message)
        case UnknownScaling(message=why):
            message = f"the count is not written while it is not known whether an autoscaler owns it: {why}"
            return Hold(Reason.AUTOSCALED, message, SCALING_POLL)
        case _:
            assert_never(scaling)


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]


def guarded(full: Plan, reconcile: Reconcile, guards: Guards, *, remembered: tuple[Step, ...]) -> Plan:
    """The plan without the steps that a guard forbids. A suspension is written to the service itself, so that it holds
    on when the spec that says it goes away."""
    if not full.steps:
        return full
    hold: Hold | None = None
    kept: tuple[Step, ...] = ()
    if reconcile.suspend and reconcile.suspend.active(guards.now):
        until = reconcile.suspend.until
        message = f"suspended until {until.isoformat()}: {reconcile.suspend.reason}"
        hold = Hold(Reason.SUSPENDED, message, (until - guards.now).total_seconds())
        kept = remembered
    elif reconcile.mode is Mode.NOTIFY:
        hold = Hold(Reason.NOTIFY_ONLY, "reconcile.mode is notify: reported, never written")
    elif waits := [name for name in reconcile.depends_on if not guards.ready.get(name, False)]:
        hold = Hold(
            Reason.DEPENDENCY_NOT_READY, f"waits for {', '.join(waits)} to be in sync and healthy", DEPENDENCY_POLL
        )
    if hold is None:
        return full
    drift = Drift.BLOCKED if hold.reason is Reason.DEPENDENCY_NOT_READY else full.drift
    return replace(full, drift=drift, steps=kept, holds=(*full.holds, hold))
