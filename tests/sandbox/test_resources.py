"""Clusters, instances, attributes, task definitions, tags and settings; and that no operation is left out."""

import json

import pytest

from controller.sandbox.simulator import OPERATIONS

ARN = "arn:aws:ecs:us-east-1:123456789012:"


def test_clusters(ecs):
    arn = ecs("CreateCluster", clusterName="train", tags=[{"key": "a", "value": "b"}])["cluster"]["clusterArn"]
    again = ecs("CreateCluster", clusterName="train")["cluster"]
    assert (again["clusterArn"], again["tags"]) == (arn, [{"key": "a", "value": "b"}])
    assert set(ecs("ListClusters")["clusterArns"]) == {arn, ARN + "cluster/default"}
    answer = ecs("DescribeClusters", clusters=["train", "nope"])
    assert answer["failures"] == [{"arn": ARN + "cluster/nope", "reason": "MISSING"}]
    assert (answer["clusters"][0]["tags"], answer["clusters"][0]["settings"]) == ([], [])
    assert ecs("DeleteCluster", cluster="train")["cluster"]["status"] == "INACTIVE"
    assert ecs("ListClusters")["clusterArns"] == [ARN + "cluster/default"]
    error = ecs.refused("ListServices", cluster="train")
    assert (error.code, error.message) == ("ClusterNotFoundException", "The referenced cluster was inactive.")
    assert ecs("CreateCluster", clusterName="train")["cluster"]["status"] == "ACTIVE"


def test_a_cluster_in_use_stays(make_ecs):
    ecs = make_ecs()
    assert ecs.refused("DeleteCluster", cluster="default").code == "ClusterContainsContainerInstancesException"
    ecs = make_ecs(fleet=())
    ecs.register()
    ecs.create(count=0)
    assert ecs.refused("DeleteCluster", cluster="default").code == "ClusterContainsServicesException"
    ecs("DeleteService", service="web")
    ecs.wait(10)
    ecs("DeleteCluster", cluster="default")
    assert ecs.refused("DeleteCluster", cluster="default").code == "ClusterNotFoundException"


def test_the_default_fleet(ecs):
    kinds = sorted(ecs.kind(instance["containerInstanceArn"]) for instance in ecs.instances())
    assert kinds == ["dl1.24xlarge", "dl1.24xlarge", "m5.2xlarge", "m5.2xlarge"]
    dl1 = next(i for i in ecs.instances() if ecs.kind(i["containerInstanceArn"]) == "dl1.24xlarge")
    resources = {resource["name"]: resource for resource in dl1["registeredResources"]}
    assert resources["CPU"]["integerValue"] == 98_304
    assert 760_000 <= resources["MEMORY"]["integerValue"] < 786_432
    assert resources["PORTS"]["stringSetValue"] == ["22", "2375", "2376", "51678", "51679"]
    attributes = {attribute["name"]: attribute.get("value") for attribute in dl1["attributes"]}
    assert attributes["ecs.os-type"] == "linux"
    assert attributes["ecs.cpu-architecture"] == "x86_64"
    assert attributes["ecs.ami-id"].startswith("ami-")
    assert dl1["ec2InstanceId"].startswith("i-0")


def test_listing_instances_by_expression(ecs):
    dl1 = ecs("ListContainerInstances", filter="attribute:ecs.instance-type =~ dl1.*")["containerInstanceArns"]
    assert {ecs.kind(arn) for arn in dl1} == {"dl1.24xlarge"}
    assert "column" in ecs.refused("ListContainerInstances", filter="oops").message
    ecs("UpdateContainerInstancesState", containerInstances=dl1, status="DRAINING")
    assert set(ecs("ListContainerInstances", status="DRAINING")["containerInstanceArns"]) == set(dl1)
    assert len(ecs("ListContainerInstances", status="ACTIVE")["containerInstanceArns"]) == 2
    assert len(ecs("ListContainerInstances", maxResults=3)["containerInstanceArns"]) == 3


def test_an_instance_comes_and_goes(ecs):
    document = {"instanceId": "i-0123456789abcdef0", "instanceType": "dl1.24xlarge", "availabilityZone": "us-east-1c"}
    instance = ecs(
        "RegisterContainerInstance",
        instanceIdentityDocument=json.dumps(document),
        attributes=[{"name": "habana.synapseai", "value": "1.11.0"}],
        tags=[{"key": "pool", "value": "gaudi"}],
    )["containerInstance"]
    attributes = {a["name"]: a.get("value") for a in instance["attributes"]}
    assert instance["ec2InstanceId"] == "i-0123456789abcdef0"
    assert (attributes["ecs.availability-zone"], attributes["habana.synapseai"]) == ("us-east-1c", "1.11.0")
    assert instance["tags"] == [{"key": "pool", "value": "gaudi"}]
    arn = instance["containerInstanceArn"]
    ecs.register(placementConstraints=[{"type": "memberOf", "expression": "attribute:habana.synapseai == 1.11.0"}])
    ecs("RunTask", taskDefinition="app")
    error = ecs.refused("DeregisterContainerInstance", containerInstance=arn)
    assert error.message == "Found running tasks on the instance."
    gone = ecs("DeregisterContainerInstance", containerInstance=arn, force=True)["containerInstance"]
    assert gone["status"] == "INACTIVE"
    assert ecs("DescribeContainerInstances", containerInstances=[arn])["failures"][0]["reason"] == "MISSING"
    assert ecs.refused("DeregisterContainerInstance", containerInstance=arn).code == "InvalidParameterException"


def test_an_unknown_type_brings_its_resources(ecs):
    document = json.dumps({"instanceType": "x9.huge"})
    assert "totalResources" in ecs.refused("RegisterContainerInstance", instanceIdentityDocument=document).message
    resources = [
        {"name": "CPU", "type": "INTEGER", "integerValue": 1024},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": 2048},
    ]
    instance = ecs("RegisterContainerInstance", instanceIdentityDocument=document, totalResources=resources)
    registered = {r["name"]: r["integerValue"] for r in instance["containerInstance"]["registeredResources"]}
    assert (registered["CPU"], registered["MEMORY"]) == (1024, 2048)
    assert "JSON" in ecs.refused("RegisterContainerInstance", instanceIdentityDocument="{").message


def test_custom_attributes(ecs):
    arn = ecs.instances()[0]["containerInstanceArn"]
    target = {"targetType": "container-instance", "targetId": arn}
    put = ecs("PutAttributes", attributes=[{"name": "pool", "value": "a"} | target, {"name": "flag"} | target])
    assert put["attributes"][0] == {"name": "pool", "value": "a"} | target
    listed = ecs("ListAttributes", targetType="container-instance", attributeName="pool")["attributes"]
    assert listed == [{"name": "pool", "value": "a"} | target]
    assert (
        ecs("ListAttributes", targetType="container-instance", attributeName="pool", attributeValue="b")["attributes"]
        == []
    )
    assert len(ecs("ListAttributes", targetType="container-instance", attributeName="flag")["attributes"]) == 1
    assert "nextToken" in ecs("ListAttributes", targetType="container-instance")
    for name in ("ecs.instance-type", "com.amazonaws.x", "bad name"):
        error = ecs.refused("PutAttributes", attributes=[{"name": name, "value": "x"} | target])
        assert error.code == "InvalidParameterException"
    ecs("PutAttributes", attributes=[{"name": f"n{number}"} | target for number in range(8)])
    error = ecs.refused("PutAttributes", attributes=[{"name": "eleventh"} | target])
    assert error.code == "AttributeLimitExceededException"
    ecs("DeleteAttributes", attributes=[{"name": "pool"} | target, {"name": "never-there"} | target])
    assert ecs("ListAttributes", targetType="container-instance", attributeName="pool")["attributes"] == []
    assert "cannot be deleted" in ecs.refused("DeleteAttributes", attributes=[{"name": "ecs.os-type"} | target]).message
    missing = target | {"targetId": arn[:-1] + "x"}
    error = ecs.refused("PutAttributes", attributes=[{"name": "pool"} | missing])
    assert error.code == "TargetNotFoundException"


def test_revisions_are_never_given_twice(ecs):
    first, second = ecs.register(), ecs.register()
    assert (first[-2:], second[-2:]) == (":1", ":2")
    ecs("DeregisterTaskDefinition", taskDefinition=second)
    ecs("DeleteTaskDefinitions", taskDefinitions=[second])
    ecs.wait(120)
    assert ecs.register()[-2:] == ":3"
    assert ecs("DescribeTaskDefinition", taskDefinition="app")["taskDefinition"]["revision"] == 3
    assert ecs.refused("DescribeTaskDefinition", taskDefinition=second).code == "ClientException"
    assert ecs.refused("DeregisterTaskDefinition", taskDefinition="app").code == "InvalidParameterException"
    assert ecs.refused("DeregisterTaskDefinition", taskDefinition=second).code == "ClientException"


def test_a_deleted_revision_stays_while_it_is_used(ecs):
    arn = ecs.register()
    ecs.create()
    answer = ecs("DeleteTaskDefinitions", taskDefinitions=[arn, "none:1"])
    assert "still in ACTIVE status" in answer["failures"][0]["reason"]
    assert "does not exist" in answer["failures"][1]["reason"]
    ecs("DeregisterTaskDefinition", taskDefinition=arn)
    deleted = ecs("DeleteTaskDefinitions", taskDefinitions=[arn])["taskDefinitions"][0]
    assert deleted["status"] == "DELETE_IN_PROGRESS"
    ecs.wait(600)
    assert ecs.service()["runningCount"] == 1
    assert ecs("ListTaskDefinitions", status="DELETE_IN_PROGRESS")["taskDefinitionArns"] == [arn]
    ecs("DeleteService", service="web", force=True)
    ecs.wait(2 * 3600)
    assert ecs("ListTaskDefinitions", status="DELETE_IN_PROGRESS")["taskDefinitionArns"] == []


def test_a_deleted_revision_stays_as_long_as_a_rollback_may_need_it(ecs):
    old = ecs.register()
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    ecs.create(deploymentConfiguration=breaker)
    ecs.steady()
    ecs("DeregisterTaskDefinition", taskDefinition=old)
    ecs("DeleteTaskDefinitions", taskDefinitions=[old])
    broken = ecs.register(image="repo/app:broken", container={"memory": 64})
    ecs.update(taskDefinition=broken)
    ecs.wait(1800)
    assert ecs.service()["taskDefinition"] == old
    assert ecs.service()["runningCount"] == 1


def test_listing_task_definitions(ecs):
    for family in ("bert", "bert", "bert-large", "app"):
        ecs.register(family)
    listed = ecs("ListTaskDefinitions", familyPrefix="bert", sort="DESC")["taskDefinitionArns"]
    assert [arn.rpartition("/")[2] for arn in listed] == ["bert:2", "bert:1"]
    assert ecs("ListTaskDefinitionFamilies", familyPrefix="bert")["families"] == ["bert", "bert-large"]
    ecs("DeregisterTaskDefinition", taskDefinition="app:1")
    assert ecs("ListTaskDefinitionFamilies", status="ACTIVE")["families"] == ["bert", "bert-large"]
    assert ecs("ListTaskDefinitionFamilies", status="INACTIVE")["families"] == ["app"]
    assert ecs("ListTaskDefinitions", status="INACTIVE")["taskDefinitionArns"] == [ARN + "task-definition/app:1"]
    first = ecs("ListTaskDefinitions", maxResults=2)
    second = ecs("ListTaskDefinitions", maxResults=2, nextToken=first["nextToken"])
    assert len(first["taskDefinitionArns"] + second["taskDefinitionArns"]) == 3


GOOD = {"name": "app", "image": "repo/app:1", "memory": 64}


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"family": "a b"}, "Family contains invalid characters."),
        ({"containerDefinitions": []}, "Container list cannot be empty."),
        ({"containerDefinitions": [{**GOOD, "name": f"c{n}"} for n in range(11)]}, "at most 10"),
        ({"containerDefinitions": [GOOD, GOOD]}, "unique"),
        ({"containerDefinitions": [{**GOOD, "essential": False}]}, "essential"),
        ({"containerDefinitions": [{"image": "x", "memory": 64}]}, "Container.name"),
        ({"containerDefinitions": [{"name": "x", "memory": 64}]}, "Container.image"),
        ({"containerDefinitions": [{"name": "x", "image": "y"}]}, "At least one of 'memory' or 'memoryReservation'"),
        ({"containerDefinitions": [{**GOOD, "memory": 4}]}, "minimum"),
        ({"containerDefinitions": [{**GOOD, "memoryReservation": 65}]}, "greater"),
        ({"networkMode": "none", "containerDefinitions": [{**GOOD, "portMappings": [{"containerPort": 1}]}]}, "none"),
        (
            {
                "networkMode": "host",
                "containerDefinitions": [{**GOOD, "portMappings": [{"containerPort": 80, "hostPort": 81}]}],
            },
            "must match",
        ),
        ({"containerDefinitions": [{**GOOD, "portMappings": [{"containerPort": 70000}]}]}, "70000"),
        ({"containerDefinitions": [{**GOOD, "secrets": [{"name": "a", "valueFrom": "b"}]}]}, "executionRoleArn"),
        ({"containerDefinitions": [{**GOOD, "mountPoints": [{"sourceVolume": "v", "containerPath": "/"}]}]}, "volume"),
        (
            {"containerDefinitions": [{**GOOD, "dependsOn": [{"containerName": "x", "condition": "START"}]}]},
            "dependency",
        ),
        ({"cpu": "127"}, "Invalid 'cpu' setting for task."),
        ({"cpu": "lots"}, "Invalid 'cpu' setting for task."),
        ({"cpu": "256", "containerDefinitions": [{**GOOD, "cpu": 512}]}, "cpu"),
        ({"memory": "32"}, "memory"),
        ({"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}, "awsvpc"),
        (
            {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "4096"},
            "No Fargate configuration exists for given values.",
        ),
        ({"placementConstraints": [{"type": "distinctInstance"}]}, None),
        ({"placementConstraints": [{"type": "memberOf", "expression": "attribute:x"}]}, "column"),
        ({"placementConstraints": [{"type": "memberOf", "expression": "agentConnected == true"}] * 11}, "10"),
        ({"tags": []}, "Tags can not be empty."),
        ({"networkMode": "awsvpc", "containerDefinitions": [{**GOOD, "hostname": "h"}]}, "hostname"),
        ({"networkMode": "host", "containerDefinitions": [{**GOOD, "links": ["x"]}]}, "Links"),
        (
            {"containerDefinitions": [{**GOOD, "dependsOn": [{"containerName": "app", "condition": "HEALTHY"}]}]},
            "health",
        ),
        (
            {"containerDefinitions": [{**GOOD, "dependsOn": [{"containerName": "app", "condition": "SUCCESS"}]}]},
            "COMPLETE",
        ),
        ({"volumes": [{"name": n, "configuredAtLaunch": True} for n in "ab"]}, "configured at launch"),
        ({"containerDefinitions": [{**GOOD, "portMappings": [{}]}]}, "containerPort"),
        ({"containerDefinitions": [{**GOOD, "environment": [{"name": "x", "value": "y" * 70_000}]}]}, "65536"),
        ({"colour": "red"}, "colour is unknown"),
        ({"networkMode": "cloud"}, "enum"),
    ],
)
def test_register_refuses(ecs, request_, text):
    params = {"family": "app", "containerDefinitions": [GOOD]} | request_
    error = ecs.refused("RegisterTaskDefinition", **params)
    assert error.code in ("ClientException", "InvalidParameterException")
    assert text is None or text in error.message


def test_tags_merge_and_go(ecs):
    ecs.register(tags=[{"key": "a", "value": "1"}])
    service = ecs.create()
    instance = ecs.instances()[0]["containerInstanceArn"]
    definition = ARN + "task-definition/app:1"
    for arn in (service["serviceArn"], definition, instance, ARN + "cluster/default"):
        ecs("TagResource", resourceArn=arn, tags=[{"key": "x", "value": "1"}, {"key": "y", "value": "1"}])
        ecs("TagResource", resourceArn=arn, tags=[{"key": "x", "value": "2"}])
        ecs("UntagResource", resourceArn=arn, tagKeys=["y", "z"])
        tags = {tag["key"]: tag["value"] for tag in ecs("ListTagsForResource", resourceArn=arn)["tags"]}
        assert tags == ({"a": "1", "x": "2"} if arn == definition else {"x": "2"})
    assert ecs("DescribeTaskDefinition", taskDefinition="app", include=["TAGS"])["tags"][0]["key"] == "a"
    assert ecs("DescribeContainerInstances", containerInstances=[instance], include=["TAGS"])
    many = [{"key": f"k{number}", "value": ""} for number in range(50)]
    assert "50" in ecs.refused("TagResource", resourceArn=service["serviceArn"], tags=many).message
    assert (
        ecs.refused("TagResource", resourceArn=ARN + "service/default/no", tags=many).code
        == "ResourceNotFoundException"
    )
    assert "Long arn format" in ecs.refused("TagResource", resourceArn=ARN + "service/web", tags=many).message
    assert "Invalid resource" in ecs.refused("ListTagsForResource", resourceArn="arn:aws:s3:::bucket").message
    assert "aws:" in ecs.refused("UntagResource", resourceArn=service["serviceArn"], tagKeys=["aws:x"]).message


def test_capacity_providers_and_settings(ecs):
    ecs("CreateCluster", clusterName="p", capacityProviders=["pool"])
    names = [p["name"] for p in ecs("DescribeCapacityProviders")["capacityProviders"]]
    assert names == ["FARGATE", "FARGATE_SPOT", "pool"]
    answer = ecs("DescribeCapacityProviders", capacityProviders=["pool", "no"])
    assert [f["reason"] for f in answer["failures"]] == ["MISSING"]
    assert ecs("ListAccountSettings")["settings"] == []
    effective = ecs("ListAccountSettings", effectiveSettings=True, name="serviceLongArnFormat")["settings"]
    assert effective[0]["value"] == "enabled"


def test_every_operation_answers_in_shape(ecs):
    """One tour through everything; the fixture checks each answer against botocore's output shape."""
    definition = ecs.register(tags=[{"key": "a", "value": "b"}])
    ecs.create(count=1)
    ecs.steady()
    instance = ecs.instances()[0]["containerInstanceArn"]
    deployment = ecs.service()["currentServiceDeployment"]
    target = {"targetType": "container-instance", "targetId": instance}
    task = ecs("RunTask", taskDefinition="app")["tasks"][0]["taskArn"]
    ecs("StartTask", taskDefinition="app", containerInstances=[instance])
    ecs("ListTasks")
    ecs("DescribeTasks", tasks=[task], include=["TAGS"])
    ecs("StopTask", task=task)
    ecs("ListServices")
    ecs("ListServiceDeployments", service="web")
    ecs("DescribeServiceDeployments", serviceDeploymentArns=[deployment])
    ecs("DescribeServiceRevisions", serviceRevisionArns=[ecs.service()["currentServiceRevisions"][0]["arn"]])
    ecs("StopServiceDeployment", serviceDeploymentArn=ecs.update(forceNewDeployment=True)["currentServiceDeployment"])
    ecs("PutAttributes", attributes=[{"name": "x"} | target])
    ecs("ListAttributes", targetType="container-instance")
    ecs("DeleteAttributes", attributes=[{"name": "x"} | target])
    ecs("UpdateContainerInstancesState", containerInstances=[instance], status="DRAINING")
    ecs("RegisterContainerInstance")
    ecs("DeregisterContainerInstance", containerInstance=instance, force=True)
    ecs("TagResource", resourceArn=definition, tags=[{"key": "c", "value": "d"}])
    ecs("UntagResource", resourceArn=definition, tagKeys=["c"])
    ecs("ListTagsForResource", resourceArn=definition)
    ecs("DescribeTaskDefinition", taskDefinition=definition, include=["TAGS"])
    ecs("ListTaskDefinitions")
    ecs("ListTaskDefinitionFamilies")
    ecs("DeregisterTaskDefinition", taskDefinition=definition)
    ecs("DeleteTaskDefinitions", taskDefinitions=[definition])
    ecs("DeleteService", service="web", force=True)
    ecs("CreateCluster", clusterName="other")
    ecs("DescribeClusters", include=["TAGS", "SETTINGS", "CONFIGURATIONS"])
    ecs("ListClusters")
    ecs("DeleteCluster", cluster="other")
    ecs("DescribeCapacityProviders")
    ecs("ListAccountSettings", effectiveSettings=True)
    ecs.wait(300)
    ecs.service()
    assert ecs.called == set(OPERATIONS)
