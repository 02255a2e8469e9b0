"""What programs of others read: annotations, comments, code scanning, test reports.

Each form is held against a second opinion (the official schema of SARIF, the one that Jenkins reads JUnit with, an
unescaper of workflow commands written from GitHub's runner, a Markdown parser's view of fences), says as much as the
exit code does, and shows neither secrets nor anything that commands its reader.
"""

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from controller.core.changes import Change
from controller.core.diagnostics import Code, Diagnostic, Severity, Span
from controller.core.pass_report import Exit, PassReport, Verdict, WorkloadReport
from controller.core.plan import CreateService, DeleteService, Drift, EnsureTaskDefinition, Hold, Plan, UpdateService
from controller.core.redact import redact
from controller.core.status import Health, HealthState, conditions
from controller.core.workload import Key
from controller.errors import ControllerError, Denied, Waiting
from controller.reasons import Reason
from controller.report.document import as_json
from controller.report.findings import Finding, Kind, Level, of_error, of_pass, of_specs
from controller.report.frame import frames
from controller.report.github import MOST, github_text
from controller.report.junit import junit_text
from controller.report.markdown import LIMIT, failure_markdown, plan_markdown, validation_markdown
from controller.report.rules import HELD_BACK, NOT_HEALTHY, RULES, TO_CREATE, TO_DELETE, TO_UPDATE
from controller.report.sarif import MOST as MOST_RESULTS
from controller.report.sarif import sarif_document
from controller.report.text import plan_text
from tests.support import desired

SCHEMAS = Path(__file__).parents[1] / "data" / "schemas"
SARIF = Draft202012Validator(json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8-sig")))
JUNIT = xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")
KEY = Key("train", "bert")
AT = Span("team a/bert.yaml", 7, 3)
HEALTHY = Health(HealthState.HEALTHY, "4 of 4 tasks run")
CHANGE = Change(("service", "desiredCount"), live=6, spec=4, origin=replace(AT, line=9), effect="no restart")
STEPS = {
    Verdict.CREATE: (EnsureTaskDefinition("bert", "1:abc", {}), CreateService(KEY, "1:abc", {})),
    Verdict.UPDATE: (UpdateService(KEY, {"desiredCount": 4}),),
    Verdict.DELETE: (DeleteService(KEY),),
}
DRIFTS = {Verdict.CREATE: Drift.MISSING, Verdict.DELETE: Drift.ORPHANED, Verdict.IN_SYNC: Drift.IN_SYNC}
DENIED = Denied("no AWS credentials", reason=Reason.NO_CREDENTIALS, advice="set AWS_PROFILE")
DRAINING = Waiting("still draining", after=5, reason=Reason.DRAINING)

texts = st.text(max_size=60) | st.sampled_from(
    [
        "::error::x",
        "##[error]x",
        "a\r\n::stop::\n",
        "```",
        "````x",
        "@team",
        "<script>",
        "]]>",
        "\x00\x1b[2J",
        "%0A",
        "|",
    ]
)


def workload(verdict, *, key=KEY, error=None, health=HEALTHY, at=AT, **plan):
    drift = DRIFTS.get(verdict, Drift.BLOCKED if verdict is Verdict.BLOCKED else Drift.DRIFTED)
    planned = Plan(key, drift, steps=STEPS.get(verdict, ()), **plan)
    return WorkloadReport(key, planned, conditions(planned, health, error), health, at=at, error=error)


def report(*workloads, **members):
    return PassReport("specs", "sha256:1", tuple(workloads), **members)


def finding(text="no", severity=Severity.ERROR, line=7, hint=None, file="bert.yaml"):
    return Diagnostic(Code.BAD_VALUE, text, Span(file, line, 3), hint=hint, severity=severity)


def sarif(found, *, code=0, **more):
    document = sarif_document(found, run="plan", version="1", exit_code=code, **more)
    errors = [error.message for error in SARIF.iter_errors(json.loads(as_json(document)))]
    assert errors == []
    (run,) = document["runs"]
    return run


def junit(found, passed=(), **more):
    text = junit_text(found, name="controller plan", passed=passed, **more)
    JUNIT.validate(text)
    return ET.fromstring(text)


# GitHub's runner, from its source: ActionCommand.TryParseV2 and TryParse
# --------------------------------------------------------------------------------------------------------------------


def obeyed(text):
    """(command, properties, message) of everything that the runner obeys."""
    found, stopped = [], None
    for line in re.split(r"\r\n|\n|\r", text):
        parsed = re.fullmatch(r"\s*::([^ :]+)(?: ([^:]*(?::(?!:)[^:]*)*))?::(.*)", line, re.DOTALL)
        if stopped is not None:
            if parsed and parsed[1] == stopped:
                stopped = None
            continue
        if parsed is None:
            assert "##[" not in line, "the older form of commands"
            continue
        if parsed[1] == "stop-commands":
            stopped = parsed[3]
            continue
        pairs = (pair.split("=", 1) for pair in (parsed[2] or "").split(",") if pair)
        unescaped = {
            key: value.replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%25", "%")
            for key, value in pairs
        }
        message = parsed[3].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
        found.append((parsed[1], unescaped, message))
    assert stopped is None
    return found


def github(found, *, log="", **more):
    return obeyed(github_text(found, log=log, summary="done", **more))


def test_an_annotation_stands_at_its_line():
    (told,) = github(of_specs([finding("100% wrong: a, b", hint="do, this")]), prefix="specs/prod")
    assert told == (
        "error",
        {"file": "specs/prod/bert.yaml", "line": "7", "col": "3", "title": "controller: bad-value"},
        "100% wrong: a, b\ndo, this",
    )


def test_what_github_would_drop_is_counted():
    found = of_specs([finding(str(number)) for number in range(MOST + 5)] + [finding("w", Severity.WARNING)])
    told = github(found)
    errors = [message for command, _, message in told if command == "error"]
    assert len(errors) == MOST
    assert errors[-1] == "6 more of this kind are in the log of this step"
    assert [command for command, _, _ in told if command == "warning"] == ["warning"]
    assert len([one for one in github(found[:MOST]) if one[0] == "error"]) == MOST


@given(texts, texts, texts)
def test_nobody_else_can_give_a_command(message, file, log):
    text = github_text(of_specs([finding(message, file=file)]), log=log, summary="done")
    commands = [command for command, _, _ in obeyed(text)]
    assert commands == ["error", *(["group", "endgroup"] if log.strip() else [])]


@given(st.text(alphabet="%:,=\n\r a0A2D3C", max_size=30))
def test_properties_come_out_as_they_went_in(file):
    (told,) = github(of_specs([finding(file=file)]))
    assert told[1]["file"] == file


# SARIF
# --------------------------------------------------------------------------------------------------------------------


def test_every_rule_is_told():
    run = sarif([])
    rules = run["tool"]["driver"]["rules"]
    assert [one["id"] for one in rules] == [*map(str, Code), TO_CREATE, TO_UPDATE, TO_DELETE, HELD_BACK, NOT_HEALTHY]
    assert all(one["help"]["text"].endswith(".") and one["shortDescription"]["text"].endswith(".") for one in rules)
    assert set(RULES) >= set(Code)


def test_a_result_stands_at_its_line():
    run = sarif(of_specs([finding("no", hint="do this", file="a b/ü.yaml")]), prefix="specs")
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "bad-value"
    assert result["message"]["text"] == "no\ndo this"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "specs/a%20b/%C3%BC.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 7, "startColumn": 3},
    }


def test_a_fingerprint_outlives_lines_that_move_and_tells_twins_apart():
    def prints(*found):
        return [one["partialFingerprints"]["controller/v1"] for one in sarif(of_specs(found))["results"]]

    first = finding("the first is at bert.yaml:3:1")
    moved = finding("the first is at bert.yaml:13:1", line=17)
    assert prints(first) == prints(moved)
    assert len({*prints(first, moved, finding("another"), finding(file="other.yaml"))}) == 4


def test_what_has_no_line_is_a_notification():
    orphan = workload(Verdict.DELETE, at=None)
    run = sarif(of_pass(report(orphan, workload(Verdict.IN_SYNC, error=DENIED))), code=1)
    assert run["results"] == []
    told = run["invocations"][0]
    assert (told["executionSuccessful"], told["exitCode"]) == (False, 1)
    assert [one["level"] for one in told["toolExecutionNotifications"]] == ["warning", "error"]


def test_more_results_than_are_read_are_counted():
    many = [Finding(Level.ERROR, Kind.SPEC, "policy", str(number), AT) for number in range(MOST_RESULTS + 2)]
    run = sarif_document(many, run="validation", version="1", exit_code=3)["runs"][0]
    assert len(run["results"]) == MOST_RESULTS
    assert "2 more results" in run["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]


# JUnit
# --------------------------------------------------------------------------------------------------------------------


def test_workloads_are_tests():
    found = of_pass(report(workload(Verdict.UPDATE, changes=(CHANGE,)), workload(Verdict.IN_SYNC, error=DENIED)))
    root = junit(found, [("bert.yaml", "train/good")], prefix="specs")
    assert root.attrib == {"name": "controller plan", "tests": "3", "failures": "1", "errors": "1"}
    cases = {one.get("name"): one for one in root.iter("testcase")}
    assert len(cases["train/good"]) == 0
    failure = list(root.iter("failure"))
    assert failure[0].get("type") == TO_UPDATE
    assert "6 → 4" in failure[0].text
    assert {suite.get("name") for suite in root} == {"specs/bert.yaml", "specs/team a/bert.yaml"}


def test_warnings_fail_nothing():
    root = junit(of_specs([finding("hm", Severity.WARNING)]), [("bert.yaml", "train/bert")])
    assert (root.get("failures"), root.get("errors"), root.get("tests")) == ("0", "0", "1")
    assert "hm" in root.find("testsuite/system-out").text


# Markdown
# --------------------------------------------------------------------------------------------------------------------


def outside(text):
    """Of Markdown what is neither in a fence, nor in code."""
    kept, fence = [], None
    for line in text.split("\n"):
        opened = re.match(r"(`{3,})", line)
        if fence is not None:
            if re.fullmatch(f"`{{{len(fence)},}} *", line):
                fence = None
        elif opened:
            fence = opened[1]
        else:
            kept.append(line)
    assert fence is None, "a fence that does not end"
    return re.sub(r"(?s)<code>[^<>]*</code>|(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", "\n".join(kept))


def test_a_plan_as_a_comment():
    text = plan_markdown(
        report(
            workload(Verdict.IN_SYNC),
            workload(Verdict.UPDATE, key=Key("train", "second"), changes=(CHANGE,)),
            workload(Verdict.BLOCKED, key=Key("train", "third"), holds=(Hold(Reason.NOT_OWNED, "nobody owns it"),)),
            workload(Verdict.DELETE, key=Key("train", "last")),
        )
    )
    lines = text.split("\n")
    assert re.fullmatch(r"<!-- controller:plan:[0-9a-f]{8} -->", lines[0])
    assert lines[2] == "### controller plan: 0 to create, 1 to update, 1 to delete, 1 blocked, 1 in sync"
    assert [text.index(name) for name in ("train/last", "train/third", "train/second")] == sorted(
        text.index(name) for name in ("train/last", "train/third", "train/second")
    )
    assert "service.desiredCount  6 → 4  team a/bert.yaml:9  no restart" in text
    assert "NotOwned: nobody owns it" in text
    assert "train/bert" not in text


def test_the_marker_stays_and_tells_sources_apart():
    def marker(uri, **members):
        return plan_markdown(replace(report(**members), uri=uri)).split("\n")[0]

    assert marker("a") == marker("a", diagnostics=(finding(),)) != marker("b")
    assert failure_markdown("plan", "a", DENIED).split("\n")[0] == marker("a")


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 900), st.integers(0, 40), st.booleans())
def test_a_comment_fits_and_says_what_is_left_out(number, changes, wide):
    change = replace(CHANGE, live="x" * 200 if wide else 1, spec="`é" * 100 if wide else 2)
    names = [f"w{number:04}" for number in range(number)]
    workloads = [workload(Verdict.UPDATE, key=Key("train", name), changes=(change,) * changes) for name in names]
    text = plan_markdown(
        report(*workloads, diagnostics=tuple(finding("x" * 100, file=f"{n}.yaml") for n in names[:300]))
    )
    assert len(text.encode()) <= LIMIT < 65_536
    told = sum(f"train/{name}<" in text.replace("&#45;", "-") for name in names)
    left = re.search(r"_(\d+) more workloads? did not fit", text)
    assert outside(text) is not None
    assert told + (int(left[1]) if left else 0) >= number
    if number <= 50:
        assert told == number


@given(texts, texts, texts, texts)
def test_nothing_of_anybody_else_is_markdown(name, message, value, uri):
    change = replace(CHANGE, live=value, spec=name)
    one = workload(Verdict.UPDATE, key=Key("train", name), changes=(change,), holds=(Hold(Reason.NOT_OWNED, message),))
    two = workload(Verdict.IN_SYNC, key=Key("x", message), error=ControllerError(message))
    diagnostics = (finding(message, file=name, hint=value),)
    whole = report(one, two, diagnostics=diagnostics, files={name: value.encode(errors="replace")})
    for text in (
        plan_markdown(replace(whole, uri=uri)),
        validation_markdown(uri, diagnostics, whole.files, counts="1 error"),
        failure_markdown("plan", uri, ControllerError(message)),
    ):
        rest = outside(text)
        assert "@" not in rest
        assert "`" not in rest
        tags = set(re.findall(r"<[^>]*>", rest)) - {"<details>", "</details>", "<summary>", "</summary>"}
        assert all(tag.startswith("<!-- controller:") for tag in tags)


# All of them
# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [*Verdict, None])
@pytest.mark.parametrize("error", [None, DENIED, DRAINING], ids=["well", "denied", "waiting"])
@pytest.mark.parametrize("severity", [None, *Severity])
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("unhealthy", [False, True])
def test_every_form_says_as_much_as_the_exit_code(verdict, error, severity, lost, unhealthy):
    if verdict is Verdict.INVALID or (verdict is None and error is None):
        workloads = ()
    else:
        health = Health(HealthState.DEGRADED, "down") if unhealthy else HEALTHY
        workloads = (workload(verdict or Verdict.IN_SYNC, error=error, health=health),)
    diagnostics = (finding(severity=severity),) if severity else ()
    whole = report(
        *workloads,
        diagnostics=diagnostics,
        failed={"lost": DENIED} if lost else {},
        unhealthy=unhealthy and bool(workloads),
    )
    found = of_pass(whole)
    code = whole.exit_code
    assert any(one.level is Level.ERROR for one in found) == (code in (Exit.ERROR, Exit.INVALID, Exit.UNHEALTHY)) or (
        unhealthy and workloads
    )
    told = [one for one in found if one.kind is not Kind.SPEC or one.level is Level.ERROR]
    assert bool(told) == (code is not Exit.DONE)
    root = junit(found)
    assert (int(root.get("failures")) + int(root.get("errors")) > 0) == (code is not Exit.DONE)
    run = sarif(found, code=int(code))
    assert run["invocations"][0]["exitCode"] == code
    assert len(run["results"]) + len(run["invocations"][0]["toolExecutionNotifications"]) == len(found)
    assert len(github(found)) == len(found)


@given(texts, texts, texts)
def test_any_text_is_valid_in_every_form(message, file, hint):
    found = of_specs([finding(message, file=file, hint=hint), finding(message, Severity.WARNING, file=file)])
    found += of_pass(report(workload(Verdict.UPDATE, key=Key("a", message), changes=(replace(CHANGE, live=hint),))))
    junit(found, [(file, message)], prefix=file)
    sarif(found, prefix=message)


SECRETS = ("hunter2hunter2", "AKIAIOSFODNN7EXAMPLE", "ghp_" + "a" * 36, "kim:swordfish")


@given(st.sampled_from(SECRETS), st.sampled_from(["password={}", "see https://{}@host/x", "--token {}"]), texts)
def test_no_secret_is_in_any_form(secret, sentence, padding):
    told = f"{sentence.format(secret)} {padding}"
    spec = f"apiVersion: dl1.ecs/v1alpha1\nkind: DL1Servce\nmetadata: {{name: a}}\nspec: {{password: {secret}}}\n"
    wanted = desired(spec)
    secret_change = replace(CHANGE, live=redact(secret, name="PASSWORD"), spec="x")  # as `changes.change` makes them
    whole = report(
        workload(Verdict.UPDATE, changes=(secret_change,), holds=(Hold(Reason.NOT_OWNED, told),)),
        workload(Verdict.IN_SYNC, error=ControllerError(told)),
        diagnostics=(*wanted.diagnostics, finding(told, hint=told)),
        files={"specs.yaml": spec.encode(), "bert.yaml": spec.encode()},
        failed={"lost": ControllerError(told)},
    )
    error = ControllerError(told)
    found = [*of_pass(whole), of_error(error)]
    forms = (
        github_text(found, log=plan_text(whole) + frames(whole.diagnostics, whole.files), summary=""),
        junit_text(found, name="x", passed=()),
        as_json(sarif_document(found, run="plan", version="1", exit_code=1)),
        plan_markdown(replace(whole, uri=f"git+https://kim:{secret}@host/x")),
        validation_markdown("specs", whole.diagnostics, whole.files, counts=""),
        failure_markdown("plan", f"git+https://kim:{secret}@host/x", error),
    )
    shown = secret.partition(":")[2] or secret
    assume(secret not in redact(told))  # a bare word before an `@` is a user's name
    assert all(shown not in form for form in forms)
