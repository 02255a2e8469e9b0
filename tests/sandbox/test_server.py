"""The HTTP front, as a bare boto3 sees it. The clock is moved by hand: nothing waits."""

import asyncio
import gc
import json
import threading
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from controller.sandbox import moto
from controller.sandbox.clocks import ManualClock
from controller.sandbox.server import serve

ON_DL1 = [{"type": "memberOf", "expression": "attribute:ecs.instance-type == dl1.24xlarge"}]


def aws(server, service, region="us-east-1"):
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name=region,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"mode": "standard"}),
    )


@pytest.fixture
def clock():
    return ManualClock()


def bare_script(server, clock):
    """What anybody with boto3 and AWS_ENDPOINT_URL would do: create, look, scale, roll, delete."""
    ecs = aws(server, "ecs")
    told = []
    ecs.register_task_definition(
        family="bert",
        networkMode="host",
        placementConstraints=ON_DL1,
        containerDefinitions=[{"name": "app", "image": "repo/bert:1", "cpu": 98_304, "memory": 700_000}],
    )
    ecs.create_service(
        serviceName="bert",
        taskDefinition="bert",
        desiredCount=2,
        deploymentConfiguration={
            "minimumHealthyPercent": 0,
            "maximumPercent": 100,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        },
    )
    clock.advance(120)
    ecs.get_waiter("services_stable").wait(services=["bert"], WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    arns = ecs.list_tasks(serviceName="bert")["taskArns"]
    hosts = [task["containerInstanceArn"] for task in ecs.describe_tasks(tasks=arns)["tasks"]]
    for instance in ecs.describe_container_instances(containerInstances=hosts)["containerInstances"]:
        told += [a["value"] for a in instance["attributes"] if a["name"] == "ecs.instance-type"]
    service = ecs.describe_services(services=["bert"])["services"][0]
    told += [event["message"].partition(") ")[2][:12] for event in service["events"]]
    told += [(d["status"], d["rolloutState"]) for d in service["deployments"]]
    ecs.register_task_definition(
        family="bert", containerDefinitions=[{"name": "app", "image": "repo/bert:broken", "memory": 700_000}]
    )
    ecs.update_service(service="bert", taskDefinition="bert")
    clock.advance(3600)
    rollouts = ecs.list_service_deployments(service="bert")["serviceDeployments"]
    told += [rollout["status"] for rollout in rollouts]
    told.append(ecs.describe_services(services=["bert"])["services"][0]["taskDefinition"].rpartition("/")[2])
    ecs.update_service(service="bert", desiredCount=1)
    clock.advance(120)
    told.append(len(ecs.list_tasks(serviceName="bert")["taskArns"]))
    ecs.update_service(service="bert", desiredCount=0)
    told.append(ecs.delete_service(service="bert")["service"]["status"])
    clock.advance(120)
    told.append(ecs.describe_services(services=["bert"])["services"][0]["status"])
    told.append(ecs.list_services()["serviceArns"])
    return told


async def test_a_bare_boto3_script(clock):
    async with serve(clock=clock) as server:
        told = await asyncio.to_thread(bare_script, server, clock)
    assert told == [
        "dl1.24xlarge",
        "dl1.24xlarge",
        "has reached ",
        "(deployment ",
        "has started ",
        ("PRIMARY", "COMPLETED"),
        "ROLLBACK_SUCCESSFUL",
        "SUCCESSFUL",
        "bert:1",
        1,
        "DRAINING",
        "INACTIVE",
        [],
    ]


def error_of(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response


async def test_errors_regions_and_request_ids(clock):
    async with serve(clock=clock) as server:
        ecs, west = aws(server, "ecs"), aws(server, "ecs", "us-west-2")
        response = await asyncio.to_thread(error_of, ecs.list_services, cluster="no")
        assert response["Error"] == {"Code": "ClusterNotFoundException", "Message": "Cluster not found."}
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert len(response["ResponseMetadata"]["RequestId"]) == 36
        response = await asyncio.to_thread(error_of, ecs.describe_task_sets, cluster="c", service="s")
        assert response["Error"]["Code"] == "UnsupportedFeatureException"
        answer = await asyncio.to_thread(west.list_clusters)
        assert answer["clusterArns"] == ["arn:aws:ecs:us-west-2:123456789012:cluster/default"]
        assert server.region("us-west-2").world.region == "us-west-2"


def post(url, body, target="AmazonEC2ContainerServiceV20141113.ListClusters"):
    request = urllib.request.Request(url, data=body, headers={"X-Amz-Target": target})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


async def test_any_client_is_understood(clock):
    """Unsigned requests, null members, no body, no JSON, an operation of another age."""
    async with serve(clock=clock) as server:
        status, answer = await asyncio.to_thread(post, server.url, b'{"nextToken": null}')
        assert (status, len(answer["clusterArns"])) == (200, 1)
        status, answer = await asyncio.to_thread(post, server.url, b"")
        assert status == 200
        for body in (b"{", b"[]"):
            status, answer = await asyncio.to_thread(post, server.url, body)
            assert (status, answer["__type"]) == (400, "SerializationException")
        target = "AmazonEC2ContainerServiceV20141113.Nothing"
        status, answer = await asyncio.to_thread(post, server.url, b"{}", target)
        assert (status, answer["__type"]) == (400, "UnknownOperationException")


async def test_a_bug_of_the_simulator_is_a_500(clock, monkeypatch, caplog):
    async with serve(clock=clock) as server:
        monkeypatch.setattr(server.region(), "call", lambda *_: 1 / 0)
        status, answer = await asyncio.to_thread(post, server.url, b"{}")
    assert (status, answer["__type"]) == (500, "ServerException")
    assert "ZeroDivisionError" in caplog.text


def other_services(server):
    s3, sqs = aws(server, "s3"), aws(server, "sqs")
    s3.create_bucket(Bucket="specs")
    s3.put_object(Bucket="specs", Key="prod/bert é.yaml", Body=b"x" * 2_000_000)
    told = [len(s3.get_object(Bucket="specs", Key="prod/bert é.yaml")["Body"].read())]
    told.append(s3.head_object(Bucket="specs", Key="prod/bert é.yaml")["ContentLength"])
    told += [entry["Key"] for entry in s3.list_objects_v2(Bucket="specs")["Contents"]]
    told.append(error_of(s3.get_object, Bucket="specs", Key="none")["Error"]["Code"])
    url = sqs.create_queue(QueueName="wake")["QueueUrl"]
    told.append(url.startswith(server.url))
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    told += [message["Body"] for message in sqs.receive_message(QueueUrl=url)["Messages"]]
    told.append(aws(server, "sts").get_caller_identity()["Account"])
    told.append(aws(server, "dynamodb").list_tables()["TableNames"])
    told.append(aws(server, "ecs").list_services()["serviceArns"])
    return told


async def test_everything_else_goes_to_moto(clock):
    before = {thread for thread in threading.enumerate() if thread.name == "moto"}  # servers of other tests
    async with serve(clock=clock) as server:
        told = await asyncio.to_thread(other_services, server)
    key = "prod/bert é.yaml"
    assert told == [2_000_000, 2_000_000, key, "NoSuchKey", True, "hello", "123456789012", [], []]
    assert {thread for thread in threading.enumerate() if thread.name == "moto"} == before


async def test_without_moto_the_answer_says_what_to_install(clock, monkeypatch):
    def missing():
        raise moto.MotoMissing

    monkeypatch.setattr(moto, "start", missing)
    async with serve(clock=clock) as server:
        status, answer = await asyncio.to_thread(post, server.url, b"{}", "DynamoDB_20120810.ListTables")
    assert (status, "pip install 'ecs-gaudi-controller[sandbox]'" in answer["message"]) == (501, True)


async def test_moto_is_optional(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "moto.moto_server.werkzeug_app", None)
    with pytest.raises(moto.MotoMissing):
        moto.start()


async def test_nothing_is_left_behind(clock):
    async with serve(clock=clock) as server:
        await asyncio.to_thread(post, server.url, b"{}")
        port = server.port
    async with serve(port=port, clock=clock) as server:
        assert server.url == f"http://127.0.0.1:{port}"
    gc.collect()
    assert [thread.name for thread in threading.enumerate() if "sandbox" in thread.name] == []


async def test_real_time_runs_fast():
    async with serve(speed=1000.0) as server:
        first = server.clock.now()
        await asyncio.to_thread(post, server.url, b"{}")
        assert server.clock.now() > first


async def test_ec2_knows_the_addresses_of_the_sandboxs_own_machines(clock):
    async with serve(clock=clock) as server:

        def ask():
            ecs, ec2 = aws(server, "ecs"), aws(server, "ec2")
            arns = ecs.list_container_instances()["containerInstanceArns"]
            machines = ecs.describe_container_instances(containerInstances=arns)["containerInstances"]
            ids = [machine["ec2InstanceId"] for machine in machines]
            by_filter = ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [*ids, "i-0gone"]}])
            by_id = ec2.describe_instances(InstanceIds=ids[:1])
            return ids, by_filter["Reservations"], by_id["Reservations"]

        ids, by_filter, by_id = await asyncio.to_thread(ask)
    addresses = {one["Instances"][0]["InstanceId"]: one["Instances"][0]["PrivateIpAddress"] for one in by_filter}
    assert set(addresses) == set(ids)
    assert all(address.startswith("10.1.") for address in addresses.values())
    assert by_id[0]["Instances"][0]["PrivateIpAddress"] == addresses[ids[0]]


async def test_machines_that_are_not_the_sandboxs_are_asked_of_moto(clock):
    async with serve(clock=clock) as server:

        def ask():
            ec2 = aws(server, "ec2")
            made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
            found = ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [made]}])["Reservations"]
            return made, found[0]["Instances"][0]["InstanceId"]

        made, found = await asyncio.to_thread(ask)
    assert made == found
