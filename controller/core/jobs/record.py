"""What is remembered of a run: one tag on a revision of the job's task definition.

ECS forgets a finished task after an hour and the controller may lose everything that it keeps itself, but tags of a
revision stay, also of one that is deregistered. So a record is written before the first RunTask of an attempt (what is
intended), when its end is seen, and when the run is over. A tag is known by the run's uid, so that neither a changed
spec nor a newer revision can be mistaken for it. It is text of `name=value` words, at most 256 characters of those that
a tag takes; words of later versions are skipped. Neighbours: `identity` (uid), `plan` (writes these), `state` (finds
them).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from controller.core.ownership import PREFIX

TAG: Final = f"{PREFIX}run/"
"""With the uid behind it, the key of a record."""
SINCE: Final = f"{PREFIX}scheduled-until"
"""Of a revision of a scheduled job: up to when its times are dealt with, in epoch seconds."""
KEPT: Final = 10
"""Records of other runs that a revision keeps beside the one that is written; of 50 tags the rest is the user's."""


class Phase(StrEnum):
    """Where a run stands."""

    STARTED = "Started"
    """An attempt is intended, and may have tasks."""
    STOPPING = "Stopping"
    """The attempt is lost: its tasks are to stop. What it counts as is decided."""
    WAITING = "Waiting"
    """The attempt is over; there will be another."""
    COMPLETE = "Complete"
    FAILED = "Failed"
    UNKNOWN = "Unknown"
    """The attempt has ended and nobody saw how; nothing is tried again."""


FINAL: Final = frozenset({Phase.COMPLETE, Phase.FAILED, Phase.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Record:
    """A run, as it is remembered."""

    uid: str
    attempt: int
    """The newest one, from 1."""
    phase: Phase
    at: int
    """Since when the phase holds, in epoch seconds."""
    began: int
    """When the first attempt was intended."""
    revision: int
    """Number of the task definition revision that the attempt runs."""
    failures: int = 0
    """Attempts that count against `backoffLimit`."""
    succeeded: int = 0
    """Attempts that have succeeded."""
    vain: int = 0
    """Attempts in a row that came to nothing, counted or not: the longer that is so, the longer is waited."""
    done: int = 0
    """Ranks of the attempt that were seen to end with 0, as bits: ECS may forget them while others still run."""
    reason: str = ""
    """Why it is so, one word."""
    then: Phase | None = None
    """While it is stopping: what comes after."""
    scheduled: int | None = None
    """The scheduled time that it is for, in epoch seconds."""

    @property
    def key(self) -> str:
        """Key of its tag."""
        return f"{TAG}{self.uid}"

    @property
    def final(self) -> bool:
        """Whether the run is over."""
        return self.phase in FINAL

    def has_done(self, rank: int) -> bool:
        """Whether a rank was seen to end with 0."""
        return bool(self.done >> rank & 1)

    def turn(self, phase: Phase, now: datetime, reason: str = "", *, then: Phase | None = None) -> "Record":
        """The run in another phase."""
        return replace(self, phase=phase, at=epoch(now), reason=reason, then=then)

    def text(self) -> str:
        """The value of its tag."""
        words: dict[str, object] = {
            "phase": self.phase,
            "attempt": self.attempt,
            "at": self.at,
            "began": self.began,
            "revision": self.revision,
            "failures": self.failures,
            "succeeded": self.succeeded,
            "vain": self.vain,
            "done": f"{self.done:x}",
            "reason": self.reason or "-",
        }
        if self.then is not None:
            words["then"] = self.then
        if self.scheduled is not None:
            words["scheduled"] = self.scheduled
        return " ".join(f"{name}={value}" for name, value in words.items())


def epoch(moment: datetime) -> int:
    """A moment in whole epoch seconds."""
    return int(moment.timestamp())


def moment(seconds: int) -> datetime:
    """Epoch seconds as a moment."""
    return datetime.fromtimestamp(seconds, UTC)


def records_of(tags: Mapping[str, str]) -> tuple[Record, ...]:
    """All records among the tags of a revision. What cannot be read is `Unknown`: a doubt runs nothing twice."""
    return tuple(_read(key.removeprefix(TAG), value) for key, value in sorted(tags.items()) if key.startswith(TAG))


def _read(uid: str, text: str) -> Record:
    words = dict(word.partition("=")[::2] for word in text.split())

    def whole(name: str) -> int:
        return int(words.get(name, "0"))

    try:
        return Record(
            uid=uid,
            attempt=whole("attempt"),
            phase=Phase(words["phase"]),
            at=whole("at"),
            began=whole("began"),
            revision=whole("revision"),
            failures=whole("failures"),
            succeeded=whole("succeeded"),
            vain=whole("vain"),
            done=int(words.get("done", "0"), 16),
            reason=words.get("reason", "-").removeprefix("-"),
            then=Phase(words["then"]) if "then" in words else None,
            scheduled=whole("scheduled") if "scheduled" in words else None,
        )
    except (KeyError, ValueError):
        return Record(uid=uid, attempt=0, phase=Phase.UNKNOWN, at=0, began=0, revision=0, reason="Unreadable")
