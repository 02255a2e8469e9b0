"""A keyed priority queue with delays: what is to be looked at, when, and how urgently.

One entry per key: adding a key again keeps the earlier time and the higher priority. A key that a worker holds is
never handed out twice; if it is added meanwhile it comes back when the worker is done, so that every addition is
followed by a look that starts after it. Within a priority the order is first come, first served; a delayed entry that
ripens queues up behind those that are there. Shutting down hands out nothing more.

The contract is that of controller-runtime's priority queue; time is the event loop's. Neighbours: `workers`.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BACKOFF_BASE: Final = 1.0
BACKOFF_CAP: Final = 600.0


class ShutDownError(Exception):
    """The queue hands out nothing more."""


@dataclass(slots=True)
class _Entry:
    ready_at: float
    priority: int


@dataclass(slots=True)
class WorkQueue(Generic[K]):
    """Keys that wait for a worker.

    `jitter` answers a number in [0, 1): a failing key waits a random part of its backoff, so that thousands that failed
    together do not come back together.
    """

    jitter: Callable[[], float]
    _entries: dict[K, _Entry] = field(default_factory=dict)
    _held: set[K] = field(default_factory=set)
    _failures: dict[K, int] = field(default_factory=dict)
    _ready: list[tuple[int, int, K]] = field(default_factory=list)
    _waiting: list[tuple[float, int, K]] = field(default_factory=list)
    _arrivals: "itertools.count[int]" = field(default_factory=itertools.count)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def add(self, key: K, *, after: float = 0.0, priority: int = 0) -> None:
        """Queue a key, to be handed out after `after` seconds at the earliest. Higher priorities go first."""
        if self._closed:
            return
        now = asyncio.get_running_loop().time()
        entry = _Entry(now + max(after, 0.0), priority)
        old = self._entries.get(key)
        if old is not None:
            entry = _Entry(min(entry.ready_at, old.ready_at), max(entry.priority, old.priority))
            if entry == old:
                return
        self._entries[key] = entry
        if key not in self._held:
            self._enqueue(key, entry, now)

    def add_after_failure(self, key: K, *, priority: int = 0) -> float:
        """Queue a key with a backoff that doubles with each failure in a row; answers the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = self.jitter() * min(BACKOFF_BASE * 2.0 ** min(failures, 32), BACKOFF_CAP)
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
        self._held.discard(key)
        entry = self._entries.get(key)
        if entry is not None:
            self._enqueue(key, entry, asyncio.get_running_loop().time())

    def shut_down(self) -> None:
        """Hand out nothing more and take nothing more."""
        self._closed = True
        self._changed.set()

    def _enqueue(self, key: K, entry: _Entry, now: float) -> None:
        if entry.ready_at <= now:
            heapq.heappush(self._ready, (-entry.priority, next(self._arrivals), key))
        else:
            heapq.heappush(self._waiting, (entry.ready_at, next(self._arrivals), key))
        self._changed.set()

    def _ripen(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            ready_at, _, key = heapq.heappop(self._waiting)
            entry = self._entries.get(key)
            if entry is not None and entry.ready_at == ready_at and key not in self._held:
                heapq.heappush(self._ready, (-entry.priority, next(self._arrivals), key))

    def _pop(self, now: float) -> tuple[K, int] | None:
        """The most urgent ready key. Heap entries that a later `add` has overtaken are dropped on the way."""
        while self._ready:
            negative, _, key = heapq.heappop(self._ready)
            entry = self._entries.get(key)
            if entry is None or key in self._held or entry.priority != -negative or entry.ready_at > now:
                continue
            del self._entries[key]
            self._held.add(key)
            return key, entry.priority
        return None

    async def _wait(self, now: float) -> None:
        timeout = self._waiting[0][0] - now if self._waiting else None
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            pass
