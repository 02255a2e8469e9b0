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
