"""Nothing is deleted that should not be: every guard from both sides."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.core.live import LiveService
from controller.core.plan import DeleteService, Plan, ScaleToZero, TagService
from controller.core.prune import Limits, Pass, SourceHealth, orphans_of, plan_orphan, plan_orphans
from controller.core.workload import Key
from controller.reasons import Reason

HEALTHY = SourceHealth(complete=True, workloads=3, revision="r2")
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def service(
    name: str, *, desired: int = 1, status: str = "ACTIVE", owner: str | None = "me", **tags: str
) -> LiveService:
    owned = {"dl1.ecs/owner": owner} if owner else {}
    pairs = [{"key": key, "value": value} for key, value in {**owned, **tags}.items()]
    return LiveService({
        "serviceName": name, "serviceArn": f"a/{name}", "status": status, "desiredCount": desired, "tags": pairs,
    })  # fmt: skip


def orphans(*services: LiveService) -> dict[Key, LiveService]:
    return {Key("c", one.name): one for one in services}


def test_scale_down_then_delete() -> None:
    (planned,) = plan_orphans(orphans(service("a", desired=2)), owned=1, source=HEALTHY)
    assert planned.steps == (ScaleToZero(planned.key), DeleteService(planned.key))


def test_what_is_scaled_down_is_deleted() -> None:
    (planned,) = plan_orphans(orphans(service("a", desired=0)), owned=1, source=HEALTHY)
    assert planned.steps == (DeleteService(planned.key),)


@pytest.mark.parametrize(
    "source", [SourceHealth(complete=False, workloads=3), SourceHealth(complete=True, workloads=0)]
)
def test_a_doubtful_source_deletes_nothing(source: SourceHealth) -> None:
    (planned,) = plan_orphans(orphans(service("a")), owned=1, source=source)
    assert planned.steps == ()
    assert [hold.reason for hold in planned.holds] == [Reason.DELETE_HELD]


def test_a_source_that_cannot_be_read_deletes_nothing() -> None:
    source = SourceHealth(complete=True, workloads=3, stale="no route to host")
    (planned,) = plan_orphans(orphans(service("a")), owned=1, source=source)
    assert planned.steps == ()
    assert [(hold.reason, hold.message) for hold in planned.holds] == [
        (Reason.SOURCE_STALE, "nothing is deleted while the source cannot be read (no route to host)")
    ]


def many(count: int) -> dict[Key, LiveService]:
    return orphans(*(service(f"s{number:02}") for number in range(count)))


def begun(plans: tuple[Plan, ...]) -> int:
    return sum(bool(planned.steps) for planned in plans)


@pytest.mark.parametrize(
    ("owned", "gone", "deleted"), [(1, 1, 1), (9, 4, 1), (10, 5, 1), (19, 5, 1), (20, 5, 2), (100, 5, 5), (100, 50, 10)]
)
def test_a_pass_deletes_at_most_a_tenth_and_at_least_one(owned: int, gone: int, deleted: int) -> None:
    plans = plan_orphans(many(gone), owned=owned, source=HEALTHY, so_far=Pass(ends=60.0))
    assert begun(plans) == deleted
    holds = [planned.holds for planned in plans if not planned.steps]
    assert all([(hold.reason, hold.after) for hold in one] == [(Reason.DELETE_HELD, 60.0)] for one in holds)


@pytest.mark.parametrize(("share", "deleted"), [(0, 0), (1, 1), (20, 4), (100, 8)])
def test_the_share_is_a_setting(share: int, deleted: int) -> None:
    assert begun(plan_orphans(many(8), owned=20, source=HEALTHY, limits=Limits(share=share))) == deleted


def test_what_a_pass_has_begun_counts_and_goes_on() -> None:
    first = frozenset({Key("c", "s03"), Key("c", "s04")})
    plans = plan_orphans(many(6), owned=20, source=HEALTHY, so_far=Pass(begun=first))
    assert {planned.key for planned in plans if planned.steps} == first
    gone = frozenset({Key("c", "deleted")})
    assert begun(plan_orphans(many(6), owned=20, source=HEALTHY, so_far=Pass(begun=gone))) == 1


@pytest.mark.parametrize(
    ("owned", "gone", "held"), [(1, 1, False), (2, 1, False), (2, 2, True), (3, 2, True), (4, 2, False), (4, 3, True),
    (100, 50, False), (100, 51, True)],
)  # fmt: skip
def test_a_revision_that_loses_more_than_half_the_fleet_waits_for_a_word(owned: int, gone: int, *, held: bool) -> None:
    plans = plan_orphans(many(gone), owned=owned, source=HEALTHY)
    assert (begun(plans) == 0) is held
    if held:
        assert {hold.reason for planned in plans for hold in planned.holds} == {Reason.DELETE_HELD}
        message = f"r2 no longer names {gone} of the {owned} owned services"
        assert plans[0].holds[0].message.startswith(message)
        assert "CONTROLLER_CONFIRM_DELETIONS=r2" in plans[0].holds[0].message
        assert plans[0].holds[0].after is None, "time alone does not lift it"


def test_the_word_holds_for_the_revision_that_it_names_only() -> None:
    assert begun(plan_orphans(many(9), owned=10, source=HEALTHY, limits=Limits(confirmed="r2"))) == 1
    assert begun(plan_orphans(many(9), owned=10, source=HEALTHY, limits=Limits(confirmed="r1"))) == 0
    assert begun(plan_orphans(many(9), owned=10, source=HEALTHY, limits=Limits(shrink=90))) == 1
    nameless = SourceHealth(complete=True, workloads=3)
    assert begun(plan_orphans(many(9), owned=10, source=nameless, limits=Limits(confirmed=""))) == 0


def test_a_held_shrink_lets_go_of_nothing_either() -> None:
    fleet = orphans(*(service(f"s{number}", **{"dl1.ecs/on-delete": "orphan"}) for number in range(9)))
    assert begun(plan_orphans(fleet, owned=10, source=HEALTHY)) == 0


def test_what_drains_already_is_no_loss_of_this_revision() -> None:
    fleet = orphans(*(service(f"s{n}", status="DRAINING") for n in range(6)), service("x"))
    plans = plan_orphans(fleet, owned=10, source=HEALTHY)
    assert [planned.key.name for planned in plans if planned.steps] == ["x"]


def test_a_revision_is_believed_once_it_has_stood() -> None:
    young = SourceHealth(complete=True, workloads=3, young=4.0)
    (held,) = plan_orphans(many(1), owned=10, source=young)
    assert (held.steps, [(hold.reason, hold.after) for hold in held.holds]) == ((), [(Reason.DELETE_HELD, 4.0)])
    assert begun(plan_orphans(many(1), owned=10, source=SourceHealth(complete=True, workloads=3, young=0.0))) == 1


@pytest.mark.parametrize(
    ("until", "deleted"),
    [
        ((NOON + timedelta(hours=1)).isoformat(), False),
        (NOON.isoformat(), True),
        ("2026-12-01T13:00:00", False),  # without a zone: UTC
        ("2026-12-01T11:00:00", True),
        ("next week", False),
    ],
)
def test_a_suspension_outlives_its_spec(until: str, *, deleted: bool) -> None:
    one = service("a", **{"dl1.ecs/suspended-until": until})
    (planned,) = plan_orphans(orphans(one), owned=1, source=HEALTHY, now=NOON)
    assert bool(planned.steps) is deleted
    if not deleted:
        assert [hold.reason for hold in planned.holds] == [Reason.SUSPENDED]


@pytest.mark.parametrize(
    "more",
    [
        {"tags": [{"key": "aws:cloudformation:stack-name", "value": "stack"}]},
        {"deploymentController": {"type": "CODE_DEPLOY"}},
        {"resourceManagementType": "ECS"},
    ],
)
def test_what_somebody_else_has_taken_over_stays(more: dict[str, object]) -> None:
    planned = plan_orphan(Key("c", "a"), LiveService({**service("a").wire, **more}), source=HEALTHY)
    assert (planned.steps, [hold.reason for hold in planned.holds]) == ((), [Reason.FOREIGN_CONTROLLER])


def test_a_draining_service_is_left_alone_and_costs_no_allowance() -> None:
    gone, next_one = plan_orphans(orphans(service("a", status="DRAINING"), service("b")), owned=2, source=HEALTHY)
    assert (gone.steps, bool(next_one.steps)) == ((), True)


def test_on_delete_orphan_lets_go_and_keeps_foreign_tags() -> None:
    one = service("a", **{"dl1.ecs/on-delete": "orphan", "dl1.ecs/digest": "d", "team": "nlp"})
    (planned,) = plan_orphans(orphans(one), owned=1, source=HEALTHY)
    assert planned.steps == (TagService(planned.key, remove=("dl1.ecs/digest", "dl1.ecs/on-delete", "dl1.ecs/owner")),)
    (held,) = plan_orphans(orphans(one), owned=1, source=SourceHealth(complete=False, workloads=1))
    assert held.steps == ()


def test_only_what_carries_our_tag_and_has_no_spec_is_an_orphan() -> None:
    services = [
        service("kept"), service("gone"), service("theirs", owner="other"), service("nobodys", owner=None),
    ]  # fmt: skip
    found = orphans_of(services, cluster="c", target=None, owner="me", wanted=[Key("c", "kept")])
    assert list(found) == [Key("c", "gone")]
