"""One look at everything, or at some: the desired state beside the clusters, workload by workload. It writes nothing.

The dry run is this and no more; applying and the daemon start from it. What cannot be observed stays where it is: a
cluster that cannot be read makes its own workloads unknown and no others, and so does a workload of which something is
missing or on which our own code stumbles. Between two workloads the event loop gets its turn, because a lease and
probes live on it too. Neighbours: `core.desired` (what is wanted), `reconcile.observe` (what is there), `core.plan`
and `core.prune` (what to do about it).
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from controller.app.known import Basis, KnownReports, fingerprint, is_plain, stands_by_itself
from controller.aws.client import with_events
from controller.aws.ecs import together
from controller.core.desired import Desired
from controller.core.live import LiveService, Observation
from controller.core.pass_report import WorkloadReport, settled
from controller.core.plan import Drift, Guards, Plan, plan
from controller.core.prune import Limits, Pass, SourceHealth, orphans_of, plan_orphans
from controller.core.service_report import orphan_report, report_of, waits_for_others
from controller.core.status import Deadline, Health, HealthState, health, invalid
from controller.core.steps import nobody
from controller.core.stopped import explained, inquiry
from controller.core.workload import Key, cluster_name
from controller.errors import ControllerError
from controller.reconcile.observe import Snapshot, complete, snapshot
from controller.reconcile.ports import Clock, ReadEcs
from controller.reconcile.verdicts import Verdicts

AT_ONCE: Final = 8
"""Workloads that are looked up at once, where more than the snapshot is needed."""
FREED_AT_ONCE: Final = 200
"""Observations that are let go before others get their turn: about two milliseconds."""
EVENTS: Final = 5
"""Events of each service that are looked through for what keeps a rollout."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a look is taken, beside what is wanted."""

    owner: str
    target: str | None = None
    """The account and region that is looked at, as keys name it."""
    clusters: tuple[str, ...] = ()
    """Clusters that are searched for services without a spec, besides those of the specs."""
    force: bool = False
    deadline: float | None = None
    """Seconds after which a deployment that is not done is degraded."""
    limits: Limits = field(default_factory=Limits)
    so_far: Pass = field(default_factory=Pass)
    ready: Mapping[str, bool] = field(default_factory=dict)
    """Workloads that are not looked at → whether they are in sync and healthy."""
    callers: Callable[[Key, str], str | None] = nobody
    """Who has set a member of a service live, where that was seen."""
    source: SourceHealth | None = None
    """What deletions may rely on; by default what the desired state says of itself."""
    stale: Callable[[Key, Observation], bool] = lambda _key, _seen: False
    """Whether an observation is older than our own last write."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found: a report for each workload, and for each service that carries our tag without a spec."""

    reports: Mapping[Key, WorkloadReport]
    owned: int
    """Services that carry our owner tag, in all clusters that were observed."""
    failed: Mapping[str, ControllerError]
    """Clusters that could not be observed."""
    stale: frozenset[Key] = frozenset()
    """Workloads of which ECS still shows what was before our last write."""
    gone: frozenset[Key] = frozenset()
    """Services without a spec that were asked for and are no more."""


async def survey(
    desired: Desired,
    ecs: ReadEcs,
    clock: Clock,
    *,
    terms: Terms,
    only: Collection[Key] | None = None,
    known: KnownReports | None = None,
    verdicts: Verdicts | None = None,
) -> Survey:
    """Observe every cluster that the specs or the terms name, and plan every workload.

    With `only` these keys are looked at and nothing is listed: for what rolls out or drains. Then a service without a
    spec has a report only once its deletion is under way, because what else becomes of it depends on all others.
    Reports that are `known` and still stand are not made again; those that will stand are remembered there. Why a
    workload is not well is asked of its stopped tasks, where `verdicts` do not tell already.
    """
    guards = Guards(now=clock.now(), owner=terms.owner, force=terms.force, callers=terms.callers)
    known, verdicts = known if known is not None else KnownReports(), verdicts if verdicts is not None else Verdicts()
    look = _Look(desired, ecs, terms, guards, known, verdicts)
    with with_events(EVENTS):
        seen = await look.survey(only)
    await look.let_go()
    return seen


def _order(key: Key) -> tuple[str, str, str]:
    """The order of keys, for sorting many: comparing two of them costs ten times as much."""
    return (key.cluster, key.name, key.target or "")


@dataclass(slots=True)
class _Look:
    """One survey while it is being made."""

    desired: Desired
    ecs: ReadEcs
    terms: Terms
    guards: Guards
    known: KnownReports
    verdicts: Verdicts
    failed: dict[str, ControllerError] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    observations: dict[Key, Observation] = field(default_factory=dict)
    """Of workloads, completed where something differs."""
    reports: dict[Key, WorkloadReport] = field(default_factory=dict)
    stale: set[Key] = field(default_factory=set)

    async def survey(self, only: Collection[Key] | None) -> Survey:
        """Everything in order. Between two walks over all keys the loop has its turn (`sleep(0)`): a lease and probes
        live on it too, and nobody else holds what is changed here."""
        names = self._names(only)
        await together(self._observe(cluster, names[cluster], listing=only is None) for cluster in sorted(names))
        wanted = (key for key in self.desired.rendered if only is None or key in only)
        keys = sorted(wanted, key=_order)
        await asyncio.sleep(0)
        await self._in_lanes(keys, self._look_at)
        await self._look_again_at_dependents()
        await asyncio.sleep(0)
        orphans = self._orphans()
        await asyncio.sleep(0)
        owned = self._owned()
        await asyncio.sleep(0)
        if only is None:
            invalid = self._invalid()
            for key in invalid:
                self._note_age(key)
            self.reports |= invalid
            self.reports |= self._plans_of(orphans, owned)
            await asyncio.sleep(0)
            self.known.keep_only(self.desired.rendered.keys())
            await asyncio.sleep(0)
            self.verdicts.keep_only(self.desired.rendered.keys())
        else:
            self.reports |= self._plans_of({key: live for key, live in orphans.items() if live.draining}, owned)
        gone = {key for key in only or () if key.cluster in self.snapshots and self._is_gone(key)}
        await asyncio.sleep(0)
        reports = {key: self.reports[key] for key in sorted(self.reports, key=_order)}
        return Survey(reports, owned, self.failed, frozenset(self.stale), frozenset(gone))

    async def let_go(self) -> None:
        """Free what was seen, little by little: to free the answers of a whole fleet at once stops the loop for as long
        as to read a tenth of it."""
        held = [*self.observations.values(), *(live for one in self.snapshots.values() for live in one.existing())]
        self.observations.clear()
        self.snapshots.clear()
        while held:
            del held[-FREED_AT_ONCE:]
            await asyncio.sleep(0)

    def _names(self, only: Collection[Key] | None) -> Mapping[str, set[str]]:
        """Cluster → names to ask for."""
        names: defaultdict[str, set[str]] = defaultdict(set)
        if only is None:
            for cluster in self.terms.clusters:
                names[cluster_name(cluster)] = set()
        for key in self.desired.rendered if only is None else only:
            names[key.cluster].add(key.name)
        return names

    async def _observe(self, cluster: str, names: set[str], *, listing: bool) -> None:
        try:
            address, counts = self._address(cluster), self._counts(cluster, names)
            await asyncio.sleep(0)
            self.snapshots[cluster] = await snapshot(self.ecs, address, names, listing=listing, counts=counts)
        except ControllerError as error:
            self.failed[cluster] = error

    def _counts(self, cluster: str, names: set[str]) -> dict[str, int]:
        """Wanted tasks by name, where their number is managed."""
        wanted = {key.name: one.count for key, one in self.desired.rendered.items() if key.cluster == cluster}
        return {name: count for name, count in wanted.items() if count is not None and name in names}

    def _address(self, cluster: str) -> str:
        """The cluster as its specs name it: an ARN where they do."""
        addresses = (str(one.create["cluster"]) for key, one in self.desired.rendered.items() if key.cluster == cluster)
        return next(addresses, cluster)

    async def _in_lanes(self, keys: Iterable[Key], work: Callable[[Key], Awaitable[None]]) -> None:
        """Work through the keys, some at once; the loop gets its turn after each."""
        waiting = iter(keys)

        async def lane(mine: Iterator[Key]) -> None:
            for key in mine:
                await work(key)
                await asyncio.sleep(0)

        await together(lane(waiting) for _ in range(AT_ONCE))

    # Workloads
    # --------------------------------------------------------------------------------------------------------------

    async def _look_at(self, key: Key) -> None:
        failed = self.failed.get(key.cluster)
        if failed is not None:
            self.reports[key] = self._unknown(key, failed)
            return
        try:
            seen = self.snapshots[key.cluster].observation(key.name)
            self.reports[key] = self._standing(key, seen) or await self._made(key, seen)
            self._note_age(key)
        except ControllerError as error:
            self.reports[key] = self._unknown(key, error)
        except Exception as error:  # noqa: BLE001 - the boundary: one poisoned workload must not hide the others
            bug = ControllerError(f"a bug: looking at {key} ended with {type(error).__name__}: {error}")
            bug.__cause__ = error
            self.reports[key] = self._unknown(key, bug)

    def _standing(self, key: Key, seen: Observation) -> WorkloadReport | None:
        """The report of the last look, where it still stands."""
        basis = self._basis(key, seen) if key in self.known else None
        report = self.known.get(key, basis) if basis is not None else None
        if report is not None:
            self.observations[key] = seen
        return report

    async def _made(self, key: Key, seen: Observation) -> WorkloadReport:
        """A new report."""
        full = await complete(self.ecs, self.desired.rendered[key], seen.opened)
        seen = replace(full, service=seen.service, revision=seen.revision or full.revision)  # as it is held
        self.observations[key] = seen
        report = await self._explained(key, self._planned(key, self.guards))
        if stands_by_itself(report) and (basis := self._basis(key, seen)) is not None:
            self.known.put(key, basis, report)
        else:
            self.known.forget(key)
        return report

    def _basis(self, key: Key, seen: Observation) -> Basis | None:
        """What a report follows from, where nothing but the service and its revision was observed."""
        if seen.service is None or seen.revision is None or not is_plain(seen):
            return None
        return Basis(
            rendered=self.desired.rendered[key],
            service=fingerprint(seen.service),
            revision=seen.revision,
            owner=self.terms.owner,
            force=self.terms.force,
            last_good=key in self.desired.last_good,
        )

    def _note_age(self, key: Key) -> None:
        if self.terms.stale(key, self._observation(key)):
            self.stale.add(key)

    def _unknown(self, key: Key, error: ControllerError) -> WorkloadReport:
        nothing = Health(HealthState.UNKNOWN, "not observed")
        return self._report(key, Plan(key, Drift.UNKNOWN), nothing, live=None, error=error)

    async def _look_again_at_dependents(self) -> None:
        """Plan anew what waits for others, now that it is known how those are."""
        waiting = [key for key, report in self.reports.items() if waits_for_others(report.plan)]
        if not waiting:
            return
        ready = {**self.terms.ready, **{key.in_target: settled(report) for key, report in self.reports.items()}}
        guards = replace(self.guards, ready=ready)

        async def plan_anew(key: Key) -> None:
            self.reports[key] = await self._explained(key, self._planned(key, guards))

        await self._in_lanes(waiting, plan_anew)

    async def _explained(self, key: Key, report: WorkloadReport) -> WorkloadReport:
        """The report with what stopped tasks tell, where the workload is not well."""
        observation = self.observations[key]
        live, asked = observation.service, inquiry(report, observation, self.guards.now)
        if live is None or asked is None:
            self.verdicts.forget(key)
            return report
        cluster = self._address(key.cluster)
        found = await self.verdicts.about(self.ecs, key, live, asked, cluster=cluster, now=self.guards.now)
        return explained(report, live, found)

    def _planned(self, key: Key, guards: Guards) -> WorkloadReport:
        held = self.observations[key]
        observation = held.opened
        live = observation.service
        limit = Deadline(guards.now, self.terms.deadline) if self.terms.deadline is not None else None
        planned = plan(self.desired.rendered[key], observation, guards)
        report = self._report(key, planned, health(live, limit), live=live, error=None)
        differs = planned.changes or planned.drift is Drift.MISSING
        return replace(report, compared=(self.desired.rendered[key], held)) if differs else report

    def _report(
        self, key: Key, planned: Plan, doing: Health, *, live: LiveService | None, error: ControllerError | None
    ) -> WorkloadReport:
        rendered, last_good = self.desired.rendered[key], key in self.desired.last_good
        return report_of(rendered, planned, doing, live=live, error=error, last_good=last_good)

    def _invalid(self) -> dict[Key, WorkloadReport]:
        """Invalid documents whose key is known and for which no last good version stands in."""
        return {
            key: WorkloadReport(
                key=key,
                plan=Plan(key, Drift.INVALID),
                conditions=invalid(finding.message for finding in findings if finding.is_error),
                health=Health(HealthState.UNKNOWN, "not observed"),
            )
            for key, findings in self.desired.invalid.items()
            if key not in self.reports
        }

    # Services without a spec
    # --------------------------------------------------------------------------------------------------------------

    def _orphans(self) -> dict[Key, LiveService]:
        wanted = {*self.desired.rendered, *self.desired.invalid}
        orphans: dict[Key, LiveService] = {}
        for cluster, found in self.snapshots.items():
            names = {key.name for key in wanted if (key.cluster, key.target) == (cluster, self.terms.target)}
            others = (live for live in found.existing() if live.name not in names)
            orphans |= orphans_of(
                others, cluster=cluster, target=self.terms.target, owner=self.terms.owner, wanted=wanted
            )
        return orphans

    def _owned(self) -> int:
        existing = (live for one in self.snapshots.values() for live in one.existing())
        return sum(live.owner == self.terms.owner for live in existing)

    def _plans_of(self, orphans: Mapping[Key, LiveService], owned: int) -> dict[Key, WorkloadReport]:
        plans = plan_orphans(
            orphans,
            owned=owned,
            source=self.terms.source or self.desired.health,
            now=self.guards.now,
            limits=self.terms.limits,
            so_far=self.terms.so_far,
        )
        for planned in plans:
            self._note_age(planned.key)
        return {planned.key: orphan_report(planned, orphans[planned.key]) for planned in plans}

    def _observation(self, key: Key) -> Observation:
        """What was seen of a key, of a service without a spec too."""
        known = self.observations.get(key)
        if known is not None or key.cluster not in self.snapshots:
            return known or Observation()
        return self.snapshots[key.cluster].observation(key.name)

    def _is_gone(self, key: Key) -> bool:
        wanted = key in self.desired.rendered or key in self.desired.invalid
        return not wanted and self._observation(key).service is None
