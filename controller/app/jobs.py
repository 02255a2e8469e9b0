"""The jobs of a pass: each is looked at, and where asked for carried out, some at once.

A job that cannot be looked at, or on which our own code stumbles, is unknown and stops no other. Neighbours: `once`
(the pass), `reconcile.jobs` (one job), `core.jobs.status` (what is told).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from controller.aws.together import together
from controller.core.jobs.plan import JobGuards, plan_job
from controller.core.jobs.request import RenderedJob
from controller.core.jobs.state import JobState
from controller.core.jobs.status import job_report
from controller.core.pass_report import WorkloadReport
from controller.core.steps import Drift, Plan
from controller.errors import ControllerError
from controller.reconcile.jobs import JobReconciler, observe_job
from controller.reconcile.ports import Clock, Ecs, ReadEcs, Recorder

AT_ONCE: Final = 8
"""Jobs that are looked at together."""


async def look_at_jobs(
    jobs: Iterable[RenderedJob], ecs: ReadEcs, clock: Clock, *, ready: Mapping[str, bool]
) -> list[WorkloadReport]:
    """A report for each job. Writes nothing."""

    async def one(job: RenderedJob) -> WorkloadReport:
        try:
            state = await observe_job(ecs, ecs.tasks, job, fresh=False)
            return job_report(job, plan_job(job, state, JobGuards(clock.now(), ready)), state)
        except ControllerError as error:
            return _unknown(job, error)
        except Exception as error:  # noqa: BLE001 - the boundary: one poisoned job must not hide the others
            return _unknown(job, _bug(job, error))

    waiting, found = list(jobs), []
    for start in range(0, len(waiting), AT_ONCE):
        found += await together(one(job) for job in waiting[start : start + AT_ONCE])
    return found


async def act_on_job(
    job: RenderedJob, ecs: Ecs, clock: Clock, recorder: Recorder, *, ready: Mapping[str, bool]
) -> WorkloadReport:
    """Do what a job needs now, and look at it once more."""
    try:
        result = await JobReconciler(ecs, ecs.tasks, clock, recorder).converge(job, ready=ready)
        if result.error is not None:
            return job_report(job, result.plan, result.state, done=result.done, error=result.error)
        (after,) = await look_at_jobs([job], ecs, clock, ready=ready)
        return replace(after, done=result.done)
    except Exception as error:  # noqa: BLE001 - the boundary, as above
        return _unknown(job, _bug(job, error))


def _unknown(job: RenderedJob, error: ControllerError) -> WorkloadReport:
    return job_report(job, Plan(job.key, Drift.UNKNOWN), JobState(), error=error)


def _bug(job: RenderedJob, error: Exception) -> ControllerError:
    bug = ControllerError(f"a bug: {job.key} ended with {type(error).__name__}: {error}")
    bug.__cause__ = error
    return bug
