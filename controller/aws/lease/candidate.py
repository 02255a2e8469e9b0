"""The algorithm: who may write, decided from what was read and when, with the times given.

A port of amazon-dynamodb-lock-client with client-go's times. The rules:

- Another's lease is taken only when it was given back, or when its record did not change for its whole duration on
  *our* clock, counted from when we had first read it. Wall clocks are never compared; nothing expires by itself.
- The holder may write until `deadline` after it *began* its last renewal that succeeded. `deadline` is shorter than
  `duration`, so as long as no clock runs faster than another by duration/deadline (1.5), the holder has stopped before
  anybody takes over.
- An answer may be lost while the write has happened. So the versions that were sent are remembered with the time
  before they were sent; one that is found in the store is ours, valid from then.

Neighbours: `record` (what is written), `lease` (asks and sends). `tests/aws/test_lease_model.py` searches for a run in
which two may write.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from controller.aws.lease.record import NOBODY, Claim, Record, Renewal, Stored, Write
from controller.aws.lease.terms import Terms

REMEMBERED: Final = 16
"""Writes without an answer that are remembered. Older ones have no validity left, and are then like anybody's."""


@dataclass(slots=True)
class Candidate:
    """One controller's knowledge of a lease. All times are of its own clock, in seconds."""

    name: str
    """Never used twice, not even by the same machine."""
    terms: Terms
    new_version: Callable[[], str]
    info: str = ""
    _mine: Stored | None = None
    _until: float = float("-inf")
    _seen: Stored | None = None
    _since: float = float("-inf")
    """When `_seen` was first read."""
    _sent: dict[str, float] = field(default_factory=dict)
    """Versions that were sent and not answered → when, before they were sent."""

    @property
    def holds(self) -> bool:
        """Whether the record was ours when we last heard of it. It may have run out since: see `valid`."""
        return self._mine is not None

    @property
    def until(self) -> float:
        """When its validity ends."""
        return self._until

    @property
    def other(self) -> str | None:
        """Who holds it instead, as far as we know."""
        return self._seen.record.holder or None if self._seen else None

    @property
    def transitions(self) -> int:
        """How often the holder had changed when it became ours."""
        return self._mine.record.transitions if self._mine else 0

    def valid(self, now: float) -> bool:
        """Whether it may write."""
        return self._mine is not None and now < self._until

    def observe(self, stored: Stored | None, now: float) -> bool:
        """Take note of what the store has; `now` is when the answer was there. Whether it may be claimed."""
        if stored is not None and stored.record.version in self._sent:
            self._adopt(stored)
            return False
        if stored is None or stored.record.holder == NOBODY:
            self._seen = stored
            return True
        if self._seen is None or self._seen.tag != stored.tag:
            self._seen, self._since = stored, now
        return now - self._since >= max(self.terms.duration, stored.record.duration)

    def claim(self, now: float) -> Claim:
        """The write that takes it over; `now` is before it is sent."""
        transitions = self._seen.record.transitions + 1 if self._seen else 0
        return Claim(self._record(self.name, now, transitions), self._seen)

    def renewal(self, now: float) -> Renewal:
        """The write that keeps it; `now` is before it is sent."""
        mine = self._held()
        return Renewal(self._record(self.name, now, mine.record.transitions), mine)

    def release(self) -> Renewal:
        """The write that gives it back. From now on it is not ours, whatever becomes of the write."""
        mine = self._held()
        self._mine = None
        return Renewal(Record(NOBODY, self.new_version(), 0.0, mine.record.transitions, self.info), mine)

    def written(self, write: Write, stored: Stored) -> None:
        """The write has succeeded."""
        if write.new.version in self._sent:
            self._adopt(stored)

    def refused(self, standing: Stored | None, now: float) -> None:
        """The write's condition did not hold: ours by an earlier write, or still, or no longer."""
        if standing is not None and standing.record.version in self._sent:
            self._adopt(standing)
        elif self._mine is None or standing is None or standing.tag != self._mine.tag:
            self._mine = None
            self.observe(standing, now)

    def _held(self) -> Stored:
        if self._mine is None:
            raise RuntimeError("the lease is not held")
        return self._mine

    def _record(self, holder: str, now: float, transitions: int) -> Record:
        version = self.new_version()
        self._sent[version] = now
        while len(self._sent) > REMEMBERED:
            del self._sent[next(iter(self._sent))]
        return Record(holder, version, self.terms.duration, transitions, self.info)

    def _adopt(self, stored: Stored) -> None:
        """It is ours by the write of this version. Whatever was sent before can no longer succeed: its condition named
        an older one."""
        self._mine, self._seen = stored, None
        self._until = self._sent[stored.record.version] + self.terms.deadline
        self._sent.clear()
