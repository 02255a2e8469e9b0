"""What a row of the field table can say.

A row is one of six kinds; each names the shape of what is inside, so that the table is as deep as the API is.
Defaults are told apart by what makes them: a constant, something derived from the neighbours, or nothing that anyone
could know (then an undeclared member is not managed). Neighbours: `normalize` interprets these.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Wire: TypeAlias = Mapping[str, Any]
"""A structure as it is on the wire."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Left out means absent: ECS answers nothing for it, or an empty list, text or object."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Left out means this value, whether or not ECS spells it out in its answer."""

    value: Any


@dataclass(frozen=True, slots=True)
class Derived:
    """Left out means what this makes of (the structure itself, the whole request); None is absent."""

    make: Callable[[Wire, Wire], Any]


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """Left out means that ECS or somebody else decides: any live value is clean."""


Default: TypeAlias = Absent | Constant | Derived | Unmanaged

When: TypeAlias = Callable[[Wire], bool]
"""Whether a member means anything beside the others of its structure (`rollback` beside `enable`)."""

ABSENT = Absent()
UNMANAGED = Unmanaged()
FALSE = Constant(value=False)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar (or an opaque document). `canonical` brings equal spellings to one."""

    default: Default = ABSENT
    canonical: Callable[[Any], Any] | None = None
    when: When | None = None


@dataclass(frozen=True, slots=True)
class Struct:
    """A structure. Where `filled`, a missing one means the same as an empty one with its defaults."""

    shape: str
    filled: bool = False
    default: Default = ABSENT
    when: When | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """A list whose order is meaning; it is compared whole."""

    shape: str | None = None
    default: Default = ABSENT
    when: When | None = None


@dataclass(frozen=True, slots=True)
class Keyed:
    """A list of structures whose order is nothing and whose `by` members tell them apart.

    Where `value` is given, the structure is no more than a key and that member (`environment`).
    `canonical` brings a (key, value) pair's value to one spelling, `arranged` a whole structure to one arrangement.
    """

    shape: str
    by: tuple[str, ...]
    value: str | None = None
    canonical: Callable[[str, Any], Any] | None = None
    arranged: Callable[[Wire], Wire] | None = None
    default: Default = ABSENT
    when: When | None = None


@dataclass(frozen=True, slots=True)
class Bag:
    """A list of scalars whose order is nothing, compared member by member."""

    default: Default = ABSENT
    when: When | None = None


@dataclass(frozen=True, slots=True)
class TextMap:
    """A map from text to text. An empty value is a value."""

    default: Default = ABSENT
    when: When | None = None


Field: TypeAlias = Leaf | Struct | Ordered | Keyed | Bag | TextMap
Rows: TypeAlias = Mapping[str, Field]


def plain(*names: str) -> dict[str, Field]:
    """Rows of scalars that ECS returns as they were sent and leaves out when they were not."""
    return {name: Leaf() for name in names}


def flags(*names: str, when: When | None = None) -> dict[str, Field]:
    """Rows of booleans for which absent and false are the same."""
    return {name: Leaf(default=FALSE, when=when) for name in names}


def is_enabled(switch: str) -> When:
    """A row that means something only while this boolean of its structure is true."""
    return lambda structure: structure.get(switch) is True
