"""From the address of a value, as reports print it, to its place in a file.

A report addresses a member of a keyed list by its key, which is made of canonical values (`8080 tcp` of a mapping that
says no protocol, an expression in ECS's spelling); a file has the members one after the other. What was read from the
file has them in the same order, so the key leads to a position, and the position to a place. What the file does not
spell out is placed at what would hold it, never at another member that looks like it.
Neighbours: `workload` (asks), `nodes` (the tree), `normalize` (what a member's key is).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controller.core.diagnostics import Span
from controller.core.fields import SHAPES
from controller.core.fields.kinds import Bag, Field, Keyed, Ordered, Struct, Wire
from controller.core.nodes import Node, Sequence, step
from controller.core.normalize import item_key
from controller.core.path import Item, Path, Segment

_REQUESTS: Final = {
    "taskDefinition": "RegisterTaskDefinitionRequest",
    "service": "CreateServiceRequest",
    "runTask": "RunTaskRequest",
}


@dataclass(slots=True)
class Origins:
    """Finds the places of one document."""

    tree: Node
    requests: Mapping[str, Wire]
    """`taskDefinition`, `service` and `runTask` as they were read from it."""
    _positions: dict[Path, Mapping[str, int]] = field(default_factory=dict)
    """List → the positions of its members by their keys; worked out once, because a list may be long and much may be
    said about it."""

    def place(self, path: Path) -> Span:
        """Where the value at a path from the document's root stands, or else what would hold it."""
        node, span = self.tree, self.tree.span
        row: Field | None = None
        value: Any = None
        for at, segment in enumerate(path):
            here: Segment | None = segment
            if isinstance(segment, Item) and isinstance(node, Sequence):
                here = self._position(path[:at], segment.key, row, value)
            found = step(node, here) if here is not None else None
            if here is None or found is None:
                return span
            span, node = found
            row, value = self._below(path[: at + 1], here, row, value)
        return span

    def _below(self, path: Path, here: Segment, row: Field | None, value: Any) -> tuple[Field | None, Any]:
        """The row and the value of a member."""
        match path, row, here:
            case ("spec", str(request)), _, _ if request in _REQUESTS:
                return Struct(_REQUESTS[request]), self.requests.get(request)
            case _, Struct(shape=str(shape)), str(name) if isinstance(value, dict):
                return SHAPES.get(shape, {}).get(name), value.get(name)
            case _, Keyed(shape=str(shape)) | Ordered(shape=str(shape)), int(index) if isinstance(value, list):
                return Struct(shape), value[index]
            case _:
                return None, None

    def _position(self, path: Path, key: str, row: Field | None, value: Any) -> int | None:
        """The position of a list's member, by its key as a report prints it or as it is written."""
        if path not in self._positions:
            members = list(value) if isinstance(value, list) else []
            known: dict[str, int] = {}
            for keys in _keys(row, members):
                for position, name in enumerate(keys):
                    known.setdefault(name, position)
            self._positions[path] = known
        return self._positions[path].get(key)


def _keys(row: Field | None, members: list[Any]) -> Iterator[list[str]]:
    """What the members of a list may be called, the most telling names first."""
    match row:
        case Keyed():
            yield [item_key(row, member) for member in members]
            yield [" ".join(str(member[name]) for name in row.by if member.get(name)) for member in members]
        case Bag():
            yield [str(member) for member in members]
        case _:
            pass
