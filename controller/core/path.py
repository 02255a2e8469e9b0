"""Paths into a spec or a request, as people read them: `taskDefinition.containerDefinitions[train].environment[LR]`.

A keyed list is addressed by its key, never by its index, so that a path means the same on both sides of a comparison
and after somebody sorts a file. Only lists whose order is meaning have numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


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
                parts.append(f".{segment}" if parts else segment)
            case Item(key):
                parts.append(f"[{key}]")
            case int():
                parts.append(f"[{segment}]")
    return "".join(parts)
