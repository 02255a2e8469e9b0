"""Troubles are told at their edges, once, in pairs; what flaps, hides or is started again is not told again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.notify import (
    RECOVERED,
    SETTLED,
    SEVERITY,
    Kind,
    Severity,
    Trouble,
    Turn,
    adopted,
    advance,
    from_facts,
    to_facts,
    trouble_of,
)
from controller.core.pass_report import WorkloadReport
from controller.core.plan import Drift, Hold, Plan, UpdateService
from controller.core.status import Health, HealthState, conditions, invalid
from controller.core.workload import Key
from controller.errors import Stalled, Transient
from controller.reasons import Reason

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
STALLED = Trouble(Kind.STALLED, "RolledBack", "ECS gave up")
DRIFTED = Trouble(Kind.DRIFTED, "Drifted", "1 field differs")

troubles = st.sampled_from(
    [None, STALLED, DRIFTED, Trouble(Kind.STALLED, "NotOwned"), Trouble(Kind.DEGRADED, "Degraded")]
)
looks = st.lists(
    st.tuples(
        st.integers(0, 200_000), st.dictionaries(st.sampled_from("ab"), troubles), st.frozensets(st.sampled_from("ab"))
    ),
    max_size=30,
)


def play(looks, *, memory=None):
    """Messages of looks that are so many seconds apart, and what is remembered at the end."""
    now, memory, told = NOON, memory or {}, []
    for seconds, seen, gone in looks:
        now += timedelta(seconds=seconds)
        memory, messages = advance(memory, seen, gone - seen.keys(), now, remind=DAY)
        assert len({one.subject for one in messages}) == len(messages), "told twice in one pass"
        told.append(messages)
    return told, memory, now


def turns(*looks):
    told, _, _ = play([(seconds, {"a": trouble}, frozenset()) for seconds, trouble in looks])
    return [str(one.turn) for messages in told for one in messages]


def test_every_kind_has_its_rows():
    assert set(SEVERITY) == set(SETTLED) == set(Kind)
    assert max(SEVERITY.values()) is Severity.ERROR


def test_a_trouble_and_its_end():
    assert turns((0, STALLED), (5, STALLED), (5, None), (60, None), (5, None)) == ["began", "recovered"]


def test_what_passes_by_itself_is_no_news():
    assert turns((0, DRIFTED), (299, DRIFTED), (1, None), (300, None)) == []
    assert turns((0, DRIFTED), (300, DRIFTED)) == ["began"]


def test_what_flaps_is_told_once():
    assert turns((0, STALLED), *[(10, None), (10, STALLED)] * 50) == ["began"]


def test_one_trouble_becomes_another():
    assert turns((0, STALLED), (5, Trouble(Kind.STALLED, "NotOwned")), (5, None), (60, None)) == [
        "began",
        "changed",
        "recovered",
    ]


def test_what_stays_is_told_each_day():
    assert turns((0, STALLED), *[(3600, STALLED)] * 49) == ["began", "still", "still"]


def test_another_message_is_no_news():
    assert turns((0, STALLED), (5, Trouble(Kind.STALLED, "RolledBack", "after 300 s"))) == ["began"]


def test_what_is_out_of_sight_has_not_recovered():
    told, memory, _ = play(
        [(0, {"a": STALLED}, frozenset()), (9999, {}, frozenset()), (5, {"a": STALLED}, frozenset())]
    )
    assert [len(messages) for messages in told] == [1, 0, 0]
    assert memory["a"].told == STALLED


def test_what_is_gone_has_ended():
    told, memory, _ = play([(0, {"a": STALLED}, frozenset()), (5, {}, frozenset("a")), (60, {}, frozenset("a"))])
    assert [one.turn for one in told[2]] == [Turn.RECOVERED]
    assert memory == {}


@given(looks)
def test_the_laws(looks):
    """Of each subject: began first, nothing between a recovery and the next beginning, each edge once."""
    told, memory, _ = play(looks)
    state = {}
    for messages in told:
        for one in messages:
            before = state.get(one.subject)
            match one.turn:
                case Turn.BEGAN:
                    assert before is None
                case Turn.CHANGED:
                    assert before not in (None, one.trouble)
                case Turn.STILL | Turn.RECOVERED:
                    assert before == one.trouble
            state[one.subject] = None if one.turn is Turn.RECOVERED else one.trouble
    assert {subject: one.told for subject, one in memory.items() if one.told} == {
        subject: trouble for subject, trouble in state.items() if trouble
    }


@given(looks, st.dictionaries(st.sampled_from("ab"), troubles))
def test_the_same_again_says_nothing(looks, seen):
    _, memory, now = play(looks)
    memory, _ = advance(memory, seen, frozenset(), now, remind=DAY)
    assert advance(memory, seen, frozenset(), now, remind=DAY) == (memory, [])


@given(looks)
def test_every_trouble_that_ends_is_told_to_have_ended(looks):
    told, _, _ = play([*looks, (0, {"a": None, "b": None}, frozenset()), (60, {"a": None, "b": None}, frozenset())])
    counts = {turn: sum(one.turn is turn for messages in told for one in messages) for turn in Turn}
    assert counts[Turn.BEGAN] == counts[Turn.RECOVERED]


@given(looks)
def test_a_restart_repeats_nothing(looks):
    _, memory, now = play(looks)
    again = from_facts(to_facts(memory), now)
    seen = {subject: one.told for subject, one in memory.items() if one.told}
    _, messages = advance(again, seen, frozenset(), now, remind=DAY)
    assert [one for one in messages if one.turn is not Turn.STILL] == []


def test_without_a_memory_what_is_there_is_taken_for_told():
    memory = adopted({"a": STALLED, "b": None}, NOON)
    assert advance(memory, {"a": STALLED}, frozenset(), NOON, remind=DAY)[1] == []
    _, (message,) = advance(memory, {"a": STALLED}, frozenset(), NOON + DAY, remind=DAY)
    assert (message.turn, message.since) == (Turn.STILL, NOON)


@pytest.mark.parametrize(
    "facts", [{"a": 1}, {"a": ["x", "y", "z", "w"]}, {"a": ["Stalled", "x", "2026-11-25", "2026-11-25"]}]
)
def test_a_foreign_journal_is_no_memory(facts):
    assert from_facts(facts, NOON) == {}


# What is wrong with a workload
# --------------------------------------------------------------------------------------------------------------------

KEY = Key("train", "bert")
HEALTHY = Health(HealthState.HEALTHY, "4 of 4 tasks run")
UPDATE = (UpdateService(KEY, {"desiredCount": 4}),)


def workload(drift=Drift.IN_SYNC, health=HEALTHY, error=None, last_good=False, **plan):
    planned = Plan(KEY, drift, **plan)
    found = invalid(["no"]) if drift is Drift.INVALID else conditions(planned, health, error)
    return WorkloadReport(KEY, planned, found, health, error=error, last_good=last_good)


@pytest.mark.parametrize(
    ("one", "kind", "reason"),
    [
        (workload(), None, None),
        (workload(health=Health(HealthState.PROGRESSING, "3 of 4")), None, None),
        (workload(Drift.DRIFTED, steps=UPDATE), Kind.DRIFTED, "Drifted"),
        (workload(Drift.MISSING, Health(HealthState.MISSING, "none"), steps=UPDATE), Kind.DRIFTED, "Drifted"),
        (workload(Drift.BLOCKED, holds=(Hold(Reason.NOT_OWNED, "no"),)), Kind.STALLED, "NotOwned"),
        (
            workload(Drift.BLOCKED, holds=(Hold(Reason.DEPENDENCY_NOT_READY, "waits", after=5),)),
            Kind.BLOCKED,
            "DependencyNotReady",
        ),
        (workload(Drift.BLOCKED, holds=(Hold(Reason.SUSPENDED, "kim"),)), Kind.SUSPENDED, "Suspended"),
        (workload(health=Health(HealthState.DEGRADED, "down")), Kind.DEGRADED, "Degraded"),
        (workload(Drift.DRIFTED, error=Transient("x", reason=Reason.THROTTLED)), Kind.FAILING, "Throttled"),
        (workload(Drift.DRIFTED, error=Stalled("x", reason=Reason.REJECTED_BY_ECS)), Kind.STALLED, "RejectedByEcs"),
        (workload(last_good=True), Kind.INVALID, "InvalidSpec"),
        (workload(Drift.INVALID), Kind.INVALID, "InvalidSpec"),
    ],
)
def test_the_trouble_of_a_workload(one, kind, reason):
    seen, trouble = trouble_of(one)
    assert seen
    assert (trouble.kind, trouble.reason) == (kind, reason) if trouble else kind is None


def test_a_workload_that_was_not_observed_is_out_of_sight():
    assert trouble_of(workload(Drift.UNKNOWN, Health(HealthState.UNKNOWN, "?"), Transient("gone"))) == (False, None)
    assert timedelta(0) < RECOVERED
