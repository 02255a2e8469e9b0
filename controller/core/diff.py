"""Two canonical forms in, the differences out: one per field, addressed by key, in a stable order.

A law, tested: `diff(a, a)` is empty, permuting what has no order gives nothing, permuting what has order gives exactly
one difference. Whoever wants to know whether something is in sync asks whether this is empty; there is no second truth.
Neighbours: `normalize` makes what is compared, `compare` turns differences into changes with origin and effect.
"""

from dataclasses import dataclass
from typing import Any

from controller.core.normalize import NOT_MANAGED, WITHOUT_MEANING, Canonical, Items, NotManaged
from controller.core.path import Item, Path


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs. None is absent."""

    path: Path
    live: Canonical | None
    spec: Canonical | None


def diff(spec: dict[str, Canonical], live: dict[str, Canonical], path: Path = ()) -> tuple[Difference, ...]:
    """Every field in which the live side is not what the spec asks for."""
    found: list[Difference] = []
    _members(spec, live, path, found)
    return tuple(sorted(found, key=lambda difference: difference.path))


def _members(spec: dict[str, Any], live: dict[str, Any], path: Path, found: list[Difference]) -> None:
    for name, value in spec.items():
        _value(value, live.get(name), path, name, found)
    for name, value in live.items():
        if name not in spec:
            _value(None, value, path, name, found)


def _items(spec: dict[str, Canonical], live: dict[str, Canonical], path: Path, found: list[Difference]) -> None:
    for key, value in spec.items():
        other = live.get(key)
        if value is not other:
            _value(value, other, path, Item(key), found)
    for key, value in live.items():
        if key not in spec:
            _value(None, value, path, Item(key), found)


def _value(spec: Any, live: Any, path: Path, segment: str | Item, found: list[Difference]) -> None:
    if spec is live or isinstance(spec, NotManaged) or live is WITHOUT_MEANING:
        return
    if live is NOT_MANAGED:
        live = None
    match spec, live:
        case dict(), dict():
            _members(spec, live, (*path, segment), found)
        case Items(wanted), Items(there):
            _items(wanted, there, (*path, segment), found)
        case Items(wanted), None:
            _items(wanted, {}, (*path, segment), found)
        case None, Items(there):
            _items({}, there, (*path, segment), found)
        case _:
            if not _same(spec, live):
                found.append(Difference((*path, segment), live=live, spec=spec))


def _same(spec: Any, live: Any) -> bool:
    """Equality that tells `true` from `1`: in Python they are equal, in a spec they are not."""
    if isinstance(spec, tuple) and isinstance(live, tuple):
        return len(spec) == len(live) and all(_same(a, b) for a, b in zip(spec, live, strict=True))
    if isinstance(spec, dict) and isinstance(live, dict):
        return not diff(spec, live)
    return isinstance(spec, bool) == isinstance(live, bool) and bool(spec == live)
