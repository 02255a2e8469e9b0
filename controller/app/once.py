"""One pass: look, and if asked act, and if asked wait for the rollouts.

Neighbours: `survey` (the look), `reconcile.reconciler` (the act), `core.pass_report` (what is told).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from controller.app.survey import Survey, cluster_name, survey
from controller.aws.ecs import together
from controller.core.desired import Desired, desire
from controller.core.pass_report import PassReport, Verdict, WorkloadReport, settled
from controller.core.render import Settings as RenderSettings
from controller.core.status import Type
from controller.core.workload import Key, Workload
from controller.reconcile.ports import Clock, ReadEcs
from controller.reconcile.reconciler import Reconciler, Result
from controller.settings import Settings
from controller.sources.snapshot import Snapshot, Source

FIRST_POLL: Final = 1.0
POLL: Final = 5.0
"""Seconds between two looks while waiting for rollouts: at first short, then longer."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked of a pass."""

    wait: bool = False
    force: bool = False
    select: Callable[[Workload], bool] = lambda _: True
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
    seen = latest = await one.act(reconciler)
    if not order.wait:
        return replace(one.report(seen), applied=True)
    clock = asyncio.get_running_loop().time
    deadline, pause = clock() + settings.timeout, FIRST_POLL
    # What was written is looked at again before it is believed; only the pauses are cut short, never a write.
    while any(workload.done for workload in latest.workloads) or not _at_rest(latest.workloads):
        order.watch(latest.workloads)
        if clock() >= deadline:
            return replace(one.report(seen), applied=True, unhealthy=True)
        await asyncio.sleep(min(pause, deadline - clock()))
        pause = min(pause * 1.5, order.poll)
        latest = await one.act(reconciler)
        seen = replace(latest, workloads=_merged(seen.workloads, latest.workloads))
    order.watch(latest.workloads)
    unhealthy = not all(settled(workload) for workload in seen.workloads if _waited_for(workload))
    return replace(one.report(seen), applied=True, unhealthy=unhealthy)


def desired_of(found: Snapshot, settings: Settings) -> Desired:
    """What a source revision asks for, under these settings."""
    render = RenderSettings(owner=settings.owner, port_base=settings.port_base)
    return desire(found.files, render, found.problems)


async def _read(source: Source, settings: Settings, order: Order) -> "_Pass":
    found = await source.snapshot()
    return _Pass(found, desired_of(found, settings), settings, order)


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

    async def look(self, ecs: ReadEcs, clock: Clock) -> _Look:
        """Survey everything, and keep the workloads that the user asked for."""
        settings, desired, order = self.settings, self.desired, self.order
        seen = await survey(desired, ecs, clock, owner=settings.owner, clusters=settings.clusters, force=order.force)
        return _Look(seen, tuple(report for key, report in seen.reports.items() if self._asked_for(key)))

    def _asked_for(self, key: Key) -> bool:
        """A service without a spec has no labels: only a pass over everything has it."""
        rendered = self.desired.rendered.get(key)
        if rendered is not None:
            return self.order.select(rendered.workload)
        return all(self.order.select(one.workload) for one in self.desired.rendered.values())

    async def act(self, reconciler: Reconciler) -> _Look:
        """Look, and carry out every plan that has steps, some at once; the others are reported as they were seen."""
        looked = await self.look(reconciler.ecs, reconciler.clock)
        at_once = asyncio.Semaphore(self.settings.workers)

        async def one(report: WorkloadReport) -> WorkloadReport:
            if not report.plan.steps:
                return report
            async with at_once:
                return acted(report, await self._reconcile(reconciler, looked.survey, report.key))

        return replace(looked, workloads=tuple(await together(one(report) for report in looked.workloads)))

    async def _reconcile(self, reconciler: Reconciler, seen: Survey, key: Key) -> Result:
        if key not in self.desired.rendered:
            return await reconciler.remove(key, owned=seen.owned, source=self.desired.health)
        ready = {str(other): settled(report) for other, report in seen.reports.items()}
        return await reconciler.converge(self.desired.rendered[key], ready=ready, force=self.order.force)

    def report(self, seen: _Look) -> PassReport:
        """The report of the pass. A cluster of which nothing was asked for cannot fail it."""
        asked_for = {cluster_name(cluster) for cluster in self.settings.clusters}
        asked_for |= {workload.key.cluster for workload in seen.workloads}
        return PassReport(
            uri=self.found.uri,
            revision=self.found.revision,
            workloads=seen.workloads,
            diagnostics=self.desired.diagnostics,
            files=self.found.files,
            failed={cluster: error for cluster, error in seen.survey.failed.items() if cluster in asked_for},
            wanted=len(self.desired.rendered),
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


def _merged(before: tuple[WorkloadReport, ...], after: tuple[WorkloadReport, ...]) -> tuple[WorkloadReport, ...]:
    """The newer reports, with the steps that were done before."""
    done = {one.key: one.done for one in before}
    return tuple(replace(one, done=(*done.get(one.key, ()), *one.done)) for one in after)


def _waited_for(workload: WorkloadReport) -> bool:
    """Whether waiting is for this workload: not for what is invalid, held back by the user, or on its way out."""
    return workload.verdict not in (Verdict.INVALID, Verdict.DELETE)


def _at_rest(workloads: tuple[WorkloadReport, ...]) -> bool:
    """Whether waiting longer cannot change anything: all is well, or what is not needs a human."""
    return all(settled(one) or not _waited_for(one) or Type.STALLED in one.conditions for one in workloads)
