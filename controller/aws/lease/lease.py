"""A lease in an event loop: get it, keep it, ask it before every write, give it back last.

It is renewed on the loop that also does the work, on purpose: a loop that is blocked renews nothing, and `check` stops
the first write after it wakes. The clock keeps counting while the machine sleeps (`boottime`). A holder that could not
renew in time stops at once and does not come back in this process: whoever started it starts it again, as a candidate.

Neighbours: `candidate` (decides), `record` (the store's contract), `fence` (asks before writes).
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import uuid4

from controller.aws.lease.candidate import Candidate
from controller.aws.lease.record import NOBODY, Refused, Store, Stored, Write
from controller.aws.lease.terms import JITTER, Terms
from controller.errors import ControllerError, Denied, Stalled, Transient
from controller.reasons import Reason

T = TypeVar("T")


class LeaseLost(Transient):
    """The lease is not ours (any more): nothing may be written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason=Reason.LEASE_LOST, advice="another controller writes, or will soon")


class Watcher(Protocol):
    """Told of what becomes of a lease, for logs and metrics. The methods must not raise."""

    def acquired(self, transitions: int) -> None:
        """It is ours."""
        ...

    def waiting(self, holder: str | None) -> None:
        """Another one holds it; told when that one changes."""
        ...

    def failed(self, error: ControllerError) -> None:
        """The store did not answer, or not in time. It is tried again while there is time."""
        ...

    def lost(self, why: str) -> None:
        """It is no longer ours and nothing is written from now on."""
        ...

    def released(self) -> None:
        """It was given back."""
        ...


class Unwatched:
    """A watcher that notes nothing."""

    def acquired(self, transitions: int) -> None:
        """See `Watcher`."""

    def waiting(self, holder: str | None) -> None:
        """See `Watcher`."""

    def failed(self, error: ControllerError) -> None:
        """See `Watcher`."""

    def lost(self, why: str) -> None:
        """See `Watcher`."""

    def released(self) -> None:
        """See `Watcher`."""


def boottime() -> float:
    """Seconds on a clock that nobody sets and that counts on while the machine is suspended, where there is one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def candidate(terms: Terms) -> Candidate:
    """This process as a candidate, under a name that no other has or will have."""
    host = socket.gethostname()
    return Candidate(f"{host}-{uuid4().hex}", terms, lambda: uuid4().hex, info=f"host {host}, process {os.getpid()}")


@dataclass(slots=True)
class Lease:
    """One controller's lease. `jitter` answers a number in [0, 1)."""

    store: Store
    candidate: Candidate
    jitter: Callable[[], float]
    clock: Callable[[], float] = boottime
    watcher: Watcher = field(default_factory=Unwatched)

    def check(self) -> None:
        """To be called immediately before a write is sent.

        Raises:
            LeaseLost: it must not be sent.
        """
        if not self.candidate.valid(self.clock()):
            raise LeaseLost("the lease is not held")

    @property
    def held(self) -> bool:
        """Whether it may write now."""
        return self.candidate.valid(self.clock())

    async def during(self, work: Callable[[], Awaitable[T]]) -> T:
        """Wait for the lease, work while it is kept, and give it back when the work has ended.

        Raises:
            LeaseLost: it was lost meanwhile; the work was cancelled.
            ControllerError: the store cannot be used at all.
        """
        try:
            await self.acquire()
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self.keep())
                result = await work()
                keeping.cancel()
        except ExceptionGroup as failures:
            lost = [one for one in failures.exceptions if isinstance(one, LeaseLost)]
            raise (lost or failures.exceptions)[0] from failures
        finally:
            await self.release()
        return result

    async def acquire(self) -> None:
        """Come back when it is held, however long that takes.

        Raises:
            Denied: we may not use the store.
            Stalled: there is no such store, or something else is in it.
        """
        known: str | None = NOBODY  # which is no answer of `other`: the first one is always told
        while True:
            try:
                await self._try()
            except (Denied, Stalled):
                raise
            except (ControllerError, TimeoutError) as error:
                self.watcher.failed(_failure(error))
            if self.held:
                self.watcher.acquired(self.candidate.transitions)
                return
            if self.candidate.other != known:
                known = self.candidate.other
                self.watcher.waiting(known)
            await asyncio.sleep(self._pause())

    async def keep(self) -> None:
        """Renew until it is lost.

        Raises:
            LeaseLost: always, in the end.
        """
        while True:
            await asyncio.sleep(min(self._pause(), max(self.candidate.until - self.clock(), 0.0)))
            left = self.candidate.until - self.clock()
            if left <= 0:
                raise self._lost(f"it was not renewed within {self.candidate.terms.deadline:g} s")
            try:
                await self._send(self.candidate.renewal(self.clock()), within=left)
            except (ControllerError, TimeoutError) as error:
                self.watcher.failed(_failure(error))
            if not self.candidate.holds:
                raise self._lost(f"{self.candidate.other or 'somebody'} has it")

    async def release(self) -> None:
        """Give it back, if it is ours. To be called when nothing writes any more.

        A failure is told and goes no further: the lease then runs out by itself.
        """
        if not self.candidate.holds:
            return
        try:
            async with asyncio.timeout(self.candidate.terms.patience):
                outcome = await self.store.write(self.candidate.release())
                if isinstance(outcome, Refused):
                    # Was it by our own last renewal, broken off before its answer came?
                    self.candidate.refused(outcome.standing, self.clock())
                    if self.candidate.holds:
                        outcome = await self.store.write(self.candidate.release())
        except (ControllerError, TimeoutError) as error:
            self.watcher.failed(_failure(error))
        else:
            if isinstance(outcome, Stored):
                self.watcher.released()

    async def _try(self) -> None:
        """One look at the lease, and one write if it is free."""
        if not self.candidate.holds:
            async with asyncio.timeout(self.candidate.terms.patience):
                stored = await self.store.read()
            if self.candidate.observe(stored, self.clock()):
                await self._send(self.candidate.claim(self.clock()))
        if self.candidate.holds and not self.held:  # a claim of long ago, whose answer was lost
            await self._send(self.candidate.renewal(self.clock()))

    async def _send(self, write: Write, *, within: float = float("inf")) -> None:
        async with asyncio.timeout(min(self.candidate.terms.patience, within)):
            outcome = await self.store.write(write)
        match outcome:
            case Stored() as stored:
                self.candidate.written(write, stored)
            case Refused(standing):
                self.candidate.refused(standing, self.clock())

    def _lost(self, why: str) -> LeaseLost:
        self.watcher.lost(why)
        return LeaseLost(f"the lease is lost: {why}")

    def _pause(self) -> float:
        return self.candidate.terms.retry * (1 + (JITTER - 1) * self.jitter())


def _failure(error: ControllerError | TimeoutError) -> ControllerError:
    if isinstance(error, ControllerError):
        return error
    return Transient("the store of the lease did not answer in time", reason=Reason.TIMED_OUT)
