"""The YAML tree with positions: what stands in the file, before it means anything.

Values are not converted here: a scalar keeps its text, because only the schema knows whether `1.10` is a number.
The tree outlives parsing: a change that the diff finds asks it for the line that the desired value came from.
Neighbours: `yaml` builds it, `parse` reads it, `diff` asks it for origins.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from controller.core.diagnostics import Span
from controller.core.path import Item, Segment

KEYS: Final = frozenset({"name", "key", "type"})
"""Members of a list's members by which people know these."""


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
    _by_name: dict[str, "Node"] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {name: item for item in reversed(self.items) for name in _texts(item, KEYS)}
        object.__setattr__(self, "_by_name", by_name)  # derived once, as for a mapping

    def named(self, name: str) -> "Node | None":
        """The first member that is this text, or that has it as its name; None if there is none."""
        return self._by_name.get(name)


Node: TypeAlias = Scalar | Mapping | Sequence


def find(root: Node, path: tuple[Segment, ...]) -> Node | None:
    """The node at a path of members and positions, or None."""
    node: Node | None = root
    for part in path:
        match node, part:
            case Mapping(), str():
                node = node.get(part)
            case Sequence(items), int() if part < len(items):
                node = items[part]
            case _:
                return None
    return node


def locate(node: Node, path: tuple[Segment, ...], *, keys: AbstractSet[str] = KEYS) -> Span:
    """The deepest place in the file that a path leads to.

    An `Item` is found by the name of a list's member, by the texts of its other key members `keys` (several make up
    one key: `8080 tcp`), or, where a list may be written as a map (`environment: {LR: 1e-3}`), by the map's key. What
    the file does not spell out is placed at its nearest parent: a default has the line of the object that it completes.
    """
    span = node.span
    for segment in path:
        step = _step(node, segment, keys)
        if step is None:
            return span
        span, node = step
    return span


def _step(node: Node, segment: Segment, keys: AbstractSet[str]) -> tuple[Span, Node] | None:
    match node, segment:
        case Mapping(), str(name) | Item(name):
            entry = node.entry(name)
            return (entry.key.span, entry.value) if entry else None
        case Sequence(items), int(index) if index < len(items):
            return items[index].span, items[index]
        case Sequence(items), Item(key):
            item = node.named(key) or _best(items, key, keys)
            return (item.span, item) if item else None
        case _:
            return None


def _best(items: tuple[Node, ...], key: str, keys: AbstractSet[str]) -> Node | None:
    """The one member that shares most with a key; None where none does or several do alike."""
    shared = [_shared(item, key, keys) for item in items]
    most = max(shared, default=0)
    return items[shared.index(most)] if most and shared.count(most) == 1 else None


def _shared(item: Node, key: str, keys: AbstractSet[str]) -> int:
    """How much of a key a list's member spells out, in characters."""
    return sum(len(text) for text in _texts(item, keys) if f" {text} " in f" {key} ")


def _texts(item: Node, keys: AbstractSet[str]) -> Iterator[str]:
    match item:
        case Scalar(text=text):
            yield text
        case Mapping(entries):
            for entry in entries:
                if entry.key.text in keys and isinstance(entry.value, Scalar):
                    yield entry.value.text
        case Sequence():
            pass
