"""What is due when: a heap of small frozen notes, so that time can jump from one note to the next.

A note says what to look at, not what to do: its reader checks that it still applies, so notes are never withdrawn.
The exception is the service scheduler's note: one per service counts, the earliest. Neighbours: `simulator` (reads).
"""

import heapq
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskStep:
    """The task may leave `status` for the next one, if it is still in it."""

    task: str
    status: str


@dataclass(frozen=True, slots=True)
class Acquire:
    """The processes of a Gaudi task open their cards."""

    task: str


@dataclass(frozen=True, slots=True)
class ContainerExit:
    task: str
    container: str
    code: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class HealthResult:
    task: str
    container: str
    healthy: bool


@dataclass(frozen=True, slots=True)
class ServiceTick:
    """The service scheduler looks at the service."""

    service: str


@dataclass(frozen=True, slots=True)
class Forget:
    """A STOPPED task or an INACTIVE service (that one, of `since`) is not described any longer."""

    arn: str
    since: float


Note = TaskStep | Acquire | ContainerExit | HealthResult | ServiceTick | Forget


class Agenda:
    """Notes in the order of their time; equal times keep the order in which they were written."""

    __slots__ = ("_heap", "_number", "_ticks")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Note]] = []
        self._number = 0
        self._ticks: dict[str, float] = {}

    def add(self, at: float, note: Note) -> None:
        """Note something for `at` (epoch seconds)."""
        self._number += 1
        heapq.heappush(self._heap, (at, self._number, note))

    def wake(self, service: str, at: float) -> None:
        """The scheduler looks at the service at `at`, or earlier if that was noted before."""
        known = self._ticks.get(service)
        if known is None or at < known:
            self._ticks[service] = at
            self.add(at, ServiceTick(service))

    def due(self) -> float | None:
        """When the next note is due."""
        self._drop_superseded()
        return self._heap[0][0] if self._heap else None

    def pop(self, until: float) -> tuple[float, Note] | None:
        """The next note that is due by `until`, with its time."""
        self._drop_superseded()
        if not self._heap or self._heap[0][0] > until:
            return None
        at, _, note = heapq.heappop(self._heap)
        if isinstance(note, ServiceTick):
            del self._ticks[note.service]
        return at, note

    def copy(self) -> "Agenda":
        other = Agenda()
        other._heap = self._heap.copy()
        other._number = self._number
        other._ticks = self._ticks.copy()
        return other

    def _drop_superseded(self) -> None:
        """A tick that an earlier one replaced is not due."""
        while self._heap:
            at, _, note = self._heap[0]
            if not isinstance(note, ServiceTick) or self._ticks.get(note.service) == at:
                return
            heapq.heappop(self._heap)
