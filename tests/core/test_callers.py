"""Who is named for a drift, and who is not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.callers import SERVICES, WRITES, Caller, Callers, Write
from controller.core.workload import Key

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
BERT, GPT = Key("train", "bert"), Key("train", "gpt")


def write(who: str, second: int, *members: str, key: Key = BERT, any_member: bool = False) -> Write:
    caller = Caller(who, "UpdateService", NOON + timedelta(seconds=second), f"{who}-{second}")
    return Write(key, caller, None if any_member else frozenset(members))


def remembered(*writes: Write) -> Callers:
    callers = Callers()
    for one in writes:
        callers = callers.remember(one)
    return callers


def who(callers: Callers, since: int, member: str | None = None, key: Key = BERT) -> str | None:
    found = callers.caller_of(key, NOON + timedelta(seconds=since), member)
    return found.who if found else None


def test_the_last_one_who_wrote():
    callers = remembered(write("alice", 1, "desiredCount"), write("bob", 2, "desiredCount"))
    assert who(callers, 0) == "bob"
    assert who(callers, 0, key=GPT) is None


def test_records_come_in_any_order():
    callers = remembered(write("bob", 2, "desiredCount"), write("alice", 1, "desiredCount"))
    assert who(callers, 0) == "bob"


def test_only_who_wrote_since_then():
    callers = remembered(write("alice", 10, "desiredCount"))
    assert who(callers, 10) == "alice"
    assert who(callers, 11) is None


def test_times_of_cloudtrail_are_whole_seconds():
    """What happened at 12:00:10.9 is told as 12:00:10."""
    callers = remembered(write("alice", 10, "desiredCount"))
    assert callers.caller_of(BERT, NOON + timedelta(seconds=10.5)) is not None


def test_only_who_wrote_that_member():
    callers = remembered(write("alice", 1, "desiredCount"), write("bob", 2, "tags"))
    assert who(callers, 0, "desiredCount") == "alice"
    assert who(callers, 0, "tags") == "bob"
    assert who(callers, 0, "placementConstraints") is None


def test_a_write_of_everything_is_one_of_each_member():
    callers = remembered(write("alice", 1, "desiredCount"), write("bob", 2, any_member=True))
    assert who(callers, 0, "desiredCount") == "bob"


def test_a_record_that_comes_twice_is_one():
    one = write("alice", 1, "desiredCount")
    callers = remembered(one)
    assert callers.remember(one) is callers


def test_of_one_service_the_newest_are_kept():
    callers = remembered(*(write("alice", second, "desiredCount") for second in range(WRITES + 5)))
    assert len(callers.writes[BERT]) == WRITES
    assert callers.writes[BERT][0].caller.at == NOON + timedelta(seconds=5)
    late = callers.remember(write("late", 0, "desiredCount"))
    assert [one.caller.who for one in late.writes[BERT]] == ["alice"] * WRITES


def test_services_that_were_written_to_longest_ago_are_forgotten():
    callers = remembered(*(write("a", 0, key=Key("train", f"s{number}")) for number in range(SERVICES)))
    callers = callers.remember(write("b", 1, key=Key("train", "s0"))).remember(write("a", 0, key=GPT))
    assert len(callers.writes) == SERVICES
    assert Key("train", "s0") in callers.writes
    assert Key("train", "s1") not in callers.writes


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["desiredCount", "tags"])), max_size=WRITES))
def test_it_is_the_newest_write_of_the_member(writes):
    made = [write(f"w{number}", second, member) for number, (second, member) in enumerate(writes)]
    callers = remembered(*made)
    for since in (0, 10, 31):
        fits = [
            one for one in made if "tags" in (one.members or ()) and one.caller.at >= NOON + timedelta(seconds=since)
        ]
        found = callers.caller_of(BERT, NOON + timedelta(seconds=since), "tags")
        assert (found is None) == (not fits)
        if found is not None:
            assert found.at == max(one.caller.at for one in fits)


def test_nothing_is_remembered_at_first():
    assert Callers().caller_of(BERT, NOON) is None
    with pytest.raises(AttributeError):
        Callers().writes = {}  # type: ignore[misc]
