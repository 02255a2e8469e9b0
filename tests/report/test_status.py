"""The tables of `status`, `get` and `events`, drawn from the JSON that a daemon answers."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.core.compare import Change
from controller.core.diagnostics import Span
from controller.core.journal import Entry
from controller.core.pass_report import WorkloadReport
from controller.core.plan import Drift, Hold, Plan
from controller.core.status import Health, HealthState, conditions
from controller.core.workload import Key
from controller.reasons import Reason
from controller.report.status import (
    Standing,
    events_document,
    events_text,
    get_text,
    status_document,
    status_text,
    workload_text,
)

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def workload(name: str, plan: Plan, health: HealthState = HealthState.HEALTHY, *, minutes: int = 5) -> WorkloadReport:
    doing = Health(health, "2 of 2 tasks run")
    since = NOON - timedelta(minutes=minutes)
    found = {kind: replace(one, last_transition=since) for kind, one in conditions(plan, doing).items()}
    return WorkloadReport(Key("train", name), plan, found, doing, tasks=(2, 2), cards=16)


CHANGE = Change(("service", "desiredCount"), 1, 2, Span("bert.yaml", 7, 3), "no restart")
BERT = workload("bert", Plan(Key("train", "bert"), Drift.IN_SYNC))
GPT = workload(
    "gpt",
    Plan(Key("train", "gpt"), Drift.BLOCKED, (CHANGE,), holds=(Hold(Reason.NOTIFY_ONLY, "reported, never written"),)),
    minutes=150,
)
STANDING = Standing("git", "main@sha1:abc", None, NOON, NOON - timedelta(seconds=42), (BERT, GPT), {})


def document(standing: Standing = STANDING) -> dict:
    return json.loads(json.dumps(status_document(standing)))


def test_the_status_is_one_screen() -> None:
    assert status_text(document(), now=NOON).splitlines() == [
        "source   git @ main@sha1:abc",
        "pass     42s ago",
        "ready    1 of 2",
        "",
        "WORKLOAD    READY  SPEC      DRIFT      HEALTH   RUN  CARDS  SINCE  NOTE",
        "train/bert  True   Accepted  InSync     Healthy  2/2  16     5m",
        "train/gpt   False  Accepted  Blocked 1  Healthy  2/2  16     2h     NotifyOnly: reported, never written",
    ]


def test_trouble_with_the_source_and_with_clusters_comes_first() -> None:
    stale = replace(
        STANDING,
        stale="no route to host",
        fetched=NOON - timedelta(days=3),
        clusters_failed={"prod": "AccessDenied"},
        workloads=(),
        revision=None,
        passed=None,
    )
    assert status_text(document(stale), now=NOON).splitlines() == [
        "source   git @ nothing read yet",
        "         cannot be read since 3d: no route to host",
        "pass     none yet",
        "cluster  prod: AccessDenied",
        "ready    0 of 0",
    ]


def test_wide_adds_the_reason_of_each_condition() -> None:
    header, bert, _ = get_text(document()["workloads"], now=NOON, wide=True).splitlines()
    assert "CONDITIONS" in header
    assert "SpecValid=Accepted,InSync=InSync,Healthy=Healthy,Ready=InSync" in bert


def test_one_workload_in_full() -> None:
    text = workload_text(document()["workloads"][1], now=NOON)
    assert text.splitlines()[0] == "DL1Service train/gpt"
    assert "InSync     False   Drifted     2h     1 field differs" in text
    assert "service.desiredCount  1     2     bert.yaml:7  no restart" in text


def test_a_last_good_version_is_said() -> None:
    standing = replace(STANDING, workloads=(replace(BERT, last_good=True),))
    assert "Invalid" in status_text(document(standing), now=NOON)
    assert "the last good one stands" in status_text(document(standing), now=NOON)


def test_events_are_lines() -> None:
    entries = [
        Entry(NOON, "condition", "train/bert", "info", {"type": "Ready", "status": "True"}),
        Entry(NOON, "source changed", None, "info", {"revision": "abc", "workloads": 2}),
    ]
    assert events_text(events_document(entries)).splitlines() == [
        "AT                    WORKLOAD    EVENT           DETAILS",
        "2026-11-25T12:00:00Z  train/bert  condition       type=Ready, status=True",
        "2026-11-25T12:00:00Z  -           source changed  revision=abc, workloads=2",
    ]


@pytest.mark.parametrize("hostile", ["\x1b[2Jgone", "two\nlines", "\u202eturned"])
def test_nothing_in_it_commands_a_terminal(hostile: str) -> None:
    standing = replace(STANDING, uri=hostile, stale=hostile, clusters_failed={hostile: hostile})
    event = Entry(NOON, hostile, hostile, "info", {hostile: hostile})
    for text in (status_text(document(standing), now=NOON), events_text(events_document([event]))):
        assert all(line.isprintable() for line in text.splitlines())
        assert "lines" not in {line.strip() for line in text.splitlines()}


@pytest.mark.parametrize(
    ("revision", "stale", "condition"),
    [
        ("abc", None, ("True", "Accepted", "")),
        ("abc", "no route to host", ("False", "SourceStale", "no route to host")),
        (None, None, ("Unknown", "Progressing", "not read yet")),
    ],
)
def test_the_source_has_a_condition_of_its_own(revision: str | None, stale: str | None, condition: tuple) -> None:
    (found,) = document(replace(STANDING, revision=revision, stale=stale))["source"]["conditions"]
    assert (found["type"], found["status"], found["reason"], found["message"]) == ("Ready", *condition)
