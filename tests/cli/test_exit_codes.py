"""Every exit code, reached as the help text says: 0 in sync or done, 1 runtime error, 2 drift or pending, 3 invalid,
4 applied but not healthy in time; an error outranks an invalid spec, which outranks the rest. (64: `test_usage`.)"""

from pathlib import Path

import pytest

from controller.core.pass_report import Exit
from tests.cli.conftest import closed, credentials, spec
from tests.report.schemas import checked

DONE, ERROR, DRIFT, INVALID, UNHEALTHY = 0, 1, 2, 3, 4
TYPO = spec("typo").replace("command:", "comand:")


def write(folder, **documents):
    for name, text in documents.items():
        (folder / f"{name}.yaml").write_text(text)


@pytest.fixture
def once(controller):
    """A pass whose document is checked against its schema each time."""

    def call(*flags):
        outcome = controller("--once", "-o", "json", *flags)
        checked(outcome.json)
        found = outcome.json["errors"]
        assert bool(found) == (outcome.code in (ERROR, INVALID)), found
        return outcome

    return call


@pytest.fixture
def running(aws, specs, once):
    """A service that is in sync and healthy."""
    write(specs, bert=spec())
    assert once("--apply").code == DONE
    aws.rest()
    return aws


def test_the_codes_are_those_of_the_help_text():
    assert {code.name: code.value for code in Exit} == {
        "DONE": 0, "ERROR": 1, "DRIFT": 2, "INVALID": 3, "UNHEALTHY": 4, "USAGE": 64,
    }  # fmt: skip


# 0
# --------------------------------------------------------------------------------------------------------------------


def test_in_sync(running, once):
    outcome = once()
    assert (outcome.code, outcome.json["summary"]["inSync"]) == (DONE, 1)


def test_applied(aws, specs, once):
    write(specs, bert=spec())
    outcome = once("--apply")
    assert (outcome.code, outcome.json["summary"]["inSync"]) == (DONE, 1)
    assert [step["action"] for step in outcome.plan["default/bert"]["applied"]] == [
        "EnsureTaskDefinition",
        "CreateService",
    ]


def test_applied_and_healthy(running, once):
    assert once("--apply", "--wait", "--timeout", "1").code == DONE


def test_nothing_is_asked_for(aws, specs, once):
    outcome = once()
    assert (outcome.code, outcome.json["workloads"]) == (DONE, [])
    assert outcome.err == "note: specs holds no .yaml or .yml files\n"


def test_drift_of_a_workload_that_was_not_asked_for(running, specs, once):
    write(specs, other=spec("other", team="vision", gaudi="{modules: [0]}"))
    assert once().code == DRIFT
    assert once("-l", "team=nlp").code == DONE
    assert once("-l", "team!=nlp").code == DRIFT
    assert once("-l", "team==vision").code == DRIFT
    outcome = once("-l", "team=nobody")
    assert (outcome.code, outcome.err) == (DONE, "note: specs holds no workload with these labels (-l)\n")


# 1
# --------------------------------------------------------------------------------------------------------------------


def test_the_source_is_not_there(once):
    outcome = once("-s", "nowhere")
    assert outcome.code == ERROR
    assert outcome.err == "error: source nowhere does not exist; check -s / --source\n"
    assert outcome.json["source"] == {"uri": "nowhere", "revision": None}


def test_one_cluster_cannot_be_observed(running, specs, once):
    """The other one is, all the same."""
    write(specs, lost=spec("lost", cluster="nowhere"))
    outcome = once()
    assert outcome.code == ERROR
    assert {key: one["drift"] for key, one in outcome.plan.items()} == {
        "default/bert": "InSync",
        "nowhere/lost": "Unknown",
    }
    assert outcome.err == (
        "error: cluster nowhere: ListServices failed: Cluster not found (ClusterNotFoundException); "
        "create the cluster, or correct spec.cluster\n"
    )


def test_a_cluster_without_a_workload_cannot_be_observed(running, once):
    """What `--cluster` names is asked for: not to know what stands there is no success."""
    outcome = once("--cluster", "nowhere")
    assert outcome.code == ERROR
    (error,) = outcome.json["errors"]
    assert (error["file"], error["code"]) == (None, "ClusterNotFound")
    assert error["message"].startswith("cluster nowhere: ")
    assert outcome.err == f"error: {error['message']}\n"


def test_ecs_refuses_a_write(aws, specs, once):
    write(specs, bert=spec() + "  service: {capacityProviderStrategy: [{capacityProvider: spare}]}\n")
    outcome = once("--apply")
    assert outcome.code == ERROR
    (error,) = outcome.json["errors"]
    assert (error["file"], error["line"], error["code"]) == ("bert.yaml", 2, "RejectedByEcs")
    assert error["message"].startswith("default/bert: CreateService failed: ")
    assert outcome.err == f"error: {error['message']}\n"
    assert [step["action"] for step in outcome.plan["default/bert"]["applied"]] == ["EnsureTaskDefinition"]
    assert outcome.plan["default/bert"]["steps"][-1]["action"] == "CreateService"


# 2
# --------------------------------------------------------------------------------------------------------------------


def test_something_is_to_be_created(aws, specs, once):
    write(specs, bert=spec())
    outcome = once()
    assert (outcome.code, outcome.json["summary"]["create"]) == (DRIFT, 1)
    assert aws.is_untouched


def test_a_live_edit(running, once):
    running.call("UpdateService", service="bert", desiredCount=3)
    outcome = once()
    assert (outcome.code, outcome.json["summary"]["update"]) == (DRIFT, 1)
    (change,) = outcome.plan["default/bert"]["changes"]
    assert (change["path"], change["live"], change["spec"]) == ("service.desiredCount", 3, 1)
    assert change["origin"] == {"file": "bert.yaml", "line": 7}
    assert once("--apply").code == DONE


def test_something_is_to_be_deleted(running, specs, once):
    write(specs, keep=spec("keep", gaudi="{modules: [0]}"))
    assert once("--apply").code == DONE
    (specs / "bert.yaml").unlink()
    outcome = once()
    assert (outcome.code, outcome.json["summary"]["delete"]) == (DRIFT, 1)


@pytest.mark.parametrize("mode", ["mode: notify", "suspend: {reason: why, until: 2099-01-01T00:00:00Z}", "mode: off"])
def test_what_is_held_back_is_pending_also_after_applying(aws, specs, once, mode):
    write(specs, bert=f"{spec()}  reconcile: {{{mode}}}\n")
    for flags in ((), ("--apply",), ("--apply", "--wait", "--timeout", "0.01")):
        outcome = once(*flags)
        assert outcome.json["summary"]["blocked"] == 1
        assert outcome.code == DRIFT, flags
    assert aws.is_untouched


# 3
# --------------------------------------------------------------------------------------------------------------------


def test_an_invalid_spec_outranks_what_is_pending(aws, specs, once):
    write(specs, bert=spec(), typo=TYPO)
    outcome = once()
    assert outcome.code == INVALID
    assert (outcome.json["summary"]["create"], outcome.json["summary"]["invalid"]) == (1, 1)
    assert outcome.plan["default/typo"]["drift"] == "Invalid"


def test_an_invalid_spec_does_not_hold_the_others_and_is_told_after_applying(aws, specs, once):
    write(specs, bert=spec(), typo=TYPO)
    assert once("--apply").code == INVALID
    assert aws.call("ListServices")["serviceArns"] == ["arn:aws:ecs:us-east-1:123456789012:service/default/bert"]


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("kind: DL1Servce\n", "missing-field", (1, 1)),
        ("apiVersion: dl1.ecs/v1alpha1\nkind: DL1Servce\n", "unknown-kind", (2, 7)),
        ("a: [", "yaml-syntax", (1, 5)),
        ("[" * 100_000, "too-deep", (1, 65)),
        (spec().replace("cards: 8", "cards: 3"), "bad-enum", (8, 18)),
        (spec().replace("replicas: 1", "replicas: one"), "wrong-type", (7, 13)),
        (spec().replace("replicas: 1", "replicas: 1\n  replicas: 2"), "duplicate-key", (8, 3)),
        (spec().replace("  cluster: default\n", ""), "missing-field", (5, 1)),
        (spec() + "---" + spec(), "duplicate-target", (4, 18)),
    ],
    ids=["no apiVersion", "kind", "syntax", "bomb", "enum", "type", "key twice", "missing", "target twice"],
)
def test_bad_input_has_its_place_and_needs_no_aws(once, specs, text, code, place):
    """All that is asked for is invalid, so nothing is asked of AWS: no region, no credentials, no endpoint."""
    write(specs, bad=text)
    outcome = once()
    assert outcome.code == INVALID
    first = outcome.json["errors"][0]
    assert (first["file"], first["line"], first["column"], first["code"]) == ("bad.yaml", *place, code)
    assert f"error[{code}]" in outcome.err
    assert f"--> bad.yaml:{place[0]}:{place[1]}" in outcome.err
    assert outcome.json["summary"]["invalid"] >= 1


# 4
# --------------------------------------------------------------------------------------------------------------------


def test_a_rollout_that_does_not_end_in_time(aws, specs, once):
    write(specs, bert=spec())
    outcome = once("--apply", "--wait", "--timeout", "0.2")
    assert outcome.code == UNHEALTHY
    assert outcome.plan["default/bert"]["drift"] == "InSync"
    assert outcome.plan["default/bert"]["health"] == "Progressing"
    assert outcome.err.endswith("error: default/bert: not healthy in time: deployment in progress, 0 of 1 tasks run\n")


def test_an_invalid_spec_outranks_a_rollout_that_does_not_end(aws, specs, once):
    write(specs, bert=spec(), typo=TYPO)
    assert once("--apply", "--wait", "--timeout", "0.2").code == INVALID


def test_an_error_outranks_everything(aws, specs, once):
    write(specs, bert=spec(), typo=TYPO, lost=spec("lost", cluster="nowhere"))
    assert once().code == ERROR
    assert once("--apply", "--wait", "--timeout", "0.2").code == ERROR


def test_every_workload_that_fails_is_told_once_for_all(specs, once, empty_world):
    write(specs, **{f"s{number}": spec(f"s{number}", gaudi="{modules: [0]}") for number in range(5)})
    credentials(empty_world, closed())
    outcome = once()
    assert outcome.code == ERROR
    assert len(outcome.json["errors"]) == 5
    assert outcome.err.count("\n") == 1


# The offline verbs
# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [("validate", "-o", "json"), ("render",)])
def test_the_offline_verbs(controller, specs, verb):
    write(specs, bert=spec())
    outcome = controller(*verb, specs)
    assert outcome.code == DONE
    checked(outcome.json)
    write(specs, typo=TYPO)
    outcome = controller(*verb, specs)
    assert outcome.code == INVALID
    checked(outcome.json)
    outcome = controller(*verb, specs, "nowhere")
    assert (outcome.code, outcome.err) == (
        ERROR,
        "error: nowhere does not exist; name spec files or folders with spec files\n",
    )
    checked(outcome.json)
    (specs / "typo.yaml").unlink()
    (specs / "note.txt").write_text("no spec")
    Path("empty").mkdir()
    outcome = controller(*verb, specs, "empty")
    assert (outcome.code, outcome.err) == (DONE, "note: empty holds no .yaml or .yml files\n")


def test_explain_says_nothing_about_what_is_invalid(controller, specs):
    write(specs, typo=TYPO)
    outcome = controller("render", "--explain", specs)
    assert (outcome.code, outcome.out) == (INVALID, "")
    assert "did you mean `command`?" in outcome.err


def test_the_schema_is_current_or_not(controller):
    outcome = controller("schema", "--write", "crds")
    assert (outcome.code, outcome.out) == (DONE, "")
    assert controller("schema", "--check", "crds").code == DONE
    (Path("crds") / "DL1Service.schema.json").write_text("{}")
    outcome = controller("schema", "--check", "crds")
    assert outcome.code == ERROR
    assert outcome.err == "crds/DL1Service.schema.json is not current; run: controller schema --write crds\n"
