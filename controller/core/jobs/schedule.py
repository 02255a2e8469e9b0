"""When a schedule is due: five fields as in cron, in a time zone that is handed in.

Strict: what vixie-cron, Kubernetes and people may read in two ways is refused. Where day of month and day of week are
both given, either one is enough, as in every cron. Daylight saving: a time that the clock skips is run later by as much
as the clock jumps; a time that comes twice is run once, the first time, but where the hour is `*` (or `*/n`) each of
its hours counts. Source: crontab(5), Kubernetes CronJob. Pure: the time zone is data that the caller has read.
Neighbours: `plan` asks which time is due, `rules` refuses what is no schedule.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

_SHORTHANDS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS: Final = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_LONGEST_MONTH: Final = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_HORIZON: Final = 366 * 9
"""Days in which every schedule is due at least once: between two 29ths of February lie at most eight years."""


class ScheduleError(ValueError):
    """A text is no schedule."""


@dataclass(frozen=True, slots=True)
class _Field:
    """What one of the five may be."""

    name: str
    least: int
    most: int
    names: dict[str, int]

    def read(self, text: str) -> tuple[frozenset[int], bool]:
        """Its values, and whether it begins with `*`."""
        values: set[int] = set()
        for part in text.split(","):
            values |= self._part(part)
        return frozenset(values), text.startswith("*")

    def _part(self, text: str) -> set[int]:
        span, slash, step_text = text.partition("/")
        step = self._whole(step_text, text) if slash else 1
        if step < 1:
            raise ScheduleError(f"`{text}` of the {self.name} has no step")
        if span == "*":
            first, last = self.least, self.most
        else:
            begin, dash, end = span.partition("-")
            first = self._value(begin, text)
            if slash and not dash:
                raise ScheduleError(
                    f"`{text}` of the {self.name} steps from one value; write {first}-{self.most}/{step}"
                )
            last = self._value(end, text) if dash else first
        if first > last:
            raise ScheduleError(f"`{text}` of the {self.name} ends before it begins")
        return set(range(first, last + 1, step))

    def _value(self, word: str, text: str) -> int:
        value = self.names[word.lower()] if word.lower() in self.names else self._whole(word, text)
        if not self.least <= value <= self.most:
            raise ScheduleError(f"`{text}` of the {self.name} is not within {self.least} to {self.most}")
        return value

    def _whole(self, word: str, text: str) -> int:
        if not (word.isascii() and word.isdigit()):
            raise ScheduleError(f"`{text}` is no {self.name}")
        return int(word)


_FIELDS: Final = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule that was read."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    every_hour: bool
    """Whether the hours begin with `*`."""
    any_day: bool
    any_weekday: bool

    @classmethod
    def read(cls, text: str) -> "Cron":
        """A schedule as it is written.

        Raises:
            ScheduleError: it is none, or it is never due.
        """
        words = _SHORTHANDS.get(text.strip().lower(), text).split()
        if text.strip().startswith("@") and text.strip().lower() not in _SHORTHANDS:
            raise ScheduleError(f"`{text}` is not known; there are {', '.join(_SHORTHANDS)}")
        if len(words) != len(_FIELDS):
            raise ScheduleError(f"`{text}` has {len(words)} fields; it needs minute, hour, day, month and weekday")
        (minutes, _), (hours, every_hour), (days, any_day), (months, _), (weekdays, any_weekday) = (
            one.read(word) for one, word in zip(_FIELDS, words, strict=True)
        )
        longest = max(_LONGEST_MONTH.get(month, 31) for month in months)
        if any_weekday and min(days) > longest:
            raise ScheduleError(f"`{text}` is never due: no such month has {min(days)} days")
        weekdays = frozenset(day % 7 for day in weekdays)
        return cls(minutes, hours, days, months, weekdays, every_hour, any_day, any_weekday)

    def after(self, moment: datetime, zone: tzinfo) -> datetime:
        """The first time after a moment, in UTC."""
        day = moment.astimezone(zone).date() - timedelta(days=1)
        for ahead in range(_HORIZON):
            found = [one for one in self._on(day + timedelta(days=ahead), zone) if one > moment]
            if found:
                return found[0]
        raise ScheduleError("the schedule is never due")

    def last(self, moment: datetime, zone: tzinfo, *, after: datetime) -> datetime | None:
        """The last time up to a moment, in UTC; None where there was none after `after`."""
        day, earliest = moment.astimezone(zone).date() + timedelta(days=1), after.astimezone(zone).date()
        while day >= earliest - timedelta(days=1):
            found = [one for one in self._on(day, zone) if after < one <= moment]
            if found:
                return found[-1]
            day -= timedelta(days=1)
        return None

    def _on(self, day: date, zone: tzinfo) -> list[datetime]:
        """All times of a local day, in UTC and in order."""
        if not self._has(day):
            return []
        return sorted(set(self._times(day, zone)))

    def _has(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_date and by_weekday
        return by_date or by_weekday

    def _times(self, day: date, zone: tzinfo) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                local = datetime.combine(day, time(hour, minute), zone)
                yield local.astimezone(UTC)
                second = local.replace(fold=1)
                if self.every_hour and second.utcoffset() != local.utcoffset() and _is_real(second, zone):
                    yield second.astimezone(UTC)


def _is_real(local: datetime, zone: tzinfo) -> bool:
    """Whether a clock on the wall shows this time at all: in spring one hour is skipped."""
    return local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
