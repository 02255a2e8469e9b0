"""Why a service is not well: which of its stopped tasks are asked, and what their answer makes of its health.

Tasks are asked only about a service that is not well: one that does as it should costs no call for it. What is found is
told with its next action. A rollout whose tasks die again and again of what no next try mends stands still at once,
where ECS itself would try for ever, and does not wait for its deadline; with a circuit breaker ECS gives up by itself.
Neighbours: `gaudi.stops` (the verdict on a task), `status` (health), `reconcile.verdicts` (asks, and remembers).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from controller.core.gaudi.stops import LOOP, Verdict, of_service, of_task, of_text
from controller.core.live import LiveService, Observation
from controller.core.pass_report import WorkloadReport
from controller.core.plan import Hold, Plan
from controller.core.status import Health, HealthState, conditions
from controller.reasons import Reason

SLOW: Final = 120.0
"""Seconds after which a deployment of which ECS tells no failure is asked all the same: a task that ran and then died
is none for ECS. Source: ECS API, Deployment `failedTasks`."""

_MAY_PASS: Final = frozenset(
    {Reason.CRASHED, Reason.KILLED, Reason.COMPLETED, Reason.UNHEALTHY, Reason.CARD_TAKEN, Reason.OUT_OF_MEMORY}
)
"""What may end by itself although it is not called retryable: a peer comes up, another task leaves its cards."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked about a service."""

    deployment: str | None
    """Whose tasks: those of this deployment (`startedBy`)."""
    definition: str | None
    """Or those of this task definition revision, which ECS has rolled back."""
    mark: tuple[Any, ...]
    """While it is the same, nothing new has stopped."""

    @property
    def about(self) -> tuple[str | None, str | None]:
        """What an answer stays true of."""
        return self.deployment, self.definition

    def concerns(self, task: Mapping[str, Any]) -> bool:
        """Whether a task of DescribeTasks is one of those."""
        if self.definition is not None:
            return bool(task.get("taskDefinitionArn") == self.definition)
        return self.deployment is None or bool(task.get("startedBy") == self.deployment)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the stopped tasks tell."""

    verdict: Verdict | None
    times: int = 0
    """Tasks in a row, the newest first, that died of it."""
    unread: str | None = None
    """Why they could not be read."""


def inquiry(report: WorkloadReport, seen: Observation, now: datetime) -> Inquiry | None:
    """What to ask about a workload; None where it is well, draining, or has only just begun."""
    live, doing, rollout = seen.service, report.health, seen.rollout
    if live is None or live.draining:
        return None
    if rollout is not None and is_rolled_back(report.plan):
        return Inquiry(None, rollout.target, (rollout.arn, rollout.status))
    if doing.state not in (HealthState.DEGRADED, HealthState.PROGRESSING) or not live.desired:
        return None
    primary = live.primary
    failed, state = int(primary.get("failedTasks", 0)), str(primary.get("rolloutState", ""))
    slow = now.timestamp() - float(primary.get("createdAt", now.timestamp())) > SLOW
    lacking = live.running < live.desired and (state != "IN_PROGRESS" or slow)
    if not (doing.state is HealthState.DEGRADED or failed or live.trouble or lacking):
        return None
    newest: Mapping[str, Any] = next(iter(live.wire.get("events", ())), {})
    return Inquiry(primary.get("id"), None, (failed, state, live.running, live.pending, newest.get("id")))


def answer(asked: Inquiry, tasks: Iterable[Mapping[str, Any]], *, trouble: str | None = None) -> Answer:
    """What stopped tasks of DescribeTasks tell; where none of them tells anything, what the service's event does."""
    newest = sorted(filter(asked.concerns, tasks), key=_when, reverse=True)
    verdict = of_service(newest)
    if verdict is None:
        return Answer(of_text(trouble) if trouble is not None and asked.definition is None else None)
    return Answer(verdict, _in_a_row(newest, verdict))


def explained(report: WorkloadReport, live: LiveService | None, found: Answer | None) -> WorkloadReport:
    """The report of a workload with what its stopped tasks tell: in its health, or where ECS has rolled back what the
    spec asks for, beside that."""
    if live is None or found is None:
        return report
    why, planned = found.verdict, report.plan
    if why is not None and is_rolled_back(planned):
        told = (replace(one, message=_told(one.message, why)) if _is(one) else one for one in planned.holds)
        planned, doing = replace(planned, holds=tuple(told)), report.health
    else:
        doing = _health(report.health, live, found)
    if planned is report.plan and doing is report.health:
        return report
    told_all = conditions(planned, doing, report.error)
    return replace(report, plan=planned, health=doing, conditions=told_all, why=why)


def is_rolled_back(planned: Plan) -> bool:
    """Whether ECS has given up on what the spec asks for."""
    return any(map(_is, planned.holds))


def _is(hold: Hold) -> bool:
    return hold.reason is Reason.ROLLED_BACK


def _health(doing: Health, live: LiveService, found: Answer) -> Health:
    if doing.state not in (HealthState.DEGRADED, HealthState.PROGRESSING):
        return doing
    why = found.verdict
    if why is None:
        note = f"{doing.message}; why its tasks stop could not be read: {found.unread}"
        return replace(doing, message=note) if found.unread else doing
    told = replace(doing, message=_told(doing.message, why), why=why)
    if doing.reason is None and _hopeless(live, found, why):
        return replace(told, state=HealthState.DEGRADED, reason=why.reason, stuck=True)
    return told


def _told(message: str, why: Verdict) -> str:
    known = why.evidence.rstrip(".") in message
    return f"{message}. {why.action}" if known else f"{message}; {why.evidence.rstrip('.')}. {why.action}"


def _hopeless(live: LiveService, found: Answer, why: Verdict) -> bool:
    """Whether no next try can succeed, and ECS tries all the same."""
    config = live.wire.get("deploymentConfiguration") or {}
    breaks = bool((config.get("deploymentCircuitBreaker") or {}).get("enable"))
    rolling = live.primary.get("rolloutState") == "IN_PROGRESS"
    lasting = not why.retryable and why.reason not in _MAY_PASS
    return lasting and found.times >= LOOP and not live.primary.get("runningCount") and not (breaks and rolling)


def _in_a_row(newest: Sequence[Mapping[str, Any]], verdict: Verdict) -> int:
    if verdict.reason is Reason.RESTART_LOOP:
        return LOOP
    count = 0
    for task in newest:
        found = of_task(task)
        if found is None or found.reason is not verdict.reason:
            break
        count += 1
    return count


def _when(task: Mapping[str, Any]) -> float:
    return float(task.get("stoppedAt") or task.get("stoppingAt") or task.get("createdAt") or 0.0)
