"""A controller on a simulated ECS in which any call can go wrong, and what is compared afterwards.

A run is a number of passes of a controller process over one simulator. A process that crashes or is cancelled is
replaced by a new one that knows nothing; the simulator stays. Time is virtual: it moves between passes and where a
call is slow. Everything is deterministic, so a failing run is named by (scenario, faults) and nothing else.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from controller.app.once import Order, apply
from controller.aws.api import AnswerError, NoAnswerError
from controller.aws.ecs import EcsGateway
from controller.core.compare import content
from controller.core.normalize import digest, normalize
from controller.core.ownership import GENERATION, OWNER
from controller.core.pass_report import PassReport
from controller.errors import ControllerError
from controller.reconcile.reconciler import Reconciler
from controller.sandbox.clocks import ManualClock
from controller.sandbox.consistency import check
from controller.sandbox.errors import EcsError
from controller.sandbox.inprocess import InProcess
from controller.sandbox.simulator import Simulator
from controller.settings import Settings
from controller.sources.snapshot import Snapshot, content_revision

WRITES = ("Register", "Deregister", "Create", "Update", "Delete", "Tag", "Untag")
PAUSE = 30.0
"""Seconds between two passes."""
MOST_PASSES = 40
QUIET = 2
"""Passes without a write after which a run is over."""
SETTINGS = Settings(owner="controller", clusters=("default",))


class Fault(StrEnum):
    """What goes wrong at one call."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    THROTTLE = "throttle"
    LOST_REPLY = "lost reply"
    STALE_READ = "stale read"
    DENIED = "denied"
    SLOW = "slow"
    CANCEL = "cancel"


class Crash(BaseException):
    """The process is gone, wherever it was."""


Meddle = Callable[["World"], None]


@dataclass
class Specs:
    """A source in memory."""

    files: dict[str, bytes] = field(default_factory=dict)
    uri: str = "specs"

    async def snapshot(self) -> Snapshot:
        return Snapshot(self.uri, content_revision(self.files), dict(self.files))


@dataclass
class World:
    """One simulator, one source, and the controller process of the moment."""

    simulator: Simulator = field(default_factory=lambda: Simulator(now=1_800_000_000.0))
    clock: ManualClock = field(default_factory=ManualClock)
    source: Specs = field(default_factory=Specs)
    order: Order = field(default_factory=Order)
    faults: Mapping[int, Fault] = field(default_factory=dict)
    """Number of a call → what goes wrong at it."""
    meddles: Mapping[int, Meddle] = field(default_factory=dict)
    """Number of a call → what somebody else does just before it."""
    calls: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    """Operation → how often ECS carried it out, whether or not the answer arrived."""
    _process: Reconciler | None = None
    _task: "asyncio.Task[PassReport] | None" = None
    _before_write: Simulator | None = None

    def fork(self, faults: Mapping[int, Fault], meddles: Mapping[int, Meddle] | None = None) -> "World":
        """The same world with things that go wrong, and a new process."""
        source = replace(self.source, files=dict(self.source.files))
        clock = ManualClock(self.clock.at)
        return World(self.simulator.copy(), clock, source, self.order, faults, meddles or {})

    # Somebody else's hands
    # --------------------------------------------------------------------------------------------------------------

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.simulator.call(operation, params, self.clock.now())
        return answer

    def service(self, name: str) -> dict[str, Any] | None:
        found = self.call("DescribeServices", cluster="default", services=[name], include=["TAGS"])["services"]
        return found[0] if found and found[0]["status"] != "INACTIVE" else None

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.simulator.advance(self.clock.now())
        check(self.simulator.world)

    # The controller
    # --------------------------------------------------------------------------------------------------------------

    def run(self) -> list[PassReport]:
        """Passes until nothing is written any more."""
        return asyncio.run(self._run())

    async def _run(self) -> list[PassReport]:
        reports: list[PassReport] = []
        quiet = 0
        for _ in range(MOST_PASSES):
            before = self.writes
            report = await self._pass()
            if report is not None:
                reports.append(report)
            quiet = quiet + 1 if self.writes == before and report is not None and not _errors(report) else 0
            if quiet >= QUIET and not self._waiting(reports[-1]):
                return reports
            self.wait(PAUSE)
        raise AssertionError(f"still writing after {MOST_PASSES} passes: {self.calls[-20:]}")

    async def _pass(self) -> PassReport | None:
        """One pass; None where the process did not live to see its end."""
        if self._process is None:
            ecs = EcsGateway(InProcess(self.simulator, self.clock, interceptor=self))
            self._process = Reconciler(ecs, self, self, SETTINGS.owner)
        self._task = asyncio.ensure_future(apply(self.source, self._process, SETTINGS, order=self.order))
        report: PassReport | None = None
        try:
            report = await self._task
        except* Crash:
            self._process = None
        except* asyncio.CancelledError:
            self._process = None
        except* ControllerError:
            pass
        return report

    def _waiting(self, report: PassReport) -> bool:
        """Whether something is under way that the controller waits for: a drain, a rollout, its own last write."""
        holds = (hold for one in report.workloads for hold in one.plan.holds)
        progressing = any(one.health.state == "Progressing" for one in report.workloads)
        return progressing or any(hold.after is not None for hold in holds)

    @property
    def writes(self) -> int:
        return sum(count for operation, count in self.answered.items() if operation.startswith(WRITES))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)

    def record(self, event: str, **facts: Any) -> None:
        pass

    # What goes wrong
    # --------------------------------------------------------------------------------------------------------------

    async def before(self, operation: str, params: Mapping[str, Any]) -> None:
        number = len(self.calls)
        self.calls.append(operation)
        if number in self.meddles:
            self.meddles[number](self)
        match self.faults.get(number):
            case Fault.CRASH_BEFORE:
                raise Crash
            case Fault.THROTTLE:
                raise AnswerError(operation, code="ThrottlingException", message="Rate exceeded")
            case Fault.DENIED:
                raise AnswerError(operation, code="AccessDeniedException", message="not authorized", status=403)
            case Fault.SLOW:
                self.wait(90.0)
            case Fault.CANCEL:
                assert self._task is not None
                self._task.cancel()
                await asyncio.sleep(0)
            case _:
                pass
        if operation.startswith(WRITES):
            self._before_write = self.simulator.copy()

    async def after(self, operation: str, params: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        check(self.simulator.world)
        self.answered[operation] += 1
        match self.faults.get(len(self.calls) - 1):
            case Fault.CRASH_AFTER:
                raise Crash
            case Fault.LOST_REPLY:
                raise NoAnswerError(operation, "connection reset", sent=True)
            case Fault.STALE_READ if not operation.startswith(WRITES) and self._before_write is not None:
                return _stale(self._before_write.copy(), operation, params, self.clock.now())
            case _:
                return answer


def _stale(before: Simulator, operation: str, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What ECS would have answered before the last write."""
    try:
        answer: dict[str, Any] = before.call(operation, dict(params), now)
    except EcsError as error:
        raise AnswerError(operation, code=error.code, message=error.message, status=error.status) from error
    return answer


def _errors(report: PassReport) -> bool:
    return any(one.error is not None for one in report.workloads)


@dataclass(frozen=True)
class End:
    """What a run has left behind, as far as it must not depend on what went wrong on the way."""

    services: Mapping[str, Any]
    created: int
    deleted: int
    in_sync: bool

    @classmethod
    def of(cls, world: World, reports: list[PassReport]) -> "End":
        services = {}
        for arn in world.call("ListServices", cluster="default", maxResults=100)["serviceArns"]:
            name = arn.rpartition("/")[2]
            service = world.service(name)
            assert service is not None
            services[name] = _essence(world, service)
        verdicts = tuple((str(one.key), str(one.plan.drift)) for one in reports[-1].workloads)
        return cls(
            services,
            created=world.answered["CreateService"],
            deleted=world.answered["DeleteService"],
            in_sync=all(drift in ("InSync", "Blocked") for _, drift in verdicts),
        )


def _essence(world: World, service: dict[str, Any]) -> dict[str, Any]:
    revision = world.call("DescribeTaskDefinition", taskDefinition=service["taskDefinition"])["taskDefinition"]
    members = ("desiredCount", "deploymentConfiguration", "placementConstraints", "availabilityZoneRebalancing")
    tags = {tag["key"]: tag["value"] for tag in service["tags"] if tag["key"] != GENERATION}
    return {
        "members": normalize("CreateServiceRequest", {name: service[name] for name in members if name in service}),
        "content": digest(dict(content(revision).members)),
        "tags": tags,
        "owned": OWNER in tags,
        "running": service["runningCount"],
    }


def revisions(world: World) -> int:
    """How many task definition revisions there are, whatever their state."""
    return sum(
        len(world.call("ListTaskDefinitions", status=status, maxResults=100)["taskDefinitionArns"])
        for status in ("ACTIVE", "INACTIVE")
    )
