"""Bytes → YAML documents with positions, guarded before anything is built from them.

It reads libyaml's events, which cost nothing until they become objects, and stops at the first sign of a bomb: size,
documents, depth and nodes are bounded, an alias counts as all that it stands for, a document that contains itself and
explicit tags are refused. (PyYAML's own C loader dies of 200 KB of `[`.) Scalars keep their text: only the schema knows
what they mean. Everything that is wrong with a file is reported at once, as far as its syntax allows; documents before
a syntax error survive it, documents after it cannot be told apart. Nothing but diagnostics ever comes out of here.
Neighbours: `nodes` (what is built), `syntax` (libyaml's complaints in words), `parse` (what it means).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import yaml

from controller.core.diagnostics import Code, Diagnostic, Places, Span
from controller.core.nodes import Entry, Mapping, Node, Scalar, Sequence
from controller.core.quoting import quote
from controller.core.syntax import complaint

MOST_BYTES: Final = 1024 * 1024
MOST_DOCUMENTS: Final = 1000
DEEPEST: Final = 64
MOST_NODES: Final = 100_000
MOST_DIRECTIVES: Final = 100
"""`%TAG` lines of a file: libyaml compares each with all before it, so a megabyte of them takes it seconds."""

_MERGE: Final = "<<"
_DIRECTIVE: Final = re.compile(r"^%TAG", re.MULTILINE)
_FORBIDDEN: Final = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What may not stand in a file. Source: YAML 1.2, 5.1 Character Set; and U+0085, U+2028, U+2029, which end a line (and
so a comment) for YAML 1.1 and libyaml but for no editor: a reviewer would not see what the controller reads."""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document that is not empty."""

    index: int
    """Which document of its file it is, from 0; empty ones are counted."""
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
    """All documents of a file, and everything that is wrong with it as YAML. Raises nothing."""
    if len(content) > MOST_BYTES:
        message = f"the file has {len(content)} bytes; at most {MOST_BYTES} are read"
        found = Diagnostic(Code.FILE_TOO_LARGE, message, Span(file, 1, 1), hint="split it into several files")
        return Stream(diagnostics=(found,), whole=False)
    text, places, stop = _text(file, content)
    builder = _Builder(places)
    documents: list[Document] = []
    try:
        documents.extend(builder.documents(text))
    except _StopError as error:
        stop = error.diagnostic
    except yaml.YAMLError as error:
        stop = stop or complaint(error, text, places)
    else:
        if stop is not None and documents and documents[-1].index == builder.index:
            documents.pop()  # it ended only because the file was cut there
    diagnostics = (*builder.diagnostics, stop) if stop is not None else tuple(builder.diagnostics)
    return Stream(tuple(documents), diagnostics, whole=stop is None)


def _text(file: str, content: bytes) -> tuple[str, Places, Diagnostic | None]:
    """The text up to the first thing that cannot stand in a YAML file, and what that is."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        text = content[: error.start].decode("utf-8").removeprefix("\ufeff")
        places = Places(file, text)
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        return text, places, Diagnostic(Code.NOT_UTF8, message, places.at(len(text)), hint="save the file as UTF-8")
    places = Places(file, text)
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        message = f"character U+{ord(forbidden[0]):04X} is not allowed in YAML"
        hint = 'inside double quotes it can be written as an escape, as in "\\e"'
        found = Diagnostic(Code.YAML_SYNTAX, message, places.at(forbidden.start()), hint=hint)
        return text[: forbidden.start()], places, found
    for count, directive in enumerate(_DIRECTIVE.finditer(text), 1):
        if count > MOST_DIRECTIVES:
            message = f"more than {MOST_DIRECTIVES} %TAG lines in one file"
            return (
                text[: directive.start()],
                places,
                Diagnostic(Code.YAML_SYNTAX, message, places.at(directive.start())),
            )
    return text, places, None


class _StopError(Exception):
    """The rest of the file is not read."""

    def __init__(self, code: Code, message: str, at: Span) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, message, at, hint="split the file, or write less of it with aliases")


@dataclass(slots=True, eq=False)
class _Open:
    """A collection that is being read."""

    start: int
    anchor: str | None
    mapping: bool
    before: int
    """Nodes of the file before it began."""
    items: list[Node] = field(default_factory=list)


_Anchor: TypeAlias = _Open | tuple[Node, int]
"""What an anchor names: a collection that is still open, or a node with the number of nodes that it stands for."""


@dataclass(slots=True)
class _Builder:
    """Builds the documents of one file from its events."""

    places: Places
    diagnostics: list[Diagnostic] = field(default_factory=list)
    index: int = -1
    _clean: bool = True
    _nodes: int = 0
    _stack: list[_Open] = field(default_factory=list)
    _anchors: dict[str, _Anchor] = field(default_factory=dict)
    _root: Node | None = None

    def documents(self, text: str) -> Iterator[Document]:
        """The documents that are not empty, each as soon as it is complete."""
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    self._open(event)
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self._close(event)
                case yaml.AliasEvent():
                    self._add(self._alias(event))
                case yaml.DocumentStartEvent():
                    self._begin(event)
                case yaml.DocumentEndEvent() if self._root is not None:
                    yield Document(self.index, self._root, clean=self._clean)
                case _:
                    pass

    def _begin(self, event: Any) -> None:
        self.index += 1
        if self.index >= MOST_DOCUMENTS:
            message = f"more than {MOST_DOCUMENTS} documents in one file"
            raise _StopError(Code.TOO_MANY_DOCUMENTS, message, self._span(event))
        self._clean = True
        self._root = None
        self._anchors = {}

    def _scalar(self, event: Any) -> None:
        self._count(1, event)
        if event.tag is not None:
            self._tagged(event)
        node = Scalar(event.value, plain=not event.style, span=self._span(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1)
        self._add(node)

    def _open(self, event: Any) -> None:
        self._count(1, event)
        if event.tag is not None:
            self._tagged(event)
        if len(self._stack) >= DEEPEST:
            raise _StopError(Code.TOO_DEEP, f"nested deeper than {DEEPEST} levels", self._span(event))
        mapping = isinstance(event, yaml.MappingStartEvent)
        opened = _Open(event.start_mark.index, event.anchor, mapping, self._nodes - 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = opened
        self._stack.append(opened)

    def _close(self, event: Any) -> None:
        done = self._stack.pop()
        # A block collection ends where the next thing begins, so only a flow collection can be underlined whole.
        end = event.end_mark.index if event.end_mark.index > event.start_mark.index else done.start + 1
        span = self.places.between(done.start, end)
        node: Node = self._mapping(done, span) if done.mapping else Sequence(tuple(done.items), span)
        if done.anchor is not None and self._anchors[done.anchor] is done:
            self._anchors[done.anchor] = (node, self._nodes - done.before)
        self._add(node)

    def _add(self, node: Node) -> None:
        if self._stack:
            self._stack[-1].items.append(node)
        elif not (isinstance(node, Scalar) and node.plain and not node.text):
            self._root = node

    def _alias(self, event: Any) -> Node:
        """What the alias stands for, counted at its full size. Its values keep the place where they were written."""
        span = self._span(event)
        match self._anchors.get(event.anchor):
            case (node, size):
                self._count(size, event)
                # A key is looked at where it is used: two keys must not claim one place.
                return replace(node, span=span) if isinstance(node, Scalar) and self._at_key() else node
            case None:
                message = f"*{event.anchor} names nothing: there is no &{event.anchor} before it in this document"
                self._report(Diagnostic(Code.YAML_SYNTAX, message, span))
            case _:
                message = f"*{event.anchor} stands inside what it names"
                self._report(Diagnostic(Code.RECURSIVE_ALIAS, message, span, hint="write the value out"))
        return Scalar("", plain=True, span=span)

    def _at_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].mapping and len(self._stack[-1].items) % 2 == 0

    def _mapping(self, done: _Open, span: Span) -> Mapping:
        """Keys and values, explicit ones first, then what merge keys bring and nobody has written."""
        entries: dict[str, Entry] = {}
        merges: list[Entry] = []
        for key, value in zip(done.items[::2], done.items[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._report(Diagnostic(Code.BAD_KEY, "a key must be text, not a list or a mapping", key.span))
            elif key.plain and not key.text:
                self._report(Diagnostic(Code.BAD_KEY, "a key is missing before the `:`", key.span))
            elif key.plain and key.text == _MERGE:
                merges.append(Entry(key, value))
            elif key.text in entries:
                self._twice(key, entries[key.text].key)
            else:
                entries[key.text] = Entry(key, value)
        for again in merges[1:]:
            self._twice(again.key, merges[0].key)
        for merge in merges[:1]:
            for entry in self._merged(merge.value):
                entries.setdefault(entry.key.text, entry)
        return Mapping(tuple(entries.values()), span)

    def _twice(self, key: Scalar, first: Scalar) -> None:
        message = f"key {quote(key.text)} is given twice"
        hint = f"the first one is in line {first.span.line}; keep one of them"
        self._report(Diagnostic(Code.DUPLICATE_KEY, message, key.span, hint=hint))

    def _merged(self, value: Node) -> Iterator[Entry]:
        """What a merge key brings: of several mappings the earlier wins. Source: yaml.org/type/merge."""
        match value:
            case Mapping(entries):
                yield from entries
            case Sequence(items) if all(isinstance(item, Mapping) for item in items):
                for item in items:
                    yield from self._merged(item)
            case _:
                message = "a merge key `<<` takes a mapping or a list of mappings"
                hint = "usually an alias, as in `<<: *defaults`"
                self._report(Diagnostic(Code.BAD_MERGE, message, value.span, hint=hint))

    def _count(self, nodes: int, event: Any) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            message = f"more than {MOST_NODES} values in one file, aliases counted as what they stand for"
            raise _StopError(Code.TOO_MANY_NODES, message, self._span(event))

    def _tagged(self, event: Any) -> None:
        tag = quote(event.tag.replace("tag:yaml.org,2002:", "!!"))
        hint = "the schema knows what each value is; remove the tag"
        self._report(Diagnostic(Code.EXPLICIT_TAG, f"explicit tag {tag} is refused", self._span(event), hint=hint))

    def _report(self, diagnostic: Diagnostic) -> None:
        self._clean = False
        self.diagnostics.append(diagnostic)

    def _span(self, event: Any) -> Span:
        return self.places.between(event.start_mark.index, event.end_mark.index)
