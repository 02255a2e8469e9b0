"""Which news are worth telling somebody: the edges of troubles, each once, and what stays too long again.

Pure: what is seen and what was told go in, what is told and what to remember come out. A subject (a workload, a
cluster, the source) has one trouble at a time, its worst. A trouble is told once it has stood for the time that its
kind asks for, so that a rollout or one lost call is no news; it is told again after `remind`; its end is told once it
has been over for `RECOVERED`, so that what flaps is told once. What cannot be seen (no trouble and no sign of health)
changes nothing: a cluster that is out of sight has not recovered. Nothing asks this yet: who would deliver is not
written. Neighbours: `status` (conditions), `journal` (which keeps what was told over a restart).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from controller.core.pass_report import WorkloadReport
from controller.core.plan import Drift
from controller.core.status import State, Type
from controller.reasons import Reason

RECOVERED: Final = timedelta(seconds=60)
"""For how long a trouble must be over before that is told."""


class Severity(IntEnum):
    """How urgent a trouble is."""

    INFO = 0
    WARNING = 1
    ERROR = 2


class Kind(StrEnum):
    """Kinds of trouble, the worst first. They are an API, like reasons."""

    STALLED = "Stalled"
    DEGRADED = "Degraded"
    UNOBSERVED = "Unobserved"
    SOURCE_STALE = "SourceStale"
    FAILING = "Failing"
    INVALID = "Invalid"
    SUSPENDED = "Suspended"
    BLOCKED = "Blocked"
    DRIFTED = "Drifted"


SEVERITY: Final[Mapping[Kind, Severity]] = MappingProxyType(
    {
        Kind.STALLED: Severity.ERROR,
        Kind.DEGRADED: Severity.ERROR,
        Kind.UNOBSERVED: Severity.ERROR,
        Kind.SOURCE_STALE: Severity.ERROR,
        Kind.FAILING: Severity.WARNING,
        Kind.INVALID: Severity.WARNING,
        Kind.SUSPENDED: Severity.INFO,
        Kind.BLOCKED: Severity.WARNING,
        Kind.DRIFTED: Severity.WARNING,
    }
)
SETTLED: Final[Mapping[Kind, timedelta]] = MappingProxyType(
    {
        Kind.STALLED: timedelta(0),
        Kind.DEGRADED: timedelta(seconds=60),
        Kind.UNOBSERVED: timedelta(seconds=120),
        Kind.SOURCE_STALE: timedelta(seconds=300),
        Kind.FAILING: timedelta(seconds=300),
        Kind.INVALID: timedelta(0),
        Kind.SUSPENDED: timedelta(0),
        Kind.BLOCKED: timedelta(seconds=300),
        Kind.DRIFTED: timedelta(seconds=300),
    }
)
"""For how long a trouble of a kind must have stood before it is told."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a subject. Two are the same if kind and reason are: the message may count seconds."""

    kind: Kind
    reason: str
    message: str = field(default="", compare=False)


Seen: TypeAlias = Mapping[str, Trouble | None]
"""Subject → its trouble, None where it is well. A subject that cannot be seen is left out."""


class Turn(StrEnum):
    """What has become of a trouble."""

    BEGAN = "began"
    CHANGED = "changed"
    STILL = "still"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell."""

    turn: Turn
    subject: str
    trouble: Trouble
    """The one that is, or of a recovery the one that was."""
    since: datetime

    @property
    def severity(self) -> Severity:
        """How urgent it is; of a recovery as its trouble was, so that whoever heard of one hears of the other."""
        return SEVERITY[self.trouble.kind]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is remembered of one subject."""

    told: Trouble | None = None
    told_since: datetime | None = None
    last: datetime | None = None
    """When it was last told of."""
    seen: Trouble | None = None
    seen_since: datetime | None = None
    """Since when it is seen as it is now."""


Memory: TypeAlias = Mapping[str, Standing]
"""Subject → what is remembered of it. A subject that is well and was told to be is forgotten."""


def advance(
    memory: Memory, seen: Seen, gone: frozenset[str], now: datetime, *, remind: timedelta
) -> tuple[dict[str, Standing], list[Message]]:
    """What to remember and what to tell after a look. `gone` are subjects that there are no more: their troubles have
    ended. A subject is told of once at most."""
    after: dict[str, Standing] = dict(memory)
    messages: list[Message] = []
    for subject in sorted({*seen, *(gone & memory.keys())}):
        before = memory.get(subject, Standing())
        standing, message = _next(before, subject, seen.get(subject), now, remind=remind)
        if message is not None:
            messages.append(message)
        if standing.told is None and standing.seen is None:
            after.pop(subject, None)
        else:
            after[subject] = standing
    return after, messages


def adopted(seen: Seen, now: datetime) -> dict[str, Standing]:
    """A memory in which everything that is seen was told: where nothing says what was told before, a controller that is
    started again and again must not repeat it each time. The reminder tells of what stays."""
    return {
        subject: Standing(trouble, now, now, trouble, now) for subject, trouble in seen.items() if trouble is not None
    }


def _next(
    before: Standing, subject: str, trouble: Trouble | None, now: datetime, *, remind: timedelta
) -> tuple[Standing, Message | None]:
    since = before.seen_since if before.seen == trouble and before.seen_since is not None else now
    standing = replace(before, seen=trouble, seen_since=since)
    stood = now - since
    if trouble is None:
        if before.told is None or stood < RECOVERED:
            return standing, None
        return Standing(), Message(Turn.RECOVERED, subject, before.told, before.told_since or since)
    if trouble != before.told:
        if stood < SETTLED[trouble.kind]:
            return standing, None
        turn = Turn.BEGAN if before.told is None else Turn.CHANGED
        told = replace(standing, told=trouble, told_since=since, last=now)
        return told, Message(turn, subject, trouble, since)
    if before.last is not None and now - before.last >= remind:
        began = before.told_since or since
        return replace(standing, last=now), Message(Turn.STILL, subject, trouble, began)
    return standing, None


def trouble_of(one: WorkloadReport) -> tuple[bool, Trouble | None]:
    """Whether a workload could be seen, and what is wrong with it."""
    found = one.conditions
    stalled, degraded = found.get(Type.STALLED), found.get(Type.HEALTHY)
    suspended, ready = found.get(Type.SUSPENDED), found.get(Type.READY)
    if stalled is not None:
        kind = Kind.INVALID if stalled.reason is Reason.INVALID_SPEC else Kind.STALLED
        return True, Trouble(kind, str(stalled.reason), stalled.message)
    if one.plan.drift is Drift.UNKNOWN:
        return False, None
    if degraded is not None and degraded.status is State.FALSE and degraded.reason is not Reason.MISSING:
        return True, Trouble(Kind.DEGRADED, str(degraded.reason), degraded.message)
    if one.error is not None:
        return True, Trouble(Kind.FAILING, str(one.error.reason), str(one.error))
    if one.last_good:
        return True, Trouble(Kind.INVALID, str(Reason.INVALID_SPEC), "the last good version stands in for it")
    if suspended is not None:
        return True, Trouble(Kind.SUSPENDED, str(suspended.reason), suspended.message)
    if one.plan.drift is Drift.IN_SYNC:
        return True, None
    kind = Kind.BLOCKED if one.plan.blocked else Kind.DRIFTED
    reason = ready.reason if ready is not None and kind is Kind.BLOCKED else Reason.DRIFTED
    count = len(one.plan.changes)
    message = (ready.message if ready is not None and kind is Kind.BLOCKED else "") or f"{count} fields differ"
    return True, Trouble(kind, str(reason), message)


def to_facts(memory: Memory) -> dict[str, Any]:
    """What was told, as facts of a journal entry."""
    return {
        subject: [str(one.told.kind), one.told.reason, _text(one.told_since), _text(one.last)]
        for subject, one in sorted(memory.items())
        if one.told is not None
    }


def from_facts(facts: Mapping[str, Any], now: datetime) -> dict[str, Standing]:
    """What was told, from the facts of a journal entry. What is none of ours is skipped: a journal may be foreign."""
    memory: dict[str, Standing] = {}
    for subject, told in facts.items():
        try:
            kind, reason, since, last = told
            trouble = Trouble(Kind(kind), str(reason))
            began, at = datetime.fromisoformat(since), datetime.fromisoformat(last)
        except (ValueError, TypeError):
            continue
        if began.tzinfo is not None and at.tzinfo is not None:
            memory[subject] = Standing(trouble, began, at, trouble, now)
    return memory


def _text(at: datetime | None) -> str:
    return at.isoformat() if at is not None else ""
