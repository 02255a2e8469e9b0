"""The jobs of a pass: each is looked at, and where asked for carried out, some at once.

A job that cannot be looked at, or on which our own code stumbles, is unknown and stops no other. Neighbours: `once`
(the pass), `reconcile.jobs` (one job), `core.jobs.status` (what is told).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from controller.aws.together import together
from controller.core.desired import Desired
from controller.core.jobs.plan import NO_ROOM, JobGuards
from controller.core.jobs.request import RenderedJob
from controller.core.jobs.state import JobState
from controller.core.jobs.status import job_report
from controller.core.pass_report import WorkloadReport
from controller.core.prune import SourceHealth, doubt
from controller.core.spec import Mode, OnDelete
from controller.core.status import HealthState
from controller.core.steps import Drift, Plan
from controller.core.workload import Key
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.reconcile.jobs import JobReconciler, observe_job, plan_here
from controller.reconcile.ports import Clock, Ecs, ReadEcs, Recorder
from controller.reconcile.reconciler import Reconciler

AT_ONCE: Final = 8
"""Jobs that are looked at together."""
MOST_REMOVED: Final = 1
"""Jobs whose tasks are stopped in one look, because their spec is gone."""
POLL: Final = 10.0
"""Seconds between two looks of the daemon."""
BREATH: Final = 2.0
"""Seconds between two looks although something was heard: the tasks of a gang begin and end together."""


async def look_at_jobs(
    jobs: Iterable[RenderedJob], ecs: ReadEcs, clock: Clock, *, ready: Mapping[str, bool], behind: str | None = None
) -> list[WorkloadReport]:
    """A report for each job. Writes nothing."""

    async def one(job: RenderedJob) -> WorkloadReport:
        try:
            state = await observe_job(ecs, ecs.tasks, job, fresh=False)
            return job_report(job, await plan_here(ecs, job, state, JobGuards(clock.now(), ready, behind)), state)
        except ControllerError as error:
            return _unknown(job, error)
        except Exception as error:  # noqa: BLE001 - the boundary: one poisoned job must not hide the others
            return _unknown(job, _bug(job, error))

    waiting, found = list(jobs), []
    for start in range(0, len(waiting), AT_ONCE):
        found += await together(one(job) for job in waiting[start : start + AT_ONCE])
    return found


async def act_on_job(
    job: RenderedJob,
    ecs: Ecs,
    clock: Clock,
    recorder: Recorder,
    *,
    ready: Mapping[str, bool],
    behind: str | None = None,
) -> WorkloadReport:
    """Do what a job needs now, and look at it once more."""
    try:
        result = await JobReconciler(ecs, ecs.tasks, clock, recorder).converge(job, ready=ready, behind=behind)
        if result.error is not None:
            return job_report(job, result.plan, result.state, done=result.done, error=result.error)
        (after,) = await look_at_jobs([job], ecs, clock, ready=ready, behind=behind)
        return replace(after, done=result.done)
    except Exception as error:  # noqa: BLE001 - the boundary, as above
        return _unknown(job, _bug(job, error))


def _unknown(job: RenderedJob, error: ControllerError) -> WorkloadReport:
    return job_report(job, Plan(job.key, Drift.UNKNOWN), JobState(), error=error)


def _bug(job: RenderedJob, error: Exception) -> ControllerError:
    bug = ControllerError(f"a bug: {job.key} ended with {type(error).__name__}: {error}")
    bug.__cause__ = error
    return bug


@dataclass(slots=True)
class Jobs:
    """The jobs of a running daemon, one after the other and again and again.

    Those of a cluster get room in the order in which they were first seen, by name within one revision: while one finds
    no room, those behind it do not ask, so that a large gang is not starved by small ones. A job that is over is not
    looked at again until its spec changes.
    """

    reconciler: Reconciler
    desired: Callable[[], Desired]
    ready: Callable[[], Mapping[str, bool]]
    keep: Callable[[WorkloadReport, str], object]
    """Told of every report, with the digest of its spec."""
    log: Any
    source: Callable[[], SourceHealth]
    """What may be believed about what it does not name."""
    _named: dict[Key, RenderedJob] = field(default_factory=dict)
    """Every job that was named since the start and is not done with."""
    _queue: dict[Key, None] = field(default_factory=dict)
    """In the order of their first sight."""
    _over: dict[Key, str] = field(default_factory=dict)
    """Jobs of which nothing is to be done any more → digest of their spec."""
    _idle: set[Key] = field(default_factory=set)
    """Jobs that were seen to have no task."""
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Work until cancelled. A job that was cut off in the middle goes on where it was: that is what its plan is
        for."""
        while True:
            self._woken.clear()
            try:
                await self.once()
            except Exception as error:  # the boundary: services are kept in line all the same
                self.log.error("crashed", workload=None, exc_info=error)  # noqa: TRY400 - as the daemon says it
            await asyncio.sleep(BREATH)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL - BREATH):
                    await self._woken.wait()

    def wake(self) -> None:
        """A task of some job has begun or ended: look soon."""
        self._woken.set()

    async def once(self) -> None:
        """Give every job that needs it a hand."""
        jobs = self.desired().jobs
        await self._remove(jobs)
        self._queue = {key: None for key in self._queue if key in jobs}
        self._queue |= dict.fromkeys(sorted(jobs.keys() - self._queue.keys()))
        first: dict[str, Key] = {}
        for key in self._queue:
            job, ahead = jobs[key], first.get(key.cluster)
            if self._over.get(key) == job.digest or (ahead is not None and key in self._idle):
                continue
            behind = str(ahead) if ahead is not None else None
            report = await act_on_job(
                job,
                self.reconciler.ecs,
                self.reconciler.clock,
                self.reconciler.recorder,
                ready=self.ready(),
                behind=behind,
            )
            self._take(job, report)
            if ahead is None and _without_room(report):
                first[key.cluster] = key

    async def _remove(self, jobs: Mapping[Key, RenderedJob]) -> None:
        """Stop what runs of jobs whose spec has gone while this process watched. A doubt about the source stops
        nothing, and neither does `onDelete: orphan` or a suspension."""
        self._named |= jobs
        gone = [job for key, job in self._named.items() if key not in jobs and key not in self.desired().invalid]
        if not gone or doubt(self.source()) is not None:
            return
        now = self.reconciler.clock.now()
        for job in gone[:MOST_REMOVED]:
            told = job.spec.reconcile
            held = told.suspend is not None and told.suspend.active(now)
            if told.mode is Mode.ENFORCE and told.on_delete is OnDelete.DELETE and not held:
                ecs = self.reconciler.ecs
                removing = JobReconciler(ecs, ecs.tasks, self.reconciler.clock, self.reconciler.recorder)
                try:
                    stopped = await removing.remove(job)
                except ControllerError as error:
                    self.log.warning("reconcile failed", workload=str(job.key), reason=error.reason, error=str(error))
                    continue
                self.log.warning("deleted", workload=str(job.key), tasks=list(stopped))
            if not held:
                del self._named[job.key]
                self._over.pop(job.key, None)

    def _take(self, job: RenderedJob, report: WorkloadReport) -> None:
        key, running = job.key, report.health.state is HealthState.PROGRESSING
        self._idle = {*self._idle, key} if not running or _without_room(report) else self._idle - {key}
        over = job.cron is None and report.error is None and not report.plan.steps and not report.plan.holds
        if over and report.health.state in (HealthState.HEALTHY, HealthState.DEGRADED):
            self._over[key] = job.digest
        if report.error is not None:
            self.log.warning("reconcile failed", workload=str(key), reason=report.error.reason, error=str(report.error))
        self.keep(report, job.digest)


def _without_room(report: WorkloadReport) -> bool:
    """Whether a job was refused for want of room, or waits for its turn."""
    reasons = {hold.reason for hold in report.plan.holds}
    last = report.health.message
    return Reason.NO_CAPACITY in reasons or any(f"({reason})" in last for reason in NO_ROOM)
