"""`controller check`: every row, with what was tried and what to do where it failed; nothing is written."""

import json
from pathlib import Path

import pytest

from controller.app.grants import principal
from tests.cli.conftest import credentials, refusing, spec


def rows(text: str) -> dict[str, str]:
    return {line[3:].split("  ")[0].strip(): line[0] for line in text.splitlines()}


def test_all_is_well(controller, aws, specs: Path):
    (specs / "bert.yaml").write_text(spec())
    done = controller("check")
    assert done.code == 0, done.err
    assert rows(done.out) == {
        "source": "✓",
        "credentials": "✓",
        "reading": "✓",
        "writing": "?",
        "cluster default": "✓",
        "DL1 in default": "✓",
    }
    assert "2 of 2 instances take tasks, 16 cards" in done.out
    assert aws.is_untouched


def test_json_has_the_same_rows(controller, aws, specs: Path):
    (specs / "bert.yaml").write_text(spec())
    document = json.loads(controller("check", "-o", "json").out)
    assert (document["apiVersion"], document["kind"]) == ("controller/v1", "Check")
    assert [one["name"] for one in document["checks"]][:3] == ["source", "credentials", "reading"]
    assert {one["verdict"] for one in document["checks"]} == {"ok", "unknown"}


def test_a_cluster_that_is_not_there_fails(controller, aws, specs: Path):
    (specs / "bert.yaml").write_text(spec(cluster="nowhere"))
    done = controller("check")
    assert done.code == 1
    assert "there is no such cluster; create it, or correct spec.cluster" in done.out


def test_instances_that_take_no_tasks_are_named(controller, aws, specs: Path):
    (specs / "bert.yaml").write_text(spec())
    instances = aws.call("ListContainerInstances", filter="attribute:ecs.instance-type == dl1.24xlarge")
    aws.call(
        "UpdateContainerInstancesState", containerInstances=instances["containerInstanceArns"][:1], status="DRAINING"
    )
    done = controller("check")
    assert (done.code, "1 of 2 instances take tasks, 8 cards, 1 draining" in done.out) == (0, True)


def test_a_broken_spec_fails_and_the_rest_is_checked_all_the_same(controller, aws, specs: Path):
    (specs / "bert.yaml").write_text(spec().replace("replicas", "replicsa"))
    done = controller("check", "--cluster", "default")
    assert done.code == 1
    assert "`controller validate` shows them" in done.out
    assert rows(done.out)["cluster default"] == "✓"


def test_what_is_not_permitted_is_listed(controller, empty_world, specs: Path):
    (specs / "bert.yaml").write_text(spec())
    with refusing("AccessDeniedException", "not authorized", status=403) as (url, asked):
        credentials(empty_world, url)
        empty_world.setenv("AWS_ENDPOINT_URL_STS", url)
        done = controller("check")
    assert done.code == 1
    assert "✗  credentials" in done.out
    assert set(asked) <= {"GetCallerIdentity", ""}


def test_nobody_there_is_one_row(controller, empty_world, specs: Path):
    (specs / "bert.yaml").write_text(spec())
    credentials(empty_world, "http://127.0.0.1:1")
    done = controller("check")
    assert done.code == 1
    assert "check the network, the region and AWS_ENDPOINT_URL" in done.out


def test_where_iam_may_not_be_asked_the_whole_policy_is_printed(controller, aws, specs: Path):
    (specs / "bert.yaml").write_text(spec())
    done = controller("check", "--iam", "--use", "tasks")
    assert done.code == 0
    assert "IAM did not say what is missing, so here is all" in done.err
    names = {one["Sid"] for one in done.json["Statement"]}
    assert {"ListInCluster", "ChangeOwnedServices", "RunTasks"} <= names
    assert "cluster/default" in done.out
    assert "${" not in done.out
    assert aws.is_untouched


def test_missing_statements_as_one_document_for_all_places(controller, aws, specs: Path):
    (specs / "bert.yaml").write_text(spec())
    found = controller("check", "--iam", "-o", "json").json
    assert (found["apiVersion"], found["kind"]) == ("controller/v1", "Permissions")
    (place,) = found["places"]
    assert place["target"] is None
    assert place["unknown"]
    assert place["policy"]["Version"] == "2012-10-17"


@pytest.mark.parametrize("words", [("--use", "tasks"), ("--iam", "--use", "everything")])
def test_a_use_that_is_none_is_a_slip(controller, specs: Path, words):
    assert controller("check", *words).code == 64


@pytest.mark.parametrize(
    ("caller", "simulated"),
    [
        ("arn:aws:iam::123456789012:user/eva", "arn:aws:iam::123456789012:user/eva"),
        ("arn:aws:sts::123456789012:assumed-role/controller/i-0123", "arn:aws:iam::123456789012:role/controller"),
        ("arn:aws-cn:sts::123456789012:assumed-role/a/b", "arn:aws-cn:iam::123456789012:role/a"),
    ],
)
def test_iam_is_asked_about_the_role_behind_a_session(caller, simulated):
    assert principal(caller) == simulated
