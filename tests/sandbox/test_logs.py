"""What simulated containers write, read as CloudWatch Logs gives it out, and by boto3 over HTTP."""

import asyncio

import boto3
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from controller.sandbox import logs
from controller.sandbox.clocks import ManualClock
from controller.sandbox.errors import EcsError
from controller.sandbox.images import Exits, ImageRule, Images
from controller.sandbox.server import serve
from controller.sandbox.shapes import problems

OPTIONS = {"awslogs-group": "/ecs/train", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "bert"}
LOGGED = {"logConfiguration": {"logDriver": "awslogs", "options": OPTIONS}}
MODEL = ServiceModel(Loader().load_service_model("logs", "service-2"))


@pytest.fixture
def ecs(make_ecs):
    return make_ecs(images=Images((ImageRule("*:fails", Exits(after=10, code=3, reason="out of luck")),)))


def read(ecs, operation, **params):
    answer = logs.OPERATIONS[operation](ecs.simulator.world, params)
    shape = MODEL.operation_model(operation).output_shape
    assert not list(problems(shape, answer)), list(problems(shape, answer))
    return answer


def stream_of(arn):
    return f"bert/app/{arn.rpartition('/')[2]}"


def events(ecs, arn, **params):
    return read(ecs, "GetLogEvents", logGroupName="/ecs/train", logStreamName=stream_of(arn), **params)


def messages(answer):
    return [event["message"] for event in answer["events"]]


def test_a_container_says_when_it_begins_and_what_it_dies_of(ecs):
    ecs.register("job", image="repo/app:fails", container=LOGGED)
    arn = ecs("RunTask", taskDefinition="job")["tasks"][0]["taskArn"]
    ecs.wait(60)
    said = events(ecs, arn, startFromHead=True)
    assert messages(said) == ["app begins: repo/app:fails", "out of luck", "exit 3"]
    times = [event["timestamp"] for event in said["events"]]
    assert times[1] - times[0] == 10_000
    ecs.wait(4000)
    assert messages(events(ecs, arn, startFromHead=True)) == messages(said), "streams outlive their tasks"


def test_a_smoke_test_prints_its_cards(ecs):
    ecs.register("smoke", container={**LOGGED, "command": ["hl-smi"]})
    constraint = [{"type": "memberOf", "expression": "attribute:ecs.instance-type == dl1.24xlarge"}]
    on_dl1 = ecs("RunTask", taskDefinition="smoke", placementConstraints=constraint)["tasks"][0]["taskArn"]
    ecs.wait(60)
    said = messages(events(ecs, on_dl1, startFromHead=True))
    assert sum("HL-205" in line for line in said) == 8
    assert said[-1] == "exit 0"


def test_what_logs_elsewhere_says_nothing_here(ecs):
    ecs.register("quiet")
    ecs("RunTask", taskDefinition="quiet")
    ecs.wait(60)
    assert ecs.simulator.world.logs == {}


def test_pages_forward_and_back(ecs):
    ecs.register("job", image="repo/app:fails", container=LOGGED)
    arn = ecs("RunTask", taskDefinition="job")["tasks"][0]["taskArn"]
    ecs.wait(60)
    first = events(ecs, arn, startFromHead=True, limit=2)
    second = events(ecs, arn, startFromHead=True, limit=2, nextToken=first["nextForwardToken"])
    assert (len(messages(first)), messages(second)) == (2, ["exit 3"])
    end = events(ecs, arn, startFromHead=True, nextToken=second["nextForwardToken"])
    assert (messages(end), end["nextForwardToken"]) == ([], second["nextForwardToken"])
    last = events(ecs, arn, limit=1)
    assert messages(last) == ["exit 3"]
    assert messages(events(ecs, arn, limit=1, nextToken=last["nextBackwardToken"])) == ["out of luck"]
    late = first["events"][0]["timestamp"] + 1
    assert messages(events(ecs, arn, startFromHead=True, startTime=late)) == ["out of luck", "exit 3"]


def test_streams_by_name_and_by_time(ecs):
    ecs.register("job", container=LOGGED)
    tasks = []
    for _ in range(3):
        tasks.append(ecs("RunTask", taskDefinition="job")["tasks"][0]["taskArn"])
        ecs.wait(100)
    group = {"logGroupName": "/ecs/train"}
    newest = read(ecs, "DescribeLogStreams", **group, orderBy="LastEventTime", descending=True, limit=2)
    assert [one["logStreamName"] for one in newest["logStreams"]] == [stream_of(tasks[2]), stream_of(tasks[1])]
    rest = read(
        ecs, "DescribeLogStreams", **group, orderBy="LastEventTime", descending=True, nextToken=newest["nextToken"]
    )
    assert [one["logStreamName"] for one in rest["logStreams"]] == [stream_of(tasks[0])]
    named = read(ecs, "DescribeLogStreams", **group, logStreamNamePrefix=stream_of(tasks[1]))
    assert [one["logStreamName"] for one in named["logStreams"]] == [stream_of(tasks[1])]


@pytest.mark.parametrize(
    ("group", "stream", "text"), [("/ecs/no", "x", "log group"), ("/ecs/train", "x", "log stream")]
)
def test_what_does_not_exist(ecs, group, stream, text):
    ecs.register("job", container=LOGGED)
    ecs("RunTask", taskDefinition="job")
    ecs.wait(60)
    with pytest.raises(EcsError, match=text) as caught:
        read(ecs, "GetLogEvents", logGroupName=group, logStreamName=stream)
    assert caught.value.code == "ResourceNotFoundException"


async def test_over_http_the_sandboxs_own_logs_and_moto_for_the_others():
    clock = ManualClock()

    def ask(url):
        client = {
            name: boto3.client(
                name, endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
            )
            for name in ("ecs", "logs")
        }
        container = {"name": "app", "image": "app:1", "memory": 64, **LOGGED}
        client["ecs"].register_task_definition(family="job", containerDefinitions=[container])
        arn = client["ecs"].run_task(taskDefinition="job")["tasks"][0]["taskArn"]
        clock.advance(60)
        ours = client["logs"].get_log_events(
            logGroupName="/ecs/train", logStreamName=stream_of(arn), startFromHead=True
        )
        client["logs"].create_log_group(logGroupName="other")
        client["logs"].create_log_stream(logGroupName="other", logStreamName="s")
        at = int(clock.now() * 1000)
        client["logs"].put_log_events(
            logGroupName="other", logStreamName="s", logEvents=[{"timestamp": at, "message": "hello"}]
        )
        theirs = client["logs"].get_log_events(logGroupName="other", logStreamName="s", startFromHead=True)
        return messages(ours), theirs["ResponseMetadata"]["HTTPStatusCode"]

    async with serve(clock=clock) as server:
        ours, theirs = await asyncio.to_thread(ask, server.url)
    assert (ours, theirs) == (["app begins: app:1"], 200)
