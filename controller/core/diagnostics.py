"""What is wrong with a spec, and exactly where.

A diagnostic is data: the code names the rule (people grep for it), the message says what is wrong, the hint says what
to do. Drawing it with a code frame is `report`'s business. Neighbours: `parse` and `policy` make them.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a source file. Lines and columns count from 1, in characters; `length` is what a caret underlines."""

    file: str
    line: int
    column: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


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
