"""Standalone tasks through the gateway: pages, batches, tokens, and what a lost answer leaves behind."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.loaders import Loader

from controller.aws.api import AnswerError, NoAnswerError
from controller.aws.buckets import BUCKET_OF
from controller.aws.client import is_read
from controller.aws.errors import classify
from controller.aws.tasks import TaskGateway, TaskReader
from controller.core.tasks import Unplaced, unplaced
from controller.errors import Ambiguous, ControllerError, Stalled, Transient, Waiting
from controller.reasons import Reason
from controller.reconcile.ports import ReadTasks, Tasks
from controller.sandbox.clocks import LoopClock
from controller.sandbox.faults import Faults
from controller.sandbox.fleet import DEFAULT_FLEET, DL1, Machine
from controller.sandbox.images import Exits, ImageRule, Images
from controller.sandbox.inprocess import Ec2InProcess, InProcess
from controller.sandbox.simulator import Options, Simulator

pytestmark = pytest.mark.looptime

CONTAINER = {"name": "app", "image": "app:1", "memory": 100}
ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/"
FAILS = Images((ImageRule("*:fails", Exits(after=10, code=3, reason="it failed")),))


class Simulated:
    """A simulated cluster behind the gateway: counts, and lets a test stand in the way."""

    def __init__(self, fleet: tuple[Machine, ...] = DEFAULT_FLEET, *, lag: float = 0.0) -> None:
        options = Options(fleet=fleet, images=FAILS, faults=Faults(lag=lag))
        self.simulator = Simulator(now=LoopClock().epoch, options=options)
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.changed: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda _, answer: answer
        self._api = InProcess(self.simulator, LoopClock())

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, params))
        return self.changed(operation, await self._api.call(operation, params))

    @property
    def counts(self) -> Counter[str]:
        return Counter(operation for operation, _ in self.calls)

    def hand(self, operation: str, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.simulator.call(operation, params, self.simulator.world.now)
        return answer

    def define(self, family: str = "app", **members: Any) -> None:
        self.hand("RegisterTaskDefinition", family=family, containerDefinitions=[CONTAINER | members])

    def started(self, count: int, **members: Any) -> list[str]:
        """ARNs of tasks that a hand has started, by tens."""
        request = {"taskDefinition": "app", **members}
        answers = [self.hand("RunTask", count=min(10, count - at), **request) for at in range(0, count, 10)]
        return [str(task["taskArn"]) for answer in answers for task in answer["tasks"]]


@pytest.fixture
def ecs() -> Simulated:
    ecs = Simulated()
    ecs.define()
    return ecs


# Reads
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (1, 1), (100, 1), (101, 2), (210, 3)])
async def test_tasks_are_listed_by_hundreds(ecs: Simulated, count: int, calls: int) -> None:
    arns = ecs.started(count)
    assert sorted(await TaskReader(ecs).list_tasks("default")) == sorted(arns)
    assert ecs.counts == {"ListTasks": calls}


async def test_each_filter_finds_its_own(ecs: Simulated) -> None:
    ecs.define("other")
    ecs.hand("CreateService", serviceName="web", taskDefinition="app", desiredCount=1)
    ecs.simulator.advance(ecs.simulator.world.now + 60)
    job = ecs.started(2, startedBy="job/1")
    other = ecs.started(1, taskDefinition="other")
    reader = TaskReader(ecs)
    assert sorted(await reader.list_tasks("default", started_by="job/1")) == sorted(job)
    assert list(await reader.list_tasks("default", family="other")) == other
    (served,) = await reader.list_tasks("default", service="web")
    assert served not in {*job, *other}
    where = (await reader.describe_tasks("default", other))[other[0]].instance
    assert where is not None
    assert other[0] in await reader.list_tasks("default", instance=where)


async def test_what_has_ended_is_listed_where_it_is_asked_for_and_never_by_who_started_it(ecs: Simulated) -> None:
    (arn,) = ecs.started(1, startedBy="job/1")
    ecs.hand("StopTask", task=arn)
    reader = TaskReader(ecs)
    assert await reader.list_tasks("default", started_by="job/1") == ()
    assert await reader.list_tasks("default", family="app") == ()
    assert await reader.list_tasks("default", family="app", stopped=True) == (arn,)
    with pytest.raises(Stalled, match="only filter"):
        await reader.list_tasks("default", started_by="job/1", stopped=True)


@pytest.mark.parametrize(("count", "calls"), [(0, 0), (1, 1), (100, 1), (101, 2), (210, 3)])
async def test_tasks_are_described_by_hundreds_with_their_tags(ecs: Simulated, count: int, calls: int) -> None:
    arns = ecs.started(count, tags=[{"key": "job", "value": "a"}])
    found = await TaskReader(ecs).describe_tasks("default", [*arns, *arns])
    assert list(found) == arns
    assert all(task.tags == {"job": "a"} for task in found.values())
    assert ecs.counts == ({"DescribeTasks": calls} if calls else {})


async def test_a_task_from_its_beginning_to_its_end(ecs: Simulated) -> None:
    ecs.define("bad", image="app:fails")
    (arn,) = ecs.started(1, taskDefinition="bad", startedBy="job/1", group="job:1")
    reader = TaskReader(ecs)
    task = (await reader.describe_tasks("default", [arn]))[arn]
    assert (task.status, task.desired, task.ending, task.stopped) == ("PENDING", "RUNNING", False, False)
    assert (task.started_by, task.group, task.short) == ("job/1", "job:1", arn.rpartition("/")[2])
    assert (task.definition.rpartition("/")[2], task.started_at, task.stopped_at) == ("bad:1", None, None)
    assert [one.exit_code for one in task.containers] == [None]
    ecs.simulator.advance(ecs.simulator.world.now + 120)
    task = (await reader.describe_tasks("default", [arn]))[arn]
    assert (task.status, task.ending, task.stopped) == ("STOPPED", True, True)
    assert (task.stop_code, task.stopped_reason) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    (container,) = task.containers
    assert (container.name, container.image, container.exit_code, container.reason) == (
        *("app", "app:fails"),
        *(3, "it failed"),
    )
    assert task.started_at is not None
    assert task.stopped_at is not None
    assert task.created_at < task.started_at < task.stopped_at
    ecs.simulator.advance(ecs.simulator.world.now + 3700)
    assert await reader.describe_tasks("default", [arn]) == {}, "ECS has forgotten it"


@pytest.mark.parametrize(
    "broken",
    [
        lambda answer: answer | {"failures": [{"arn": "x", "reason": "UNAVAILABLE"}], "tasks": []},
        lambda answer: answer | {"failures": [*answer["failures"], {"arn": "x", "reason": "ODD"}]},
        lambda answer: answer | {"tasks": answer["tasks"][1:]},
        lambda _: {},
    ],
    ids=["other reason", "other reason beside", "one too few", "nothing"],
)
async def test_half_an_answer_is_an_error_and_no_task_is_taken_for_missing(ecs: Simulated, broken: Any) -> None:
    arns = ecs.started(2)
    ecs.changed = lambda _, answer: broken(answer)
    with pytest.raises(Transient, match="did not answer for all of 2 tasks of cluster default") as caught:
        await TaskReader(ecs).describe_tasks("default", arns)
    assert caught.value.reason is Reason.SERVER_ERROR


async def test_a_fresh_task_may_be_missing_for_readers_that_lag() -> None:
    """Why a caller must not start again what it does not find."""
    ecs = Simulated(lag=5.0)
    ecs.define()
    ecs.simulator.advance(ecs.simulator.world.now + 6)
    arns = ecs.started(1, startedBy="job/1")
    reader = TaskReader(ecs)
    assert await reader.list_tasks("default", started_by="job/1") == ()
    assert await reader.describe_tasks("default", arns) == {}
    ecs.simulator.advance(ecs.simulator.world.now + 6)
    assert set(await reader.describe_tasks("default", arns)) == set(arns)


async def test_the_addresses_of_instances(ecs: Simulated) -> None:
    instances = ecs.hand("ListContainerInstances")["containerInstanceArns"]
    gone = instances[0].rpartition("/")[0] + "/" + "0" * 32
    reader = TaskReader(ecs, Ec2InProcess(ecs.simulator, LoopClock()))
    found = await reader.addresses("default", [*instances, gone, *instances])
    assert set(found) == set(instances)
    assert len(set(found.values())) == len(instances)
    assert ecs.counts == {"DescribeContainerInstances": 1}
    assert await TaskReader(ecs).addresses("default", []) == {}
    with pytest.raises(Stalled, match="no connection to EC2"):
        await TaskReader(ecs).addresses("default", instances)


# Writes
# ----------------------------------------------------------------------------------------------------------------------

REQUEST = {"cluster": "default", "taskDefinition": "app", "count": 2, "clientToken": "uid-1", "startedBy": "job/1"}


async def test_a_lost_answer_is_ambiguous_and_the_same_token_finds_the_tasks(ecs: Simulated) -> None:
    def lost(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
        if ecs.counts["RunTask"] == 1:
            raise NoAnswerError(operation, "Read timeout", sent=True)
        return answer

    ecs.changed = lost
    gateway = TaskGateway(ecs)
    with pytest.raises(Ambiguous) as caught:
        await gateway.run_task(REQUEST)
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN
    assert ecs.counts == {"RunTask": 1}, "sent once"
    again = await gateway.run_task(REQUEST)
    assert len(again.tasks) == 2
    assert set(await gateway.list_tasks("default", started_by="job/1")) == {task.arn for task in again.tasks}


async def test_a_token_with_other_parameters_names_the_tasks_that_it_started(ecs: Simulated) -> None:
    gateway = TaskGateway(ecs)
    first = await gateway.run_task(REQUEST)
    with pytest.raises(Transient, match=first.tasks[0].arn) as caught:
        await gateway.run_task(REQUEST | {"count": 3})
    assert caught.value.reason is Reason.CONFLICT
    assert not isinstance(caught.value, Ambiguous)
    assert len(await gateway.list_tasks("default")) == 2


async def test_what_finds_no_place_is_told_beside_what_has_begun(ecs: Simulated) -> None:
    ports = [{"containerPort": 9000, "hostPort": 9000}]
    members = {"networkMode": "host", "containerDefinitions": [CONTAINER | {"portMappings": ports}]}
    ecs.hand("RegisterTaskDefinition", family="port", **members)
    started = await TaskGateway(ecs).run_task({"taskDefinition": "port", "count": 10})
    assert len(started.tasks) == 4, "one for each instance"
    assert {one.reason for one in started.unplaced} == {"RESOURCE:PORTS"}
    assert {one.instance for one in started.unplaced} == {task.instance for task in started.tasks}


async def test_a_cluster_without_instances_has_no_room() -> None:
    ecs = Simulated(fleet=())
    ecs.define()
    with pytest.raises(Waiting) as caught:
        await TaskGateway(ecs).run_task(REQUEST)
    assert caught.value.reason is Reason.NO_CAPACITY


def test_a_failure_without_instance_is_a_reason_only() -> None:
    assert unplaced({"reason": "ATTRIBUTE"}) == Unplaced("ATTRIBUTE")


async def test_a_task_is_stopped_with_its_reason_once(ecs: Simulated) -> None:
    (arn,) = ecs.started(1)
    gateway = TaskGateway(ecs)
    stopping = await gateway.stop_task("default", arn, reason="its gang is not complete")
    assert (stopping.desired, stopping.ending) == ("STOPPED", True)
    again = await gateway.stop_task("default", arn, reason="another reason")
    assert again.stopped_reason == "its gang is not complete"
    with pytest.raises(Transient, match="not found") as caught:
        await gateway.stop_task("default", ARN + "0" * 32, reason="gone")
    assert caught.value.reason is Reason.CONFLICT


async def test_attributes_are_put_and_taken_by_tens() -> None:
    ecs = Simulated(fleet=(Machine(DL1),))
    (instance,) = ecs.hand("ListContainerInstances")["containerInstanceArns"]

    def custom() -> dict[str, str | None]:
        wire = ecs.hand("DescribeContainerInstances", containerInstances=[instance])["containerInstances"][0]
        return {one["name"]: one.get("value") for one in wire["attributes"] if one["name"].startswith("gaudi.")}

    gateway = TaskGateway(ecs)
    await gateway.put_attributes("default", instance, {"gaudi.smoke": "1.11.0", "gaudi.seen": "yes"})
    assert custom() == {"gaudi.smoke": "1.11.0", "gaudi.seen": "yes"}
    await gateway.delete_attributes("default", instance, ["gaudi.seen", "gaudi.never"])
    assert custom() == {"gaudi.smoke": "1.11.0"}
    with pytest.raises(Stalled) as caught:
        await gateway.put_attributes("default", instance, {f"gaudi.{number}": "x" for number in range(19)})
    assert caught.value.reason is Reason.LIMIT_EXCEEDED
    assert ecs.counts == {"PutAttributes": 2, "DeleteAttributes": 1}
    with pytest.raises(Transient):
        await gateway.put_attributes("default", instance.rpartition("/")[0] + "/" + "0" * 32, {"gaudi.smoke": "1"})


# What all of them keep
# ----------------------------------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[TaskGateway, str], Any]] = {
    "RunTask": lambda g, _: g.run_task(REQUEST),
    "StopTask": lambda g, task: g.stop_task("default", task, reason="r"),
    "PutAttributes": lambda g, _: g.put_attributes("default", "i", {"gaudi.a": "b"}),
    "DeleteAttributes": lambda g, _: g.delete_attributes("default", "i", ["gaudi.a"]),
}


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("sent", [True, False])
async def test_a_write_is_sent_once_whatever_becomes_of_it(operation: str, sent: bool) -> None:
    calls: list[str] = []

    class Lost:
        async def call(self, operation: str, _: Mapping[str, Any]) -> dict[str, Any]:
            calls.append(operation)
            raise NoAnswerError(operation, "lost", sent=sent)

    with pytest.raises(Transient) as caught:
        await WRITES[operation](TaskGateway(Lost()), ARN + "1")
    assert isinstance(caught.value, Ambiguous) is sent
    assert calls == [operation]
    assert not is_read(operation)


def offered(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_a_reader_offers_reads_only() -> None:
    assert offered(TaskReader) == offered(ReadTasks) == {"list_tasks", "describe_tasks", "addresses"}
    assert offered(Tasks) - offered(ReadTasks) == {"run_task", "stop_task"}
    assert offered(TaskGateway) - offered(TaskReader) == {*offered(Tasks) - offered(ReadTasks), *ATTRIBUTES}


ATTRIBUTES = {"put_attributes", "delete_attributes"}


def test_each_call_has_its_published_bucket() -> None:
    assert {BUCKET_OF[one].name for one in ("ListTasks", "DescribeTasks")} == {"cluster-resource-read"}
    assert {BUCKET_OF[one].name for one in WRITES} == {"cluster-resource-modify"}
    assert (BUCKET_OF["RunTask"].burst, BUCKET_OF["RunTask"].refill) == (100, 40)


@pytest.mark.parametrize("operation", ["ListTasks", "DescribeTasks", *WRITES])
def test_every_error_that_ecs_models_for_these_calls_means_something(operation: str) -> None:
    """No modelled error may fall through to a bare ControllerError, which nobody would know how to follow."""
    model = Loader().load_service_model("ecs", "service-2")
    for error in model["operations"][operation]["errors"]:
        told = classify(AnswerError(operation, code=error["shape"], message=""), write=not is_read(operation))
        assert type(told) is not ControllerError
