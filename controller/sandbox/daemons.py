"""DAEMON services: one task on every ACTIVE instance that meets the constraints; the desired count follows the fleet.

A rollout goes instance by instance: the old task stops first (maximumPercent is 100), as long as enough healthy ones
stay elsewhere. Tasks on instances that no longer qualify are stopped, DRAINING ones included ("DAEMON tasks stopped",
container instance draining in the ECS developer guide). Neighbours: `rollout` (calls), `scheduler` (obstacles).
"""

from dataclasses import replace

from controller.core.placement import evaluate
from controller.sandbox.events import say, started
from controller.sandbox.instances import facts
from controller.sandbox.launching import start_on, target, troubled, wish_of
from controller.sandbox.scheduler import NoPlace, Obstacle, Wish, obstacles
from controller.sandbox.tasks import UNHEALTHY, note_failure, stop
from controller.sandbox.world import Instance, Service, StopCode, Task, TaskStatus, World


def step(world: World, service: Service) -> Service:
    """One look at a DAEMON service."""
    wanted = wish_of(world, service)
    hosts = [instance for instance in world.instances.values() if _qualifies(world, instance, wanted)]
    service = replace(service, desired=len(hosts))
    alive = [
        task
        for task in (world.tasks[reference] for reference in world.tasks_of.get(service.arn, ()))
        if task.desired is TaskStatus.RUNNING
    ]
    homes = {instance.arn for instance in hosts}
    for task in alive:
        if task.instance not in homes:
            _end(world, task, f"Scaling activity initiated by (deployment {service.deployments[0].id})")
    alive = [task for task in alive if task.instance in homes]
    service = _replace_old(world, service, alive)
    return _fill(world, service, hosts, wanted)


def _replace_old(world: World, service: Service, alive: list[Task]) -> Service:
    """Stop unhealthy tasks, and old ones as far as the minimum lets it."""
    primary = service.deployments[0]
    for task in alive:
        if task.unhealthy:
            note_failure(world, task)
            _end(world, task, UNHEALTHY)
            world.agenda.wake(service.arn, world.now + world.timing.scheduler)
    minimum = service.members["deploymentConfiguration"]["minimumHealthyPercent"]
    lower = -(-service.desired * minimum // 100)
    healthy = [task for task in alive if task.healthy_at is not None and task.healthy_at <= world.now]
    spare = len(healthy) - lower
    for task in alive:
        if task.deployment == primary.id or task.unhealthy:
            continue
        if task not in healthy:
            _end(world, task, f"Scaling activity initiated by (deployment {primary.id})")
        elif spare > 0:
            spare -= 1
            _end(world, task, f"Scaling activity initiated by (deployment {primary.id})")
    return service


def _fill(world: World, service: Service, hosts: list[Instance], wanted: Wish) -> Service:
    """Start a task on every host that has none of this service and has room."""
    if world.now < service.deployments[0].retry_at:
        return service
    fresh: list[Task] = []
    blocked: list[tuple[str, tuple[Obstacle, ...]]] = []
    provider, kind = target(service.members)
    for host in hosts:
        if any(world.tasks[task].service == service.arn for task in world.tasks_on.get(host.arn, ())):
            continue
        live = world.instances[host.arn]
        against = obstacles(world, live, wanted)
        if against:
            blocked.append((host.arn, against))
        else:
            fresh.append(start_on(world, service, live, provider=provider, kind=kind))
    if fresh:
        service = say(world, service, started(fresh, replaced=0))
    if blocked:
        return troubled(world, service, NoPlace(tuple(blocked)).event())
    return replace(service, trouble=None)


def _qualifies(world: World, instance: Instance, wanted: Wish) -> bool:
    if instance.cluster_arn != wanted.cluster_arn or instance.status != "ACTIVE":
        return False
    known = facts(world, instance)
    return all(evaluate(expression, known) for expression in wanted.constraints)


def _end(world: World, task: Task, reason: str) -> None:
    stop(world, task, code=StopCode.SCHEDULER, reason=reason)
