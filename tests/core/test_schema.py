"""The schemas in `crds/`: current, valid as what they claim to be, and of one mind with the parser."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from jsonschema import Draft7Validator, FormatChecker

from controller.core import scalars
from controller.core.ecs.model import Structure, documentation, load
from controller.core.parse import parse
from controller.core.schema import KINDS, custom_resource_definition, json_schema, schema_files
from controller.core.yaml import read
from tests.core.marked import unmarked
from tests.core.test_bad_specs import CASES
from tests.core.test_parse_laws import SOURCES

CRDS = Path(__file__).parents[2] / "crds"
SCHEMA = json_schema("DL1Service")
EDITOR = Draft7Validator(SCHEMA, format_checker=FormatChecker())
JOB_EDITOR = Draft7Validator(json_schema("DL1Job"), format_checker=FormatChecker())
CRD = custom_resource_definition("DL1Service")
STRUCTURE = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def complaints(text: str) -> list[str]:
    """What an editor would underline: path and message."""
    (document,) = read("f.yaml", text.encode()).documents
    value = scalars.plain_value(document.root)
    job = isinstance(value, dict) and value.get("kind") == "DL1Job"
    found = (JOB_EDITOR if job else EDITOR).iter_errors(value)
    return [f"{'.'.join(map(str, one.absolute_path))}: {one.message}" for one in found]


def schemas(schema: Any):
    """Every schema inside a schema."""
    if isinstance(schema, bool):
        return
    yield schema
    for key in ("properties", "patternProperties", "definitions"):
        for one in schema.get(key, {}).values():
            yield from schemas(one)
    for key in ("items", "additionalProperties", "propertyNames"):
        if key in schema:
            yield from schemas(schema[key])
    for key in ("anyOf", "allOf"):
        for one in schema.get(key, ()):
            yield from schemas(one)


def test_the_files_are_current():
    files = schema_files()
    assert {file.name for file in CRDS.iterdir()} == files.keys()
    for name, text in files.items():
        assert (CRDS / name).read_text(encoding="utf-8") == text, "run: controller schema --write crds"


# JSON Schema
# ---------------------------------------------------------------------------------------------------------------


def test_it_is_draft_07_and_nothing_younger():
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(SCHEMA)
    known = set(Draft7Validator.META_SCHEMA["properties"])
    for schema in schemas(SCHEMA):
        assert schema.keys() <= known
        assert "$ref" not in schema or len(schema) == 1, "draft 07 ignores what stands beside a reference"
        assert "default" not in schema or None not in json_values(schema["default"])


def json_values(value: Any):
    yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from json_values(one)


def test_every_reference_leads_somewhere_and_every_definition_is_used():
    references = {schema["$ref"] for schema in schemas(SCHEMA) if "$ref" in schema}
    assert references == {f"#/definitions/{name}" for name in SCHEMA["definitions"]}


def test_every_member_is_there_and_documented():
    model, docs = load(), documentation()
    for name, definition in SCHEMA["definitions"].items():
        if not name.startswith("ecs."):
            continue
        shape = model.shapes[name.removeprefix("ecs.")]
        assert isinstance(shape, Structure)
        if shape.document:
            continue
        missing = shape.members.keys() - definition["properties"].keys()
        assert missing == ({"taskDefinition", "clientToken"} if name == "ecs.CreateServiceRequest" else set())
        for member, property_ in definition["properties"].items():
            assert property_.get("description") == docs.get(f"{name.removeprefix('ecs.')}.{member}")
    ecs = [one for name, one in SCHEMA["definitions"].items() if name.startswith("ecs.")]
    documented = [one.get("description") for shape in ecs for one in shape.get("properties", {}).values()]
    assert len(documented) > 300
    assert sum(map(bool, documented)) / len(documented) > 0.98
    ours = [one for name, one in SCHEMA["definitions"].items() if not name.startswith("ecs.")]
    for schema in ours:
        for one in (schema, *schema.get("properties", {}).values()):
            assert one.get("description") or "allOf" in one, "a member with its type's words has no others"


@pytest.mark.parametrize("text", SOURCES.values(), ids=SOURCES.keys())
def test_an_editor_has_nothing_against_what_is_valid(text):
    assert complaints(text) == []


BEYOND_A_SCHEMA = {
    "nor is a fraction that equals one": "8.0 is a whole number in JSON Schema",
    "duplicates": "which member of a list is its key cannot be said",
    "a text that ends in a line break": "`$` also matches before a last line break in Python, not in an editor",
}
"""Mistakes that draft 07 has no words for, with the reason. Neither has it any for contradictions, but for those that
come with another mistake:"""
WITHIN = {
    "what the controller sets",
    "contradictions beside mistakes that do not touch them",
    "no contradiction with what cannot be read",
}


@pytest.mark.parametrize(("around", "lines"), CASES)
def test_an_editor_underlines_what_the_parser_refuses(around, lines, request):
    plain, _ = unmarked(around("".join(f"{line}\n" for line in lines if not line.startswith("!"))))
    (document,) = read("f.yaml", plain.encode()).documents
    if not document.clean:
        return  # no editor gets as far as the schema
    found = complaints(plain)
    file, _, title = request.node.callspec.id.partition(": ")
    assert bool(found) != (title in BEYOND_A_SCHEMA or (file == "contradictions" and title not in WITHIN))


MORE = {
    "labels: {'x y': z}": False,
    "labels: {a: 'x y'}": False,
    "labels: {a: 1.10, b: true, c: x}": True,
    "labels: {a: [x]}": False,
}


@pytest.mark.parametrize(("labels", "valid"), MORE.items(), ids=MORE.keys())
def test_labels(labels, valid):
    text = (
        f"apiVersion: dl1.ecs/v1alpha1\nkind: DL1Service\nmetadata: {{name: a, {labels}}}\n"
        "spec: {cluster: c, taskDefinition: {containerDefinitions: []}}\n"
    )
    assert (complaints(text) == []) == valid
    assert (parse({"f.yaml": text.encode()}).diagnostics == ()) == valid


NATIVE = {
    "{containerDefinitions: [{name: a, cpu: 1, environment: {A: 1.10, B: no}}]}": True,
    "{containerDefinitions: [{name: a, environment: [{name: A, value: 1.10}]}]}": True,
    "{containerDefinitions: [{name: a, secrets: {A: arn:aws:x}}]}": True,
    "{containerDefinitions: [{name: a, secrets: [{name: A}]}]}": False,
    "{containerDefinitions: [{image: a}]}": False,
    "{containerDefinitions: [], tags: [{value: a}]}": False,
    "{containerDefinitions: [], ephemeralStorage: {sizeInGiB: 30}}": True,
    "{containerDefinitions: [], ephemeralStorage: {sizeInGiB: '30'}}": False,
    "{containerDefinitions: [], cpu: 1024, memory: '2048'}": True,
}


@pytest.mark.parametrize(("task", "valid"), NATIVE.items(), ids=NATIVE.keys())
def test_native_members(task, valid):
    text = (
        "apiVersion: dl1.ecs/v1alpha1\nkind: DL1Service\nmetadata: {name: a}\n"
        f"spec: {{cluster: c, taskDefinition: {task}}}\n"
    )
    assert (complaints(text) == []) == valid
    assert (parse({"f.yaml": text.encode()}).diagnostics == ()) == valid


STRICTER = {
    "a member without a value": "target:\n",
    "a name that looks like a number": "target: 007\n",
}
"""What an editor underlines though the parser knows what is meant: it asks to remove the member, or for quotes."""


@pytest.mark.parametrize("member", STRICTER.values(), ids=STRICTER.keys())
def test_an_editor_may_ask_for_more(member):
    text = (
        "apiVersion: dl1.ecs/v1alpha1\nkind: DL1Service\nmetadata: {name: a}\n"
        f"spec:\n  cluster: c\n  taskDefinition: {{containerDefinitions: []}}\n  {member}"
    )
    assert parse({"f.yaml": text.encode()}).diagnostics == ()
    assert len(complaints(text)) == 1


# CustomResourceDefinition
# ---------------------------------------------------------------------------------------------------------------


def test_it_is_a_custom_resource_definition():
    assert (CRD["apiVersion"], CRD["kind"]) == ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    spec = CRD["spec"]
    assert CRD["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
    assert spec.keys() == {"group", "scope", "names", "versions"}
    assert spec["names"] == {
        "kind": "DL1Service",
        "listKind": "DL1ServiceList",
        "plural": "dl1services",
        "singular": "dl1service",
    }
    (version,) = spec["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
    assert f"{spec['group']}/{version['name']}" == "dl1.ecs/v1alpha1"
    assert STRUCTURE["properties"]["metadata"] == {"type": "object"}, "Kubernetes has its own rules for it"
    assert set(STRUCTURE["required"]) == {"apiVersion", "kind", "metadata", "spec"}


ALLOWED = {
    *("type", "properties", "required", "items", "additionalProperties", "description", "default", "enum", "format"),
    *("pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties"),
    *("maxProperties", "x-kubernetes-preserve-unknown-fields"),
}


def test_its_schema_is_structural():
    """Source: kubernetes.io, Custom Resources, "Specifying a structural schema"."""
    found = list(schemas(STRUCTURE))
    assert len(found) > 400
    for schema in found:
        assert schema.keys() <= ALLOWED
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            assert schema.keys() <= {"description", "x-kubernetes-preserve-unknown-fields"}
            continue
        assert schema["type"] in ("object", "array", "string", "integer", "number", "boolean")
        assert ("items" in schema) == (schema["type"] == "array")
        assert not ("properties" in schema and "additionalProperties" in schema)
        assert not isinstance(schema.get("additionalProperties"), bool)
        assert set(schema.get("required", ())) <= schema.get("properties", {}).keys()
        assert "default" not in schema or Draft7Validator(schema).is_valid(schema["default"])
        if "pattern" in schema:
            assert not re.search(r"\(\?[=!<]|\\[1-9]", schema["pattern"]), "RE2 has no lookaround and no references"


def test_both_schemas_say_the_same_of_every_member():
    """One walk through both: what has a type in one has it in the other."""

    def resolved(schema: dict[str, Any]) -> dict[str, Any]:
        reference = schema.get("$ref") or next((one.get("$ref") for one in schema.get("allOf", ())), None)
        return SCHEMA["definitions"][reference.rpartition("/")[2]] if reference else schema

    def compare(ours: dict[str, Any], theirs: dict[str, Any], path: str) -> int:
        ours = resolved(ours)
        if theirs.get("x-kubernetes-preserve-unknown-fields"):
            assert "anyOf" in ours or not isinstance(ours.get("type"), str), path
            return 1
        assert ours["type"] == theirs["type"], path
        for limit in ("pattern", "minimum", "maximum", "minLength", "maxLength", "enum", "required", "maxItems"):
            assert ours.get(limit, [ours["const"]] if limit == "enum" and "const" in ours else None) == theirs.get(
                limit
            )
        assert ours.get("properties", {}).keys() == theirs.get("properties", {}).keys(), path
        members = [(one, theirs["properties"][name], name) for name, one in ours.get("properties", {}).items()]
        if ours["type"] == "array":
            members.append((ours["items"], theirs["items"], "[]"))
        return 1 + sum(compare(one, other, f"{path}.{name}") for one, other, name in members)

    assert compare(SCHEMA["properties"]["spec"], STRUCTURE["properties"]["spec"], "spec") > 400


def test_the_files_are_the_schemas():
    for kind in KINDS:
        assert json.loads((CRDS / f"{kind}.schema.json").read_text(encoding="utf-8")) == json_schema(kind)
    text = (CRDS / "dl1services.dl1.ecs.yaml").read_text(encoding="utf-8")
    assert pyyaml.safe_load(text) == CRD
