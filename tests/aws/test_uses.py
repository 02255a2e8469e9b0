"""Which revisions are in use: by services of any cluster, what they are being changed from and to, and by tasks."""

from collections.abc import Mapping
from typing import Any

from controller.aws.ecs import EcsReader
from controller.aws.uses import KEPT
from controller.sandbox.clocks import ManualClock
from controller.sandbox.inprocess import InProcess
from controller.sandbox.simulator import Simulator


class World:
    """A simulated ECS and everything that it was asked."""

    def __init__(self) -> None:
        self.simulator = Simulator(now=1_800_000_000.0)
        self.clock = ManualClock(1_800_000_000.0)
        self.asked: list[str] = []
        self.ecs = EcsReader(InProcess(self.simulator, self.clock, interceptor=self))
        for number in range(1, 9):
            family = "bert" if number < 6 else "other"
            container = {"name": "c", "image": f"i:{number}", "memory": 64}
            self.call("RegisterTaskDefinition", family=family, containerDefinitions=[container])

    async def before(self, operation: str, params: Mapping[str, Any]) -> None:
        self.asked.append(operation)

    async def after(self, operation: str, params: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        return answer

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.simulator.call(operation, params, self.clock.now())
        return answer

    async def used(self, family: str = "bert") -> set[str]:
        return {arn.rpartition("/")[2] for arn in await self.ecs.in_use(family)}


async def test_nothing_uses_anything() -> None:
    assert await World().used() == set()


async def test_services_of_every_cluster_and_what_they_are_changed_from() -> None:
    world = World()
    world.call("CreateCluster", clusterName="second")
    world.call("CreateService", serviceName="a", taskDefinition="bert:1", desiredCount=1)
    world.call("CreateService", serviceName="b", taskDefinition="bert:3", desiredCount=0, cluster="second")
    world.clock.advance(600)
    world.call("UpdateService", service="a", taskDefinition="bert:2")
    assert await world.used() >= {"bert:1", "bert:2", "bert:3"}


async def test_tasks_that_no_service_runs() -> None:
    world = World()
    world.call("RunTask", taskDefinition="bert:4")
    world.call("RunTask", taskDefinition="other:1")
    assert await world.used() == {"bert:4"}


async def test_more_than_one_page_of_each() -> None:
    world = World()
    for number in range(110):
        world.call("CreateService", serviceName=f"s{number}", taskDefinition="bert:1", desiredCount=0)
    world.call("CreateService", serviceName="zz", taskDefinition="bert:5", desiredCount=0)
    assert await world.used() == {"bert:1", "bert:5"}
    assert world.asked.count("ListServices") == 2
    assert world.asked.count("DescribeServices") == 12


async def test_many_retirements_share_a_look_at_the_services() -> None:
    world = World()
    world.call("CreateService", serviceName="a", taskDefinition="bert:1", desiredCount=0)
    for family in ("bert", "other", "bert"):
        await world.used(family)
    assert world.asked.count("DescribeServices") == 1
    assert world.asked.count("ListTasks") == 3
    assert KEPT <= 60, "not long enough for a revision to come into use unseen by much"
