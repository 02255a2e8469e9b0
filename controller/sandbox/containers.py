"""The containers of a task: their definition with overrides, how their images behave, the cards they want.

Neighbours: `tasks` (moves the task), `images` and `cards` (the rules).
"""

from collections.abc import Iterator

from controller.sandbox.cards import Claim, claim, open_cards
from controller.sandbox.images import Behaviour
from controller.sandbox.wire import Wire
from controller.sandbox.world import Instance, Task, World


def definition_of(world: World, task: Task, name: str) -> Wire:
    """The container definition with the overrides of the task."""
    definition = world.task_definitions[task.task_definition].content
    container = next(entry for entry in definition["containerDefinitions"] if entry["name"] == name)
    override: Wire = next(
        (entry for entry in task.overrides.get("containerOverrides", ()) if entry.get("name") == name), {}
    )
    variables = {variable["name"]: variable for variable in container["environment"]}
    variables |= {variable["name"]: variable for variable in override.get("environment", ())}
    merged = {**container, "environment": list(variables.values())}
    if override.get("command"):
        merged["command"] = override["command"]
    return merged


def behaviours(world: World, task: Task) -> dict[str, Behaviour]:
    """How each container behaves, by name."""
    instance = world.instances.get(task.instance) if task.instance is not None else None
    cards = instance.cards if instance is not None else 0
    return {
        container.name: world.images.behaviour(
            definition_of(world, task, container.name), started_by=task.started_by or "", cards=cards
        )
        for container in task.containers
    }


def claims(world: World, task: Task) -> list[tuple[str, Claim]]:
    """What each container wants of the Gaudi cards of its host, in the order of the task."""
    instance = world.instances.get(task.instance) if task.instance is not None else None
    cards = instance.cards if instance is not None else 0
    return [
        (container.name, claim(definition_of(world, task, container.name), cards=cards))
        for container in task.containers
    ]


def take_cards(world: World, task: Task) -> tuple[frozenset[int], dict[str, str]]:
    """The cards that the containers get beside what other tasks of the host hold, and what the losers die of."""
    instance = world.instances.get(task.instance) if task.instance is not None else None
    held: frozenset[int] = frozenset()
    if instance is not None:
        held = held.union(*(world.tasks[other].cards for other in world.tasks_on[instance.arn] if other != task.arn))
    return open_cards(claims(world, task), held=held, cards=instance.cards if instance is not None else 0)


def dynamic_ports(world: World, instance: Instance | None) -> Iterator[int]:
    """Host ports of the ephemeral range that no container on the instance is bound to, lowest first."""
    tasks = [world.tasks[task] for task in world.tasks_on.get(instance.arn, ())] if instance is not None else []
    bound = {host for task in tasks for container in task.containers for _, host, _ in container.bindings}
    return (port for port in range(32768, 61000) if port not in bound)
