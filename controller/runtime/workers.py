"""Workers: take a key, call the reconciler, and do with the queue what its outcome says.

One key's failure is that key's alone: whatever is raised is noted, counted as a failure and retried with backoff, and
the worker goes on. Cancellation of the worker is shutdown and never an error; a `CancelledError` that a reconciler
lets out by itself is an error like any other, or the worker would silently be gone. Neighbours: `queue`,
`instruments` (what is counted).
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from controller.runtime.instruments import Outcome
from controller.runtime.queue import ShutDownError, WorkQueue

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Next:
    """What a reconciliation wants of the queue: nothing, another look after a time, or a retry with backoff."""

    after: float | None = None
    failed: bool = False
    terminal: bool = False
    """It failed in a way that trying again does not mend: counted as an error, not retried."""
    refused: bool = False
    """It failed, and is looked at again after its time and not with backoff: counted as an error."""


@dataclass(frozen=True, slots=True)
class Workers(Generic[K]):
    """A number of workers on one queue.

    `reconcile` is called with a key; `crashed` is told of a key whose reconciliation raised or took too long, which
    none should; it must not raise itself.
    """

    queue: WorkQueue[K]
    reconcile: Callable[[K], Awaitable[Next]]
    crashed: Callable[[K, Exception], None]
    count: int
    timeout: float
    """Seconds after which one reconciliation is given up; it counts as a failure."""

    async def run(self) -> None:
        """Work until the queue is shut down; what is under way then is finished first."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.count):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            try:
                key, priority = await self.queue.get()
            except ShutDownError:
                return
            try:
                self._requeue(key, priority, await self._reconcile(key))
            finally:
                self.queue.done(key)

    async def _reconcile(self, key: K) -> Next:
        limit = asyncio.timeout(self.timeout)
        clock = asyncio.get_running_loop().time
        began = clock()
        instruments = self.queue.instruments
        wanted = Next(failed=True)
        try:
            async with limit:
                wanted = await self.reconcile(key)
        except asyncio.CancelledError as error:
            if _cancelled():
                raise
            instruments.panicked()
            self.crashed(key, RuntimeError(f"cancelled by nobody: {error!r}"))
        except Exception as error:  # noqa: BLE001 - the boundary: one poisoned key must not stop the others
            late = limit.expired()
            instruments.timed_out() if late else instruments.panicked()
            self.crashed(key, TimeoutError(f"given up after {self.timeout:g} seconds") if late else error)
        instruments.reconciled(_outcome(wanted), seconds=clock() - began, terminal=wanted.terminal)
        return wanted

    def _requeue(self, key: K, priority: int, wanted: Next) -> None:
        if wanted.failed:
            self.queue.add_after_failure(key, priority=priority)
            return
        self.queue.forget(key)
        if wanted.after is not None:
            self.queue.add(key, after=wanted.after, priority=priority)


def _outcome(wanted: Next) -> Outcome:
    if wanted.failed or wanted.terminal or wanted.refused:
        return Outcome.ERROR
    return Outcome.SUCCESS if wanted.after is None else Outcome.REQUEUE_AFTER


def _cancelled() -> bool:
    """Whether somebody asked the running task to stop."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
