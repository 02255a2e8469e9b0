"""`controller --once --full`: the diff after the plan."""

from pathlib import Path
from typing import Any

from tests.cli.conftest import Outcome, Sandbox, spec


def test_the_diff_follows_the_plan(controller: Any, aws: Sandbox, specs: Path) -> None:
    (specs / "bert.yaml").write_text(spec(tag="1"))
    assert controller("--once", "--apply").code == 0
    (specs / "bert.yaml").write_text(spec(tag="2"))
    plain: Outcome = controller("--once")
    full: Outcome = controller("--once", "--full")
    assert (plain.code, full.code) == (2, 2)
    assert full.out.startswith(plain.out)
    diff = full.out.removeprefix(plain.out).splitlines()
    assert diff[:3] == ["", "--- live  default/bert", "+++ spec  bert.yaml:2:1"]
    assert [line.strip() for line in diff[3:] if line[0] in "+-"] == [
        "-      image: example.com/bert:1",
        "+      image: example.com/bert:2",
    ]


def test_there_is_no_diff_where_nothing_differs(controller: Any, aws: Sandbox, specs: Path) -> None:
    (specs / "bert.yaml").write_text(spec())
    applied: Outcome = controller("--once", "--apply", "--full")
    assert (applied.code, "---" in applied.out) == (0, False), "it is done"
    seen: Outcome = controller("--once", "--full")
    assert (seen.code, "---" in seen.out) == (0, False)


def test_the_diff_is_for_people(controller: Any, specs: Path) -> None:
    done: Outcome = controller("--once", "--full", "-o", "json")
    assert done.code == 64
    assert "--full goes with -o table" in done.err
