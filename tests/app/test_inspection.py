"""A look at the machines now and then: what it tells, when it is taken, and what it costs."""

from typing import Any

import pytest

from controller.core.status import State, Type
from controller.reasons import Reason
from controller.report.status import Standing, status_document, status_text
from controller.sandbox.fleet import DL1, M5_2XLARGE, Machine
from tests.app.running import Clock, Cloud, Running, Specs, cloud, fleet, now, running
from tests.app.test_smoke import spec

pytestmark = pytest.mark.looptime

ONE = (Machine(DL1), Machine(M5_2XLARGE))
LOOKS = ("ListContainerInstances", "DescribeContainerInstances", "ListTasks", "DescribeTasks")


def looks(one: Running, *, since: float = 0.0) -> int:
    return sum(one.cloud.count(since=since)[name] for name in LOOKS)


def moves(on: Cloud, kind: str) -> None:
    """The task of `bert` is found on an instance of another type: as if its constraints had come after it."""
    world = on.simulator.world
    (task,) = [one for one in world.tasks.values() if one.group == "service:bert" and one.stopped_at is None]
    assert task.instance is not None
    instance = world.instances[task.instance]
    attributes = {**instance.attributes, "ecs.instance-type": kind}
    world.instances[instance.arn] = type(instance)(**{**_members(instance), "attributes": attributes})


def _members(instance: Any) -> dict[str, Any]:
    return {name: getattr(instance, name) for name in instance.__dataclass_fields__}


async def test_a_task_where_no_cards_are_is_told_with_the_workload_until_it_has_gone() -> None:
    on = cloud(fleet=ONE)
    async with running(on, Specs(spec(verified=False))) as one:
        await one.converged()
        moves(on, "p4d.24xlarge")
        await one.until(lambda: Type.MISPLACED in one.report("bert").conditions, limit=301)
        told = one.report("bert").conditions
        assert (told[Type.MISPLACED].status, told[Type.READY].status) == (State.TRUE, State.FALSE)
        assert told[Type.READY].reason is Reason.MISPLACED
        assert "1 task where no Gaudi cards are" in told[Type.READY].message
        assert "(p4d.24xlarge). Stop it, and ECS places anew by the constraints of today" in told[Type.READY].message
        (alarm,) = one.log.of("machines")
        assert (alarm["about"], alarm["reason"]) == ("default/bert", Reason.MISPLACED)
        since = now()
        await one.rest(1200)
        assert Type.MISPLACED in one.report("bert").conditions, "a look at services does not forget it"
        assert one.cloud.writes(since=since) == {}, "it is told, and nobody's task is stopped"
        moves(on, "dl1.24xlarge")
        await one.until(lambda: one.ready("bert") and Type.MISPLACED not in one.report("bert").conditions, limit=301)
        assert one.reason("bert") is Reason.IN_SYNC


async def test_a_look_costs_a_few_calls_every_five_minutes_and_a_pass_none() -> None:
    async with running(cloud(fleet=ONE), Specs(spec(verified=False)), resync=10.0) as one:
        await one.converged()
        await one.rest(400)
        since = now()
        await one.rest(3000)
        assert looks(one, since=since) == 10 * len(LOOKS)


async def test_where_no_workload_has_cards_or_nobody_wants_it_no_machine_is_looked_at() -> None:
    async with running(cloud(), Specs(fleet("web"))) as one:
        await one.rest(3600)
        assert looks(one) == 0
        assert one.daemon.inspection.found == {}
    async with running(cloud(), Specs(spec(verified=False)), fleet_interval=0.0) as one:
        await one.converged()
        since = now()
        await one.rest(3600)
        assert looks(one, since=since) == 0


async def test_cards_that_nobody_uses_are_told_with_their_price_once_that_lasts() -> None:
    async with running(cloud(), Specs(spec(verified=False))) as one:
        await one.rest(1200)
        assert one.log.of("machines") == []
        await one.rest(2400)
        (alarm,) = one.log.of("machines")
        assert alarm["message"] == "no task has used a card of it for half an hour: $13.11 an hour"


async def test_two_tasks_that_name_one_card_are_an_alarm() -> None:
    on = cloud(fleet=ONE)
    async with running(on, Specs(spec(verified=False)), fleet_interval=5.0) as one:
        await one.converged()
        container = {"name": "c", "image": "x:1", "memory": 64}
        container["environment"] = [{"name": "HABANA_VISIBLE_DEVICES", "value": "0"}]
        on.hand("RegisterTaskDefinition", family="stray", containerDefinitions=[container])
        (arn,) = [each.arn for each in on.simulator.world.instances.values() if each.cards]
        on.hand("StartTask", taskDefinition="stray", containerInstances=[arn])
        await one.rest(11)
        assert "two tasks name one card: family:stray and service:bert" in [
            each["message"] for each in one.log.of("machines")
        ]


async def test_an_unmanaged_task_in_the_way_of_a_workload_is_told_before_they_meet() -> None:
    on = cloud(fleet=ONE)
    container = {"name": "c", "image": "x:1", "memory": 64}
    container["environment"] = [{"name": "HABANA_VISIBLE_DEVICES", "value": "0"}]
    on.hand("RegisterTaskDefinition", family="stray", containerDefinitions=[container])
    (arn,) = [each.arn for each in on.simulator.world.instances.values() if each.cards]
    on.hand("StartTask", taskDefinition="stray", containerInstances=[arn])
    async with running(on, Specs(spec(verified=False, replicas=0)), fleet_interval=60.0) as one:
        await one.rest(130)
        (message,) = [
            text for about, text in one.daemon.inspection.found["default"].findings if about == "default/bert"
        ]
        assert "of family:stray uses device 0 of instance" in message
        assert "keeps this workload off them" in message


async def test_the_status_tells_of_the_machines() -> None:
    async with running(cloud(fleet=ONE), Specs(spec(verified=False)), fleet_interval=60.0) as one:
        await one.converged()
        await one.rest(120)
        found = one.daemon.inspection.found
        standing = Standing("memory", "r", None, None, None, tuple(one.reports.values()), {}, found)
        document = status_document(standing)
        (told,) = document["fleets"]
        assert (told["cluster"], told["instances"], told["usdPerHour"], told["unread"]) == ("default", 1, 13.11, None)
        assert "fleet    default: 1 DL1, $13.11 an hour, $0.00 of it unused" in status_text(document, now=Clock().now())
