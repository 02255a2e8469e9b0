"""Bytes → YAML documents with positions, guarded before anything is built from them.

It reads libyaml's events, which cost nothing until they become objects, and stops at the first sign of a bomb: size,
documents, depth and nodes are bounded, an alias counts as all that it stands for, a document that contains itself and
explicit tags are refused. (PyYAML's own C loader dies of 200 KB of `[`.) Scalars keep their text: only the schema knows
what they mean. Everything that is wrong with a file is reported at once, as far as its syntax allows; documents before
a syntax error survive it, documents after it cannot be told apart. Nothing but diagnostics ever comes out of here.
Neighbours: `decoding` (bytes to text), `nodes` (what is built), `syntax` (libyaml's complaints in words), `parse` (what
it means).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import yaml

from controller.core.decoding import decode
from controller.core.diagnostics import MOST_FINDINGS, Code, Diagnostic, Places, Span
from controller.core.nodes import Entry, Mapping, Node, Scalar, Sequence
from controller.core.quoting import brief, quote
from controller.core.syntax import complaint

MOST_DOCUMENTS: Final = 1000
DEEPEST: Final = 64
MOST_NODES: Final = 100_000

_MERGE: Final = "<<"


@dataclass(frozen=True, slots=True)
class Written:
    """The text of one document and where it stands: its tree can be had `again` from it, and it takes a twentieth of
    the tree's memory."""

    file: str
    before: int = 0
    """Lines of the file that stand before the text."""
    text: bytes = b""
    """UTF-8; blanks stand for what comes before the document in its first line."""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document that is not empty."""

    index: int
    """Which document of its file it is, from 0; empty ones are counted."""
    root: Node
    clean: bool
    """Nothing was wrong with it as YAML."""
    written: Written
    """Its own text."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a file holds."""

    documents: tuple[Document, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    whole: bool = True
    """The file was read to its end: no document is missing."""


def read(file: str, content: bytes) -> Stream:
    """All documents of a file, and everything that is wrong with it as YAML. Raises nothing."""
    decoded = decode(file, content)
    stop = decoded.stop
    builder = _Builder(decoded.places)
    documents: list[Document] = []
    try:
        documents.extend(builder.documents(decoded.text))
    except _StopError as error:
        stop = error.diagnostic
    except yaml.YAMLError as error:
        stop = stop or complaint(error, decoded.text, decoded.places)
    else:
        if stop is not None and documents and documents[-1].index == builder.index:
            documents.pop()  # it ended only because the file was cut there
    diagnostics = (*builder.diagnostics, stop) if stop is not None else tuple(builder.diagnostics)
    return Stream(tuple(documents), diagnostics, whole=stop is None)


def again(written: Written) -> Node:
    """The tree of a document that was read before, place for place; of no text an empty mapping.

    What a document is does not depend on the ones around it: anchors end with it, and it has passed every bound.
    """
    text = written.text.decode()
    places = Places(written.file, text, written.before)
    (root,) = [one.root for one in _Builder(places).documents(text)] or [Mapping((), places.at(0))]
    return root


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
    height: int = 1
    """Levels of collections that it is made of, itself included."""
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Named:
    """A complete node that an anchor names, and what an alias of it costs."""

    node: Node
    size: int
    """Nodes that it stands for."""
    height: int
    """Levels of collections that it stands for."""


_Anchor: TypeAlias = _Open | _Named
"""What an anchor names: a collection that is still open, or a complete node."""


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
    _start: Span = field(init=False)
    """Where the document begins."""

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
                    self._add(*self._alias(event))
                case yaml.DocumentStartEvent():
                    self._begin(event)
                case yaml.DocumentEndEvent() if self._root is not None:
                    yield Document(self.index, self._root, self._clean, self._written(event))
                case _:
                    pass

    def _begin(self, event: Any) -> None:
        self.index += 1
        if self.index >= MOST_DOCUMENTS:
            message = f"more than {MOST_DOCUMENTS} documents in one file"
            raise _StopError(Code.TOO_MANY_DOCUMENTS, message, self._span(event))
        self._clean = True
        self._root = None
        self._start = self.places.at(event.start_mark.index)
        self._anchors = {}

    def _written(self, end: Any) -> Written:
        """The text from the event that began the document to the one that ends it."""
        start, _ = self.places.range(self._start)
        text = " " * (self._start.column - 1) + self.places.text[start : end.end_mark.index]
        return Written(self.places.file, self._start.line - 1, text.encode())

    def _scalar(self, event: Any) -> None:
        self._count(1, event)
        if event.tag is not None:
            self._tagged(event)
        node = Scalar(event.value, plain=not event.style, span=self._span(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = _Named(node, size=1, height=0)
        self._add(node)

    def _open(self, event: Any) -> None:
        self._count(1, event)
        if event.tag is not None:
            self._tagged(event)
        self._descend(1, event)
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
            self._anchors[done.anchor] = _Named(node, size=self._nodes - done.before, height=done.height)
        self._add(node, done.height)

    def _add(self, node: Node, height: int = 0) -> None:
        if self._stack:
            self._stack[-1].items.append(node)
            self._stack[-1].height = max(self._stack[-1].height, height + 1)
        elif not (isinstance(node, Scalar) and node.plain and not node.text):
            self._root = node

    def _alias(self, event: Any) -> tuple[Node, int]:
        """What the alias stands for with its height, counted at its full size. Its values keep the place where they
        were written."""
        span = self._span(event)
        match self._anchors.get(event.anchor):
            case _Named(node, size, height):
                self._count(size, event)
                self._descend(height, event)
                # A key is looked at where it is used: two keys must not claim one place.
                return (replace(node, span=span) if isinstance(node, Scalar) and self._at_key() else node), height
            case None:
                name = brief(event.anchor)
                message = f"*{name} names nothing: there is no &{name} before it in this document"
                self._report(Diagnostic(Code.YAML_SYNTAX, message, span))
            case _Open():
                message = f"*{brief(event.anchor)} stands inside what it names"
                self._report(Diagnostic(Code.RECURSIVE_ALIAS, message, span, hint="write the value out"))
        return Scalar("", plain=True, span=span), 0

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

    def _descend(self, levels: int, event: Any) -> None:
        if len(self._stack) + levels > DEEPEST:
            message = f"nested deeper than {DEEPEST} levels, aliases counted as what they stand for"
            raise _StopError(Code.TOO_DEEP, message, self._span(event))

    def _tagged(self, event: Any) -> None:
        tag = quote(event.tag.replace("tag:yaml.org,2002:", "!!"))
        hint = "the schema knows what each value is; remove the tag"
        self._report(Diagnostic(Code.EXPLICIT_TAG, f"explicit tag {tag} is refused", self._span(event), hint=hint))

    def _report(self, diagnostic: Diagnostic) -> None:
        self._clean = False
        if len(self.diagnostics) <= MOST_FINDINGS:
            self.diagnostics.append(diagnostic)

    def _span(self, event: Any) -> Span:
        return self.places.between(event.start_mark.index, event.end_mark.index)
