"""A hand on a simulator: virtual time, every answer checked against botocore's output shape, every state for laws."""

import asyncio
import json
from pathlib import Path

import pytest

from controller.sandbox.consistency import check
from controller.sandbox.errors import EcsError
from controller.sandbox.shapes import output_shape, problems
from controller.sandbox.simulator import Options, Simulator

START = 1_800_000_000.0
RECORDED = Path(__file__).parents[1] / "data" / "recorded"


class Ecs:
    """Calls a simulator at its own time and watches over it."""

    def __init__(self, simulator=None, **options):
        self.simulator = simulator or Simulator(now=START, options=Options(**options))
        self.now = self.simulator.world.now
        self.called = set()

    def __call__(self, operation, **params):
        """One operation; its answer must fit botocore's output shape and leave the world possible."""
        before = json.dumps(params, sort_keys=True)
        answer = self.simulator.call(operation, params, self.now)
        assert json.dumps(params, sort_keys=True) == before, "the request was changed"
        assert not list(problems(output_shape(operation), answer)), list(problems(output_shape(operation), answer))
        json.dumps(answer)
        check(self.simulator.world)
        self.called.add(operation)
        return answer

    def refused(self, operation, **params):
        """The error of a call that must be refused, and must change nothing."""
        self.simulator.advance(self.now)
        world = self.simulator.world
        before = (dict(world.services), dict(world.tasks), dict(world.task_definitions), dict(world.instances))
        with pytest.raises(EcsError) as caught:
            self.simulator.call(operation, params, self.now)
        assert before == (world.services, world.tasks, world.task_definitions, world.instances)
        return caught.value

    def wait(self, seconds):
        """Let time pass, one due thing at a time, checking every state on the way."""
        end = self.now + seconds
        while (due := self.simulator.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.simulator.advance(self.now)
            check(self.simulator.world)
        self.now = end
        self.simulator.advance(end)

    def until(self, condition, limit=7200):
        """Let time pass until the condition holds; the seconds that it took."""
        begin = self.now
        while not condition():
            due = self.simulator.next_due()
            assert due is not None, "nothing will ever happen again"
            assert due - begin <= limit, f"not within {limit} s"
            self.wait(max(0.0, due - self.now))
        return self.now - begin

    def register(self, family="app", *, image="repo/app:1", **members):
        """A task definition of one container; its ARN."""
        container = {"name": "app", "image": image, "memory": 512, **members.pop("container", {})}
        return self("RegisterTaskDefinition", family=family, containerDefinitions=[container], **members)[
            "taskDefinition"
        ]["taskDefinitionArn"]

    def create(self, name="web", definition="app", count=1, **members):
        if members.get("schedulingStrategy") != "DAEMON":
            members["desiredCount"] = count
        return self("CreateService", serviceName=name, taskDefinition=definition, **members)["service"]

    def update(self, name="web", **members):
        return self("UpdateService", service=name, **members)["service"]

    def service(self, name="web", **params):
        return self("DescribeServices", services=[name], **params)["services"][0]

    def steady(self, name="web", limit=7200):
        """Wait for the rollout to be complete; the service."""

        def complete():
            service = self.service(name)
            rollouts = [deployment["rolloutState"] for deployment in service["deployments"]]
            return rollouts == ["COMPLETED"] and service["runningCount"] == service["desiredCount"]

        self.until(complete, limit)
        return self.service(name)

    def messages(self, name="web"):
        """The events of a service, oldest first, without the `(service NAME)` in front."""
        return [event["message"].removeprefix(f"(service {name}) ") for event in reversed(self.service(name)["events"])]

    def tasks(self, name="web", **params):
        params = {"serviceName": name} | params
        arns = self("ListTasks", **params)["taskArns"]
        return self("DescribeTasks", tasks=arns)["tasks"] if arns else []

    def task(self, arn):
        return self("DescribeTasks", tasks=[arn])["tasks"][0]

    def instances(self):
        arns = self("ListContainerInstances")["containerInstanceArns"]
        return self("DescribeContainerInstances", containerInstances=arns)["containerInstances"]

    def kind(self, arn):
        """The instance type of a container instance."""
        return self.simulator.world.instances[arn].attributes["ecs.instance-type"]


@pytest.fixture(scope="session", autouse=True)
def no_stray_loop():
    """looptime asks the policy for a loop around synchronous tests too, and nobody would close the one it makes."""
    asyncio.set_event_loop(None)


@pytest.fixture
def ecs():
    """Two DL1 and two m5.2xlarge in the cluster `default`."""
    return Ecs()


@pytest.fixture
def make_ecs():
    return Ecs


@pytest.fixture
def recorded():
    """A recorded answer or pair by its path below tests/data/recorded."""
    return lambda path: json.loads((RECORDED / path).read_text())
