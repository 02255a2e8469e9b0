"""Two canonical forms in, the differences out: one per field, addressed by key, in a stable order.

A law, tested: `diff(a, a)` is empty, permuting what has no order gives nothing, permuting what has order gives exactly
one difference. Whoever wants to know whether something is in sync asks whether this is empty; there is no second truth.
Neighbours: `normalize` makes what is compared, `compare` turns differences into changes with origin and effect.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from controller.core.normalize import NOT_MANAGED, Canonical, Items
from controller.core.path import Item, Path


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs. None is absent."""

    path: Path
    live: Canonical | None
    spec: Canonical | None


def diff(spec: dict[str, Canonical], live: dict[str, Canonical], path: Path = ()) -> tuple[Difference, ...]:
    """Every field in which the live side is not what the spec asks for."""
    return tuple(_members(spec, live, path))


def _members(spec: dict[str, Any], live: dict[str, Any], path: Path) -> Iterator[Difference]:
    for name in sorted(spec.keys() | live.keys()):
        yield from _value(spec.get(name), live.get(name), (*path, name))


def _value(spec: Canonical | None, live: Canonical | None, path: Path) -> Iterator[Difference]:
    if spec is NOT_MANAGED:
        return
    if live is NOT_MANAGED:
        live = None
    match spec, live:
        case dict(), dict():
            yield from _members(spec, live, path)
        case Items(wanted), Items(found):
            yield from _items(wanted, found, path)
        case Items(wanted), None:
            yield from _items(wanted, {}, path)
        case None, Items(found):
            yield from _items({}, found, path)
        case _ if _same(spec, live):
            return
        case _:
            yield Difference(path, live=live, spec=spec)


def _items(spec: dict[str, Canonical], live: dict[str, Canonical], path: Path) -> Iterator[Difference]:
    for key in sorted(spec.keys() | live.keys()):
        yield from _value(spec.get(key), live.get(key), (*path, Item(key)))


def _same(spec: Any, live: Any) -> bool:
    """Equality that tells `true` from `1`: in Python they are equal, in a spec they are not."""
    if isinstance(spec, tuple) and isinstance(live, tuple):
        return len(spec) == len(live) and all(_same(a, b) for a, b in zip(spec, live, strict=True))
    if isinstance(spec, dict) and isinstance(live, dict):
        return not tuple(_members(spec, live, ()))
    return isinstance(spec, bool) == isinstance(live, bool) and bool(spec == live)
