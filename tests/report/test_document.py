"""The JSON documents: every member that is promised, in every state, and no secret or control character in any."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from controller.core.applied import Cause
from controller.core.changes import Change
from controller.core.diagnostics import Code, Diagnostic, Severity, Span
from controller.core.normalize import Unknown
from controller.core.pass_report import Exit, PassReport, Verdict, WorkloadReport
from controller.core.plan import (
    CreateService,
    DeleteService,
    Drift,
    EnsureTaskDefinition,
    Hold,
    Plan,
    ScaleToZero,
    TagService,
    UpdateService,
)
from controller.core.status import Health, HealthState, conditions, invalid, transition
from controller.core.workload import Key
from controller.errors import ControllerError, Stalled, Transient, Usage, Waiting
from controller.reasons import Reason
from controller.report.document import (
    as_json,
    failed_plan,
    failed_validation,
    plan_document,
    rendered_document,
    validation_document,
)
from tests.report.schemas import PLAN, RENDERED, VALIDATION, checked
from tests.support import desired, rendered

KEY = Key("train", "bert")
AT = Span("bert.yaml", 7, 3)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
STEPS = (
    EnsureTaskDefinition("bert", "1:abc", {"secret": "hunter2"}),
    CreateService(KEY, "1:abc", {"secret": "hunter2"}),
    UpdateService(KEY, {"b": "hunter2", "a": 1}),
    UpdateService(KEY, {}, digest="1:abc", force_new_deployment=True),
    TagService(KEY, {"b": "1", "a": "2"}, ("d", "c")),
    ScaleToZero(KEY),
    DeleteService(KEY),
)
CHANGES = (
    Change(("service", "desiredCount"), live=6, spec=None, origin=AT, effect="no restart"),
    Change(
        ("service", "role"), live=[{"a": True}], spec="x", origin=AT, effect="no restart", cause=Cause.LIVE, by="kim"
    ),
)
ERRORS = (
    ControllerError("a"),
    Usage("b", advice="c"),
    Transient("d"),
    Stalled("e"),
    Waiting("f", after=1, reason=Reason.DRAINING),
)


def workload(drift, health=HealthState.HEALTHY, error=None, **plan):
    doing = Health(health, "as it is")
    planned = Plan(KEY, drift, **plan)
    found = transition({}, conditions(planned, doing, error), NOON)
    return WorkloadReport(KEY, planned, found, doing, at=AT, error=error)


def test_the_schemas_are_schemas():
    for schema in (PLAN, RENDERED, VALIDATION):
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("drift", Drift)
@pytest.mark.parametrize("health", HealthState)
@pytest.mark.parametrize("error", [None, *ERRORS], ids=lambda error: type(error).__name__)
def test_a_plan_in_every_state(drift, health, error):
    holds = (Hold(Reason.NOT_OWNED, "nobody owns it"),)
    one = workload(drift, health, error, changes=CHANGES, steps=STEPS, holds=holds, ignored=2)
    checked(plan_document(PassReport("specs", "sha256:1", (one, replace(one, done=STEPS)))))


def test_the_members_that_the_design_promises():
    """By hand, as a second witness beside the schema."""
    one = workload(Drift.DRIFTED, changes=CHANGES, steps=STEPS[:1])
    finding = Diagnostic(Code.BAD_VALUE, "no", Span("a.yaml", 1, 2))
    plan = checked(plan_document(PassReport("specs", "sha256:1", (one,), (finding,))))
    assert list(plan) == ["apiVersion", "kind", "source", "summary", "workloads", "errors", "warnings"]
    assert plan["apiVersion"] == "controller/v1"
    assert plan["source"] == {"uri": "specs", "revision": "sha256:1"}
    assert list(plan["summary"]) == ["inSync", "create", "update", "delete", "blocked", "invalid"]
    assert {"key", "kind", "drift", "changes", "steps", "conditions"} <= set(plan["workloads"][0])
    assert plan["workloads"][0]["changes"][0] == {
        "path": "service.desiredCount",
        "live": 6,
        "spec": None,
        "origin": {"file": "bert.yaml", "line": 7},
        "effect": "no restart",
        "by": None,
        "cause": "unknown",
    }
    assert plan["errors"] == [
        {"file": "a.yaml", "line": 1, "column": 2, "code": "bad-value", "message": "no"},
    ]


def test_steps_are_named_and_never_show_a_request():
    plan = plan_document(PassReport("specs", "1", (workload(Drift.MISSING, steps=STEPS),)))
    assert plan["workloads"][0]["steps"] == [
        {"action": "EnsureTaskDefinition", "family": "bert", "digest": "1:abc"},
        {"action": "CreateService", "service": "train/bert", "taskDefinition": "1:abc"},
        {"action": "UpdateService", "service": "train/bert", "members": ["a", "b"], "forceNewDeployment": False},
        {
            "action": "UpdateService",
            "service": "train/bert",
            "members": [],
            "taskDefinition": "1:abc",
            "forceNewDeployment": True,
        },
        {"action": "TagService", "service": "train/bert", "put": ["a", "b"], "remove": ["c", "d"]},
        {"action": "ScaleToZero", "service": "train/bert"},
        {"action": "DeleteService", "service": "train/bert"},
    ]
    assert "hunter2" not in as_json(plan)


def test_warnings_are_no_errors():
    warning = Diagnostic(Code.POLICY, "a secret", AT, hint="use secrets", severity=Severity.WARNING)
    report = PassReport("specs", "1", (), (warning,))
    plan = checked(plan_document(report))
    assert plan["errors"] == []
    assert plan["warnings"] == [
        {"file": "bert.yaml", "line": 7, "column": 3, "code": "policy", "message": "a secret", "hint": "use secrets"}
    ]
    assert report.exit_code is Exit.DONE
    found = checked(validation_document([KEY], [warning]))
    assert (found["errors"], len(found["warnings"])) == ([], 1)


@pytest.mark.parametrize("drift", Drift)
@pytest.mark.parametrize("error", [None, ERRORS[0]], ids=["well", "failed"])
@pytest.mark.parametrize("severity", [None, *Severity])
@pytest.mark.parametrize("lost", [False, True])
def test_errors_are_there_exactly_when_the_exit_code_says_so(drift, error, severity, lost):
    findings = (Diagnostic(Code.BAD_VALUE, "no", AT, severity=severity),) if severity else ()
    failed = {"lost": ERRORS[0]} if lost else {}
    report = PassReport("specs", "1", (workload(drift, error=error),), findings, failed=failed)
    assert bool(plan_document(report)["errors"]) == (report.exit_code in (Exit.ERROR, Exit.INVALID))


def test_the_summary_counts_every_workload_that_was_observed_once():
    verdicts = [workload(drift, steps=STEPS[:1] if drift is Drift.DRIFTED else ()) for drift in Drift]
    plan = plan_document(PassReport("specs", "1", tuple(verdicts), unnamed=2))
    observed = [one for one in verdicts if one.verdict is not None]
    assert sum(plan["summary"].values()) == len(observed) + 2
    assert set(plan["summary"]) == set(map(str, Verdict))


def test_a_cluster_without_workloads_has_its_error_too():
    lost = ControllerError("gone", reason=Reason.CLUSTER_NOT_FOUND)
    one = workload(Drift.UNKNOWN, error=lost)
    plan = checked(plan_document(PassReport("specs", "1", (one,), failed={"train": lost, "empty": lost})))
    assert [(found["file"], found["message"]) for found in plan["errors"]] == [
        ("bert.yaml", "train/bert: gone"),
        (None, "cluster empty: gone"),
    ]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_pass_that_ended_before_it_began(error):
    plan = checked(failed_plan("specs", error))
    assert plan["source"] == {"uri": "specs", "revision": None}
    assert plan["errors"] == [
        {"file": None, "line": None, "column": None, "code": str(error.reason), "message": str(error)}
    ]
    assert checked(failed_validation(error))["errors"] == plan["errors"]


def test_invalid_documents_have_conditions_too():
    one = WorkloadReport(KEY, Plan(KEY, Drift.INVALID), invalid(["no"]), Health(HealthState.UNKNOWN, "not observed"))
    (found,) = checked(plan_document(PassReport("specs", "1", (one,))))["workloads"]
    assert {condition["type"]: condition["reason"] for condition in found["conditions"]} == dict.fromkeys(
        ("SpecValid", "Stalled", "Ready"), "InvalidSpec"
    )


def test_the_requests_of_a_rendering():
    one = rendered()
    (found,) = checked(rendered_document([one]))["workloads"]
    assert found["key"] == "default/bert"
    assert found["registerTaskDefinition"] == one.register
    assert found["createService"] == one.create
    assert [reason["path"] for reason in found["reasons"]]
    assert json.loads(as_json(rendered_document([one]))) == rendered_document([one])


def test_a_validation():
    wanted = desired("apiVersion: dl1.ecs/v1alpha1\nkind: DL1Servce\n")
    found = checked(validation_document(wanted.rendered, wanted.diagnostics))
    assert found["valid"] == []
    assert found["errors"] == [
        {
            "file": "specs.yaml",
            "line": 2,
            "column": 7,
            "code": "unknown-kind",
            "message": "kind `DL1Servce` is not known",
            "hint": "did you mean `DL1Service`?",
        }
    ]


def test_what_others_say_is_masked():
    error = Transient("https://kim:hunter2@proxy refused")
    one = workload(Drift.UNKNOWN, error=error)
    documents = (
        plan_document(PassReport("https://kim:hunter2@git/specs", "1", (one,), failed={"train": error})),
        failed_plan("https://kim:hunter2@git/specs", error),
        failed_validation(error),
    )
    assert all("hunter2" not in as_json(document) for document in documents)


@given(st.text(max_size=60))
def test_the_text_is_what_it_stands_for_and_commands_no_terminal(text):
    one = workload(
        Drift.DRIFTED, changes=(replace(CHANGES[0], live=text, spec={text: [text]}),), unknown=(Unknown((text,), 1),)
    )
    document = plan_document(PassReport("specs", text, (one,)))
    shown = as_json(document)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert json.loads(shown) == document
