"""How many services of a cluster roll out at once."""

from controller.core.plan import CreateService, Drift, Plan, TagService, UpdateService
from controller.core.status import Health, HealthState
from controller.core.workload import Key
from controller.reasons import Reason
from controller.reconcile.rollouts import Rollouts, begins_rollout

ROLLING, DONE = Health(HealthState.PROGRESSING, ""), Health(HealthState.HEALTHY, "")


def key(name: str, cluster: str = "c") -> Key:
    return Key(cluster, name)


def update(**members: object) -> UpdateService:
    return UpdateService(key("a"), members)


def test_what_begins_a_rollout() -> None:
    steps = {
        "digest": UpdateService(key("a"), {}, digest="d"),
        "forced": UpdateService(key("a"), {"capacityProviderStrategy": []}, force_new_deployment=True),
        "network": update(networkConfiguration={}),
    }
    assert all(begins_rollout(Plan(key("a"), Drift.DRIFTED, steps=(step,))) for step in steps.values())


def test_what_begins_none() -> None:
    steps = (update(desiredCount=3), TagService(key("a"), {"a": "b"}), CreateService(key("a"), "d", {}))
    assert not any(begins_rollout(Plan(key("a"), Drift.DRIFTED, steps=(step,))) for step in steps)
    assert not begins_rollout(Plan(key("a"), Drift.IN_SYNC))


def test_without_a_limit_everybody_may() -> None:
    rollouts = Rollouts()
    assert all(rollouts.may_begin(key(f"s{number}")) for number in range(1000))
    assert list(rollouts.next()) == []


def test_a_place_is_taken_until_the_service_is_seen_to_be_done() -> None:
    rollouts = Rollouts(2)
    assert [rollouts.may_begin(key(name)) for name in "abc"] == [True, True, False]
    assert rollouts.may_begin(key("a")), "who has a place keeps it"
    rollouts.saw(key("b"), ROLLING)
    assert list(rollouts.next()) == []
    rollouts.saw(key("b"), DONE)
    assert list(rollouts.next()) == [key("c")]
    assert list(rollouts.next()) == []
    assert rollouts.may_begin(key("c"))
    assert not rollouts.may_begin(key("d"))


def test_clusters_do_not_wait_for_each_other() -> None:
    rollouts = Rollouts(1)
    assert [rollouts.may_begin(key("a", cluster)) for cluster in ("x", "y", "x")] == [True, True, True]
    assert not rollouts.may_begin(key("b", "x"))


def test_who_waits_longest_is_next_and_only_as_many_as_there_are_places() -> None:
    rollouts = Rollouts(2)
    for name in "abcde":
        rollouts.may_begin(key(name))
    rollouts.may_begin(key("d"))
    rollouts.saw(key("a"), DONE)
    assert list(rollouts.next()) == [key("c")]
    rollouts.saw(key("b"), DONE)
    assert list(rollouts.next()) == [key("d"), key("e")], "nobody has taken c's place yet"


def test_what_was_seen_to_roll_out_takes_a_place_whoever_began_it() -> None:
    rollouts = Rollouts(1)
    rollouts.saw(key("theirs"), ROLLING)
    assert rollouts.must_wait(key("a"))
    rollouts.saw(key("theirs"), Health(HealthState.DEGRADED, "late", Reason.DEADLINE_EXCEEDED))
    assert not rollouts.must_wait(key("a"))


def test_a_plan_that_waits_keeps_its_changes_and_says_what_for() -> None:
    whole = Plan(key("a"), Drift.DRIFTED, steps=(UpdateService(key("a"), {}, digest="d"),))
    held = Rollouts(3).hold_back(whole)
    assert (held.steps, held.drift) == ((), Drift.BLOCKED)
    (hold,) = held.holds
    assert (hold.reason, hold.after) == (Reason.TOO_MANY_ROLLOUTS, None)
    assert hold.message == "waits until fewer than 3 services of cluster c roll out"
