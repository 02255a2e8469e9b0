"""What is wrong with a spec, and exactly where.

A diagnostic is data: the code names the rule (people grep for it), the message says what is wrong, the hint says what
to do. Drawing it with a code frame is `report`'s business. Neighbours: `parse` and `policy` make them.
"""

import bisect
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MOST_FINDINGS: Final = 1000
"""Findings of one file that are told; whoever looks for them may stop one after that."""

LINE_BREAK: Final = re.compile(r"\r\n|\n|\r")
"""What ends a line, as editors see it."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a source file. Lines and columns count from 1; `length` counts characters, line breaks included."""

    file: str
    line: int
    column: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Places:
    """Turns offsets into a file's text (in characters, a byte order mark not counted) into places."""

    file: str
    text: str
    before: int = 0
    """Lines of the file that stand before the text."""
    _starts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        starts = (0, *(found.end() for found in LINE_BREAK.finditer(self.text)))
        object.__setattr__(self, "_starts", starts)  # derived once from what the frozen object is made of

    @property
    def lines(self) -> int:
        """How many lines the text has; one that ends in a line break has an empty last one."""
        return len(self._starts)

    def line(self, number: int) -> tuple[int, int]:
        """Where the text of a line begins and ends, its break not counted."""
        start = self._starts[number - 1]
        if number == len(self._starts):
            return start, len(self.text)
        following = self._starts[number]
        return start, following - (2 if self.text[following - 2 : following] == "\r\n" else 1)

    def at(self, offset: int) -> Span:
        """The place of one character, or the end of the text."""
        return self.between(offset, offset + 1)

    def between(self, start: int, end: int) -> Span:
        """The place from `start` up to `end`; at least one wide."""
        start, end = min(start, len(self.text)), min(end, len(self.text))
        line = bisect.bisect_right(self._starts, start) - 1
        return Span(self.file, self.before + line + 1, start - self._starts[line] + 1, max(end - start, 1))

    def range(self, span: Span) -> tuple[int, int]:
        """The characters of a place: from one up to another, which is not in it."""
        start = self._starts[span.line - 1 - self.before] + span.column - 1
        return start, min(start + span.length, len(self.text))


class Severity(StrEnum):
    """An error stops the document; a warning is printed."""

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """The rules. A code is an API like a reason: kebab-case, never reworded."""

    # The file as a file
    UNREADABLE_FILE = "unreadable-file"
    FILE_TOO_LARGE = "file-too-large"
    NOT_UTF8 = "not-utf8"
    TOO_MANY_DOCUMENTS = "too-many-documents"
    TOO_DEEP = "too-deep"
    TOO_MANY_NODES = "too-many-nodes"
    TOO_MANY_FINDINGS = "too-many-findings"
    # YAML
    YAML_SYNTAX = "yaml-syntax"
    DUPLICATE_KEY = "duplicate-key"
    RECURSIVE_ALIAS = "recursive-alias"
    EXPLICIT_TAG = "explicit-tag"
    BAD_MERGE = "bad-merge"
    BAD_KEY = "bad-key"
    # The document
    UNKNOWN_KIND = "unknown-kind"
    UNKNOWN_FIELD = "unknown-field"
    WRONG_TYPE = "wrong-type"
    MISSING_FIELD = "missing-field"
    BAD_ENUM = "bad-enum"
    BAD_VALUE = "bad-value"
    OUT_OF_RANGE = "out-of-range"
    DUPLICATE_ITEM = "duplicate-item"
    # Across documents
    DUPLICATE_TARGET = "duplicate-target"
    UNKNOWN_DEPENDENCY = "unknown-dependency"
    DEPENDENCY_CYCLE = "dependency-cycle"
    UNKNOWN_TARGET = "unknown-target"
    # The rendered request
    CONTRADICTION = "contradiction"
    POLICY = "policy"
    PLACEHOLDER = "placeholder"
    ROLLOUT_CANNOT_START = "rollout-cannot-start"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding at one place."""

    code: Code
    message: str
    at: Span
    hint: str | None = None
    severity: Severity = Severity.ERROR

    @property
    def is_error(self) -> bool:
        """Whether the document that it is about may not be used."""
        return self.severity is Severity.ERROR


def told(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The findings in the order of the files and of the places in them; of one file as many as anybody reads."""
    ordered = sorted(found, key=lambda one: (one.at, one.code, one.message))
    result: list[Diagnostic] = []
    for _, group in itertools.groupby(ordered, key=lambda one: one.at.file):
        found_here = list(group)
        result.extend(found_here[:MOST_FINDINGS])
        rest = found_here[MOST_FINDINGS:]
        if rest:
            message = f"there is more wrong with this file than the {MOST_FINDINGS} findings before this one"
            severity = Severity.ERROR if any(one.is_error for one in rest) else Severity.WARNING
            hint = "correct those first"
            result.append(Diagnostic(Code.TOO_MANY_FINDINGS, message, rest[0].at, hint=hint, severity=severity))
    return tuple(result)
