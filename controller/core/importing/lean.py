"""A request without everything that goes without saying.

A member is left out exactly where leaving it out changes nothing, and that is not looked up but tried: the caller says
what "the same" means, by normalising or by rendering the rest, so that defaults, derived values and what the renderer
adds are all known at one place, and it is not this one. What AWS's model requires stays. Neighbours: `core.fields` (how
deep a request is), `spelled_out` here (the other way round), `document` (says what is the same).
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, assert_never

from controller.core.ecs.model import Structure, load
from controller.core.ecs.read import ALSO_REQUIRED
from controller.core.fields import SHAPES
from controller.core.fields.kinds import (
    Absent,
    Bag,
    Constant,
    Default,
    Derived,
    Keyed,
    Ordered,
    Struct,
    Unmanaged,
    Wire,
)

Same: TypeAlias = Callable[[Mapping[str, Any]], bool]
"""Whether a structure with something left out still asks for the same as the whole one."""


def lean(shape: str, wire: Mapping[str, Any], same: Same) -> dict[str, Any]:
    """The smallest structure, as far as leaving out one thing after the other finds it, that asks for the same.

    Where one of two members can go, it is the later one in the field table. `same` must hold for `wire` itself; it is
    asked about once per member and per member of an unordered list.
    """
    whole = copy.deepcopy(dict(wire))
    _structure(shape, whole, lambda: same(whole))
    return whole


def _structure(shape: str, here: dict[str, Any], same: Callable[[], bool]) -> None:
    required, rows = _required(shape), list(SHAPES[shape])
    for name in sorted(here, key=lambda name: rows.index(name) if name in SHAPES[shape] else len(rows), reverse=True):
        if name not in required and _without(here, name, same):
            continue
        row, value = SHAPES[shape].get(name), here[name]
        match row:
            case Struct(shape=inner):
                _structure(inner, value, same)
            case Keyed(shape=inner):
                _items(value, same)
                for member in value if row.value is None else ():
                    _structure(inner, member, same)
            case Ordered(shape=str(inner)):
                for member in value:
                    _structure(inner, member, same)
            case Bag():
                _items(value, same)
            case _:
                pass
        if value == {} and name not in required:
            _without(here, name, same)


def _without(here: dict[str, Any], name: str, same: Callable[[], bool]) -> bool:
    value = here.pop(name)
    if same():
        return True
    here[name] = value
    return False


def _items(members: list[Any], same: Callable[[], bool]) -> None:
    """Leave out members of a list; not the last one, because a list without members is no list, and that was tried."""
    for index in reversed(range(len(members))):
        if len(members) == 1:
            return
        member = members.pop(index)
        if not same():
            members.insert(index, member)


def _required(shape: str) -> frozenset[str]:
    found = load().shapes[shape]
    assert isinstance(found, Structure)
    return frozenset((*found.required, *ALSO_REQUIRED.get(shape, ())))


def spelled_out(shape: str, wire: Mapping[str, Any], request: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The structure with every default of the field table said, so that whoever has other defaults finds no gap.

    Lists that are left out stay so.
    """
    request = wire if request is None else request
    said = copy.deepcopy(dict(wire))
    for name, row in SHAPES[shape].items():
        value = said.get(name)
        match row:
            case Struct(shape=inner) if isinstance(value, Mapping) or (value is None and row.filled):
                inside = spelled_out(inner, value or {}, request)
                if inside:
                    said[name] = inside
            case Struct() | Keyed() | Bag() | Ordered():
                pass
            case _ if value is None:
                made = _default(row.default, wire, request)
                if made is not None:
                    said[name] = copy.deepcopy(made)
            case _:
                pass
    return said


def _default(default: Default, wire: Wire, request: Wire) -> Any:
    match default:
        case Constant():
            return default.value
        case Derived():
            return default.make(wire, request)
        case Absent() | Unmanaged():
            return None
        case _:
            assert_never(default)
