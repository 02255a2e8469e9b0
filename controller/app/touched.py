"""When our own workers were last at a workload, which says what a look from afar is worth.

Neighbours: `daemon`, `core.callers` (who else has written).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from controller.core.callers import Callers
from controller.core.workload import Key

WATCHED: Final = 120.0
"""Seconds for which a workload is watched after a write, whatever it looks like: as long as ECS may show old state."""


@dataclass(slots=True)
class Touched:
    """What workers have done, by workload. Moments are the event loop's seconds, where they are not times of day."""

    callers: Callers
    began: datetime
    """When this process has begun to look."""
    _looked: dict[Key, float] = field(default_factory=dict)
    _watched: dict[Key, float] = field(default_factory=dict)
    _wrote: dict[Key, datetime] = field(default_factory=dict)

    def looked(self, key: Key, moment: float) -> None:
        """A worker is done with a workload."""
        self._looked[key] = moment

    def wrote(self, key: Key, now: datetime) -> None:
        """A worker has written to a workload."""
        self._wrote[key] = now

    def watch(self, key: Key, moment: float) -> None:
        """Something is under way in a workload."""
        self._watched[key] = moment

    def since(self, key: Key, moment: float) -> bool:
        """Whether a worker was at a workload after a moment: then what was seen from afar at that moment is old."""
        return self._looked.get(key, -1.0) >= moment

    def watched(self, moment: float) -> set[Key]:
        """Workloads that are to be looked at until it is sure how they have come out of it."""
        self._watched = {key: at for key, at in self._watched.items() if moment < at + WATCHED}
        return set(self._watched)

    def caller(self, key: Key, member: str) -> str | None:
        """Who else has set a member of a service since we last wrote to it."""
        found = self.callers.caller_of(key, self._wrote.get(key, self.began), member)
        return found.who if found is not None else None

    def forget(self, key: Key) -> None:
        """The workload is no more."""
        self._looked.pop(key, None)
        self._watched.pop(key, None)
        self._wrote.pop(key, None)
