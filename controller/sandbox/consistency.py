"""Refuses impossible states: what no sequence of calls may ever make of a world.

Re-computes from the tasks what the rooms keep as sums, and checks the laws that ECS itself keeps: a port of an instance
belongs to one task, resources never go below zero, a service has one PRIMARY deployment. Tests run it after each step.
Neighbours: `world` (reads it only).
"""

from collections import Counter
from collections.abc import Iterator

from controller.sandbox.deployments import FINAL
from controller.sandbox.events import KEPT
from controller.sandbox.world import (
    STARTING,
    Instance,
    Rollout,
    Service,
    ServiceStatus,
    Stage,
    Task,
    TaskStatus,
    World,
)


class Impossible(AssertionError):
    """The world is in a state that ECS cannot be in; the message lists every law that is broken."""


def check(world: World) -> None:
    """Raises Impossible unless the world keeps every law."""
    broken = list(violations(world))
    if broken:
        raise Impossible("\n".join(broken))


def violations(world: World) -> Iterator[str]:
    """One sentence for each broken law."""
    due = world.agenda.due()
    if due is not None and due < world.now - 1e-9:
        yield f"something was due at {due}, it is {world.now}"
    for instance in world.instances.values():
        yield from _instance(world, instance)
    for task in world.tasks.values():
        yield from _task(world, task)
    for service in world.services.values():
        yield from _service(world, service)
    for definition in world.task_definitions.values():
        if not 1 <= definition.revision <= world.families[definition.family]:
            yield f"{definition.arn} has a number that was never given"


def _instance(world: World, instance: Instance) -> Iterator[str]:
    name = instance.arn
    live = [t for t in world.tasks.values() if t.instance == name and t.status is not TaskStatus.STOPPED]
    if sorted(world.tasks_on.get(name, ())) != sorted(task.arn for task in live):
        yield f"{name}: its tasks are not the tasks on it"
    if sum(task.cpu for task in live) != instance.used_cpu or instance.used_cpu > instance.cpu:
        yield f"{name}: {instance.used_cpu} of {instance.cpu} CPU units used"
    if sum(task.memory for task in live) != instance.used_memory or instance.used_memory > instance.memory:
        yield f"{name}: {instance.used_memory} of {instance.memory} MiB used"
    tcp = Counter(port for task in live for port in task.tcp)
    udp = Counter(port for task in live for port in task.udp)
    for protocol, used, counts in (("tcp", instance.used_tcp, tcp), ("udp", instance.used_udp, udp)):
        if any(count > 1 for count in counts.values()):
            yield f"{name}: two tasks on one {protocol} port: {[p for p, c in counts.items() if c > 1]}"
        if set(counts) != used:
            yield f"{name}: {protocol} ports {sorted(used)} are used, tasks have {sorted(counts)}"
    if instance.used_tcp & instance.reserved_tcp:
        yield f"{name}: a task has a port of the agent: {sorted(instance.used_tcp & instance.reserved_tcp)}"
    cards = Counter(card for task in live for card in task.cards)
    if any(count > 1 for count in cards.values()) or any(card >= instance.cards for card in cards):
        yield f"{name}: cards {dict(cards)} of {instance.cards}"
    if instance.status not in ("ACTIVE", "DRAINING"):
        yield f"{name}: status {instance.status}"


def _task(world: World, task: Task) -> Iterator[str]:
    name, status = task.arn, task.status
    if task.task_definition not in world.task_definitions and status is not TaskStatus.STOPPED:
        yield f"{name}: its task definition is gone"
    if status is not TaskStatus.STOPPED and (task.launch_type != "FARGATE") != (task.instance in world.instances):
        yield f"{name}: {status} on {task.instance}"
    if (task.started_at is not None) != (status is TaskStatus.RUNNING) and status in (TaskStatus.RUNNING, *STARTING):
        yield f"{name}: {status}, started at {task.started_at}"
    if (status is TaskStatus.STOPPED) != (task.stopped_at is not None):
        yield f"{name}: {status}, stopped at {task.stopped_at}"
    wants_stop = task.desired is TaskStatus.STOPPED
    if wants_stop != (task.stop_code is not None) or wants_stop != (task.stopped_reason is not None):
        yield f"{name}: desired {task.desired}, stop code {task.stop_code}"
    if status in (TaskStatus.DEACTIVATING, TaskStatus.STOPPING, TaskStatus.STOPPED) and not wants_stop:
        yield f"{name}: {status}, desired {task.desired}"
    times = (task.created_at, task.pull_started_at, task.pull_stopped_at, task.started_at, task.stopped_at, world.now)
    known = [moment for moment in times if moment is not None]
    if known != sorted(known):
        yield f"{name}: its times run backwards: {known}"
    if task.cards and status in (*STARTING, TaskStatus.STOPPED):
        yield f"{name}: {status} and holds cards {sorted(task.cards)}"
    in_index = task.service is not None and task.arn in world.tasks_of.get(task.service, ())
    if in_index != (task.service is not None and status is not TaskStatus.STOPPED):
        yield f"{name}: not where its service looks for it"


def _service(world: World, service: Service) -> Iterator[str]:
    name = service.arn
    tasks = [world.tasks[task] for task in world.tasks_of.get(name, ())]
    if any(task.service != name for task in tasks):
        yield f"{name}: has tasks that are not where they say"
    if len(service.events) > KEPT or len({event.id for event in service.events}) < len(service.events):
        yield f"{name}: {len(service.events)} events, or two of one id"
    if [event.at for event in service.events] != sorted((event.at for event in service.events), reverse=True):
        yield f"{name}: events out of order"
    if service.status is ServiceStatus.INACTIVE:
        alive = [task for task in tasks if task.desired is TaskStatus.RUNNING]
        if service.deployments or alive:
            yield f"{name}: INACTIVE with {len(service.deployments)} deployments and {len(alive)} tasks"
        return
    if service.desired < 0 or service.task_definition not in world.task_definitions:
        yield f"{name}: desired {service.desired} of {service.task_definition}"
    if service.members["deploymentController"]["type"] != "ECS":
        return
    identifiers = [deployment.id for deployment in service.deployments]
    if not identifiers or len(set(identifiers)) < len(identifiers):
        yield f"{name}: deployments {identifiers}"
        return
    if service.deployments[0].task_definition != service.task_definition:
        yield f"{name}: PRIMARY runs {service.deployments[0].task_definition}, the service {service.task_definition}"
    strays = [task.arn for task in tasks if task.deployment not in identifiers and task.desired is TaskStatus.RUNNING]
    if strays:
        yield f"{name}: tasks of no deployment: {strays}"
    completed = [deployment for deployment in service.deployments[:1] if deployment.rollout is Rollout.COMPLETED]
    if service.steady and not completed:
        yield f"{name}: steady, but its rollout is {service.deployments[0].rollout}"
    history = world.service_deployments.get(name, ())
    moving = [record for record in history if record.stage not in (*FINAL, Stage.STOP_REQUESTED)]
    if not history or len(moving) > 1 or (moving and moving[0] is not history[0]):
        yield f"{name}: service deployments {[record.stage for record in history]}"
