"""What a scalar is: YAML 1.2's core rules, applied only where the schema wants no text.

`yes`, `on` and `1_000` are text, as in YAML 1.2 and unlike YAML 1.1. A quoted scalar is always text. Neighbours:
`parse` (the document), `ecs.read` (the native members).
"""

import re
from typing import Final, TypeAlias

from controller.core.nodes import Mapping, Node, Scalar, Sequence

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

MOST_DIGITS: Final = 20
"""No number of ECS has more; Python refuses to convert very long ones."""

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_BASES: Final = ((re.compile(r"[-+]?\d+"), 10), (re.compile(r"0o[0-7]+"), 8), (re.compile(r"0x[0-9a-fA-F]+"), 16))
_FLOAT: Final = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?")

YAML_1_1_FLAGS: Final = frozenset({"yes", "no", "on", "off", "y", "n"})
"""What YAML 1.1 took for booleans, and people still write."""


def is_null(node: Node) -> bool:
    """Whether a member is written without a value: `a:`, `a: ~`, `a: null`."""
    return isinstance(node, Scalar) and node.plain and node.text in _NULL


def flag(node: Node) -> bool | None:
    """The boolean that a node is, or None."""
    if not isinstance(node, Scalar) or not node.plain:
        return None
    return True if node.text in _TRUE else False if node.text in _FALSE else None


def whole(node: Node) -> int | None:
    """The integer that a node is, or None."""
    if not isinstance(node, Scalar) or not node.plain or len(node.text) > MOST_DIGITS:
        return None
    return next((int(node.text, base) for form, base in _BASES if form.fullmatch(node.text)), None)


def number(node: Node) -> float | None:
    """The number that a node is, or None."""
    exact = whole(node)
    if exact is not None:
        return exact
    fits = isinstance(node, Scalar) and node.plain and len(node.text) <= MOST_DIGITS and _FLOAT.fullmatch(node.text)
    return float(node.text) if fits and isinstance(node, Scalar) else None


def plain_value(node: Node) -> Json:
    """The JSON that a node is by its own form alone."""
    match node:
        case Mapping(entries):
            return {entry.key.text: plain_value(entry.value) for entry in entries}
        case Sequence(items):
            return [plain_value(item) for item in items]
        case Scalar(text=text):
            if is_null(node):
                return None
            for read in (flag, number):
                value = read(node)
                if value is not None:
                    return value
            return text


def kind(node: Node) -> str:
    """What a node is, in a person's words: `a list`, `text`, `the number 3`."""
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case Scalar(text=text, plain=plain):
            if is_null(node):
                return "empty"
            if flag(node) is not None:
                return f"the boolean {text}"
            if number(node) is not None:
                return f"the number {text}"
            return f"`{text}`" if plain else f'the text "{text}"'
