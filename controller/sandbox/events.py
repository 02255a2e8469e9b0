"""The events of a service: at most 100, newest first, in ECS's own words ("Service event messages").

Neighbours: `rollout`, `daemons`, `deployments` (speak), `serviceviews` (shows them).
"""

from collections.abc import Sequence
from dataclasses import replace

from controller.sandbox.identity import short_name, uuid_id
from controller.sandbox.world import Event, Service, Task, World

KEPT = 100

STEADY = "has reached a steady state."
INCONSISTENT = (
    "is unable to consistently start tasks successfully. "
    "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
)
BLOCKED = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
    "Update the minimumHealthyPercent or maximumPercent value and try again."
)


def say(world: World, service: Service, message: str) -> Service:
    """The service with one event more: `(service NAME) message`."""
    event = Event(uuid_id(world, "event"), world.now, f"(service {service.name}) {message}")
    return replace(service, events=(event, *service.events[: KEPT - 1]))


def started(tasks: Sequence[Task], *, replaced: int) -> str:
    """What a service says when it starts tasks, `replaced` of them for unhealthy ones."""
    more = f" Amazon ECS replaced {replaced} tasks due to an unhealthy status." if replaced else ""
    return f"has started {len(tasks)} tasks: {names(tasks)}.{more}"


def names(tasks: Sequence[Task]) -> str:
    return " ".join(f"(task {short_name(task.arn)})" for task in tasks)
