"""The JSON documents: a contract, additive only. `apiVersion` says which.

`errors` of a plan is empty exactly when the process answers neither 1 nor 3 because of it; what is merely worth
knowing stands in `warnings`.

Secrets cannot appear in a plan or a validation: changes were redacted when they were made, steps are printed by name,
not by request, and texts of others (errors, addresses) are redacted here. `kind: Rendered` holds the requests exactly
as they would be sent, so whoever asks for it sees what the spec says. Neighbours: `core.pass_report` (what is
printed), `text` (the same for people).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, assert_never

from controller.core.changes import Change
from controller.core.diagnostics import Diagnostic, Severity, Span
from controller.core.gaudi.stops import Verdict as Death
from controller.core.jobs.identity import TaskId
from controller.core.jobs.rendezvous import Master
from controller.core.jobs.request import RenderedJob
from controller.core.pass_report import PassReport, Verdict, WorkloadReport
from controller.core.path import show
from controller.core.plan import (
    CreateService,
    DeleteService,
    DeregisterTaskDefinition,
    EnsureTaskDefinition,
    ScaleToZero,
    Step,
    TagService,
    TagTaskDefinition,
    UpdateService,
)
from controller.core.redact import redact
from controller.core.render import Rendered
from controller.core.status import Condition
from controller.core.steps import RecordRun, RunTask, StopTask
from controller.core.workload import Key
from controller.errors import ControllerError

API_VERSION: Final = "controller/v1"
_NOT_ASCII: Final = re.compile(r"[^ -~\n]")


def as_json(document: Mapping[str, Any]) -> str:
    """The document as text for people and programs: what is unprintable is an escape, everything else is itself."""
    return _NOT_ASCII.sub(_escaped, json.dumps(document, indent=2, ensure_ascii=False))


def plan_document(report: PassReport) -> dict[str, Any]:
    """`kind: Plan`: what a pass found, and what it would do or did."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Plan",
        "source": {"uri": redact(report.uri), "revision": report.revision},
        "summary": {str(verdict): count for verdict, count in report.summary.items()},
        "workloads": [workload_document(workload) for workload in report.workloads],
        "errors": [*_findings(report.diagnostics, Severity.ERROR), *_runtime_errors(report)],
        "warnings": _findings(report.diagnostics, Severity.WARNING),
    }


def failed_plan(uri: str, error: ControllerError) -> dict[str, Any]:
    """`kind: Plan` of a pass that ended before it saw anything."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Plan",
        "source": {"uri": redact(uri), "revision": None},
        "summary": {str(verdict): 0 for verdict in Verdict},
        "workloads": [],
        "errors": [_error(error)],
        "warnings": [],
    }


def validation_document(valid: Iterable[Key], found: Sequence[Diagnostic]) -> dict[str, Any]:
    """`kind: Validation`: the workloads that are valid, and everything that is wrong with the rest."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Validation",
        "valid": [str(key) for key in valid],
        "errors": _findings(found, Severity.ERROR),
        "warnings": _findings(found, Severity.WARNING),
    }


def failed_validation(error: ControllerError) -> dict[str, Any]:
    """`kind: Validation` of files that could not be read."""
    return {**validation_document((), ()), "errors": [_error(error)]}


def rendered_document(rendered: Iterable[Rendered | RenderedJob]) -> dict[str, Any]:
    """`kind: Rendered`: the requests exactly as they would be sent."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Rendered",
        "workloads": [
            {
                "key": str(one.workload.key),
                "kind": one.workload.document.kind,
                "registerTaskDefinition": one.register,
                **_sent(one),
                "reasons": [{"path": show(reason.path), "why": reason.why} for reason in one.reasons],
            }
            for one in rendered
        ],
    }


def _sent(one: Rendered | RenderedJob) -> dict[str, Any]:
    """The request that comes after the task definition: CreateService, or the RunTask of each rank."""
    if isinstance(one, Rendered):
        return {"createService": one.create}
    master = Master("<address of rank 0>")
    ids = (TaskId(one.uid(), 1, rank) for rank in range(one.gang.nodes))
    return {"runTask": [one.run_task(task, one.family, master=master if task.rank else None) for task in ids]}


def _findings(found: Sequence[Diagnostic], severity: Severity) -> list[dict[str, Any]]:
    """Findings about specs, with what to do where that is known."""
    return [
        {**_located(one.at, str(one.code), one.message), **({"hint": one.hint} if one.hint else {})}
        for one in found
        if one.severity is severity
    ]


def _runtime_errors(report: PassReport) -> list[dict[str, Any]]:
    """What went wrong with workloads, at the documents that they stand in, and with clusters that have none."""
    of_workloads = [
        _error(one.error, about=str(one.key), at=one.at) for one in report.workloads if one.error is not None
    ]
    seen = {one.key.cluster for one in report.workloads if one.error is not None}
    of_clusters = [
        _error(error, about=f"cluster {cluster}") for cluster, error in report.failed.items() if cluster not in seen
    ]
    return [*of_workloads, *of_clusters]


def _error(error: ControllerError, *, about: str | None = None, at: Span | None = None) -> dict[str, Any]:
    return _located(at, str(error.reason), redact(f"{about}: {error}" if about else str(error)))


def _located(at: Span | None, code: str, message: str) -> dict[str, Any]:
    return {
        "file": at.file if at else None,
        "line": at.line if at else None,
        "column": at.column if at else None,
        "code": code,
        "message": message,
    }


def workload_document(workload: WorkloadReport) -> dict[str, Any]:
    """One workload of a plan or a status."""
    plan = workload.plan
    return {
        "key": str(workload.key),
        "kind": workload.kind,
        "drift": str(plan.drift),
        "changes": [_change(change) for change in plan.changes],
        "steps": [step_document(step) for step in plan.steps],
        "applied": [step_document(step) for step in workload.done],
        "conditions": [_condition(condition) for condition in workload.conditions.values()],
        "health": str(workload.health.state),
        **({"why": _why(workload.why)} if workload.why is not None else {}),
        "ignored": plan.ignored,
        "informational": [show(unknown.path) for unknown in plan.unknown],
    }


def _why(why: Death) -> dict[str, Any]:
    """What its stopped tasks tell of a workload that is not well."""
    told = {"reason": str(why.reason), "retryable": why.retryable}
    return {**told, "evidence": redact(why.evidence), "action": why.action}


def _change(change: Change) -> dict[str, Any]:
    return {
        "path": change.field,
        "live": change.live,
        "spec": change.spec,
        "origin": {"file": change.origin.file, "line": change.origin.line},
        "effect": change.effect,
        "by": change.by,
        "cause": str(change.cause),
    }


def _condition(condition: Condition) -> dict[str, Any]:
    since = condition.last_transition
    return {
        "type": str(condition.type),
        "status": str(condition.status),
        "reason": str(condition.reason),
        "message": redact(condition.message),
        **({"lastTransitionTime": since.isoformat()} if since else {}),
    }


def step_document(step: Step) -> dict[str, Any]:
    """A step by its name and what it is about, without its request."""
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
        case TagTaskDefinition():
            return {**action, "family": step.family, "digest": step.digest, "put": sorted(step.put)}
        case DeregisterTaskDefinition():
            return {**action, "family": step.family, "revision": step.revision}
        case RecordRun(key=key, record=record):
            run = {"run": record.uid, "attempt": record.attempt, "phase": str(record.phase)}
            return {**action, "job": str(key), **run, "revision": step.revision}
        case RunTask(key=key, task=task):
            rank = {"run": task.uid, "attempt": task.attempt, "rank": task.rank}
            return {**action, "job": str(key), **rank, "revision": step.revision}
        case StopTask(key=key, arn=arn, why=why):
            return {**action, "job": str(key), "task": arn, "why": redact(why)}
        case _:
            assert_never(step)


def _escaped(found: re.Match[str]) -> str:
    """A character that a terminal might obey as JSON's escape; any other one as it is."""
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]
