"""`--full`: the changes of a plan within everything that stands around them."""

import copy
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.live import LiveService, Observation, Revision
from controller.core.pass_report import PassReport, WorkloadReport
from controller.core.path import Item
from controller.core.plan import plan
from controller.core.render import Rendered
from controller.core.status import Health, HealthState
from controller.core.steps import Guards
from controller.report.unified import sides, unified, unified_text
from tests.core.imports import NOW
from tests.laws.conftest import Hands
from tests.laws.test_prefix import edits, of, specs
from tests.support import SPEC, rendered


def reported(one: Rendered, seen: Observation) -> WorkloadReport:
    planned = plan(one, seen, Guards(now=NOW, owner="controller"))
    health = Health(HealthState.HEALTHY, "")
    return WorkloadReport(one.workload.key, planned, {}, health, at=one.workload.at, compared=(one, seen))


@pytest.fixture
def hands() -> Hands:
    return Hands()


async def seen_by(hands: Hands, document: str = SPEC) -> Observation:
    await hands.converge(rendered(document))
    return await hands.observe(rendered(document))


def changed(diff: str) -> list[str]:
    """The lines that differ, blanks in front apart."""
    return [line[0] + line[1:].strip() for line in diff.splitlines()[2:] if line[0] in "+-"]


async def test_one_change_is_one_line_on_each_side_with_its_surroundings(hands: Hands) -> None:
    seen = await seen_by(hands)
    one = rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4"))
    assert re.sub(r"@@ -\d+,7 \+\d+,7 @@", "@@", unified(reported(one, seen))) == (
        "--- live  default/bert\n"
        "+++ spec  specs.yaml:2:1\n"
        "@@ taskDefinition.containerDefinitions.train\n"
        "       versionConsistency: enabled\n"
        "       environment:\n"
        "         HABANA_VISIBLE_DEVICES: all\n"
        "-        LR: 1e-3\n"
        "+        LR: 1e-4\n"
        "         OMPI_MCA_btl_vader_single_copy_mechanism: none\n"
        "       linuxParameters:\n"
        "         initProcessEnabled: true\n"
    )


async def test_what_is_in_sync_has_no_diff(hands: Hands) -> None:
    seen = await seen_by(hands)
    assert unified(reported(rendered(SPEC), seen)) == ""
    assert unified(replace(reported(rendered(SPEC), seen), compared=None)) == ""


def test_what_is_missing_is_all_new() -> None:
    diff = unified(reported(rendered(SPEC), Observation()))
    assert {line[0] for line in changed(diff)} == {"+"}
    assert "+        image: example.com/bert:1".replace(" ", "") in [line.replace(" ", "") for line in changed(diff)]
    assert "dl1.ecs/" not in diff, "bookkeeping is nobody's wish"


async def test_a_secret_shows_that_it_changed_and_not_what_it_is(hands: Hands) -> None:
    secret = SPEC.replace("LR: 1e-3", "API_KEY: VALUE")
    seen = await seen_by(hands, secret.replace("VALUE", "firstsecret"))
    diff = unified(reported(rendered(secret.replace("VALUE", "othersecret")), seen))
    old, new = changed(diff)
    assert "secret" not in diff
    assert old.startswith("-API_KEY: •••• sha256:")
    assert new.startswith("+API_KEY: •••• sha256:")
    assert old[1:] != new[1:]


async def test_a_script_differs_line_by_line(hands: Hands) -> None:
    script = f"{SPEC}        command:\n          - sh\n          - |\n            set -e\n            WORDS\n"
    seen = await seen_by(hands, script.replace("WORDS", "train --lr 1"))
    diff = unified(reported(rendered(script.replace("WORDS", "train --lr 2")), seen))
    assert changed(diff) == ["-train --lr 1", "+train --lr 2"]
    assert "\n           set -e\n" in diff


async def test_what_is_ignored_stays_as_it_is_live(hands: Hands) -> None:
    await hands.converge(rendered(SPEC))
    hands.call("UpdateService", service="bert", propagateTags="SERVICE", desiredCount=3)
    ignoring = SPEC + "  reconcile: {ignore: [{path: service.propagateTags, reason: x}]}\n"
    one = rendered(ignoring)
    diff = unified(reported(one, await hands.observe(one)))
    assert [line for line in changed(diff) if "propagateTags" in line] == []
    assert [line for line in changed(diff) if "desiredCount" in line] == ["-desiredCount: 3", "+desiredCount: 1"]


async def test_lists_without_order_are_lists_and_their_members_lines(hands: Hands) -> None:
    document = SPEC + "        linuxParameters: {capabilities: {add: [WORD]}}\n"
    seen = await seen_by(hands, document.replace("WORD", "IPC_LOCK"))
    diff = unified(reported(rendered(document.replace("WORD", "NET_ADMIN")), seen))
    assert changed(diff) == ["-- IPC_LOCK", "+- NET_ADMIN"]


async def test_tags_of_the_user_are_shown_and_bookkeeping_only_where_it_changes(hands: Hands) -> None:
    document = SPEC + "  service: {tags: [{key: team, value: WORD}]}\n"
    seen = await seen_by(hands, document.replace("WORD", "a"))
    diff = unified(reported(rendered(document.replace("WORD", "b")), seen))
    assert changed(diff) == ["-team: a", "+team: b"]


async def test_colours_are_only_added(hands: Hands) -> None:
    seen = await seen_by(hands)
    report = reported(rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4")), seen)
    plain, coloured = unified(report), unified(report, colour=True)
    assert "\x1b[31m-        LR: 1e-3\x1b[0m\n" in coloured
    assert "\x1b[32m+        LR: 1e-4\x1b[0m\n" in coloured
    assert "\x1b" not in plain
    for code in ("1", "31", "32", "36", "0"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == plain


def test_nothing_of_the_spec_commands_the_terminal() -> None:
    one = rendered(SPEC.replace("LR: 1e-3", 'LR: "\\e[31m\\u202e"'))
    diff = unified(reported(one, Observation()))
    assert "\x1b" not in diff
    assert "\u202e" not in diff


async def test_several_are_separated_and_what_was_done_is_over(hands: Hands) -> None:
    seen = await seen_by(hands)
    one = reported(rendered(SPEC.replace("1e-3", "1e-4")), seen)
    new = reported(rendered(SPEC.replace("name: bert", "name: other")), Observation())
    text = unified_text(PassReport("specs", "r", (one, new)))
    assert text.count("--- live") == 2
    assert "\n\n--- live  default/other" in text
    done = replace(new, done=new.plan.steps, plan=replace(new.plan, steps=()))
    assert unified_text(PassReport("specs", "r", (done,))) == ""


def is_within(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one of two paths leads to the other."""
    return one[: len(other)] == other or other[: len(one)] == one


def differing(one: Any, other: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Paths of the leaves in which two trees differ."""
    if isinstance(one, dict) or isinstance(other, dict):
        mine, theirs = (side if isinstance(side, dict) else {} for side in (one, other))
        return {
            found for name in {*mine, *theirs} for found in differing(mine.get(name), theirs.get(name), (*path, name))
        }
    return set() if one == other and type(one) is type(other) else {path}


@settings(max_examples=60, deadline=None)
@given(before=specs, by_hand=edits, after=specs, rest=st.booleans())
async def test_the_diff_says_exactly_what_the_plan_says(
    before: dict[str, str], by_hand: list[dict[str, Any]], after: dict[str, str], rest: bool
) -> None:
    hands = Hands()
    await hands.converge(of(before))
    if rest:
        hands.rest()
    for edit in by_hand:
        hands.call("UpdateService", service="bert", **edit)
    one = of(after)
    seen = await hands.observe(one)
    changes = plan(one, seen, Guards(now=NOW, owner="controller")).changes
    untouched = copy.deepcopy(dict(seen.service.wire)) if seen.service else {}
    live, wanted = sides(one, seen, changes)
    assert seen.service is None or dict(seen.service.wire) == untouched
    paths = {tuple(part.key if isinstance(part, Item) else str(part) for part in change.path) for change in changes}
    found = differing(live, wanted)
    assert all(any(is_within(leaf, path) for leaf in found) for path in paths)
    assert all(any(is_within(leaf, path) for path in paths) for leaf in found)
    assert bool(changes) == (unified(replace(reported(one, seen), compared=(one, seen))) != "")


@pytest.mark.parametrize("text", ["a: b", "# x", "", "null", "x" * 200, "two\nlines", "tab\there", "é日本"])
def test_any_text_is_drawn(text: str) -> None:
    one = rendered(SPEC)
    service = {**one.create, "tags": [{"key": "k", "value": text}], "serviceArn": "a"}
    seen = Observation(service=LiveService(service), revision=Revision({**one.register, "taskDefinitionArn": "a:1"}))
    assert unified(reported(one, seen)) != "", "nobody owns it: tags of ours are missing"
