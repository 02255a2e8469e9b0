"""One canonical form for what a spec asks for and for what ECS answers, so that only real differences differ.

It decides nothing by field name: the field table says how each member is read. Lists without order become keyed
items, defaults are filled in on both sides (so that an undeclared field is clean only while it equals the known
default), empty means absent, equal spellings become one. A member that the table does not know is set aside and
named, never compared: a field that ECS adds tomorrow is information, not drift. Neighbours: `fields` (the table),
`diff` (what it is for).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias, assert_never

from controller.core.fields import SHAPES
from controller.core.fields.kinds import (
    Absent,
    Bag,
    Constant,
    Default,
    Derived,
    Field,
    Keyed,
    Leaf,
    Ordered,
    Struct,
    TextMap,
    Unmanaged,
    Wire,
)
from controller.core.path import Item, Path

DIGEST_VERSION: Final = "1"
"""Raised when the canonical form changes in a way that would give equal content another digest, so that a new release
recognises the digests of an old one as not comparable instead of rolling every service."""


class NotManaged(Enum):
    """Stands where a member was left out and any live value is clean."""

    NOT_MANAGED = "not managed"


NOT_MANAGED: Final = NotManaged.NOT_MANAGED


@dataclass(frozen=True, slots=True)
class Items:
    """A list whose order is nothing, or a text map: key → member."""

    by_key: dict[str, "Canonical"]


Canonical: TypeAlias = str | int | float | bool | tuple[Any, ...] | dict[str, Any] | Items | NotManaged
"""A scalar, an ordered list, a structure, a keyed list or text map, or nothing that we manage."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A member that the table does not know, with its value as ECS gave it."""

    path: Path
    value: Any


@dataclass(frozen=True, slots=True)
class Normal:
    """The canonical form of one structure, and what was set aside."""

    members: dict[str, Canonical]
    unknown: tuple[Unknown, ...] = ()


def normalize(shape: str, wire: Wire) -> Normal:
    """The canonical form of a structure of this shape (a name of botocore's model that the table has)."""
    reader = _Reader(request=wire, unknown=[])
    members = reader.struct(shape, wire, ())
    return Normal(members=members, unknown=tuple(reader.unknown))


def item_key(row: Keyed, member: Wire) -> str:
    """The key by which a report names this member of a keyed list: `train`, `8080 tcp`."""
    if row.value is not None:
        return _key(row.by, member)
    return _key(row.by, _Reader(request={}, unknown=[]).struct(row.shape, member, ()))


def digest(canonical: Canonical) -> str:
    """A short name for content: equal content, equal name; 128 bits of SHA-256 with the version of the form."""
    text = json.dumps(_digestible(canonical), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{DIGEST_VERSION}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _digestible(canonical: Any) -> Any:
    match canonical:
        case Items(by_key):
            return {"items": {key: _digestible(value) for key, value in by_key.items()}}
        case dict():
            return {key: _digestible(value) for key, value in canonical.items() if value is not NOT_MANAGED}
        case tuple():
            return [_digestible(value) for value in canonical]
        case _:
            return canonical


@dataclass(slots=True)
class _Reader:
    """One reading of one request; derived defaults look at the whole of it."""

    request: Wire
    unknown: list[Unknown]

    def struct(self, shape: str, wire: Wire, path: Path) -> dict[str, Canonical]:
        rows = SHAPES[shape]
        members: dict[str, Canonical] = {}
        for name, row in rows.items():
            value = self.value(row, wire.get(name), (*path, name))
            if value is None:
                value = self.default(row, wire, (*path, name))
            if value is not None:
                members[name] = value
        if not wire.keys() <= rows.keys():
            extra = sorted(name for name in wire.keys() - rows.keys() if not _is_empty(wire[name]))
            self.unknown.extend(Unknown((*path, name), wire[name]) for name in extra)
        return members

    def value(self, row: Field, wire: Any, path: Path) -> Canonical | None:
        if wire is None:
            return self.struct(row.shape, {}, path) or None if isinstance(row, Struct) and row.filled else None
        match row:
            case Leaf(canonical=spelling):
                value = spelling(wire) if spelling else wire
                return None if _is_empty(value) else _scalar(value)
            case Struct(shape=shape):
                return self.struct(shape, wire, path) or None
            case Ordered(shape=shape):
                return self.ordered(shape, wire, path) or None
            case Keyed():
                items = self.keyed(row, wire, path)
                return Items(items) if items else None
            case Bag():
                return Items({str(member): member for member in wire}) if wire else None
            case TextMap():
                return Items(dict(wire)) if wire else None
            case _:
                assert_never(row)

    def ordered(self, shape: str | None, wire: Any, path: Path) -> tuple[Any, ...]:
        if shape is None:
            return tuple(wire)
        return tuple(self.struct(shape, member, (*path, index)) for index, member in enumerate(wire))

    def keyed(self, row: Keyed, wire: Any, path: Path) -> dict[str, Canonical]:
        items: dict[str, Canonical] = {}
        for member in wire:
            if row.value is not None:
                key = _key(row.by, member)
                value = member.get(row.value, "")
                item: Canonical = row.canonical(key, value) if row.canonical else value
            else:
                item = self.struct(row.shape, member, (*path, Item(_key(row.by, member))))
                key = _key(row.by, item)
            items[_free(key, items)] = item
        return items

    def default(self, row: Field, wire: Wire, path: Path) -> Canonical | None:
        default: Default = row.default
        match default:
            case Absent():
                return None
            case Unmanaged():
                return NOT_MANAGED
            case Constant(value):
                return self.value(row, value, path) if not isinstance(row, Leaf) else _scalar(value)
            case Derived(make):
                made = make(wire, self.request)
                return None if made is None else _scalar(made)
            case _:
                assert_never(default)


def _is_empty(value: Any) -> bool:
    """Absent, in one of the ways in which ECS and people write it. False and 0 are values; rows say their default."""
    return value is None or (isinstance(value, str | list | tuple | dict) and not value)


def _scalar(value: Any) -> Canonical:
    """A float that is a whole number is that number: JSON and YAML do not tell `50.0` from `50`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _key(by: tuple[str, ...], member: Mapping[str, Any]) -> str:
    """The text by which a member is known: its key members, joined by a space."""
    parts = (member.get(name) for name in by)
    return " ".join(",".join(sorted(part.by_key)) if isinstance(part, Items) else str(part) for part in parts if part)


def _free(key: str, taken: Mapping[str, Any]) -> str:
    """The key, or the key with a number where ECS holds it twice: a duplicate must not hide another."""
    if key not in taken:
        return key
    count = 2
    while f"{key}#{count}" in taken:
        count += 1
    return f"{key}#{count}"
