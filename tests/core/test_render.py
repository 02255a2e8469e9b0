"""Spec → requests: what is added, why, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from controller.core.path import show
from controller.core.render import Settings
from tests.support import SPEC, container, desired, findings, rendered

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"

SEED = {
    "family": "dl-test",
    "requiresCompatibilities": ["EC2"],
    "placementConstraints": [
        {"type": "memberOf", "expression": "attribute:ecs.os-type == linux"},
        {"type": "memberOf", "expression": "attribute:ecs.instance-type == dl1.24xlarge"},
    ],
    "networkMode": "host",
    "cpu": "10240",
    "memory": "1024",
    "containerDefinitions": [
        {
            "entryPoint": ["sh", "-c"],
            "command": ["hl-smi"],
            "cpu": 8192,
            "environment": [{"name": "HABANA_VISIBLE_DEVICES", "value": "all"}],
            "image": "vault.habana.ai/gaudi-docker/1.1.0/ubuntu20.04/habanalabs/"
            "tensorflow-installer-tf-cpu-2.6.0:1.1.0-614",
            "essential": True,
            "name": "tensorflow-installer-tf-hpu",
        }
    ],
}
"""The task definition of AWS's page "Using deep learning DL1 instances on Amazon ECS"."""


def spec(
    gaudi: str = "{cards: 8}", *, task: str = "", service: str = "", replicas: str = "replicas: 1", more: str = ""
) -> str:
    return f"""
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: bert}}
spec:
  cluster: default
  {replicas}
  gaudi: {gaudi}
  taskDefinition:
    memory: "1000"
    {task}
    containerDefinitions:
      - name: train
        image: example.com/bert:1
        {more}
  service: {{{service}}}
"""


def variables(register: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(register)["environment"]}


def why(one: Any) -> dict[str, str]:
    return {show(reason.path): reason.why for reason in one.reasons}


# The seed page ------------------------------------------------------------------------------------------------------


def test_the_seed_pages_task_definition_comes_out_equal_member_for_member() -> None:
    found = desired((EXAMPLES / "hl-smi.yaml").read_text())
    (one,) = found.rendered.values()
    assert one.register == SEED


def test_the_seed_page_itself_says_so() -> None:
    page = Path(__file__).parents[3] / "shared" / "seed" / "ecs-dl1.md"
    if not page.exists():
        pytest.skip("the page is not part of the project; its task definition is quoted above")
    (block,) = (text for text in re.findall(r"```\n(.*?)```", page.read_text(), re.DOTALL) if text.startswith("{"))
    assert json.loads(block) == SEED


def test_a_pasted_task_definition_stays_as_it_is() -> None:
    document = {
        "apiVersion": "dl1.ecs/v1alpha1", "kind": "DL1Service", "metadata": {"name": "x"},
        "spec": {"cluster": "c", "taskDefinition": SEED},
    }  # fmt: skip
    assert rendered(json.dumps(document)).register == SEED


# Tuning -------------------------------------------------------------------------------------------------------------


def test_recommended_for_eight_cards() -> None:
    one = rendered(spec("{cards: 8, isolation: none}"))
    assert one.register["ipcMode"] == "host"
    train = container(one.register)
    assert train["linuxParameters"] == {"capabilities": {"add": ["SYS_NICE"]}, "initProcessEnabled": True}
    assert train["ulimits"] == [{"name": "memlock", "softLimit": -1, "hardLimit": -1}]
    assert variables(one.register) == {
        "HABANA_VISIBLE_DEVICES": "all",
        "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    }
    assert "portMappings" not in train


def test_one_card_needs_no_ranks() -> None:
    one = rendered(spec("{modules: [3], isolation: none}"))
    assert "ipcMode" not in one.register
    assert variables(one.register) == {"HABANA_VISIBLE_DEVICES": "all", "HABANA_VISIBLE_MODULES": "3"}


def test_one_card_with_pytorch_needs_shared_memory() -> None:
    text = spec("{modules: [3]}").replace("bert:1", "pytorch-training-habana:1.11.0")
    assert rendered(text).register["ipcMode"] == "host"


def test_own_shared_memory_is_respected() -> None:
    one = rendered(spec(more="linuxParameters: {sharedMemorySize: 65536}"))
    assert "ipcMode" not in one.register
    assert container(one.register)["linuxParameters"]["sharedMemorySize"] == 65536


def test_minimal_adds_only_placement_and_visibility() -> None:
    one = rendered(spec("{cards: 8, tuning: minimal, isolation: none}"))
    assert set(one.register) == {
        "family", "memory", "containerDefinitions", "requiresCompatibilities", "placementConstraints", "networkMode",
    }  # fmt: skip
    assert set(container(one.register)) == {"name", "image", "environment"}


def test_every_addition_has_a_reason_and_nothing_else_has() -> None:
    one = rendered(spec("{cards: 4, efa: true}"))
    reasons = why(one)
    assert all(reasons.values())
    for path in (
        "taskDefinition.networkMode",
        "taskDefinition.ipcMode",
        "taskDefinition.requiresCompatibilities",
        "taskDefinition.containerDefinitions[train].linuxParameters.initProcessEnabled",
        "taskDefinition.containerDefinitions[train].linuxParameters.capabilities.add[SYS_NICE]",
        "taskDefinition.containerDefinitions[train].linuxParameters.devices[/dev/infiniband/uverbs0]",
        "taskDefinition.containerDefinitions[train].ulimits[memlock]",
        "taskDefinition.containerDefinitions[train].environment[HABANA_VISIBLE_MODULES]",
        "taskDefinition.containerDefinitions[train].portMappings[18103 tcp]",
        "service.deploymentConfiguration.maximumPercent",
        "service.availabilityZoneRebalancing",
    ):
        assert path in reasons
    assert "taskDefinition.memory" not in reasons
    assert "service.desiredCount" not in reasons


@pytest.mark.parametrize("without", ["", "isolation: none, "])
def test_rendering_twice_is_the_same(without: str) -> None:
    text = spec(f"{{{without}cards: 8}}")
    assert rendered(text) == rendered(text)


def test_without_gaudi_nothing_is_added_for_it() -> None:
    one = rendered(SPEC.replace("  gaudi: {cards: 8}\n", ""))
    assert set(one.register) == {"family", "cpu", "memory", "containerDefinitions"}
    assert set(container(one.register)) == {"name", "image", "environment"}


# Cards --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gaudi", "variables_", "ports"),
    [
        ("{cards: 8}", {"HABANA_VISIBLE_DEVICES": "all"}, range(18100, 18108)),
        ("{modules: [0,1,2,3,4,5,6,7]}", {"HABANA_VISIBLE_DEVICES": "all"}, range(18100, 18108)),
        ("{devices: [0,1,2,3,4,5,6,7]}", {"HABANA_VISIBLE_DEVICES": "all"}, range(18100, 18108)),
        (
            "{modules: [7, 4, 5, 6]}",
            {"HABANA_VISIBLE_DEVICES": "all", "HABANA_VISIBLE_MODULES": "4,5,6,7"},
            range(18104, 18108),
        ),
        (
            "{cards: 2}",
            {"HABANA_VISIBLE_DEVICES": "all", "HABANA_VISIBLE_MODULES": "0,1"},
            range(18100, 18102),
        ),
        ("{devices: [3, 1]}", {"HABANA_VISIBLE_DEVICES": "1,3"}, (18101, 18103)),
    ],
)
def test_cards_are_said_to_the_container_and_to_ecs(gaudi: str, variables_: dict[str, str], ports: Any) -> None:
    one = rendered(spec(gaudi))
    assert variables_.items() <= variables(one.register).items()
    assert ("HABANA_VISIBLE_MODULES" in variables(one.register)) == ("HABANA_VISIBLE_MODULES" in variables_)
    expected = [{"containerPort": port, "hostPort": port, "protocol": "tcp"} for port in ports]
    assert container(one.register)["portMappings"] == expected


def test_the_port_base_is_a_setting() -> None:
    one = rendered(spec("{modules: [0, 1]}"), settings=Settings(port_base=20000))
    assert [mapping["hostPort"] for mapping in container(one.register)["portMappings"]] == [20000, 20001]


def test_the_cards_go_to_the_essential_container() -> None:
    text = spec() + ""
    two = text.replace(
        "containerDefinitions:\n", "containerDefinitions:\n      - {name: log, image: l, essential: false}\n"
    )
    one = rendered(two)
    assert "environment" not in container(one.register, "log")
    assert container(one.register, "train")["environment"]


def test_the_cards_go_to_the_container_that_asks_for_them() -> None:
    two = spec(more="environment: {HABANA_VISIBLE_DEVICES: all}").replace(
        "containerDefinitions:\n", "containerDefinitions:\n      - {name: other, image: l}\n"
    )
    one = rendered(two)
    assert "ulimits" in container(one.register, "train")
    assert "ulimits" not in container(one.register, "other")


def test_several_essential_containers_need_a_word() -> None:
    two = spec().replace("containerDefinitions:\n", "containerDefinitions:\n      - {name: other, image: l}\n")
    ((code, message, line),) = findings(two)
    assert (code, line) == ("contradiction", 8)
    assert "2 containers are essential" in message
    assert rendered(two.replace("{cards: 8}", "{cards: 8, container: train}")).register


def test_a_named_container_must_exist() -> None:
    ((code, message, _),) = findings(spec("{cards: 8, container: tran}"))
    assert code == "contradiction"
    assert "no container of that name" in message


# The user's word ----------------------------------------------------------------------------------------------------


def test_what_the_user_wrote_wins_where_it_can_work() -> None:
    one = rendered(spec(
        task="ipcMode: task\n    networkMode: bridge",
        more="ulimits: [{name: memlock, softLimit: 5, hardLimit: 6}]\n"
        "        linuxParameters: {initProcessEnabled: false, capabilities: {drop: [SYS_NICE]}}",
    ))  # fmt: skip
    assert one.register["ipcMode"] == "task"
    assert one.register["networkMode"] == "bridge"
    train = container(one.register)
    assert train["ulimits"] == [{"name": "memlock", "softLimit": 5, "hardLimit": 6}]
    assert train["linuxParameters"] == {"initProcessEnabled": False, "capabilities": {"drop": ["SYS_NICE"]}}
    assert "taskDefinition.ipcMode" not in why(one)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (spec(more="environment: {HABANA_VISIBLE_DEVICES: '0'}"), "HABANA_VISIBLE_DEVICES"),
        (spec("{modules: [0, 1]}", more="environment: {HABANA_VISIBLE_MODULES: '2,3'}"), "HABANA_VISIBLE_MODULES"),
        (spec(task="requiresCompatibilities: [FARGATE]"), "requiresCompatibilities"),
        (spec(more="portMappings: [{containerPort: 18100, hostPort: 9}]", task="networkMode: bridge"), "18100"),
        (spec(task="networkMode: awsvpc"), "holds no host ports"),
        (spec("{cards: 8, efa: true, isolation: none}", task="networkMode: bridge"), "networkMode"),
    ],
)
def test_two_values_for_one_thing_are_an_error(text: str, says: str) -> None:
    found = findings(text)
    assert any(code == "contradiction" and says in message for code, message, _ in found), found


def test_an_equal_constraint_is_not_added_twice() -> None:
    text = spec(task="placementConstraints: [{type: memberOf, expression: '(attribute:ecs.os-type==linux)'}]")
    expressions = [one["expression"] for one in rendered(text).register["placementConstraints"]]
    assert expressions == ["(attribute:ecs.os-type==linux)", "attribute:ecs.instance-type == dl1.24xlarge"]


# Service ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [("replicas: 1", (0, 100)), ("replicas: 4", (75, 100)), ("replicas: 3", (66, 100)), ("", (0, 100))],
)
def test_a_whole_instance_service_can_roll(replicas: str, expected: tuple[int, int]) -> None:
    config = rendered(spec(replicas=replicas)).create["deploymentConfiguration"]
    assert (config["minimumHealthyPercent"], config["maximumPercent"]) == expected
    assert config["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert rendered(spec(replicas=replicas)).create["availabilityZoneRebalancing"] == "DISABLED"


def test_with_room_given_it_starts_first() -> None:
    config = rendered(spec(service="deploymentConfiguration: {maximumPercent: 200}")).create["deploymentConfiguration"]
    assert (config["minimumHealthyPercent"], config["maximumPercent"]) == (100, 200)


def test_a_plain_service_keeps_ecs_own_values_but_says_them() -> None:
    create = rendered(SPEC.replace("  gaudi: {cards: 8}\n", "")).create
    assert create["availabilityZoneRebalancing"] == "ENABLED"
    assert create["deploymentConfiguration"]["maximumPercent"] == 200
    assert create["deploymentConfiguration"]["minimumHealthyPercent"] == 100


@pytest.mark.parametrize(
    ("service", "task"),
    [
        ("launchType: EXTERNAL", ""),
        ("loadBalancers: [{loadBalancerName: classic, containerName: train, containerPort: 80}]", ""),
        ("deploymentConfiguration: {maximumPercent: 100, minimumHealthyPercent: 0}", ""),
        ("placementStrategy: [{type: binpack, field: memory}]", ""),
        ("placementConstraints: [{type: memberOf, expression: 'attribute:ecs.availability-zone == us-east-1a'}]", ""),
        ("", "placementConstraints: [{type: memberOf, expression: 'attribute:ecs.availability-zone == us-east-1a'}]"),
    ],
)
def test_what_ecs_cannot_rebalance_is_not_asked_to(service: str, task: str) -> None:
    text = spec(service=service, task=task).replace("  gaudi: {cards: 8}\n", "")
    assert rendered(text).create["availabilityZoneRebalancing"] == "DISABLED"


def test_a_daemon_has_no_count() -> None:
    create = rendered(spec(service="schedulingStrategy: DAEMON", replicas="")).create
    assert "desiredCount" not in create
    assert create["deploymentConfiguration"]["maximumPercent"] == 100
    assert create["availabilityZoneRebalancing"] == "DISABLED"


def test_an_absent_count_is_sent_once_and_never_managed() -> None:
    one = rendered(spec(replicas=""))
    assert one.create["desiredCount"] == 1
    assert one.unmanaged == {"desiredCount"}
    assert "desiredCount" not in one.service


def test_identity_and_tags() -> None:
    text = (
        SPEC.replace("  name: bert\n", "  name: bert\n  labels: {team: nlp}\n")
        + "  service: {tags: [{key: a, value: b}]}\n"
    )
    one = rendered(text, settings=Settings(owner="me"))
    assert one.create["serviceName"] == "bert"
    assert one.create["cluster"] == "default"
    hashes = {"dl1.ecs/digest", "dl1.ecs/applied", "dl1.ecs/history", "dl1.ecs/tag-keys"}
    assert {key: value for key, value in one.tags.items() if key not in hashes} == {
        "a": "b",
        "dl1.ecs/labels/team": "nlp",
        "dl1.ecs/owner": "me",
        "dl1.ecs/generation": "1",
        "dl1.ecs/source": "specs.yaml",
    }
    assert hashes <= one.tags.keys()
    assert re.fullmatch(r"[0-9a-f]{32}", one.create["clientToken"])


def test_names_of_the_native_members_win() -> None:
    text = (
        SPEC.replace("  taskDefinition:\n", "  taskDefinition:\n    family: fam\n") + "  service: {serviceName: srv}\n"
    )
    one = rendered(text)
    assert (one.register["family"], one.create["serviceName"], str(one.workload.key)) == ("fam", "srv", "default/srv")


def test_the_digest_names_what_is_asked_for() -> None:
    base = rendered(SPEC)
    assert rendered(SPEC + "\n# a comment\n").digest == base.digest
    assert rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4")).digest != base.digest
    assert rendered(SPEC.replace("replicas: 1", "replicas: 2")).digest != base.digest
    assert (
        rendered(SPEC.replace("cluster: default", "cluster: arn:aws:ecs:us-east-1:123456789012:cluster/default")).digest
        == base.digest
    )


def test_an_unknown_target_is_refused() -> None:
    ((code, message, _),) = findings(SPEC.replace("  cluster: default\n", "  cluster: default\n  target: prod\n"))
    assert code == "unknown-target"
    assert "prod" in message


@pytest.mark.parametrize("key", ["dl1.ecs/owner", "aws:cloudformation:stack-name"])
def test_tags_of_others_are_refused_on_a_revision_too(key: str) -> None:
    text = SPEC.replace("  taskDefinition:\n", f"  taskDefinition:\n    tags: [{{key: '{key}', value: x}}]\n")
    ((code, message, line),) = findings(text)
    assert (code, line) == ("policy", 11)
    assert "tags of this prefix" in message


def test_a_revision_that_may_be_retired_carries_our_mark_and_says_why() -> None:
    one = rendered(f"{SPEC}  reconcile: {{keepRevisions: 3}}\n", settings=Settings(owner="me"))
    assert one.register["tags"] == [{"key": "dl1.ecs/owner", "value": "me"}]
    assert "keepRevisions" in why(one)["taskDefinition.tags[dl1.ecs/owner]"]
    assert "tags" not in rendered().register, "otherwise the request is the user's own"


def test_the_type_of_a_placement_constraint_is_said() -> None:
    """An import leaves it out as what goes without saying, and ECS must be told all the same."""
    written = "placementConstraints: [{expression: attribute:rack == 7}]"
    one = rendered(spec("{cards: 8, isolation: none, tuning: minimal}", task=written))
    assert all(each["type"] == "memberOf" for each in one.register["placementConstraints"])
    assert len(one.register["placementConstraints"]) >= 2
    assert "taskDefinition.placementConstraints[0].type" in {show(reason.path) for reason in one.reasons}
