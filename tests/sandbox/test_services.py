"""Services: create, update, delete, describe, list, as ECS answers."""

import pytest


@pytest.fixture
def ecs(ecs):
    ecs.register()
    return ecs


def test_create_is_idempotent_for_an_equal_request_only(ecs):
    service = ecs.create(count=2, clientToken="t1")
    ecs.wait(100)
    again = ecs.create(count=2, clientToken="t1")
    assert again["createdAt"] == service["createdAt"]
    assert again["runningCount"] == 2
    for other in ({"count": 3, "clientToken": "t1"}, {"count": 2, "clientToken": "t2"}):
        error = ecs.refused(
            "CreateService",
            serviceName="web",
            taskDefinition="app",
            desiredCount=other["count"],
            clientToken=other["clientToken"],
        )
        assert (error.code, error.message) == (
            "InvalidParameterException",
            "Creation of service was not idempotent.",
        )


def test_recorded_delete_sequence(ecs, recorded):
    """Desired 0, delete without force: DRAINING with both tasks running, as the recording says."""
    sequence = "sequences/service_delete/ecs."
    updated = recorded(sequence + "UpdateService_1.json")["service"]
    deleted = recorded(sequence + "DeleteService_1.json")["service"]
    ecs.create(count=2)
    ecs.steady()
    service = ecs.update(desiredCount=0)
    for name in ("status", "desiredCount", "runningCount", "pendingCount"):
        assert service[name] == updated[name]
    assert service["deployments"][0]["desiredCount"] == updated["deployments"][0]["desiredCount"]
    ecs.wait(1)
    service = ecs("DeleteService", service="web")["service"]
    for name in ("status", "desiredCount", "runningCount", "pendingCount"):
        assert service[name] == deleted[name]
    assert [d["status"] for d in service["deployments"]] == [d["status"] for d in deleted["deployments"]]
    assert ecs("ListServices")["serviceArns"] == []
    assert ecs.service()["status"] == "DRAINING"
    error = ecs.refused("CreateService", serviceName="web", taskDefinition="app", desiredCount=1)
    assert error.message == "Unable to Start a service that is still Draining."
    error = ecs.refused("UpdateService", service="web", desiredCount=1)
    assert (error.code, error.message) == ("ServiceNotActiveException", "Service was not ACTIVE.")
    ecs.until(lambda: ecs.service()["status"] == "INACTIVE")
    gone = ecs.service()
    assert (gone["deployments"], gone["runningCount"], gone["desiredCount"]) == ([], 0, 0)
    assert ecs.refused("UpdateService", service="web", desiredCount=1).code == "ServiceNotActiveException"


def test_recreated_under_the_same_arn(ecs):
    first = ecs.create()
    ecs("DeleteService", service="web", force=True)
    ecs.until(lambda: ecs.service()["status"] == "INACTIVE")
    ecs.wait(100)
    second = ecs.create()
    assert second["serviceArn"] == first["serviceArn"]
    assert second["createdAt"] > first["createdAt"]
    assert second["events"] == []
    assert ecs.steady()["runningCount"] == 1


def test_an_inactive_service_is_purged(ecs):
    arn = ecs.create(count=0)["serviceArn"]
    ecs("DeleteService", service="web")
    ecs.wait(3700)
    answer = ecs("DescribeServices", services=["web"])
    assert answer == {"services": [], "failures": [{"arn": arn, "reason": "MISSING"}]}
    assert ecs.refused("DeleteService", service="web").code == "ServiceNotFoundException"


def test_delete_needs_force_above_zero(ecs):
    ecs.create(count=2)
    error = ecs.refused("DeleteService", service="web")
    assert error.message == "The service cannot be stopped while it is scaled above 0."
    assert ecs("DeleteService", service="web", force=True)["service"]["status"] == "DRAINING"
    assert ecs("DeleteService", service="web")["service"]["status"] == "DRAINING"


def test_delete_waits_for_a_rollout(ecs):
    ecs.create(count=1)
    ecs.steady()
    ecs.register(image="repo/app:2")
    ecs.update(taskDefinition="app", desiredCount=0)
    error = ecs.refused("DeleteService", service="web")
    assert error.message == "The service cannot be stopped while deployments are active."


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found."),
        ({"taskDefinition": "nothing"}, "ClientException", "TaskDefinition not found."),
        ({"serviceName": "a b"}, "InvalidParameterException", "letters"),
        ({"desiredCount": -1}, "InvalidParameterException", "desired count"),
        ({"desiredCount": "1"}, "InvalidParameterException", "integer"),
        ({"colour": "red"}, "InvalidParameterException", "unknown"),
        ({"launchType": "EC3"}, "InvalidParameterException", "enum"),
        (
            {"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 100}},
            "InvalidParameterException",
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ),
        (
            {
                "deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0},
                "availabilityZoneRebalancing": "ENABLED",
            },
            "InvalidParameterException",
            "Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment configuration",
        ),
        (
            {"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
            "InvalidParameterException",
            "not both",
        ),
        ({"capacityProviderStrategy": [{"capacityProvider": "spot"}]}, "InvalidParameterException", "not found"),
        ({"placementConstraints": [{"type": "memberOf", "expression": "((("}]}, "InvalidParameterException", "column"),
        ({"placementConstraints": [{"type": "distinctInstance"}] * 11}, "InvalidParameterException", "10"),
        ({"placementStrategy": [{"type": "random"}] * 6}, "InvalidParameterException", "5"),
        ({"placementStrategy": [{"type": "binpack", "field": "disk"}]}, "InvalidParameterException", "binpack"),
        ({"tags": [{"key": "aws:x", "value": "y"}]}, "InvalidParameterException", "aws:"),
        ({"tags": []}, "InvalidParameterException", "Tags can not be empty."),
        ({"tags": [{"key": str(n), "value": ""} for n in range(51)]}, "InvalidParameterException", "50"),
        ({"healthCheckGracePeriodSeconds": 30}, "InvalidParameterException", "load balancers"),
        ({"enableExecuteCommand": True}, "InvalidParameterException", "taskRoleArn"),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}},
            "InvalidParameterException",
            "networkMode",
        ),
        ({"launchType": "FARGATE"}, "InvalidParameterException", "does not support launch_type FARGATE"),
        ({"schedulingStrategy": "DAEMON"}, "InvalidParameterException", "daemon scheduling strategy"),
        (
            {"loadBalancers": [{"targetGroupArn": "a", "containerName": "app", "containerPort": 80}]},
            "InvalidParameterException",
            "container port",
        ),
        ({"clientToken": "x" * 37}, "InvalidParameterException", "token"),
        ({"placementConstraints": [{"type": "memberOf"}]}, "InvalidParameterException", "needs an expression"),
        (
            {"placementConstraints": [{"type": "distinctInstance", "expression": "x"}]},
            "InvalidParameterException",
            "no expression",
        ),
        ({"deploymentConfiguration": {"maximumPercent": 50}}, "InvalidParameterException", "less than 100"),
        ({"deploymentConfiguration": {"minimumHealthyPercent": 101}}, "InvalidParameterException", "greater than 100"),
        ({"deploymentConfiguration": {"minimumHealthyPercent": -1}}, "InvalidParameterException", "negative"),
        ({"tags": [{"key": "a"}, {"key": "a"}]}, "InvalidParameterException", "Duplicate"),
        ({"tags": [{"key": "a", "value": "v" * 257}]}, "InvalidParameterException", "tag value"),
        ({"cluster": "arn:aws:ecs:us-east-1:999999999999:cluster/default"}, "ClusterNotFoundException", "not found"),
    ],
)
def test_create_refuses(ecs, params, code, text):
    error = ecs.refused(
        "CreateService", **({"serviceName": "web", "taskDefinition": "app", "desiredCount": 1} | params)
    )
    assert error.code == code
    assert text in error.message
    assert error.status == 400


def test_create_needs_names_and_counts(ecs):
    assert "serviceName is missing" in ecs.refused("CreateService", taskDefinition="app").message
    error = ecs.refused("CreateService", serviceName="web", taskDefinition="app")
    assert "desired count" in error.message
    error = ecs.refused("CreateService", serviceName="web", taskDefinition="gone:7", desiredCount=1)
    assert error.message == "TaskDefinition not found."


def test_an_inactive_task_definition_serves_only_those_who_have_it(ecs):
    ecs.create()
    arn = ecs.steady()["taskDefinition"]
    ecs("DeregisterTaskDefinition", taskDefinition=arn)
    for operation, params in (
        ("CreateService", {"serviceName": "other", "desiredCount": 1, "taskDefinition": arn}),
        ("UpdateService", {"service": "web", "taskDefinition": arn}),
        ("RunTask", {"taskDefinition": arn}),
    ):
        error = ecs.refused(operation, **params)
        assert (error.code, error.message) == ("ClientException", "TaskDefinition is inactive")
    ecs.update(desiredCount=2)
    assert ecs.steady()["runningCount"] == 2
    described = ecs("DescribeTaskDefinition", taskDefinition=arn)["taskDefinition"]
    assert described["status"] == "INACTIVE"
    assert ecs.refused("DescribeTaskDefinition", taskDefinition="app").message == "Unable to describe task definition."


def test_update_of_what_is_not_there(ecs):
    assert ecs.refused("UpdateService", service="web").code == "ServiceNotFoundException"
    assert ecs.refused("UpdateService", service="web", cluster="nowhere").code == "ClusterNotFoundException"


@pytest.mark.parametrize(
    ("change", "deploys"),
    [
        ({"desiredCount": 2}, False),
        ({"taskDefinition": "app:1"}, False),  # what it already is
        ({"taskDefinition": "app"}, True),
        ({"forceNewDeployment": True}, True),
        ({"placementConstraints": [{"type": "distinctInstance"}]}, False),
        ({"placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}]}, False),
        ({"deploymentConfiguration": {"minimumHealthyPercent": 50}}, False),
        ({"availabilityZoneRebalancing": "DISABLED"}, False),
        ({"propagateTags": "SERVICE", "enableECSManagedTags": True}, False),
        ({"serviceConnectConfiguration": {"enabled": False}}, True),
        ({"serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:r:1:service/srv-1"}]}, True),
        ({"monitoring": {"metricConfigurations": []}}, False),
    ],
)
def test_what_starts_a_deployment(ecs, change, deploys):
    ecs.create()
    ecs.steady()
    ecs.register(image="repo/app:2")
    before = ecs.service()["deployments"]
    after = ecs.update(**change)["deployments"]
    assert (after[0]["id"] != before[0]["id"]) is deploys
    if deploys:
        assert [d["status"] for d in after] == ["PRIMARY", "ACTIVE"]
        assert (after[0]["rolloutState"], after[0]["desiredCount"]) == ("IN_PROGRESS", 0)
        assert after[1]["id"] == before[0]["id"]


def test_recorded_update_looks_alike(ecs, recorded):
    """An image update of 2024, its answer beside ours."""
    real = recorded("sequences/service_update_definition/ecs.UpdateService_1.json")["service"]["deployments"]
    ecs.create()
    ecs.steady()
    ecs.register(image="repo/app:2")
    mine = ecs.update(taskDefinition="app")["deployments"]
    for name in ("status", "desiredCount", "runningCount", "pendingCount", "failedTasks", "rolloutState"):
        assert [d[name] for d in mine] == [d[name] for d in real]
    for ours, theirs in zip(mine, real, strict=True):
        assert ours["rolloutStateReason"].replace(ours["id"], "ID") == theirs["rolloutStateReason"].replace(
            theirs["id"], "ID"
        )


def test_only_create_and_describe_answer_with_tags(ecs, recorded):
    sequence = "sequences/service_update_definition/ecs."
    described = recorded(sequence + "DescribeServices_1.json")["services"][0]
    updated = recorded(sequence + "UpdateService_1.json")["service"]
    assert ("tags" in described, "tags" in updated) == (True, False)
    tags = [{"key": "a", "value": "b"}]
    assert ecs.create(tags=tags)["tags"] == tags
    assert "tags" not in ecs.update(desiredCount=0)
    assert ecs.service(include=["TAGS"])["tags"] == tags
    assert "tags" not in ecs("DeleteService", service="web")["service"]


def test_partial_updates_keep_the_other_leaves(ecs):
    breaker = {"enable": True, "rollback": True}
    ecs.create(deploymentConfiguration={"minimumHealthyPercent": 50, "deploymentCircuitBreaker": breaker})
    configuration = ecs.update(deploymentConfiguration={"maximumPercent": 150})["deploymentConfiguration"]
    assert (configuration["maximumPercent"], configuration["minimumHealthyPercent"]) == (150, 50)
    assert configuration["deploymentCircuitBreaker"]["enable"] is True
    assert configuration["deploymentCircuitBreaker"]["thresholdConfiguration"]["value"] == 50


def test_lists_are_kept_cleared_or_replaced(ecs):
    constraint = {"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}
    ecs.create(placementConstraints=[constraint])
    assert ecs.update(desiredCount=2)["placementConstraints"] == [constraint]
    assert ecs.update(placementConstraints=[])["placementConstraints"] == []


def test_rebalancing_is_on_unless_it_cannot_be(ecs):
    assert ecs.create("a")["availabilityZoneRebalancing"] == "ENABLED"
    band = {"maximumPercent": 100, "minimumHealthyPercent": 0}
    assert ecs.create("b", deploymentConfiguration=band)["availabilityZoneRebalancing"] == "DISABLED"
    binpack = [{"type": "binpack", "field": "cpu"}]
    assert ecs.create("c", placementStrategy=binpack)["availabilityZoneRebalancing"] == "DISABLED"
    zone = [{"type": "memberOf", "expression": "attribute:ecs.availability-zone == us-east-1a"}]
    assert ecs.create("d", placementConstraints=zone)["availabilityZoneRebalancing"] == "DISABLED"
    error = ecs.refused("UpdateService", service="a", deploymentConfiguration=band)
    assert "does not support maximumPercent <= 100 %" in error.message
    updated = ecs.update("a", deploymentConfiguration=band, availabilityZoneRebalancing="DISABLED")
    assert updated["deploymentConfiguration"]["maximumPercent"] == 100


def test_capacity_provider_changes_must_be_forced(ecs):
    ecs("CreateCluster", clusterName="pools", capacityProviders=["pool"])
    ecs("CreateService", cluster="pools", serviceName="web", taskDefinition="app", desiredCount=0)
    strategy = [{"capacityProvider": "pool", "weight": 1}]
    error = ecs.refused("UpdateService", cluster="pools", service="web", capacityProviderStrategy=strategy)
    assert "you must force a new deployment." in error.message
    service = ecs(
        "UpdateService", cluster="pools", service="web", capacityProviderStrategy=strategy, forceNewDeployment=True
    )["service"]
    assert service["capacityProviderStrategy"] == [{"capacityProvider": "pool", "weight": 1, "base": 0}]
    assert "launchType" not in service
    error = ecs.refused(
        "UpdateService", cluster="pools", service="web", capacityProviderStrategy=[], forceNewDeployment=True
    )
    assert error.message.startswith("No launch type to fall back to")


def test_the_cluster_default_strategy_is_used(ecs):
    strategy = [{"capacityProvider": "pool", "weight": 1}]
    ecs("CreateCluster", clusterName="p", capacityProviders=["pool"], defaultCapacityProviderStrategy=strategy)
    service = ecs("CreateService", cluster="p", serviceName="web", taskDefinition="app", desiredCount=0)["service"]
    assert service["capacityProviderStrategy"] == [{"capacityProvider": "pool", "weight": 1, "base": 0}]
    explicit = ecs(
        "CreateService", cluster="p", serviceName="two", taskDefinition="app", desiredCount=0, launchType="EC2"
    )["service"]
    assert explicit["launchType"] == "EC2"


def test_describe_takes_ten_names_of_one_cluster(ecs):
    service = ecs.create()
    assert "more than 10" in ecs.refused("DescribeServices", services=["s"] * 11).message
    assert "empty" in ecs.refused("DescribeServices", services=[]).message
    answer = ecs("DescribeServices", services=["nope", service["serviceArn"], "default/web"])
    assert [s["serviceName"] for s in answer["services"]] == ["web", "web"]
    assert answer["failures"] == [
        {"arn": "arn:aws:ecs:us-east-1:123456789012:service/default/nope", "reason": "MISSING"}
    ]
    ecs("CreateCluster", clusterName="other")
    assert (
        "Invalid identifier"
        in ecs.refused("DescribeServices", cluster="other", services=[service["serviceArn"]]).message
    )


def test_list_pages_of_ten(ecs):
    arns = {ecs.create(f"s{number}", count=0)["serviceArn"] for number in range(23)}
    first = ecs("ListServices")
    assert len(first["serviceArns"]) == 10
    seen, token = list(first["serviceArns"]), first["nextToken"]
    while token:
        following = ecs("ListServices", nextToken=token)
        seen += following["serviceArns"]
        token = following.get("nextToken")
    assert len(seen) == 23
    assert set(seen) == arns
    assert len(ecs("ListServices", maxResults=100)["serviceArns"]) == 23
    assert "nextToken" not in ecs("ListServices", maxResults=23)
    for wrong in ({"maxResults": 101}, {"maxResults": 0}, {"nextToken": "?"}):
        assert ecs.refused("ListServices", **wrong).code == "InvalidParameterException"
    token = ecs("ListServices", launchType="EC2")["nextToken"]
    assert "other parameters" in ecs.refused("ListServices", nextToken=token).message


def test_a_page_survives_a_delete_between_pages(ecs):
    arns = {ecs.create(f"s{number}", count=0)["serviceArn"] for number in range(15)}
    first = ecs("ListServices")
    ecs("DeleteService", service=first["serviceArns"][0])
    second = ecs("ListServices", nextToken=first["nextToken"])
    assert set(first["serviceArns"]) | set(second["serviceArns"]) == arns


def test_list_filters(ecs):
    ecs.create("one")
    ecs.create("each", schedulingStrategy="DAEMON")
    assert len(ecs("ListServices", schedulingStrategy="DAEMON")["serviceArns"]) == 1
    assert len(ecs("ListServices", launchType="EC2")["serviceArns"]) == 2
    assert ecs("ListServices", launchType="FARGATE")["serviceArns"] == []


def test_an_external_controller_keeps_its_hands(ecs):
    ecs.create(deploymentController={"type": "EXTERNAL"})
    assert ecs.service()["deployments"] == []
    ecs.wait(100)
    assert ecs.service()["runningCount"] == 0
    assert "EXTERNAL" in ecs.refused("UpdateService", service="web", forceNewDeployment=True).message
    error = ecs.refused("UpdateService", service="web", taskDefinition="app")
    assert error.message.startswith("Unable to update task definition on services with a EXTERNAL")


def test_events_are_capped_newest_first(ecs):
    ecs.create()
    ecs.wait(30 * 24 * 3600)
    events = ecs.service()["events"]
    assert len(events) == 100
    assert events[0]["createdAt"] > events[-1]["createdAt"]
    assert {event["message"] for event in events} == {"(service web) has reached a steady state."}
    assert events[0]["createdAt"] - events[1]["createdAt"] == 6 * 3600
