"""When a schedule is due, daylight saving included."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.jobs.schedule import Cron, ScheduleError

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(schedule: str, start: str, count: int, zone=UTC) -> list[str]:
    found, moment = [], at(start)
    for _ in range(count):
        moment = Cron.read(schedule).after(moment, zone)
        found.append(moment.strftime("%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("schedule", "times"),
    [
        ("*/20 * * * *", ["11-25 06:20", "11-25 06:40", "11-25 07:00"]),
        ("0 3 * * *", ["11-26 03:00", "11-27 03:00", "11-28 03:00"]),
        ("@weekly", ["11-29 00:00", "12-06 00:00", "12-13 00:00"]),
        ("0 3 * * mon-fri", ["11-26 03:00", "11-27 03:00", "11-30 03:00"]),
        ("30 9,17 * * 3", ["11-25 09:30", "11-25 17:30", "12-02 09:30"]),
        ("0 0 31 * *", ["12-31 00:00", "01-31 00:00", "03-31 00:00"]),
        ("0 0 29 2 *", ["02-29 00:00", "02-29 00:00", "02-29 00:00"]),
        ("0 0 1 * sun", ["11-29 00:00", "12-01 00:00", "12-06 00:00"]),  # either is enough
        ("0 0 1-3 jan 7", ["01-01 00:00", "01-02 00:00", "01-03 00:00"]),
        ("5-59/25 6 * * *", ["11-25 06:05", "11-25 06:30", "11-25 06:55"]),
    ],
)
def test_the_next_times(schedule: str, times: list[str]):
    assert due(schedule, "2026-11-25 06:00", 3) == times


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("* * * *", "4 fields"),
        ("60 * * * *", "not within 0 to 59"),
        ("* 24 * * *", "not within 0 to 23"),
        ("x * * * *", "no minute"),
        ("*/0 * * * *", "no step"),
        ("5/10 * * * *", "steps from one value"),
        ("9-5 * * * *", "ends before it begins"),
        ("0 0 31 feb,apr *", "never due"),
        ("@often", "not known"),
        ("٣ * * * *", "no minute"),
        ("", "0 fields"),
    ],
)
def test_what_is_no_schedule(schedule: str, why: str):
    with pytest.raises(ScheduleError, match=why):
        Cron.read(schedule)


def test_a_time_that_the_clock_skips_is_run_later_by_as_much():
    # 2026-03-29 in Berlin: 02:00 becomes 03:00, so 02:30 is 03:30 (01:30 UTC)
    assert due("30 2 * * *", "2026-03-28 00:00", 3, BERLIN) == ["03-28 01:30", "03-29 01:30", "03-30 00:30"]


def test_a_time_that_comes_twice_is_run_once():
    # 2026-10-25 in Berlin: 03:00 becomes 02:00, so 02:30 is 00:30 and 01:30 UTC
    assert due("30 2 * * *", "2026-10-24 12:00", 2, BERLIN) == ["10-25 00:30", "10-26 01:30"]


def test_every_hour_is_every_hour_also_when_the_clock_changes():
    assert due("0 * * * *", "2026-10-24 23:30", 4, BERLIN) == [
        "10-25 00:00",
        "10-25 01:00",
        "10-25 02:00",
        "10-25 03:00",
    ]
    assert due("0 * * * *", "2026-03-29 00:30", 2, BERLIN) == ["03-29 01:00", "03-29 02:00"]


def test_the_last_time_is_the_last_of_several_that_were_missed():
    cron = Cron.read("0 * * * *")
    assert cron.last(at("2026-11-25 06:10"), UTC, after=at("2026-11-25 01:30")) == at("2026-11-25 06:00")
    assert cron.last(at("2026-11-25 06:00"), UTC, after=at("2026-11-25 05:00")) == at("2026-11-25 06:00")
    assert cron.last(at("2026-11-25 06:00"), UTC, after=at("2026-11-25 06:00")) is None


@given(
    st.sampled_from(["*/7 * * * *", "0 2 * * *", "15 1-3 * * sun", "0 */5 1 * *"]),
    st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2027-12-31")),
    st.sampled_from([UTC, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]),
)
def test_what_comes_next_is_the_last_once_it_has_come(schedule, moment, zone):
    cron, moment = Cron.read(schedule), moment.replace(tzinfo=UTC)
    following = cron.after(moment, zone)
    assert following > moment
    assert cron.last(following, zone, after=moment) == following
    assert cron.last(following - timedelta(seconds=1), zone, after=moment) is None
