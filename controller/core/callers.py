"""Who has written to a service of late, as CloudTrail told it: for the `by` of the drift report, and for nothing else.

A field is laid at the door only of whoever set that field, after the moment from which its drift counts; where nobody
is known to have, nobody is named. What is remembered is bounded, by services and by writes of one. Neighbours: `wakeup`
(reads the records), `compare` (the changes that are named).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from controller.core.workload import Key

SERVICES: Final = 2000
"""Services of which writes are remembered; those written to longest ago are forgotten first."""
WRITES: Final = 16
"""Writes to one service that are remembered."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who called ECS."""

    who: str
    """The ARN of the identity, or the AWS service that called by itself."""
    action: str
    """`UpdateService`."""
    at: datetime
    """When, in whole seconds."""
    event: str
    """CloudTrail's id of the record."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write to a service."""

    key: Key
    caller: Caller
    members: frozenset[str] | None = None
    """Members of the service that it set (`desiredCount`, `tags`); None where that may be any."""


@dataclass(frozen=True, slots=True)
class Callers:
    """The writes that are remembered."""

    writes: Mapping[Key, tuple[Write, ...]] = field(default_factory=dict)
    """Oldest first: services by when something of them was last learned, writes by their time."""

    def remember(self, write: Write) -> "Callers":
        """These and one more. A record that came twice is one."""
        known = self.writes.get(write.key, ())
        if any(one.caller.event == write.caller.event for one in known):
            return self
        kept = sorted((*known, write), key=lambda one: one.caller.at)[-WRITES:]
        others = [(key, writes) for key, writes in self.writes.items() if key != write.key]
        return replace(self, writes=dict([*others, (write.key, tuple(kept))][-SERVICES:]))

    def caller_of(self, key: Key, since: datetime, member: str | None = None) -> Caller | None:
        """Who wrote last to a service (to a member of it) at `since` or later, if that is known."""
        second = since.replace(microsecond=0)  # CloudTrail cuts its times off to the second
        for write in reversed(self.writes.get(key, ())):
            if write.caller.at >= second and (member is None or write.members is None or member in write.members):
                return write.caller
        return None
