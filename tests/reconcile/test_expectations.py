"""Reading one's own writes: what is believed, what is too old, and for how long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.core.live import LiveService, Observation, Rollout
from controller.core.workload import Key
from controller.reconcile.expectations import HORIZON, LONGEST_RECHECK, RECHECK, Expectations, Written

KEY = Key("c", "s")
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def service(
    *deployments: tuple[str, float], created: float = 10.0, status: str = "ACTIVE", **members: Any
) -> LiveService:
    """A service with these deployments (id, created), the PRIMARY first."""
    listed = [
        {"id": name, "createdAt": at, "status": "ACTIVE" if number else "PRIMARY"}
        for number, (name, at) in enumerate(deployments)
    ]
    return LiveService({
        "serviceName": "s", "serviceArn": "a", "status": status, "createdAt": created, "deployments": listed, **members,
    })  # fmt: skip


OLD, NEW = {"taskDefinition": "bert:1"}, {"taskDefinition": "bert:2"}
ROLLED_BACK_FROM = (service(("d1", 10.0), **OLD), service(("d2", 20.0), ("d1", 10.0), **NEW))


@pytest.mark.parametrize(
    ("seen", "old"),
    [
        (service(("d1", 10.0), **OLD), True),
        (service(("d2", 20.0), ("d1", 10.0), **NEW), False),
        (service(("d1", 10.0), ("d2", 20.0), **OLD), False),
        (service(("d3", 30.0), ("d2", 20.0), **OLD), False),
    ],
    ids=["before", "after", "being rolled back", "undone by somebody"],
)
def test_a_deployment_that_is_no_longer_the_primary_one_is_no_old_news(seen: LiveService, *, old: bool) -> None:
    """Though the service names the task definition that it named before the write."""
    before, after = ROLLED_BACK_FROM
    assert (patience(before, after, seen, "taskDefinition") is not None) is old


@pytest.mark.parametrize(
    ("status", "target", "old"),
    [
        ("ROLLBACK_SUCCESSFUL", "bert:2", False),
        ("ROLLBACK_IN_PROGRESS", "bert:2", False),
        ("IN_PROGRESS", "bert:2", True),
        ("ROLLBACK_SUCCESSFUL", "bert:0", True),
    ],
)
def test_a_rollback_that_was_over_before_anybody_looked(status: str, target: str, *, old: bool) -> None:
    """The service is exactly as before the write; only the list of its deployments tells that it was another."""
    before, after = ROLLED_BACK_FROM
    expectations = Expectations()
    expectations.expect(KEY, Written(before, after, frozenset({"taskDefinition"})), NOON)
    observation = Observation(service=before, rollout=Rollout("arn", status, target))
    assert (expectations.patience(KEY, observation, NOON + timedelta(seconds=5)) is not None) is old


def tagged(**tags: str) -> dict[str, Any]:
    return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}


def patience(
    before: LiveService | None,
    after: LiveService,
    seen: LiveService | None,
    *members: str,
    age: timedelta = timedelta(seconds=5),
) -> float | None:
    expectations = Expectations()
    expectations.expect(KEY, Written(before, after, frozenset(members)), NOON)
    return expectations.patience(KEY, Observation(service=seen), NOON + age)


CREATED = service(("d1", 10.0))


@pytest.mark.parametrize(
    ("seen", "old"),
    [
        (None, True),
        (service(("d0", 1.0), created=1.0, status="DRAINING"), True),
        (CREATED, False),
        (service(("d2", 20.0), ("d1", 10.0)), False),
        (service(status="DRAINING"), False),
        (service(("d3", 30.0), created=30.0), False),
    ],
    ids=["missing", "the one before", "it", "it, updated by somebody", "deleted by somebody", "made anew by somebody"],
)
def test_after_a_creation(seen: LiveService | None, *, old: bool) -> None:
    assert (patience(None, CREATED, seen) is not None) is old


BEFORE, UPDATED = service(("d1", 10.0)), service(("d2", 20.0), ("d1", 10.0))


@pytest.mark.parametrize(
    ("seen", "old"),
    [
        (BEFORE, True),
        (UPDATED, False),
        (service(("d3", 30.0), ("d2", 20.0)), False),
        (service(("d3", 30.0)), False),
        (service(("d1", 10.0), ("d2", 20.0)), False),
        (None, True),
    ],
    ids=["before", "after", "somebody's next", "somebody's next alone", "rolled back", "missing"],
)
def test_after_an_update_that_begins_a_deployment(seen: LiveService | None, *, old: bool) -> None:
    assert (patience(BEFORE, UPDATED, seen) is not None) is old


@pytest.mark.parametrize(("count", "old"), [(3, True), (1, False), (7, False)])
def test_after_an_update_of_a_member(count: int, *, old: bool) -> None:
    before, after = service(("d", 1.0), desiredCount=3), service(("d", 1.0), desiredCount=1)
    seen = service(("d", 1.0), desiredCount=count)
    assert (patience(before, after, seen, "desiredCount") is not None) is old


def test_a_member_that_was_sent_and_not_changed_says_nothing() -> None:
    before = service(("d", 1.0), desiredCount=1, propagateTags="NONE")
    after = service(("d", 1.0), desiredCount=2, propagateTags="NONE")
    seen = service(("d", 1.0), desiredCount=2, propagateTags="NONE")
    assert patience(before, after, seen, "desiredCount", "propagateTags") is None


def test_a_member_that_ecs_does_not_answer_says_nothing() -> None:
    one = service(("d", 1.0))
    assert patience(one, one, one, "monitoring") is None


def test_after_tagging_whatever_the_order_of_tags() -> None:
    before, after = service(("d", 1.0), **tagged(a="1", b="2")), service(("d", 1.0), **tagged(a="1", b="3"))
    assert patience(before, after, service(("d", 1.0), **tagged(b="2", a="1")), "tags") is not None
    assert patience(before, after, service(("d", 1.0), **tagged(b="3", a="1")), "tags") is None


@pytest.mark.parametrize(
    ("seen", "old"),
    [
        (service(("d", 1.0), created=10.0), True),
        (service(status="DRAINING", created=10.0), False),
        (None, False),
        (service(("d", 50.0), created=50.0), False),
    ],
    ids=["still there", "draining", "gone", "made anew"],
)
def test_after_a_deletion(seen: LiveService | None, *, old: bool) -> None:
    assert (patience(CREATED, service(status="DRAINING", created=10.0), seen) is not None) is old


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, RECHECK), (1, RECHECK), (7, 7.0), (60, LONGEST_RECHECK), (119, LONGEST_RECHECK)]
)
def test_patience_grows_with_the_age_of_the_write(seconds: int, expected: float) -> None:
    assert patience(None, CREATED, None, age=timedelta(seconds=seconds)) == expected


def test_after_two_minutes_reality_is_believed() -> None:
    assert patience(None, CREATED, None, age=HORIZON) is None


def test_what_was_believed_once_is_no_longer_asked_for() -> None:
    expectations = Expectations()
    expectations.expect(KEY, Written(None, CREATED), NOON)
    assert expectations.patience(KEY, Observation(service=CREATED), NOON) is None
    assert len(expectations) == 0


def test_keys_do_not_know_each_other_and_old_ones_are_forgotten() -> None:
    expectations = Expectations()
    expectations.expect(KEY, Written(None, CREATED), NOON)
    other = Key("c", "other")
    assert expectations.patience(other, Observation(), NOON) is None
    expectations.expect(other, Written(None, CREATED), NOON + HORIZON)
    assert len(expectations) == 1


@pytest.mark.parametrize(
    ("seconds", "old"), [(-1, True), (0, True), (1, False)], ids=["before", "same second", "later"]
)
def test_who_writes_after_us_may_have_brought_the_former_value_back(seconds: int, *, old: bool) -> None:
    """CloudTrail cuts its times off to the second, so one of our own second may have been before us."""
    before, after = service(("d1", 10.0), desiredCount=1), service(("d1", 10.0), desiredCount=2)
    expectations = Expectations()
    expectations.expect(KEY, Written(before, after, frozenset({"desiredCount"})), NOON)
    expectations.overtaken(KEY, NOON + timedelta(seconds=seconds))
    assert (expectations.patience(KEY, Observation(service=before), NOON + timedelta(seconds=5)) is not None) is old
