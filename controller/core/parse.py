"""Files → valid workloads, and everything that is wrong with the rest, each finding at `file:line:column`.

One bad document stops that document alone; all findings of all documents come out of one run. Native ECS members are
read by AWS's model (`ecs.read`), everything else by the pydantic models of `spec`, whose errors are put into words and
places here. Rules that need more than one field or more than one document stand in `crosscheck`. Neighbours: `yaml`
(positions and guards), `workload` (what comes out).
"""

import json
from collections.abc import Mapping as AbstractMapping
from typing import Any, Final

from pydantic import ValidationError

from controller.core import scalars
from controller.core.crosscheck import across, key_of, within
from controller.core.diagnostics import Code, Diagnostic, Span
from controller.core.ecs.model import load
from controller.core.ecs.read import EcsReader, did_you_mean
from controller.core.nodes import Mapping, Node, Scalar
from controller.core.spec import API_VERSION, DL1Service
from controller.core.spec_errors import explain
from controller.core.workload import Key, Parsed, Workload
from controller.core.yaml import Document, read

KINDS: Final = ("DL1Service",)
_NATIVE: Final = {"taskDefinition": "RegisterTaskDefinitionRequest", "service": "CreateServiceRequest"}
_OURS_TO_ADD: Final = frozenset({"family", "serviceName"})
"""Required members of the requests that a spec may leave out."""


def parse(files: AbstractMapping[str, bytes]) -> Parsed:
    """Everything that the files of one source revision say."""
    workloads: list[Workload] = []
    diagnostics: list[Diagnostic] = []
    broken: set[Key] = set()
    broken_files: set[str] = set()
    for file, content in sorted(files.items()):
        stream = read(file, content)
        diagnostics.extend(stream.diagnostics)
        if not stream.whole:
            broken_files.add(file)
        for document in stream.documents:
            workload, problems = _document(document)
            diagnostics.extend(problems)
            if workload is not None and document.clean:
                workloads.append(workload)
            elif (key := key_of(document.root)) is not None:
                broken.add(key)
            else:
                broken_files.add(file)
    valid, problems = across(workloads, broken)
    diagnostics.extend(problems)
    broken |= {workload.key for workload in workloads} - {workload.key for workload in valid}
    ordered = sorted(diagnostics, key=lambda one: (one.at.file, one.at.line, one.at.column, one.code))
    return Parsed(tuple(valid), tuple(ordered), frozenset(broken), frozenset(broken_files))


def _document(document: Document) -> tuple[Workload | None, list[Diagnostic]]:
    root = document.root
    if not isinstance(root, Mapping):
        message = f"a document must be a mapping with apiVersion and kind, not {scalars.kind(root)}"
        return None, [Diagnostic(Code.WRONG_TYPE, message, root.span)]
    problem = _envelope(root)
    if problem is not None:
        return None, [problem]
    native, problems = _native(root)
    model, more = _validated(root, native)
    problems.extend(more)
    if model is None or problems:
        return None, problems
    key = key_of(root)
    assert key is not None  # a valid document has a cluster and a name
    workload = Workload(key, model, root, document.index)
    problems.extend(within(workload))
    return (None if any(one.is_error for one in problems) else workload), problems


def _envelope(root: Mapping) -> Diagnostic | None:
    """Whether the document is one of ours at all; if not, nothing else about it is worth saying."""
    for name, known in (("apiVersion", (API_VERSION,)), ("kind", KINDS)):
        node = root.get(name)
        if not isinstance(node, Scalar) or scalars.is_null(node):
            hint = f"{name}: {known[0]}"
            return Diagnostic(Code.MISSING_FIELD, f"the document needs `{name}`", _start(root), hint=hint)
        if node.text not in known:
            return Diagnostic(Code.UNKNOWN_KIND, *_unknown_kind(name, node, known))
    return None


def _unknown_kind(name: str, node: Scalar, known: tuple[str, ...]) -> tuple[str, Span, str | None]:
    hint = did_you_mean(node.text, known) or f"this controller reads {name}: {', '.join(known)}"
    if name == "kind" and node.text == "DL1Job":
        return "kind DL1Job is not read by this version", node.span, "a long-running service is kind: DL1Service"
    return f"{name} `{node.text}` is not known", node.span, hint


def _start(root: Mapping) -> Span:
    return root.entries[0].key.span if root.entries else root.span


def _native(root: Mapping) -> tuple[dict[str, dict[str, Any]], list[Diagnostic]]:
    """The native ECS members, read by AWS's model."""
    reader = EcsReader(load())
    values: dict[str, dict[str, Any]] = {}
    spec = root.get("spec")
    for member, shape in _NATIVE.items():
        node = spec.get(member) if isinstance(spec, Mapping) else None
        if node is not None and not scalars.is_null(node):
            values[member] = reader.structure(shape, node, ("spec", member)) or {}
    ours = [f"needs `{name}`" for name in _OURS_TO_ADD]
    problems = [
        one
        for one in reader.problems
        if not (one.code is Code.MISSING_FIELD and any(one.message.endswith(text) for text in ours))
    ]
    return values, problems


def _validated(root: Mapping, native: dict[str, dict[str, Any]]) -> tuple[DL1Service | None, list[Diagnostic]]:
    """The document by its model. Text that looks like something else (`name: 1.10`) is taken by its letters."""
    values: Any = {
        entry.key.text: scalars.plain_value(entry.value) for entry in root.entries if entry.key.text != "spec"
    }
    spec = root.get("spec")
    if spec is not None:
        values["spec"] = _spec(spec, native)
    try:
        return _validate(values), []
    except ValidationError as error:
        if not _take_letters(values, root, error):
            return None, explain(error, root)
    try:
        return _validate(values), []
    except ValidationError as error:
        return None, explain(error, root)


def _validate(values: Any) -> DL1Service:
    """Strictly, as JSON: a number is no text and `1` is no `true`, but a list may become a tuple."""
    return DL1Service.model_validate_json(json.dumps(values), strict=True)


def _spec(spec: Node, native: dict[str, dict[str, Any]]) -> Any:
    if not isinstance(spec, Mapping):
        return scalars.plain_value(spec)
    plain = {entry.key.text: entry.value for entry in spec.entries if entry.key.text not in native}
    return {name: scalars.plain_value(node) for name, node in plain.items()} | native


def _take_letters(values: Any, root: Node, error: ValidationError) -> bool:
    """Put the letters of the file where the model wants text and YAML saw a number or a boolean."""
    taken = False
    for problem in error.errors():
        node: Node | None = root
        parent, here = None, values
        for part in problem["loc"]:
            parent = here
            node = _child(node, part)
            here = _inside(here, part)
        if problem["type"] == "string_type" and isinstance(node, Scalar) and here is not None and parent is not None:
            parent[problem["loc"][-1]] = node.text
            taken = True
    return taken


def _child(node: Node | None, part: str | int) -> Node | None:
    match node, part:
        case Mapping(), str():
            return node.get(part)
        case _, int() if node is not None and hasattr(node, "items") and part < len(node.items):
            found: Node = node.items[part]
            return found
        case _:
            return None


def _inside(value: Any, part: str | int) -> Any:
    match value, part:
        case dict(), str():
            return value.get(part)
        case list(), int() if part < len(value):
            return value[part]
        case _:
            return None
