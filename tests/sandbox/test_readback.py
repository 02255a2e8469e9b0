"""What comes back for what was asked: equal to what real ECS gave back."""

import pytest

PAIRS = "pairs/AWS__ECS__"
CLOUD_CONTROL = {"tags", "taskDefinitionArn", "inferenceAccelerators", "cluster", "serviceArn", "taskDefinition"}


def without_empty(value):
    """The pairs were read through Cloud Control, which fills in empty lists and objects of its own."""
    if isinstance(value, dict):
        kept = {name: without_empty(member) for name, member in value.items()}
        return {name: member for name, member in kept.items() if member not in ([], {})}
    if isinstance(value, list):
        return [without_empty(element) for element in value]
    return value


def sorted_by_name(content):
    """Containers, environment and ports come back in an order of ECS's own."""
    content["containerDefinitions"].sort(key=lambda container: container["name"])
    for container in content["containerDefinitions"]:
        for name, key in (("environment", "name"), ("portMappings", "containerPort")):
            if name in container:
                container[name].sort(key=lambda element, key=key: element[key])
    return content


@pytest.mark.parametrize("name", ["ArmTaskDef", "BareTaskDef", "Task", "TaskDef", "TaskDef.envorder"])
def test_task_definitions_read_back_as_recorded(ecs, recorded, name):
    pair = recorded(f"{PAIRS}TaskDefinition.{name}.json")
    arn = ecs("RegisterTaskDefinition", **pair["declared"])["taskDefinition"]["taskDefinitionArn"]
    answer = ecs("DescribeTaskDefinition", taskDefinition=arn, include=["TAGS"])
    live = {k: v for k, v in pair["live"].items() if k not in CLOUD_CONTROL}
    back = {k: v for k, v in answer["taskDefinition"].items() if k in live}
    assert sorted_by_name(without_empty(back)) == sorted_by_name(without_empty(live))
    assert answer["tags"] == pair["live"]["tags"]
    for container in answer["taskDefinition"]["containerDefinitions"]:
        assert {"environment", "mountPoints", "portMappings", "volumesFrom", "systemControls"} <= container.keys()


@pytest.mark.parametrize("name", ["HuntFargateSvc", "DaemonService", "BgService"])
def test_services_read_back_as_recorded(ecs, recorded, name):
    pair = recorded(f"{PAIRS}Service.{name}.json")
    declared, live = dict(pair["declared"]), pair["live"]
    ecs("CreateCluster", clusterName=declared["cluster"])
    family = declared["taskDefinition"].rpartition("/")[2].partition(":")[0]
    fargate = declared["launchType"] == "FARGATE"
    sizes = {"networkMode": "awsvpc", "cpu": "256", "memory": "512"} if fargate else {}
    container = {"name": "web", "portMappings": [{"containerPort": 80}]}
    declared |= {
        "serviceName": live["serviceName"],
        "taskDefinition": ecs.register(family, container=container, **sizes),
    }
    ecs("CreateService", **declared)
    back = ecs("DescribeServices", cluster=declared["cluster"], services=[live["serviceName"]], include=["TAGS"])
    service = back["services"][0]
    expected = {k: v for k, v in live.items() if k not in CLOUD_CONTROL}
    if name == "DaemonService":
        del expected["desiredCount"]  # read when no instance was registered
    if "roleArn" in expected:
        expected["roleArn"] = expected["roleArn"].replace("111111111111", "123456789012")
    assert {k: v for k, v in service.items() if k in expected} == expected
    assert service["tags"] == live["tags"]


def test_every_recorded_service_member_is_there(ecs, recorded):
    """A service of 2024 with everything: no member of the recording is missing."""
    service = recorded("sequences/service_update_definition/ecs.DescribeServices_1.json")["services"][0]
    ecs.register(
        "td",
        container={"name": "server", "portMappings": [{"containerPort": 5000}]},
        networkMode="awsvpc",
        cpu="256",
        memory="512",
    )
    ecs(
        "CreateService",
        serviceName="web",
        taskDefinition="td",
        desiredCount=1,
        **{
            k: service[k]
            for k in (
                "networkConfiguration",
                "loadBalancers",
                "serviceRegistries",
                "tags",
                "capacityProviderStrategy",
                "propagateTags",
                "enableECSManagedTags",
            )
        },
    )
    mine = ecs.service(include=["TAGS"])
    assert service.keys() - mine.keys() == set()
    assert service["deployments"][0].keys() - mine["deployments"][0].keys() == set()
    for name in ("capacityProviderStrategy", "networkConfiguration", "loadBalancers", "serviceRegistries", "tags"):
        assert mine[name] == service[name]


def test_every_recorded_member_of_tasks_and_instances_is_there(ecs, recorded):
    task = recorded("sequences/task/ecs.DescribeTasks_1.json")["tasks"][0]
    ecs.register("td", networkMode="awsvpc", cpu="256", memory="512")
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    arn = ecs("RunTask", taskDefinition="td", launchType="FARGATE", networkConfiguration=network)["tasks"][0]["taskArn"]
    ecs.wait(60)
    mine = ecs.task(arn)
    assert task.keys() - mine.keys() == set()
    assert task["containers"][0].keys() - mine["containers"][0].keys() == set()
    instance = recorded("sequences/cluster_storage/ecs.DescribeContainerInstances_1.json")["containerInstances"][0]
    dl1 = ecs.instances()[0]
    assert instance.keys() == dl1.keys()
    assert [set(resource) for resource in instance["registeredResources"]] == [
        set(resource) for resource in dl1["registeredResources"]
    ]
    recorded_names = {a["name"] for a in instance["attributes"]}
    unknown = {a["name"] for a in dl1["attributes"]} - recorded_names
    assert unknown == set()
    assert {name for name in recorded_names if "eia" not in name} == {a["name"] for a in dl1["attributes"]}


def test_describe_clusters_has_the_recorded_members(ecs, recorded):
    cluster = recorded("sequences/cluster_storage/ecs.DescribeClusters_1.json")["clusters"][0]
    mine = ecs("DescribeClusters", include=["SETTINGS", "TAGS"])["clusters"][0]
    assert cluster.keys() - mine.keys() == set()
    assert (mine["registeredContainerInstancesCount"], mine["settings"]) == (4, cluster["settings"])


def test_recorded_task_definition_members(ecs, recorded):
    """A described task definition of 2024, registered again, reads back as itself."""
    described = recorded("sequences/service_update_definition/ecs.DescribeTaskDefinition_1.json")["taskDefinition"]
    output_only = {
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "requiresAttributes",
        "revision",
        "status",
        "taskDefinitionArn",
    }
    request = {k: v for k, v in described.items() if k not in output_only}
    mine = ecs("RegisterTaskDefinition", **request)["taskDefinition"]
    assert described.keys() <= mine.keys()
    ours = sorted_by_name(without_empty({k: v for k, v in mine.items() if k in request}))
    assert ours == sorted_by_name(without_empty(request))
    assert mine["compatibilities"] == described["compatibilities"]
    assert {a["name"] for a in described["requiresAttributes"]} == {a["name"] for a in mine["requiresAttributes"]}


@pytest.mark.parametrize(
    ("mode", "mapping", "back"),
    [
        ("host", {"containerPort": 80}, {"containerPort": 80, "hostPort": 80, "protocol": "tcp"}),
        ("awsvpc", {"containerPort": 80, "protocol": "udp"}, {"containerPort": 80, "hostPort": 80, "protocol": "udp"}),
        ("bridge", {"containerPort": 80}, {"containerPort": 80, "hostPort": 0, "protocol": "tcp"}),
        (None, {"containerPort": 80, "hostPort": 8080}, {"containerPort": 80, "hostPort": 8080, "protocol": "tcp"}),
    ],
)
def test_ports_are_filled_in(ecs, mode, mapping, back):
    members = {"networkMode": mode} if mode else {}
    arn = ecs.register(container={"portMappings": [mapping]}, **members)
    content = ecs("DescribeTaskDefinition", taskDefinition=arn)["taskDefinition"]
    assert content["containerDefinitions"][0]["portMappings"] == [back]
    assert ("networkMode" in content) is (mode is not None)


def test_sizes_health_checks_and_volumes_are_normalised(ecs):
    arn = ecs.register(
        cpu="1 vCPU",
        memory="2GB",
        volumes=[{"name": "scratch"}],
        container={"healthCheck": {"command": ["CMD", "true"]}, "linuxParameters": {"capabilities": {}}, "user": ""},
    )
    content = ecs("DescribeTaskDefinition", taskDefinition=arn)["taskDefinition"]
    assert (content["cpu"], content["memory"]) == ("1024", "2048")
    assert content["volumes"] == [{"name": "scratch", "host": {}}]
    container = content["containerDefinitions"][0]
    assert container["healthCheck"] == {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3}
    assert container["linuxParameters"] == {"capabilities": {}, "devices": [], "tmpfs": []}
    assert "user" not in container


def test_some_lists_come_back_in_another_order(ecs):
    names = [f"V{number}" for number in range(9)]
    arn = ecs.register(container={"environment": [{"name": name, "value": "x"} for name in names]})
    content = ecs("DescribeTaskDefinition", taskDefinition=arn)["taskDefinition"]
    back = [variable["name"] for variable in content["containerDefinitions"][0]["environment"]]
    assert back != names
    assert sorted(back) == names


def test_placement_strategy_is_respelled(ecs):
    ecs.register()
    asked = [{"type": "spread", "field": "host"}, {"type": "binpack", "field": "memory"}, {"type": "random"}]
    service = ecs.create(placementStrategy=asked, availabilityZoneRebalancing="DISABLED")
    assert service["placementStrategy"] == [
        {"type": "spread", "field": "instanceId"},
        {"type": "binpack", "field": "MEMORY"},
        {"type": "random"},
    ]


def test_deployment_only_members_are_not_on_the_service(ecs):
    ecs.register()
    connect = {"enabled": True, "namespace": "ns"}
    service = ecs.create(serviceConnectConfiguration=connect)
    assert "serviceConnectConfiguration" not in service
    assert service["deployments"][0]["serviceConnectConfiguration"] == connect
    assert "networkConfiguration" not in service
    assert "tags" not in ecs.service()
