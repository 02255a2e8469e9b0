"""A controller's hands on a simulated ECS, without sockets and in virtual time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.aws.ecs import EcsGateway
from controller.core.live import Observation
from controller.core.plan import Guards, Plan, Step, plan
from controller.core.render import Rendered
from controller.reconcile.act import Act
from controller.reconcile.observe import complete, observe
from controller.sandbox.clocks import ManualClock
from controller.sandbox.consistency import check
from controller.sandbox.fleet import DL1, Machine
from controller.sandbox.inprocess import InProcess
from controller.sandbox.simulator import Options, Simulator

WRITES = ("Register", "Create", "Update", "Delete", "Tag", "Untag", "Run", "Stop", "Put")


@dataclass
class Recorder:
    """Every call that reached ECS."""

    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    async def before(self, operation: str, params: Mapping[str, Any]) -> None:
        self.calls.append((operation, params))

    async def after(self, operation: str, params: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        return answer

    @property
    def writes(self) -> list[str]:
        return [operation for operation, _ in self.calls if operation.startswith(WRITES)]


@dataclass
class Hands:
    """One simulator and a gateway on it."""

    simulator: Simulator = field(default_factory=lambda: Simulator(now=1_800_000_000.0))
    clock: ManualClock = field(default_factory=ManualClock)
    recorder: Recorder = field(default_factory=Recorder)

    @property
    def ecs(self) -> EcsGateway:
        return EcsGateway(InProcess(self.simulator, self.clock, interceptor=self.recorder))

    def copy(self) -> "Hands":
        return Hands(self.simulator.copy(), ManualClock(self.clock.at))

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Somebody else's call."""
        answer: dict[str, Any] = self.simulator.call(operation, params, self.clock.now())
        check(self.simulator.world)
        return answer

    def rest(self, seconds: float = 600.0) -> None:
        """Let rollouts end."""
        self.clock.advance(seconds)
        self.simulator.advance(self.clock.now())
        check(self.simulator.world)

    async def observe(self, rendered: Rendered) -> Observation:
        seen = await observe(self.ecs, str(rendered.create["cluster"]), rendered.workload.key.name)
        return await complete(self.ecs, rendered, seen)

    async def plan(self, rendered: Rendered, **guards: Any) -> Plan:
        now = datetime.fromtimestamp(self.clock.now(), UTC)
        return plan(rendered, await self.observe(rendered), Guards(now=now, owner="controller", **guards))

    async def act(self, rendered: Rendered, planned: Plan, steps: tuple[Step, ...] | None = None) -> None:
        seen = await self.observe(rendered)
        act = Act(self.ecs, str(rendered.create["cluster"]), seen.service, dict(planned.revisions))
        await act.run(planned.steps if steps is None else steps)
        check(self.simulator.world)

    async def converge(self, rendered: Rendered) -> None:
        await self.act(rendered, await self.plan(rendered))


def roomy() -> Hands:
    """Hands on a fleet with room for every rollout, so that none is rolled back for want of it."""
    fleet = tuple(Machine(DL1, zone) for zone in "abcabc")
    return Hands(Simulator(now=1_800_000_000.0, options=Options(fleet=fleet)))


@pytest.fixture
def hands() -> Hands:
    return Hands()
