"""The schema of a spec for editors and people: JSON Schema per kind, and a CustomResourceDefinition of the same
content.

Generated from the models that the parser uses and from AWS's own model, documentation included, so that they cannot
disagree. The JSON Schema stays within draft 07, which every editor understands. Neighbours: `spec` (the models),
`ecs.model` (the native members); `controller schema` prints and writes these.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import yaml

from controller.core.ecs.model import (
    SHAPE_MARK,
    Flag,
    ListOf,
    MapOf,
    Model,
    Number,
    Shape,
    Structure,
    Text,
    documentation,
    load,
)
from controller.core.ecs.read import ALSO_REQUIRED, LONGEST_NAME, MAP_FORMS, NAMES
from controller.core.jobs.spec import SET_BY_US, DL1Job
from controller.core.spec import NAME, DL1Service

GROUP: Final = "dl1.ecs"
VERSION: Final = "v1alpha1"
KINDS: Final[Mapping[str, Any]] = {"DL1Service": DL1Service, "DL1Job": DL1Job}
PLURALS: Final[Mapping[str, str]] = {"DL1Service": "dl1services", "DL1Job": "dl1jobs"}

_PREFIX: Final = "ecs."
_GIVEN_ELSEWHERE: Final = {
    "RegisterTaskDefinitionRequest": ("family",),
    "CreateServiceRequest": ("serviceName",),
    "RunTaskRequest": ("taskDefinition",),
}
"""Required members that a spec may leave out, because `metadata.name` or the controller says them."""
_SET_BY_US: Final = {"CreateServiceRequest": ("taskDefinition", "clientToken"), "RunTaskRequest": SET_BY_US}
"""Members that the parser refuses."""


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 07) of a kind."""
    model = load()
    schema = _referring(KINDS[kind].model_json_schema(by_alias=True, ref_template="#/definitions/{model}"))
    definitions: dict[str, Any] = schema.pop("$defs", {})
    wanted = _ecs_references(schema) | _ecs_references(definitions)
    definitions |= {f"{_PREFIX}{name}": _shape(model, name) for name in _reachable(model, wanted)}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"https://{GROUP}/{VERSION}/{kind}.schema.json",
        **_without_titles(schema),
        "definitions": dict(sorted(_without_titles(definitions).items())),
    }


def custom_resource_definition(kind: str) -> dict[str, Any]:
    """A CustomResourceDefinition of a kind, its schema structural (no references)."""
    schema = json_schema(kind)
    definitions = schema["definitions"]
    body = {name: value for name, value in schema.items() if name not in ("$schema", "$id", "definitions")}
    body["properties"] = {**body["properties"], "metadata": {"type": "object"}}  # Kubernetes has its own rules for it
    plural = PLURALS[kind]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _structural(body, definitions)},
                }
            ],
        },
    }


def schema_files() -> dict[str, str]:
    """File name → text of everything in `crds/`."""
    files: dict[str, str] = {}
    for kind in KINDS:
        files[f"{kind}.schema.json"] = json.dumps(json_schema(kind), indent=1, ensure_ascii=False) + "\n"
        files[f"{PLURALS[kind]}.{GROUP}.yaml"] = _yaml(custom_resource_definition(kind))
    return files


def _yaml(value: Any) -> str:
    """As YAML, by way of the C emitter; keys stay in their order, long texts are not folded."""
    text: str = yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=10_000)
    return text


# ECS shapes
# ------------------------------------------------------------------------------------------------------------


def _ecs_references(schema: Any) -> set[str]:
    """Names of the ECS shapes that a schema refers to."""
    match schema:
        case {"$ref": str(reference)} if reference.startswith(f"#/definitions/{_PREFIX}"):
            return {reference.rpartition(_PREFIX)[2]}
        case dict():
            return {name for value in schema.values() for name in _ecs_references(value)}
        case list():
            return {name for value in schema for name in _ecs_references(value)}
        case _:
            return set()


def _reachable(model: Model, roots: set[str]) -> list[str]:
    seen: set[str] = set()
    waiting = sorted(roots)
    while waiting:
        name = waiting.pop()
        if name in seen or not isinstance(model.shapes[name], Structure):
            continue
        seen.add(name)
        for member in model.shapes[name].members.values():  # type: ignore[union-attr]  # a Structure, see above
            waiting.append(_innermost(model, member))
    return sorted(seen)


def _innermost(model: Model, name: str) -> str:
    shape = model.shapes[name]
    return _innermost(model, shape.of) if isinstance(shape, ListOf | MapOf) else name


def _shape(model: Model, name: str) -> dict[str, Any]:
    """The definition of a structure."""
    shape = model.shapes[name]
    assert isinstance(shape, Structure)
    docs = documentation()
    if shape.document:
        return {"description": docs.get(name, "Any JSON.")}
    description = {"description": docs[name]} if name in docs else {}
    refused = _SET_BY_US.get(name, ())
    needed = (*shape.required, *ALSO_REQUIRED.get(name, ()))
    required = [one for one in needed if one not in _GIVEN_ELSEWHERE.get(name, ())]
    properties = {
        member: _described(_member(model, name, member, target), docs.get(f"{name}.{member}"))
        for member, target in sorted(shape.members.items())
        if member not in refused
    }
    schema = {**description, "type": "object", "additionalProperties": False, "properties": properties}
    if shape.union:
        schema |= {"minProperties": 1, "maxProperties": 1}
    return {**schema, "required": required} if required else schema


def _member(model: Model, name: str, member: str, target: str) -> dict[str, Any]:
    schema = _value(model, target)
    if (name, member) in MAP_FORMS:
        return {"anyOf": [schema, {"type": "object", "additionalProperties": _scalar_text()}]}
    if (name, member) in NAMES:
        return {**schema, "pattern": NAME, "maxLength": LONGEST_NAME}
    return schema


def _value(model: Model, name: str) -> dict[str, Any]:
    shape: Shape = model.shapes[name]
    match shape:
        case Structure():
            return {"$ref": f"#/definitions/{_PREFIX}{name}"}
        case ListOf(of=of, least=least, most=most):
            return {"type": "array", "items": _value(model, of), **_limits(minItems=least or None, maxItems=most)}
        case MapOf(of=of):
            return {"type": "object", "additionalProperties": _value(model, of)}
        case Text(enum=enum) if enum:
            return {"type": "string", "enum": list(enum)}
        case Text(least=least, most=most):
            return {**_scalar_text(), **_limits(minLength=least or None, maxLength=most)}
        case Number(whole=whole, least=least, most=most):
            return {"type": "integer" if whole else "number", **_limits(minimum=least, maximum=most)}
        case Flag():
            return {"type": "boolean"}


def _limits(**limits: int | None) -> dict[str, int]:
    return {name: limit for name, limit in limits.items() if limit is not None}


def _scalar_text() -> dict[str, Any]:
    """Text, or what YAML takes for a number or a boolean: the parser keeps its letters."""
    return {"type": ["string", "number", "boolean"]}


def _described(schema: dict[str, Any], text: str | None) -> dict[str, Any]:
    """With AWS's words; draft 07 ignores what stands beside a `$ref`, so a reference is wrapped."""
    if not text:
        return schema
    if "$ref" in schema:
        return {"description": text, "allOf": [schema]}
    return {"description": text, **schema}


# Shaping
# ---------------------------------------------------------------------------------------------------------------


def _referring(schema: Any) -> Any:
    """Pydantic's schema as we want it: marks of ECS shapes become references; a reference stands alone, because
    draft 07 ignores its neighbours; a member without a value is left out, so that what is wrong with a value is told
    of that value; keys of maps that have no pattern are refused."""
    match schema:
        case {"anyOf": [dict(first), {"type": "null"}], **rest}:
            return _referring({**first, **rest})
        case {"type": "object", **rest} if SHAPE_MARK in rest:
            kept = {key: _kept(key, value) for key, value in rest.items() if key == "description"}
            return {**kept, "allOf": [{"$ref": f"#/definitions/{_PREFIX}{rest[SHAPE_MARK]}"}]}
        case {"$ref": reference, **rest} if rest:
            return {**_referring(rest), "allOf": [{"$ref": reference}]}
        case {"patternProperties": _, **rest} if "additionalProperties" not in rest:
            return _referring({**schema, "additionalProperties": False})
        case dict():
            return {key: _kept(key, value) for key, value in schema.items() if not (key == "default" and value is None)}
        case list():
            return [_referring(value) for value in schema]
        case _:
            return schema


def _kept(key: str, value: Any) -> Any:
    """A member of a schema: descriptions on one line, defaults without members that are absent."""
    if key == "description" and isinstance(value, str):
        return " ".join(value.split())
    if key == "default" and isinstance(value, dict):
        return {name: one for name, one in value.items() if one is not None}
    return _referring(value)


def _without_titles(schema: Any) -> Any:
    """Pydantic titles every field with its own name again."""
    match schema:
        case dict():
            named = isinstance(schema.get("properties"), dict)
            return {
                key: {name: _without_titles(one) for name, one in value.items()}
                if key == "properties" and named
                else _without_titles(value)
                for key, value in schema.items()
                if key != "title" or not isinstance(value, str)
            }
        case list():
            return [_without_titles(value) for value in schema]
        case _:
            return schema


def _structural(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """As Kubernetes wants it: no references, one type each; what can be of several is not looked into."""
    match schema:
        case {"$ref": str(reference)}:
            return _structural(definitions[reference.rpartition("/")[2]], definitions)
        case {"allOf": [{"$ref": str(reference)}], **rest}:
            inner = _structural(definitions[reference.rpartition("/")[2]], definitions)
            return {**inner, **{key: _structural(value, definitions) for key, value in rest.items()}}
        case dict() if _has_no_type(schema):
            kept = {key: value for key, value in schema.items() if key == "description"}
            return {**kept, "x-kubernetes-preserve-unknown-fields": True}
        case {"const": constant, **rest}:
            return {**_structural(rest, definitions), "enum": [constant]}
        case dict():
            return {
                key: _structural(value, definitions)
                for key, value in schema.items()
                if not (key == "additionalProperties" and isinstance(value, bool))
            }
        case list():
            return [_structural(value, definitions) for value in schema]
        case _:
            return schema


def _has_no_type(schema: Mapping[str, Any]) -> bool:
    """Whether it is a choice, or any JSON at all."""
    several = "anyOf" in schema or isinstance(schema.get("type"), list)
    return several or (len(schema) == 1 and isinstance(schema.get("description"), str))
