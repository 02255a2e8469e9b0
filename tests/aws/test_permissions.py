"""The IAM policies: of every operation that is sent and of no other, as narrow as IAM lets them be, and current."""

import json
import re
from pathlib import Path

import pytest
from botocore.loaders import Loader

from controller.aws import operations, permissions, policies
from controller.aws.operations import declared
from controller.aws.permissions import STATEMENTS, Statement, Use, actions_of, filled, policy, statements
from controller.core.ownership import OWNER

IAM = Path(__file__).parents[2] / "deploy" / "iam"
NAMES = {
    "partition": "aws",
    "region": "us-west-2",
    "account": "123456789012",
    "cluster": "train",
    "owner": "controller",
}
MANAGED_POLICY = 6_144
"""Characters of a managed policy without white space. Source: IAM quotas."""
IMPLIED = {"iam:PassRole", "ecs:TagResource"}
"""Actions that are asked for by operations of another name."""


def files():
    return sorted(path.relative_to(IAM).as_posix() for path in IAM.rglob("*.json"))


def granted(name):
    found = json.loads((IAM / name).read_text())
    return {
        action
        for statement in found["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


# What is sent
# --------------------------------------------------------------------------------------------------------------------


def test_the_list_of_operations_is_current():
    assert operations.extract() == (Path(operations.__file__).with_name(operations.FILE)).read_text()


def test_no_statement_is_for_what_is_not_sent():
    """A row that waits for code that may come is a permission that nobody looks at when it comes."""
    assert {operation for one in STATEMENTS for operation in one.operations} == declared()


def test_every_declared_operation_is_sent(sent, request):
    """The last test of a whole run: what is granted is needed by something that was seen to work.

    In a part of the suite nothing can be said of what it did not send; that nothing undeclared is sent is checked after
    each test, in every run (`tests/conftest.py`).
    """
    if not sent.whole or request.session.testsfailed:
        pytest.skip("only a whole run that passes tells what is sent by nobody")
    assert declared() - sent.all == set(), "declared, and sent by no test through a real client"


def test_an_operation_of_a_name_that_several_services_have_is_of_ecs(tmp_path):
    known = operations._known()
    assert known["TagResource"] == "ecs"
    assert known["Query"] == "dynamodb"
    names = [set(Loader().load_service_model(one, "service-2")["operations"]) for one in operations.SERVICES]
    shared = {name for mine in names for name in mine if sum(name in other for other in names) > 1}
    assert shared & {one.partition(".")[2] for one in declared()} == {"TagResource", "UntagResource"}


# The statements
# --------------------------------------------------------------------------------------------------------------------


def test_every_operation_has_a_statement_and_every_statement_is_of_operations_that_there_are():
    assert permissions.without_statement(declared()) == ()
    assert permissions.without_statement({"ecs.DeleteCluster"}) == ("ecs.DeleteCluster",)
    models = {one: Loader().load_service_model(one, "service-2")["operations"] for one in operations.SERVICES}
    for statement in STATEMENTS:
        for operation in statement.operations:
            service, _, name = operation.partition(".")
            assert name in models[service], operation


def test_statements_have_names_of_their_own_that_iam_takes():
    names = [one.sid for one in STATEMENTS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", name) for name in names)


def test_an_operation_that_nobody_sends_is_granted_nowhere():
    (run,) = [one for one in STATEMENTS if one.sid == "RunTasks"]
    assert run.granted({"ecs.RunTask"}) == ("ecs:RunTask",)
    assert run.granted(set()) == ()
    assert statements({Use.TASKS}, set()) == ()
    (roles,) = [one for one in STATEMENTS if one.sid == "PassTaskRoles"]
    assert roles.granted({"ecs.RegisterTaskDefinition"}) == ("iam:PassRole",)
    assert roles.granted({"ecs.StopTask"}) == ()


def test_every_write_is_held_to_what_is_ours_or_is_said_not_to_be():
    """What cannot be narrowed, or is narrowed by the cluster alone, stands here by name."""
    loose = set()
    for one in STATEMENTS:
        writes = [name for name in one.operations if not re.match(r"\w+\.(Describe|List|Get)", name)]
        if writes and writes[0].startswith("ecs.") and OWNER not in json.dumps(one.condition):
            loose.add(one.sid)
    assert loose == {
        *("TagCreatedServices", "TagCreatedRevisions", "TagTasks"),  # held to the calls that create
        "PassTaskRoles",  # held to roles by name, and to ECS tasks
        "RetireRevisions",  # ECS cannot
        *("RunTasks", "StopTasks", "MarkInstances"),  # held to the cluster: ECS takes the tags of a task that stops
    }


def test_a_statement_of_many_actions_has_them_once():
    twice = Statement("A", Use.SOURCE_S3, ("s3.GetObject", "s3.GetObject", "sts.GetCallerIdentity"))
    assert twice.granted({"s3.GetObject", "sts.GetCallerIdentity"}) == ("s3:GetObject", "s3:GetObjectVersion")
    assert actions_of("sqs.DeleteMessageBatch") == ("sqs:DeleteMessage",)


# The files
# --------------------------------------------------------------------------------------------------------------------


def test_the_files_are_current(tmp_path, capsys):
    assert policies.main([str(IAM), "--check"]) == 0
    assert policies.main([str(tmp_path)]) == 0
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")) == files()
    (tmp_path / "controller.json").write_text("{}")
    (tmp_path / "old.json").write_text("{}")
    capsys.readouterr()
    assert policies.main([str(tmp_path), "--check"]) == 1
    said = capsys.readouterr().err
    assert "controller.json is not what the controller needs" in said
    assert "old.json" in said
    assert policies.main([str(tmp_path)]) == 0
    assert policies.main([str(tmp_path), "--check"]) == 0


def test_together_they_grant_what_is_sent_and_nothing_else():
    needed = {action for operation in declared() for action in actions_of(operation)}
    assert {action for name in files() for action in granted(name)} == needed | IMPLIED


def test_the_read_only_policy_reads():
    reads = r"(ecs|application-autoscaling):(Describe|List)\w+"
    assert all(re.fullmatch(reads, action) for action in granted("read-only.json"))
    assert granted("read-only.json") < granted("controller.json")


@pytest.mark.parametrize("name", files())
def test_a_file_is_a_policy_that_iam_takes(name):
    text = (IAM / name).read_text()
    found = json.loads(text)
    assert found["Version"] == "2012-10-17"
    assert len(re.sub(r"\s", "", text)) < MANAGED_POLICY
    for statement in found["Statement"]:
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert statement["Effect"] == "Allow"
        assert "*" not in json.dumps(statement["Action"])


def test_placeholders_are_filled_in_and_the_rest_is_left():
    found = policy(statements({Use.OBSERVE, Use.CONVERGE}, declared()), declared(), names=NAMES)
    text = json.dumps(found)
    assert set(re.findall(r"\$\{(\w+)\}", text)) == {"task_roles"}
    assert "arn:aws:ecs:us-west-2:123456789012:cluster/train" in text
    assert filled("${a}/${c}", {"a": "1"}) == ["1/${c}"]


def test_a_placeholder_may_stand_for_several():
    assert filled("${a}/${b}", {"a": ["1", "2"], "b": ["x", "y"]}) == ["1/x", "1/y", "2/x", "2/y"]
    found = policy(statements({Use.OBSERVE}, declared()), declared(), names={**NAMES, "cluster": ["train", "serve"]})
    by_name = {one["Sid"]: one for one in found["Statement"]}
    assert [arn.rpartition("/")[2] for arn in by_name["ReadCluster"]["Resource"]] == ["train", "serve"]
    assert len(by_name["ListInCluster"]["Condition"]["ArnLike"]["ecs:cluster"]) == 2
    assert by_name["ReadDefinitionsAndScaling"]["Resource"] == "*"


def test_the_owner_of_the_conditions_is_the_tag_that_the_controller_sets():
    text = (IAM / "controller.json").read_text()
    assert f'"aws:ResourceTag/{OWNER}": "${{owner}}"' in text
    assert f'"aws:RequestTag/{OWNER}": "${{owner}}"' in text
