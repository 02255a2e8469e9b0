"""YAML nodes → values of the ECS API, by the shapes of AWS's own model.

The shape says what a scalar is, so `VER: 1.10` stays "1.10" where ECS wants text and `yes` is no boolean where it wants
one. Unknown members, wrong types, missing members, words outside a closed set, numbers out of range and duplicates in
keyed lists are found all at once, each at its place. `environment` and `secrets` of a container may also be maps.
Neighbours: `model` (the shapes), `core.parse` (calls this for `taskDefinition` and `service`).
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from controller.core import scalars
from controller.core.diagnostics import Code, Diagnostic, Span
from controller.core.ecs.model import Flag, ListOf, MapOf, Model, Number, Structure, Text
from controller.core.fields import SHAPES
from controller.core.fields.kinds import Keyed
from controller.core.nodes import Mapping, Node, Scalar, Sequence
from controller.core.normalize import item_key
from controller.core.path import Item, Path, show

MAP_FORMS: Final = {("ContainerDefinition", "environment"): "value", ("ContainerDefinition", "secrets"): "valueFrom"}
"""Lists of (name, something) that may be written as a map from name to something."""

_LONGEST_ENUM: Final = 12


class _Nothing:
    """Stands for a value that could not be read."""


NOTHING: Final = _Nothing()


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a wrong one was most likely meant to be."""
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

    def structure(self, shape: str, node: Node, path: Path) -> dict[str, Any] | None:
        """The structure at a node; None where it is none. What is wrong inside is reported and left out."""
        value = self._value(shape, node, path)
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

    def _members(self, name: str, shape: Structure, node: Node, path: Path) -> Any:
        if not isinstance(node, Mapping):
            return self._wrong(node, path, "a mapping")
        value: dict[str, Any] = {}
        for entry in node.entries:
            member = entry.key.text
            here = (*path, member)
            if member not in shape.members:
                message = f"{show(here)} is not a known field"
                self._problem(Code.UNKNOWN_FIELD, message, entry.key.span, hint=did_you_mean(member, shape.members))
            elif not scalars.is_null(entry.value):
                read = self._member(name, member, entry.value, here)
                if read is not NOTHING:
                    value[member] = read
        for member in shape.required:
            if node.get(member) is None or scalars.is_null(node.get(member) or node):
                self._problem(Code.MISSING_FIELD, f"{show(path)} needs `{member}`", node.span)
        return value

    def _member(self, name: str, member: str, node: Node, path: Path) -> Any:
        shape = self.model.shapes[name]
        assert isinstance(shape, Structure)
        inner = MAP_FORMS.get((name, member))
        if inner is not None and isinstance(node, Mapping):
            return self._map_form(inner, node, path)
        value = self._value(shape.members[member], node, path)
        row = SHAPES.get(name, {}).get(member)
        if isinstance(row, Keyed) and isinstance(node, Sequence) and isinstance(value, list):
            self._duplicates(row, node, value, path)
        return value

    def _map_form(self, inner: str, node: Mapping, path: Path) -> list[dict[str, Any]]:
        """`{LR: 1e-3}` → `[{name: LR, value: "1e-3"}]`."""
        items: list[dict[str, Any]] = []
        for entry in node.entries:
            here = (*path, Item(entry.key.text))
            if scalars.is_null(entry.value):
                self._problem(
                    Code.BAD_VALUE, f"{show(here)} has no value", entry.key.span, hint='write "" for an empty one'
                )
                continue
            text = self._text(Text(), entry.value, here)
            if text is not NOTHING:
                items.append({"name": entry.key.text, inner: text})
        return items

    def _list(self, shape: ListOf, node: Node, path: Path) -> Any:
        if not isinstance(node, Sequence):
            return self._wrong(node, path, "a list", hint="put a `- ` before each member")
        if shape.most is not None and len(node.items) > shape.most:
            message = f"{show(path)} has {len(node.items)} members; ECS takes at most {shape.most}"
            self._problem(Code.OUT_OF_RANGE, message, node.span)
        read = (self._value(shape.of, item, (*path, _segment(item, index))) for index, item in enumerate(node.items))
        return [value for value in read if value is not NOTHING]

    def _map(self, of: str, node: Node, path: Path) -> Any:
        if not isinstance(node, Mapping):
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
        if shape.enum and text not in shape.enum:
            known = ", ".join(shape.enum[:_LONGEST_ENUM]) + (", …" if len(shape.enum) > _LONGEST_ENUM else "")
            hint = did_you_mean(text, shape.enum) or f"one of: {known}"
            return self._problem(Code.BAD_ENUM, f"{show(path)} cannot be `{text}`", node.span, hint=hint)
        least, most = shape.least or 0, shape.most
        if len(text) < least or (most is not None and len(text) > most):
            limits = f"{least} to {most}" if most is not None else f"at least {least}"
            message = f"{show(path)} has {len(text)} characters; it takes {limits}"
            return self._problem(Code.OUT_OF_RANGE, message, node.span)
        return text

    def _number(self, shape: Number, node: Node, path: Path) -> Any:
        read: Callable[[Node], float | None] = scalars.whole if shape.whole else scalars.number
        value = read(node)
        if value is None:
            wanted = "a whole number" if shape.whole else "a number"
            return self._wrong(node, path, wanted, hint=_unquoted(node, read))
        if (shape.least is not None and value < shape.least) or (shape.most is not None and value > shape.most):
            message = f"{show(path)} is {value}; it must be from {shape.least} to {shape.most}"
            return self._problem(Code.OUT_OF_RANGE, message, node.span)
        return value

    def _flag(self, node: Node, path: Path) -> Any:
        value = scalars.flag(node)
        if value is not None:
            return value
        hint = _unquoted(node, scalars.flag)
        if isinstance(node, Scalar) and node.text.lower() in scalars.YAML_1_1_FLAGS:
            hint = f"write {'true' if node.text.lower() in ('yes', 'on', 'y') else 'false'}"
        return self._wrong(node, path, "true or false", hint=hint)

    def _duplicates(self, row: Keyed, node: Sequence, value: list[Any], path: Path) -> None:
        """Two members of a keyed list with one key: ECS would refuse them or keep one without a word."""
        if len(value) != len(node.items):
            return  # some member could not be read, so the two lists do not run side by side
        seen: dict[str, Span] = {}
        for item, member in zip(node.items, value, strict=True):
            if not all(member.get(name) for name in row.by[:1]):
                continue
            key = item_key(row, member)
            if key in seen:
                message = f"{show((*path, Item(key)))} is given twice"
                self._problem(
                    Code.DUPLICATE_ITEM, message, item.span, hint=f"the first one is in line {seen[key].line}"
                )
            seen.setdefault(key, item.span)

    def _wrong(self, node: Node, path: Path, wanted: str, *, hint: str | None = None) -> _Nothing:
        return self._problem(
            Code.WRONG_TYPE, f"{show(path)} must be {wanted}, not {scalars.kind(node)}", node.span, hint=hint
        )

    def _problem(self, code: Code, message: str, at: Span, *, hint: str | None = None) -> _Nothing:
        self.problems.append(Diagnostic(code, message, at, hint=hint))
        return NOTHING


def _unquoted(node: Node, read: Callable[[Node], Any]) -> str | None:
    """A hint where only the quotes are wrong."""
    if isinstance(node, Scalar) and not node.plain and read(Scalar(node.text, plain=True, span=node.span)) is not None:
        return "remove the quotes"
    return None


def _segment(item: Node, index: int) -> Item | int:
    """How a member of a list is named in a message: by its name where it has one."""
    name = item.get("name") if isinstance(item, Mapping) else None
    return Item(name.text) if isinstance(name, Scalar) and name.text else index
