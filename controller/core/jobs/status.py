"""How a job stands, in the words that services have too: drift, health, conditions, and `Complete` and `Failed`.

Ready is a job that is complete, or one with a schedule of which nothing is left to do; so whoever depends on a job
waits for its end. Neighbours: `plan` (what is left to do), `state` (what is known), `core.status` (the words).
"""

from controller.core.gaudi.cards import CardSet
from controller.core.jobs.identity import TaskId
from controller.core.jobs.record import Phase, Record
from controller.core.jobs.request import RenderedJob
from controller.core.jobs.state import JobState
from controller.core.pass_report import WorkloadReport
from controller.core.status import Condition, Conditions, Health, HealthState, State, Type
from controller.core.status import conditions as of_services
from controller.core.steps import Drift, Plan, Step
from controller.errors import ControllerError
from controller.reasons import Reason

_FAILED = (Phase.FAILED, Phase.UNKNOWN)


def job_report(
    job: RenderedJob,
    plan: Plan,
    state: JobState,
    *,
    done: tuple[Step, ...] = (),
    error: ControllerError | None = None,
    last_good: bool = False,
) -> WorkloadReport:
    """The report of one job."""
    record = current(job, state)
    running = [task for task in state.tasks if TaskId.of(task.started_by) is not None and task.status == "RUNNING"]
    gaudi = job.spec.gaudi
    doing = health(job, record, plan)
    return WorkloadReport(
        key=job.key,
        plan=plan,
        conditions=conditions(job, record, plan, doing, error),
        health=doing,
        kind=job.workload.document.kind,
        at=job.workload.at,
        tasks=(len(running), job.gang.nodes),
        cards=len(CardSet.of(gaudi).cards) * job.gang.nodes if gaudi else 0,
        done=done,
        error=error,
        last_good=last_good,
    )


def current(job: RenderedJob, state: JobState) -> Record | None:
    """The record of the run that the spec asks for, or of the newest scheduled one."""
    records = state.records(job)
    if job.cron is None:
        return next((one for one in records if one.uid == job.uid()), None)
    return max((one for one in records if one.scheduled is not None), key=lambda one: one.scheduled or 0, default=None)


def health(job: RenderedJob, record: Record | None, plan: Plan) -> Health:
    """How the work is doing."""
    if plan.drift is Drift.UNKNOWN:
        return Health(HealthState.UNKNOWN, "not observed")
    if record is None:
        if job.cron is not None:
            return Health(HealthState.HEALTHY, "waits for its time")
        return Health(HealthState.MISSING, "it has not begun")
    so_far = f"attempt {record.attempt}" + (f", {record.failures} failed" if record.failures else "")
    match record.phase:
        case Phase.COMPLETE:
            return Health(HealthState.HEALTHY, f"complete, {so_far}")
        case Phase.FAILED:
            return Health(HealthState.DEGRADED, f"failed ({record.reason}), {so_far}", _reason(record))
        case Phase.UNKNOWN:
            message = f"nobody saw how it ended, {so_far}; it may be done: set runId to run it again"
            return Health(HealthState.DEGRADED, message, Reason.OUTCOME_UNKNOWN)
        case Phase.STARTED | Phase.STOPPING | Phase.WAITING:
            why = f" ({record.reason})" if record.reason else ""
            return Health(HealthState.PROGRESSING, f"{record.phase}{why}, {so_far}")


def conditions(
    job: RenderedJob, record: Record | None, plan: Plan, doing: Health, error: ControllerError | None
) -> Conditions:
    """The conditions of a job."""
    found = dict(of_services(plan, doing, error))
    phase = record.phase if record is not None else None
    why = _reason(record) if record is not None else Reason.PROGRESSING
    complete = State.TRUE if phase is Phase.COMPLETE else State.FALSE
    failed = State.TRUE if phase in _FAILED else State.FALSE
    found[Type.COMPLETE] = Condition(Type.COMPLETE, complete, why, doing.message if phase is Phase.COMPLETE else "")
    found[Type.FAILED] = Condition(Type.FAILED, failed, why, doing.message if phase in _FAILED else "")
    waits_for_nothing = all(hold.reason in (Reason.SCHEDULED, Reason.COMPLETED) for hold in plan.holds)
    if error is None and not plan.steps and waits_for_nothing and plan.drift is Drift.IN_SYNC:
        if doing.state is HealthState.HEALTHY:
            found.pop(Type.RECONCILING, None)
            found[Type.READY] = Condition(Type.READY, State.TRUE, Reason.IN_SYNC, doing.message)
        elif phase in _FAILED and job.cron is None:
            found.pop(Type.RECONCILING, None)
            found[Type.STALLED] = Condition(Type.STALLED, State.TRUE, why, doing.message)
            found[Type.READY] = Condition(Type.READY, State.FALSE, why, doing.message)
    return found


def _reason(record: Record) -> Reason:
    return Reason(record.reason) if record.reason in set(Reason) else Reason.PROGRESSING
