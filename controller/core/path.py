"""Paths into a spec or a request, as people read them: `taskDefinition.containerDefinitions[train].environment[LR]`.

A keyed list is addressed by its key, never by its index, so that a path means the same on both sides of a comparison
and after somebody sorts a file. Only lists whose order is meaning have numbers. A path is printed on one line, whatever
stands in its names, and a name that nobody would read to its end is cut.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.core.quoting import escaped

LONGEST_NAME: Final = 256
"""Characters of one name that are printed; no name of ECS is longer."""


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """The member of a keyed list that has this key."""

    key: str


Segment: TypeAlias = str | int | Item
"""A member name, a position in an ordered list, or a key in a keyed one."""

Path: TypeAlias = tuple[Segment, ...]


def show(path: Iterable[Segment]) -> str:
    """The path as one line of text: members joined by dots, positions and keys in brackets."""
    parts: list[str] = []
    for segment in path:
        match segment:
            case str():
                parts.append(f".{_name(segment)}" if parts else _name(segment))
            case Item(key):
                parts.append(f"[{_name(key)}]")
            case int():
                parts.append(f"[{segment}]")
    return "".join(parts)


def name_of(path: Path) -> str:
    """The name by which people know the value at a path: `HF_TOKEN` for `environment[HF_TOKEN].value`."""
    names = [part.key if isinstance(part, Item) else part for part in path if not isinstance(part, int)]
    if len(names) > 1 and names[-1] == "value":
        return names[-2]
    return names[-1] if names else ""


def _name(text: str) -> str:
    return escaped(text) if len(text) <= LONGEST_NAME else f"{escaped(text[: LONGEST_NAME - 1])}…"
