"""Whole processes in virtual time: `Process` with its real AWS clients, over one simulated AWS without sockets.

ECS is the sandbox's, behind aiobotocore's own signing, parsing and timeouts; STS is answered here; the store of the
leases and the source of specs are in memory. Several processes live on one loop; each call is known by the process that
made it. A process can be killed: from that moment nothing of it reaches anybody, not even its farewell.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiobotocore.session import AioSession

from controller.app import compose, shard
from controller.app.process import Process
from controller.aws import client, sessions
from controller.aws.lease.lease import Lease
from controller.sandbox.clocks import LoopClock
from controller.sandbox.protocol import Reply
from controller.sandbox.sandbox import Sandbox
from controller.sandbox.simulator import Options, Simulator
from controller.sandbox.transport import Transport
from controller.settings import Settings
from tests.app.running import WRITES, Clock, Log, Specs
from tests.aws.leases import MemoryStore
from tests.aws.wire import Wire

ACCOUNT = "123456789012"
REGION = "us-east-1"
XMLNS = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
WHO: ContextVar["Life | None"] = ContextVar("the process that calls", default=None)


class Dead(ConnectionError):
    """Nothing of a process that was killed reaches anybody."""


@dataclass
class Life:
    """A process, and what is known of it from outside."""

    name: str
    process: Process
    task: "asyncio.Task[None]"
    log: Log
    dead: bool = False

    @property
    def leading(self) -> bool:
        return not self.dead and any(one.leading for one in self.process.shards)

    async def kill(self) -> None:
        """As kill -9: it says nothing any more, and is gone."""
        self.dead = True
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def stop(self) -> None:
        """As SIGTERM; returns when it has ended."""
        self.process.stop()
        await self.task


@dataclass(frozen=True)
class Call:
    """A call that ECS has seen."""

    at: float
    who: str
    operation: str
    params: Mapping[str, Any]


@dataclass
class Store:
    """The store of a lease as one process sees it: slow, and out of reach once it is dead."""

    shared: MemoryStore
    latency: float
    cut_off: Collection[str]
    """Processes that get no answer."""

    async def read(self) -> Any:
        await self._way()
        found = await self.shared.read()
        await self._way()
        return found

    async def write(self, write: Any) -> Any:
        await self._way()
        found = await self.shared.write(write)
        await self._way()
        return found

    async def _way(self) -> None:
        alive()
        who = WHO.get()
        if who is not None and who.name in self.cut_off:
            await asyncio.sleep(3600)
        await asyncio.sleep(self.latency)
        alive()


def alive() -> None:
    who = WHO.get()
    if who is not None and who.dead:
        raise Dead


@dataclass
class Aws:
    """What the processes share."""

    sandbox: Sandbox
    latency: float = 0.0
    source: Specs = field(default_factory=Specs)
    followed: list[Specs] = field(default_factory=list)
    """The source as each process sees it."""
    calls: list[Call] = field(default_factory=list)
    stalls: Callable[[Call], bool] = lambda _call: False
    """With the answer to this call its process stalls until `thawed`, as a machine that is suspended does."""
    stalled: set[str] = field(default_factory=set)
    thawed: asyncio.Event = field(default_factory=asyncio.Event)
    throttled: list[str] = field(default_factory=list)
    """Calls that ECS has refused because there were too many."""
    leases: dict[str, MemoryStore] = field(default_factory=dict)
    sts: Callable[[Any], Any] | None = None
    """Answers STS instead: see `Wire`."""
    lives: list[Life] = field(default_factory=list)
    cut_off: set[str] = field(default_factory=set)
    """Processes that do not reach the store of the leases."""
    models: Any = field(default_factory=lambda: AioSession().get_component("data_loader"))
    """AWS's models, read once for all processes: the dear part of a client."""
    _names: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def region(self, name: str = REGION) -> Simulator:
        return self.sandbox.region(name, LoopClock().now())

    def hand(self, operation: str, *, region: str = REGION, **params: Any) -> dict[str, Any]:
        """Somebody else's call."""
        answer: dict[str, Any] = self.region(region).call(operation, params, LoopClock().now())
        return answer

    def start(self, **settings: Any) -> Life:
        """A new process."""
        chosen = Settings(**{"region": REGION, "http": "off", "journal": "off", "clusters": ("default",), **settings})
        log = Log()
        one = Process(chosen, log, Clock())

        async def living() -> None:
            WHO.set(life)
            await one.run()

        life = Life(f"p{next(self._names)}", one, None, log)  # type: ignore[arg-type]
        life.task = asyncio.ensure_future(living())
        self.lives.append(life)
        return life

    def commit(self, files: Mapping[str, bytes]) -> None:
        """A new revision, which every process is told of."""
        self.source.files |= files
        for one in self.followed:
            one.commit()

    def writes(self, *, since: float = 0.0) -> list[Call]:
        return [call for call in self.calls if call.operation.startswith(WRITES) and call.at >= since]

    def count(self, *, since: float = 0.0) -> Counter[str]:
        return Counter(call.operation for call in self.calls if call.at >= since)

    async def until(self, true: Callable[[], Any], *, limit: float = 600.0, step: float = 0.5) -> float:
        """Let time pass until something is true; how long it took."""
        began = now()
        while not true():
            assert now() - began < limit, f"waited {limit} s in vain"
            for life in self.lives:
                if not life.dead and life.name not in self.cut_off and life.task.done() and life.task.exception():
                    raise AssertionError(f"{life.name} has ended") from life.task.exception()
            await asyncio.sleep(step)
        return now() - began

    async def thaw(self, name: str) -> None:
        """Wait as long as a process is stalled."""
        if name in self.stalled:
            await self.thawed.wait()

    def answer_sts(self, request: Any) -> Any:
        return (self.sts or identity)(request)


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class _Way:
    """To ECS and back."""

    aws: Aws

    async def before(self, operation: str, params: Mapping[str, Any]) -> None:
        await asyncio.sleep(self.aws.latency)
        alive()
        who = WHO.get()
        self.aws.calls.append(Call(now(), who.name if who else "?", operation, params))

    async def after(self, operation: str, params: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(self.aws.latency)
        who = WHO.get()
        if who is not None:
            if self.aws.stalls(Call(now(), who.name, operation, params)):
                self.aws.stalled.add(who.name)
            await self.aws.thaw(who.name)
        return answer


class StallingLease(Lease):
    """A lease whose keeper sleeps where its process sleeps, and wakes a moment after the others: whatever was about to
    be written is tried first."""

    aws: Aws

    async def keep(self) -> None:
        try:
            await super().keep()
        finally:
            who = WHO.get()
            if who is not None and who.name in self.aws.stalled:
                await self.aws.thaw(who.name)
                await asyncio.sleep(1.0)


class _Told(Transport):
    """Notes what is throttled."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws.sandbox, LoopClock(), interceptor=_Way(aws))
        self._aws = aws

    async def _reply(self, request: Any) -> Reply:
        found = await super()._reply(request)
        if found.status == 400 and b"ThrottlingException" in found.body:
            self._aws.throttled.append(str(request.headers.get("X-Amz-Target")))
        return found


def identity(_request: Any) -> Any:
    return 200, (
        f"<GetCallerIdentityResponse {XMLNS}><GetCallerIdentityResult><Account>{ACCOUNT}</Account>"
        f"<Arn>arn:aws:iam::{ACCOUNT}:user/controller</Arn><UserId>u</UserId>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    ).encode()


@asynccontextmanager
async def world(patch: pytest.MonkeyPatch, *, latency: float = 0.0, **options: Any) -> AsyncIterator[Aws]:
    """An AWS in virtual time, with everything that real time would come in by replaced."""
    aws = Aws(Sandbox(Options(**options)), latency)
    random.seed(0)  # jitter
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "test")
    transport, sts = _Told(aws), Wire(aws.answer_sts)
    scaling = Wire((200, {"ScalableTargets": []}))

    def session(_connection: Any) -> AioSession:
        one = AioSession()
        one.register_component("data_loader", aws.models)
        one.register("before-send.ecs", transport._send)
        one.register("before-send.sts", sts._send)
        one.register("before-send.application-autoscaling", scaling._send)
        return one

    @asynccontextmanager
    async def source(*_: Any, **__: Any) -> AsyncIterator[Specs]:
        one = Specs(aws.source.files)  # each its own bell, the files of all
        aws.followed.append(one)
        yield one

    @asynccontextmanager
    async def store(_settings: Any, _connection: Any, name: str) -> AsyncIterator[Store]:
        yield Store(aws.leases.setdefault(name, MemoryStore()), latency, aws.cut_off)

    async def inline(work: Callable[..., Any], *args: Any) -> Any:
        return work(*args)

    loop, readings = asyncio.get_running_loop(), itertools.count()

    def clock() -> float:
        """As a clock does, it goes on between two readings, if only by a microsecond."""
        return loop.time() + next(readings) * 1e-6

    patch.setattr(client, "session_of", session)
    patch.setattr(sessions, "session_of", session)
    patch.setattr(compose, "open_source", source)
    patch.setattr(shard, "open_store", store)

    def lease(*args: Any, **more: Any) -> Lease:
        found = StallingLease(*args, **more, clock=clock)
        found.aws = aws
        return found

    patch.setattr(shard, "Lease", lease)
    patch.setattr(asyncio, "to_thread", inline)
    try:
        yield aws
    finally:
        for life in aws.lives:
            if not life.task.done():
                await life.kill()
