"""The YAML tree with positions: what stands in the file, before it means anything.

Values are not converted here: a scalar keeps its text, because only the schema knows whether `1.10` is a number.
The tree outlives parsing: a change that the diff finds asks it for the line that the desired value came from.
Neighbours: `yaml` builds it, `parse` reads it, `diff` asks it for origins.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from controller.core.diagnostics import Span
from controller.core.path import Item, Segment


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar: its text, and whether it was written plain (unquoted), so that `4` and `"4"` can differ."""

    text: str
    plain: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of a mapping: the key's own place and the value."""

    key: Scalar
    value: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping in the order of the file. Keys are unique: duplicates were refused before."""

    entries: tuple[Entry, ...]
    span: Span

    def get(self, name: str) -> "Node | None":
        """The value of a member, or None."""
        return next((entry.value for entry in self.entries if entry.key.text == name), None)

    def key_span(self, name: str) -> Span | None:
        """Where a member's key stands, or None."""
        return next((entry.key.span for entry in self.entries if entry.key.text == name), None)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list in the order of the file."""

    items: tuple["Node", ...]
    span: Span


Node: TypeAlias = Scalar | Mapping | Sequence


def locate(node: Node, path: tuple[Segment, ...], *, keys: tuple[str, ...] = ("name", "key", "type")) -> Span:
    """The deepest place in the file that a path leads to.

    An `Item` is found by the text of one of the list's key members, or, where a list may be written as a map
    (`environment: {LR: 1e-3}`), by the map's key. What the file does not spell out is placed at its nearest parent: a
    default has the line of the object that it completes.
    """
    span = node.span
    for segment in path:
        step = _step(node, segment, keys)
        if step is None:
            return span
        span, node = step
    return span


def _step(node: Node, segment: Segment, keys: tuple[str, ...]) -> tuple[Span, Node] | None:
    match node, segment:
        case Mapping(), str(name) | Item(name):
            for entry in node.entries:
                if entry.key.text == name:
                    return entry.key.span, entry.value
        case Sequence(), int(index) if index < len(node.items):
            return node.items[index].span, node.items[index]
        case Sequence(), Item(key):
            for item in node.items:
                if key in set(_names(item, keys)):
                    return item.span, item
        case _:
            pass
    return None


def _names(item: Node, keys: tuple[str, ...]) -> Iterator[str]:
    match item:
        case Scalar(text=text):
            yield text
        case Mapping():
            for key in keys:
                value = item.get(key)
                if isinstance(value, Scalar):
                    yield value.text
        case Sequence():
            pass
