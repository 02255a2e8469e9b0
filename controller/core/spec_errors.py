"""Pydantic's errors about a spec, in words for the person who wrote it and at the place where it stands.

Neighbours: `parse` calls this, `spec` has the models whose rules are explained.
"""

import itertools
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from controller.core import scalars
from controller.core.diagnostics import MOST_FINDINGS, Code, Diagnostic, Span
from controller.core.ecs.read import did_you_mean
from controller.core.jobs.spec import DL1Job
from controller.core.nodes import Entry, Mapping, Node, Scalar, find
from controller.core.path import Path, name_of, show
from controller.core.quoting import quote
from controller.core.spec import PATTERNS, DL1Service

_DATE: Final = "2026-12-01T17:00:00Z"
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
    "datetime_type": f"a date and time, as {_DATE}",
}
_DATES: Final = ("datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid")


def explain(error: ValidationError, root: Mapping) -> list[Diagnostic]:
    """One diagnostic for each error, as many as anybody is told."""
    problems = error.errors(include_url=False, include_input=False)
    return [_explain(problem, root) for problem in itertools.islice(problems, MOST_FINDINGS + 1)]


def _explain(problem: Any, root: Mapping) -> Diagnostic:
    kind: str = problem["type"]
    path: Path = problem["loc"]
    context = problem.get("ctx", {})
    if path[-1:] == ("[key]",):
        return _key(kind, path[:-1], context, root)
    if kind == "missing":
        return _missing(path, root)
    name, node, at = show(path), find(root, path) or root, _place(root, path)
    found = scalars.kind(node, name=name_of(path))
    if kind == "extra_forbidden":
        hint = did_you_mean(str(path[-1]), _members(path[:-1], root))
        return Diagnostic(Code.UNKNOWN_FIELD, f"{name} is not a known field", _place(root, path, key=True), hint=hint)
    if kind in _TYPES:
        message = f"{name} must be {_TYPES[kind]}, not {found}"
        return Diagnostic(Code.WRONG_TYPE, message, at, hint=_type_hint(node, kind))
    if kind in ("literal_error", "enum"):
        return Diagnostic(Code.BAD_ENUM, f"{name} cannot be {found}", at, hint=_choice_hint(node, context))
    if kind == "string_pattern_mismatch":
        return Diagnostic(Code.BAD_VALUE, f"{name} cannot be {found}", at, hint=_pattern_hint(context))
    if kind == "timezone_aware":
        hint = "end it with Z, or with an offset as +01:00"
        return Diagnostic(Code.BAD_VALUE, f"{name} has no time zone", at, hint=hint)
    if kind in _DATES:
        return Diagnostic(Code.BAD_VALUE, f"{name} is no date and time: {found}", at, hint=f"write it as {_DATE}")
    return Diagnostic(Code.OUT_OF_RANGE, f"{name} is {found}: {_limit(kind, context) or problem['msg']}", at)


def _missing(path: Path, root: Mapping) -> Diagnostic:
    """A member that must be there. It may be written without a value."""
    where = show(path[:-1]) or "the document"
    entry = _entry(root, path)
    at = entry.key.span if entry is not None else _place(root, path[:-1], key=True)
    return Diagnostic(Code.MISSING_FIELD, f"{where} needs `{path[-1]}`", at)


def _key(kind: str, path: Path, context: Any, root: Mapping) -> Diagnostic:
    """A key of a map that cannot be one."""
    message = f"{quote(str(path[-1]))} cannot be a key of {show(path[:-1])}"
    at = _place(root, path, key=True)
    if kind == "string_pattern_mismatch":
        return Diagnostic(Code.BAD_VALUE, message, at, hint=_pattern_hint(context))
    return Diagnostic(Code.OUT_OF_RANGE, f"{message}: {_limit(kind, context) or kind}", at)


def _place(root: Mapping, path: Path, *, key: bool = False) -> Span:
    """Where a value (or its key) stands, or else the nearest thing above it."""
    for length in range(len(path), 0, -1):
        entry = _entry(root, path[:length])
        if entry is not None:
            return entry.key.span if key or length < len(path) else entry.value.span
        node = find(root, path[:length])
        if node is not None:
            return node.span
    return root.span


def _entry(root: Mapping, path: Path) -> Entry | None:
    parent = find(root, path[:-1])
    return parent.entry(path[-1]) if isinstance(parent, Mapping) and path and isinstance(path[-1], str) else None


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


def _pattern_hint(context: Any) -> str:
    return f"it is {PATTERNS.get(str(context.get('pattern')), 'another form')}"


def _choice_hint(node: Node, context: Any) -> str:
    """The words of a closed set, as pydantic lists them: `1, 2, 4 or 8`, `'minimal' or 'recommended'`."""
    expected = str(context.get("expected", "")).replace("'", "")
    known = [word.strip() for word in expected.replace(" or ", ", ").split(",")]
    text = node.text if isinstance(node, Scalar) else ""
    return did_you_mean(text, known) or f"one of: {', '.join(known)}"


def _type_hint(node: Node, kind: str) -> str | None:
    if kind == "string_type" and scalars.is_null(node):
        return 'write "" for an empty text'
    if kind == "bool_type":
        return scalars.flag_advice(node)
    if kind in ("int_type", "int_from_float"):
        return scalars.number_advice(node)
    return "put a `- ` before each member" if kind in ("tuple_type", "list_type") else None


def _members(path: Path, root: Mapping) -> list[str]:
    """Names that the model at a path knows."""
    kind = root.get("kind")
    fields = _fields(DL1Job if isinstance(kind, Scalar) and kind.text == "DL1Job" else DL1Service)
    for part in path:
        if isinstance(part, str):
            fields = _fields(_model_in(fields[part].annotation))
    return list(fields)


def _fields(model: Any) -> dict[str, FieldInfo]:
    return {one.alias or name: one for name, one in model.model_fields.items()}


def _model_in(annotation: Any) -> Any:
    """The model that an annotation names, through unions, tuples and optionals."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)
