"""The field table as a page for people: `docs/fields.md`, generated, checked to be current.

python -m controller.core.fields.page > docs/fields.md
"""

import json
import sys
from collections.abc import Iterator
from typing import Any, Final, assert_never

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
)
from controller.core.fields.service import SERVICE_MEMBERS, Sent, ServiceMember
from controller.core.fields.task_definition import TASK_DEFINITION_SHAPES

_HEAD: Final = """# Every field

Generated from the field table (`controller/core/fields`); [drift.md](drift.md) says how it is used. A field that is
left out of a spec is clean only while it equals what stands under "left out"; "left to others" means that any live
value is clean. † says nothing while its neighbours switch it off (`rollback` beside `enable: false`).

## A change of a service

A change of a task definition is always a new revision, which rolls the tasks; its tags are put on without one.
"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_members(), *_shapes()]) + "\n"


def _members() -> Iterator[str]:
    yield "| member | a change | is sent by | is read from | taken away by |"
    yield "|---|---|---|---|---|"
    for name, member in SERVICE_MEMBERS.items():
        if member.sent is not Sent.IDENTITY:
            yield f"| `{name}` | {member.effect} | {member.sent} | {member.answered} | {_cleared(name, member)} |"
    yield ""


def _cleared(name: str, member: ServiceMember) -> str:
    if member.cleared is not None:
        return f"`{json.dumps(member.cleared)}`"
    match member:
        case ServiceMember(sent=Sent.TAGS):
            return "UntagResource, if it was ours"
        case ServiceMember(sent=Sent.NEVER):
            return "not at all"
        case ServiceMember() if isinstance(SHAPES["CreateServiceRequest"][name].default, Unmanaged):
            return "not at all: left to others from then on"
        case _:
            return "never: the controller always says it"


def _shapes() -> Iterator[str]:
    for shape, rows in SHAPES.items():
        where = "task definition" if shape in TASK_DEFINITION_SHAPES else "service"
        yield f"## {shape} ({where})\n"
        yield "| member | is | left out |"
        yield "|---|---|---|"
        for name, row in rows.items():
            yield f"| `{name}`{' †' if row.when else ''} | {_kind(row)} | {_default(row, row.default)} |"
        yield ""


def _kind(row: Field) -> str:
    match row:
        case Leaf(canonical=None):
            return "a value"
        case Leaf():
            return "a value, compared by meaning"
        case Struct(shape=shape):
            return f"{shape}"
        case Ordered(shape=None):
            return "a list in order"
        case Ordered(shape=shape):
            return f"a list in order of {shape}"
        case Keyed(by=by, value=None, shape=shape):
            return f"{shape}, told apart by {_names(by)}"
        case Keyed(by=by, value=value):
            return f"a map from {_names(by)} to `{value}`"
        case Bag():
            return "a set"
        case TextMap():
            return "a map"
        case _:
            assert_never(row)


def _names(by: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in by)


def _default(row: Field, default: Default) -> str:
    match default:
        case Absent():
            return "its members' own" if isinstance(row, Struct) and row.filled else "nothing"
        case Constant(value):
            return f"`{_text(value)}`"
        case Derived(make):
            return f"{(make.__doc__ or 'follows from its neighbours').partition('.')[0]}"
        case Unmanaged():
            return "left to others"
        case _:
            assert_never(default)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    sys.stdout.write(page())
