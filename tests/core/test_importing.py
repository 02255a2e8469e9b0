"""From a live service to a spec: what is written, what is left out, what is never copied, what is proven."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.core.diagnostics import Code
from controller.core.importing.document import Choices, Spec, spec_of
from controller.core.importing.found import Found
from controller.core.importing.lean import lean, spelled_out
from controller.core.importing.proof import prove
from controller.core.importing.secrets import hide, looks_secret
from controller.core.live import LiveService, Observation, Revision, ScalableTarget
from controller.core.normalize import normalize
from controller.core.path import show
from controller.core.render import Settings
from controller.core.spec import Gaudi, Isolation, Tuning
from tests.core.imports import ARN, CONTAINER, NOW, SERVICE, found, imported
from tests.support import findings, rendered

# What is written
# --------------------------------------------------------------------------------------------------------------------


def test_what_goes_without_saying_is_left_out() -> None:
    body, spec, proof = imported(
        found(
            container={
                "cpu": 0,
                "essential": True,
                "environment": [],
                "mountPoints": [],
                "volumesFrom": [],
                "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
                "healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 2},
            },
            networkMode="host",
            volumes=[],
            placementConstraints=[],
            status="ACTIVE",
            compatibilities=["EC2"],
            service={
                "schedulingStrategy": "REPLICA",
                "propagateTags": "NONE",
                "enableECSManagedTags": False,
                "availabilityZoneRebalancing": "ENABLED",
                "deploymentConfiguration": {
                    "maximumPercent": 200,
                    "minimumHealthyPercent": 100,
                    "deploymentCircuitBreaker": {"enable": True, "rollback": True},
                    "strategy": "ROLLING",
                },
                "placementStrategy": [],
            },
        )
    )
    assert body == {
        "cluster": "train",
        "replicas": 2,
        "taskDefinition": {
            "networkMode": "host",
            "containerDefinitions": [
                {
                    **CONTAINER,
                    "portMappings": [{"containerPort": 80}],
                    "healthCheck": {"command": ["CMD", True], "retries": 2},
                }
            ],
        },
        "reconcile": {"adopt": True},
    }
    assert proof.in_sync
    assert spec.kept < spec.fields


def test_what_the_renderer_would_add_and_is_not_there_is_said() -> None:
    body, _, proof = imported(found())
    assert body["service"] == {
        "availabilityZoneRebalancing": "DISABLED",
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": False, "rollback": False}},
    }
    assert proof.in_sync


def test_a_family_of_another_name_is_said() -> None:
    assert "family" not in imported(found())[0]["taskDefinition"]
    body, _, proof = imported(found(family="other"))
    assert body["taskDefinition"]["family"] == "other"
    assert proof.in_sync


def test_members_that_only_deployments_answer_are_taken_from_the_primary_one() -> None:
    lattice = {"roleArn": f"{ARN}:role/x", "targetGroupArn": "arn:aws:vpc-lattice:tg", "portName": "p"}
    old = {**lattice, "portName": "old"}
    deployments = [
        {"status": "ACTIVE", "vpcLatticeConfigurations": [old]},
        {"status": "PRIMARY", "vpcLatticeConfigurations": [lattice]},
    ]
    body, _, proof = imported(found(service={"deployments": deployments}))
    assert body["service"]["vpcLatticeConfigurations"] == [lattice]
    assert proof.in_sync


def test_tags_are_kept_but_for_ours_and_those_of_aws() -> None:
    tags = {"team": "nlp", "dl1.ecs/owner": "controller", "dl1.ecs/labels/tier": "prod", "aws:x": "y", "a": ""}
    one = found(service={"tags": [{"key": key, "value": value} for key, value in tags.items()]})
    body, spec, proof = imported(one)
    assert body["service"]["tags"] == [{"key": "a", "value": ""}, {"key": "team", "value": "nlp"}]
    assert "labels: {tier: prod}" in spec.text
    assert "reconcile" not in body, "it is ours already"
    assert proof.in_sync


def test_a_label_that_somebody_has_made_unreadable_is_a_named_difference() -> None:
    tags = [{"key": "dl1.ecs/owner", "value": "controller"}, {"key": "dl1.ecs/labels/tier", "value": "a b"}]
    _, _, proof = imported(found(service={"tags": tags}))
    assert [one.field for one in proof.differences] == ["service.tags[dl1.ecs/labels/tier]"]


def test_what_its_tags_remember_of_the_last_spec_is_said_again() -> None:
    tags = {
        "dl1.ecs/owner": "controller",
        "dl1.ecs/on-delete": "orphan",
        "dl1.ecs/suspended-until": "2027-01-01T00:00:00+00:00",
    }
    one = found(service={"tags": [{"key": key, "value": value} for key, value in tags.items()]})
    body, _, _ = imported(one)
    assert body["reconcile"]["onDelete"] == "orphan"
    assert body["reconcile"]["suspend"]["until"] == "2027-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("service", "choices", "scaling", "replicas"),
    [
        ({}, {}, None, 2),
        ({"desiredCount": 0}, {}, None, 0),
        ({}, {"replicas": False}, None, None),
        ({}, {}, ScalableTarget(1, 8), None),
        ({}, {}, ScalableTarget(1, 8, suspended=True), 2),
        ({"schedulingStrategy": "DAEMON"}, {}, None, None),
    ],
)
def test_the_count_is_said_unless_somebody_else_has_it(
    service: dict[str, Any], choices: dict[str, Any], scaling: ScalableTarget | None, replicas: int | None
) -> None:
    one = found(service=service)
    seen = Observation(service=one.observation.service, revision=one.observation.revision, scaling=scaling)
    body, _, proof = imported(Found("train", "bert", "train/bert", seen), **choices)
    assert body.get("replicas") == replicas
    assert proof.in_sync


def test_equal_requests_give_equal_text_whatever_the_order_of_their_lists() -> None:
    several = [{"name": "b", "value": "2"}, {"name": "a", "value": "1"}]
    ports = [{"containerPort": 443}, {"containerPort": 80}]
    one = found(container={"environment": several, "portMappings": ports})
    other = found(container={"environment": several[::-1], "portMappings": ports[::-1]})
    assert spec_of(one, Choices()).text == spec_of(other, Choices()).text
    assert "environment: {a: 1, b: 2}" in spec_of(one, Choices()).text
    assert spec_of(one, Choices()).text.index("containerPort: 80") < spec_of(one, Choices()).text.index("443")


def test_the_account_that_it_is_in_is_said() -> None:
    one = replace(found(), target="prod")
    body, _, proof = imported(one, settings=Settings(targets=frozenset({"prod"})))
    assert list(body)[:2] == ["cluster", "target"]
    assert body["target"] == "prod"
    assert proof.in_sync


def test_where_it_comes_from_is_said_once_and_no_time_is() -> None:
    text = spec_of(found(), Choices()).text
    assert text.startswith("# Imported from train/bert by `controller import`.\napiVersion: ")
    assert text.count("#") == 1


def test_a_member_that_nobody_knows_is_named_and_left_out() -> None:
    body, _, proof = imported(found(container={"newThing": {"a": 1}}))
    assert "newThing" not in json.dumps(body)
    assert [show(one.path) for one in proof.unknown] == ["taskDefinition.containerDefinitions[train].newThing"]


# Gaudi
# --------------------------------------------------------------------------------------------------------------------

SPEC = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: bert}}
spec:
  cluster: train
  replicas: 1
  gaudi: {gaudi}
  taskDefinition:
    memory: "60000"
    containerDefinitions:
      - {{name: train, image: "example.com/pytorch-bert:1", environment: {{LR: 1e-3}}}}
"""


def as_live(document: str) -> Found:
    """What would be live if a spec were applied."""
    one = rendered(document)
    service = {n: value for n, value in one.create.items() if n not in ("clientToken", "tags")}
    revision = Revision({**one.register, "taskDefinitionArn": f"{ARN}:task-definition/bert:1"})
    live = LiveService({**SERVICE, **service, "cluster": "train", "tags": []})
    return Found("train", "bert", "train/bert", Observation(service=live, revision=revision))


@pytest.mark.parametrize("tuning", list(Tuning))
@pytest.mark.parametrize("isolation", list(Isolation))
@pytest.mark.parametrize("efa", [False, True])
@pytest.mark.parametrize("cards", ["cards: 8", "modules: [0, 1]", "modules: [4, 5, 6, 7]", "devices: [0, 1, 2, 3]"])
def test_gaudi_settings_are_recognised(cards: str, efa: bool, isolation: Isolation, tuning: Tuning) -> None:
    flags = f"efa: {str(efa).lower()}, isolation: {isolation}, tuning: {tuning}"
    one = as_live(SPEC.format(gaudi=f"{{{cards}, {flags}}}"))
    body, spec, proof = imported(one)
    name, _, numbers = cards.partition(": ")
    value = json.loads(numbers)
    assert spec.gaudi == Gaudi(
        **{name: tuple(value) if isinstance(value, list) else value}, efa=efa, isolation=isolation, tuning=tuning
    )
    assert body["taskDefinition"] == {
        "memory": 60000,
        "containerDefinitions": [
            {"name": "train", "image": "example.com/pytorch-bert:1", "environment": {"LR": 0.001}}
        ],
    }
    assert proof.in_sync


def test_recognition_is_exact_or_it_is_none() -> None:
    one = as_live(SPEC.format(gaudi="{cards: 8}"))
    register = one.register
    register["containerDefinitions"][0]["ulimits"] = []
    body, spec, proof = imported(one.with_register(register))
    assert spec.gaudi is not None
    assert spec.gaudi.tuning is Tuning.MINIMAL, "one of the additions of `recommended` is not there"
    assert body["taskDefinition"]["containerDefinitions"][0]["linuxParameters"]["capabilities"] == {"add": ["SYS_NICE"]}
    assert proof.in_sync
    register["placementConstraints"] = register["placementConstraints"][:1]
    body, spec, proof = imported(one.with_register(register))
    assert spec.gaudi is None, "every setting adds both constraints"
    assert body["taskDefinition"]["containerDefinitions"][0]["environment"]["HABANA_VISIBLE_DEVICES"] == "all"
    assert proof.in_sync


def test_what_the_user_has_beside_the_additions_stays() -> None:
    one = as_live(SPEC.format(gaudi="{cards: 8}"))
    register = one.register
    register["placementConstraints"].append({"type": "memberOf", "expression": "attribute:rack == 7"})
    register["containerDefinitions"][0]["portMappings"].append({"containerPort": 9000, "hostPort": 9000})
    body, spec, proof = imported(one.with_register(register))
    assert spec.gaudi == Gaudi(cards=8)
    assert body["taskDefinition"]["placementConstraints"] == [{"expression": "attribute:rack == 7"}]
    assert body["taskDefinition"]["containerDefinitions"][0]["portMappings"] == [{"containerPort": 9000}]
    assert proof.in_sync


def test_other_spellings_of_the_same_are_recognised_too() -> None:
    one = as_live(SPEC.format(gaudi="{cards: 8, tuning: minimal, isolation: none}"))
    register = one.register
    register["placementConstraints"] = [
        {"type": "memberOf", "expression": "attribute:ecs.instance-type==dl1.24xlarge"},
        {"type": "memberOf", "expression": "(attribute:ecs.os-type == linux)"},
    ]
    register["containerDefinitions"][0]["environment"] = [
        {"name": "HABANA_VISIBLE_DEVICES", "value": "7,6,5,4,3,2,1,0"}, {"name": "LR", "value": "1e-3"},
    ]  # fmt: skip
    body, spec, _ = imported(one.with_register(register))
    assert spec.gaudi == Gaudi(cards=8, tuning=Tuning.MINIMAL, isolation=Isolation.NONE)
    assert "placementConstraints" not in body["taskDefinition"]


def test_another_port_base_is_not_ours() -> None:
    one = as_live(SPEC.format(gaudi="{cards: 8}"))
    register = one.register
    register["containerDefinitions"][0]["portMappings"] = [
        {"containerPort": port, "hostPort": port, "protocol": "tcp"} for port in range(19000, 19008)
    ]
    body, spec, proof = imported(one.with_register(register))
    assert spec.gaudi == Gaudi(cards=8, isolation=Isolation.NONE)
    assert len(body["taskDefinition"]["containerDefinitions"][0]["portMappings"]) == 8
    assert proof.in_sync


def test_the_container_is_named_where_two_could_have_the_cards() -> None:
    two = """
      - {name: serve, image: "example.com/b:1"}
"""
    document = SPEC.format(gaudi="{cards: 8, container: train}") + two.lstrip("\n")
    _, spec, proof = imported(as_live(document))
    assert spec.gaudi == Gaudi(cards=8, container="train")
    assert proof.in_sync


# Secrets
# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("HF_TOKEN", "hf_abcdefghijklmnopqrstuvwxyz", True),
        ("DB_PASSWORD", "1234", True),
        ("API_KEY", "x", True),
        ("DATABASE_URL", "postgres://user:pw@host/db", True),
        ("OPTIONS", "--lr 1e-3 --api-key=abcdef", True),
        ("ANYTHING", "AKIAIOSFODNN7EXAMPLE", True),
        ("MAX_TOKENS", "512", False),
        ("MAX_TOKENS_SECRET", "512", True),
        ("TOKENIZERS_PARALLELISM", "false", False),
        ("USE_TOKEN", "true", False),
        ("TOKEN_SECRET", "", False),
        ("SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:x", False),
        ("ARGS", "--max-tokens 512 --lr 1e-3", False),
        ("LR", "1e-3", False),
    ],
)
def test_what_looks_like_a_secret(name: str, value: str, secret: bool) -> None:
    assert looks_secret(name, value) is secret


def test_no_secret_is_ever_copied() -> None:
    one = found(
        container={
            "environment": [
                {"name": "HF_TOKEN", "value": "hf_SECRETSECRETSECRETSECRET"},
                {"name": "LR", "value": "1e-3"},
                {"name": "DB_URL", "value": "postgres://me:SECRETPW@db/x"},
            ],
            "secrets": [{"name": "OTHER", "valueFrom": "/path/of/it"}],
            "command": ["sh", "-c", "run --token SECRETTOKEN1 --lr 1", "--password", "SECRETWORD"],
            "dockerLabels": {"api-key": "SECRETLABEL"},
            "logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": "SECRETSPLUNK"}},
        },
        volumes=[{"name": "v", "dockerVolumeConfiguration": {"driverOpts": {"o": "username=a,password=SECRETOPT"}}}],
    )
    body, spec, proof = imported(one)
    assert "SECRET" not in spec.text.replace("TODO-SECRET", "")
    assert "SECRET" not in repr((spec, proof)).replace("TODO-SECRET", "")
    (container,) = body["taskDefinition"]["containerDefinitions"]
    assert container["environment"] == {"LR": 0.001}
    assert container["secrets"] == {"DB_URL": "TODO", "HF_TOKEN": "TODO", "OTHER": "/path/of/it"}
    assert container["command"] == ["sh", "-c", "run --token TODO-SECRET --lr 1", "--password", "TODO-SECRET"]
    assert container["dockerLabels"] == {"api-key": "TODO-SECRET"}
    assert container["logConfiguration"]["options"] == {"splunk-token": "TODO-SECRET"}
    assert proof.in_sync, "placeholders are named, not differences"
    lines = spec.text.splitlines()
    variables = [(hidden.name, lines[at.line - 1]) for hidden, at in proof.placeholders if "secrets" in hidden.path]
    assert sorted(name for name, line in variables if f"{name}: TODO" in line) == ["DB_URL", "HF_TOKEN"]
    assert len(proof.placeholders) == 7


def test_a_placeholder_is_an_error_until_it_is_filled_in() -> None:
    spec = spec_of(found(container={"environment": [{"name": "HF_TOKEN", "value": "hf_x"}]}), Choices())
    wrong = [(code, line) for code, _, line in findings(spec.text)]
    line = 1 + next(i for i, text in enumerate(spec.text.splitlines()) if "HF_TOKEN" in text)
    assert wrong == [(str(Code.PLACEHOLDER), line)]
    assert findings(spec.text.replace("TODO", "/ml/hf-token")) == []


def test_a_name_that_is_known_to_be_no_secret_is_copied() -> None:
    one = found(container={"environment": [{"name": "EOS_TOKEN", "value": "</s>"}]})
    assert imported(one)[1].hidden != ()
    body, spec, _ = imported(one, plain=frozenset({"EOS_TOKEN"}))
    assert spec.hidden == ()
    assert body["taskDefinition"]["containerDefinitions"][0]["environment"] == {"EOS_TOKEN": "</s>"}


def test_hiding_does_not_change_what_it_is_given() -> None:
    register = {"containerDefinitions": [{"name": "a", "environment": [{"name": "A_TOKEN", "value": "xyz"}]}]}
    before = json.dumps(register)
    hide(register)
    assert json.dumps(register) == before


# The proof
# --------------------------------------------------------------------------------------------------------------------


def test_the_proof_finds_every_field_that_the_text_does_not_say() -> None:
    one = found(container={"environment": [{"name": "LR", "value": "1e-3"}]})
    spec = spec_of(one, Choices())
    text = spec.text.replace("1e-3", "1e-4").replace("replicas: 2", "replicas: 3")
    wrong = Spec(text, spec.hidden, spec.gaudi, spec.autoscaled, spec.fields, spec.kept)
    proof = prove(wrong, one, Choices(), file="bert.yaml", now=NOW)
    assert {one.field: (one.live, one.spec) for one in proof.differences} == {
        "taskDefinition.containerDefinitions[train].environment[LR]": ("1e-3", "1e-4"),
        "service.desiredCount": (2, 3),
    }
    assert not proof.in_sync


def test_what_policy_refuses_is_no_proof() -> None:
    _, _, proof = imported(found(networkMode="awsvpc"))
    assert [one.message for one in proof.findings if one.is_error] == [
        "networkMode awsvpc needs service.networkConfiguration with subnets"
    ]
    assert not proof.in_sync


def test_text_that_cannot_be_parsed_is_no_proof() -> None:
    one = found(container={"environment": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]})
    _, _, proof = imported(one)
    assert [one.code for one in proof.findings] == [Code.DUPLICATE_ITEM]
    assert not proof.in_sync


def test_a_retired_revision_is_a_difference() -> None:
    _, _, proof = imported(found(status="INACTIVE"))
    assert [one.field for one in proof.differences] == ["taskDefinition.status"]


# Lean
# --------------------------------------------------------------------------------------------------------------------


def test_spelling_out_and_leaving_out_are_each_others_inverse() -> None:
    wire = {"deploymentConfiguration": {"maximumPercent": 150}, "propagateTags": "SERVICE"}
    said = spelled_out("CreateServiceRequest", wire)
    assert said["deploymentConfiguration"]["minimumHealthyPercent"] == 100
    canonical = normalize("CreateServiceRequest", wire).members
    assert normalize("CreateServiceRequest", said).members == canonical
    assert (
        lean("CreateServiceRequest", said, lambda some: normalize("CreateServiceRequest", some).members == canonical)
        == wire
    )


def test_what_the_api_requires_stays() -> None:
    wire = {"deploymentConfiguration": {"alarms": {"alarmNames": ["a"], "enable": True, "rollback": False}}}
    canonical = normalize("CreateServiceRequest", wire).members
    same = lean("CreateServiceRequest", wire, lambda some: normalize("CreateServiceRequest", some).members == canonical)
    assert same == wire


RECORDED = Path(__file__).parent.parent / "data" / "recorded" / "pairs"


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*TaskDefinition*.json")), ids=lambda file: file.stem)
def test_an_import_says_no_more_than_what_was_declared(file: Path) -> None:
    """The pairs hold what somebody declared: an import finds that again, and nothing beside it."""
    pair = json.loads(file.read_text())
    one = Found("c", "n", "n", Observation(revision=Revision(pair["live"])))
    body, _, _ = imported(one)
    said = {name for container in body["taskDefinition"]["containerDefinitions"] for name in container}
    declared = {name for container in pair["declared"]["containerDefinitions"] for name in container}
    assert said <= declared | {"secrets"}
