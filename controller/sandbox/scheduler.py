"""Where a task goes: which instances can take it, and which of those is best.

The documented order: resources and attributes, then constraints, then strategies. An expression places only where it is
certainly true; unknown is not satisfied. `distinctInstance` looks at the desired status of the group's tasks, so a
stopping task does not block (ECS developer guide). The closest match of a failure is the instance with the fewest
obstacles. "Random" is a hash, so runs repeat. Neighbours: `rollout`, `daemons`, `runtask` (ask), `tasks` (reserves).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

from controller.core.placement import Expression, evaluate
from controller.sandbox.identity import short_name
from controller.sandbox.instances import facts
from controller.sandbox.wire import Wire
from controller.sandbox.world import Demand, Instance, TaskStatus, World

PORTS_LIMIT = 100
"""Host ports that can be reserved on one instance, the default ones included (ECS quotas)."""


class Obstacle(StrEnum):
    """Why an instance cannot take a task; the value is the `reason` of a RunTask failure."""

    AGENT = "AGENT"
    ATTRIBUTE = "ATTRIBUTE"
    CPU = "RESOURCE:CPU"
    MEMORY = "RESOURCE:MEMORY"
    PORTS = "RESOURCE:PORTS"
    MEMBER_OF = "MemberOf placement constraint unsatisfied."
    DISTINCT = "DistinctInstance placement constraint unsatisfied."


_PHRASES = {
    Obstacle.CPU: "has insufficient CPU units available",
    Obstacle.MEMORY: "has insufficient memory available",
    Obstacle.PORTS: "is already using a port required by your task",
    Obstacle.ATTRIBUTE: "is missing an attribute required by your task",
}
"""The wording of service events (ECS developer guide, "Service event messages")."""

_MORE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


@dataclass(frozen=True, slots=True)
class Wish:
    """A task that wants a place."""

    cluster_arn: str
    group: str
    demand: Demand
    constraints: tuple[Expression, ...]
    distinct: bool
    strategies: tuple[tuple[str, str], ...]
    """(type, field), applied in order."""


@dataclass(frozen=True, slots=True)
class NoPlace:
    """No instance can take the task: each candidate with its obstacles, first the first found."""

    obstacles: tuple[tuple[str, tuple[Obstacle, ...]], ...]

    def event(self) -> str:
        """What a service says about it, without the service's name."""
        head = "was unable to place a task because no container instance met all of its requirements."
        if not self.obstacles:
            return f"{head} Reason: No Container Instances were found in your cluster. {_MORE}"
        reference, found = min(self.obstacles, key=lambda entry: len(entry[1]))
        phrase = _PHRASES.get(found[0], f'encountered error "{found[0]}"')
        return f"{head} The closest matching (container-instance {short_name(reference)}) {phrase}. {_MORE}"

    def failures(self) -> list[Wire]:
        """The `failures` of RunTask: one per instance."""
        return [{"arn": reference, "reason": found[0].value} for reference, found in self.obstacles]


def wish(
    cluster_arn: str, group: str, *, demand: Demand, members: Wire, constraints: tuple[Expression, ...], service: bool
) -> Wish:
    """The wish of a task whose request or service has these `placementConstraints` and `placementStrategy` members.

    A service without strategy spreads over zones, then instances; a standalone task without one goes anywhere.
    """
    strategies = tuple((entry["type"], entry.get("field", "")) for entry in members.get("placementStrategy", ()))
    if not strategies and service:
        strategies = (("spread", "attribute:ecs.availability-zone"), ("spread", "instanceId"))
    return Wish(
        cluster_arn=cluster_arn,
        group=group,
        demand=demand,
        constraints=(*demand.constraints, *constraints),
        distinct=any(entry["type"] == "distinctInstance" for entry in members.get("placementConstraints", ())),
        strategies=strategies,
    )


def place(world: World, wanted: Wish) -> Instance | NoPlace:
    """The best instance for the task."""
    candidates = [
        instance
        for instance in world.instances.values()
        if instance.cluster_arn == wanted.cluster_arn and instance.status == "ACTIVE"
    ]
    found = [(instance, obstacles(world, instance, wanted)) for instance in candidates]
    fitting = [instance for instance, against in found if not against]
    if not fitting:
        return NoPlace(tuple((instance.arn, against) for instance, against in found))
    return _choose(world, fitting, wanted)


def obstacles(world: World, instance: Instance, wanted: Wish) -> tuple[Obstacle, ...]:
    """Everything that keeps the task off the instance, in the order in which ECS looks."""
    return tuple(_obstacles(world, instance, wanted))


def _obstacles(world: World, instance: Instance, wanted: Wish) -> Iterable[Obstacle]:
    demand = wanted.demand
    if not instance.agent_connected:
        yield Obstacle.AGENT
    if demand.cpu > instance.cpu - instance.used_cpu:
        yield Obstacle.CPU
    if demand.memory > instance.memory - instance.used_memory:
        yield Obstacle.MEMORY
    tcp = instance.reserved_tcp | instance.used_tcp
    ports = len(tcp) + len(instance.used_udp) + len(demand.tcp) + len(demand.udp)
    taken = not demand.tcp.isdisjoint(tcp) or not demand.udp.isdisjoint(instance.used_udp)
    if taken or ((demand.tcp or demand.udp) and ports > PORTS_LIMIT):
        yield Obstacle.PORTS
    if not demand.attributes <= instance.attributes.keys():
        yield Obstacle.ATTRIBUTE
    if wanted.constraints:
        known = facts(world, instance)
        if not all(evaluate(expression, known) for expression in wanted.constraints):
            yield Obstacle.MEMBER_OF
    if wanted.distinct and _peers(world, instance, wanted.group):
        yield Obstacle.DISTINCT


def _peers(world: World, instance: Instance, group: str) -> int:
    """Tasks of the group that should run on the instance."""
    tasks = (world.tasks[task] for task in world.tasks_on.get(instance.arn, ()))
    return sum(task.group == group and task.desired is TaskStatus.RUNNING for task in tasks)


def _choose(world: World, fitting: list[Instance], wanted: Wish) -> Instance:
    """Narrow the fitting instances down by each strategy in turn; the hash decides between equals."""
    everywhere = [instance for instance in world.instances.values() if instance.cluster_arn == wanted.cluster_arn]
    for kind, field in wanted.strategies:
        match kind, field.lower():
            case "spread", "instanceid" | "host":
                fitting = _least(fitting, lambda instance: _peers(world, instance, wanted.group))
            case "spread", _:
                name = field.removeprefix("attribute:")
                counts: dict[str | None, int] = {}
                for instance in everywhere:
                    value = instance.attributes.get(name)
                    counts[value] = counts.get(value, 0) + _peers(world, instance, wanted.group)
                fitting = _least_by_value(fitting, name, counts)
            case "binpack", "cpu":
                fitting = _least(fitting, lambda instance: instance.cpu - instance.used_cpu)
            case "binpack", _:
                fitting = _least(fitting, lambda instance: instance.memory - instance.used_memory)
            case _:
                break
    salt = f"{world.seed}/{wanted.group}/{world.counter}/" if wanted.strategies[-1:] == (("random", ""),) else ""
    return min(fitting, key=lambda instance: crc32((salt + instance.arn).encode()))


def _least(fitting: list[Instance], measure: Callable[[Instance], int]) -> list[Instance]:
    smallest = min(map(measure, fitting))
    return [instance for instance in fitting if measure(instance) == smallest]


def _least_by_value(fitting: list[Instance], name: str, counts: dict[str | None, int]) -> list[Instance]:
    return _least(fitting, lambda instance: counts[instance.attributes.get(name)])
