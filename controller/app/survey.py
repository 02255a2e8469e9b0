"""One look at everything: the desired state beside the clusters, workload by workload. It writes nothing.

The dry run is this and no more; applying and the daemon start from it. Each cluster is observed by itself: one that
cannot be read makes its own workloads unknown and no others. Neighbours: `core.desired` (what is wanted),
`reconcile.observe` (what is there), `core.plan` and `core.prune` (what to do about it).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.aws.ecs import together
from controller.core.desired import Desired
from controller.core.gaudi.cards import CardSet
from controller.core.live import LiveService, Observation
from controller.core.pass_report import WorkloadReport, settled
from controller.core.plan import Drift, Guards, Plan, plan
from controller.core.prune import orphans_of, plan_orphans
from controller.core.render import Rendered
from controller.core.status import Health, HealthState, conditions, health, invalid
from controller.core.workload import Key
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.reconcile.observe import Snapshot, complete, snapshot
from controller.reconcile.ports import Clock, ReadEcs


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found: a report for each workload, and for each service that carries our tag without a spec."""

    reports: Mapping[Key, WorkloadReport]
    owned: int
    """Services that carry our owner tag, in all clusters that were observed."""
    failed: Mapping[str, ControllerError]
    """Clusters that could not be observed."""


async def survey(
    desired: Desired, ecs: ReadEcs, clock: Clock, *, owner: str, clusters: Iterable[str], force: bool = False
) -> Survey:
    """Observe every cluster that the specs or `clusters` name, and plan every workload."""
    members: defaultdict[str, dict[Key, Rendered]] = defaultdict(dict)
    for cluster in clusters:
        members[cluster_name(cluster)] = {}
    for key, rendered in desired.rendered.items():
        members[key.cluster][key] = rendered
    outcomes = await together(_cluster(ecs, cluster, workloads) for cluster, workloads in sorted(members.items()))
    failed: dict[str, ControllerError] = {}
    snapshots: dict[str, Snapshot] = {}
    observations: dict[Key, Observation] = {}
    for cluster, found in zip(sorted(members), outcomes, strict=True):
        if isinstance(found, ControllerError):
            failed[cluster] = found
        else:
            snapshots[cluster], seen = found
            observations |= seen
    guards = Guards(now=clock.now(), owner=owner, force=force)
    reports = {key: _report(desired, key, observations, failed, guards) for key in sorted(desired.rendered)}
    ready = {str(key): settled(report) for key, report in reports.items()}
    guards = Guards(now=guards.now, owner=owner, ready=ready, force=force)
    for key, report in reports.items():
        if any(hold.reason is Reason.DEPENDENCY_NOT_READY for hold in report.plan.holds):
            reports[key] = _report(desired, key, observations, failed, guards)
    reports |= _invalid(desired, reports)
    owned = sum(live.ownership.owner == owner for one in snapshots.values() for live in one.existing())
    reports |= _orphans(desired, snapshots, owner=owner, owned=owned)
    return Survey(dict(sorted(reports.items())), owned, failed)


def cluster_name(cluster: str) -> str:
    """The name of a cluster that is given by name or ARN."""
    return cluster.rpartition("/")[2]


async def _cluster(
    ecs: ReadEcs, cluster: str, workloads: Mapping[Key, Rendered]
) -> tuple[Snapshot, dict[Key, Observation]] | ControllerError:
    """A cluster's snapshot and what it says of each workload, completed where something differs."""
    address = next((str(one.create["cluster"]) for one in workloads.values()), cluster)
    try:
        found = await snapshot(ecs, address, (key.name for key in workloads))
        completed = await together(
            complete(ecs, rendered, found.observation(key.name)) for key, rendered in workloads.items()
        )
    except ControllerError as error:
        return error
    return found, dict(zip(workloads, completed, strict=True))


def _report(
    desired: Desired,
    key: Key,
    observations: Mapping[Key, Observation],
    failed: Mapping[str, ControllerError],
    guards: Guards,
) -> WorkloadReport:
    rendered = desired.rendered[key]
    error = failed.get(key.cluster)
    if error is not None:
        planned, live, doing = Plan(key, Drift.UNKNOWN), None, Health(HealthState.UNKNOWN, "not observed")
    else:
        observation = observations[key]
        live = observation.service
        planned, doing = plan(rendered, observation, guards), health(live)
    return report_of(rendered, planned, doing, live=live, error=error, last_good=key in desired.last_good)


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
        at=rendered.workload.tree.span,
        tasks=(live.running, live.desired) if live else None,
        cards=cards * (live.desired if live else rendered.create.get("desiredCount", 0)),
        error=error,
        last_good=last_good,
    )


def _invalid(desired: Desired, reports: Mapping[Key, WorkloadReport]) -> dict[Key, WorkloadReport]:
    """Invalid documents whose key is known and for which no last good version stands in."""
    return {
        key: WorkloadReport(
            key=key,
            plan=Plan(key, Drift.INVALID),
            conditions=invalid(finding.message for finding in findings),
            health=Health(HealthState.UNKNOWN, "not observed"),
        )
        for key, findings in desired.invalid.items()
        if key not in reports
    }


def _orphans(
    desired: Desired, snapshots: Mapping[str, Snapshot], *, owner: str, owned: int
) -> dict[Key, WorkloadReport]:
    wanted = {*desired.rendered, *desired.invalid}
    orphans: dict[Key, LiveService] = {}
    for cluster, found in snapshots.items():
        orphans |= orphans_of(found.existing(), cluster=cluster_name(cluster), target=None, owner=owner, wanted=wanted)
    plans = plan_orphans(orphans, owned=owned, source=desired.health)
    return {
        planned.key: WorkloadReport(
            key=planned.key,
            plan=planned,
            conditions=conditions(planned, health(orphans[planned.key])),
            health=health(orphans[planned.key]),
            tasks=(orphans[planned.key].running, orphans[planned.key].desired),
        )
        for planned in plans
    }
