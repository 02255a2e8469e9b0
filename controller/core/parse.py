"""Files → valid workloads, and everything that is wrong with the rest, each finding at `file:line:column`.

One bad document stops that document alone; all findings of all documents come out of one run. Native ECS members are
read by AWS's model (`ecs.read`), everything else by the pydantic models of `spec`. A member without a value is a member
that is not there. Rules that need more than one field stand in `crosscheck`, those that need more than one document in
`between`. Neighbours: `yaml` (positions and guards), `spec_errors` (pydantic in words), `workload` (what comes out).
"""

import json
from collections import defaultdict
from collections.abc import Container
from collections.abc import Mapping as AbstractMapping
from typing import Any, Final

from pydantic import ValidationError

from controller.core import scalars
from controller.core.between import Claim, between, claim_of
from controller.core.crosscheck import within
from controller.core.diagnostics import MOST_FINDINGS, Code, Diagnostic, Span, told
from controller.core.ecs.model import load
from controller.core.ecs.read import EcsReader, did_you_mean
from controller.core.jobs.spec import DL1Job
from controller.core.nodes import Mapping, Node, Scalar, Sequence, find
from controller.core.path import Path
from controller.core.quoting import quote
from controller.core.spec import API_VERSION, DL1Service
from controller.core.spec_errors import explain
from controller.core.workload import Key, Parsed, Workload
from controller.core.yaml import Document, read

KINDS: Final[AbstractMapping[str, type[DL1Service] | type[DL1Job]]] = {"DL1Service": DL1Service, "DL1Job": DL1Job}
_TASK_DEFINITION: Final = ("RegisterTaskDefinitionRequest", ("family",))
_NATIVE: Final[AbstractMapping[str, AbstractMapping[str, tuple[str, tuple[str, ...]]]]] = {
    "DL1Service": {"taskDefinition": _TASK_DEFINITION, "service": ("CreateServiceRequest", ("serviceName",))},
    "DL1Job": {"taskDefinition": _TASK_DEFINITION, "runTask": ("RunTaskRequest", ("taskDefinition",))},
}
"""Kind → native member → its shape, and what of it need not be said: `metadata.name` says it, or the controller."""
_MAPS: Final[frozenset[Path]] = frozenset({("metadata", "labels")})
"""Members that are maps: their keys are the user's, so a key without a value is no absent member but a mistake."""


def parse(files: AbstractMapping[str, bytes]) -> Parsed:
    """Everything that the files of one source revision say."""
    claims: list[Claim] = []
    diagnostics: list[Diagnostic] = []
    broken_files: set[str] = set()
    wrong: defaultdict[Key, list[Diagnostic]] = defaultdict(list)
    for file, content in sorted(files.items()):
        stream = read(file, content)
        diagnostics.extend(stream.diagnostics)
        if not stream.whole:
            broken_files.add(file)
        told_before = len(diagnostics)
        for document in stream.documents:
            workload, problems = _document(document, guess=len(diagnostics) - told_before <= MOST_FINDINGS)
            diagnostics.extend(problems)
            claim = claim_of(document.root, workload if document.clean else None, ours=_is_ours(document.root))
            if claim is not None:
                claims.append(claim)
                wrong[claim.key] += (one for one in problems if one.is_error)
            else:
                broken_files.add(file)
    valid, problems = between(claims, all_readable=not broken_files)
    diagnostics.extend(problems)
    for claim in claims:
        wrong[claim.key] += (one for one in problems if one.is_error and one.at == claim.at)
    good = {workload.key for workload in valid}
    broken = {key: tuple(dict.fromkeys(found)) for key, found in wrong.items() if key not in good}
    return Parsed(tuple(valid), told(diagnostics), broken, frozenset(broken_files))


def _document(document: Document, *, guess: bool) -> tuple[Workload | None, list[Diagnostic]]:
    """The workload of a document, if it is valid, and what is wrong with it. `guess`: whether its hints are told."""
    root = document.root
    if not isinstance(root, Mapping):
        found = "text" if isinstance(root, Scalar) else "a list"  # a text may be the rest of anything: it is not told
        message = f"a document must be a mapping with apiVersion and kind, not {found}"
        return None, [Diagnostic(Code.WRONG_TYPE, message, root.span)]
    problem = _envelope(root)
    if problem is not None:
        return None, [problem]
    native, problems = _native(root, guess=guess)
    values = _values(root, native)
    error = _error(values)
    if error is not None and _take_letters(values, root, error):
        error = _error(values)
    if error is not None:
        problems.extend(explain(error, root))
        _leave_out(values, error)
    # What can be read of an invalid document is checked on, so that all its mistakes come out at once.
    claim = claim_of(root, None)
    if claim is None or (error is not None and _error(values) is not None):
        return None, problems
    workload = Workload(claim.key, _validate(values), root.span, document.written, document.index)
    problems.extend(within(workload))
    return (None if any(one.is_error for one in problems) else workload), problems


def _envelope(root: Mapping) -> Diagnostic | None:
    """Whether the document is one of ours at all; if not, nothing else about it is worth saying."""
    for name, known in (("apiVersion", (API_VERSION,)), ("kind", tuple(KINDS))):
        node = root.get(name)
        if node is None or scalars.is_null(node):
            at = root.key_span(name) or (root.entries[0].key.span if root.entries else root.span)
            return Diagnostic(Code.MISSING_FIELD, f"the document needs `{name}`", at, hint=f"{name}: {known[0]}")
        if not isinstance(node, Scalar):
            message = f"{name} must be text, not {scalars.kind(node)}"
            return Diagnostic(Code.WRONG_TYPE, message, node.span, hint=f"{name}: {known[0]}")
        if node.text not in known:
            return Diagnostic(Code.UNKNOWN_KIND, *_unknown_kind(name, node, known))
    return None


def _is_ours(root: Node) -> bool:
    """Whether a document says that it is of a kind that is read here."""
    return isinstance(root, Mapping) and _envelope(root) is None


def _unknown_kind(name: str, node: Scalar, known: tuple[str, ...]) -> tuple[str, Span, str | None]:
    hint = did_you_mean(node.text, known) or f"this controller reads {name}: {', '.join(known)}"
    return f"{name} {quote(node.text)} is not known", node.span, hint


def _native(root: Mapping, *, guess: bool) -> tuple[dict[str, dict[str, Any]], list[Diagnostic]]:
    """The native ECS members, read by AWS's model."""
    reader = EcsReader(load(), guess=guess)
    values: dict[str, dict[str, Any]] = {}
    for member, (shape, implied) in _NATIVE[_kind(root)].items():
        node = find(root, ("spec", member))
        if node is not None and not scalars.is_null(node):
            values[member] = reader.structure(shape, node, ("spec", member), implied=implied) or {}
    return values, reader.problems


def _kind(root: Mapping) -> str:
    """The kind of a document whose envelope is right."""
    node = root.get("kind")
    assert isinstance(node, Scalar)
    return node.text


def _values(root: Mapping, native: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The document as JSON for its model, members without a value left out."""
    values: Any = _written(root, (), _NATIVE[_kind(root)])
    if isinstance(values.get("spec"), dict):
        values["spec"] |= native
    return dict(values)


def _written(node: Node, path: Path, native: Container[str]) -> Any:
    """The values of a node, without the `native` members of the spec."""
    match node:
        case Mapping(entries) if path in _MAPS:
            return {entry.key.text: scalars.plain_value(entry.value) for entry in entries}
        case Mapping(entries):
            return {
                entry.key.text: _written(entry.value, (*path, entry.key.text), native)
                for entry in entries
                if not scalars.is_null(entry.value) and (path != ("spec",) or entry.key.text not in native)
            }
        case Sequence(items):
            return [_written(item, (*path, index), native) for index, item in enumerate(items)]
        case Scalar():
            return scalars.plain_value(node)


def _validate(values: Any) -> DL1Service | DL1Job:
    """Strictly, as JSON: a number is no text and `1` is no `true`, but a list may become a tuple."""
    return KINDS[values["kind"]].model_validate_json(json.dumps(values), strict=True)


def _error(values: Any) -> ValidationError | None:
    try:
        _validate(values)
    except ValidationError as error:
        return error
    return None


def _take_letters(values: Any, root: Mapping, error: ValidationError) -> bool:
    """Put the letters of the file where the model wants text and YAML saw a number or a boolean (`name: 1.10`)."""
    taken = False
    for problem in error.errors(include_url=False, include_input=False):
        *path, last = problem["loc"]
        node = find(root, problem["loc"])
        if problem["type"] == "string_type" and isinstance(node, Scalar) and not scalars.is_null(node):
            parent = values
            for part in path:
                parent = parent[part]
            parent[last] = node.text
            taken = True
    return taken


def _leave_out(values: dict[str, Any], error: ValidationError) -> None:
    """Take out what is wrong, whole: half of `spec.gaudi` would only make more mistakes."""
    for problem in error.errors(include_url=False, include_input=False):
        first, *rest = (str(part) for part in problem["loc"])
        parent: Any = values.get(first) if rest else values
        if isinstance(parent, dict):
            parent.pop(rest[0] if rest else first, None)
