"""The smoke gate on the simulated ECS: an instance shows its cards, and only then a workload that requires it comes."""

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from controller.aws.api import AnswerError, NoAnswerError
from controller.core.gaudi.smoke import GROUP
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.sandbox.clocks import LoopClock
from controller.sandbox.faults import Faults
from controller.sandbox.fleet import DL1, M5_2XLARGE, Machine
from controller.sandbox.images import CannotPull, ImageRule, Images, Runs
from controller.settings import Settings
from tests.app.running import Cloud, Log, Running, Specs, cloud, gate_of, now, running

pytestmark = pytest.mark.looptime

SPEC = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: {name}}}
spec:
  cluster: default
  replicas: {replicas}
  gaudi: {{cards: 8, synapseai: 1.6.0, requireVerified: {verified}}}
  taskDefinition:
    containerDefinitions:
      - {{name: app, image: "example.com/{name}:1", memory: 512, command: [train]}}
"""
"""SynapseAI 1.6.0 is what the simulated DL1 instances have, by the id of their AMI."""

SEVEN = replace(DL1, cards=7)
"""A DL1 on which hl-smi shows seven cards (Setup_and_Install #1)."""
ONE = (Machine(DL1), Machine(M5_2XLARGE))


def spec(name: str = "bert", *, verified: bool = True, replicas: int = 1) -> dict[str, bytes]:
    return {f"{name}.yaml": SPEC.format(name=name, verified=str(verified).lower(), replicas=replicas).encode()}


def attributes(on: Cloud, kind: str = "habana.verified") -> dict[str, str | None]:
    """EC2 id of every instance → what it says of itself."""
    arns = on.hand("ListContainerInstances")["containerInstanceArns"]
    found = on.hand("DescribeContainerInstances", containerInstances=arns)["containerInstances"]
    return {
        one["ec2InstanceId"]: next((each["value"] for each in one["attributes"] if each["name"] == kind), None)
        for one in found
    }


def verified(on: Cloud) -> list[str]:
    return sorted(value for value in attributes(on).values() if value is not None)


def tests(on: Cloud) -> list[Any]:
    """Every smoke test that there is, or was within the hour."""
    return [task for task in on.simulator.world.tasks.values() if task.group == GROUP]


tests.__test__ = False


def started(on: Cloud) -> list[Any]:
    """Tasks of services."""
    return [task for task in on.simulator.world.tasks.values() if task.group.startswith("service:")]


def findings(one: Running) -> str:
    return "\n".join(f"{about}: {message}" for about, message in one.daemon.inspection.found["default"].findings)


# The gate
# --------------------------------------------------------------------------------------------------------------------


async def test_a_service_that_requires_it_comes_when_an_instance_has_shown_its_cards() -> None:
    on = cloud(fleet=ONE)
    async with running(on, Specs(spec()), smoke=True) as one:
        seen: list[bool] = []

        def placed() -> bool:
            seen.append(not started(on) or bool(verified(on)))
            return one.ready("bert")

        await one.until(placed)
        assert all(seen), "no task of it was placed before"
        assert verified(on) == ["1.6.0"]
        assert len(tests(on)) == 1
        assert [facts["attempt"] for facts in one.log.of("smoke test started")] == [1]
        assert [facts["synapseai"] for facts in one.log.of("verified")] == ["1.6.0"]
        await one.rest(7200)
        assert one.cloud.count()["RunTask"] == 1, "what is proved stays proved"


async def test_without_the_setting_nobody_runs_anything() -> None:
    on = cloud(fleet=ONE)
    async with running(on, Specs(spec(verified=False))) as one:
        await one.converged()
        await one.rest(7200)
        assert one.cloud.count()["RunTask"] == 0
        assert verified(on) == []


async def test_instances_that_join_are_tested_and_others_are_not() -> None:
    on = cloud(fleet=ONE)
    async with running(on, Specs(spec()), smoke=True) as one:
        await one.converged()
        on.simulator.add_instance(Machine(DL1, "b"), LoopClock().now())
        on.simulator.add_instance(Machine(M5_2XLARGE, "b"), LoopClock().now())
        await one.until(lambda: len(verified(on)) == 2, limit=300)
        assert len(tests(on)) == 2


async def test_an_instance_that_shows_seven_cards_is_never_verified_and_tested_again_and_again() -> None:
    on = cloud(fleet=(Machine(SEVEN), Machine(M5_2XLARGE)))
    async with running(on, Specs(spec()), smoke=True) as one:
        await one.rest(120)
        assert "hl-smi does not show 8 cards: drain the instance, and replace it (attempt 1" in findings(one)
        (told,) = one.log.of("machines")
        assert told["reason"] == Reason.CARD_BROKEN
        await one.rest(20_000)
        assert verified(on) == []
        assert started(on) == []
        runs = [at for at, operation, _ in on.calls if operation == "RunTask"]
        pauses = [later - earlier for earlier, later in itertools.pairwise(runs)]
        assert [round(pause / 300) for pause in pauses[:5]] == [1, 2, 4, 8, 8]
        told = [facts["reason"] for facts in one.log.of("machines")]
        assert told.count(Reason.CARD_BROKEN) == 1, "the same reason is told once"


async def test_an_image_that_cannot_be_pulled_is_no_broken_card() -> None:
    images = Images(rules=(ImageRule("vault.habana.ai/*", CannotPull("dial tcp: i/o timeout")),))
    on = cloud(fleet=ONE, images=images)
    async with running(on, Specs(spec()), smoke=True) as one:
        await one.rest(120)
        assert "check the instance's way to the registry" in findings(one)
        assert one.log.of("machines")[0]["reason"] == Reason.IMAGE_UNREACHABLE


async def test_another_image_may_be_named() -> None:
    on = cloud(fleet=ONE)
    async with running(on, Specs(spec()), smoke=True, smoke_image="example.com/gaudi:{synapseai}") as one:
        await one.until(lambda: verified(on) == ["1.6.0"])
        assert {task.containers[0].image for task in tests(on)} == {"example.com/gaudi:1.6.0"}


async def test_a_test_never_stands_beside_a_task_that_has_cards() -> None:
    on = cloud(fleet=ONE)
    async with running(on, Specs(spec(verified=False))) as one:
        await one.converged()
    async with running(on, Specs(spec(verified=False)), smoke=True) as one:
        await one.rest(1200)
        assert one.cloud.count()["RunTask"] == 0
        assert "is tested as soon as no task holds its cards" in findings(one)
        assert one.log.of("machines") == []
        one.source.commit(spec(verified=False, replicas=0))
        await one.until(lambda: verified(on) == ["1.6.0"], limit=3600)


async def test_a_draining_instance_is_not_tested() -> None:
    on = cloud(fleet=ONE)
    arns = on.hand("ListContainerInstances")["containerInstanceArns"]
    on.hand("UpdateContainerInstancesState", containerInstances=arns, status="DRAINING")
    async with running(on, Specs(spec()), smoke=True) as one:
        await one.rest(600)
        assert tests(on) == []
        on.hand("UpdateContainerInstancesState", containerInstances=arns, status="ACTIVE")
        await one.until(lambda: verified(on) == ["1.6.0"])


async def test_a_test_that_does_not_end_is_stopped() -> None:
    images = Images(rules=(ImageRule("vault.habana.ai/*", Runs()),))
    on = cloud(fleet=ONE, images=images)
    async with running(on, Specs(spec()), smoke=True) as one:
        await one.rest(1700)
        assert one.cloud.count()["StopTask"] == 0
        await one.until(lambda: one.cloud.count()["StopTask"] == 1, limit=200)
        await one.rest(120)
        assert "the smoke test did not end in time" in findings(one)
        assert verified(on) == []


async def test_who_takes_the_proof_away_wants_a_new_one() -> None:
    on = cloud(fleet=ONE)
    async with running(on, Specs(spec(replicas=0)), smoke=True) as one:
        await one.until(lambda: verified(on) == ["1.6.0"])
        (arn,) = [task.instance for task in tests(on)]
        on.hand("DeleteAttributes", attributes=[{"name": "habana.verified", "targetId": arn}])
        await one.until(lambda: verified(on) == ["1.6.0"], limit=300)
        assert len(tests(on)) == 2


async def test_a_proof_of_another_release_is_taken_away_at_once() -> None:
    on = cloud(fleet=ONE)
    (arn,) = [one.arn for one in on.simulator.world.instances.values() if one.cards]
    on.hand("PutAttributes", attributes=[{"name": "habana.verified", "value": "1.11.0", "targetId": arn}])
    async with running(on, Specs(spec()), smoke=True) as one:
        await one.until(lambda: verified(on) == [], limit=60)
        await one.until(lambda: verified(on) == ["1.6.0"])
        assert [facts["said"] for facts in one.log.of("no longer verified")] == ["1.11.0"]


async def test_what_is_refused_is_told_of_the_instance_and_tried_again() -> None:
    on = cloud(fleet=ONE)

    def refuse(operation: str, _params: Mapping[str, Any]) -> None:
        if operation == "RunTask":
            raise AnswerError(operation, code="AccessDeniedException", message="not authorized", status=403)

    on.before = refuse
    async with running(on, Specs(spec()), smoke=True) as one:
        await one.rest(60)
        assert "could not be tested: RunTask failed: not authorized" in findings(one)
        on.before = None
        await one.until(lambda: verified(on) == ["1.6.0"], limit=300)


async def test_machines_that_may_not_be_read_are_told_once_and_stop_nothing() -> None:
    on = cloud(fleet=ONE)

    def refuse(operation: str, _params: Mapping[str, Any]) -> None:
        if operation == "ListContainerInstances" and not on.calls[-1][2].get("filter"):
            raise AnswerError(operation, code="AccessDeniedException", message="not authorized", status=403)

    on.before = refuse
    async with running(on, Specs(spec(verified=False)), fleet_interval=60.0) as one:
        await one.rest(600)
        assert len(one.log.of("machines not read")) == 1
        assert one.daemon.inspection.found["default"].unread is not None


# Killed at any call
# --------------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


async def drive(on: Cloud, *, limit: float = 900.0) -> None:
    """Gates, one after the other dying, until all instances are verified."""
    settings, until = Settings(smoke=True), now() + limit
    while len(verified(on)) < 2:
        assert now() < until, "the instances were not verified"
        gate, ecs = gate_of(on, Log(), settings), on.gateway()
        try:
            while len(verified(on)) < 2 and now() < until:
                await gate.look("default", await ecs.fleet("default"))
                await asyncio.sleep(10)
        except ControllerError:
            await asyncio.sleep(10)
        except Killed:
            await asyncio.sleep(1)


def kills(on: Cloud, at: int, *, after: bool, lost: bool = False) -> None:
    """Let the process die, or an answer be lost, at one call."""
    seen: Iterator[int] = iter(range(10_000))

    def strike(operation: str, _params: Mapping[str, Any]) -> None:
        if next(seen) == at:
            raise NoAnswerError(operation, "the answer is lost", sent=True) if lost else Killed

    if after:
        on.after = strike
    else:
        on.before = strike


async def calls_of_one_run(**options: Any) -> int:
    on = cloud(**options)
    await drive(on)
    return len(on.calls)


@pytest.mark.parametrize("lag", [0.0, 4.0])
async def test_wherever_it_is_killed_every_instance_is_tested_once(lag: float) -> None:
    faults = Faults(lag=lag)
    count = await calls_of_one_run(faults=faults)
    assert count > 15
    for at in range(count):
        for after, lost in ((False, False), (True, False), (True, True)):
            on = cloud(faults=faults)
            kills(on, at, after=after, lost=lost)
            await drive(on)
            assert len(tests(on)) == 2, (at, after, lost)
            await asyncio.sleep(120)
            assert all(task.stopped_at is not None for task in tests(on)), (at, after, lost)
            assert verified(on) == ["1.6.0", "1.6.0"]
            families = on.hand("ListTaskDefinitions", familyPrefix="dl1-smoke-test-1-6")["taskDefinitionArns"]
            assert len(families) <= 1 + (lag > 0), (at, after, lost)


async def test_two_controllers_that_both_test_do_it_once() -> None:
    on = cloud()
    await asyncio.gather(drive(on), drive(on))
    assert len(tests(on)) == 2
