"""The machines of a cluster: whole or an error, and the names of their AMIs as far as EC2 tells."""

from typing import Any

import pytest

from controller.aws.api import AnswerError
from controller.aws.fleet import BATCH, FleetReader
from controller.errors import Denied, Transient
from controller.sandbox.clocks import ManualClock
from controller.sandbox.inprocess import InProcess
from controller.sandbox.simulator import Simulator


class Script:
    """An `Api` that answers each operation from its list."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {operation: list(listed) for operation, listed in answers.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def call(self, operation: str, params: Any) -> dict[str, Any]:
        self.calls.append((operation, dict(params)))
        answer = self.answers[operation].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def arns(start: int, stop: int) -> list[str]:
    return [f"arn:{number}" for number in range(start, stop)]


async def test_the_sandboxs_fleet_is_read() -> None:
    clock = ManualClock()
    reader = FleetReader(InProcess(Simulator(now=clock.at), clock))
    assert len(await reader.instances("default")) == 4
    (one, other) = await reader.instances("default", expression="attribute:ecs.instance-type == dl1.24xlarge")
    assert one["agentConnected"]
    assert other["ec2InstanceId"].startswith("i-")
    assert await reader.tasks("default") == ()
    found = await reader.cluster("default")
    assert found is not None
    assert found["status"] == "ACTIVE"
    assert await reader.cluster("nowhere") is None


async def test_pages_and_batches_are_put_together() -> None:
    count = BATCH + 20
    api = Script(
        ListTasks=[
            {"taskArns": arns(0, BATCH), "nextToken": "more"},
            {"taskArns": arns(BATCH, count)},
        ],
        DescribeTasks=[
            {"tasks": [{"taskArn": arn} for arn in arns(0, BATCH)]},
            {"tasks": [{"taskArn": arn} for arn in arns(BATCH, count)]},
        ],
    )
    assert [one["taskArn"] for one in await FleetReader(api).tasks("train")] == arns(0, count)
    assert api.calls[1] == ("ListTasks", {"cluster": "train", "maxResults": BATCH, "nextToken": "more"})
    assert [len(params["tasks"]) for operation, params in api.calls if operation == "DescribeTasks"] == [BATCH, 20]


async def test_what_is_gone_since_it_was_listed_is_left_out() -> None:
    api = Script(
        ListTasks=[{"taskArns": arns(0, 2)}],
        DescribeTasks=[{"tasks": [{"taskArn": "arn:0"}], "failures": [{"arn": "arn:1", "reason": "MISSING"}]}],
    )
    assert [one["taskArn"] for one in await FleetReader(api).tasks("train")] == ["arn:0"]


async def test_half_an_answer_is_an_error() -> None:
    api = Script(
        ListContainerInstances=[{"containerInstanceArns": arns(0, 2)}],
        DescribeContainerInstances=[{"containerInstances": [], "failures": [{"arn": "arn:1", "reason": "ERROR"}]}],
    )
    with pytest.raises(Transient, match=r"did not answer for all of cluster train \(ERROR\)"):
        await FleetReader(api).instances("train")


async def test_names_of_amis_are_asked_by_a_filter_and_once() -> None:
    ec2 = Script(DescribeImages=[{"Images": [{"ImageId": "ami-1", "Name": "dl1"}, {"ImageId": "ami-2"}]}])
    reader = FleetReader(Script(), ec2)
    assert await reader.ami_names(["ami-2", "ami-1", "ami-1", "ami-gone"]) == {"ami-1": "dl1"}
    ((_, params),) = ec2.calls
    assert params["Filters"] == [{"Name": "image-id", "Values": ["ami-1", "ami-2", "ami-gone"]}]
    assert params["IncludeDeprecated"] is True


async def test_without_amis_or_without_ec2_nobody_is_asked() -> None:
    assert await FleetReader(Script(), Script()).ami_names([]) == {}
    assert await FleetReader(Script()).ami_names(["ami-1"]) == {}


async def test_ec2_that_may_not_be_asked_is_denied() -> None:
    refused = AnswerError("DescribeImages", code="UnauthorizedOperation", message="no", status=403)
    with pytest.raises(Denied):
        await FleetReader(Script(), Script(DescribeImages=[refused])).ami_names(["ami-1"])
