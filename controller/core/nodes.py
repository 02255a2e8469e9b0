"""The YAML tree with positions: what stands in the file, before it means anything.

Values are not converted here: a scalar keeps its text, because only the schema knows whether `1.10` is a number.
The tree outlives parsing: a change that the diff finds asks it for the line that the desired value came from.
Neighbours: `yaml` builds it, `parse` reads it, `diff` asks it for origins.
"""

from dataclasses import dataclass, field
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
    _by_name: dict[str, Entry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {entry.key.text: entry for entry in self.entries}
        object.__setattr__(self, "_by_name", by_name)  # derived once: a mapping may have 50 000 members

    def entry(self, name: str) -> Entry | None:
        """A member, or None."""
        return self._by_name.get(name)

    def get(self, name: str) -> "Node | None":
        """The value of a member, or None."""
        entry = self._by_name.get(name)
        return entry.value if entry else None

    def key_span(self, name: str) -> Span | None:
        """Where a member's key stands, or None."""
        entry = self._by_name.get(name)
        return entry.key.span if entry else None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list in the order of the file."""

    items: tuple["Node", ...]
    span: Span


Node: TypeAlias = Scalar | Mapping | Sequence


def find(root: Node, path: tuple[Segment, ...]) -> Node | None:
    """The node at a path of members and positions, or None."""
    node = root
    for segment in path:
        found = step(node, segment)
        if found is None:
            return None
        node = found[1]
    return node


def locate(root: Node, path: tuple[Segment, ...]) -> Span:
    """The deepest place in the file that a path leads to. What the file does not spell out is placed at its nearest
    parent: a default has the line of the object that it completes."""
    node, span = root, root.span
    for segment in path:
        found = step(node, segment)
        if found is None:
            break
        span, node = found
    return span


def step(node: Node, segment: Segment) -> tuple[Span, Node] | None:
    """Where a member stands, and what it is. A list that may be a map (`environment: {LR: 1e-3}`) has its members'
    keys for keys."""
    match node, segment:
        case Mapping(), str(name) | Item(name):
            entry = node.entry(name)
            return (entry.key.span, entry.value) if entry else None
        case Sequence(items), int(index) if index < len(items):
            return items[index].span, items[index]
        case _:
            return None
