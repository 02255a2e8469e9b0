"""Every example is valid, is planned, and runs where it should on the simulated ECS."""

from pathlib import Path

import pytest

from controller.core.desired import Desired, desire
from controller.core.plan import Drift
from controller.core.render import Settings
from tests.laws.conftest import Hands

EXAMPLES = sorted((Path(__file__).parent.parent / "deploy" / "examples").glob("*.yaml"))


def read(file: Path) -> Desired:
    return desire({file.name: file.read_bytes()}, Settings())


def test_there_are_examples() -> None:
    jobs, services = {"hl-smi-job", "gang-training"}, {"hl-smi", "pytorch-training", "two-on-one-instance"}
    assert {file.stem for file in EXAMPLES} == jobs | services


@pytest.mark.parametrize(
    "file", [one for one in EXAMPLES if "DL1Job" not in one.read_text()], ids=lambda file: file.stem
)
async def test_an_example_is_valid_planned_and_runs(file: Path) -> None:
    wanted = read(file)
    assert wanted.diagnostics == ()
    hands = Hands()
    for one in wanted.rendered.values():
        planned = await hands.plan(one)
        assert planned.drift is Drift.MISSING
        assert [type(step).__name__ for step in planned.steps] == ["EnsureTaskDefinition", "CreateService"]
        await hands.act(one, planned)
    hands.rest(60)
    for one in wanted.rendered.values():
        assert (await hands.plan(one)).drift is Drift.IN_SYNC
    assert instance_types(hands) == {"dl1.24xlarge"}


async def test_the_two_halves_share_one_instance() -> None:
    hands = Hands()
    for one in read(next(file for file in EXAMPLES if file.stem == "two-on-one-instance")).rendered.values():
        await hands.converge(one)
    hands.rest(120)
    tasks = hands.call("DescribeTasks", tasks=hands.call("ListTasks")["taskArns"])["tasks"]
    assert [task["lastStatus"] for task in tasks] == ["RUNNING", "RUNNING"]
    assert len({task["containerInstanceArn"] for task in tasks}) == 1


def instance_types(hands: Hands) -> set[str]:
    """Types of the instances on which tasks were started; hl-smi's have ended when one looks."""
    stopped = hands.call("ListTasks", desiredStatus="STOPPED")["taskArns"]
    arns = [*hands.call("ListTasks")["taskArns"], *stopped]
    tasks = hands.call("DescribeTasks", tasks=arns)["tasks"]
    instances = sorted({task["containerInstanceArn"] for task in tasks})
    found = hands.call("DescribeContainerInstances", containerInstances=instances)["containerInstances"]
    attributes = [attribute for one in found for attribute in one["attributes"]]
    return {attribute["value"] for attribute in attributes if attribute["name"] == "ecs.instance-type"}
