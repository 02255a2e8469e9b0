"""What is told of one service: the report of a workload, and of a service without a spec.

Neighbours: `pass_report` (the form of all reports), `jobs.status` (the same of a job), `status` (what the conditions
say); called by `app`, for what a survey has seen and for what a worker has done.
"""

from controller.core.gaudi.cards import CardSet
from controller.core.live import LiveService
from controller.core.pass_report import WorkloadReport
from controller.core.plan import Plan
from controller.core.render import Rendered
from controller.core.status import Health, conditions, health
from controller.errors import ControllerError
from controller.reasons import Reason


def report_of(
    rendered: Rendered,
    planned: Plan,
    doing: Health,
    *,
    live: LiveService | None,
    error: ControllerError | None,
    last_good: bool,
) -> WorkloadReport:
    """The report of one workload."""
    gaudi = rendered.workload.document.spec.gaudi
    cards = len(CardSet.of(gaudi).cards) if gaudi else 0
    return WorkloadReport(
        key=rendered.workload.key,
        plan=planned,
        conditions=conditions(planned, doing, error),
        health=doing,
        kind=rendered.workload.document.kind,
        at=rendered.workload.at,
        tasks=(live.running, live.desired) if live else None,
        cards=cards * (live.desired if live else rendered.create.get("desiredCount", 0)),
        error=error,
        last_good=last_good,
    )


def orphan_report(planned: Plan, live: LiveService) -> WorkloadReport:
    """The report of a service without a spec."""
    doing = health(live)
    return WorkloadReport(
        key=planned.key,
        plan=planned,
        conditions=conditions(planned, doing),
        health=doing,
        tasks=(live.running, live.desired),
    )


def waits_for_others(planned: Plan) -> bool:
    """Whether a workload is held back until others are well."""
    return any(hold.reason is Reason.DEPENDENCY_NOT_READY for hold in planned.holds)
