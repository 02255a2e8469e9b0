"""Looking at ECS: a whole cluster at the price of a tenth of a call per service, or one key as it is this moment.

A snapshot is whole or it is not there: any failing page or batch fails it, because half a listing looks like deletions.
What only matters once something differs (who else moves the count, other revisions of the family, the last rollout) is
looked up only then. Neighbours: `ports` (whom to ask), `core.live` (what is answered), `core.plan` (what it is for).
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from controller.core.applied import HISTORY, Applied, revision_hash
from controller.core.compare import compare, content, same_content
from controller.core.live import LiveService, Observation, Revision, ScalableTarget, UnknownScaling, UnknownUse
from controller.core.normalize import digest
from controller.core.ownership import OWNER
from controller.core.render import Rendered
from controller.core.spec import Mode
from controller.errors import ControllerError, Denied
from controller.reconcile.ports import ReadEcs


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The services of a cluster at one moment: the named ones and all that ECS lists."""

    cluster: str
    services: Mapping[str, LiveService] = field(default_factory=dict)
    revisions: Mapping[str, Revision] = field(default_factory=dict)
    """Revisions in use by the named services, by ARN."""
    scaling: Mapping[str, ScalableTarget | UnknownScaling] = field(default_factory=dict)
    """Who else moves the counts that are not as wanted."""

    def observation(self, name: str) -> Observation:
        """What the snapshot knows of one service."""
        return _observation(self.services.get(name), self.revisions, self.scaling.get(name))

    def existing(self) -> Iterable[LiveService]:
        """Services that are there: ACTIVE or DRAINING."""
        return (service for service in self.services.values() if service.status != "INACTIVE")


async def snapshot(
    ecs: ReadEcs, cluster: str, names: Iterable[str], *, listing: bool = True, counts: Mapping[str, int] | None = None
) -> Snapshot:
    """Observe the named services and (`listing`) whatever else the cluster lists: ⌈N/100⌉ ListServices, ⌈N/10⌉
    DescribeServices. `counts` are the wanted tasks by name, where they are managed: of those that differ it is asked
    who else moves them, 50 in a call."""
    wanted = set(names)
    listed = await ecs.service_names(cluster) if listing else ()
    services = await ecs.services(cluster, sorted(wanted.union(listed)))
    await asyncio.sleep(0)  # each of these walks over everything, and nobody else can do anything meanwhile
    used = {one.task_definition for name, one in services.items() if name in wanted and one.status == "ACTIVE"}
    try:
        revisions = await ecs.revisions(used)
    except ControllerError:
        revisions = {}  # `complete` asks again for each workload, so that only those are unknown whose own is not had
    await asyncio.sleep(0)
    return Snapshot(cluster, services, revisions, await _scaling(ecs, cluster, services, counts or {}))


async def observe(ecs: ReadEcs, cluster: str, name: str, *, count: int | None = None) -> Observation:
    """One service as it is now. `count` are the wanted tasks, where they are managed."""
    services = await ecs.services(cluster, [name])
    scaling = await _scaling(ecs, cluster, services, {} if count is None else {name: count})
    return (await _with_revision(ecs, _observation(services.get(name), {}, scaling.get(name)))).opened


async def complete(ecs: ReadEcs, rendered: Rendered, observation: Observation) -> Observation:
    """Add what planning needs once something differs: revisions to reuse, and whether ECS has rolled this one back."""
    observation = await _with_revision(ecs, observation)
    service, register = observation.service, rendered.register
    if service is not None:
        if service.draining:
            return observation
        comparison = compare(rendered, service, observation)
        if not comparison.task_definition_differs:
            return await _with_superfluous(ecs, rendered, observation, observation.revision)
        register = comparison.register
    candidates = await ecs.candidates(rendered.family)
    equal = next((one for one in candidates if one.active and same_content(register, one)), None)
    if equal is None and service is not None and _given_before(rendered, service):
        equal = await ecs.older(rendered.family, lambda one: same_content(register, one))
        candidates = candidates if equal is None else (*candidates, equal)
    rollout = None
    if service is not None and equal is not None:
        rollout = await ecs.rollout(str(rendered.create["cluster"]), service.name, equal.arn)
    observation = replace(observation, candidates=candidates, rollout=rollout)
    return await _with_superfluous(ecs, rendered, observation, equal)


async def _with_revision(ecs: ReadEcs, observation: Observation) -> Observation:
    """With the revision that the service uses. Without it everything would seem to differ."""
    service = observation.service
    if service is None or service.draining or observation.revision is not None:
        return observation
    return replace(observation, revision=await ecs.revision(service.task_definition))


async def _scaling(
    ecs: ReadEcs, cluster: str, services: Mapping[str, LiveService], counts: Mapping[str, int]
) -> dict[str, ScalableTarget | UnknownScaling]:
    """Who else moves the counts that are not as wanted. Not to know it makes nothing else unknown."""
    moved = [
        name
        for name, count in sorted(counts.items())
        if name in services and services[name].status == "ACTIVE" and services[name].desired != count
    ]
    if not moved:
        return {}
    try:
        return dict(await ecs.scalable_targets(cluster.rpartition("/")[2], moved))
    except ControllerError as error:
        return dict.fromkeys(moved, UnknownScaling(str(error)))


def _given_before(rendered: Rendered, service: LiveService) -> bool:
    """Whether the service was given this very task definition before, so that it is worth looking far back for it."""
    return rendered.tags[HISTORY] in Applied.of(service.tags).revisions


async def _with_superfluous(
    ecs: ReadEcs, rendered: Rendered, observation: Observation, wanted: Revision | None
) -> Observation:
    """With the revisions that may be retired, when the spec wants that and a revision is being brought out: what the
    history does not begin with has not been seen to yet. What it begins with is what a rollback would go back to."""
    service, reconcile = observation.service, rendered.workload.service_spec.reconcile
    keep, held = reconcile.keep_revisions, observation.rollout is not None and observation.rollout.failed
    if service is None or keep is None or held or reconcile.mode is not Mode.ENFORCE:
        return observation
    before = next(iter(Applied.of(service.tags).revisions), None)
    if before == rendered.tags[HISTORY]:
        return observation
    others = [arn for arn in await ecs.family(rendered.family) if wanted is None or arn != wanted.arn]
    known = await ecs.revisions(others[keep - 1 :])
    ours = {
        arn
        for arn, one in known.items()
        if one.tags.get(OWNER) == rendered.tags[OWNER] and revision_hash(digest(content(one.wire).members)) != before
    }
    try:
        unused = ours - await ecs.in_use(rendered.family) if ours else ours
    except Denied as error:
        return replace(observation, superfluous=UnknownUse(str(error)))
    return replace(observation, superfluous=tuple(sorted(int(arn.rpartition(":")[2]) for arn in unused)))


def _observation(
    service: LiveService | None,
    revisions: Mapping[str, Revision],
    scaling: ScalableTarget | UnknownScaling | None = None,
) -> Observation:
    if service is None:
        return Observation()
    if service.status == "INACTIVE":
        return Observation(previous=f"{service.created_at:.3f}")
    return Observation(service=service, revision=revisions.get(service.task_definition), scaling=scaling)
