"""The plan for people: a line for each verdict, values that can be told apart, nothing that commands a terminal."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.applied import Cause
from controller.core.changes import Change
from controller.core.diagnostics import Span
from controller.core.normalize import Unknown
from controller.core.pass_report import PassReport, WorkloadReport
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
from controller.core.status import Health, HealthState, conditions
from controller.core.workload import Key
from controller.errors import ControllerError, Denied, Stalled
from controller.reasons import Reason
from controller.report.text import (
    LONGEST_VALUE,
    both,
    columns,
    failures,
    plan_text,
    progress,
    status_text,
    table,
    value,
)

KEY = Key("train", "bert")
AT = Span("bert.yaml", 7, 3)
HEALTHY = Health(HealthState.HEALTHY, "4 of 4 tasks run")
ROLLING = Health(HealthState.PROGRESSING, "deployment in progress, 3 of 4 tasks run")
MISSING = Health(HealthState.MISSING, "the service does not exist")
UNKNOWN = Health(HealthState.UNKNOWN, "not observed")
CHANGE = Change(("service", "desiredCount"), live=6, spec=4, origin=AT, effect="no restart")
ENSURE = EnsureTaskDefinition("bert", "1:abc", {})
CREATE = CreateService(KEY, "1:abc", {})
UPDATE = UpdateService(KEY, {"desiredCount": 4})
DENIED = Denied("no AWS credentials were found", reason=Reason.NO_CREDENTIALS, advice="set AWS_PROFILE")
REJECTED = Stalled("CreateService failed: no", reason=Reason.REJECTED_BY_ECS)


def workload(drift=Drift.IN_SYNC, health=HEALTHY, *, key=KEY, error=None, done=(), cards=32, last_good=False, **plan):
    planned = Plan(key, drift, **plan)
    return WorkloadReport(
        key,
        planned,
        conditions(planned, health, error),
        health,
        at=AT,
        tasks=(4, 4),
        cards=cards,
        done=done,
        error=error,
        last_good=last_good,
    )


def report(*workloads, **members):
    return PassReport("specs", "sha256:77b1", workloads, **members)


def body(*workloads, verbose=False, **members):
    """The lines between the header and the summary."""
    return "\n".join(plan_text(report(*workloads, **members), verbose=verbose).splitlines()[1:-1])


# One line for each verdict
# --------------------------------------------------------------------------------------------------------------------

GOLDEN = {
    "in sync, verbose": (
        (workload(), {"verbose": True}),
        "= train/bert                              InSync, Healthy",
    ),
    "create": (
        (workload(Drift.MISSING, MISSING, steps=(ENSURE, CREATE)), {}),
        "+ train/bert                              new revision + create, 32 cards",
    ),
    "create without cards": (
        (workload(Drift.MISSING, MISSING, steps=(CREATE,), cards=0), {}),
        "+ train/bert                              create",
    ),
    "update": (
        (workload(Drift.DRIFTED, changes=(CHANGE,), steps=(UPDATE, TagService(KEY, {"a": "b"}))), {}),
        (
            "~ train/bert                              1 field differs, update + tag\n"
            "    service.desiredCount  6 → 4  bert.yaml:7  no restart"
        ),
    ),
    "update, who": (
        (
            workload(
                Drift.DRIFTED,
                changes=(
                    replace(CHANGE, cause=Cause.LIVE, by="user/kim"),
                    replace(CHANGE, cause=Cause.SPEC, path=("service", "platformVersion"), live=None, spec="1.4.0"),
                    replace(CHANGE, cause=Cause.BOTH, path=("service", "role")),
                    replace(CHANGE, cause=Cause.UNKNOWN, path=("service", "x")),
                ),
                steps=(UPDATE,),
                ignored=2,
            ),
            {},
        ),
        (
            "~ train/bert                              4 fields differ, update, 2 ignored\n"
            "    service.desiredCount     6 → 4             bert.yaml:7  no restart  changed live by user/kim\n"
            "    service.platformVersion  (absent) → 1.4.0  bert.yaml:7  no restart  spec changed\n"
            "    service.role             6 → 4             bert.yaml:7  no restart  spec changed, and changed live\n"
            "    service.x                6 → 4             bert.yaml:7  no restart"
        ),
    ),
    "delete": (
        (workload(Drift.ORPHANED, steps=(ScaleToZero(KEY), DeleteService(KEY))), {}),
        "- train/bert                              scale to 0 + delete",
    ),
    "blocked": (
        (workload(Drift.BLOCKED, changes=(CHANGE,), holds=(Hold(Reason.NOT_OWNED, "nobody owns it"),)), {}),
        (
            "! train/bert                              1 field differs\n"
            "    service.desiredCount  6 → 4  bert.yaml:7  no restart\n"
            "    NotOwned: nobody owns it"
        ),
    ),
    "invalid": (
        (workload(Drift.INVALID, UNKNOWN), {}),
        "! train/bert                              Invalid",
    ),
    "not observed": (
        (workload(Drift.UNKNOWN, UNKNOWN, error=DENIED), {}),
        "? train/bert                              not observed: NoCredentials",
    ),
    "failed on the way": (
        (workload(Drift.MISSING, MISSING, steps=(CREATE,), done=(ENSURE,), error=REJECTED), {"applied": True}),
        "+ train/bert                              done: new revision, create, 32 cards, failed: RejectedByEcs",
    ),
    "done": (
        (workload(health=ROLLING, done=(ENSURE, UPDATE)), {"applied": True}),
        "= train/bert                              done: new revision + update, InSync, Progressing",
    ),
    "last good": (
        (workload(last_good=True), {}),
        (
            "= train/bert                              the newest document is invalid, the last good one stands, "
            "InSync, Healthy"
        ),
    ),
    "a field that is new to us": (
        (workload(Drift.DRIFTED, changes=(CHANGE,), steps=(UPDATE,), unknown=(Unknown(("service", "new"), 1),)), {}),
        (
            "~ train/bert                              1 field differs, update\n"
            "    service.desiredCount  6 → 4  bert.yaml:7  no restart\n"
            "    service.new is new to this controller; shown, not compared"
        ),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_workload(name):
    (one, how), wanted = GOLDEN[name]
    assert body(one, **how) == wanted


def test_what_is_in_sync_is_counted_not_listed():
    assert plan_text(report(workload(), workload(key=Key("a", "b")))) == (
        "source  specs @ sha256:77b1    DRY RUN, nothing is written\n"
        "plan: 0 to create, 0 to update, 0 to delete, 2 in sync\n"
    )


ALL = (
    workload(Drift.MISSING, MISSING, key=Key("c", "create"), steps=(ENSURE, CREATE)),
    workload(Drift.DRIFTED, key=Key("c", "update"), changes=(CHANGE,), steps=(UPDATE,)),
    workload(Drift.ORPHANED, key=Key("c", "delete"), steps=(DeleteService(KEY),)),
    workload(Drift.BLOCKED, key=Key("c", "block"), holds=(Hold(Reason.NOT_OWNED, "x"),)),
    workload(Drift.INVALID, UNKNOWN, key=Key("c", "invalid")),
    workload(Drift.UNKNOWN, UNKNOWN, key=Key("c", "unseen"), error=DENIED),
    workload(Drift.DRIFTED, key=Key("c", "failed"), steps=(UPDATE,), error=REJECTED),
    workload(key=Key("c", "well")),
)


def test_the_summary_counts_every_workload_once():
    assert plan_text(report(*ALL, unnamed=2)).splitlines()[-1] == (
        "plan: 1 to create, 2 to update, 1 to delete, 1 blocked, 3 invalid, 1 failed, 1 not observed, 1 in sync"
    )


def test_after_applying_the_summary_says_what_was_done_and_what_is_left():
    done = (
        workload(key=Key("c", "a"), health=ROLLING, done=(ENSURE, CREATE)),
        workload(key=Key("c", "b"), done=(UPDATE,)),
        workload(Drift.ORPHANED, key=Key("c", "c"), done=(ScaleToZero(KEY),), steps=(DeleteService(KEY),)),
        workload(Drift.BLOCKED, ROLLING, key=Key("c", "d"), holds=(Hold(Reason.NOT_OWNED, "x"),)),
        workload(key=Key("c", "e")),
    )
    text = plan_text(report(*done, applied=True))
    assert text.splitlines()[0] == "source  specs @ sha256:77b1    applied"
    assert text.splitlines()[-1] == (
        "applied: 1 created, 1 updated, 1 deleted, 1 left to do, 1 blocked, 3 in sync, "
        "1 still rolling out (--wait follows them)"
    )
    waited = plan_text(report(*done, applied=True, unhealthy=True))
    assert "--wait" not in waited


# What went wrong
# --------------------------------------------------------------------------------------------------------------------


def test_a_sentence_is_told_once_with_what_it_is_about():
    lost = ControllerError("cluster not found", reason=Reason.CLUSTER_NOT_FOUND, advice="create it")
    found = report(
        workload(Drift.UNKNOWN, UNKNOWN, key=Key("lost", "a"), error=lost),
        workload(Drift.UNKNOWN, UNKNOWN, key=Key("lost", "b"), error=lost),
        workload(key=Key("here", "a"), error=REJECTED),
        workload(key=Key("here", "b"), error=REJECTED),
        workload(key=Key("here", "c"), error=ControllerError("else")),
        failed={"lost": lost, "empty": lost},
    )
    assert failures(found) == [
        "cluster lost and 1 more: cluster not found; create it",
        "here/a and 1 more: CreateService failed: no",
        "here/c: else",
    ]


def test_what_is_not_healthy_in_time_is_named():
    held = Hold(Reason.ROLLED_BACK, "ECS rolled it back")
    found = (
        workload(key=Key("c", "a"), health=ROLLING),
        workload(Drift.BLOCKED, key=Key("c", "b"), holds=(held,)),
        workload(key=Key("c", "c")),
        workload(Drift.INVALID, UNKNOWN, key=Key("c", "d")),
    )
    assert failures(report(*found, unhealthy=True)) == [
        "c/a: not healthy in time: deployment in progress, 3 of 4 tasks run",
        "c/b: not healthy in time: RolledBack: ECS rolled it back",
    ]
    assert failures(report(*found)) == []


def test_progress_is_one_line_for_each():
    assert progress((workload(health=ROLLING), workload(key=Key("c", "x"), error=REJECTED))) == {
        "train/bert": "train/bert  Progressing: deployment in progress, 3 of 4 tasks run",
        "c/x": "c/x  RejectedByEcs: RejectedByEcs: CreateService failed: no",
    }


# Values
# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (None, "(absent)"),
        ("", '""'),
        ("text", "text"),
        (4, "4"),
        (True, "true"),
        (0.5, "0.5"),
        ([], "[]"),
        ({"b": 1, "a": [2]}, '{"a": [2], "b": 1}'),
        ("a\nb\tc", "a\\nb\\tc"),
        ("Zürich 東京", "Zürich 東京"),
        ("\x1b[2J\u202e", "\\x1b[2J\\u202e"),
        ("x" * 60, "x" * 60),
    ],
)
def test_a_value(shown, wanted):
    assert value(shown) == wanted


def test_a_long_value_is_cut_and_a_change_in_its_middle_shows():
    one, other = "a" * 100 + "1" + "z" * 100, "a" * 100 + "2" + "z" * 100
    assert value(one) == f"{'a' * 29}…{'z' * 29} (sha256:{value(one)[-9:-1]})"
    assert value(one) != value(other)
    assert value([one]) != value([other])
    assert both([one], [other]).count("sha256:") == 2


def test_what_long_texts_have_in_common_is_cut_so_that_the_difference_shows():
    common = "123456789012.dkr.ecr.us-west-2.amazonaws.com/nlp/bert@sha256:"
    assert both(f"{common}41aa", f"{common}9f2c") == "…bert@sha256:41aa → …bert@sha256:9f2c"
    assert both("bert:1", "bert:2") == "bert:1 → bert:2"
    assert both(None, common) == f"(absent) → {value(common)}"


TEXT = st.text(max_size=LONGEST_VALUE) | st.text(min_size=LONGEST_VALUE, max_size=4 * LONGEST_VALUE)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_value_is_one_short_printable_line(shown):
    text = value(shown)
    assert text.isprintable()
    assert len(text) <= LONGEST_VALUE + len(" (sha256:12345678)")


@given(TEXT, TEXT)
def test_different_texts_look_different(one, other):
    if one == other:
        return
    left, right = both(one, other).rsplit(" → ", 1) if " → " not in one + other else (value(one), value(other))
    # What is unprintable is spelled out, so the text `\\n` and a line break may look alike; nothing else may.
    plain = one.isprintable() and other.isprintable() and '""' not in (one, other) and "(absent)" not in (one, other)
    assert left != right or not plain


@given(st.text(max_size=80), st.text(max_size=80))
def test_texts_of_others_cannot_forge_a_line_or_command_a_terminal(name, message):
    key = Key(name, name)
    one = workload(
        Drift.BLOCKED,
        Health(HealthState.DEGRADED, message),
        key=key,
        changes=(replace(CHANGE, path=("service", name), live=message, spec=name, by=message, cause=Cause.LIVE),),
        holds=(Hold(Reason.NOT_OWNED, message),),
        unknown=(Unknown(("service", name), 1),),
        error=ControllerError(message),
    )
    found = PassReport(message, name, (one,), failed={name: ControllerError(message)}, unhealthy=True)
    text = plan_text(found)
    assert text.count("\n") == 6
    lines = [*text.splitlines(), *failures(found), *progress((one,)).values(), *status_text((one,)).splitlines()]
    assert all(line.isprintable() for line in lines)


def test_secrets_in_sentences_are_masked():
    error = ControllerError("DescribeServices failed: https://kim:hunter2@proxy/ refused")
    found = report(workload(Drift.UNKNOWN, UNKNOWN, error=error), failed={"train": error})
    assert all(
        "hunter2" not in text for text in (*failures(found), plan_text(replace(found, uri="https://a:hunter2@b")))
    )


# Tables
# --------------------------------------------------------------------------------------------------------------------


def test_columns_are_those_of_a_terminal():
    assert [columns(text) for text in ("abc", "東京", "e\u0301", "…")] == [3, 4, 1, 1]
    assert table([("a", "b", "c"), ("東京", "long", "x")]) == ["a     b     c", "東京  long  x"]


def test_a_cell_that_is_too_wide_moves_its_own_row_only():
    assert table([("a", "1"), ("bbb", "2"), ("c" * 9, "3")], widest=4) == ["a    1", "bbb  2", f"{'c' * 9}  3"]


def test_empty_cells_leave_nothing_at_the_end_of_a_line():
    assert table([("a", "b", ""), ("c", "", "")]) == ["a  b", "c"]


def test_the_status_of_all():
    held = Hold(Reason.ROLLED_BACK, "ECS rolled it back")
    found = (
        workload(),
        workload(health=ROLLING, key=Key("train", "whisper"), cards=0),
        workload(Drift.BLOCKED, key=Key("train", "t5"), changes=(CHANGE,), holds=(held,)),
        workload(key=Key("infer", "clip"), last_good=True),
        workload(Drift.UNKNOWN, UNKNOWN, key=Key("lost", "a"), error=DENIED),
    )
    assert status_text(found) == (
        "WORKLOAD       SPEC      DRIFT      HEALTH       RUN  CARDS  NOTE\n"
        "train/bert     Accepted  InSync     Healthy      4/4  32\n"
        "train/whisper  Accepted  InSync     Progressing  4/4  -      deployment in progress, 3 of 4 tasks run\n"
        "train/t5       Accepted  Blocked 1  Healthy      4/4  32     RolledBack: ECS rolled it back\n"
        "infer/clip     Invalid   InSync     Healthy      4/4  32     the newest document is invalid, "
        "the last good one stands\n"
        "lost/a         Accepted  Unknown    Unknown      4/4  32     NoCredentials: no AWS credentials were found\n"
    )


# Colour
# --------------------------------------------------------------------------------------------------------------------


def test_colour_adds_nothing_but_colour():
    import re

    for one in (report(*ALL), report(*ALL, applied=True)):
        coloured = plan_text(one, colour=True)
        assert "\x1b[" in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plan_text(one)
    assert "\x1b[" in status_text(ALL, colour=True)
