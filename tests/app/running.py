"""A daemon on a simulated ECS, in virtual time, with a source in memory and somebody else's hands."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from controller.app.daemon import Daemon
from controller.app.smoke import SmokeGate
from controller.aws.ecs import EcsGateway, EcsReader
from controller.aws.tasks import TaskGateway
from controller.core.desired import Desired
from controller.core.diagnostics import Diagnostic
from controller.core.pass_report import WorkloadReport, settled
from controller.core.status import Type
from controller.core.workload import Key
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.reconcile.reconciler import Reconciler
from controller.sandbox.clocks import LoopClock
from controller.sandbox.consistency import check
from controller.sandbox.inprocess import InProcess
from controller.sandbox.simulator import Options, Simulator
from controller.settings import Settings
from controller.sources.snapshot import Snapshot, content_revision
from tests.core.test_status import assert_conforms

WRITES = ("Register", "Deregister", "Create", "Update", "Delete", "Tag", "Untag")

SPEC = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: {name}}}
spec:
  cluster: {cluster}
  replicas: {replicas}
  taskDefinition:
    requiresCompatibilities: [EC2]
    containerDefinitions:
      - {{name: app, image: "example.com/{name}:{tag}", cpu: 256, memory: 512}}
  service: {{{service}}}
  reconcile: {{{reconcile}}}
"""


def spec(
    name: str,
    *,
    tag: str = "1",
    replicas: int = 1,
    cluster: str = "default",
    service: str = "",
    reconcile: str = "",
) -> bytes:
    values = {"name": name, "tag": tag, "replicas": replicas, "cluster": cluster}
    return SPEC.format(**values, service=service, reconcile=reconcile).encode()


def fleet(*names: str, **more: Any) -> dict[str, bytes]:
    """A file for each name."""
    return {f"{name}.yaml": spec(name, **more) for name in names}


@dataclass
class Specs:
    """A source in memory: what is committed is told at once."""

    files: dict[str, bytes] = field(default_factory=dict)
    problems: tuple[Diagnostic, ...] = ()
    broken: Exception | None = None
    uri: str = "memory"
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    def commit(self, files: Mapping[str, bytes] | None = None, *removed: str) -> None:
        """Add and replace files, and remove those of these workloads."""
        self.files |= files or {}
        for name in removed:
            del self.files[f"{name}.yaml"]
        self._told.set()

    def breaks(self, error: Exception | None) -> None:
        """The source cannot be read any more, or (None) can be again."""
        self.broken = error
        self._told.set()

    def has_problems(self, *problems: Diagnostic) -> None:
        self.problems = problems
        self._told.set()

    async def snapshot(self) -> Snapshot:
        if self.broken is not None:
            raise self.broken
        return Snapshot(self.uri, content_revision(self.files), dict(self.files), self.problems)

    async def changes(self) -> AsyncIterator[None]:
        while True:
            yield
            await self._told.wait()
            self._told.clear()


@dataclass
class Log:
    """Everything that the daemon says."""

    said: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def info(self, event: str, **facts: Any) -> None:
        self.said.append(("info", event, facts))

    def warning(self, event: str, **facts: Any) -> None:
        self.said.append(("warning", event, facts))

    def error(self, event: str, **facts: Any) -> None:
        self.said.append(("error", event, facts))

    def record(self, event: str, **facts: Any) -> None:
        self.said.append(("info", event, facts))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [facts for _, one, facts in self.said if one == event]


class Unfound(ControllerError):
    """The source is gone."""

    def __init__(self) -> None:
        super().__init__("source memory does not exist", reason=Reason.SOURCE_UNREADABLE)


async def inline(work: Callable[[], Desired]) -> Desired:
    """Virtual time and threads do not go together."""
    return work()


@dataclass
class Clock:
    """The loop's time as time of day."""

    clock: LoopClock = field(default_factory=LoopClock)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)


@dataclass
class Cloud:
    """A simulated ECS that counts, and in which a test may stand in the way of any call."""

    simulator: Simulator
    calls: list[tuple[float, str, Mapping[str, Any]]] = field(default_factory=list)
    before: Callable[[str, Mapping[str, Any]], Any] | None = None
    """May raise, or answer seconds to wait."""
    after: Callable[[str, Mapping[str, Any]], None] | None = None
    """May raise: the answer is lost."""

    def api(self) -> InProcess:
        return InProcess(self.simulator, LoopClock(), interceptor=_Stands(self))

    def gateway(self) -> EcsGateway:
        return EcsGateway(self.api())

    def reader(self) -> EcsReader:
        return EcsReader(InProcess(self.simulator, LoopClock(), interceptor=_Stands(self)))

    def hand(self, operation: str, **params: Any) -> dict[str, Any]:
        """Somebody else's call."""
        answer: dict[str, Any] = self.simulator.call(operation, params, LoopClock().now())
        check(self.simulator.world)
        return answer

    def service(self, name: str, cluster: str = "default") -> dict[str, Any]:
        answer = self.hand("DescribeServices", cluster=cluster, services=[name], include=["TAGS"])
        return answer["services"][0] if answer["services"] else {"status": "MISSING"}

    def tags(self, name: str) -> dict[str, str]:
        return {tag["key"]: tag["value"] for tag in self.service(name).get("tags", ())}

    def statuses(self, *names: str) -> list[str]:
        return [self.service(name)["status"] for name in names]

    def count(self, *, since: float = 0.0) -> Counter[str]:
        return Counter(operation for at, operation, _ in self.calls if at >= since)

    def writes(self, *, since: float = 0.0) -> Counter[str]:
        return Counter({name: n for name, n in self.count(since=since).items() if name.startswith(WRITES)})


@dataclass
class _Stands:
    """In the way of every call."""

    cloud: Cloud

    async def before(self, operation: str, params: Mapping[str, Any]) -> None:
        self.cloud.calls.append((now(), operation, params))
        if self.cloud.before is not None:
            wait = self.cloud.before(operation, params)
            if wait:
                await asyncio.sleep(wait)
        await asyncio.sleep(0)

    async def after(self, operation: str, params: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if operation.startswith(WRITES):
            check(self.cloud.simulator.world)
        if self.cloud.after is not None:
            self.cloud.after(operation, params)
        return answer


def cloud(**options: Any) -> Cloud:
    return Cloud(Simulator(now=LoopClock().epoch, options=Options(**options)))


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Running:
    """A daemon at work, and all around it."""

    cloud: Cloud
    source: Specs
    daemon: Daemon
    log: Log
    task: "asyncio.Task[None]"

    @property
    def reports(self) -> Mapping[Key, WorkloadReport]:
        return self.daemon.reports

    def report(self, name: str, cluster: str = "default") -> WorkloadReport:
        return self.reports[Key(cluster, name)]

    def holds(self, name: str) -> list[Reason]:
        return [hold.reason for hold in self.report(name).plan.holds]

    def reason(self, name: str, kind: Type = Type.READY) -> Reason:
        return self.report(name).conditions[kind].reason

    def ready(self, *names: str) -> bool:
        """Whether these workloads, or all, are in sync and healthy on the newest content."""
        wanted = self.daemon.desired.rendered
        keys = [Key("default", name) for name in names] or list(wanted)
        digests = {key: one.digest for key, one in wanted.items()}
        found = self.daemon.workloads.ready(digests)
        return all(key in wanted and found.get(str(key), False) for key in keys) and not (
            not names and self.source.files and not wanted
        )

    async def until(self, true: Callable[[], Any], *, limit: float = 3600.0, step: float = 1.0) -> float:
        """Let time pass until something is true; how long it took."""
        began = now()
        while not true():
            assert now() - began < limit, f"waited {limit} s in vain"
            assert not self.task.done(), "the daemon has ended"
            await asyncio.sleep(step)
            self.conform()
        return now() - began

    async def converged(self, *names: str, limit: float = 3600.0) -> float:
        return await self.until(lambda: self.ready(*names), limit=limit)

    async def rest(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)
        assert not self.task.done(), "the daemon has ended"
        self.conform()

    def conform(self) -> None:
        """Every status follows the rules."""
        for report in self.reports.values():
            assert_conforms(report.conditions)

    def no_crash(self) -> None:
        assert self.log.of("crashed") == []


def daemon_of(on: Cloud, source: Specs, log: Log | None = None, **settings: Any) -> Daemon:
    chosen = Settings(**{"clusters": ("default",), **settings})
    log = log or Log()
    reconciler = Reconciler(on.gateway(), Clock(), log, chosen.owner)
    gate = gate_of(on, log, chosen) if chosen.smoke else None
    return Daemon(source, reconciler, chosen, log, jitter=lambda: 0.5, aside=inline, gate=gate)


def gate_of(on: Cloud, log: Log, settings: Settings) -> SmokeGate:
    """The smoke gate of a daemon."""
    around = {"owner": settings.owner, "port_base": settings.port_base, "image": settings.smoke_image}
    return SmokeGate(on.gateway(), TaskGateway(on.api()), Clock(), log, **around)


@asynccontextmanager
async def running(
    on: Cloud, source: Specs | None = None, *, crashes: bool = False, **settings: Any
) -> AsyncIterator[Running]:
    """A daemon that runs while the context lasts."""
    source, log = source or Specs(), Log()
    daemon = daemon_of(on, source, log, **settings)
    task = asyncio.ensure_future(daemon.run())
    one = Running(on, source, daemon, log, task)
    try:
        yield one
    finally:
        daemon.stop()
        await task
    if not crashes:
        one.no_crash()


def unsettled(one: Running) -> list[str]:
    """Workloads that are not where they should be, for a message."""
    return [f"{key}: {report.plan.drift} {report.health}" for key, report in one.reports.items() if not settled(report)]
