"""Fields that somebody else owns: neither reported nor written.

A pattern names a field as the report prints it and covers all below it; `*` stands for any one segment. What is ignored
keeps its live value when the rest is written: a request that is sent whole (a new revision, a deploymentConfiguration)
carries the live value of the ignored part. Neighbours: `compare` uses both halves.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from controller.core.fields import SHAPES
from controller.core.fields.kinds import Bag, Field, Keyed, Leaf, Ordered, Struct, TextMap, Wire
from controller.core.normalize import item_key
from controller.core.path import Item, Path, Segment

_TOKEN: Final = re.compile(r"\.?([^.\[\]]+)|\[([^\]]*)\]")


def covers(pattern: str, path: Path) -> bool:
    """Whether a pattern names this path or one of its parents."""
    wanted = _tokens(pattern)
    return len(wanted) <= len(path) and all(
        _matches(token, segment) for token, segment in zip(wanted, path, strict=False)
    )


def keep_live(patterns: Iterable[str], *, root: str, shape: str, wire: Wire, live: Wire) -> dict[str, Any]:
    """The request with the live value of every ignored field in place of its own.

    `root` is the path's first segment (`service`, `taskDefinition`), `shape` the shape of both structures.
    """
    kept: dict[str, Any] = dict(wire)
    for pattern in patterns:
        first, *rest = _tokens(pattern)
        if rest and _matches(first, root):
            kept = _struct(rest, shape, kept, live)
    return kept


def _struct(tokens: list[tuple[bool, str]], shape: str, wire: Wire, live: Wire) -> dict[str, Any]:
    result = dict(wire)
    for name, row in SHAPES[shape].items():
        if not _matches(tokens[0], name) or (name not in wire and name not in live):
            continue
        value = _value(tokens[1:], row, wire.get(name), live.get(name)) if len(tokens) > 1 else live.get(name)
        if value is None:
            result.pop(name, None)
        else:
            result[name] = copy.deepcopy(value)
    return result


def _value(tokens: list[tuple[bool, str]], row: Field, wire: Any, live: Any) -> Any:
    match row:
        case Struct(shape=shape):
            return _struct(tokens, shape, wire or {}, live or {}) or None
        case Keyed():
            return _keyed(tokens, row, wire or [], live or [])
        case Bag():
            return _bag(tokens, wire or [], live or [])
        case TextMap():
            return _text_map(tokens, wire or {}, live or {})
        case Leaf() | Ordered():
            return wire


def _keyed(tokens: list[tuple[bool, str]], row: Keyed, wire: list[Any], live: list[Any]) -> list[Any]:
    theirs = {item_key(row, member): member for member in live}
    result: list[Any] = []
    for member in wire:
        key = item_key(row, member)
        if not _matches(tokens[0], Item(key)):
            result.append(member)
        elif len(tokens) > 1 and key in theirs:
            result.append(_struct(tokens[1:], row.shape, member, theirs[key]))
        elif len(tokens) > 1:
            result.append(member)
        elif key in theirs:
            result.append(theirs[key])
    ours = {item_key(row, member) for member in wire}
    whole = len(tokens) == 1
    result.extend(
        member for key, member in theirs.items() if whole and key not in ours and _matches(tokens[0], Item(key))
    )
    return result


def _bag(tokens: list[tuple[bool, str]], wire: list[Any], live: list[Any]) -> list[Any]:
    result = [member for member in wire if not _matches(tokens[0], Item(str(member))) or member in live]
    result.extend(member for member in live if member not in wire and _matches(tokens[0], Item(str(member))))
    return result


def _text_map(tokens: list[tuple[bool, str]], wire: Mapping[str, str], live: Mapping[str, str]) -> dict[str, str]:
    result = {key: value for key, value in wire.items() if not _matches(tokens[0], Item(key))}
    return result | {key: value for key, value in live.items() if _matches(tokens[0], Item(key))}


def _tokens(pattern: str) -> list[tuple[bool, str]]:
    """The pattern's segments: (whether it is in brackets, its text)."""
    return [
        (found[2] is not None, found[1] if found[1] is not None else found[2]) for found in _TOKEN.finditer(pattern)
    ]


def _matches(token: tuple[bool, str], segment: Segment) -> bool:
    bracketed, text = token
    match segment:
        case str():
            return not bracketed and text in ("*", segment)
        case Item(key):
            return bracketed and text in ("*", key)
        case int():
            return bracketed and text in ("*", str(segment))
