"""One region of ECS as a state machine with a clock: `call(operation, params, now)` and nothing else moves it.

Decides the order of a call: first everything that is due happens, in the order of its time, then the operation. No wall
clock, no threads, no randomness but ids from a seed: the same calls at the same times give the same answers.
Refuses what it does not know with an error of ECS's kind, never with a crash. Neighbours: the rooms it calls, the
fronts `inprocess`, `transport` and `server` that call it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from controller.sandbox import (
    attributes,
    clusters,
    instances,
    runtask,
    servicedeployments,
    services,
    settings,
    tags,
    taskdefinitions,
    taskqueries,
    tasks,
)
from controller.sandbox.agenda import Acquire, ContainerExit, Forget, HealthResult, Note, ServiceTick, TaskStep
from controller.sandbox.errors import EcsError, throttled, unknown_operation
from controller.sandbox.faults import Faults, take
from controller.sandbox.fleet import DEFAULT_FLEET, Machine
from controller.sandbox.identity import arn, find_cluster
from controller.sandbox.images import Exits, ImageRule, Images
from controller.sandbox.rollout import tick
from controller.sandbox.shapes import operations
from controller.sandbox.timing import Timing
from controller.sandbox.validation import check_input
from controller.sandbox.wire import Wire
from controller.sandbox.world import Instance, World

ACCOUNT = "123456789012"

Operation = Callable[[World, Wire], Wire]

OPERATIONS: Mapping[str, Operation] = {
    "CreateCluster": clusters.create,
    "DeleteCluster": clusters.delete,
    "DescribeClusters": clusters.describe,
    "ListClusters": clusters.list_clusters,
    "RegisterTaskDefinition": taskdefinitions.register,
    "DescribeTaskDefinition": taskdefinitions.describe,
    "DeregisterTaskDefinition": taskdefinitions.deregister,
    "DeleteTaskDefinitions": taskdefinitions.delete,
    "ListTaskDefinitions": taskdefinitions.list_revisions,
    "ListTaskDefinitionFamilies": taskdefinitions.list_families,
    "CreateService": services.create,
    "UpdateService": services.update,
    "DeleteService": services.delete,
    "DescribeServices": services.describe,
    "ListServices": services.list_services,
    "RegisterContainerInstance": instances.register,
    "DeregisterContainerInstance": instances.deregister,
    "DescribeContainerInstances": instances.describe,
    "ListContainerInstances": instances.list_instances,
    "UpdateContainerInstancesState": instances.update_state,
    "PutAttributes": attributes.put,
    "DeleteAttributes": attributes.delete,
    "ListAttributes": attributes.list_attributes,
    "ListServiceDeployments": servicedeployments.list_deployments,
    "DescribeServiceDeployments": servicedeployments.describe,
    "DescribeServiceRevisions": servicedeployments.describe_revisions,
    "StopServiceDeployment": servicedeployments.stop,
    "RunTask": runtask.run,
    "StartTask": runtask.start,
    "StopTask": taskqueries.stop_task,
    "DescribeTasks": taskqueries.describe,
    "ListTasks": taskqueries.list_tasks,
    "TagResource": tags.tag,
    "UntagResource": tags.untag,
    "ListTagsForResource": tags.list_tags,
    "DescribeCapacityProviders": settings.describe_capacity_providers,
    "ListAccountSettings": settings.list_account_settings,
}
"""What the sandbox simulates; the rest of ECS answers UnsupportedFeatureException."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a world begins with."""

    fleet: tuple[Machine, ...] = DEFAULT_FLEET
    timing: Timing = field(default_factory=Timing)
    images: Images = field(default_factory=Images)
    faults: Faults = field(default_factory=Faults)
    account: str = ACCOUNT
    seed: int = 0


class Simulator:
    """One region. Plain synchronous calls; a front adds sockets, waiting and concurrency."""

    def __init__(self, *, region: str = "us-east-1", now: float = 0.0, options: Options | None = None) -> None:
        """A world with the machines of `options` in their clusters, at `now` (epoch seconds)."""
        options = options or Options()
        self.world = World(
            region=region,
            account=options.account,
            seed=options.seed,
            now=float(now),
            timing=options.timing,
            images=options.images,
            faults=options.faults,
        )
        clusters.create(self.world, {})
        for machine in options.fleet:
            self.add_instance(machine, now)

    def call(self, operation: str, params: Wire, now: float) -> Wire:
        """Perform one operation at `now` (epoch seconds; an earlier time than before counts as the latest one).

        Returns the JSON of the ECS wire: timestamps are epoch seconds, absent members are absent. The answer shares
        nothing with the world.

        Raises:
            EcsError: what ECS would answer instead.
        """
        self.advance(now)
        world = self.world
        if not take(world.buckets, sizes=world.faults.buckets, operation=operation, now=world.now):
            raise throttled()
        perform = OPERATIONS.get(operation)
        if perform is None:
            if operation in operations():
                raise EcsError("UnsupportedFeatureException", f"The sandbox does not simulate {operation}.")
            raise unknown_operation(operation)
        check_input(operation, params)
        return perform(world, params)

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`."""
        world = self.world
        while (item := world.agenda.pop(now)) is not None:
            at, note = item
            world.now = max(world.now, at)
            _perform(world, note)
        world.now = max(world.now, float(now))

    def next_due(self) -> float | None:
        """When something happens next by itself, for drivers of virtual time; None when nothing will."""
        return self.world.agenda.due()

    def copy(self) -> "Simulator":
        """An independent simulator in the same state."""
        other = Simulator.__new__(Simulator)
        other.world = self.world.copy()
        return other

    def add_instance(self, machine: Machine, now: float) -> str:
        """A machine joins its cluster, which is created if need be; its ARN. No API does this, people with EC2 do."""
        self.advance(now)
        cluster = find_cluster(self.world, machine.cluster)
        if cluster is None:
            clusters.create(self.world, {"clusterName": machine.cluster})
            cluster = self.world.clusters[arn(self.world, "cluster", machine.cluster)]
        return instances.add(self.world, machine, cluster=cluster).arn

    def terminate_instance(self, reference: str, now: float) -> None:
        """The machine of the container instance (its ARN or EC2 id) is gone, with everything on it."""
        self.advance(now)
        instances.remove(self.world, self._instance(reference))

    def interrupt_instance(self, reference: str, now: float) -> None:
        """AWS wants the spot machine back: its tasks are stopped with the code `SpotInterruption` and it takes no new
        ones. It is gone when `terminate_instance` says so, two minutes later on AWS."""
        self.advance(now)
        instances.interrupt(self.world, self._instance(reference))

    def set_agent(self, reference: str, *, connected: bool, now: float) -> None:
        """The ECS agent of the instance (its ARN or EC2 id) connects or disconnects."""
        self.advance(now)
        instances.set_agent(self.world, self._instance(reference), connected=connected)

    def set_images(self, images: Images) -> None:
        """Images behave differently from now on (a fixed tag, a new breakage)."""
        self.world.images = images

    def finishes(
        self,
        pattern: str,
        *,
        after: float,
        exit_code: int = 0,
        reason: str | None = None,
        command: str = "*",
        started_by: str = "*",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """From now on containers of matching images run for `after` seconds and exit with `exit_code`.

        What was said last counts first. The other arguments are those of `ImageRule` and of `Exits`.
        """
        behaviour = Exits(after=after, code=exit_code, reason=reason)
        rule = ImageRule(pattern, behaviour, command, started_by, environment or {})
        self.set_images(replace(self.world.images, rules=(rule, *self.world.images.rules)))

    def set_faults(self, faults: Faults) -> None:
        """Faults begin or end."""
        self.world.faults = faults

    def _instance(self, reference: str) -> Instance:
        for instance in self.world.instances.values():
            if reference in (instance.arn, instance.ec2_id):
                return instance
        raise KeyError(reference)


def _perform(world: World, note: Note) -> None:
    match note:
        case TaskStep():
            tasks.step(world, note)
        case Acquire():
            tasks.acquire(world, note)
        case ContainerExit():
            tasks.exited(world, note)
        case HealthResult():
            tasks.health(world, note)
        case ServiceTick():
            tick(world, note.service)
        case Forget():
            _forget(world, note)
        case _:
            assert_never(note)


def _forget(world: World, note: Forget) -> None:
    if ":task/" in note.arn:
        world.tasks.pop(note.arn, None)
    elif ":task-definition/" in note.arn:
        taskdefinitions.forget(world, note.arn)
    else:
        services.forget(world, note.arn, note.since)
