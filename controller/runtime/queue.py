"""A keyed priority queue with delays: what is to be looked at, when, and how urgently.

One entry per key: adding a key again keeps the earlier time and the higher priority. A key that a worker holds is
never handed out twice; if it is added meanwhile it comes back when the worker is done, so that every addition is
followed by a look that starts after it. Within a priority the order is first come, first served: a delayed entry that
ripens and an entry whose priority is raised queue up behind those that are there. Shutting down hands out nothing
more.

The contract is that of controller-runtime's priority queue; time is the event loop's. Neighbours: `workers`,
`instruments` (what is counted).
"""

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from controller.runtime.instruments import Instruments, Silent

K = TypeVar("K", bound=Hashable)

BACKOFF_BASE: Final = 1.0
BACKOFF_CAP: Final = 600.0
SLACK: Final = 64
"""Heap places that may be out of date before a heap is built anew."""


class ShutDownError(Exception):
    """The queue hands out nothing more."""


@dataclass(slots=True)
class _Entry:
    ready_at: float
    priority: int
    arrival: int = -1
    """Its place in one of the heaps, if it has one. A heap place with another arrival is out of date."""


@dataclass(slots=True)
class WorkQueue(Generic[K]):
    """Keys that wait for a worker.

    `jitter` answers a number in [0, 1): a failing key waits a random part of its backoff, so that thousands that failed
    together do not come back together.
    """

    jitter: Callable[[], float]
    instruments: Instruments = field(default_factory=Silent)
    _entries: dict[K, _Entry] = field(default_factory=dict)
    _held: dict[K, float] = field(default_factory=dict)
    """Keys that workers have in hand, and since when."""
    _failures: dict[K, int] = field(default_factory=dict)
    _ready: list[tuple[int, int, K]] = field(default_factory=list)
    """A heap of (-priority, arrival, key)."""
    _waiting: list[tuple[float, int, K]] = field(default_factory=list)
    """A heap of (ready_at, arrival, key)."""
    _arrivals: "itertools.count[int]" = field(default_factory=itertools.count)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    @property
    def held(self) -> frozenset[K]:
        """Keys that workers have in hand."""
        return frozenset(self._held)

    def depth(self) -> "Counter[int]":
        """Priority → how many keys are ready and wait for a worker."""
        now = asyncio.get_running_loop().time()
        waiting = (entry for key, entry in self._entries.items() if entry.ready_at <= now and key not in self._held)
        return Counter(entry.priority for entry in waiting)

    def oldest(self) -> float:
        """Seconds for which the key that has been ready longest waits for a worker; 0 where none does."""
        now = asyncio.get_running_loop().time()
        return max(
            (max(now - entry.ready_at, 0.0) for key, entry in self._entries.items() if key not in self._held),
            default=0.0,
        )

    def in_hand(self) -> tuple[float, ...]:
        """For how many seconds each held key has been held."""
        now = asyncio.get_running_loop().time()
        return tuple(now - since for since in self._held.values())

    def add(self, key: K, *, after: float = 0.0, priority: int = 0) -> None:
        """Queue a key, to be handed out after `after` seconds at the earliest. Higher priorities go first."""
        if self._closed:
            return
        now = asyncio.get_running_loop().time()
        self._ripen(now)
        ready_at = now + max(after, 0.0)
        old = self._entries.get(key)
        if old is not None:
            ready_at, priority = min(ready_at, old.ready_at), max(priority, old.priority)
            if (ready_at, priority) == (old.ready_at, old.priority):
                return
        else:
            self.instruments.added()
        entry = self._entries[key] = _Entry(ready_at, priority)
        if key not in self._held:
            self._enqueue(key, entry, now)

    def add_after_failure(self, key: K, *, priority: int = 0) -> float:
        """Queue a key with a backoff that doubles with each failure in a row; answers the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = self.jitter() * min(BACKOFF_BASE * 2.0 ** min(failures, 32), BACKOFF_CAP)
        self.instruments.retried()
        self.add(key, after=delay, priority=priority)
        return delay

    def forget(self, key: K) -> None:
        """The key did not fail: its next failure starts from the smallest backoff."""
        self._failures.pop(key, None)

    async def get(self) -> tuple[K, int]:
        """The next key and its priority; it is held until `done`.

        Raises:
            ShutDownError: the queue was shut down.
        """
        while True:
            if self._closed:
                raise ShutDownError
            now = asyncio.get_running_loop().time()
            self._ripen(now)
            found = self._pop(now)
            if found is not None:
                return found
            self._changed.clear()
            await self._wait(now)

    def done(self, key: K) -> None:
        """The worker has finished with the key. If it was added meanwhile it queues up now."""
        now = asyncio.get_running_loop().time()
        since = self._held.pop(key, None)
        if since is not None:
            self.instruments.worked(now - since)
        entry = self._entries.get(key)
        if entry is not None:
            self._ripen(now)
            self._enqueue(key, entry, now)

    def shut_down(self) -> None:
        """Hand out nothing more and take nothing more."""
        self._closed = True
        self._changed.set()

    def _enqueue(self, key: K, entry: _Entry, now: float) -> None:
        """Give the entry a place at the end of its line; an earlier place of the key is out of date from now on."""
        entry.arrival = next(self._arrivals)
        if entry.ready_at <= now:
            heapq.heappush(self._ready, (-entry.priority, entry.arrival, key))
        else:
            heapq.heappush(self._waiting, (entry.ready_at, entry.arrival, key))
        self._compact()
        self._changed.set()

    def _ripen(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, arrival, key = heapq.heappop(self._waiting)
            entry = self._entry(key, arrival)
            if entry is not None:
                entry.arrival = next(self._arrivals)
                heapq.heappush(self._ready, (-entry.priority, entry.arrival, key))

    def _pop(self, now: float) -> tuple[K, int] | None:
        """The most urgent ready key."""
        while self._ready:
            _, arrival, key = heapq.heappop(self._ready)
            entry = self._entry(key, arrival)
            if entry is not None:
                del self._entries[key]
                self._held[key] = now
                self.instruments.taken(max(now - entry.ready_at, 0.0))
                return key, entry.priority
        return None

    def _entry(self, key: K, arrival: int) -> _Entry | None:
        """The entry of a heap place, unless the place is out of date."""
        entry = self._entries.get(key)
        return entry if entry is not None and entry.arrival == arrival else None

    def _compact(self) -> None:
        """Drop places that are out of date once they are many: a key that is added again every minute while it waits
        for a day must not leave a thousand of them behind."""
        most = 2 * len(self._entries) + SLACK
        if len(self._waiting) > most:
            self._waiting = [place for place in self._waiting if self._entry(place[2], place[1]) is not None]
            heapq.heapify(self._waiting)
        if len(self._ready) > most:
            self._ready = [place for place in self._ready if self._entry(place[2], place[1]) is not None]
            heapq.heapify(self._ready)

    async def _wait(self, now: float) -> None:
        timeout = self._waiting[0][0] - now if self._waiting else None
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            pass
