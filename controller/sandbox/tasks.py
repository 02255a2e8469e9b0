"""The life of a task: PROVISIONING? → PENDING → RUNNING → DEACTIVATING → STOPPING → DEPROVISIONING? → STOPPED.

Decides when a task moves on and what its containers leave behind (exit codes, reasons). Resources of an instance are
reserved at launch and released when the task is STOPPED, not before. A task that never ran stops with
`TaskFailedToStart`; its service's scheduler finds a note of it in the world's inbox.
Source of states and codes: Task in botocore's model and "Task lifecycle" in the ECS developer guide.
Neighbours: `images` and `cards` (what containers do), `scheduler` (chose the instance), `rollout` (counts failures).
"""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from controller.sandbox import logs
from controller.sandbox.agenda import Acquire, ContainerExit, Forget, HealthResult, TaskStep
from controller.sandbox.containers import behaviours, claims, definition_of, dynamic_ports, take_cards
from controller.sandbox.identity import arn, hex_id, short_name, uuid_id
from controller.sandbox.images import Behaviour, CannotPull, Exits, Runs, Unhealthy, pull_seconds
from controller.sandbox.wake import wake, wake_waiting
from controller.sandbox.wire import Tags, Wire
from controller.sandbox.world import (
    STARTING,
    Container,
    Failure,
    Health,
    Instance,
    StopCode,
    Task,
    TaskDefinition,
    TaskStatus,
    World,
)

EXITED = "Essential container in task exited"
UNHEALTHY = "Task failed container health checks"


@dataclass(frozen=True, slots=True)
class Launch:
    """An order to start one task; `instance` None means Fargate."""

    definition: TaskDefinition
    cluster_arn: str
    group: str
    launch_type: str
    instance: Instance | None
    service: str | None = None
    deployment: str | None = None
    started_by: str | None = None
    capacity_provider: str | None = None
    overrides: Wire = field(default_factory=dict)
    network: Wire | None = None
    tags: Tags = field(default_factory=dict)
    execute_command: bool = False
    behind_load_balancer: bool = False


def launch(world: World, order: Launch) -> Task:
    """Start a task and reserve what it needs."""
    content, demand, instance = order.definition.content, order.definition.demand, order.instance
    cluster = short_name(order.cluster_arn)
    attached = content.get("networkMode") == "awsvpc"
    ports = dynamic_ports(world, instance)
    task = Task(
        arn=arn(world, "task", cluster, hex_id(world, "task")),
        cluster_arn=order.cluster_arn,
        task_definition=order.definition.arn,
        containers=tuple(
            Container(
                name=container["name"],
                arn=arn(world, "container", cluster, uuid_id(world, "container")),
                image=container["image"],
                essential=container["essential"],
                status=TaskStatus.PENDING,
                health=Health.UNKNOWN if "healthCheck" in container else None,
                bindings=tuple(
                    (mapping["containerPort"], mapping["hostPort"] or next(ports), mapping["protocol"])
                    for mapping in container["portMappings"]
                    if "containerPort" in mapping and not attached
                ),
            )
            for container in content["containerDefinitions"]
        ),
        group=order.group,
        launch_type=order.launch_type,
        status=TaskStatus.PROVISIONING if attached else TaskStatus.PENDING,
        desired=TaskStatus.RUNNING,
        created_at=world.now,
        cpu=int(order.overrides.get("cpu", demand.cpu)),
        memory=int(order.overrides.get("memory", demand.memory)),
        tcp=demand.tcp,
        udp=demand.udp,
        instance=instance.arn if instance is not None else None,
        attached=attached,
        deregisters=order.behind_load_balancer,
        service=order.service,
        deployment=order.deployment,
        started_by=order.started_by,
        capacity_provider=order.capacity_provider,
        overrides=order.overrides,
        network=order.network,
        tags=order.tags,
        execute_command=order.execute_command,
        zone=instance.attributes.get("ecs.availability-zone") if instance is not None else world.region + "a",
    )
    world.tasks[task.arn] = task
    if instance is not None:
        _reserve(world, instance.arn, task, sign=1)
        world.tasks_on[instance.arn] = (*world.tasks_on.get(instance.arn, ()), task.arn)
    if task.service is not None:
        world.tasks_of[task.service] = (*world.tasks_of.get(task.service, ()), task.arn)
    first = world.timing.attach if attached else world.timing.accept
    world.agenda.add(world.now + first, TaskStep(task.arn, task.status))
    return task


def step(world: World, note: TaskStep) -> None:
    """The task moves on, if it is still where the note expects it."""
    task = world.tasks.get(note.task)
    if task is None or task.status != note.status:
        return
    if task.desired is TaskStatus.STOPPED and task.status in STARTING:
        _finish(world, task)
        return
    match task.status:
        case TaskStatus.PROVISIONING:
            _move(world, task, TaskStatus.PENDING, after=world.timing.accept)
        case TaskStatus.PENDING:
            _start(world, task)
        case TaskStatus.DEACTIVATING:
            _terminate(world, task)
        case TaskStatus.STOPPING if task.attached:
            _move(world, task, TaskStatus.DEPROVISIONING, after=world.timing.detach, execution_stopped_at=world.now)
        case TaskStatus.STOPPING | TaskStatus.DEPROVISIONING:
            _finish(world, task)
        case TaskStatus.RUNNING | TaskStatus.STOPPED:
            return


def stop(world: World, task: Task, *, code: StopCode, reason: str) -> Task:
    """Ask a task to stop; one that stops already goes on as it does."""
    if task.desired is TaskStatus.STOPPED:
        return task
    wanted = {"desired": TaskStatus.STOPPED, "stopping_at": world.now, "stop_code": code, "stopped_reason": reason}
    if task.status in STARTING:
        task = _change(world, task, **wanted)
        world.agenda.add(world.now + world.timing.deactivate, TaskStep(task.arn, task.status))
    else:
        pause = world.timing.deregistration_delay if task.deregisters else world.timing.deactivate
        task = _move(world, task, TaskStatus.DEACTIVATING, after=pause, **wanted)
    if task.service is not None:
        wake(world, task.service)
    return task


def host_lost(world: World, task: Task, *, reason: str) -> None:
    """The instance under the task is gone, and the task with it, without exit codes."""
    task = _change(
        world,
        task,
        desired=TaskStatus.STOPPED,
        stop_code=task.stop_code or StopCode.INFRASTRUCTURE,
        stopped_reason=task.stopped_reason or reason,
        stopping_at=task.stopping_at or world.now,
    )
    _finish(world, task, lost=True)


def acquire(world: World, note: Acquire) -> None:
    """The processes of a running task open their cards; who comes too late exits 1."""
    task = world.tasks.get(note.task)
    if task is None or task.status is not TaskStatus.RUNNING:
        return
    cards, losers = take_cards(world, task)
    task = _change(world, task, cards=cards)
    for container, reason in losers.items():
        exited(world, ContainerExit(task.arn, container, 1, reason))


def exited(world: World, note: ContainerExit) -> None:
    """A process ended by itself. The first essential one takes the task with it."""
    task = world.tasks.get(note.task)
    if task is None or task.status is not TaskStatus.RUNNING:
        return
    container = next(container for container in task.containers if container.name == note.container)
    if container.status is TaskStatus.STOPPED:
        return
    logs.say(world, task, container.name, *([note.reason] if note.reason else []), f"exit {note.code}")
    over = replace(container, status=TaskStatus.STOPPED, exit_code=note.code, reason=note.reason)
    task = _change(world, task, containers=_replaced(task, over))
    if container.essential:
        stop(world, task, code=StopCode.ESSENTIAL_EXITED, reason=EXITED)


def health(world: World, note: HealthResult) -> None:
    """A health check came to a result. The service scheduler acts on it; a standalone task only shows it."""
    task = world.tasks.get(note.task)
    if task is None or task.status is not TaskStatus.RUNNING:
        return
    container = next(container for container in task.containers if container.name == note.container)
    result = Health.HEALTHY if note.healthy else Health.UNHEALTHY
    task = _change(world, task, containers=_replaced(task, replace(container, health=result)))
    checked = [container.health for container in task.containers if container.essential and container.health]
    if Health.UNHEALTHY in checked:
        task = _change(world, task, unhealthy=True, healthy_at=None)
    elif all(value is Health.HEALTHY for value in checked):
        task = _change(world, task, healthy_at=world.now)
    if task.service is not None:
        wake(world, task.service)


def _start(world: World, task: Task) -> None:
    """Pull, then create, then run: three looks at a PENDING task."""
    plays = behaviours(world, task)
    again = TaskStep(task.arn, TaskStatus.PENDING)
    if task.pull_started_at is None:
        _change(world, task, pull_started_at=world.now)
        world.agenda.add(world.now + max(map(pull_seconds, plays.values())), again)
        return
    for name, behaviour in plays.items():
        if isinstance(behaviour, CannotPull):
            _fail(world, task, container=name, reason=f"CannotPullContainerError: {behaviour.reason}")
            return
    if task.pull_stopped_at is None:
        _change(world, task, pull_stopped_at=world.now)
        world.agenda.add(world.now + world.timing.start, again)
        return
    for name, wanted in claims(world, task):
        if wanted.refused is not None:
            _fail(world, task, container=name, reason=wanted.refused)
            return
    _run(world, task, plays)


def _run(world: World, task: Task, plays: dict[str, Behaviour]) -> None:
    containers = tuple(
        replace(
            container,
            status=TaskStatus.RUNNING,
            runtime_id=f"{short_name(task.arn)}-{index}",
            digest=f"sha256:{sha256(container.image.encode()).hexdigest()}",
        )
        for index, container in enumerate(task.containers)
    )
    checked = any(container.essential and container.health is not None for container in containers)
    task = _change(
        world,
        task,
        status=TaskStatus.RUNNING,
        containers=containers,
        started_at=world.now,
        healthy_at=None if checked else world.now + world.timing.healthy_after,
    )
    for container in containers:
        logs.begins(world, task, container.name)
        behaviour = plays[container.name]
        if isinstance(behaviour, Exits):
            note = ContainerExit(task.arn, container.name, behaviour.code, behaviour.reason)
            world.agenda.add(world.now + behaviour.after, note)
        if container.health is not None:
            _check_health(world, task, container.name, healthy=not isinstance(behaviour, Unhealthy))
    if any(wanted.needs_driver for _, wanted in claims(world, task)):
        world.agenda.add(world.now + world.timing.acquire, Acquire(task.arn))
    if task.service is not None:
        wake(world, task.service)


def _check_health(world: World, task: Task, name: str, *, healthy: bool) -> None:
    """HEALTHY with the first check, UNHEALTHY after `retries` failures behind the start period."""
    check = definition_of(world, task, name)["healthCheck"]
    fails = check.get("startPeriod", 0) + check["interval"] * check["retries"]
    after = check["interval"] if healthy else fails
    world.agenda.add(world.now + after, HealthResult(task.arn, name, healthy))


def _fail(world: World, task: Task, *, container: str, reason: str) -> None:
    """The task never gets to run."""
    broken = next(entry for entry in task.containers if entry.name == container)
    task = _change(
        world,
        task,
        containers=_replaced(task, replace(broken, reason=reason)),
        desired=TaskStatus.STOPPED,
        stopping_at=world.now,
        stop_code=StopCode.FAILED_TO_START,
        stopped_reason=reason,
        pull_stopped_at=task.pull_stopped_at or world.now,
    )
    _finish(world, task)


def _terminate(world: World, task: Task) -> None:
    """SIGTERM to what still runs; the slowest container decides, SIGKILL after its stop timeout."""
    slowest = 0.0
    plays = behaviours(world, task)
    containers = []
    for container in task.containers:
        if container.status is not TaskStatus.RUNNING:
            containers.append(container)
            continue
        definition = definition_of(world, task, container.name)
        limit = float(definition.get("stopTimeout", world.timing.stop_timeout))
        behaviour = plays[container.name]
        needs = behaviour.stop if isinstance(behaviour, Runs | Unhealthy) else 0.0
        slowest = max(slowest, min(needs, limit))
        logs.say(world, task, container.name, "SIGTERM")
        containers.append(replace(container, exit_code=143 if needs <= limit else 137))
    _move(world, task, TaskStatus.STOPPING, after=slowest + world.timing.report, containers=tuple(containers))
    if task.service is not None:
        wake(world, task.service)


def _finish(world: World, task: Task, *, lost: bool = False) -> None:
    """STOPPED: give everything back."""
    ran = task.started_at is not None
    task = _change(
        world,
        task,
        status=TaskStatus.STOPPED,
        stopped_at=world.now,
        execution_stopped_at=(task.execution_stopped_at or world.now) if ran else None,
        cards=frozenset(),
        containers=tuple(
            replace(container, status=TaskStatus.STOPPED, exit_code=None if lost or not ran else container.exit_code)
            for container in task.containers
        ),
    )
    if task.instance is not None:
        _reserve(world, task.instance, task, sign=-1)
        left = tuple(other for other in world.tasks_on[task.instance] if other != task.arn)
        world.tasks_on[task.instance] = left
    if task.service is not None:
        world.tasks_of[task.service] = tuple(t for t in world.tasks_of[task.service] if t != task.arn)
        if not ran and task.stop_code is StopCode.FAILED_TO_START and task.deployment is not None:
            note_failure(world, task)
        wake(world, task.service)
    world.agenda.add(world.now + world.timing.stopped_kept, Forget(task.arn, world.now))
    wake_waiting(world, task.cluster_arn)


def note_failure(world: World, task: Task) -> None:
    """Leave word of a failed task for its service's scheduler."""
    if task.service is not None and task.deployment is not None:
        noted = world.inbox.get(task.service, ())
        world.inbox[task.service] = (*noted, Failure(task.deployment, task.arn))


def _reserve(world: World, reference: str, task: Task, *, sign: int) -> None:
    instance = world.instances[reference]
    world.instances[reference] = replace(
        instance,
        used_cpu=instance.used_cpu + sign * task.cpu,
        used_memory=instance.used_memory + sign * task.memory,
        used_tcp=instance.used_tcp | task.tcp if sign > 0 else instance.used_tcp - task.tcp,
        used_udp=instance.used_udp | task.udp if sign > 0 else instance.used_udp - task.udp,
        version=instance.version + 1,
    )


def _change(world: World, task: Task, **fields: Any) -> Task:
    changed = replace(task, version=task.version + 1, **fields)
    world.tasks[task.arn] = changed
    return changed


def _move(world: World, task: Task, status: TaskStatus, *, after: float, **fields: Any) -> Task:
    changed = _change(world, task, status=status, **fields)
    world.agenda.add(world.now + after, TaskStep(task.arn, status))
    return changed


def _replaced(task: Task, container: Container) -> tuple[Container, ...]:
    return tuple(container if entry.name == container.name else entry for entry in task.containers)
