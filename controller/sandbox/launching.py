"""How a service starts its tasks: placement, launch, tags; and what it does when that fails.

Neighbours: `rollout` and `daemons` (decide how many), `scheduler` (finds a place), `tasks` (starts).
"""

from dataclasses import replace

from controller.sandbox.events import say
from controller.sandbox.identity import short_name
from controller.sandbox.scheduler import NoPlace, Wish, place, wish
from controller.sandbox.tasks import Launch, launch
from controller.sandbox.validation import constraint_expressions
from controller.sandbox.wire import Tags, Wire
from controller.sandbox.world import Deployment, Instance, Service, Task, Trouble, World

FARGATE = frozenset({"FARGATE", "FARGATE_SPOT"})


def wish_of(world: World, service: Service) -> Wish:
    """What a task of the service's PRIMARY deployment needs."""
    definition = world.task_definitions[service.deployments[0].task_definition]
    return wish(
        service.cluster_arn,
        f"service:{service.name}",
        demand=definition.demand,
        members=service.members,
        constraints=constraint_expressions(service.members["placementConstraints"]),
        service=True,
    )


def start_tasks(world: World, service: Service, *, count: int) -> tuple[list[Task], NoPlace | None]:
    """Start up to `count` tasks; the first that finds no place ends the attempt."""
    fresh: list[Task] = []
    provider, kind = target(service.members)
    wanted = wish_of(world, service)
    for _ in range(count):
        instance: Instance | None = None
        if kind != "FARGATE":
            found = place(world, wanted) if kind == "EC2" else NoPlace(())
            if isinstance(found, NoPlace):
                return fresh, found
            instance = found
        fresh.append(start_on(world, service, instance, provider=provider, kind=kind))
    return fresh, None


def start_on(
    world: World, service: Service, instance: Instance | None, *, provider: str | None = None, kind: str = "EC2"
) -> Task:
    """Start one task of the PRIMARY deployment on the instance."""
    deployment = service.deployments[0]
    definition = world.task_definitions[deployment.task_definition]
    return launch(
        world,
        Launch(
            definition=definition,
            cluster_arn=service.cluster_arn,
            group=f"service:{service.name}",
            launch_type=kind,
            instance=instance,
            service=service.arn,
            deployment=deployment.id,
            started_by=deployment.id,
            capacity_provider=provider,
            network=service.members.get("networkConfiguration"),
            tags=_tags(service, definition_tags=definition.tags),
            execute_command=service.members["enableExecuteCommand"],
            behind_load_balancer=bool(service.members["loadBalancers"]),
        ),
    )


def target(members: Wire) -> tuple[str | None, str]:
    """(capacity provider, launch type) of new tasks; a provider that is not Fargate's means the cluster's instances."""
    strategy = members.get("capacityProviderStrategy")
    if strategy:
        provider = max(strategy, key=lambda entry: (entry["base"], entry["weight"]))["capacityProvider"]
        return provider, "FARGATE" if provider in FARGATE else "EC2"
    return None, members.get("launchType", "EC2")


def troubled(world: World, service: Service, message: str, *, counts: bool = True) -> Service:
    """The service cannot go on: it says so, and again only after a growing pause.

    `counts`: whether each time it says so is a failure for the circuit breaker ("if the service scheduler can't launch
    the task", Deployment.failedTasks in botocore's model).
    """
    known = service.trouble
    if known is not None and known.message == message and world.now < known.again_at:
        return service
    again = known is not None and known.message == message
    pause = min(2 * known.pause, world.timing.longest_pause) if again and known else world.timing.placement_retry
    service = say(world, service, message)
    if counts:
        primary = service.deployments[0]
        failed = replace(primary, failed=primary.failed + 1)
        service = replace(service, deployments=(failed, *service.deployments[1:]))
    return replace(service, trouble=Trouble(message, pause, world.now + pause))


def pause_after(world: World, deployment: Deployment) -> Deployment:
    """The deployment starts no task for a while, longer each time."""
    pause = min(deployment.pause * 2 or world.timing.start_retry, world.timing.longest_pause)
    return replace(deployment, pause=pause, retry_at=world.now + pause)


def _tags(service: Service, *, definition_tags: Tags) -> Tags:
    propagated = {"SERVICE": service.tags, "TASK_DEFINITION": definition_tags}.get(service.members["propagateTags"], {})
    managed = (
        {"aws:ecs:clusterName": short_name(service.cluster_arn), "aws:ecs:serviceName": service.name}
        if service.members["enableECSManagedTags"]
        else {}
    )
    return {**propagated, **managed}
