"""The service scheduler: one look at one service, as often as something changed.

A REPLICA service keeps `desired` tasks of its PRIMARY deployment. During a rollout it moves inside the band of its
deployment configuration: never more than ⌊max %⌋ tasks RUNNING or PENDING, never fewer than ⌈min %⌉ healthy ones
(DeploymentConfiguration in botocore's model); old tasks go as soon as the band lets them, without waiting for new ones.
Tasks on a DRAINING instance count as old. Failures to start, unhealthy tasks and places that cannot be found are what
the circuit breaker counts; without it, attempts become rarer, up to 27 minutes apart.
Neighbours: `daemons` (DAEMON services), `deployments` (records), `scheduler` (places), `tasks` (live their own life).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from controller.sandbox import daemons
from controller.sandbox.agenda import Forget
from controller.sandbox.deployments import advance_stages, complete, steady, threshold, trip
from controller.sandbox.events import BLOCKED, INCONSISTENT, names, say, started
from controller.sandbox.launching import pause_after, start_tasks, troubled
from controller.sandbox.scheduler import NoPlace
from controller.sandbox.tasks import UNHEALTHY, note_failure, stop
from controller.sandbox.world import (
    STARTING,
    Deployment,
    Rollout,
    Service,
    ServiceStatus,
    StopCode,
    Task,
    TaskStatus,
    World,
)


@dataclass(frozen=True, slots=True)
class Band:
    """How many tasks a rollout may have: at least `lower` healthy, at most `upper` starting or running."""

    lower: int
    upper: int


def band(desired: int, *, minimum: int, maximum: int) -> Band:
    """The band of a deployment configuration: the lower bound is rounded up, the upper down."""
    return Band(lower=-(-desired * minimum // 100), upper=desired * maximum // 100)


def tick(world: World, reference: str) -> None:
    """Look at the service and do what can be done now."""
    service = world.services.get(reference)
    if service is None or service.status is ServiceStatus.INACTIVE:
        return
    if service.status is ServiceStatus.DRAINING:
        _drain(world, service)
        return
    if not service.deployments:
        return
    advance_stages(world, service)
    service = _count(world, service)
    if _must_break(service):
        world.services[reference] = trip(world, service)
        world.agenda.wake(reference, world.now + world.timing.scheduler)
        return
    if service.deployments[0].rollout is Rollout.FAILED:
        service = _shrink(world, service)
    elif service.daemon:
        service = daemons.step(world, service)
    else:
        service = _step(world, service)
    service = _settle(world, service)
    world.services[reference] = service
    following = [at for at in _next_looks(world, service) if at > world.now]
    if following:
        world.agenda.wake(reference, min(following))


def _drain(world: World, service: Service) -> None:
    """A deleted service stops its tasks; it is INACTIVE once all of them are STOPPING or STOPPED."""
    tasks = _tasks(world, service)
    for task in tasks:
        stop(world, task, code=StopCode.SCHEDULER, reason=f"Scaling activity initiated by (service {service.name})")
    if any(task.status in STARTING or task.status is TaskStatus.RUNNING for task in _tasks(world, service)):
        return
    if any(task.status is TaskStatus.DEACTIVATING for task in _tasks(world, service)):
        return
    world.services[service.arn] = replace(
        service, status=ServiceStatus.INACTIVE, deployments=(), inactive_at=world.now, trouble=None
    )
    world.inbox.pop(service.arn, None)
    world.agenda.add(world.now + world.timing.inactive_kept, Forget(service.arn, world.now))


def _count(world: World, service: Service) -> Service:
    """Read the inbox: failures of the PRIMARY deployment count, a task that became healthy resets them."""
    primary = service.deployments[0]
    failures = sum(failure.deployment == primary.id for failure in world.inbox.pop(service.arn, ()))
    if failures:
        primary = replace(primary, failed=primary.failed + failures, updated_at=world.now)
        if not _breaks(service, primary) and primary.failed >= world.timing.start_failures:
            primary = pause_after(world, primary)
            service = say(world, service, INCONSISTENT)
    breaker = service.members["deploymentConfiguration"]["deploymentCircuitBreaker"]
    fresh = any(
        task.deployment == primary.id
        and task.healthy_at is not None
        and primary.reset_at < task.healthy_at <= world.now
        for task in _tasks(world, service)
    )
    if fresh and breaker["resetOnHealthyTask"]:
        primary = replace(primary, failed=0, pause=0.0, retry_at=0.0, reset_at=world.now)
    return replace(service, deployments=(primary, *service.deployments[1:]))


def _breaks(service: Service, primary: Deployment) -> bool:
    """Whether a circuit breaker watches the deployment."""
    breaker = service.members["deploymentConfiguration"]["deploymentCircuitBreaker"]
    return bool(breaker["enable"]) and primary.rollout is Rollout.IN_PROGRESS


def _must_break(service: Service) -> bool:
    primary = service.deployments[0]
    breaker = service.members["deploymentConfiguration"]["deploymentCircuitBreaker"]
    return _breaks(service, primary) and primary.failed >= threshold(breaker, service.desired)


def _shrink(world: World, service: Service) -> Service:
    """A FAILED deployment starts nothing, but fewer desired tasks still means fewer tasks."""
    alive = [task for task in _tasks(world, service) if task.desired is TaskStatus.RUNNING]
    maximum = service.members["deploymentConfiguration"]["maximumPercent"]
    return _scale_in(world, service, alive, excess=len(alive) - service.desired * maximum // 100)


def _step(world: World, service: Service) -> Service:
    """Move a REPLICA service towards its desired tasks, inside the band."""
    configuration = service.members["deploymentConfiguration"]
    limits = band(
        service.desired,
        minimum=configuration["minimumHealthyPercent"],
        maximum=configuration["maximumPercent"],
    )
    service = _stop_early(world, service)
    view = _View.of(world, service)
    service = _scale_in(world, service, view.good, excess=len(view.good) - service.desired)
    view = _View.of(world, service)
    wanted = service.desired - len(view.good)
    room = limits.upper - len(view.alive)
    fresh: Sequence[Task] = ()
    problem: NoPlace | None = None
    if wanted > 0 and room > 0 and world.now >= service.deployments[0].retry_at:
        fresh, problem = start_tasks(world, service, count=min(wanted, room))
        if fresh:
            service = say(world, service, started(fresh, replaced=min(len(view.unhealthy), len(fresh))))
    service, stopped = _stop_surplus(world, service, view, limits)
    if problem is not None:
        return troubled(world, service, problem.event())
    idle = not fresh and not stopped and not _moving(world, service)
    if wanted > 0 and room <= 0 and (view.old or view.leaving) and idle:
        return troubled(world, service, BLOCKED, counts=False)
    return replace(service, trouble=None)


@dataclass(frozen=True, slots=True)
class _View:
    """The tasks of a service that should run, sorted by what the rollout wants of them."""

    alive: list[Task]
    good: list[Task]
    """Of the PRIMARY deployment, on an instance that stays, not unhealthy."""
    unhealthy: list[Task]
    leaving: list[Task]
    """Of the PRIMARY deployment, on a DRAINING instance."""
    old: list[Task]

    @staticmethod
    def of(world: World, service: Service) -> "_View":
        alive = [task for task in _tasks(world, service) if task.desired is TaskStatus.RUNNING]
        mine = [task for task in alive if task.deployment == service.deployments[0].id]
        leaving = [task for task in mine if _on_draining(world, task)]
        staying = [task for task in mine if task not in leaving]
        return _View(
            alive=alive,
            good=[task for task in staying if not task.unhealthy],
            unhealthy=[task for task in staying if task.unhealthy],
            leaving=leaving,
            old=[task for task in alive if task not in mine],
        )


def _stop_early(world: World, service: Service) -> Service:
    """Tasks that are not running yet and are not wanted any longer go first: they serve nobody."""
    view = _View.of(world, service)
    idle = [task for task in (*view.old, *view.leaving) if task.status in STARTING]
    for task in idle:
        stop(world, task, code=StopCode.SCHEDULER, reason=_because(service))
    return say(world, service, f"stopped {len(idle)} pending tasks.") if idle else service


def _scale_in(world: World, service: Service, good: list[Task], *, excess: int) -> Service:
    """Fewer are wanted: those that start go first, then those where most of the service's tasks are."""
    if excess <= 0:
        return service
    return _stop(world, service, _crowded(good)[:excess])


def _stop_surplus(world: World, service: Service, view: _View, limits: Band) -> tuple[Service, bool]:
    """Stop what is to go: unhealthy tasks at once, healthy ones as long as enough healthy ones stay."""
    healthy = sum(_is_healthy(task, world.now) for task in view.alive)
    surplus = max(0, healthy - limits.lower)
    going = [task for task in (*view.old, *view.leaving) if task.status is TaskStatus.RUNNING]
    serving = [task for task in going if _is_healthy(task, world.now)]
    useless = [task for task in going if not _is_healthy(task, world.now)]
    victims = [*useless, *_crowded(serving)[:surplus]]
    service = _stop(world, service, victims)
    for task in view.unhealthy:
        note_failure(world, task)
        world.agenda.wake(service.arn, world.now + world.timing.scheduler)
        service = say(world, service, f"{names([task])} failed container health checks.")
        service = _stop(world, service, [task], reason=UNHEALTHY)
    return service, bool(victims or view.unhealthy)


def _stop(world: World, service: Service, victims: Sequence[Task], *, reason: str | None = None) -> Service:
    running = [task for task in victims if task.status is TaskStatus.RUNNING]
    for task in victims:
        stop(world, task, code=StopCode.SCHEDULER, reason=reason or _because(service))
    if len(victims) > len(running):
        service = say(world, service, f"stopped {len(victims) - len(running)} pending tasks.")
    if running:
        service = say(world, service, f"has stopped {len(running)} running tasks: {names(running)}.")
    return service


def _settle(world: World, service: Service) -> Service:
    """Drop replaced deployments without tasks; say when the rollout is complete or the service is steady."""
    tasks = _tasks(world, service)
    primary, *others = service.deployments
    kept = [primary if primary.desired == service.desired else replace(primary, desired=service.desired)]
    for deployment in others:
        own = [task for task in tasks if task.deployment == deployment.id]
        if own:
            alive = sum(task.desired is TaskStatus.RUNNING for task in own)
            kept.append(replace(deployment, desired=alive) if deployment.desired != alive else deployment)
    service = replace(service, deployments=tuple(kept))
    good = [task for task in tasks if task.deployment == primary.id and _is_healthy(task, world.now)]
    running = [task for task in tasks if task.desired is TaskStatus.RUNNING]
    settled = len(kept) == 1 and len(good) == service.desired == len(running) and service.trouble is None
    if not settled or primary.rollout is Rollout.FAILED:
        return replace(service, steady=False)
    if primary.rollout is Rollout.IN_PROGRESS:
        return complete(world, service)
    if not service.steady or world.now - service.steady_at >= world.timing.steady_repeat:
        return steady(world, service)
    return service


def _next_looks(world: World, service: Service) -> Iterable[float]:
    """When the service must be looked at again although nothing else happens."""
    for task in _tasks(world, service):
        if task.healthy_at is not None:
            yield task.healthy_at
    if service.trouble is not None:
        yield service.trouble.again_at
    yield service.deployments[0].retry_at
    if _must_break(service):
        yield world.now + world.timing.scheduler
    if service.steady:
        yield service.steady_at + world.timing.steady_repeat


def _tasks(world: World, service: Service) -> list[Task]:
    return [world.tasks[task] for task in world.tasks_of.get(service.arn, ())]


def _is_healthy(task: Task, now: float) -> bool:
    running = task.status is TaskStatus.RUNNING and task.desired is TaskStatus.RUNNING
    return running and task.healthy_at is not None and task.healthy_at <= now


def _moving(world: World, service: Service) -> bool:
    """Whether anything is on its way: tasks that start, warm up or stop."""
    return any(not _is_healthy(task, world.now) for task in _tasks(world, service))


def _on_draining(world: World, task: Task) -> bool:
    instance = world.instances.get(task.instance) if task.instance is not None else None
    return instance is not None and instance.status == "DRAINING"


def _crowded(tasks: list[Task]) -> list[Task]:
    """In the order in which they go: starting ones, then from the fullest zone and instance, then the newest."""
    zones = [task.zone for task in tasks]
    hosts = [task.instance for task in tasks]
    return sorted(
        tasks,
        key=lambda task: (
            task.status not in STARTING,
            -zones.count(task.zone),
            -hosts.count(task.instance),
            -task.created_at,
            task.arn,
        ),
    )


def _because(service: Service) -> str:
    return f"Scaling activity initiated by (deployment {service.deployments[0].id})"
