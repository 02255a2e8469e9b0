"""What the gateways send, through a real client and over a socket.

The parameters are those that botocore knows, and the embedded ECS understands them. So a whole run has seen every
operation that `deploy/iam/` allows (`tests/sending.py`).
"""

from controller.aws.client import Connection, connect
from controller.aws.ecs import EcsGateway
from controller.aws.fleet import FleetReader
from controller.aws.tasks import TaskGateway
from controller.sandbox.server import serve
from tests.aws.wire import Wire, wired

OFF = {"managedScaling": {"status": "DISABLED"}}
CONTAINER = {"name": "train", "image": "example.com/bert:1", "memory": 64}


async def test_the_life_of_a_service_and_its_revision():
    async with serve() as server, connect(_there(server.url)) as api:
        ecs = EcsGateway(api)
        revision = await ecs.register({"family": "bert", "containerDefinitions": [CONTAINER]})
        await ecs.create({"serviceName": "bert", "taskDefinition": revision.arn, "desiredCount": 0})
        service = await ecs.update("default", "bert", {"deploymentConfiguration": {"minimumHealthyPercent": 0}})
        await ecs.tag(service.arn, {"team": "nlp", "left": "over"})
        await ecs.untag(service.arn, ["left"])
        live = (await ecs.services("default", ["bert"]))["bert"]
        assert live.tags == {"team": "nlp"}
        await ecs.delete("default", "bert")
        await ecs.deregister("bert:1")
        assert await ecs.family("bert") == ()


async def test_the_life_of_a_task_and_the_marks_of_its_instance():
    async with serve() as server, connect(_there(server.url)) as api, connect(_there(server.url), "ec2") as ec2:
        tasks = TaskGateway(api, ec2)
        revision = await EcsGateway(api).register({"family": "job", "containerDefinitions": [CONTAINER]})
        request = {"cluster": "default", "taskDefinition": revision.arn, "clientToken": "once", "startedBy": "us"}
        (task,) = (await tasks.run_task(request)).tasks
        assert await tasks.list_tasks("default", started_by="us") == (task.arn,)
        await tasks.stop_task("default", task.arn, reason="enough")
        (instance, *_) = await FleetReader(api).instances("default")
        arn = instance["containerInstanceArn"]
        assert (await tasks.addresses("default", [arn]))[arn].count(".") == 3
        await tasks.put_attributes("default", arn, {"habana.verified": "yes"})
        await tasks.delete_attributes("default", arn, ["habana.verified"])
        after = {one["containerInstanceArn"]: one for one in await FleetReader(api).instances("default")}[arn]
        assert "habana.verified" not in {one["name"] for one in after["attributes"]}


async def test_what_may_add_instances_is_asked_by_the_names_of_the_cluster():
    cluster = {"clusters": [{"clusterName": "default", "capacityProviders": ["dl1", "FARGATE"]}]}
    wire = Wire((200, cluster), (200, {"capacityProviders": [{"name": "dl1", "autoScalingGroupProvider": OFF}]}))
    async with wired(wire) as api:
        growth = await FleetReader(api)._growth("default")
    assert growth.fixed == {"dl1"}
    targets = [request.headers["X-Amz-Target"].decode().rpartition(".")[2] for request in wire.sent]
    assert targets == ["DescribeClusters", "DescribeCapacityProviders"]


def _there(url):
    return Connection(region="us-west-2", endpoint_url=url, access_key="AKIDEXAMPLE", secret_key="secret")
