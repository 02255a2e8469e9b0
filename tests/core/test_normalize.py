"""Normalising and comparing: only real differences differ."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.compare import content, service_members
from controller.core.diff import diff
from controller.core.fields import SHAPES
from controller.core.fields.service import SERVICE_MEMBERS, Answered, Sent
from controller.core.live import LiveService
from controller.core.normalize import Items, digest, item_key, normalize
from controller.core.path import show

PAIRS = Path(__file__).parent.parent / "data" / "recorded" / "pairs"

TASK: dict[str, Any] = {
    "family": "f",
    "networkMode": "host",
    "containerDefinitions": [
        {
            "name": "train",
            "image": "i:1",
            "command": ["a", "b"],
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}],
            "secrets": [{"name": "S", "valueFrom": "arn:x"}],
            "portMappings": [{"containerPort": 80}, {"containerPort": 81, "protocol": "udp"}],
            "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}],
            "ulimits": [{"name": "memlock", "softLimit": -1, "hardLimit": -1}],
            "linuxParameters": {"capabilities": {"add": ["SYS_NICE", "IPC_LOCK"]}},
            "dockerLabels": {"a.b": "c"},
            "healthCheck": {"command": ["CMD", "true"]},
        },
        {"name": "log", "image": "l:1", "essential": False},
    ],
    "volumes": [{"name": "v"}],
    "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}],
}


def paths(spec: dict[str, Any], live: dict[str, Any]) -> list[str]:
    return [show(one.path) for one in diff(content(spec).members, content(live).members)]


def edited(**changes: Any) -> dict[str, Any]:
    task = copy.deepcopy(TASK)
    task["containerDefinitions"][0] |= changes
    return task


@pytest.mark.parametrize("file", sorted(PAIRS.glob("*TaskDefinition*.json")), ids=lambda file: file.stem)
def test_a_freshly_registered_task_definition_shows_no_drift(file: Path) -> None:
    pair = json.loads(file.read_text())
    assert paths(pair["declared"], pair["live"]) == []
    assert content(pair["live"]).unknown == ()


@pytest.mark.parametrize("file", sorted(PAIRS.glob("*Service*.json")), ids=lambda file: file.stem)
def test_a_freshly_created_service_shows_no_drift(file: Path) -> None:
    pair = json.loads(file.read_text())
    compared = {n for n, m in SERVICE_MEMBERS.items() if m.sent not in (Sent.IDENTITY, Sent.TAGS)}
    # Whoever created it left the rebalancing to ECS; the renderer never does.
    declared = {n: v for n, v in pair["declared"].items() if n in compared}
    declared.setdefault("availabilityZoneRebalancing", pair["live"]["availabilityZoneRebalancing"])
    live = normalize("CreateServiceRequest", service_members(LiveService(pair["live"])))
    assert diff(normalize("CreateServiceRequest", declared).members, live.members) == ()
    assert live.unknown == ()


@pytest.mark.parametrize(
    ("changes", "meaning"),
    [
        ({"cpu": 0}, "no CPU shares"),
        ({"essential": True}, "essential"),
        ({"privileged": False}, "no privileges"),
        ({"user": ""}, "no user"),
        ({"links": []}, "no links"),
        ({"environment": [{"name": "B", "value": ""}, {"name": "A", "value": "1"}]}, "order of the environment"),
        ({"portMappings": [
            {"containerPort": 81, "hostPort": 81, "protocol": "udp"},
            {"containerPort": 80, "hostPort": 80, "protocol": "tcp"},
        ]}, "filled ports"),
        ({"mountPoints": [{"sourceVolume": "v", "containerPath": "/v", "readOnly": False}]}, "filled readOnly"),
        ({"healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3}}, "filled check"),
        ({"linuxParameters": {
            "capabilities": {"add": ["IPC_LOCK", "SYS_NICE"], "drop": []}, "devices": [], "tmpfs": [],
            "initProcessEnabled": False,
        }}, "filled linuxParameters"),
        ({"systemControls": [], "volumesFrom": [], "dnsServers": []}, "empty lists"),
        ({"versionConsistency": "enabled"}, "the default said"),
    ],
)  # fmt: skip
def test_what_means_the_same_is_the_same(changes: dict[str, Any], meaning: str) -> None:
    assert paths(TASK, edited(**changes)) == [], meaning
    assert digest(dict(content(TASK).members)) == digest(dict(content(edited(**changes)).members))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"image": "i:2"}, "containerDefinitions[train].image"),
        ({"command": ["b", "a"]}, "containerDefinitions[train].command"),
        ({"privileged": True}, "containerDefinitions[train].privileged"),
        ({"essential": False}, "containerDefinitions[train].essential"),
        ({"environment": [{"name": "A", "value": "1"}]}, "containerDefinitions[train].environment[B]"),
        (
            {"environment": [{"name": "A", "value": "2"}, {"name": "B", "value": ""}]},
            "containerDefinitions[train].environment[A]",
        ),
        ({"dockerLabels": {"a.b": "d"}}, "containerDefinitions[train].dockerLabels[a.b]"),
        (
            {"healthCheck": {"command": ["CMD", "true"], "interval": 31}},
            "containerDefinitions[train].healthCheck.interval",
        ),
        ({"healthCheck": {}}, "containerDefinitions[train].healthCheck.command"),
        (
            {"portMappings": [{"containerPort": 80}, {"containerPort": 81}]},
            "containerDefinitions[train].portMappings[81 tcp]",
        ),
        (
            {"linuxParameters": {"capabilities": {"add": ["SYS_NICE"]}}},
            "containerDefinitions[train].linuxParameters.capabilities.add[IPC_LOCK]",
        ),
    ],
)
def test_what_means_something_else_differs_at_its_own_path(changes: dict[str, Any], path: str) -> None:
    assert path in paths(TASK, edited(**changes))


def test_a_whole_container_is_one_difference() -> None:
    fewer = TASK | {"containerDefinitions": TASK["containerDefinitions"][:1]}
    assert paths(TASK, fewer) == paths(fewer, TASK) == ["containerDefinitions[log]"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"cpu": "1 vCPU"}, {"cpu": "1024"}),
        ({"cpu": ".5 vcpu"}, {"cpu": ".5 vcpu"}),
        ({"cpu": "0.5 vCPU"}, {"cpu": "512"}),
        ({"memory": "1GB"}, {"memory": "1024"}),
        ({"memory": "2 gb"}, {"memory": "2048"}),
        ({"networkMode": "bridge"}, {}),
        ({"volumes": [{"name": "x"}]}, {"volumes": [{"name": "x", "host": {}}]}),
        ({"runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}}, {}),
        ({}, {"requiresCompatibilities": ["EC2"]}),
        (
            {"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type==linux"}]},
            {"placementConstraints": [{"type": "memberOf", "expression": "(attribute:ecs.os-type ==  linux)"}]},
        ),
    ],
)
def test_task_level_spellings(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert paths(a, b) == []


def test_an_undeclared_default_that_flips_is_drift() -> None:
    assert paths({"family": "f"}, {"family": "f", "enableFaultInjection": True}) == ["enableFaultInjection"]


def test_host_ports_by_network_mode() -> None:
    def task(mode: str, mapping: dict[str, Any]) -> dict[str, Any]:
        return {"networkMode": mode, "containerDefinitions": [{"name": "c", "portMappings": [mapping]}]}

    for mode in ("host", "awsvpc"):
        assert paths(task(mode, {"containerPort": 80}), task(mode, {"containerPort": 80, "hostPort": 80})) == []
    assert paths(task("bridge", {"containerPort": 80}), task("bridge", {"containerPort": 80, "hostPort": 0})) == []
    assert paths(task("bridge", {"containerPort": 80}), task("bridge", {"containerPort": 80, "hostPort": 80})) == [
        "containerDefinitions[c].portMappings[80 tcp].hostPort"
    ]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("0,1", "1,0", True),
        ("all", "0,1,2,3,4,5,6,7", True),
        ("7,6,5,4,3,2,1,0", "all", True),
        ("0,1", "0,2", False),
        ("0, 1", "0,1", False),
        ("0,0", "0", False),
        ("ALL", "all", False),
    ],
)
def test_visible_devices_are_a_set(a: str, b: str, same: bool) -> None:
    def task(value: str) -> dict[str, Any]:
        environment = [{"name": "HABANA_VISIBLE_DEVICES", "value": value}]
        return {"containerDefinitions": [{"name": "c", "environment": environment}]}

    assert (paths(task(a), task(b)) == []) is same


def test_a_member_that_the_table_does_not_know_is_information() -> None:
    normal = content({"family": "f", "quantumMode": "on", "containerDefinitions": [{"name": "c", "aura": {"x": 1}}]})
    assert [show(one.path) for one in normal.unknown] == ["containerDefinitions[c].aura", "quantumMode"]
    assert paths({"family": "f", "containerDefinitions": [{"name": "c"}]}, {
        "family": "f", "quantumMode": "on", "containerDefinitions": [{"name": "c", "aura": {"x": 1}}],
    }) == []  # fmt: skip


def test_a_duplicate_does_not_hide_another() -> None:
    twice = {"containerDefinitions": [{"name": "c", "environment": [
        {"name": "A", "value": "1"}, {"name": "A", "value": "2"},
    ]}]}  # fmt: skip
    (container,) = normalize("RegisterTaskDefinitionRequest", twice).members["containerDefinitions"].by_key.values()
    assert container["environment"] == Items({"A": "1", "A#2": "2"})


def test_true_is_not_one() -> None:
    assert diff({"a": True}, {"a": 1}) != ()
    assert diff({"a": 50}, {"a": 50.0}) == ()


def test_item_keys_are_what_reports_print() -> None:
    ports = SHAPES["ContainerDefinition"]["portMappings"]
    assert item_key(ports, {"containerPort": 80}) == "80 tcp"


# Laws ---------------------------------------------------------------------------------------------------------------

NAMES = st.text(alphabet="ABCDEFG", min_size=1, max_size=3)
ENVIRONMENT = st.dictionaries(NAMES, st.text(max_size=5), max_size=6)


@st.composite
def tasks(draw: st.DrawFn) -> dict[str, Any]:
    containers = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    return {
        "family": "f",
        "networkMode": draw(st.sampled_from(["host", "bridge", "awsvpc"])),
        "containerDefinitions": [
            {
                "name": name,
                "image": draw(st.sampled_from(["a:1", "b:2"])),
                "essential": draw(st.booleans()),
                "command": draw(st.lists(st.text(max_size=3), max_size=4)),
                "environment": [{"name": k, "value": v} for k, v in draw(ENVIRONMENT).items()],
                "portMappings": [
                    {"containerPort": port} for port in draw(st.lists(st.integers(1, 9), max_size=3, unique=True))
                ],
                "ulimits": [
                    {"name": limit, "softLimit": 1, "hardLimit": 2}
                    for limit in draw(st.lists(st.sampled_from(["core", "cpu", "memlock"]), max_size=3, unique=True))
                ],
            }
            for name in containers
        ],
    }


@given(tasks())
def test_nothing_differs_from_itself(task: dict[str, Any]) -> None:
    assert paths(task, copy.deepcopy(task)) == []


@given(tasks(), st.randoms(use_true_random=False))
def test_permuting_what_has_no_order_changes_nothing(task: dict[str, Any], random: Any) -> None:
    shuffled = copy.deepcopy(task)
    random.shuffle(shuffled["containerDefinitions"])
    for container in shuffled["containerDefinitions"]:
        for name in ("environment", "portMappings", "ulimits"):
            random.shuffle(container[name])
    assert paths(task, shuffled) == []
    assert digest(dict(content(task).members)) == digest(dict(content(shuffled).members))


@given(tasks())
def test_permuting_what_has_order_is_exactly_one_difference(task: dict[str, Any]) -> None:
    for index, container in enumerate(task["containerDefinitions"]):
        command = container["command"]
        if len(set(command)) > 1:
            other = copy.deepcopy(task)
            other["containerDefinitions"][index]["command"] = command[1:] + command[:1]
            expected = (
                [] if command[1:] + command[:1] == command else [f"containerDefinitions[{container['name']}].command"]
            )
            assert paths(task, other) == expected


@given(tasks(), tasks())
def test_differences_are_symmetric_and_empty_only_for_equal_content(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert paths(a, b) == paths(b, a)
    assert (paths(a, b) == []) == (digest(dict(content(a).members)) == digest(dict(content(b).members)))


def test_members_that_are_read_elsewhere_are_read_there() -> None:
    live = LiveService({
        "serviceName": "s", "serviceArn": "a", "status": "ACTIVE", "role": "x",
        "deployments": [
            {"status": "ACTIVE", "serviceConnectConfiguration": {"enabled": False}},
            {"status": "PRIMARY", "serviceConnectConfiguration": {"enabled": True, "namespace": "n"}},
        ],
    })  # fmt: skip
    members = service_members(live)
    assert members["serviceConnectConfiguration"] == {"enabled": True, "namespace": "n"}
    assert not {n for n, m in SERVICE_MEMBERS.items() if m.answered is Answered.NOWHERE} & set(members)


# Rows of the table: what real ECS does, one by one -------------------------------------------------------------------


def container(**members: Any) -> dict[str, Any]:
    return {"family": "f", "containerDefinitions": [{"name": "c", "image": "i:1", **members}]}


def service_paths(spec: dict[str, Any], live: dict[str, Any]) -> list[str]:
    both = [normalize("CreateServiceRequest", one).members for one in (spec, live)]
    return [show(one.path) for one in diff(*both)]


D1 = "sha256:" + "a" * 64
D2 = "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("nginx", "nginx:latest", True),
        ("nginx", "docker.io/library/nginx:latest", True),
        ("library/nginx:1", "index.docker.io/library/nginx:1", True),
        ("me/app:1", "docker.io/me/app:1", True),
        ("localhost:5000/app", "localhost:5000/app:latest", True),
        (f"r.example.com/app:1@{D1}", f"r.example.com/app@{D1}", True),
        (f"r.example.com/app:1@{D1}", f"r.example.com/app:2@{D1.upper().replace('SHA', 'sha')}", True),
        (f"r.example.com/app:1@{D1}", f"r.example.com/app:1@{D2}", False),
        ("r.example.com/app:1", f"r.example.com/app:1@{D1}", False),
        ("r.example.com/app:1", "r.example.com/app:2", False),
        ("r.example.com/app:1", "app:1", False),
        ("r.example.com/library/app:1", "r.example.com/app:1", False),
        ("nginx:1", "Nginx:1", False),
    ],
)
def test_images_are_compared_as_docker_reads_them(a: str, b: str, same: bool) -> None:
    assert (paths(container(image=a), container(image=b)) == []) is same


def test_a_digest_that_ecs_resolves_stands_where_nothing_is_compared() -> None:
    """ECS tells the digest of a tag on the service revision and on the task; a task definition keeps the tag."""
    revision = {
        "serviceRevisionArn": "a",
        "containerImages": [{"containerName": "c", "image": "i:1", "imageDigest": D1}],
    }
    live = LiveService({"serviceName": "s", "serviceArn": "a", "currentServiceRevisions": [revision]})
    assert service_members(live) == {}


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("train", "arn:aws:iam::123456789012:role/train", True),
        ("/ml/train", "arn:aws:iam::123456789012:role/ml/train", True),
        ("arn:aws-us-gov:iam::123456789012:role/train", "train", True),
        ("train", "arn:aws:iam::123456789012:role/ml/train", False),
        ("train", "arn:aws:iam::123456789012:role/other", False),
    ],
)
def test_a_role_by_name_is_the_role_by_arn(a: str, b: str, same: bool) -> None:
    for member in ("taskRoleArn", "executionRoleArn"):
        assert (paths({member: a}, {member: b}) == []) is same


@pytest.mark.parametrize(
    ("spec", "live", "expected"),
    [
        # Off is off, whatever else is said
        ({}, {"restartPolicy": {"enabled": False}}, []),
        ({"restartPolicy": {"enabled": False}}, {}, []),
        ({}, {"restartPolicy": {"enabled": False, "restartAttemptPeriod": 60}}, []),
        ({}, {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}}, ["restartPolicy.enabled"]),
        ({"restartPolicy": {"enabled": True}}, {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 300}}, []),
        (
            {"restartPolicy": {"enabled": True}},
            {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}},
            ["restartPolicy.restartAttemptPeriod"],
        ),
        # Swappiness has a default only beside a limit
        ({"linuxParameters": {"maxSwap": 5}}, {"linuxParameters": {"maxSwap": 5, "swappiness": 60}}, []),
        (
            {"linuxParameters": {"maxSwap": 5}},
            {"linuxParameters": {"maxSwap": 5, "swappiness": 10}},
            ["linuxParameters.swappiness"],
        ),
        # Two mappings of one container port have no order either
        (
            {"portMappings": [{"containerPort": 80, "hostPort": 1}, {"containerPort": 80, "hostPort": 2}]},
            {"portMappings": [{"containerPort": 80, "hostPort": 2}, {"containerPort": 80, "hostPort": 1}]},
            [],
        ),
        (
            {"portMappings": [{"containerPort": 80, "hostPort": 1}, {"containerPort": 80, "hostPort": 2}]},
            {"portMappings": [{"containerPort": 80, "hostPort": 3}, {"containerPort": 80, "hostPort": 1}]},
            ["portMappings[80 tcp#2].hostPort"],
        ),
        ({"portMappings": [{"containerPort": 80}]}, {"portMappings": [{"containerPort": 80, "protocol": "tcp"}]}, []),
        # What docker and ECS make of nothing
        ({}, {"privileged": False, "readonlyRootFilesystem": False, "pseudoTerminal": False, "cpu": 0}, []),
        ({"healthCheck": {"command": ["CMD", "x"]}}, {"healthCheck": {"command": ["CMD", "x"], "startPeriod": 0}}, []),
        ({}, {"linuxParameters": {"capabilities": {"add": [], "drop": []}, "devices": [], "tmpfs": []}}, []),
        ({"environment": [{"name": "A", "value": ""}]}, {"environment": [{"name": "A"}]}, []),
        ({}, {"logConfiguration": {"logDriver": "awslogs"}}, ["logConfiguration"]),
        ({"dependsOn": [{"containerName": "a", "condition": "START"}]}, {}, ["dependsOn[a]"]),
        ({"dnsServers": ["1", "2"]}, {"dnsServers": ["2", "1"]}, ["dnsServers"]),
        ({"links": ["a", "b"]}, {"links": ["b", "a"]}, []),
        ({"user": "0"}, {}, ["user"]),
    ],
)
def test_container_rows(spec: dict[str, Any], live: dict[str, Any], expected: list[str]) -> None:
    assert paths(container(**spec), container(**live)) == [f"containerDefinitions[c].{path}" for path in expected]


@pytest.mark.parametrize(
    ("spec", "live", "expected"),
    [
        ({}, {"volumes": [], "placementConstraints": [], "inferenceAccelerators": []}, []),
        ({"cpu": ".25 vCPU"}, {"cpu": "256"}, []),
        ({"memory": "0.5GB"}, {"memory": "512"}, []),
        ({"volumes": [{"name": "v", "dockerVolumeConfiguration": {"autoprovision": True}}]},
         {"volumes": [{"name": "v", "dockerVolumeConfiguration": {
             "autoprovision": True, "scope": "shared", "driver": "local"}}]}, []),
        ({"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "shared"}}]},
         {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "task"}}]},
         ["volumes[v].dockerVolumeConfiguration.scope"]),
        ({"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs"}}]},
         {"volumes": [{"name": "v", "efsVolumeConfiguration": {
             "fileSystemId": "fs", "rootDirectory": "/", "transitEncryption": "DISABLED",
             "authorizationConfig": {"iam": "DISABLED"}}}]}, []),
        ({"placementConstraints": [{"type": "memberOf", "expression": "attribute:a==b and attribute:c==d"}]},
         {"placementConstraints": [{"type": "memberOf", "expression": "(attribute:c == d) && (attribute:a == 'b')"}]},
         []),
        ({}, {"runtimePlatform": {"cpuArchitecture": "ARM64"}}, ["runtimePlatform.cpuArchitecture"]),
        ({}, {"ipcMode": "host"}, ["ipcMode"]),
        ({}, {"enableFaultInjection": False}, []),
        ({"ephemeralStorage": {"sizeInGiB": 21}}, {}, ["ephemeralStorage"]),
    ],
)  # fmt: skip
def test_task_rows(spec: dict[str, Any], live: dict[str, Any], expected: list[str]) -> None:
    assert paths(spec, live) == expected


LB = {"containerName": "c", "containerPort": 80, "targetGroupArn": "tg/blue"}
GREEN = {"advancedConfiguration": {"alternateTargetGroupArn": "tg/green", "productionListenerRule": "r"}}
SWAPPED = {
    **LB,
    "targetGroupArn": "tg/green",
    "advancedConfiguration": {"alternateTargetGroupArn": "tg/blue", "productionListenerRule": "r"},
}
BREAKER = "deploymentConfiguration.deploymentCircuitBreaker"


@pytest.mark.parametrize(
    ("spec", "live", "expected"),
    [
        ({}, {"enableECSManagedTags": False, "propagateTags": "NONE", "healthCheckGracePeriodSeconds": 0}, []),
        ({}, {"schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"}}, []),
        ({}, {"propagateTags": "SERVICE"}, ["propagateTags"]),
        ({}, {"enableExecuteCommand": True}, ["enableExecuteCommand"]),
        ({}, {"desiredCount": 7, "launchType": "EC2", "platformVersion": "LATEST"}, []),
        ({}, {"capacityProviderStrategy": [{"capacityProvider": "p", "weight": 1, "base": 0}]}, []),
        ({"platformVersion": "LATEST"}, {"platformVersion": "1.4.0"}, ["platformVersion"]),
        ({"capacityProviderStrategy": [{"capacityProvider": "p"}]},
         {"capacityProviderStrategy": [{"capacityProvider": "p", "weight": 0, "base": 0}]}, []),
        # A default of the whole, and each leaf of it by itself
        ({}, {"deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING",
              "bakeTimeInMinutes": 0, "alarms": {"alarmNames": [], "enable": False, "rollback": False},
              "deploymentCircuitBreaker": {"enable": False, "rollback": False, "resetOnHealthyTask": True,
                                           "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50}}}}, []),
        ({"schedulingStrategy": "DAEMON"}, {"schedulingStrategy": "DAEMON", "desiredCount": 3,
         "deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0}}, []),
        ({}, {"deploymentConfiguration": {"maximumPercent": 150}}, ["deploymentConfiguration.maximumPercent"]),
        ({}, {"deploymentConfiguration": {"alarms": {"enable": True, "rollback": True, "alarmNames": ["a"]}}},
         ["deploymentConfiguration.alarms.enable"]),
        ({}, {"deploymentConfiguration": {"alarms": {"enable": False, "rollback": True, "alarmNames": ["a"]}}}, []),
        ({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}},
         {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}},
         [f"{BREAKER}.rollback"]),
        ({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}},
         {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True,
          "thresholdConfiguration": {"type": "COUNT", "value": 50}}}}, [f"{BREAKER}.thresholdConfiguration.type"]),
        ({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": False, "rollback": False}}},
         {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": False, "rollback": True}}}, []),
        ({"deploymentConfiguration": {"strategy": "ROLLING"}},
         {"deploymentConfiguration": {"strategy": "ROLLING", "canaryConfiguration": {"canaryPercent": 9}}}, []),
        ({"deploymentConfiguration": {"strategy": "CANARY"}},
         {"deploymentConfiguration": {"strategy": "CANARY", "canaryConfiguration": {
             "canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}}}, []),
        ({"deploymentConfiguration": {"strategy": "CANARY"}},
         {"deploymentConfiguration": {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 9}}},
         ["deploymentConfiguration.canaryConfiguration.canaryPercent"]),
        ({"deploymentConfiguration": {"earlySuccessCriteria": {"enable": True}}},
         {"deploymentConfiguration": {"earlySuccessCriteria": {
             "enable": True, "healthyPercent": 100, "sourceServiceRevisionCleanup": "BLOCKING"}}}, []),
        ({"deploymentConfiguration": {"lifecycleHooks": [{"hookTargetArn": "f", "lifecycleStages": ["A", "B"]}]}},
         {"deploymentConfiguration": {"lifecycleHooks": [{"hookTargetArn": "f", "lifecycleStages": ["B", "A"],
          "targetType": "AWS_LAMBDA", "timeoutConfiguration": {"timeoutInMinutes": 1440, "action": "ROLLBACK"}}]}}, []),
        # Sets
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a", "b"]}}},
         {"networkConfiguration": {"awsvpcConfiguration": {
             "subnets": ["b", "a"], "securityGroups": ["sg"], "assignPublicIp": "DISABLED"}}}, []),
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a"], "securityGroups": ["x", "y"]}}},
         {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a"], "securityGroups": ["y", "z"]}}},
         ["networkConfiguration.awsvpcConfiguration.securityGroups[x]",
          "networkConfiguration.awsvpcConfiguration.securityGroups[z]"]),
        ({"placementConstraints": [{"type": "distinctInstance"}, {"type": "memberOf", "expression": "attribute:a==b"}]},
         {"placementConstraints": [
             {"type": "memberOf", "expression": "attribute:a == b"}, {"type": "distinctInstance"}]}, []),
        # Order is meaning
        ({"placementStrategy": [{"type": "spread", "field": "host"}, {"type": "binpack", "field": "cpu"}]},
         {"placementStrategy": [{"type": "spread", "field": "instanceId"}, {"type": "binpack", "field": "CPU"}]}, []),
        ({"placementStrategy": [{"type": "spread", "field": "instanceid"}, {"type": "random"}]},
         {"placementStrategy": [{"type": "spread", "field": "instanceId"}, {"type": "random", "field": ""}]}, []),
        ({"placementStrategy": [{"type": "spread", "field": "host"}, {"type": "binpack", "field": "cpu"}]},
         {"placementStrategy": [{"type": "binpack", "field": "CPU"}, {"type": "spread", "field": "instanceId"}]},
         ["placementStrategy"]),
        # Blue/green swaps the groups
        ({"loadBalancers": [{**LB, **GREEN}]}, {"loadBalancers": [SWAPPED]}, []),
        ({"loadBalancers": [LB]}, {"loadBalancers": [{**LB, "targetGroupArn": "tg/green"}]},
         ["loadBalancers[c 80 tg/blue]", "loadBalancers[c 80 tg/green]"]),
        ({"serviceRegistries": []}, {}, []),
        # Service Connect
        ({}, {"serviceConnectConfiguration": {"enabled": False, "namespace": "n"}}, []),
        ({"serviceConnectConfiguration": {"enabled": True, "services": [{"portName": "p"}]}},
         {"serviceConnectConfiguration": {"enabled": True, "namespace": "default.of.cluster", "services": [
             {"portName": "p", "discoveryName": "p"}]}}, []),
        ({"serviceConnectConfiguration": {"enabled": True, "services": [
            {"portName": "p", "clientAliases": [{"port": 80}]}]}},
         {"serviceConnectConfiguration": {"enabled": True, "services": [
            {"portName": "p", "discoveryName": "p", "clientAliases": [{"port": 80, "dnsName": "p.ns"}]}]}}, []),
        ({"serviceConnectConfiguration": {"enabled": True}},
         {"serviceConnectConfiguration": {"enabled": True, "containerConfigurations": [{"logLevel": "info"}]}}, []),
        ({"serviceConnectConfiguration": {"enabled": True}}, {}, ["serviceConnectConfiguration.enabled"]),
        # Volumes: what is left out is the snapshot's, the type's or the account's
        ({"volumeConfigurations": [{"name": "v", "managedEBSVolume": {"roleArn": "r", "sizeInGiB": 5}}]},
         {"volumeConfigurations": [{"name": "v", "managedEBSVolume": {"roleArn": "r", "sizeInGiB": 5, "encrypted": True,
          "volumeType": "gp3", "iops": 3000, "throughput": 125, "filesystemType": "xfs"}}]}, []),
        ({"volumeConfigurations": [{"name": "v", "managedEBSVolume": {"roleArn": "r", "sizeInGiB": 5}}]},
         {"volumeConfigurations": [{"name": "v", "managedEBSVolume": {"roleArn": "r", "sizeInGiB": 6}}]},
         ["volumeConfigurations[v].managedEBSVolume.sizeInGiB"]),
    ],
)  # fmt: skip
def test_service_rows(spec: dict[str, Any], live: dict[str, Any], expected: list[str]) -> None:
    assert service_paths(spec, live) == expected


def test_the_platform_version_of_a_service_is_what_was_asked_for() -> None:
    """The deployment's is the one that LATEST stood for; it is not what is compared. Recorded 2018 to 2024."""
    for name in ("service_update", "service_update_definition", "service_by_arn"):
        file = PAIRS.parent / "sequences" / name / "ecs.DescribeServices_1.json"
        (service, *_) = json.loads(file.read_text())["services"]
        assert service_members(LiveService(service))["platformVersion"] == "LATEST"
        assert service["deployments"][0]["platformVersion"] != "LATEST"


def test_an_unknown_member_is_addressed_by_its_keys() -> None:
    live = container(portMappings=[{"containerPort": 80, "quantum": True}], environment=[{"name": "A", "value": "1"}])
    live["containerDefinitions"][0]["newThing"] = {"a": 1}
    found = content(live).unknown
    assert [show(one.path) for one in found] == [
        "containerDefinitions[c].newThing",
        "containerDefinitions[c].portMappings[80 tcp].quantum",
    ]
    in_order = normalize("CreateServiceRequest", {"placementStrategy": [{"type": "random"}, {"type": "x", "new": 1}]})
    assert [show(one.path) for one in in_order.unknown] == ["placementStrategy[1].new"]
