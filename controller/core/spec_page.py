"""Every member of a spec as a page for people: `docs/spec.md`, generated, checked to be current.

python -m controller.core.spec_page > docs/spec.md

Names, meanings and defaults are the schema's, which are the models'; what a change does is said here. Neighbours:
`schema` (what is walked), `fields.page` (the native members, one by one).
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from controller.core.schema import KINDS, json_schema

_HEAD: Final = """# Every member of a spec

Generated from the models that the parser uses (`controller/core/spec.py`, `controller/core/jobs/spec.py`). The members
of ECS itself, below `taskDefinition`, `service` and `runTask`, are those of the AWS documentation;
[fields.md](fields.md) has each with its default and what a change of it does.
`crds/` has all of it as JSON Schema, for editors.
"""
_EFFECTS: Final[Mapping[str, str]] = {
    "DL1Service apiVersion": "none yet",
    "DL1Service kind": "a job, which waits until the service is gone",
    "DL1Service metadata.name": "another service; the old one has no spec any more",
    "DL1Service metadata.labels": "tags, no restart",
    "DL1Service spec.cluster": "another service there; the old one has no spec any more",
    "DL1Service spec.target": "another service there; the old one has no spec any more",
    "DL1Service spec.replicas": "no restart",
    "DL1Service spec.gaudi": "new revision, rolls the tasks, where it changes what is added",
    "DL1Service spec.gaudi.driverPolicy": "none on what runs",
    "DL1Service spec.taskDefinition": "new revision, rolls the tasks; of `tags` none",
    "DL1Service spec.service": "by member, see fields.md",
    "DL1Service spec.reconcile": "none on what runs",
    "DL1Service spec.reconcile.onDelete": "a tag, no restart",
    "DL1Service spec.reconcile.suspend": "a tag, no restart",
    "DL1Job apiVersion": "none yet",
    "DL1Job kind": "a service, which does not wait for the tasks of the job",
    "DL1Job metadata.name": "another job",
    "DL1Job metadata.labels": "none on what runs",
    "DL1Job spec": "counts from now on, no new run",
    **{f"DL1Job spec.{name}": "a new run, by `onChange`" for name in ("gaudi", "taskDefinition", "runTask", "nodes")},
    **{f"DL1Job spec.{name}": "a new run, by `onChange`" for name in ("completions", "runId")},
    "DL1Job spec.masterPort": "for attempts to come",
    "DL1Job spec.cluster": "another job",
    "DL1Job spec.target": "another job",
    "DL1Job spec.reconcile": "none on what runs",
    "DL1Job spec.suspend": "stops what runs, or begins it anew",
}
"""What a change does, by the nearest of these above a member."""


def page() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *(line for kind in KINDS for line in _kind(kind))])


def members(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and schema of every member of a kind, ECS's own left out."""
    schema = json_schema(kind)
    yield from _members(schema, schema["definitions"], "")


def effect(kind: str, path: str) -> str:
    """What a change of a member does."""
    here = path.replace("[]", "")
    while f"{kind} {here}" not in _EFFECTS:
        here, dot, _ = here.rpartition(".")
        if not dot:
            raise LookupError(f"nothing says what a change of {kind} {path} does")
    return _EFFECTS[f"{kind} {here}"]


def _kind(kind: str) -> Iterator[str]:
    yield f"## {kind}\n"
    yield json_schema(kind)["description"].replace("\n", " ") + "\n"
    yield "| member | is | default | meaning | a change does |"
    yield "|---|---|---|---|---|"
    for path, member in members(kind):
        meaning = " ".join(str(member.get("description", "")).split()).replace("|", "\\|")
        row = (f"`{path}`", _is(member), _default(member), meaning, effect(kind, path))
        yield f"| {' | '.join(row)} |"
    yield ""


def _members(
    node: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, written in node.get("properties", {}).items():
        member = _resolved(written, definitions)
        path = f"{prefix}{name}"
        if path not in ("metadata", "spec"):
            yield path, {**member, "required": name in node.get("required", ())}
        inner = member
        if member.get("type") == "array":
            inner, path = _resolved(member.get("items", {}), definitions), f"{path}[]"
        if not member.get("native"):
            yield from _members(inner, definitions, f"{path}.")


def _resolved(member: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A member with what it refers to put into it."""
    found = dict(member)
    choices = [one for one in found.pop("anyOf", ()) if one.get("type") != "null"]
    if len(choices) == 1:
        found = {**choices[0], **found}
    (*parts,) = found.pop("allOf", ())
    for part in parts:
        found = {**part, **found}
    name = str(found.pop("$ref", "")).removeprefix("#/definitions/")
    if not name:
        return found
    if name.startswith("ecs."):
        return {"native": name.removeprefix("ecs."), **found}
    return {**_resolved(definitions[name], definitions), **found}


def _is(member: Mapping[str, Any]) -> str:
    match member:
        case {"native": name}:
            return f"{name} of ECS"
        case {"const": value}:
            return f"`{value}`"
        case {"enum": values}:
            return " ".join(f"`{json.dumps(value).strip(chr(34))}`" for value in values)
        case {"type": "array"}:
            return "list"
        case {"type": "object", "additionalProperties": dict()}:
            return "map"
        case {"type": "object"}:
            return "structure"
        case {"type": str(kind)}:
            low, high = member.get("minimum"), member.get("maximum")
            between = f" {low} to {high}" if low is not None and high is not None else ""
            return f"{kind}{between}"
        case {"type": list()}:
            return "text"
        case _:
            return "any"


def _default(member: Mapping[str, Any]) -> str:
    if member["required"]:
        return "must be said"
    value = member.get("default")
    return f"`{json.dumps(value)}`" if value not in (None, {}, []) and not isinstance(value, dict) else ""


if __name__ == "__main__":
    sys.stdout.write(page())
