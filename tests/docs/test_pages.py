"""The pages say what is true: every command in them is typed, and prints what the page shows."""

import os
import re
from pathlib import Path

import pytest

from tests.docs.session import ROOT, LeftOut, Session, Typed, as_seen, read

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TALKING = [page for page in PAGES if any(isinstance(one, Typed) for one in read(page.read_text(encoding="utf-8")))]
REASONS = {
    "needs AWS",
    "needs a container engine",
    "this test is part of it",
}
"""Why commands of a page are not typed here."""
MASKS = (
    (re.compile(r"sha256:[0-9a-f]{16}\b"), "sha256:…"),
    (re.compile(r"^( +)\d+\.\ds  ", re.MULTILINE), r"\1…s  "),
    (re.compile(r" in \d+\.\d+s$", re.MULTILINE), " in …s"),
)


@pytest.mark.parametrize("page", TALKING, ids=lambda page: page.stem)
def test_a_page_shows_what_is_seen(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    played = Session(tmp_path).play(list(read(text)))
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(_updated(text, played), encoding="utf-8")
        return
    for typed, seen in played:
        assert as_seen(typed.shown).fullmatch(seen), f"$ {typed.command}\n{seen}"


def _updated(text: str, played: list[tuple[Typed, str]]) -> str:
    for typed, seen in reversed(played):
        if as_seen(typed.shown).fullmatch(seen) is None:
            told = seen
            for pattern, mask in MASKS:
                told = pattern.sub(mask, told)
            text = text[: typed.start] + told + text[typed.start + len(typed.shown) :]
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_not_typed_has_a_reason(page: Path) -> None:
    for one in read(page.read_text(encoding="utf-8")):
        if isinstance(one, LeftOut):
            assert one.reason in REASONS
            assert one.commands


# The session itself
# --------------------------------------------------------------------------------------------------------------------


def test_a_changed_output_is_noticed() -> None:
    assert as_seen("a\n…\nz\n").fullmatch("a\nb\nc\nz\n")
    assert as_seen("a … c\n").fullmatch("a b c\n")
    assert as_seen("").fullmatch("b\n") is None
    assert as_seen("a\n").fullmatch("a\nb\n") is None
    assert as_seen("a.c\n").fullmatch("abc\n") is None


def test_commands_and_files_of_a_page() -> None:
    page = (
        "<!-- file: a.txt -->\n```\none\n```\n\n```console\n$ cat a.txt\none\n$ echo a \\\n    b\na b\n```\n"
        "<!-- not run: needs AWS -->\n```console\n$ aws x\n```\n```yaml\nno: file\n```\n"
    )
    written, *typed, left_out = read(page)
    assert (written.name, written.text) == ("a.txt", "one\n")
    assert [(one.command, one.shown) for one in typed] == [("cat a.txt", "one\n"), ("echo a \\\n    b", "a b\n")]
    assert [page[one.start :].startswith(one.shown) for one in typed] == [True, True]
    assert left_out == LeftOut("needs AWS", ("aws x",))


def test_a_session_keeps_its_place_and_its_exit_codes(tmp_path: Path) -> None:
    page = "```console\n$ x=3\n$ false\n$ echo $? $x\n1 3\n```\n"
    assert [seen for _, seen in Session(tmp_path).play(list(read(page)))] == ["", "", "1 3\n"]
