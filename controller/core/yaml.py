"""Bytes → YAML documents with positions, guarded before anything is built from them.

It reads libyaml's events, which cost nothing until they become objects, and stops at the first sign of a bomb: size,
documents, depth and nodes are bounded, an alias counts as all that it stands for, a document that contains itself and
explicit tags are refused. (PyYAML's own C loader dies of 200 KB of `[`.) Scalars keep their text: only the schema knows
what they mean. All that is wrong with a file is reported at once, as far as its syntax allows; nothing but diagnostics
ever comes out of here. Neighbours: `nodes` (what is built), `parse` (what it means).
"""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from controller.core.diagnostics import Code, Diagnostic, Span
from controller.core.nodes import Entry, Mapping, Node, Scalar, Sequence

MOST_BYTES: Final = 1024 * 1024
MOST_DOCUMENTS: Final = 1000
DEEPEST: Final = 64
MOST_NODES: Final = 100_000

_MERGE: Final = "<<"


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document that is not empty."""

    index: int
    root: Node
    clean: bool
    """Nothing was wrong with it as YAML."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a file holds."""

    documents: tuple[Document, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    whole: bool = True
    """The file was read to its end: no document is missing."""


def read(file: str, content: bytes) -> Stream:
    """All documents of a file, and everything that is wrong with it as YAML."""
    if len(content) > MOST_BYTES:
        message = f"the file has {len(content)} bytes; at most {MOST_BYTES} are read"
        return _refused(Code.FILE_TOO_LARGE, message, Span(file, 1, 1))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        at = _place(file, content[: error.start].decode("utf-8"))
        return _refused(
            Code.NOT_UTF8, f"byte 0x{content[error.start]:02x} is not UTF-8", at, hint="save the file as UTF-8"
        )
    builder = _Builder(file)
    whole = True
    try:
        builder.read(text.removeprefix("\ufeff"))
    except _StopError as stop:
        builder.diagnostics.append(stop.diagnostic)
        whole = False
    except yaml.YAMLError as error:
        builder.diagnostics.append(_syntax(file, text, error))
        whole = False
    return Stream(tuple(builder.documents), tuple(builder.diagnostics), whole)


def _refused(code: Code, message: str, at: Span, *, hint: str | None = None) -> Stream:
    return Stream(diagnostics=(Diagnostic(code, message, at, hint=hint),), whole=False)


class _StopError(Exception):
    """The rest of the file is not read."""

    def __init__(self, code: Code, message: str, at: Span) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, message, at, hint="split the file, or write less of it with aliases")


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    span: Span
    anchor: str | None
    mapping: bool
    before: int
    """Nodes of the document before it began."""
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class _Builder:
    """Builds the documents of one file from its events."""

    file: str
    documents: list[Document] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _index: int = -1
    _clean: bool = True
    _nodes: int = 0
    _stack: list[_Open] = field(default_factory=list)
    _anchors: dict[str, tuple[Node, int]] = field(default_factory=dict)
    _root: Node | None = None

    def read(self, text: str) -> None:
        """Add the text's documents to `documents`; those before an error stay."""
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            match event:
                case yaml.DocumentStartEvent():
                    self._begin(event)
                case yaml.DocumentEndEvent():
                    self._end()
                case yaml.AliasEvent():
                    self._add(self._alias(event))
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    self._open(event)
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self._close()
                case _:
                    pass

    def _begin(self, event: Any) -> None:
        self._index += 1
        if self._index >= MOST_DOCUMENTS:
            raise _StopError(
                Code.TOO_MANY_DOCUMENTS, f"more than {MOST_DOCUMENTS} documents in one file", self._span(event)
            )
        self._clean = True
        self._root = None
        self._anchors = {}

    def _end(self) -> None:
        if self._root is not None:
            self.documents.append(Document(self._index, self._root, clean=self._clean))

    def _scalar(self, event: Any) -> None:
        self._count(1, event)
        self._check_tag(event)
        node = Scalar(event.value, plain=event.implicit[0], span=self._span(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1)
        self._add(node)

    def _open(self, event: Any) -> None:
        self._count(1, event)
        self._check_tag(event)
        if len(self._stack) >= DEEPEST:
            raise _StopError(Code.TOO_DEEP, f"nested deeper than {DEEPEST} levels", self._span(event))
        mapping = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Open(self._span(event), event.anchor, mapping, self._nodes - 1))

    def _close(self) -> None:
        done = self._stack.pop()
        node: Node = self._mapping(done) if done.mapping else Sequence(tuple(done.items), done.span)
        if done.anchor is not None:
            self._anchors[done.anchor] = (node, self._nodes - done.before)
        self._add(node)

    def _add(self, node: Node) -> None:
        if self._stack:
            self._stack[-1].items.append(node)
        elif not (isinstance(node, Scalar) and node.plain and not node.text):
            self._root = node

    def _alias(self, event: Any) -> Node:
        """What the alias stands for, counted at its full size. Its values keep the place where they were written."""
        if any(one.anchor == event.anchor for one in self._stack):
            self._problem(Code.RECURSIVE_ALIAS, f"*{event.anchor} stands inside what it names", event)
            return Scalar("", plain=True, span=self._span(event))
        if event.anchor not in self._anchors:
            self._problem(
                Code.YAML_SYNTAX, f"*{event.anchor} names nothing: there is no &{event.anchor} before it", event
            )
            return Scalar("", plain=True, span=self._span(event))
        node, size = self._anchors[event.anchor]
        self._count(size, event)
        return node

    def _mapping(self, done: _Open) -> Mapping:
        """Keys and values, explicit ones first, then what merge keys bring and nobody has written."""
        entries: dict[str, Entry] = {}
        merged: list[Node] = []
        for key, value in zip(done.items[::2], done.items[1::2], strict=True):
            if not isinstance(key, Scalar):
                message = "a key must be text, not a list or a mapping"
                self._report(Diagnostic(Code.BAD_KEY, message, key.span))
            elif key.plain and key.text == _MERGE:
                merged.append(value)
            elif key.text in entries:
                first = entries[key.text].key.span
                message = f"key `{key.text}` is given twice"
                self._report(
                    Diagnostic(Code.DUPLICATE_KEY, message, key.span, hint=f"the first one is in line {first.line}")
                )
            else:
                entries[key.text] = Entry(key, value)
        for value in merged:
            for entry in self._merged(value):
                entries.setdefault(entry.key.text, entry)
        return Mapping(tuple(entries.values()), done.span)

    def _merged(self, value: Node) -> Iterator[Entry]:
        match value:
            case Mapping(entries):
                yield from entries
            case Sequence(items) if all(isinstance(item, Mapping) for item in items):
                for item in items:
                    yield from self._merged(item)
            case _:
                message = "a merge key `<<` takes a mapping or a list of mappings"
                self._report(Diagnostic(Code.BAD_MERGE, message, value.span))

    def _count(self, nodes: int, event: Any) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            message = f"more than {MOST_NODES} values in one file, aliases counted as what they stand for"
            raise _StopError(Code.TOO_MANY_NODES, message, self._span(event))

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            message = f"explicit tag {tag} is refused"
            self._problem(Code.EXPLICIT_TAG, message, event, hint="the schema knows what each value is; remove the tag")

    def _problem(self, code: Code, message: str, event: Any, *, hint: str | None = None) -> None:
        self._report(Diagnostic(code, message, self._span(event), hint=hint))

    def _report(self, diagnostic: Diagnostic) -> None:
        self._clean = False
        self.diagnostics.append(diagnostic)

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        length = end.column - start.column if start.line == end.line else 1
        return Span(self.file, start.line + 1, start.column + 1, max(length, 1))


def _syntax(file: str, text: str, error: yaml.YAMLError) -> Diagnostic:
    """Libyaml's words with a place; where it stumbles over a tab, say so."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        at = Span(file, mark.line + 1, mark.column + 1)
        problem = error.problem or "not YAML"
        context = f" ({error.context})" if error.context else ""
        lines = text.split("\n")
        tab = mark.line < len(lines) and lines[mark.line][mark.column : mark.column + 1] == "\t"
        hint = "YAML is indented with spaces, not tabs" if tab else None
        return Diagnostic(Code.YAML_SYNTAX, f"{problem}{context}", at, hint=hint)
    if isinstance(error, yaml.reader.ReaderError):
        found = next((index for index, char in enumerate(text) if not _allowed(char)), 0)
        at = _place(file, text[:found])
        return Diagnostic(Code.YAML_SYNTAX, f"character U+{ord(text[found]):04X} is not allowed in YAML", at)
    return Diagnostic(Code.YAML_SYNTAX, str(error), Span(file, 1, 1))


_ALLOWED: Final = (
    (0x09, 0x0A),
    (0x0D, 0x0D),
    (0x20, 0x7E),
    (0x85, 0x85),
    (0xA0, 0xD7FF),
    (0xE000, 0xFFFD),
    (0x10000, 0x10FFFF),
)
_STARTS: Final = tuple(start for start, _ in _ALLOWED)


def _allowed(char: str) -> bool:
    """Whether YAML 1.1 allows a character. Source: YAML 1.1, 4.1 Character Set."""
    found = bisect.bisect_right(_STARTS, ord(char)) - 1
    return found >= 0 and ord(char) <= _ALLOWED[found][1] and ord(char) != 0xFEFF


def _place(file: str, before: str) -> Span:
    """The place after a text."""
    line = before.count("\n") + 1
    return Span(file, line, len(before) - (before.rfind("\n") + 1) + 1)
