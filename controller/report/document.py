"""The JSON documents: a contract, additive only. `apiVersion` says which.

Secrets cannot appear: changes were redacted when they were made, and steps are printed by name, not by request.
Neighbours: `core.pass_report` (what is printed), `text` (the same for people).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, assert_never

from controller.core.compare import Change
from controller.core.diagnostics import Diagnostic
from controller.core.pass_report import PassReport, WorkloadReport
from controller.core.path import show
from controller.core.plan import (
    CreateService,
    DeleteService,
    EnsureTaskDefinition,
    ScaleToZero,
    Step,
    TagService,
    UpdateService,
)
from controller.core.render import Rendered
from controller.core.status import Condition

API_VERSION: Final = "controller/v1"


def plan_document(report: PassReport) -> dict[str, Any]:
    """`kind: Plan`: what a pass found, and what it would do or did."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Plan",
        "source": {"uri": report.uri, "revision": report.revision},
        "summary": {str(verdict): count for verdict, count in report.summary.items()},
        "workloads": [_workload(workload) for workload in report.workloads],
        "errors": [*diagnostics(report.diagnostics), *_runtime_errors(report.workloads)],
    }


def rendered_document(rendered: Iterable[Rendered]) -> dict[str, Any]:
    """`kind: Rendered`: the requests exactly as they would be sent."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Rendered",
        "workloads": [
            {
                "key": str(one.workload.key),
                "kind": one.workload.document.kind,
                "registerTaskDefinition": one.register,
                "createService": one.create,
                "reasons": [{"path": show(reason.path), "why": reason.why} for reason in one.reasons],
            }
            for one in rendered
        ],
    }


def diagnostics(found: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """Findings as JSON, errors and warnings alike; `severity` tells them apart."""
    return [
        {
            "file": one.at.file,
            "line": one.at.line,
            "column": one.at.column,
            "code": str(one.code),
            "message": one.message,
            **({"hint": one.hint} if one.hint else {}),
            "severity": str(one.severity),
        }
        for one in found
    ]


def _runtime_errors(workloads: Iterable[WorkloadReport]) -> list[dict[str, Any]]:
    return [
        {
            "file": one.at.file if one.at else None,
            "line": one.at.line if one.at else None,
            "column": one.at.column if one.at else None,
            "code": str(one.error.reason),
            "message": f"{one.key}: {one.error}",
            "severity": "error",
        }
        for one in workloads
        if one.error is not None
    ]


def _workload(workload: WorkloadReport) -> dict[str, Any]:
    plan = workload.plan
    return {
        "key": str(workload.key),
        "kind": workload.kind,
        "drift": str(plan.drift),
        "changes": [_change(change) for change in plan.changes],
        "steps": [_step(step) for step in plan.steps],
        "applied": [_step(step) for step in workload.done],
        "conditions": [_condition(condition) for condition in workload.conditions.values()],
        "health": str(workload.health.state),
        "ignored": plan.ignored,
        "informational": [show(unknown.path) for unknown in plan.unknown],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "path": change.field,
        "live": change.live,
        "spec": change.spec,
        "origin": {"file": change.origin.file, "line": change.origin.line},
        "effect": change.effect,
        "by": change.by,
    }


def _condition(condition: Condition) -> dict[str, Any]:
    since = condition.last_transition
    return {
        "type": str(condition.type),
        "status": str(condition.status),
        "reason": str(condition.reason),
        "message": condition.message,
        **({"lastTransitionTime": since.isoformat()} if since else {}),
    }


def _step(step: Step) -> dict[str, Any]:
    action = {"action": type(step).__name__}
    match step:
        case EnsureTaskDefinition():
            return {**action, "family": step.family, "digest": step.digest}
        case CreateService():
            return {**action, "service": str(step.key), "taskDefinition": step.digest}
        case UpdateService():
            named: dict[str, Any] = {"service": str(step.key), "members": sorted(step.members)}
            if step.digest is not None:
                named["taskDefinition"] = step.digest
            return {**action, **named, "forceNewDeployment": step.force_new_deployment}
        case TagService():
            return {**action, "service": str(step.key), "put": sorted(step.put), "remove": sorted(step.remove)}
        case ScaleToZero() | DeleteService():
            return {**action, "service": str(step.key)}
        case _:
            assert_never(step)
