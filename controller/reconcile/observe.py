"""Looking at ECS: a whole cluster at the price of a tenth of a call per service, or one key as it is this moment.

A snapshot is whole or it is not there: any failing page or batch fails it, because half a listing looks like deletions.
What only matters once something differs (other revisions of the family, the last rollout) is looked up only then.
Neighbours: `ports` (whom to ask), `core.live` (what is answered), `core.plan` (what it is for).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from controller.core.compare import compare, same_content
from controller.core.live import LiveService, Observation, Revision
from controller.core.render import Rendered
from controller.errors import ControllerError
from controller.reconcile.ports import ReadEcs


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The services of a cluster at one moment: the named ones and all that ECS lists."""

    cluster: str
    services: Mapping[str, LiveService] = field(default_factory=dict)
    revisions: Mapping[str, Revision] = field(default_factory=dict)
    """Revisions in use by the named services, by ARN."""

    def observation(self, name: str) -> Observation:
        """What the snapshot knows of one service."""
        return _observation(self.services.get(name), self.revisions)

    def existing(self) -> Iterable[LiveService]:
        """Services that are there: ACTIVE or DRAINING."""
        return (service for service in self.services.values() if service.status != "INACTIVE")


async def snapshot(ecs: ReadEcs, cluster: str, names: Iterable[str], *, listing: bool = True) -> Snapshot:
    """Observe the named services and (`listing`) whatever else the cluster lists: ⌈N/100⌉ ListServices, ⌈N/10⌉
    DescribeServices."""
    wanted = set(names)
    listed = await ecs.service_names(cluster) if listing else ()
    services = await ecs.services(cluster, sorted(wanted.union(listed)))
    used = {one.task_definition for name, one in services.items() if name in wanted and one.status == "ACTIVE"}
    try:
        revisions = await ecs.revisions(used)
    except ControllerError:
        revisions = {}  # `complete` asks again for each workload, so that only those are unknown whose own is not had
    return Snapshot(cluster, services, revisions)


async def observe(ecs: ReadEcs, cluster: str, name: str) -> Observation:
    """One service as it is now."""
    services = await ecs.services(cluster, [name])
    return await _with_revision(ecs, _observation(services.get(name), {}))


async def complete(ecs: ReadEcs, rendered: Rendered, observation: Observation) -> Observation:
    """Add what planning needs once something differs: revisions to reuse, and whether ECS has rolled this one back."""
    observation = await _with_revision(ecs, observation)
    service, register = observation.service, rendered.register
    if service is not None:
        if service.draining:
            return observation
        comparison = compare(rendered, service, observation)
        if not comparison.task_definition_differs:
            return observation
        register = comparison.register
    candidates = await ecs.candidates(rendered.family)
    equal = next((one for one in candidates if one.active and same_content(register, one)), None)
    rollout = None
    if service is not None and equal is not None:
        rollout = await ecs.rollout(str(rendered.create["cluster"]), service.name, equal.arn)
    return replace(observation, candidates=candidates, rollout=rollout)


async def _with_revision(ecs: ReadEcs, observation: Observation) -> Observation:
    """With the revision that the service uses. Without it everything would seem to differ."""
    service = observation.service
    if service is None or service.draining or observation.revision is not None:
        return observation
    return replace(observation, revision=await ecs.revision(service.task_definition))


def _observation(service: LiveService | None, revisions: Mapping[str, Revision]) -> Observation:
    if service is None:
        return Observation()
    if service.status == "INACTIVE":
        return Observation(previous=f"{service.created_at:.3f}")
    return Observation(service=service, revision=revisions.get(service.task_definition))
