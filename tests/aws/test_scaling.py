"""Who else moves a count: asked late, in batches, and only about counts that differ."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest

from controller.aws.api import AnswerError, Api, NoAnswerError
from controller.aws.client import Connection
from controller.aws.ecs import EcsReader
from controller.aws.scaling import Scaling, scaling
from controller.core.live import ScalableTarget
from controller.errors import Denied, Transient
from controller.sandbox.clocks import ManualClock
from controller.sandbox.inprocess import InProcess
from controller.sandbox.server import serve
from controller.sandbox.simulator import Simulator

RECORDED = Path(__file__).parents[1] / "data" / "recorded" / "autoscaling"


class Answers:
    """An `Api` that answers pages of targets and remembers what it was asked."""

    def __init__(self, *pages: Mapping[str, Any], error: Exception | None = None) -> None:
        self.pages = list(pages)
        self.error = error
        self.asked: list[Mapping[str, Any]] = []
        self.opened = 0
        self.closed = 0

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        assert operation == "DescribeScalableTargets"
        self.asked.append(params)
        if self.error is not None:
            raise self.error
        return dict(self.pages.pop(0)) if self.pages else {"ScalableTargets": []}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Api]:
        self.opened += 1
        try:
            yield self
        finally:
            self.closed += 1


def target(name: str, *, least: int = 1, most: int = 5, **suspended: bool) -> dict[str, Any]:
    return {
        "ResourceId": f"service/train/{name}", "MinCapacity": least, "MaxCapacity": most, "SuspendedState": suspended,
    }  # fmt: skip


async def test_nothing_is_connected_before_it_is_asked() -> None:
    answers = Answers()
    reader = Scaling(answers.connected)
    assert await reader.scalable_targets("train", []) == {}
    await reader.aclose()
    assert (answers.opened, answers.closed) == (0, 0)


async def test_fifty_in_a_call_and_one_connection() -> None:
    answers = Answers({"ScalableTargets": [target("s3")], "NextToken": "t"}, {"ScalableTargets": [target("s4")]})
    reader = Scaling(answers.connected)
    found = await reader.scalable_targets("train", (f"s{number}" for number in range(120)))
    await reader.aclose()
    assert set(found) == {"s3", "s4"}
    assert [len(params["ResourceIds"]) for params in answers.asked] == [50, 50, 50, 20]
    assert answers.asked[1]["NextToken"] == "t"
    assert answers.asked[0]["ResourceIds"][3] == "service/train/s3"
    assert (answers.opened, answers.closed) == (1, 1)


@pytest.mark.parametrize(
    ("suspended", "expected"),
    [
        ({}, False),
        ({"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}, False),
        (dict.fromkeys(
            ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"), True,
        ), True),
    ],
)  # fmt: skip
async def test_what_is_suspended_whole_moves_nothing(suspended: dict[str, bool], expected: bool) -> None:
    reader = Scaling(Answers({"ScalableTargets": [target("a", **suspended)]}).connected)
    assert (await reader.scalable_targets("train", ["a"]))["a"] == ScalableTarget(1, 5, suspended=expected)
    await reader.aclose()


async def test_what_aws_answered_in_2021() -> None:
    (file,) = RECORDED.glob("*DescribeScalableTargets_1.json")
    reader = Scaling(Answers(orjson.loads(file.read_bytes())).connected)
    name = "custodian-service-autoscaling-test"
    assert await reader.scalable_targets("test-cluster", [name]) == {name: ScalableTarget(1, 5)}
    await reader.aclose()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AnswerError("DescribeScalableTargets", code="AccessDeniedException", message="no", status=400), Denied),
        (NoAnswerError("DescribeScalableTargets", "no route", sent=False), Transient),
    ],
)
async def test_errors_are_of_the_one_tree(error: Exception, kind: type[Exception]) -> None:
    reader = Scaling(Answers(error=error).connected)
    with pytest.raises(kind):
        await reader.scalable_targets("train", ["a"])
    await reader.aclose()


async def test_without_it_nobody_is_asked() -> None:
    ecs = EcsReader(InProcess(Simulator(now=0.0), ManualClock()))
    assert await ecs.scalable_targets("train", ["a"]) == {}


async def test_over_the_wire_against_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parameters and the answer as botocore and another implementation of AWS have them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    async with serve() as server, scaling(Connection(region="us-east-1", endpoint_url=server.url)) as reader:
        assert await reader.scalable_targets("default", ["bert"]) == {}
        assert server._moto is not None
        await asyncio.to_thread(make_scalable_service, server._moto.url)
        assert await reader.scalable_targets("default", ["bert", "other"]) == {"bert": ScalableTarget(1, 4)}


def make_scalable_service(url: str) -> None:
    """moto scales only services of its own ECS, which is not the one that the sandbox serves."""
    with (
        closing(boto3.client("ecs", region_name="us-east-1", endpoint_url=url)) as ecs,
        closing(boto3.client("application-autoscaling", region_name="us-east-1", endpoint_url=url)) as client,
    ):
        ecs.create_cluster(clusterName="default")
        ecs.register_task_definition(family="bert", containerDefinitions=[{"name": "c", "image": "i", "memory": 64}])
        ecs.create_service(serviceName="bert", taskDefinition="bert", desiredCount=1)
        client.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId="service/default/bert",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=1,
            MaxCapacity=4,
        )
