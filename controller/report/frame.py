"""Findings about specs, drawn at the place that they are about: code, message, file:line:column, the lines, a caret.

Pure text. What a file holds is shown with care: control characters are spelled out, values under telling names are
masked, long lines are cut around the caret. Neighbours: `core.diagnostics` (what is drawn), `text` (the plan).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from controller.core.diagnostics import Diagnostic, Severity
from controller.core.redact import SECRET_NAME, secret_spans
from controller.report.text import clean

LINES_BEFORE: Final = 2
MASK: Final = "••••"
WIDEST: Final = 100
"""Columns of a source line that are shown."""

_ASSIGNMENT: Final = re.compile(r"""(?P<key>[\w.-]+)["']?\s*:\s+(?P<value>"[^"]*"?|'[^']*'?|[^\s,}\]#][^,}\]]*)""")
_NAMED: Final = re.compile(r"""\bname["']?\s*:\s*["']?(?P<name>[\w.-]+)""")
_COLOURS: Final = {Severity.ERROR: "31;1", Severity.WARNING: "33;1"}
_NO_VALUE: Final = ("arn:", "{", "[", "&", "*", "|", ">")
"""Beginnings of what may stand under a telling name without being a secret."""


def frames(found: Iterable[Diagnostic], files: Mapping[str, bytes], *, colour: bool = False) -> str:
    """All findings, each with its frame, separated by blank lines; empty where there are none."""
    texts: dict[str, list[str]] = {}
    drawn: list[str] = []
    for one in found:
        lines = texts.setdefault(one.at.file, _lines(files.get(one.at.file, b"")))
        drawn.append(_frame(one, lines, colour=colour))
    return "\n".join(drawn)


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", errors="replace").removeprefix("\ufeff").split("\n")


def _frame(one: Diagnostic, lines: list[str], *, colour: bool) -> str:
    head = f"{one.severity}[{one.code}]"
    if colour:
        head = f"\x1b[{_COLOURS[one.severity]}m{head}\x1b[0m"
    result = [f"{head} {clean(one.message)}", f"  --> {clean(str(one.at))}"]
    hint = f" {clean(one.hint)}" if one.hint else ""
    if not 1 <= one.at.line <= len(lines):
        return "\n".join([*result, *([f"      ={hint}"] if hint else [])]) + "\n"
    first = max(one.at.line - LINES_BEFORE, 1)
    gutter = len(str(one.at.line))
    for number in range(first, one.at.line + 1):
        here = number == one.at.line
        shown = _Line(lines[number - 1].rstrip("\r"), named=_names_secret(lines, number))
        text, before, under = shown.draw(one.at.column - 1 if here else 0, one.at.length)
        result.append(f" {number:>{gutter}} | {text}".rstrip())
        if here:
            result.append(f" {'':>{gutter}} | {' ' * before}{'^' * under}{hint}")
    return "\n".join(result) + "\n"


def _names_secret(lines: list[str], number: int) -> bool:
    """Whether a `value:` in this line belongs to a telling name: in the same list item, in this line or the one
    before."""
    near = (lines[number - 1], lines[number - 2] if number > 1 else "")
    return any(SECRET_NAME.search(found["name"]) for line in near for found in _NAMED.finditer(line))


@dataclass(frozen=True, slots=True)
class _Line:
    """A source line as it may be shown: secrets masked, controls spelled out, cut around the caret."""

    text: str
    named: bool

    def draw(self, caret: int, length: int) -> tuple[str, int, int]:
        """The text, and the columns before and under a caret at a character of the line."""
        start = 0 if caret <= WIDEST - 20 else caret - WIDEST // 2
        stop = start + WIDEST
        masked = self._masks()
        before = _glyphs(self.text, masked, start, caret)
        under = _glyphs(self.text, masked, caret, min(caret + length, stop))
        after = _glyphs(self.text, masked, min(caret + length, stop), stop)
        return before + under + after, _columns(before), max(_columns(under), 1)

    def _masks(self) -> dict[int, str]:
        """Character → what is shown in its place, for characters of secrets."""
        hidden: dict[int, str] = {}
        for found in _ASSIGNMENT.finditer(self.text):
            telling = SECRET_NAME.search(found["key"]) or (self.named and found["key"] == "value")
            if telling and not found["value"].startswith(_NO_VALUE):
                hidden |= _hide(found.start("value"), found.end("value"))
        for begin, end in secret_spans(self.text):
            hidden |= _hide(begin, end)
        return hidden


def _hide(start: int, stop: int) -> dict[int, str]:
    return {index: MASK if index == start else "" for index in range(start, stop)}


def _glyphs(text: str, masked: Mapping[int, str], start: int, stop: int) -> str:
    shown = (masked.get(index, text[index]) for index in range(start, min(stop, len(text))))
    return "".join("    " if char == "\t" else char if char == MASK else clean(char) for char in shown)


def _columns(text: str) -> int:
    """Terminal columns of a text."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
