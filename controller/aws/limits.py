"""Keeps our calls under ECS's throttle, and lets the urgent ones go first.

For each account, region and bucket there is a `Line`: a token bucket of AWS's published size times a share, and callers
that wait in it. Who goes next: the highest priority, within it first come, first served; but every eighth token goes
to whoever has waited longest, so the lowest priority is slow and never stuck.

At a share of 1 ECS has no reason to throttle us if nobody else calls. Three things make sure. A token that a call in
flight has taken is not filled up again before its answer: the request may not have arrived yet, and what AWS's full
bucket would have gained meanwhile is lost. AWS fills its buckets once a second, so one second's refill is never counted
on. And a retry takes a token like any call, so botocore's own retries are off below a limiter and `retries` stands
above it.

When ECS throttles all the same, somebody else is calling: the line counts its bucket as empty, halves its rate once for
each overload, and takes half a minute to a whole one to come back. A quota (LimitExceeded) is no throttle. Time is the
event loop's. Neighbours: `buckets` (the sizes), `api` (the shape), `errors` (says what a throttle is), `retries`.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from controller.aws.api import Api, ApiError
from controller.aws.buckets import BUCKET_OF, SHARE, UNLISTED, Bucket
from controller.aws.errors import classify
from controller.reasons import Reason

OLDEST_EVERY: Final = 8
"""Every so many tokens one goes to whoever has waited longest, whatever its priority."""
IN_FLIGHT: Final = 32
"""Calls of one bucket in flight at once: 20 a second with answers that take a second and a half; the pool has 50
connections."""
RECOVERY: Final = 1 / 120
"""By how much of the whole rate a slowed line recovers each second: from a half in one minute."""
SLOWEST: Final = 1 / 16
"""The part of its rate that a line keeps however often it is throttled."""
ENOUGH: Final = 1.001
"""Tokens that a call waits for: a little over one, so that two clocks' rounding never decides."""
ROUNDING: Final = 0.0005
"""Tokens that may be missing after that wait: timers are rounded too."""
RECOVERY_STEP: Final = 1.0
"""Seconds after which a waiting line that is slowed looks at its rate again."""


class Priority(IntEnum):
    """How urgent a call is. The higher goes first."""

    RESYNC = 0
    """Looking at everything again: late is as good."""
    WRITE = 1
    """Writes, and the reads that decide them; whatever says nothing."""
    ROLLOUT = 2
    """Watching what is rolling out: to finish comes before to begin."""


_PRIORITY: ContextVar[Priority] = ContextVar("priority of AWS calls", default=Priority.WRITE)


@contextmanager
def priority(wanted: Priority) -> Iterator[None]:
    """Calls within, and in tasks that are started within, have this priority.

    A context variable and no argument: the survey or the worker knows how urgent its work is, and the gateway between
    it and the limiter should not have to pass it on in each method.
    """
    token = _PRIORITY.set(wanted)
    try:
        yield
    finally:
        _PRIORITY.reset(token)


@dataclass(frozen=True, slots=True)
class LineState:
    """How a line stands, for metrics."""

    bucket: str
    tokens: float
    waiting: int
    in_flight: int
    rate: float
    """Calls a second that it lets through now."""
    sent: int
    throttled: int


@dataclass(slots=True)
class Line:
    """One token bucket and the callers that wait for its tokens."""

    bucket: Bucket
    share: float
    sent: int = 0
    throttled: int = 0
    _tokens: float = field(init=False)
    _at: float = field(init=False)
    """When `_tokens` was true."""
    _pace: float = 1.0
    """The part of the rate that is used: less than 1 after a throttle."""
    _slowed_at: float = float("-inf")
    _in_flight: int = 0
    _waiting: "dict[Priority, deque[tuple[int, asyncio.Future[float]]]]" = field(init=False)
    _arrivals: "itertools.count[int]" = field(default_factory=itertools.count)
    _timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self._tokens = self.capacity
        self._at = asyncio.get_running_loop().time()
        self._waiting = {one: deque() for one in sorted(Priority, reverse=True)}

    @property
    def capacity(self) -> float:
        """Calls at once from a full bucket: our share, and never the last second's refill."""
        return max(min(self.bucket.burst * self.share, self.bucket.burst - self.bucket.refill), ENOUGH)

    @property
    def rate(self) -> float:
        """Calls a second when nobody throttles us."""
        return self.bucket.refill * self.share

    @property
    def _most(self) -> float:
        """Tokens up to which it fills now: not those of calls in flight."""
        return self.capacity - self._in_flight

    @asynccontextmanager
    async def turn(self, urgency: Priority) -> AsyncIterator[float]:
        """Wait for a token; the call is made within. Yields the loop's time at which the token was given.

        Cancelled while it waits, a caller takes no token; cancelled later, the call may have been sent and the token
        is spent.
        """
        since = await self._token(urgency)
        try:
            yield since
        finally:
            self._settle()
            self._in_flight -= 1
            self._serve()

    def slow_down(self, since: float) -> None:
        """ECS has throttled a call that got its token at `since`. Several answers to one overload count once."""
        self._settle()
        self.throttled += 1
        self._tokens = min(self._tokens, 0.0)
        if since > self._slowed_at:
            self._pace = max(self._pace / 2, SLOWEST)
            self._slowed_at = self._at

    def state(self) -> LineState:
        """How it stands now."""
        self._settle()
        return LineState(
            bucket=self.bucket.name,
            tokens=self._tokens,
            waiting=sum(not waiter.done() for line in self._waiting.values() for _, waiter in line),
            in_flight=self._in_flight,
            rate=self.rate * self._pace,
            sent=self.sent,
            throttled=self.throttled,
        )

    async def _token(self, urgency: Priority) -> float:
        waiter: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting[urgency].append((next(self._arrivals), waiter))
        self._serve()
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # the token was given in the moment of the cancellation
                self._give_back()
            self._serve()
            raise

    def _give_back(self) -> None:
        self._settle()
        self.sent -= 1
        self._in_flight -= 1
        self._tokens += 1

    def _serve(self) -> None:
        """Give out the tokens that are there, and come back when there will be another."""
        self._settle()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while (line := self._next()) is not None:
            if self._in_flight >= IN_FLIGHT or self._most < ENOUGH - ROUNDING:
                return  # the next answer serves again
            if self._tokens < ENOUGH - ROUNDING:
                self._wake_after((ENOUGH - self._tokens) / (self.rate * self._pace))
                return
            _, waiter = line.popleft()
            self._tokens -= 1
            self._in_flight += 1
            self.sent += 1
            waiter.set_result(self._at)

    def _wake_after(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(min(seconds, RECOVERY_STEP) if self._pace < 1 else seconds, self._serve)

    def _next(self) -> "deque[tuple[int, asyncio.Future[float]]] | None":
        """The queue whose first waiter is next; None where nobody waits."""
        for line in self._waiting.values():
            while line and line[0][1].done():  # cancelled
                line.popleft()
        lines = [line for line in self._waiting.values() if line]
        if not lines:
            return None
        return min(lines, key=lambda line: line[0][0]) if (self.sent + 1) % OLDEST_EVERY == 0 else lines[0]

    def _settle(self) -> None:
        """Bring the bucket up to now."""
        now = asyncio.get_running_loop().time()
        passed = now - self._at
        self._at = now
        if passed > 0:
            self._tokens = min(self._tokens + passed * self.rate * self._pace, self._most)
            self._pace = min(self._pace + passed * RECOVERY, 1.0)


class Limiter:
    """The lines of one account and region. Everything that calls there shares one."""

    def __init__(self, *, share: float = SHARE, buckets: Mapping[str, Bucket] = BUCKET_OF) -> None:
        self._share = share
        self._buckets = buckets
        self._lines: dict[str, Line] = {}

    def line(self, operation: str) -> Line:
        """The line that an operation waits in."""
        bucket = self._buckets.get(operation, UNLISTED)
        if bucket.name not in self._lines:
            self._lines[bucket.name] = Line(bucket, self._share)
        return self._lines[bucket.name]

    def states(self) -> tuple[LineState, ...]:
        """How the lines stand that were used, by name."""
        return tuple(self._lines[name].state() for name in sorted(self._lines))


@dataclass(slots=True)
class Limits:
    """One limiter for each account and region. Two targets of one account and region share theirs, as AWS does."""

    share: float = SHARE
    _limiters: dict[tuple[str, str], Limiter] = field(default_factory=dict)

    def of(self, account: str, region: str) -> Limiter:
        """The limiter of an account and region."""
        return self._limiters.setdefault((account, region), Limiter(share=self.share))

    def states(self) -> Mapping[tuple[str, str], tuple[LineState, ...]]:
        """(account, region) → how its lines stand."""
        return {place: limiter.states() for place, limiter in sorted(self._limiters.items())}


@dataclass(frozen=True, slots=True)
class Limited:
    """An `Api` that waits for its turn before each call."""

    api: Api
    limiter: Limiter

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `Api`."""
        line = self.limiter.line(operation)
        async with line.turn(_PRIORITY.get()) as since:
            try:
                return await self.api.call(operation, params)
            except ApiError as error:
                if classify(error, write=False).reason is Reason.THROTTLED:
                    line.slow_down(since)
                raise
