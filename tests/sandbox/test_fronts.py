"""The two fronts without sockets: the controller's Api, and the real aiobotocore client under virtual time."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import exceptions as boto

from controller.aws.api import AnswerError, Api, NoAnswerError
from controller.sandbox.clocks import LoopClock, ManualClock, RealClock
from controller.sandbox.faults import BUCKETS, Faults
from controller.sandbox.inprocess import InProcess
from controller.sandbox.sandbox import Sandbox
from controller.sandbox.simulator import Options, Simulator
from controller.sandbox.transport import Transport

CONTAINER = {"name": "app", "image": "repo/app:1", "memory": 512}


class Recorder:
    """An interceptor that writes down what it sees and fails on demand."""

    def __init__(self, *, lose_request=None, lose_answer=None):
        self.seen = []
        self.lose_request = lose_request
        self.lose_answer = lose_answer

    async def before(self, operation, params):
        self.seen.append(operation)
        if operation == self.lose_request:
            raise NoAnswerError(operation, "no route", sent=False)

    async def after(self, operation, params, answer):
        if operation == self.lose_answer:
            raise NoAnswerError(operation, "connection reset", sent=True)
        return answer


@pytest.fixture
def simulator():
    return Simulator(now=1000.0)


@pytest.fixture
def clock():
    return ManualClock(1000.0)


async def test_in_process_is_an_api(simulator, clock):
    api: Api = InProcess(simulator, clock)
    await api.call("RegisterTaskDefinition", {"family": "app", "containerDefinitions": [CONTAINER]})
    params = {"serviceName": "web", "taskDefinition": "app", "desiredCount": 1}
    created = await api.call("CreateService", params)
    created["service"]["deployments"].clear()
    params["desiredCount"] = 7
    clock.advance(120)
    service = (await api.call("DescribeServices", {"services": ["web"]}))["services"][0]
    assert (service["desiredCount"], service["runningCount"], len(service["deployments"])) == (1, 1, 1)
    assert isinstance(service["createdAt"], float)


async def test_in_process_raises_answer_errors(simulator, clock):
    with pytest.raises(AnswerError) as caught:
        await InProcess(simulator, clock).call("UpdateService", {"service": "no"})
    error = caught.value
    assert (error.operation, error.code, error.text, error.status) == (
        "UpdateService",
        "ServiceNotFoundException",
        "Service not found.",
        400,
    )


async def test_lost_requests_and_lost_answers(simulator, clock):
    register = ("RegisterTaskDefinition", {"family": "app", "containerDefinitions": [CONTAINER]})
    lost_request = InProcess(simulator, clock, interceptor=Recorder(lose_request="RegisterTaskDefinition"))
    with pytest.raises(NoAnswerError) as caught:
        await lost_request.call(*register)
    assert caught.value.sent is False
    assert simulator.world.task_definitions == {}
    recorder = Recorder(lose_answer="RegisterTaskDefinition")
    with pytest.raises(NoAnswerError) as caught:
        await InProcess(simulator, clock, interceptor=recorder).call(*register)
    assert caught.value.sent is True
    assert len(simulator.world.task_definitions) == 1
    assert recorder.seen == ["RegisterTaskDefinition"]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_latency_is_waited_for():
    simulator = Simulator(now=0.0, options=Options(faults=Faults(latency=2.5)))
    begin = asyncio.get_running_loop().time()
    await InProcess(simulator, LoopClock(0.0)).call("ListServices", {})
    assert asyncio.get_running_loop().time() - begin == pytest.approx(2.5)


@asynccontextmanager
async def client(transport, *, region="us-east-1", **config):
    session = AioSession()
    session.set_credentials("AKIDEXAMPLE", "secret")
    settings = AioConfig(retries={"mode": "standard", "max_attempts": 3}, **config)
    async with session.create_client("ecs", region_name=region, config=settings) as ecs:
        transport.attach(ecs)
        yield ecs


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_the_real_client_under_virtual_time():
    transport = Transport(Sandbox(), LoopClock())
    async with client(transport) as ecs:
        await ecs.register_task_definition(family="app", containerDefinitions=[CONTAINER])
        await ecs.create_service(serviceName="web", taskDefinition="app", desiredCount=2)
        begin = asyncio.get_running_loop().time()
        await ecs.get_waiter("services_stable").wait(services=["web"])
        assert 15 <= asyncio.get_running_loop().time() - begin <= 45
        service = (await ecs.describe_services(services=["web"]))["services"][0]
        assert (service["runningCount"], service["createdAt"].year) == (2, 2027)
        pages = [page async for page in ecs.get_paginator("list_tasks").paginate(PaginationConfig={"PageSize": 1})]
        assert [len(page["taskArns"]) for page in pages] == [1, 1]
        with pytest.raises(ecs.exceptions.ServiceNotFoundException, match=r"Service not found\."):
            await ecs.update_service(service="nope")
        with pytest.raises(boto.ClientError) as caught:
            await ecs.describe_services(services=["s"] * 11)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert caught.value.response["ResponseMetadata"]["RequestId"].startswith("00000000-")


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_regions_are_worlds_of_their_own():
    sandbox = Sandbox()
    transport = Transport(sandbox, LoopClock())
    async with client(transport) as east, client(transport, region="us-west-2") as west:
        await east.create_cluster(clusterName="train")
        assert len((await east.list_clusters())["clusterArns"]) == 2
        arns = (await west.list_clusters())["clusterArns"]
        assert arns == ["arn:aws:ecs:us-west-2:123456789012:cluster/default"]
    copy = sandbox.copy()
    assert copy.region("us-east-1", 0.0) is not sandbox.region("us-east-1", 0.0)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_throttles_are_retried_by_the_client():
    recorder = Recorder()
    transport = Transport(Sandbox(Options(faults=Faults(buckets=BUCKETS))), LoopClock(), interceptor=recorder)
    async with client(transport) as ecs:
        for _ in range(20):
            await ecs.create_cluster(clusterName="train")
        assert len(recorder.seen) == 20
        await ecs.create_cluster(clusterName="train")
        assert len(recorder.seen) > 21


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_interceptor_can_break_the_connection():
    class Cut(Recorder):
        async def after(self, operation, params, answer):
            raise boto.ConnectionClosedError(endpoint_url="https://ecs")

    transport = Transport(Sandbox(), LoopClock(), interceptor=Cut())
    async with client(transport) as ecs:
        with pytest.raises(boto.ConnectionClosedError):
            await ecs.create_cluster(clusterName="train")
    assert len(transport.sandbox.region("us-east-1", 0.0).world.clusters) == 2


def test_a_real_clock_can_run_fast():
    clock = RealClock(speed=1e6)
    first = clock.now()
    assert clock.now() > first
