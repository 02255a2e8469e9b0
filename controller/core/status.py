"""What a workload's state is called: conditions, health, and the one word Ready.

Two axes that are never merged: drift (does it match the spec?) and health (does it run?). Conditions follow the
conventions of Kubernetes and kstatus: a map by type; `Reconciling` and `Stalled` exist only while they are True and
never together; `Ready` is True only when nothing is left to do and nothing is wrong; `lastTransitionTime` moves only
when the status does. Neighbours: `plan` (what is left to do), `live` (what runs).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from controller.core.gaudi.stops import Verdict
from controller.core.live import LiveService
from controller.core.plan import Drift, Hold, Plan
from controller.errors import ControllerError, Denied, Stalled, Transient, Waiting
from controller.reasons import Reason


class State(StrEnum):
    """Status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Type(StrEnum):
    """Types of conditions."""

    READY = "Ready"
    SPEC_VALID = "SpecValid"
    OWNED = "Owned"
    IN_SYNC = "InSync"
    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    MISPLACED = "Misplaced"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Condition:
    """One observation about a workload."""

    type: Type
    status: State
    reason: Reason
    message: str = ""
    last_transition: datetime | None = None


Conditions: TypeAlias = Mapping[Type, Condition]


class HealthState(StrEnum):
    """How what runs is doing."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    MISSING = "Missing"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """How a service is doing, and a sentence about it."""

    state: HealthState
    message: str
    reason: Reason | None = None
    """Where there is more to say than the state says."""
    why: Verdict | None = None
    """What its stopped tasks tell, where they were asked (`core.stopped`)."""
    stuck: bool = False
    """Whether no next try can succeed: there is no waiting for the deadline then."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when a deployment should have brought out its revision."""

    now: datetime
    seconds: float
    """From the start of the deployment."""


def health(live: LiveService | None, deadline: Deadline | None = None) -> Health:
    """The health of a service by its deployments. Source: ECS API, Deployment `rolloutState`; waiter ServicesStable.

    Stable is: one deployment, completed, with as many running tasks as asked for and none pending. A PRIMARY deployment
    without a rolloutState is judged by its counts. One that is not done by its deadline is called degraded, with what
    ECS says about it: without a circuit breaker ECS tries for ever.
    """
    if live is None:
        return Health(HealthState.MISSING, "the service does not exist")
    tasks = f"{live.running} of {live.desired} tasks run"
    if live.draining:
        return Health(
            HealthState.PROGRESSING,
            f"draining, {live.running} task{'s still run' if live.running != 1 else ' still runs'}",
        )
    state = str(live.primary.get("rolloutState", "COMPLETED"))
    if state == "FAILED":
        why = str(live.primary.get("rolloutStateReason", "")) or live.trouble
        return Health(HealthState.DEGRADED, f"deployment failed, {tasks}{_because(why)}")
    if state == "IN_PROGRESS" or len(live.deployments) > 1:
        return _rolling_out(live, tasks, deadline)
    if live.running < live.desired and not live.pending:
        return Health(HealthState.DEGRADED, f"{tasks}{_because(live.trouble)}")
    if live.running < live.desired:
        return Health(HealthState.PROGRESSING, f"{tasks}, {live.pending} starting{_because(live.trouble)}")
    if live.running > live.desired or live.pending:
        return Health(HealthState.PROGRESSING, f"{tasks}, the rest is on its way out" if not live.pending else tasks)
    return Health(HealthState.HEALTHY, tasks)


def _rolling_out(live: LiveService, tasks: str, deadline: Deadline | None) -> Health:
    failed = int(live.primary.get("failedTasks", 0))
    so_far = f"{tasks}{f', {failed} failed' if failed else ''}"
    began = live.primary.get("createdAt")
    if deadline is not None and began is not None:
        took = deadline.now.timestamp() - float(began)
        if took > deadline.seconds:
            message = f"deployment not done after {took:.0f} s, {so_far}{_because(live.trouble)}"
            return Health(HealthState.DEGRADED, message, Reason.DEADLINE_EXCEEDED)
    return Health(HealthState.PROGRESSING, f"deployment in progress, {so_far}{_because(live.trouble)}")


def _because(why: str | None) -> str:
    return f": {why}" if why else ""


def conditions(plan: Plan, healthy: Health, error: ControllerError | None = None) -> Conditions:
    """The conditions of a workload after a pass that planned `plan` and, where it acted, ended with `error` or none."""
    found = [
        Condition(Type.SPEC_VALID, State.TRUE, Reason.ACCEPTED),
        _in_sync(plan),
        _healthy(healthy),
        *(_hold_condition(hold) for hold in plan.holds if hold.reason in _HOLD_CONDITIONS),
        *_progress(plan, healthy, error),
    ]
    return {condition.type: condition for condition in (*found, _ready(plan, healthy, found))}


def misplaced(found: Conditions, message: str | None) -> Conditions:
    """The conditions of a workload some of whose tasks are where no cards are (`message`); as they are where none is.

    ECS calls such a task well, so nothing else would tell. Present only while it is so.
    """
    if message is None or Type.READY not in found:
        return found
    told = Condition(Type.MISPLACED, State.TRUE, Reason.MISPLACED, message)
    ready = Condition(Type.READY, State.FALSE, Reason.MISPLACED, message) if is_ready(found) else found[Type.READY]
    return {**found, Type.MISPLACED: told, Type.READY: ready}


def invalid(messages: Iterable[str]) -> Conditions:
    """The conditions of a workload whose document cannot be used."""
    first, *others = [*messages] or ["the document cannot be read"]
    message = f"{first} (and {len(others)} more)" if others else first
    return {
        Type.SPEC_VALID: Condition(Type.SPEC_VALID, State.FALSE, Reason.INVALID_SPEC, message),
        Type.STALLED: Condition(Type.STALLED, State.TRUE, Reason.INVALID_SPEC, message),
        Type.READY: Condition(Type.READY, State.FALSE, Reason.INVALID_SPEC, message),
    }


def transition(before: Conditions, after: Conditions, now: datetime) -> Conditions:
    """The new conditions with their transition times: the old one's time where the status has not changed."""
    merged: dict[Type, Condition] = {}
    for kind, condition in after.items():
        old = before.get(kind)
        since = old.last_transition if old is not None and old.status is condition.status else now
        merged[kind] = replace(condition, last_transition=since)
    return merged


def is_ready(found: Conditions) -> bool:
    """Whether nothing is left to do and nothing is wrong."""
    ready = found.get(Type.READY)
    return ready is not None and ready.status is State.TRUE


_HOLD_CONDITIONS: Mapping[Reason, tuple[Type, State]] = {
    Reason.NOT_OWNED: (Type.OWNED, State.FALSE),
    Reason.OWNED_BY_ANOTHER: (Type.OWNED, State.FALSE),
    Reason.FOREIGN_CONTROLLER: (Type.OWNED, State.FALSE),
    Reason.SUSPENDED: (Type.SUSPENDED, State.TRUE),
}

_NEEDS_A_HUMAN = frozenset(
    {
        *(Reason.NOT_OWNED, Reason.OWNED_BY_ANOTHER, Reason.FOREIGN_CONTROLLER, Reason.REPLACE_REQUIRED),
        *(Reason.ROLLED_BACK, Reason.DELETE_HELD, Reason.AUTOSCALED, Reason.SOURCE_STALE),
    }
)
"""Holds that time alone does not lift."""


def _hold_condition(hold: Hold) -> Condition:
    kind, status = _HOLD_CONDITIONS[hold.reason]
    return Condition(kind, status, hold.reason, hold.message)


def _in_sync(plan: Plan) -> Condition:
    reasons = {
        Drift.IN_SYNC: Reason.IN_SYNC,
        Drift.MISSING: Reason.MISSING,
        Drift.ORPHANED: Reason.ORPHANED,
        Drift.DRIFTED: Reason.DRIFTED,
        Drift.BLOCKED: Reason.DRIFTED,
        Drift.INVALID: Reason.INVALID_SPEC,
        Drift.UNKNOWN: _unknown(plan),
    }
    status = {Drift.IN_SYNC: State.TRUE, Drift.UNKNOWN: State.UNKNOWN}.get(plan.drift, State.FALSE)
    count = len(plan.changes)
    message = f"{count} field{'' if count == 1 else 's'} differ{'s' if count == 1 else ''}" if count else ""
    return Condition(Type.IN_SYNC, status, reasons[plan.drift], message)


def _unknown(plan: Plan) -> Reason:
    """Why it is not known whether a workload is in sync: nobody may look, or nobody could."""
    off = any(hold.reason is Reason.RECONCILE_OFF for hold in plan.holds)
    return Reason.RECONCILE_OFF if off else Reason.NOT_OBSERVED


def _healthy(found: Health) -> Condition:
    match found.state:
        case HealthState.HEALTHY:
            return Condition(Type.HEALTHY, State.TRUE, Reason.HEALTHY, found.message)
        case HealthState.PROGRESSING:
            return Condition(Type.HEALTHY, State.UNKNOWN, _cause(found) or Reason.PROGRESSING, found.message)
        case HealthState.DEGRADED:
            return Condition(Type.HEALTHY, State.FALSE, _cause(found) or Reason.DEGRADED, found.message)
        case HealthState.MISSING:
            return Condition(Type.HEALTHY, State.FALSE, Reason.MISSING, found.message)
        case HealthState.UNKNOWN:
            return Condition(Type.HEALTHY, State.UNKNOWN, Reason.NOT_OBSERVED, found.message)


def _cause(found: Health) -> Reason | None:
    return found.reason or (found.why.reason if found.why is not None else None)


def _progress(plan: Plan, healthy: Health, error: ControllerError | None) -> list[Condition]:
    """Stalled where a human must act, Reconciling where time or the next pass will do, neither where all is well."""
    match error:
        case Stalled():
            return [Condition(Type.STALLED, State.TRUE, error.reason, str(error))]
        case Transient() | Waiting() | Denied() | ControllerError():
            return [Condition(Type.RECONCILING, State.TRUE, error.reason, str(error))]
        case None:
            pass
    stuck = next((hold for hold in plan.holds if hold.reason in _NEEDS_A_HUMAN and hold.after is None), None)
    if stuck:
        return [Condition(Type.STALLED, State.TRUE, stuck.reason, stuck.message)]
    if any(hold.reason in (Reason.SUSPENDED, Reason.NOTIFY_ONLY, Reason.RECONCILE_OFF) for hold in plan.holds):
        return []
    waiting = next(iter(plan.holds), None)
    if waiting:
        return [Condition(Type.RECONCILING, State.TRUE, waiting.reason, waiting.message)]
    if plan.steps:
        return [Condition(Type.RECONCILING, State.TRUE, Reason.PROGRESSING, "changes are to be applied")]
    if healthy.state is HealthState.PROGRESSING:
        return [Condition(Type.RECONCILING, State.TRUE, Reason.PROGRESSING, healthy.message)]
    if healthy.reason is not None and (healthy.stuck or healthy.reason is Reason.DEADLINE_EXCEEDED):
        return [Condition(Type.STALLED, State.TRUE, healthy.reason, healthy.message)]
    return []


def _ready(plan: Plan, healthy: Health, found: Iterable[Condition]) -> Condition:
    for condition in found:
        if condition.type in (Type.STALLED, Type.RECONCILING):
            return Condition(Type.READY, State.FALSE, condition.reason, condition.message)
    if plan.drift is Drift.UNKNOWN:
        return Condition(Type.READY, State.UNKNOWN, _unknown(plan))
    if plan.drift is not Drift.IN_SYNC:
        hold = next(iter(plan.holds), None)
        return Condition(Type.READY, State.FALSE, hold.reason if hold else Reason.DRIFTED, hold.message if hold else "")
    if healthy.state is not HealthState.HEALTHY:
        return Condition(Type.READY, State.FALSE, _cause(healthy) or Reason.DEGRADED, healthy.message)
    return Condition(Type.READY, State.TRUE, Reason.IN_SYNC, healthy.message)
