"""What a scalar is: YAML 1.2's core rules, applied only where the schema wants no text.

`yes`, `on` and `1_000` are text, as in YAML 1.2 and unlike YAML 1.1. A quoted scalar is always text. Neighbours:
`parse` (the document), `ecs.read` (the native members).
"""

import math
import re
from dataclasses import replace
from typing import Final, TypeAlias

from controller.core.nodes import Mapping, Node, Scalar, Sequence
from controller.core.quoting import brief, quote
from controller.core.redact import SECRET_NAME, redact

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

MOST_DIGITS: Final = 20
"""Characters of a whole number. No number of ECS has more, and Python refuses to convert very long ones."""
MOST_DIGITS_OF_FLOAT: Final = 64

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_BASES: Final = ((re.compile(r"[-+]?[0-9]+"), 10), (re.compile(r"0o[0-7]+"), 8), (re.compile(r"0x[0-9a-fA-F]+"), 16))
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

_YAML_1_1_TRUE: Final = frozenset({"yes", "on", "y"})
_YAML_1_1_FALSE: Final = frozenset({"no", "off", "n"})
_UNQUOTE: Final = "remove the quotes"


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
    """The number that a node is, or None. What is too large for a number stays text."""
    exact = whole(node)
    if exact is not None:
        return exact
    if not isinstance(node, Scalar) or not node.plain or len(node.text) > MOST_DIGITS_OF_FLOAT:
        return None
    value = float(node.text) if _FLOAT.fullmatch(node.text) else math.nan
    return value if math.isfinite(value) else None


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


def kind(node: Node, *, name: str = "") -> str:
    """What a node is, in a person's words: `a list`, `text`, `the number 3`. `name` is what it is called there."""
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case Scalar(text=text, plain=plain):
            if is_null(node):
                return "empty"
            if SECRET_NAME.search(name):
                return "a text that is not shown here"
            if flag(node) is not None:
                return f"the boolean {text}"
            if number(node) is not None:
                return f"the number {text}"
            return quote(text) if plain else f'the text "{brief(str(redact(text[:400])))}"'


def flag_advice(node: Node) -> str | None:
    """What to do where a boolean is wanted and the node is nearly one: quoted, or a boolean of YAML 1.1."""
    if not isinstance(node, Scalar):
        return None
    said = node.text.lower()
    if said in _YAML_1_1_TRUE | _YAML_1_1_FALSE:
        return f"write {'true' if said in _YAML_1_1_TRUE else 'false'}"
    return _UNQUOTE if not node.plain and flag(replace(node, plain=True)) is not None else None


def number_advice(node: Node) -> str | None:
    """What to do where a number is wanted and the node is one in quotes."""
    if not isinstance(node, Scalar) or node.plain:
        return None
    return _UNQUOTE if number(replace(node, plain=True)) is not None else None
