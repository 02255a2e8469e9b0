"""One canonical form for what a spec asks for and for what ECS answers, so that only real differences differ.

It decides nothing by field name: the field table says how each member is read. Lists without order become keyed
items, defaults are filled in on both sides (so that an undeclared field is clean only while it equals the known
default), empty means absent, equal spellings become one. A member that the table does not know is set aside and
named, never compared: a field that ECS adds tomorrow is information, not drift. Neighbours: `fields` (the table),
`diff` (what it is for).

It runs for every service of every pass, so what a shape is without anything written is worked out once per shape.
"""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
from controller.core.path import Item, Path, Segment

DIGEST_VERSION: Final = "1"
"""Raised when the canonical form changes in a way that would give equal content another digest, so that a new release
recognises the digests of an old one as not comparable instead of rolling every service."""


class NotManaged(Enum):
    """Stands where there is nothing to compare."""

    NOT_MANAGED = "not managed"
    """The member was left out, and any live value is clean."""
    WITHOUT_MEANING = "without meaning"
    """Beside its neighbours the member says nothing (`rollback` of a circuit breaker that is off)."""


NOT_MANAGED: Final = NotManaged.NOT_MANAGED
WITHOUT_MEANING: Final = NotManaged.WITHOUT_MEANING


@dataclass(frozen=True, slots=True)
class Items:
    """A list whose order is nothing, or a text map: key → member."""

    by_key: dict[str, "Canonical"]


Canonical: TypeAlias = str | int | float | bool | tuple[Any, ...] | dict[str, Any] | Items | NotManaged
"""A scalar, an ordered list, a structure, a keyed list or text map, or nothing to compare."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A live value that is shown and not compared, as ECS gave it, and why: most often a member without a row."""

    path: Path
    value: Any
    why: str = "is new to this controller"


@dataclass(frozen=True, slots=True)
class Normal:
    """The canonical form of one structure, and what was set aside."""

    members: dict[str, Canonical]
    unknown: tuple[Unknown, ...] = ()


def normalize(shape: str, wire: Wire) -> Normal:
    """The canonical form of a structure of this shape (a name of botocore's model that the table has)."""
    reader = _Reader(request=wire)
    members = reader.struct(shape, wire)
    return Normal(members=members, unknown=tuple(sorted(reader.unknown, key=lambda one: one.path)))


def item_key(row: Keyed, member: Wire) -> str:
    """The key by which a report names this member of a keyed list: `train`, `8080 tcp`."""
    return _Reader(request={}).item(row, member)[0]


def digest(canonical: Canonical) -> str:
    """A short name for content: equal content, equal name; 128 bits of SHA-256 with the version of the form."""
    text = json.dumps(_digestible(canonical), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{DIGEST_VERSION}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _digestible(canonical: Any) -> Any:
    match canonical:
        case Items(by_key):
            return {"items": {key: _digestible(value) for key, value in by_key.items()}}
        case dict():
            return {key: _digestible(value) for key, value in canonical.items() if not isinstance(value, NotManaged)}
        case tuple():
            return [_digestible(value) for value in canonical]
        case _:
            return canonical


@dataclass(frozen=True, slots=True)
class _Shape:
    """A shape as far as it can be known without a structure of it."""

    rows: Mapping[str, Field]
    empty: Mapping[str, Canonical]
    """What stands there when nothing is written."""
    dependent: tuple[tuple[str, Field], ...]
    """Rows whose default or meaning depends on what is written."""


@functools.cache
def _known(shape: str) -> _Shape:
    rows = SHAPES[shape]
    dependent = {name: row for name, row in rows.items() if _depends(row)}
    reader = _Reader(request={})
    defaults = {name: reader.default(row, {}) for name, row in rows.items() if name not in dependent}
    empty = {name: value for name, value in defaults.items() if value is not None}
    return _Shape(rows=rows, empty=empty, dependent=tuple(dependent.items()))


def _depends(row: Field) -> bool:
    if row.when is not None or isinstance(row.default, Derived):
        return True
    return isinstance(row, Struct) and row.filled and any(map(_depends, SHAPES[row.shape].values()))


@dataclass(slots=True)
class _Reader:
    """One reading of one request; derived defaults look at the whole of it."""

    request: Wire
    unknown: list[Unknown] = field(default_factory=list)
    """What was set aside so far, by its path within the structure that is being read."""

    def struct(self, shape: str, wire: Wire) -> dict[str, Canonical]:
        known = _known(shape)
        rows = known.rows
        members = dict(known.empty)
        for name, value in wire.items():
            row = rows.get(name)
            if row is None:
                if not _is_empty(value):
                    self.unknown.append(Unknown((name,), value))
                continue
            before = len(self.unknown)
            read = self.value(row, value)
            if read is not None:
                members[name] = read
            if len(self.unknown) > before:
                self.inside(name, before)
        for name, row in known.dependent:
            if row.when is not None and not row.when(wire):
                members[name] = WITHOUT_MEANING
            elif name not in members:
                made = self.default(row, wire)
                if made is not None:
                    members[name] = made
        return members

    def inside(self, segment: Segment, before: int) -> None:
        """What was set aside after the first `before` ones stands inside this segment."""
        self.unknown[before:] = [Unknown((segment, *one.path), one.value) for one in self.unknown[before:]]

    def value(self, row: Field, wire: Any) -> Canonical | None:
        """What is written; None where it is nothing, so that the default stands."""
        if wire is None:
            return None
        if isinstance(row, Leaf):
            value = row.canonical(wire) if row.canonical else wire
            return None if _is_empty(value) else _scalar(value)
        if not wire and not isinstance(row, Struct):
            return None
        match row:
            case Keyed():
                return Items(self.keyed(row, wire))
            case Struct(shape=shape):
                return self.struct(shape, wire) or None
            case Ordered(shape=shape):
                return tuple(wire) if shape is None else tuple(self.ordered(shape, wire))
            case Bag():
                return Items({str(member): member for member in wire})
            case TextMap():
                return Items(dict(wire))
            case _:
                assert_never(row)

    def ordered(self, shape: str, wire: Any) -> Iterator[dict[str, Canonical]]:
        for index, member in enumerate(wire):
            before = len(self.unknown)
            yield self.struct(shape, member)
            self.inside(index, before)

    def keyed(self, row: Keyed, wire: Any) -> dict[str, Canonical]:
        items: dict[str, Canonical] = {}
        doubles: dict[str, list[Canonical]] = {}
        for member in wire:
            key, item = self.item(row, member)
            if key in items:
                doubles.setdefault(key, [items[key]]).append(item)
            else:
                items[key] = item
        for key, same in doubles.items():
            _keep_all(items, key, same)
        return items

    def item(self, row: Keyed, member: Wire) -> tuple[str, Canonical]:
        """A member of a keyed list and its key."""
        if row.value is not None:
            key = _key(row.by, member)
            value = member.get(row.value, "")
            return key, row.canonical(key, value) if row.canonical else value
        before = len(self.unknown)
        item = self.struct(row.shape, row.arranged(member) if row.arranged else member)
        key = _key(row.by, item)
        if len(self.unknown) > before:
            self.inside(Item(key), before)
        return key, item

    def default(self, row: Field, wire: Wire) -> Canonical | None:
        """What a member is that is not written."""
        default: Default = row.default
        match default:
            case Absent():
                return self.struct(row.shape, {}) or None if isinstance(row, Struct) and row.filled else None
            case Unmanaged():
                return NOT_MANAGED
            case Constant(value):
                return self.value(row, value) if not isinstance(row, Leaf) else _scalar(value)
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
    if len(by) == 1:
        part = member.get(by[0])
        return part if isinstance(part, str) else _text(part)
    texts = (_text(member.get(name)) for name in by)
    return " ".join(text for text in texts if text)


def _text(part: Any) -> str:
    match part:
        case Items(by_key):
            return ",".join(sorted(by_key))
        case None | NotManaged():
            return ""
        case _:
            return str(part)


def _keep_all(items: dict[str, Canonical], key: str, same: list[Canonical]) -> None:
    """Members that have one key, each under a number of its own: by content, because the order of the list is
    nothing."""
    first, *more = sorted(same, key=lambda item: json.dumps(_digestible(item), sort_keys=True, default=str))
    items[key] = first
    number = 2
    for item in more:
        while f"{key}#{number}" in items:
            number += 1
        items[f"{key}#{number}"] = item
