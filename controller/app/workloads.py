"""How every workload stood when it was last looked at, and the word of what has changed since.

Neighbours: `daemon` (looks), `http` and `report.status` (tell).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from controller.core.applied import Cause
from controller.core.pass_report import WorkloadReport, settled
from controller.core.plan import Drift
from controller.core.status import HealthState, conditions, is_ready, misplaced, transition
from controller.core.workload import Key
from controller.reconcile.ports import Clock
from controller.reconcile.reconciler import Result


@dataclass(slots=True)
class Workloads:
    """The reports of all workloads, and of services without a spec."""

    clock: Clock
    log: Any
    reports: dict[Key, WorkloadReport] = field(default_factory=dict)
    _digests: dict[Key, str | None] = field(default_factory=dict)
    """Of which content of the spec each report is."""
    _misplaced: dict[Key, str] = field(default_factory=dict)

    def keep(self, report: WorkloadReport, digest: str | None) -> bool:
        """Keep a report, with the times at which its conditions turned, and say what is new; whether the workload has
        become ready by it. `digest` names the content of the spec that it is about."""
        before = self.reports.get(report.key)
        if before is not None and _is_kept(before, report) and self._digests.get(report.key) == digest:
            return False
        old = before.conditions if before else {}
        told = misplaced(report.conditions, self._misplaced.get(report.key))
        new = transition(old, told, self.clock.now())
        self.reports[report.key] = replace(report, conditions=new)
        was_ready = before is not None and is_ready(old) and self._digests.get(report.key) == digest
        self._digests[report.key] = digest
        self._tell_drift(report, before)
        self._tell_why(report, before)
        for kind, condition in new.items():
            previous = old.get(kind)
            if previous is None or previous.status is not condition.status:
                self.log.info(
                    "condition",
                    workload=str(report.key),
                    type=str(kind),
                    status=str(condition.status),
                    reason=str(condition.reason),
                    message=condition.message,
                )
        return is_ready(new) and not was_ready

    def place(self, cluster: str, found: Mapping[Key, str]) -> None:
        """Take note of which workloads of a cluster have tasks where no cards are, and what to say of it."""
        before = {key: message for key, message in self._misplaced.items() if key.cluster == cluster}
        self._misplaced = {key: one for key, one in self._misplaced.items() if key.cluster != cluster} | dict(found)
        for key in sorted(before.keys() | found.keys()):
            report = self.reports.get(key)
            if report is not None and before.get(key) != found.get(key):
                base = conditions(report.plan, report.health, report.error)
                self.keep(replace(report, plan=replace(report.plan), conditions=base), self._digests.get(key))

    def tell(self, key: Key, result: Result) -> None:
        """Say what came of a workload that was seen to."""
        if result.error is not None:
            self.log.warning("reconcile failed", workload=str(key), reason=result.error.reason, error=str(result.error))
            return
        for change in result.made_true:
            self.log.warning(
                "change applied" if change.cause is Cause.SPEC else "drift healed",
                workload=str(key),
                field=change.field,
                live=change.live,
                spec=change.spec,
                effect=change.effect,
                cause=str(change.cause),
                by=change.by,
            )
        if result.done and result.plan.drift is Drift.ORPHANED:
            self.log.warning("deleted", workload=str(key))

    def drop(self, key: Key) -> None:
        """Forget a workload that is no more."""
        self.reports.pop(key, None)
        self._digests.pop(key, None)

    def ready(self, digests: Mapping[Key, str]) -> dict[str, bool]:
        """`cluster/name` → whether it is in sync and healthy on the content that is wanted now: what was said of an
        earlier one says nothing about this one."""
        return {
            key.in_target: settled(report) and self._digests.get(key) == digests.get(key)
            for key, report in self.reports.items()
        }

    def moving(self) -> set[Key]:
        """Workloads of which something rolls out or drains."""
        return {key for key, report in self.reports.items() if report.health.state is HealthState.PROGRESSING}

    def _tell_why(self, report: WorkloadReport, before: WorkloadReport | None) -> None:
        """Say why tasks die, once for each cause."""
        known = before.why.reason if before is not None and before.why is not None else None
        if report.why is not None and report.why.reason is not known:
            self.log.warning(
                "tasks die",
                workload=str(report.key),
                reason=str(report.why.reason),
                retryable=report.why.retryable,
                evidence=report.why.evidence,
                action=report.why.action,
            )

    def _tell_drift(self, report: WorkloadReport, before: WorkloadReport | None) -> None:
        """Say what somebody has changed live; what the spec has changed is said once it is applied."""
        known = before.plan.changes if before is not None else ()
        for change in report.plan.changes:
            if change not in known and change.cause is not Cause.SPEC:
                self.log.warning(
                    "drift",
                    workload=str(report.key),
                    field=change.field,
                    live=change.live,
                    spec=change.spec,
                    effect=change.effect,
                    cause=str(change.cause),
                    by=change.by,
                    origin=str(change.origin),
                )


def _is_kept(before: WorkloadReport, report: WorkloadReport) -> bool:
    """Whether this very report is kept already: one that was not made again (`known`)."""
    same = before.plan is report.plan and before.health is report.health and before.error is report.error
    return same and not (report.error or report.done)
