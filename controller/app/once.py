"""One pass: look, and if asked act, and if asked wait for the rollouts.

Neighbours: `survey` (the look), `reconcile.reconciler` (the act), `core.pass_report` (what is told).
"""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from controller.app.jobs import act_on_job, look_at_jobs
from controller.app.survey import Survey, Terms, survey
from controller.aws.ecs import together
from controller.core.desired import Desired, desire
from controller.core.pass_report import PassReport, Verdict, WorkloadReport, settled
from controller.core.prune import Limits, Pass
from controller.core.status import Type, conditions
from controller.core.workload import Key, Workload, cluster_name
from controller.errors import ControllerError, Denied
from controller.reasons import Reason
from controller.reconcile.ports import Clock, ReadEcs
from controller.reconcile.reconciler import Reconciler, Result
from controller.reconcile.rollouts import Rollouts
from controller.reconcile.verdicts import Verdicts
from controller.settings import Settings, rendering
from controller.sources.snapshot import Snapshot, Source

FIRST_POLL: Final = 1.0
POLL: Final = 5.0
"""Seconds between two looks while waiting for rollouts: at first short, then longer."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked of a pass."""

    target: str | None = None
    """Of which account and region, as specs name it."""
    wait: bool = False
    force: bool = False
    select: Callable[[Workload], bool] = lambda _: True
    only: frozenset[Key] | None = None
    """Act on and tell of these alone, services without a spec among them."""
    poll: float = POLL
    watch: Callable[[tuple[WorkloadReport, ...]], None] = lambda _: None
    """Is shown every look while waiting."""


async def look(source: Source, ecs: ReadEcs, clock: Clock, settings: Settings, *, order: Order) -> PassReport:
    """The dry run: what is, and what would be done. It holds a gateway that cannot write."""
    one = await _read(source, settings, order)
    return one.report(await one.look(ecs, clock))


async def apply(source: Source, reconciler: Reconciler, settings: Settings, *, order: Order) -> PassReport:
    """Look, do what is to be done, and look again until all is well or the time is over (`order.wait`)."""
    one = await _read(source, settings, order)
    seen = await one.act(reconciler)
    if not order.wait:
        return replace(one.report(seen), applied=True)
    clock = asyncio.get_running_loop().time
    deadline, pause = clock() + settings.timeout, FIRST_POLL
    # What was written is looked at again before it is believed; only the pauses are cut short, never a write.
    restless = _restless(seen.workloads)
    while restless:
        order.watch(seen.workloads)
        if clock() >= deadline:
            return replace(one.report(seen), applied=True, unhealthy=True)
        await asyncio.sleep(min(pause, deadline - clock()))
        pause = min(pause * 1.5, order.poll)
        latest = await one.act(reconciler, seen, only=restless)
        restless = _restless(latest.workloads)
        seen = _merged(seen, latest)
    order.watch(seen.workloads)
    unhealthy = not all(settled(workload) for workload in seen.workloads if _waited_for(workload))
    return replace(one.report(seen), applied=True, unhealthy=unhealthy)


def terms_of(settings: Settings, found: Snapshot, desired: Desired, *, target: str | None = None) -> Terms:
    """Under which terms a revision is looked at, under these settings."""
    return Terms(
        owner=settings.owner,
        target=target,
        clusters=settings.clusters,
        deadline=settings.timeout,
        limits=Limits(settings.delete_share, settings.delete_shrink, settings.confirm_deletions),
        source=replace(desired.health, revision=found.revision),
    )


def desired_of(found: Snapshot, settings: Settings) -> Desired:
    """What a source revision asks for, under these settings."""
    render = rendering(settings, environment=os.environ, today=datetime.now(UTC).date())
    return desire(found.files, render, found.problems)


async def _read(source: Source, settings: Settings, order: Order) -> "_Pass":
    found = await source.snapshot()
    desired = desired_of(found, settings).of(order.target)
    return _Pass(found, desired, settings, order, Rollouts(settings.max_concurrent_rollouts))


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen, and of it what the user asked for."""

    survey: Survey
    workloads: tuple[WorkloadReport, ...]


@dataclass(frozen=True, slots=True)
class _Pass:
    """One source revision, and what the user wants of it."""

    found: Snapshot
    desired: Desired
    settings: Settings
    order: Order

    rollouts: Rollouts
    deleted: set[Key] = field(default_factory=set)
    """Services whose deletion has begun."""
    verdicts: Verdicts = field(default_factory=Verdicts)

    async def look(
        self, ecs: ReadEcs, clock: Clock, before: _Look | None = None, *, only: Collection[Key] | None = None
    ) -> _Look:
        """Survey everything (or `only` some, of which all others were seen `before`), and keep the workloads that the
        user asked for."""
        terms = replace(
            terms_of(self.settings, self.found, self.desired, target=self.order.target),
            force=self.order.force,
            so_far=Pass(begun=frozenset(self.deleted)),
            ready=_ready(before) if before is not None else {},
        )
        seen = await survey(self.desired, ecs, clock, terms=terms, only=only, verdicts=self.verdicts)
        for key, report in seen.reports.items():
            self.rollouts.saw(key, report.health)
        wanted = [one for key, one in self.desired.jobs.items() if only is None or key in only]
        ready = {**terms.ready, **{key.in_target: settled(report) for key, report in seen.reports.items()}}
        jobs = {one.key: one for one in await look_at_jobs(wanted, ecs, clock, ready=ready)}
        reports = {**jobs, **seen.reports}  # a service that has become a job goes first
        return _Look(seen, tuple(reports[key] for key in sorted(reports) if self._asked_for(key)))

    def _asked_for(self, key: Key) -> bool:
        """A service without a spec has no labels: only a pass over everything has it."""
        if self.order.only is not None:
            return key in self.order.only
        rendered = self.desired.workloads.get(key)
        if rendered is not None:
            return self.order.select(rendered.workload)
        return all(self.order.select(one.workload) for one in self.desired.workloads.values())

    async def act(
        self, reconciler: Reconciler, before: _Look | None = None, *, only: Collection[Key] | None = None
    ) -> _Look:
        """Look, and carry out every plan that has steps, some at once; the others are reported as they were seen."""
        looked = await self.look(reconciler.ecs, reconciler.clock, before, only=only)
        ready = {**(_ready(before) if before is not None else {}), **_ready(looked)}
        at_once = asyncio.Semaphore(self.settings.workers)

        async def one(report: WorkloadReport) -> WorkloadReport:
            if not report.plan.steps:
                return report
            async with at_once:
                return await self._acted(reconciler, report, ready)

        return replace(looked, workloads=tuple(await together(one(report) for report in looked.workloads)))

    async def _acted(self, reconciler: Reconciler, report: WorkloadReport, ready: Mapping[str, bool]) -> WorkloadReport:
        job = self.desired.jobs.get(report.key)
        if job is not None and report.kind == job.workload.document.kind:
            return await act_on_job(job, reconciler.ecs, reconciler.clock, reconciler.recorder, ready=ready)
        try:
            return acted(report, await self._reconcile(reconciler, report.key, ready))
        except Exception as error:  # noqa: BLE001 - the boundary: one poisoned workload must not stop the others
            bug = ControllerError(f"a bug: {report.key} ended with {type(error).__name__}: {error}")
            bug.__cause__ = error
            return replace(report, error=bug, conditions=conditions(report.plan, report.health, bug))

    async def _reconcile(self, reconciler: Reconciler, key: Key, ready: Mapping[str, bool]) -> Result:
        rendered = self.desired.rendered.get(key)
        if rendered is None:
            self.deleted.add(key)
            return await reconciler.remove(key, source=self.desired.health)
        return await reconciler.converge(
            rendered,
            ready=ready,
            force=self.order.force,
            deadline=self.settings.timeout,
            rollouts=self.rollouts,
        )

    def report(self, seen: _Look) -> PassReport:
        """The report of the pass. A cluster of which nothing was asked for cannot fail it."""
        asked_for = {cluster_name(cluster) for cluster in self.settings.clusters}
        asked_for |= {workload.key.cluster for workload in seen.workloads}
        where = f"{self.order.target}:" if self.order.target else ""
        return PassReport(
            uri=self.found.uri,
            revision=self.found.revision,
            workloads=seen.workloads,
            diagnostics=self.desired.diagnostics,
            files=self.found.files,
            failed={
                f"{where}{cluster}": error for cluster, error in seen.survey.failed.items() if cluster in asked_for
            },
            wanted=len(self.desired.workloads),
            unnamed=len(self.desired.broken_files),
        )


def acted(report: WorkloadReport, result: Result) -> WorkloadReport:
    """A workload's report after it was reconciled."""
    return replace(
        report,
        plan=result.settled,
        conditions=result.conditions,
        health=result.health,
        tasks=(result.live.running, result.live.desired) if result.live else report.tasks,
        done=result.done,
        error=result.error,
    )


def _merged(before: _Look, after: _Look) -> _Look:
    """What is known after a look at some: their newer reports, with the steps that were done before."""
    known = {one.key: one for one in before.workloads if one.key not in after.survey.gone}
    for one in after.workloads:
        done = known[one.key].done if one.key in known else ()
        known[one.key] = replace(one, done=(*done, *one.done))
    failed = {**before.survey.failed, **after.survey.failed}
    seen = {one.key.cluster for one in after.workloads if one.error is None}
    survey = replace(after.survey, failed={cluster: error for cluster, error in failed.items() if cluster not in seen})
    return _Look(survey, tuple(known[key] for key in sorted(known)))


def _ready(seen: _Look) -> dict[str, bool]:
    return {report.key.in_target: settled(report) for report in (*seen.survey.reports.values(), *seen.workloads)}


_NOT_WAITED_FOR: Final = frozenset(
    {
        *(Reason.SUSPENDED, Reason.NOTIFY_ONLY, Reason.RECONCILE_OFF, Reason.DELETE_HELD, Reason.REPLACE_REQUIRED),
        *(Reason.NOT_OWNED, Reason.OWNED_BY_ANOTHER, Reason.FOREIGN_CONTROLLER),
    }
)
"""Holds that say: not without somebody's word."""


def _waited_for(workload: WorkloadReport) -> bool:
    """Whether waiting is for this workload: not for what is invalid, held back until somebody says otherwise, or on
    its way out."""
    if workload.verdict in (Verdict.INVALID, Verdict.DELETE):
        return False
    return not any(hold.reason in _NOT_WAITED_FOR for hold in workload.plan.holds)


def _restless(workloads: tuple[WorkloadReport, ...]) -> frozenset[Key]:
    """Workloads that are worth another look: what was written is looked at before it is believed, and what is not well
    may become so by itself, unless it needs a human."""
    return frozenset(
        one.key
        for one in workloads
        if not _needs_a_human(one) and (one.done or (_waited_for(one) and not settled(one)))
    )


def _needs_a_human(workload: WorkloadReport) -> bool:
    return Type.STALLED in workload.conditions or isinstance(workload.error, Denied)
