"""YAML nodes → values of the ECS API, by the shapes of AWS's own model.

The shape says what a scalar is, so `VER: 1.10` stays "1.10" where ECS wants text and `yes` is no boolean where it wants
one. Unknown members, wrong types, missing members, words outside a closed set, numbers out of range and duplicates in
keyed lists are found all at once, each at its place. `environment` and `secrets` of a container may also be maps. A
member without a value (`cpu:`) is a member that is not there; a member of a list or of a map without one is refused,
because nobody can tell whether it means an empty text. Neighbours: `model` (the shapes), `core.parse` (calls this for
`taskDefinition` and `service`).
"""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from controller.core import nodes, scalars
from controller.core.diagnostics import MOST_FINDINGS, Code, Diagnostic, Span
from controller.core.ecs.model import Flag, ListOf, MapOf, Model, Number, Structure, Text
from controller.core.fields import SHAPES
from controller.core.fields.kinds import Keyed
from controller.core.nodes import Node, Scalar, Sequence
from controller.core.normalize import item_key
from controller.core.path import Item, Path, name_of, show
from controller.core.quoting import quote
from controller.core.spec import NAME, PATTERNS

MAP_FORMS: Final = {
    ("ContainerDefinition", "environment"): "value",
    ("ContainerDefinition", "secrets"): "valueFrom",
    ("ContainerOverride", "environment"): "value",
}
"""Lists of (name, something) that may be written as a map from name to something."""

NAMES: Final = frozenset(
    {
        ("RegisterTaskDefinitionRequest", "family"),
        ("CreateServiceRequest", "serviceName"),
        ("ContainerDefinition", "name"),
        ("Volume", "name"),
    }
)
"""Members that ECS takes for names, while AWS's model lets them be any text. Source: ECS API reference."""
ALSO_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {"ContainerDefinition": ("name",), "Tag": ("key",)}
"""Members that ECS insists on, while AWS's model does not. Sources: ECS answers "Container.name should not be null";
API reference, TagResource: "a key and an optional value"."""
LONGEST_NAME: Final = 255

_NAME: Final = re.compile(NAME)
_LONGEST_ENUM: Final = 12
_LONGEST_GUESS: Final = 64
"""Characters of a wrong name for which a right one is looked for."""


class _Nothing:
    """Stands for a value that could not be read."""


NOTHING: Final = _Nothing()


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a wrong one was most likely meant to be."""
    if len(name) > _LONGEST_GUESS:
        return None
    names = list(known)
    lowered = {candidate.lower(): candidate for candidate in names}
    if name.lower() in lowered:
        return lowered[name.lower()]
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The hint for an unknown name."""
    meant = closest(name, known)
    return f"did you mean `{meant}`?" if meant else None


@dataclass(slots=True)
class EcsReader:
    """Reads values and gathers everything that is wrong with them."""

    model: Model
    problems: list[Diagnostic] = field(default_factory=list)
    guess: bool = True
    """Whether what a wrong name was meant to be is looked for, which takes longer than all else."""

    def structure(self, shape: str, node: Node, path: Path, *, implied: Collection[str] = ()) -> dict[str, Any] | None:
        """The structure at a node; None where it is none. What is wrong inside is reported and left out.

        `implied` are required members that this structure, but none below it, may leave out.
        """
        found = self.model.shapes[shape]
        assert isinstance(found, Structure)
        value = self._members(shape, found, node, path, implied=implied)
        return value if isinstance(value, dict) else None

    def _value(self, name: str, node: Node, path: Path) -> Any:
        shape = self.model.shapes[name]
        match shape:
            case Structure(document=True):
                return scalars.plain_value(node)
            case Structure():
                return self._members(name, shape, node, path)
            case ListOf():
                return self._list(shape, node, path)
            case MapOf(of=of):
                return self._map(of, node, path)
            case Text():
                return self._text(shape, node, path)
            case Number():
                return self._number(shape, node, path)
            case Flag():
                return self._flag(node, path)
            case _:
                assert_never(shape)

    def _members(
        self, name: str, shape: Structure, node: Node, path: Path, *, implied: Collection[str] = ()
    ) -> dict[str, Any] | _Nothing:
        if not isinstance(node, nodes.Mapping):
            return self._wrong(node, path, "a mapping")
        value: dict[str, Any] = {}
        for entry in node.entries:
            member = entry.key.text
            here = (*path, member)
            if member not in shape.members:
                hint = did_you_mean(member, shape.members) if self.guess and not self.full else None
                self._problem(Code.UNKNOWN_FIELD, f"{show(here)} is not a known field", entry.key.span, hint=hint)
            elif not scalars.is_null(entry.value):
                read = self._member(name, member, entry.value, here)
                if read is not NOTHING:
                    value[member] = read
        written = {entry.key.text for entry in node.entries if not scalars.is_null(entry.value)}
        for member in (*shape.required, *ALSO_REQUIRED.get(name, ())):
            if member not in written and member not in implied:
                at = node.key_span(member) or node.span
                self._problem(Code.MISSING_FIELD, f"{show(path)} needs `{member}`", at)
        if shape.union and len(written & shape.members.keys()) != 1:
            message = f"{show(path)} takes exactly one of: {', '.join(shape.members)}"
            self._problem(Code.CONTRADICTION, message, node.span)
        return value

    def _member(self, name: str, member: str, node: Node, path: Path) -> Any:
        shape = self.model.shapes[name]
        assert isinstance(shape, Structure)
        inner = MAP_FORMS.get((name, member))
        if inner is not None and isinstance(node, nodes.Mapping):
            return self._map_form(inner, node, path)
        target = self.model.shapes[shape.members[member]]
        if isinstance(target, ListOf):
            row = SHAPES.get(name, {}).get(member)
            return self._list(target, node, path, row if isinstance(row, Keyed) else None)
        value = self._value(shape.members[member], node, path)
        if (name, member) in NAMES and isinstance(value, str) and not _is_name(value):
            hint = f"it is {PATTERNS[NAME]}, {LONGEST_NAME} of them at most"
            return self._problem(Code.BAD_VALUE, f"{show(path)} cannot be {quote(value)}", node.span, hint=hint)
        return value

    def _map_form(self, inner: str, node: nodes.Mapping, path: Path) -> list[dict[str, Any]]:
        """`{LR: 1e-3}` → `[{name: LR, value: "1e-3"}]`."""
        items: list[dict[str, Any]] = []
        for entry in node.entries:
            text = self._text(Text(), entry.value, (*path, Item(entry.key.text)))
            if text is not NOTHING:
                items.append({"name": entry.key.text, inner: text})
        return items

    def _list(self, shape: ListOf, node: Node, path: Path, row: Keyed | None = None) -> Any:
        """The list at a node; where `row` tells its members apart, without duplicates."""
        if not isinstance(node, Sequence):
            return self._wrong(node, path, "a list", hint="put a `- ` before each member")
        count = len(node.items)
        if count < shape.least or (shape.most is not None and count > shape.most):
            limit = f"at most {shape.most}" if count else f"at least {shape.least}"
            message = f"{show(path)} has {count} members; ECS takes {limit}"
            self._problem(Code.OUT_OF_RANGE, message, node.span)
        values: list[Any] = []
        seen: dict[str, Span] = {}
        for index, item in enumerate(node.items):
            value = self._value(shape.of, item, (*path, _segment(row, item, index)))
            if value is not NOTHING:
                values.append(value)
                if row is not None and _has_key(row, item, value):
                    self._once(row, value, item.span, path, seen)
        return values

    def _once(self, row: Keyed, value: dict[str, Any], at: Span, path: Path, seen: dict[str, Span]) -> None:
        """Two members of a keyed list with one key: ECS would refuse them or keep one without a word."""
        key = item_key(row, value)
        if key in seen:
            message = f"{show((*path, Item(key)))} is given twice"
            hint = f"the first one is in line {seen[key].line}; keep one of them"
            self._problem(Code.DUPLICATE_ITEM, message, at, hint=hint)
        seen.setdefault(key, at)

    def _map(self, of: str, node: Node, path: Path) -> Any:
        if not isinstance(node, nodes.Mapping):
            return self._wrong(node, path, "a mapping")
        value: dict[str, Any] = {}
        for entry in node.entries:
            read = self._value(of, entry.value, (*path, Item(entry.key.text)))
            if read is not NOTHING:
                value[entry.key.text] = read
        return value

    def _text(self, shape: Text, node: Node, path: Path) -> Any:
        if not isinstance(node, Scalar):
            return self._wrong(node, path, "text")
        text = node.text
        if scalars.is_null(node):
            hint = 'write "" for an empty text' if text in ("", "~") else f'write "{text}" for the word'
            return self._problem(Code.BAD_VALUE, f"{show(path)} has no value", node.span, hint=hint)
        if shape.enum and text not in shape.enum:
            known = ", ".join(shape.enum[:_LONGEST_ENUM]) + (", …" if len(shape.enum) > _LONGEST_ENUM else "")
            meant = did_you_mean(text, shape.enum) if self.guess and not self.full else None
            message = f"{show(path)} cannot be {quote(text)}"
            return self._problem(Code.BAD_ENUM, message, node.span, hint=meant or f"one of: {known}")
        if len(text) < shape.least or (shape.most is not None and len(text) > shape.most):
            limits = f"{shape.least} to {shape.most}" if shape.most is not None else f"at least {shape.least}"
            message = f"{show(path)} has {len(text)} characters; it takes {limits}"
            return self._problem(Code.OUT_OF_RANGE, message, node.span)
        return text

    def _number(self, shape: Number, node: Node, path: Path) -> Any:
        value = scalars.whole(node) if shape.whole else scalars.number(node)
        if value is None:
            wanted = "a whole number" if shape.whole else "a number"
            return self._wrong(node, path, wanted, hint=scalars.number_advice(node))
        least, most = shape.least, shape.most
        if (least is not None and value < least) or (most is not None and value > most):
            limit = f"at least {least}" if least is not None and value < least else f"at most {most}"
            return self._problem(Code.OUT_OF_RANGE, f"{show(path)} is {value}; it must be {limit}", node.span)
        return value

    def _flag(self, node: Node, path: Path) -> Any:
        value = scalars.flag(node)
        if value is not None:
            return value
        return self._wrong(node, path, "true or false", hint=scalars.flag_advice(node))

    def _wrong(self, node: Node, path: Path, wanted: str, *, hint: str | None = None) -> _Nothing:
        found = scalars.kind(node, name=name_of(path))
        return self._problem(Code.WRONG_TYPE, f"{show(path)} must be {wanted}, not {found}", node.span, hint=hint)

    @property
    def full(self) -> bool:
        """Whether more has been found than anybody is told."""
        return len(self.problems) > MOST_FINDINGS

    def _problem(self, code: Code, message: str, at: Span, *, hint: str | None = None) -> _Nothing:
        if not self.full:
            self.problems.append(Diagnostic(code, message, at, hint=hint))
        return NOTHING


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


def _has_key(row: Keyed, item: Node, value: Mapping[str, Any]) -> bool:
    """Whether a list's member says by what it can be known, and all of that can be read."""
    written = [name for name in row.by if (node := nodes.find(item, (name,))) is not None and not scalars.is_null(node)]
    return any(value.get(name) for name in row.by) and all(name in value for name in written)


def _segment(row: Keyed | None, item: Node, index: int) -> Item | int:
    """How a member of a list is named in a message: by its name or its key where it has one."""
    by = row.by[0] if row is not None and len(row.by) == 1 else "name"
    name = item.get(by) if isinstance(item, nodes.Mapping) else None
    return Item(name.text) if isinstance(name, Scalar) and name.text else index
