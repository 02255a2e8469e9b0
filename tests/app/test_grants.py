"""`controller check --iam`: the statements that are missing and no others, asked of IAM as ECS would ask it."""

import fnmatch
import json
from collections.abc import Mapping
from typing import Any

import pytest

from controller.app.compose import Place, places_of
from controller.app.grants import missing, names_of, uses_of
from controller.aws.operations import declared
from controller.aws.permissions import Use, policy, statements
from controller.aws.sessions import Identity
from controller.settings import Settings
from tests.support import SPEC, desired

ROLE = "arn:aws:iam::123456789012:role/controller"
IDENTITY = Identity("123456789012", "arn:aws:sts::123456789012:assumed-role/controller/task")
SETTINGS = Settings(
    source="s3://specs/prod",
    queue="https://sqs.us-west-2.amazonaws.com/123456789012/wake-ups",
    lease={"store": "dynamodb://leases"},
    journal="dynamodb://journal",
)
NAMES = names_of(SETTINGS, IDENTITY, "us-west-2", ["train"])


class Iam:
    """A simulation that decides as IAM does, from one policy: patterns of resources, and every condition met."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.statements = json.loads(json.dumps(document))["Statement"]
        self.asked: list[Mapping[str, Any]] = []

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        assert operation == "SimulatePrincipalPolicy"
        self.asked.append(params)
        context = {one["ContextKeyName"]: one["ContextKeyValues"][0] for one in params.get("ContextEntries", ())}
        results = []
        for action in params["ActionNames"]:
            each = [self.allows(action, arn, context) for arn in params.get("ResourceArns", ["*"])]
            told = ["allowed" if one else "implicitDeny" for one in each]
            specific = [{"EvalResourceName": "x", "EvalResourceDecision": one} for one in told]
            results.append({"EvalActionName": action, "EvalDecision": told[0], "ResourceSpecificResults": specific})
        return {"EvaluationResults": results}

    def allows(self, action: str, arn: str, context: Mapping[str, str]) -> bool:
        return any(
            action in listed(one["Action"])
            and any(fnmatch.fnmatchcase(arn, pattern) for pattern in listed(one["Resource"]))
            and all(
                operator == "Null"
                or (key in context and any(fnmatch.fnmatchcase(context[key], value) for value in listed(values)))
                for operator, keys in one.get("Condition", {}).items()
                for key, values in keys.items()
            )
            for one in self.statements
        )


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


ALL = (Use.OBSERVE, Use.CONVERGE, Use.ADOPT, Use.RETIRE, Use.TASKS, Use.SOURCE_S3, Use.QUEUE, Use.LEASE_DYNAMODB)


async def test_with_the_policy_of_the_controller_nothing_is_missing():
    needed = statements(ALL, declared())
    iam = Iam(policy(needed, declared(), names=NAMES))
    assert await missing(iam, ROLE, needed, NAMES) == ()
    assert {one["PolicySourceArn"] for one in iam.asked} == {ROLE}
    assert "${" not in json.dumps(iam.asked)
    assert "*" not in json.dumps(iam.asked)


async def test_with_no_policy_everything_is_missing():
    needed = statements(ALL, declared())
    assert await missing(Iam({"Statement": []}), ROLE, needed, NAMES) == needed


async def test_with_the_read_only_policy_the_writes_are_missing():
    iam = Iam(policy(statements({Use.OBSERVE}, declared()), declared(), names=NAMES))
    lacking = await missing(iam, ROLE, statements((Use.OBSERVE, Use.CONVERGE), declared()), NAMES)
    assert lacking == statements({Use.CONVERGE}, declared())


@pytest.mark.parametrize("sid", [one.sid for one in statements(ALL, declared())])
async def test_the_statement_that_is_taken_away_is_the_one_that_is_missing(sid):
    needed = statements(ALL, declared())
    rest = [one for one in needed if one.sid != sid]
    lacking = await missing(Iam(policy(rest, declared(), names=NAMES)), ROLE, needed, NAMES)
    assert {one.sid for one in lacking} <= {sid}
    # What another statement grants anyway is not missing: retiring looks everywhere, adopting tags what has no owner.
    alone = statements([one for one in ALL if one not in (Use.RETIRE, Use.ADOPT)], declared())
    if sid in {one.sid for one in alone}:
        rest = [one for one in alone if one.sid != sid]
        (one,) = await missing(Iam(policy(rest, declared(), names=NAMES)), ROLE, alone, NAMES)
        assert one.sid == sid


async def test_only_the_actions_that_are_denied_are_told():
    needed = statements({Use.QUEUE}, declared())
    document = policy(needed, declared(), names=NAMES)
    document["Statement"][0]["Action"] = "sqs:ReceiveMessage"
    (one,) = await missing(Iam(document), ROLE, needed, NAMES)
    assert policy([one], declared(), names=NAMES)["Statement"] == [
        {
            "Sid": "ReceiveWakeUps",
            "Effect": "Allow",
            "Action": "sqs:DeleteMessage",
            "Resource": "arn:aws:sqs:us-west-2:123456789012:wake-ups",
        }
    ]


async def test_another_cluster_is_not_ours():
    needed = statements({Use.OBSERVE}, declared())
    iam = Iam(policy(needed, declared(), names=NAMES))
    elsewhere = {**NAMES, "cluster": ["serve"]}
    lacking = {one.sid for one in await missing(iam, ROLE, needed, elsewhere)}
    assert {"ListInCluster", "ReadCluster", "ReadServices"} <= lacking
    assert "ReadDefinitionsAndScaling" not in lacking


def test_the_settings_tell_what_is_used():
    (own,) = places_of(SETTINGS)
    assert uses_of(own, []) == {
        *(Use.OBSERVE, Use.CONVERGE, Use.SOURCE_S3, Use.QUEUE, Use.LEASE_DYNAMODB, Use.JOURNAL_DYNAMODB)
    }
    in_s3 = Settings(lease={"store": "s3://bucket/leases"}, journal="s3://bucket/journal/")
    (own,) = places_of(in_s3)
    assert {Use.LEASE_S3, Use.JOURNAL_S3} <= uses_of(own, [])
    names = names_of(in_s3, IDENTITY, "us-west-2", [])
    assert (names["lease_prefix"], names["journal_prefix"], names["cluster"]) == ("leases/", "journal/", ["*"])


def test_the_specs_tell_what_is_used():
    def uses(reconcile: str) -> set[Use]:
        found = desired(f"{SPEC}  reconcile: {reconcile}\n")
        return uses_of(Place(None, Settings(), Settings()), [one.workload for one in found.rendered.values()])

    assert uses("{mode: notify}") == {Use.OBSERVE}
    assert uses("{mode: enforce}") == {Use.OBSERVE, Use.CONVERGE}
    assert uses("{adopt: true}") == {Use.OBSERVE, Use.CONVERGE, Use.ADOPT}
    assert uses("{keepRevisions: 5}") == {Use.OBSERVE, Use.CONVERGE, Use.RETIRE}


def test_jobs_and_smoke_tests_need_tasks_and_the_addresses_of_instances():
    (own,) = places_of(Settings(smoke=True))
    assert uses_of(own, []) == {Use.OBSERVE, Use.CONVERGE, Use.TASKS, Use.INSTANCES}
    job = """
        apiVersion: dl1.ecs/v1alpha1
        kind: DL1Job
        metadata: {name: train}
        spec:
          cluster: default
          gaudi: {cards: 8}
          taskDefinition: {containerDefinitions: [{name: train, image: "example.com/a:1", memory: 4096}]}
    """
    (found,) = desired(job).jobs.values()
    (own,) = places_of(Settings())
    assert uses_of(own, [found.workload]) == {Use.OBSERVE, Use.CONVERGE, Use.TASKS, Use.INSTANCES}


def test_what_a_target_needs_is_what_is_done_there():
    target = {"name": "prod", "region": "us-west-2", "roleArn": "arn:aws:iam::222233334444:role/controller"}
    own, there = places_of(SETTINGS.model_copy(update={"targets": Settings(targets=[target]).targets}))
    assert Use.TARGETS in uses_of(own, [])
    assert uses_of(there, []) == {Use.OBSERVE, Use.CONVERGE}
