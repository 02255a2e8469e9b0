"""`--once --out` and `apply`: exactly the plan that was looked at, or nothing, said field by field."""

import json
import os
import stat
import subprocess
from pathlib import Path

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.cli.apply import STALE
from tests.cli.conftest import embedded, spec

DONE, ERROR, DRIFT, INVALID, UNHEALTHY, USAGE = 0, 1, 2, 3, 4, 64
PLAN = Path("plan.json")


@pytest.fixture
def planned(aws, specs, controller):
    """A plan that creates one service, and the world it was made in."""
    (specs / "bert.yaml").write_text(spec())
    outcome = controller("--once", "--out", PLAN)
    assert (outcome.code, outcome.err) == (DRIFT, "note: `controller apply plan.json` does this\n")
    assert aws.is_untouched
    return aws


def edited(change):
    """The plan file with a change."""
    document = json.loads(PLAN.read_text())
    change(document)
    PLAN.write_text(json.dumps(document))


def refused(outcome, aws, *sentences):
    assert outcome.code == STALE
    assert "the plan is stale, nothing is written" in outcome.err
    for sentence in sentences:
        assert sentence in outcome.out, outcome.out
    return True


# What is written
# --------------------------------------------------------------------------------------------------------------------


def test_the_plan_is_carried_out(planned, controller):
    outcome = controller("apply", PLAN)
    assert (outcome.code, outcome.err) == (DONE, "")
    assert "done: new revision + create" in outcome.out
    assert planned.call("ListServices")["serviceArns"]
    again = controller("apply", PLAN)
    assert refused(again, planned, "default/bert is in the plan and not to be done any more")


def test_it_waits_where_it_is_asked_to(planned, controller):
    assert controller("apply", PLAN, "--wait", "--timeout", "0.2").code == UNHEALTHY
    assert planned.call("ListServices")["serviceArns"]


def test_a_document_whatever_happens(planned, controller):
    stale = json.loads(PLAN.read_text())
    stale["settings"]["owner"] = "another"
    Path("stale.json").write_text(json.dumps(stale))
    outcome = controller("apply", "stale.json", "-o", "json")
    assert (outcome.code, outcome.json["kind"]) == (STALE, "StalePlan")
    assert (
        controller("apply", "nothing.json", "-o", "json").json["errors"][0]["message"].startswith("plan nothing.json")
    )
    assert controller("apply", "stale.json", "-o", "junit").out.startswith("<?xml")
    done = controller("apply", PLAN, "-o", "json")
    assert (done.code, done.json["kind"]) == (DONE, "Plan")


def test_a_selector_and_force_are_part_of_the_plan(aws, specs, controller):
    (specs / "bert.yaml").write_text(spec())
    (specs / "other.yaml").write_text(spec("other", team="vision", gaudi="{modules: [0]}"))
    controller("--once", "--out", PLAN, "-l", "team=vision", "--force")
    document = json.loads(PLAN.read_text())
    assert document["order"] == {"selector": "team=vision", "force": True}
    assert controller("apply", PLAN).code == DONE
    (arn,) = aws.call("ListServices")["serviceArns"]
    assert arn.endswith("/other")


def test_an_orphan_is_deleted_by_its_plan(planned, specs, controller):
    controller("apply", PLAN)
    (specs / "bert.yaml").write_text(spec("other", gaudi="{modules: [0]}"))
    controller("--once", "--out", PLAN, "--cluster", "default")
    steps = {
        key: [step["action"] for step in one["steps"]] for key, one in json.loads(PLAN.read_text())["workloads"].items()
    }
    assert steps["default/bert"] == ["ScaleToZero", "DeleteService"]
    assert controller("apply", PLAN, "--cluster", "default").code in (DONE, DRIFT)
    assert [arn.rpartition("/")[2] for arn in planned.call("ListServices")["serviceArns"]] == ["other"]


# What makes a plan stale
# --------------------------------------------------------------------------------------------------------------------


def test_another_source(planned, specs, controller):
    (specs / "bert.yaml").write_text(spec(tag="2"))
    assert refused(controller("apply", PLAN), planned, "source content was sha256:", "default/bert: spec was sha256:")
    assert planned.is_untouched


def test_a_comment_in_the_source(planned, specs, controller):
    (specs / "bert.yaml").write_text(spec() + "# a comment\n")
    assert refused(controller("apply", PLAN), planned, "source revision was sha256:")
    assert planned.is_untouched


def test_another_live_state(planned, specs, controller):
    controller("apply", PLAN)
    planned.rest()
    (specs / "bert.yaml").write_text(spec(replicas=3))
    controller("--once", "--out", PLAN)
    planned.call("UpdateService", cluster="default", service="bert", desiredCount=7)
    outcome = controller("apply", PLAN)
    assert refused(outcome, planned, "default/bert: changes service.desiredCount live was 1 and is 7")
    (live,) = planned.call("DescribeServices", cluster="default", services=["bert"])["services"]
    assert live["desiredCount"] == 7


def test_somebody_else_did_it(planned, specs, controller):
    controller("--once", "--apply")
    assert refused(controller("apply", PLAN), planned, "default/bert is in the plan and not to be done any more")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--owner", "another"), "settings owner was controller and is another"),
        (("--region", "us-west-2"), "places  region was us-east-1 and is us-west-2"),
        (("--port-base", "20000"), "settings portBase was 18100 and is 20000"),
        (("--cluster", "default"), 'settings clusters was [] and is ["default"]'),
    ],
    ids=lambda case: case[0] if isinstance(case, tuple) else "",
)
def test_other_settings(planned, controller, flags, sentence):
    outcome = controller("apply", PLAN, *flags)
    if outcome.code == ERROR:  # the other region has no cluster: then nothing can be compared
        assert "ClusterNotFound" in outcome.err
    else:
        assert refused(outcome, planned, sentence)
    assert planned.is_untouched


def test_another_endpoint(planned, controller, empty_world):
    with embedded() as other:
        empty_world.setenv("AWS_ENDPOINT_URL", other.server.url)
        assert refused(controller("apply", PLAN), planned, "places  endpoint was http://127.0.0.1:")
        assert other.is_untouched
    assert planned.is_untouched


def test_another_source_is_named(planned, controller):
    assert refused(controller("apply", PLAN, "-s", "elsewhere"), planned, "source uri was specs and is elsewhere")


def test_what_cannot_be_observed_is_an_error(planned, controller, empty_world):
    """An error outranks drift."""
    empty_world.delenv("AWS_ACCESS_KEY_ID")
    outcome = controller("apply", PLAN)
    assert outcome.code == ERROR
    assert planned.is_untouched


# The file
# --------------------------------------------------------------------------------------------------------------------


def test_it_is_its_owners_alone(planned):
    assert stat.S_IMODE(PLAN.stat().st_mode) == 0o600
    assert [path.name for path in Path().iterdir() if path.name.startswith(".plan")] == []


def test_what_is_there_is_replaced_whole(planned, controller):
    before = json.loads(PLAN.read_text())
    PLAN.write_text("something else")
    controller("--once", "--out", PLAN)
    assert {**json.loads(PLAN.read_text()), "made": ""} == {**before, "made": ""}


def test_it_holds_no_secret(aws, specs, controller):
    secret = "hunter2hunter2"
    (specs / "bert.yaml").write_text(spec().replace("command:", f"environment: {{API_KEY: {secret}}}, command:"))
    controller("--once", "--out", PLAN)
    controller("--once", "--apply")
    (specs / "bert.yaml").write_text(spec().replace("command:", f"environment: {{API_KEY: {secret}X}}, command:"))
    controller("--once", "--out", "second.json")
    assert "API_KEY" in Path("second.json").read_text()
    assert secret not in PLAN.read_text() + Path("second.json").read_text()


def test_a_plan_that_is_not_whole_is_not_saved(specs, controller):
    (specs / "bert.yaml").write_text(spec())
    outcome = controller("--once", "--out", PLAN)
    assert (outcome.code, PLAN.exists()) == (ERROR, False)
    assert "note: no plan is saved: something could not be observed" in outcome.err


def test_invalid_documents_stop_neither_saving_nor_applying(aws, specs, controller):
    (specs / "bert.yaml").write_text(spec())
    (specs / "typo.yaml").write_text(spec("typo").replace("command:", "comand:"))
    assert controller("--once", "--out", PLAN).code == INVALID
    assert controller("apply", PLAN).code == INVALID
    assert len(aws.call("ListServices")["serviceArns"]) == 1


def test_a_file_that_cannot_be_written(aws, specs, controller):
    (specs / "bert.yaml").write_text(spec())
    outcome = controller("--once", "--out", "no/such/folder/plan.json")
    assert (outcome.code, "cannot be written" in outcome.err) == (ERROR, True)


def test_saving_is_not_applying(controller):
    assert controller("--once", "--out", PLAN, "--apply").code == USAGE
    assert controller("--out", PLAN).code == USAGE


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", "no plan that was saved"),
        ('{"kind": "Plan"}', "no plan that was saved"),
        ('{"kind": "SavedPlan", "apiVersion": "controller/v1", "format": 2}', "of the form controller/v1 2"),
        ('{"kind": "SavedPlan", "apiVersion": "controller/v2", "format": 1}', "of the form controller/v2 1"),
        ('{"kind": "SavedPlan", "apiVersion": "controller/v1", "format": true}', "of the form"),
        ('{"kind": "SavedPlan", "apiVersion": "controller/v1", "format": 1}', "no whole plan"),
    ],
)
def test_what_is_no_plan_is_refused(controller, content, sentence):
    PLAN.write_text(content)
    outcome = controller("apply", PLAN)
    assert outcome.code == ERROR
    assert sentence in outcome.err


def test_an_unknown_member_is_refused(planned, controller):
    edited(lambda document: document.update(approved=True))
    assert controller("apply", PLAN).code == ERROR


def leaves(tree, path=()):
    """Every place of a document."""
    yield path
    if isinstance(tree, dict | list):
        for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(value, (*path, name))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_tampering_only_ever_refuses(planned, controller, data):
    """Whatever is changed, taken away or put in: nothing is written but the plan."""
    before = PLAN.read_text()
    document = json.loads(before)
    free = {"made", "controller", "order"}  # what was asked for is asked for again: see the test after this one
    path = data.draw(st.sampled_from([path for path in leaves(document) if path and path[0] not in free]))
    *way, last = path
    place = document
    for name in way:
        place = place[name]
    match data.draw(st.sampled_from(["change", "remove", "add"])):
        case "change":
            place[last] = data.draw(st.sampled_from([None, True, 0, 1.5, "x", "-l", [], {}, [1], {"a": 1}]))
        case "remove":
            del place[last]
        case "add":
            target = place[last] if isinstance(place[last], dict) else document
            target["extra"] = data.draw(st.sampled_from([1, "x", {}]))
    try:
        PLAN.write_text(json.dumps(document))
        if json.loads(before) != document:
            outcome = controller("apply", PLAN)
            assert outcome.code in (STALE, ERROR), (path, outcome)
            assert planned.is_untouched
    finally:
        PLAN.write_text(before)


def test_a_member_that_says_nothing_is_a_member(planned, controller):
    """Found by the test before this one."""
    edited(lambda document: document["settings"].pop("confirmDeletions"))
    assert refused(controller("apply", PLAN), planned, "settings confirmDeletions was (absent) and is (absent)")
    assert planned.is_untouched


def test_asking_for_more_than_the_plan_has_refuses(aws, specs, controller):
    (specs / "bert.yaml").write_text(spec())
    (specs / "other.yaml").write_text(spec("other", team="vision", gaudi="{modules: [0]}"))
    controller("--once", "--out", PLAN, "-l", "team=vision")
    edited(lambda document: document["order"].update(selector=None))
    assert refused(controller("apply", PLAN), aws, "default/bert is to be done and not in the plan")
    edited(lambda document: document["order"].update(selector="team=nlp"))
    assert refused(controller("apply", PLAN), aws, "default/other is in the plan and not to be done any more")
    edited(lambda document: document["order"].update(selector="-"))
    assert controller("apply", PLAN).code == ERROR
    assert aws.is_untouched


# Sources that can be read as they were
# --------------------------------------------------------------------------------------------------------------------


def git(*arguments):
    identity = {f"GIT_{who}_{what}": "kim@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "-C", "repository", *arguments], check=True, env=environment, capture_output=True)


def test_a_commit_is_applied_wherever_its_branch_has_gone(aws, controller):
    folder = Path("repository")
    folder.mkdir()
    git("init", "-q", "-b", "main")
    (folder / "bert.yaml").write_text(spec())
    git("add", ".")
    git("commit", "-q", "-m", "one")
    source = f"git+file://{folder.resolve()}@main"
    assert controller("--once", "-s", source, "--out", PLAN).code == DRIFT
    (folder / "bert.yaml").write_text(spec(replicas=5))
    git("commit", "-q", "-a", "-m", "two")
    outcome = controller("apply", PLAN)
    assert outcome.code == DONE, outcome
    (live,) = aws.call("DescribeServices", cluster="default", services=["bert"])["services"]
    assert live["desiredCount"] == 1


@pytest.fixture
def bucket(aws):
    """A bucket with versions, and a function that puts a spec into it."""
    s3 = boto3.client("s3", endpoint_url=aws.server.url, region_name="us-east-1")
    s3.create_bucket(Bucket="specs")

    def put(text, *, versions=True):
        if versions:
            s3.put_bucket_versioning(Bucket="specs", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket="specs", Key="prod/bert.yaml", Body=text.encode())

    return put


@pytest.mark.parametrize("versions", [True, False])
def test_objects_are_read_by_their_versions(aws, bucket, controller, versions):
    bucket(spec(), versions=versions)
    assert controller("--once", "-s", "s3://specs/prod", "--out", PLAN).code == DRIFT
    bucket(spec(replicas=5), versions=versions)
    outcome = controller("apply", PLAN)
    if versions:
        assert outcome.code == DONE, outcome
        (live,) = aws.call("DescribeServices", cluster="default", services=["bert"])["services"]
        assert live["desiredCount"] == 1
    else:
        assert refused(outcome, aws, "source objects bert.yaml was read and is gone or changed")
        assert aws.is_untouched
