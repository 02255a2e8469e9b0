"""Conditions follow the rules of kstatus, whatever the plan, the health and the error are."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from controller.core.compare import Change
from controller.core.diagnostics import Span
from controller.core.live import LiveService
from controller.core.plan import Drift, Hold, Plan, ScaleToZero
from controller.core.status import (
    Condition,
    Deadline,
    Health,
    HealthState,
    State,
    Type,
    conditions,
    health,
    invalid,
    is_ready,
    transition,
)
from controller.core.workload import Key
from controller.errors import Ambiguous, ControllerError, Denied, Stalled, Transient, Waiting
from controller.reasons import Reason

KEY = Key("c", "s")
CHANGE = Change(("service", "x"), 1, 2, Span("f", 1, 1), "no restart")
ERRORS: list[ControllerError | None] = [
    None,
    Stalled("s", reason=Reason.REJECTED_BY_ECS),
    Transient("t", reason=Reason.THROTTLED),
    Ambiguous("a", reason=Reason.OUTCOME_UNKNOWN),
    Waiting("w", after=1, reason=Reason.DRAINING),
    Denied("d", reason=Reason.ACCESS_DENIED),
]
PLANS = [
    Plan(KEY, drift, changes=changes, steps=steps, holds=holds)
    for drift, changes, steps, holds in product(
        Drift,
        [(), (CHANGE,)],
        [(), (ScaleToZero(KEY),)],
        [(), *(((Hold(reason, "m", after),)) for reason in Reason for after in (None, 5.0))],
    )
    if (drift is Drift.IN_SYNC) <= (not changes and not steps)
]
HEALTHS = [
    *(Health(state, "m") for state in HealthState),
    Health(HealthState.DEGRADED, "late", Reason.DEADLINE_EXCEEDED),
]


def assert_conforms(found: Any) -> None:
    """Source: kstatus, and Flux's conditions checker."""
    ready = found[Type.READY]
    reconciling, stalled = Type.RECONCILING in found, Type.STALLED in found
    assert not (reconciling and stalled)
    for kind in (Type.RECONCILING, Type.STALLED):
        assert kind not in found or found[kind].status is State.TRUE, "present only while true"
    if ready.status is State.TRUE:
        assert not reconciling
        assert not stalled
        assert found[Type.IN_SYNC].status is State.TRUE
        assert found[Type.HEALTHY].status is State.TRUE
    if reconciling or stalled:
        assert ready.status is State.FALSE
    assert all(condition.reason in Reason for condition in found.values())
    assert all(kind is condition.type for kind, condition in found.items())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_combination_conforms(error: ControllerError | None) -> None:
    for planned, doing in product(PLANS, HEALTHS):
        assert_conforms(conditions(planned, doing, error))


def test_ready_is_in_sync_and_healthy() -> None:
    well = Health(HealthState.HEALTHY, "")
    assert is_ready(conditions(Plan(KEY, Drift.IN_SYNC), well))
    assert not is_ready(conditions(Plan(KEY, Drift.IN_SYNC), Health(HealthState.DEGRADED, "")))
    assert not is_ready(conditions(Plan(KEY, Drift.DRIFTED, steps=(ScaleToZero(KEY),)), well))
    assert not is_ready({})


def test_an_invalid_document_is_stalled() -> None:
    found = invalid(["a", "b"])
    assert found[Type.SPEC_VALID].status is State.FALSE
    assert found[Type.STALLED].message == "a (and 1 more)"
    assert not is_ready(found)


def test_the_transition_time_moves_with_the_status_only() -> None:
    then, now = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    old = {Type.READY: Condition(Type.READY, State.FALSE, Reason.DRIFTED, "x", then)}
    same = transition(old, {Type.READY: Condition(Type.READY, State.FALSE, Reason.DEGRADED, "y")}, now)
    assert (same[Type.READY].last_transition, same[Type.READY].message) == (then, "y")
    turned = transition(old, {Type.READY: Condition(Type.READY, State.TRUE, Reason.IN_SYNC)}, now)
    assert turned[Type.READY].last_transition == now
    assert transition({}, turned, now + timedelta(1))[Type.READY].last_transition == now + timedelta(1)


def deployments(*states: str) -> list[dict[str, str]]:
    statuses = ["PRIMARY", *["ACTIVE"] * (len(states) - 1)]
    return [{"status": status, "rolloutState": state} for status, state in zip(statuses, states, strict=True)]


@pytest.mark.parametrize(
    ("wire", "state"),
    [
        ({"desiredCount": 2, "runningCount": 2, "deployments": deployments("COMPLETED")}, HealthState.HEALTHY),
        ({"desiredCount": 2, "runningCount": 2, "deployments": [{"status": "PRIMARY"}]}, HealthState.HEALTHY),
        ({"desiredCount": 0, "runningCount": 0, "deployments": deployments("COMPLETED")}, HealthState.HEALTHY),
        ({"desiredCount": 2, "runningCount": 1, "deployments": deployments("COMPLETED")}, HealthState.DEGRADED),
        ({"desiredCount": 0, "runningCount": 1, "deployments": deployments("COMPLETED")}, HealthState.PROGRESSING),
        (
            {"desiredCount": 2, "runningCount": 2, "pendingCount": 1, "deployments": deployments("COMPLETED")},
            HealthState.PROGRESSING,
        ),
        ({"desiredCount": 2, "runningCount": 2, "deployments": deployments("IN_PROGRESS")}, HealthState.PROGRESSING),
        (
            {"desiredCount": 2, "runningCount": 2, "deployments": deployments("COMPLETED", "FAILED")},
            HealthState.PROGRESSING,
        ),
        ({"desiredCount": 2, "runningCount": 0, "deployments": deployments("FAILED")}, HealthState.DEGRADED),
        ({"status": "DRAINING", "runningCount": 2}, HealthState.PROGRESSING),
        (
            {"desiredCount": 2, "runningCount": 1, "pendingCount": 1, "deployments": deployments("COMPLETED")},
            HealthState.PROGRESSING,
        ),
    ],
)
def test_health_by_deployments(wire: dict[str, Any], state: HealthState) -> None:
    assert health(LiveService(wire)).state is state


def test_what_does_not_exist_is_missing() -> None:
    assert health(None).state is HealthState.MISSING


START = datetime(2026, 12, 1, tzinfo=UTC)
PLACEMENT = "was unable to place a task because no container instance met all of its requirements."


def rolling_out(*events: tuple[float, str], failed: int = 0) -> LiveService:
    """A service whose deployment began at START; events by their seconds after it, newest first."""
    began = START.timestamp()
    primary = {"status": "PRIMARY", "rolloutState": "IN_PROGRESS", "createdAt": began, "failedTasks": failed}
    told = [{"createdAt": began + at, "message": f"(service bert) {message}"} for at, message in events]
    return LiveService({
        "serviceName": "bert", "desiredCount": 4, "runningCount": 1, "pendingCount": 0, "deployments": [primary],
        "events": told,
    })  # fmt: skip


def test_a_rollout_says_how_far_it_is_and_what_keeps_it() -> None:
    assert health(rolling_out()).message == "deployment in progress, 1 of 4 tasks run"
    found = health(rolling_out((9, "has started 1 tasks: (task x)."), (8, PLACEMENT), failed=2))
    assert found.state is HealthState.PROGRESSING
    assert found.message == f"deployment in progress, 1 of 4 tasks run, 2 failed: {PLACEMENT.rstrip('.')}"


def test_the_trouble_of_an_earlier_deployment_is_not_this_ones() -> None:
    assert health(rolling_out((-1, PLACEMENT))).message == "deployment in progress, 1 of 4 tasks run"


def test_a_rollout_that_is_not_done_by_its_deadline_is_degraded_and_says_why() -> None:
    live = rolling_out((8, PLACEMENT))
    in_time = health(live, Deadline(START + timedelta(seconds=900), 900.0))
    assert (in_time.state, in_time.reason) == (HealthState.PROGRESSING, None)
    late = health(live, Deadline(START + timedelta(seconds=901), 900.0))
    assert (late.state, late.reason) == (HealthState.DEGRADED, Reason.DEADLINE_EXCEEDED)
    assert late.message == f"deployment not done after 901 s, 1 of 4 tasks run: {PLACEMENT.rstrip('.')}"
    found = conditions(Plan(KEY, Drift.IN_SYNC), late)
    assert_conforms(found)
    assert {kind: found[kind].reason for kind in (Type.READY, Type.HEALTHY, Type.STALLED)} == dict.fromkeys(
        (Type.READY, Type.HEALTHY, Type.STALLED), Reason.DEADLINE_EXCEEDED
    )


def test_a_service_that_drains_or_is_done_has_no_deadline() -> None:
    late = Deadline(START + timedelta(days=1), 1.0)
    done = {"desiredCount": 1, "runningCount": 1, "deployments": [{"status": "PRIMARY", "createdAt": 1.0}]}
    assert health(LiveService(done), late).state is HealthState.HEALTHY
    assert health(LiveService({"status": "DRAINING"}), late).state is HealthState.PROGRESSING


def test_the_newest_trouble_is_told_and_calm_events_are_not() -> None:
    events = [
        (5, "has reached a steady state."), (4, "deployment failed: tasks failed to start."), (3, PLACEMENT),
    ]  # fmt: skip
    assert rolling_out(*events).trouble == "deployment failed: tasks failed to start"
    calm = ["has reached a steady state.", "has started 2 tasks: (task x) (task y).", "deployment completed."]
    assert rolling_out(*((float(at), message) for at, message in enumerate(calm))).trouble is None


@pytest.mark.parametrize(("running", "told"), [(1, "draining, 1 task still runs"), (2, "draining, 2 tasks still run")])
def test_one_task_is_no_plural(running: int, told: str) -> None:
    live = LiveService({"serviceName": "s", "serviceArn": "a", "status": "DRAINING", "runningCount": running})
    assert health(live).message == told


def test_a_plan_that_a_dry_run_only_shows_does_not_say_that_it_is_being_carried_out() -> None:
    found = conditions(Plan(KEY, Drift.DRIFTED, steps=(ScaleToZero(KEY),)), Health(HealthState.HEALTHY, ""))
    assert found[Type.RECONCILING].message == "changes are to be applied"
