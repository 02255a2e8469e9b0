"""What other tools have on disk becomes a spec as far as it can, and what cannot is named at its place."""

import json
from dataclasses import replace
from typing import Any

import pytest

from controller.core.importing.document import Choices
from controller.core.importing.exports import Address, Exports, exports
from controller.core.importing.proof import prove
from tests.core.imports import CONTAINER, NOW, SERVICE, imported

DEFINITION = {"family": "bert", "containerDefinitions": [CONTAINER]}


def exported(where: Address | None = None, **files: Any) -> Exports:
    content = {name: value if isinstance(value, bytes) else json.dumps(value).encode() for name, value in files.items()}
    return exports(content, where or Address())


def told(one: Exports) -> list[str]:
    return [finding.message for finding in one.diagnostics]


def test_answers_of_the_aws_cli() -> None:
    definition = {**DEFINITION, "taskDefinitionArn": SERVICE["taskDefinition"], "registeredAt": "2024-01-26T15:17:13Z"}
    one = exported(
        services={
            "services": [{**SERVICE, "createdAt": "2024-01-26T15:17:13Z", "events": [{"id": "1"}]}],
            "failures": [],
        },
        definition={"taskDefinition": definition, "tags": [{"key": "team", "value": "nlp"}]},
    )
    assert told(one) == []
    (service,) = one.found
    assert (service.cluster, service.name, service.origin) == ("train", "bert", "definition and services")
    body, _, proof = imported(service)
    assert body["replicas"] == 2
    assert body["taskDefinition"]["tags"] == [{"key": "team", "value": "nlp"}]
    assert proof.in_sync


def test_what_a_query_of_the_aws_cli_has_picked_out() -> None:
    assert exported(services=[SERVICE], definition=DEFINITION).found[0].name == "bert"
    assert exported(service=SERVICE, definition=DEFINITION).found[0].name == "bert"


def test_a_request_as_ecspresso_keeps_it_with_templates_as_text() -> None:
    container = {**CONTAINER, "image": "example.com/bert:{{ must_env `TAG` }}", "cpu": None}
    one = exported(
        Address("train", "bert"),
        definition={**DEFINITION, "cpu": 1024, "containerDefinitions": [container]},
        service={"desiredCount": 3, "launchType": "EC2", "propagateTags": "SERVICE", "role": "ecs", "pendingCount": 0},
    )
    assert told(one) == []
    body, _, proof = imported(one.found[0])
    assert body["replicas"] == 3
    assert body["taskDefinition"]["cpu"] == 1024
    assert body["taskDefinition"]["containerDefinitions"][0]["image"] == "example.com/bert:{{ must_env `TAG` }}"
    assert body["service"]["role"] == "ecs", "ECS never answers it, and somebody has asked for it"
    assert proof.in_sync


def test_what_ecs_never_answers_is_proven_too() -> None:
    monitoring = {"metricConfigurations": [{"metricNames": ["CPUUtilization"], "resolutionSeconds": 20}]}
    (one,) = exported(Address("c", "bert"), definition=DEFINITION, service={**SERVICE, "monitoring": monitoring}).found
    body, spec, proof = imported(one)
    assert body["service"]["monitoring"] == monitoring
    assert proof.in_sync
    other = replace(spec, text=spec.text.replace("resolutionSeconds: 20", "resolutionSeconds: 60"))
    changed = prove(other, one, Choices(), file="bert.yaml", now=NOW)
    assert [difference.field for difference in changed.differences] == [
        "service.monitoring.metricConfigurations[CPUUtilization].resolutionSeconds"
    ]


def test_a_task_definition_alone() -> None:
    one = exported(Address("train", None), definition=DEFINITION)
    body, _, proof = imported(one.found[0])
    assert body == {"cluster": "train", "taskDefinition": {"containerDefinitions": [CONTAINER]}}
    assert proof.in_sync
    assert told(exported(definition=DEFINITION)) == ["the file does not say which cluster it runs in"]


def test_one_of_several_services_is_chosen_by_its_name() -> None:
    services = {"services": [SERVICE, {**SERVICE, "serviceName": "other"}]}
    assert {one.name for one in exported(services=services, definition=DEFINITION).found} == {"bert", "other"}
    (one,) = exported(Address("train", "other"), services=services, definition=DEFINITION).found
    assert one.name == "other"
    wrong = exported(Address("train", "nobody"), services=services, definition=DEFINITION)
    assert told(wrong) == ["none of these services is called nobody"]


def test_a_service_needs_its_task_definition() -> None:
    one = exported(service={"service": SERVICE}, definition={**DEFINITION, "family": "another"})
    assert one.found == ()
    assert told(one) == [f"the task definition of service bert is not there: {SERVICE['taskDefinition']}"]


def test_numbers_where_text_is_wanted_are_text_and_unknown_members_are_named() -> None:
    environment = [{"name": "A", "value": 1}, {"name": "B", "value": True}]
    definition = {**DEFINITION, "containerDefinitions": [{**CONTAINER, "environment": environment, "gpus": 1}]}
    one = exported(Address("train"), definition=definition)
    assert told(one) == ["taskDefinition.containerDefinitions[train].gpus is not a known field"]
    assert one.found[0].register["containerDefinitions"][0]["environment"][0] == {"name": "A", "value": "1"}


TEMPLATE = """
Parameters: {Tag: {Type: String}}
Resources:
  Role: {Type: AWS::IAM::Role}
  Definition:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: bert
      Cpu: 1024
      TaskRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - Name: train
          Image: {"Fn::Sub": "repo:${Tag}"}
          Memory: 4096
          Environment: [{Name: LR, Value: 1e-3}]
          LogConfiguration: {LogDriver: awslogs, Options: {awslogs-group: x}}
  Service:
    Type: AWS::ECS::Service
    Properties:
      ServiceName: bert
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Definition
      DesiredCount: 2
      EnableECSManagedTags: true
"""


def test_a_template_of_cloudformation_as_far_as_it_is_plain() -> None:
    one = exported(Address("train"), template=TEMPLATE.encode())
    assert told(one) == [
        "Definition.taskRoleArn is computed by CloudFormation, so its value is not known here",
        "Definition.containerDefinitions.image is computed by CloudFormation, so its value is not known here",
    ]
    (service,) = one.found
    assert service.register["containerDefinitions"] == [
        {
            "name": "train",
            "memory": 4096,
            "environment": [{"name": "LR", "value": "1e-3"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "x"}},
        }
    ]
    assert service.service == {"enableECSManagedTags": True}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1]", "an ECS request is a mapping, not the number 1"),
        (b"name: api\ntype: Load Balanced Web Service\n", "this is a Copilot manifest, which cannot be imported"),
        (b"services: {web: {image: x}}\n", "this is a docker compose file, which cannot be imported"),
        (
            b"cluster: c\nservice: s\nservice_definition: a.json\nregion: r\ntimeout: 1\n",
            "this is an ecspresso configuration, which cannot be imported",
        ),
        (b'{"a": [1], "b": 1, "c": 2}', "this is no ECS request that is known here; it says `a, b, c`"),
        (b"Resources: {B: {Type: AWS::S3::Bucket}}", "the template has no ECS service and no task definition"),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_is_called_by_its_name(content: bytes, message: str) -> None:
    one = exported(Address("train", "bert"), file=content)
    assert one.found == ()
    assert message in told(one)


def test_a_template_outside_of_a_text_is_an_error_with_a_place_and_advice() -> None:
    one = exported(Address("train", "bert"), file=b'{"family": "x",\n "cpu": {{ env "CPU" }}}')
    assert one.found == ()
    assert (one.diagnostics[0].at.line, one.diagnostics[0].is_error) == (2, True)
