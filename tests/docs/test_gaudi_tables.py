"""docs/gaudi.md: every thread and every idea is a test that exists, or a line that says why not."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gaudi.md").read_text()
THREADS, IDEAS = "What is read where: threads", "What is checked, and what is not"
WHY_NOT = re.compile(r"\bnot (done|checked|added)\b|\bfiles with placeholders instead\b")


def rows(heading: str) -> list[str]:
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


def names() -> set[str]:
    """Every test that there is."""
    texts = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)\(", text, re.MULTILINE)}


@pytest.mark.parametrize("row", [*rows(THREADS), *rows(IDEAS)], ids=lambda row: row[2:50])
def test_a_row_names_a_test_or_says_why_not(row: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", row))
    assert named or WHY_NOT.search(row), "neither a test nor a reason"


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 30
    assert named - names() == set()


def test_no_row_is_missing() -> None:
    """Twelve threads; fifteen ideas, of which some are told in two rows."""
    assert len(rows(THREADS)) >= 12
    assert len(rows(IDEAS)) >= 15
