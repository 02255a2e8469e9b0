"""Pydantic's errors about a spec, in words for the person who wrote it and at the place where it stands.

Neighbours: `parse` calls this, `spec` has the models whose rules are explained.
"""

from typing import Any, Final

from pydantic import BaseModel, ValidationError

from controller.core import scalars
from controller.core.diagnostics import Code, Diagnostic, Span
from controller.core.ecs.read import did_you_mean
from controller.core.nodes import Mapping, Node, Sequence
from controller.core.path import Segment, show
from controller.core.spec import PATTERNS, DL1Service

_TYPES: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "datetime_type": "a date and time in quotes or plain, as in 2026-12-01T17:00:00Z",
}
_DATES: Final = ("datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid")


def explain(error: ValidationError, root: Mapping) -> list[Diagnostic]:
    """One diagnostic for each error."""
    return [_explain(problem, root) for problem in error.errors()]


def _explain(problem: Any, root: Mapping) -> Diagnostic:
    kind: str = problem["type"]
    path = tuple(part for part in problem["loc"] if part != "[key]")
    context = problem.get("ctx", {})
    node, at = _find(root, path)
    name = show(path)
    if kind == "missing":
        parent, _ = _find(root, path[:-1])
        where = show(path[:-1]) or "the document"
        place = _key_of(root, path[:-1]) or (parent.span if parent else root.span)
        return Diagnostic(Code.MISSING_FIELD, f"{where} needs `{path[-1]}`", place)
    if kind == "extra_forbidden":
        hint = did_you_mean(str(path[-1]), _members(path[:-1]))
        return Diagnostic(Code.UNKNOWN_FIELD, f"{name} is not a known field", _key_of(root, path) or at, hint=hint)
    if kind in _TYPES:
        return Diagnostic(
            Code.WRONG_TYPE, f"{name} must be {_TYPES[kind]}, not {_kind(node)}", at, hint=_hint(node, kind)
        )
    if kind in ("literal_error", "enum"):
        expected = str(context.get("expected", "")).replace("'", "")
        known = [word.strip() for word in expected.replace(" or ", ", ").split(",")]
        hint = did_you_mean(_text(node), known) or f"one of: {', '.join(known)}"
        return Diagnostic(Code.BAD_ENUM, f"{name} cannot be {_kind(node)}", at, hint=hint)
    if kind == "string_pattern_mismatch":
        wanted = PATTERNS.get(str(context.get("pattern")), "another form")
        return Diagnostic(Code.BAD_VALUE, f"{name} cannot be {_kind(node)}", at, hint=f"it is {wanted}")
    if kind == "timezone_aware":
        return Diagnostic(
            Code.BAD_VALUE, f"{name} has no time zone", at, hint="end it with Z, or with an offset as +01:00"
        )
    if kind in _DATES:
        hint = "write it as 2026-12-01T17:00:00Z"
        return Diagnostic(Code.BAD_VALUE, f"{name} is no date and time: {_kind(node)}", at, hint=hint)
    return Diagnostic(Code.OUT_OF_RANGE, f"{name} is {_kind(node)}: {_limit(kind, context) or problem['msg']}", at)


def _limit(kind: str, context: Any) -> str | None:
    """The limit that was passed, in words."""
    match kind:
        case "greater_than_equal":
            return f"it must be at least {context['ge']}"
        case "less_than_equal":
            return f"it must be at most {context['le']}"
        case "string_too_long":
            return f"it must have at most {context['max_length']} characters"
        case "string_too_short":
            return f"it must have at least {context['min_length']} character"
        case _:
            return None


def _find(root: Mapping, path: tuple[Segment, ...]) -> tuple[Node | None, Span]:
    """The node at a path, or None with the nearest place above it."""
    node: Node | None = root
    at = root.span
    for part in path:
        match node, part:
            case Mapping(), str():
                node = node.get(part)
            case Sequence(items), int() if part < len(items):
                node = items[part]
            case _:
                node = None
        if node is None:
            return None, _key_of(root, path) or at
        at = node.span
    return node, at


def _key_of(root: Mapping, path: tuple[Segment, ...]) -> Span | None:
    """Where the key of a member stands."""
    if not path or not isinstance(path[-1], str):
        return None
    parent: Node | None = _find(root, path[:-1])[0] if len(path) > 1 else root
    return parent.key_span(path[-1]) if isinstance(parent, Mapping) else None


def _members(path: tuple[Segment, ...]) -> list[str]:
    """Names that the model at a path knows."""
    model: Any = DL1Service
    for part in path:
        if not isinstance(part, str):
            continue
        field = next((one for name, one in model.model_fields.items() if (one.alias or name) == part), None)
        model = _model_in(field.annotation) if field else None
        if model is None:
            return []
    return [one.alias or name for name, one in model.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    """The model that an annotation names, through unions, tuples and optionals."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)


def _kind(node: Node | None) -> str:
    return scalars.kind(node) if node is not None else "absent"


def _text(node: Node | None) -> str:
    return getattr(node, "text", "")


def _hint(node: Node | None, kind: str) -> str | None:
    text, plain = _text(node), getattr(node, "plain", True)
    if not plain and kind in ("int_type", "bool_type"):
        return "remove the quotes"
    if kind == "bool_type" and text.lower() in scalars.YAML_1_1_FLAGS:
        return f"write {'true' if text.lower() in ('yes', 'on', 'y') else 'false'}"
    return None
