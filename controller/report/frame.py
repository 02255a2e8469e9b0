"""Findings about specs, drawn at the place that they are about: code, message, file:line:column, the lines, a caret.

Pure text. What a file holds is shown with care: control characters are spelled out, secrets are masked, long lines are
cut around the caret. Neighbours: `core.diagnostics` (what is drawn), `core.source_secrets` (what may not be shown),
`text` (the plan).
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from controller.core.diagnostics import Diagnostic, Places, Severity
from controller.core.redact import redact
from controller.core.source_secrets import secret_ranges
from controller.report.text import clean, columns

LINES_BEFORE: Final = 2
MASK: Final = "••••"
WIDEST: Final = 100
"""Characters of a source line that are shown."""
BEFORE_CARET: Final = 50
"""Characters before the caret that are shown of a line that is cut."""

_TAB: Final = "    "
_COLOURS: Final = {Severity.ERROR: "31;1", Severity.WARNING: "33;1"}


def frames(found: Iterable[Diagnostic], files: Mapping[str, bytes], *, colour: bool = False) -> str:
    """All findings, each with its frame, separated by blank lines; empty where there are none."""
    sources: dict[str, _Source | None] = {}
    drawn: list[str] = []
    for one in found:
        name = one.at.file
        if name not in sources:
            sources[name] = _Source.of(files[name]) if name in files else None
        drawn.append(_frame(one, sources[name], colour=colour))
    return "\n".join(drawn)


def _frame(one: Diagnostic, source: "_Source | None", *, colour: bool) -> str:
    head = f"{one.severity}[{one.code}]"
    if colour:
        head = f"\x1b[{_COLOURS[one.severity]}m{head}\x1b[0m"
    result = [f"{head} {clean(redact(one.message))}", f"  --> {clean(str(one.at))}"]
    hint = clean(redact(one.hint)) if one.hint else ""
    if source is None or not 1 <= one.at.line <= source.places.lines:
        return "\n".join([*result, *([f"   = {hint}"] if hint else [])]) + "\n"
    gutter = len(str(one.at.line))
    for number in range(max(one.at.line - LINES_BEFORE, 1), one.at.line):
        text, _, _ = source.draw(number, 0, 0)
        result.append(f" {number:>{gutter}} | {text}".rstrip())
    text, before, under = source.draw(one.at.line, one.at.column - 1, one.at.length)
    result.append(f" {one.at.line:>{gutter}} | {text}".rstrip())
    result.append(f" {'':>{gutter}} | {' ' * before}{'^' * under} {hint}".rstrip())
    return "\n".join(result) + "\n"


@dataclass(frozen=True, slots=True)
class _Source:
    """A file as it may be shown."""

    places: Places
    hidden: tuple[tuple[int, int], ...]
    """Ranges of characters that may not be shown, in order."""

    @classmethod
    def of(cls, content: bytes) -> "_Source":
        text = content.decode("utf-8", errors="replace").removeprefix("\ufeff")
        return cls(Places("", text), tuple(secret_ranges(content)))

    def draw(self, number: int, caret: int, length: int) -> tuple[str, int, int]:
        """A line, and the columns before and under a caret at a character of it; a long line is cut around it."""
        begin, end = self.places.line(number)
        start = begin if caret <= WIDEST - BEFORE_CARET // 2 else begin + caret - BEFORE_CARET
        stop = min(start + WIDEST, end)
        at = min(begin + caret, end)
        to = min(at + length, stop)
        cells = list(self._cells(start, stop))
        first, last = "…" if start > begin else "", "…" if stop < end else ""
        text = f"{first}{''.join(cell.shown for cell in cells)}{last}"
        before = first + "".join(cell.shown for cell in cells if cell.end <= at)
        under = "".join(cell.shown for cell in cells if at < cell.end and cell.begin < to)
        return text, columns(before), max(columns(under), 1)

    def _cells(self, start: int, stop: int) -> Iterator["_Cell"]:
        """A piece of the text as it may be shown: characters, and a mask for each secret."""
        at = start
        for begin, end in self._hidden(start, stop):
            yield from self._plain(at, begin)
            yield _Cell(begin, end, MASK)
            at = end
        yield from self._plain(at, stop)

    def _hidden(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The hidden ranges that meet a piece of the text, cut to it."""
        index = max(bisect.bisect_right(self.hidden, (start, len(self.places.text))) - 1, 0)
        while index < len(self.hidden) and self.hidden[index][0] < stop:
            begin, end = max(self.hidden[index][0], start), min(self.hidden[index][1], stop)
            if begin < end:
                yield begin, end
            index += 1

    def _plain(self, start: int, stop: int) -> Iterator["_Cell"]:
        for at in range(start, stop):
            char = self.places.text[at]
            yield _Cell(at, at + 1, _TAB if char == "\t" else clean(char))


@dataclass(frozen=True, slots=True)
class _Cell:
    """What is shown for the characters from `begin` up to `end`."""

    begin: int
    end: int
    shown: str
