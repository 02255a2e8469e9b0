"""What UpdateService is told of a member that differs: the whole of what it takes, and nothing that is not ours.

A member is sent whole, but ECS does not say for every one whether that replaces it or is laid over what is there. So a
structure names every default that live has left, and works either way. What the spec leaves to others inside of it (the
security groups of a network configuration, the IOPS of a volume, which of two target groups is the primary) keeps its
live value, because leaving it out could change it. Neighbours: `fields` (defaults, removal), `compare` (what differs).
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Final, assert_never

from controller.core.fields import SHAPES
from controller.core.fields.kinds import (
    UNMANAGED,
    Absent,
    Bag,
    Constant,
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
from controller.core.fields.service import SERVICE_MEMBERS
from controller.core.fields.spelling import as_deployed
from controller.core.normalize import item_key

SERVICE: Final = "CreateServiceRequest"


def update_members(names: Iterable[str], wanted: Wire, live: Wire) -> dict[str, Any]:
    """Members of UpdateService that make these members of a live service what is wanted, by name."""
    return {name: _member(name, wanted, live) for name in sorted(names)}


def _member(name: str, wanted: Wire, live: Wire) -> Any:
    value, there = wanted.get(name), live.get(name)
    if value is None:
        return copy.deepcopy(SERVICE_MEMBERS[name].cleared)
    row = SHAPES[SERVICE][name]
    if isinstance(row, Struct):
        return _spelled(row.shape, value, there or {}, request=wanted)
    return _kept(row, value, there)


def _spelled(shape: str, wanted: Wire, live: Wire, *, request: Wire, whole: bool = False) -> dict[str, Any]:
    """The structure with every default that live differs from and every value that is left to others; where `whole`,
    with every default that live names."""
    told: dict[str, Any] = {}
    for name, row in SHAPES[shape].items():
        value, there = wanted.get(name), live.get(name)
        if isinstance(row, Struct) and value is not None:
            told[name] = _spelled(row.shape, value, there or {}, request=request)
        elif value is not None:
            told[name] = _kept(row, value, there)
        elif there is not None:
            default = _default(row, wanted, there, request=request)
            if default is not None and (whole or default != there or row.default == UNMANAGED):
                told[name] = default
    return told


def _default(row: Field, wanted: Wire, live: Any, *, request: Wire) -> Any:
    """What to say of a member that live has and the spec leaves out; None where there is nothing to say."""
    match row.default:
        case Unmanaged():
            return copy.deepcopy(live)
        case Constant(value):
            return copy.deepcopy(value)
        case Derived(make):
            return make(wanted, request)
        case Absent():
            pass
        case _:
            assert_never(row.default)
    match row:
        case Struct(shape=shape, when=when) if when is None or when(wanted):
            told = _spelled(shape, {}, live, request=request, whole=True)
            return told if told != {name: live.get(name) for name in told} else None
        case Keyed() | Bag() | Ordered():
            return []
        case TextMap():
            return {}
        case Leaf() | Struct():
            return None
        case _:
            assert_never(row)


def _kept(row: Field, wanted: Any, live: Any) -> Any:
    """The value with what it leaves to others as it is live."""
    match row:
        case Struct(shape=shape):
            return _kept_inside(shape, wanted, live or {})
        case Keyed(value=None):
            theirs = {item_key(row, member): member for member in live or ()}
            return [_kept_item(row, member, theirs) for member in wanted]
        case _:
            return copy.deepcopy(wanted)


def _kept_item(row: Keyed, wanted: Wire, theirs: Mapping[str, Wire]) -> Any:
    live = theirs.get(item_key(row, wanted))
    if live is None:
        return copy.deepcopy(dict(wanted))
    return _kept_inside(row.shape, as_deployed(wanted, live) if row.arranged else wanted, live)


def _kept_inside(shape: str, wanted: Wire, live: Wire) -> dict[str, Any]:
    rows = SHAPES[shape]
    left = {name: copy.deepcopy(live[name]) for name, row in rows.items() if row.default == UNMANAGED and name in live}
    return left | {name: _kept(rows[name], value, live.get(name)) for name, value in wanted.items()}
