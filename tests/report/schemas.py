"""The JSON documents as JSON Schema: the contract of `-o json`, member for member.

`must` marks what the design fixes. What came later (`applied`, `cause`, `health`, `hint`, `ignored`,
`informational`, `warnings`) is additive: whoever adds more adds it here too.
"""

from typing import Any, Final

from jsonschema import Draft202012Validator

from controller.core.applied import Cause

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_PLACE: Final = {"type": ["integer", "null"], "minimum": 1}
_KEY: Final = {"type": "string", "pattern": "^[^/]+/[^/]+$"}


def _object(must: dict[str, Any], may: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with exactly these members."""
    members = {**must, **(may or {})}
    return {"type": "object", "properties": members, "required": list(must), "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


FINDING: Final = _object(
    {"file": {"type": ["string", "null"]}, "line": _PLACE, "column": _PLACE, "code": _TEXT, "message": _TEXT},
    {"hint": _TEXT},
)

CHANGE: Final = _object(
    {
        "path": _TEXT,
        "live": {},
        "spec": {},
        "origin": _object({"file": _TEXT, "line": {"type": "integer", "minimum": 1}}),
        "effect": _TEXT,
        "by": {"type": ["string", "null"]},
    },
    {"cause": {"enum": [str(cause) for cause in Cause]}},
)


def _step(action: str, **members: Any) -> dict[str, Any]:
    may = {name.removeprefix("may_"): shape for name, shape in members.items() if name.startswith("may_")}
    must = {name: shape for name, shape in members.items() if not name.startswith("may_")}
    return _object({"action": {"const": action}, **must}, may)


STEP: Final = {
    "oneOf": [
        _step("EnsureTaskDefinition", family=_TEXT, digest=_TEXT),
        _step("CreateService", service=_KEY, taskDefinition=_TEXT),
        _step(
            "UpdateService",
            service=_KEY,
            members=_list(_TEXT),
            forceNewDeployment={"type": "boolean"},
            may_taskDefinition=_TEXT,
        ),
        _step("TagService", service=_KEY, put=_list(_TEXT), remove=_list(_TEXT)),
        _step("ScaleToZero", service=_KEY),
        _step("DeleteService", service=_KEY),
    ]
}

CONDITION: Final = _object(
    {
        "type": {"type": "string", "pattern": "^[A-Z][A-Za-z]+$"},
        "status": {"enum": ["True", "False", "Unknown"]},
        "reason": {"type": "string", "pattern": "^[A-Z][A-Za-z]+$"},
        "message": _TEXT,
    },
    {"lastTransitionTime": _TEXT},
)

WORKLOAD: Final = _object(
    {
        "key": _KEY,
        "kind": {"const": "DL1Service"},
        "drift": {"enum": ["InSync", "Drifted", "Missing", "Orphaned", "Invalid", "Blocked", "Unknown"]},
        "changes": _list(CHANGE),
        "steps": _list(STEP),
        "conditions": _list(CONDITION),
        "applied": _list(STEP),
        "health": {"enum": ["Healthy", "Progressing", "Degraded", "Missing", "Unknown"]},
        "ignored": _COUNT,
        "informational": _list(_TEXT),
    },
    {"why": _object({"reason": _TEXT, "retryable": {"type": "boolean"}, "evidence": _TEXT, "action": _TEXT})},
)


def _document(kind: str, **members: Any) -> dict[str, Any]:
    return _object({"apiVersion": {"const": "controller/v1"}, "kind": {"const": kind}, **members})


PLAN: Final = _document(
    "Plan",
    source=_object({"uri": _TEXT, "revision": {"type": ["string", "null"]}}),
    summary=_object(dict.fromkeys(("inSync", "create", "update", "delete", "blocked", "invalid"), _COUNT)),
    workloads=_list(WORKLOAD),
    errors=_list(FINDING),
    warnings=_list(FINDING),
)

RENDERED: Final = _document(
    "Rendered",
    workloads=_list(
        _object(
            {
                "key": _KEY,
                "kind": {"const": "DL1Service"},
                "registerTaskDefinition": {"type": "object", "required": ["family", "containerDefinitions"]},
                "createService": {"type": "object", "required": ["serviceName", "cluster", "tags"]},
                "reasons": _list(_object({"path": _TEXT, "why": _TEXT})),
            }
        )
    ),
)

VALIDATION: Final = _document("Validation", valid=_list(_KEY), errors=_list(FINDING), warnings=_list(FINDING))

_SCHEMAS: Final = {"Plan": PLAN, "Rendered": RENDERED, "Validation": VALIDATION}


def checked(document: dict[str, Any]) -> dict[str, Any]:
    """The document, once it was found to be exactly what its kind promises."""
    problems = [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(_SCHEMAS[document["kind"]]).iter_errors(document)
    ]
    assert not problems, problems
    return document
