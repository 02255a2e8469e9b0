"""One order for what has none, so that equal requests are written in equal letters.

ECS answers containers, environment and ports in an order that nobody chose. Here members of keyed lists stand by their
key and members of a structure by what people look for first: what it is called, then what is said in a word, then all
that is longer. Lists whose order is meaning stay. `environment` and `secrets` become maps, which read better; the value
of a member that no schema describes is marked for the writer. Neighbours: `core.fields` (what has an order), `writer`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from controller.core.ecs.model import Structure, load
from controller.core.ecs.read import MAP_FORMS
from controller.core.fields import SHAPES
from controller.core.fields.kinds import Bag, Field, Keyed, Ordered, Struct, TextMap
from controller.core.importing.writer import Opaque
from controller.core.normalize import item_key

_FIRST: Final = ("family", "name", "image", "type")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


def arranged(shape: str, wire: Mapping[str, Any]) -> dict[str, Any]:
    """A structure of this shape as it is to be written."""
    members = {name: _value(shape, name, value) for name, value in wire.items()}
    return {name: members[name] for name in sorted(members, key=lambda name: place(name, members[name]))}


def place(name: str, value: Any) -> tuple[int, int, str]:
    """Where a member stands among the others of its structure."""
    first = _FIRST.index(name) if name in _FIRST else len(_FIRST)
    return first, isinstance(value, Mapping | list | tuple | Opaque), name


def natural(text: str) -> tuple[int, str]:
    """A key for sorting texts of which some begin with a number: `80 tcp` before `443 tcp` before `http`."""
    number = _NUMBER.match(text)
    return (int(number[0]) if number else 10**18), text


def _value(shape: str, name: str, value: Any) -> Any:
    row: Field | None = SHAPES[shape].get(name)
    match row:
        case Struct(shape=inner) if isinstance(value, Mapping):
            return arranged(inner, value)
        case Keyed() if isinstance(value, list | tuple):
            return _keyed(shape, name, row, value)
        case Ordered(shape=str(inner)):
            return [arranged(inner, member) for member in value]
        case Bag():
            return sorted(value, key=lambda member: natural(str(member)))
        case TextMap():
            return dict(sorted(value.items()))
        case _:
            return Opaque(value) if _is_document(shape, name) else value


def _keyed(shape: str, name: str, row: Keyed, members: Any) -> Any:
    ordered = sorted(members, key=lambda member: natural(item_key(row, member)))
    inner = MAP_FORMS.get((shape, name))
    names = {member.get("name") for member in ordered}
    pairs = all({"name"} <= one.keys() <= {"name", inner} for one in ordered)
    if inner is not None and pairs and len(names) == len(ordered):
        return {member["name"]: member.get(inner, "") for member in ordered}
    return [arranged(row.shape, member) for member in ordered]


def _is_document(shape: str, name: str) -> bool:
    model = load()
    found = model.shapes[shape]
    target = model.shapes.get(found.members.get(name, "")) if isinstance(found, Structure) else None
    return isinstance(target, Structure) and target.document
