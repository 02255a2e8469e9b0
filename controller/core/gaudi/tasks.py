"""A live task as the fleet sees it: where it is, whose it is, what it holds there.

Made from DescribeTasks and the task's definition, overrides applied: RunTask can give each task other cards. Works for
every task of a cluster, managed or not. Neighbours: `demand` (what a definition asks for), `occupancy`, `collisions`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from controller.core.gaudi.demand import Demand, demand_of

STOPPED: Final = "STOPPED"
_ENDING: Final = frozenset({"DEACTIVATING", "STOPPING", "DEPROVISIONING", STOPPED})


@dataclass(frozen=True, slots=True)
class LiveTask:
    """One task that ECS knows."""

    arn: str
    group: str
    """`service:NAME`, `family:NAME`, or what RunTask was told."""
    instance: str | None
    """ARN of its container instance; None on Fargate and before it is placed."""
    definition: str
    """ARN of its task definition revision."""
    status: str
    """`lastStatus`: PENDING, RUNNING, …"""
    desired: str
    """`desiredStatus`: RUNNING or STOPPED."""
    demand: Demand
    unhealthy: bool = False
    """Whether a health check says so."""

    @property
    def holds(self) -> bool:
        """Whether it has its resources, its host ports and its cards; ECS takes them back when it is STOPPED."""
        return self.status != STOPPED and self.instance is not None

    @property
    def ending(self) -> bool:
        """Whether it is on its way out."""
        return self.desired == STOPPED or self.status in _ENDING

    @property
    def serves(self) -> bool:
        """Whether ECS counts it as healthy in a rollout: it runs, is to run on, and no check says otherwise."""
        return self.status == "RUNNING" and not self.ending and not self.unhealthy

    @property
    def service(self) -> str | None:
        """The service that it belongs to."""
        kind, _, name = self.group.partition(":")
        return name if kind == "service" else None

    @property
    def short(self) -> str:
        """Its id."""
        return self.arn.rpartition("/")[2]

    @property
    def short_instance(self) -> str:
        """The id of its container instance."""
        return (self.instance or "").rpartition("/")[2]


def live_task(task: Mapping[str, Any], definition: Mapping[str, Any]) -> LiveTask:
    """A task of DescribeTasks with the task definition that it runs."""
    overrides = task.get("overrides") or {}
    demand = demand_of(_overridden(definition, overrides))
    return LiveTask(
        arn=str(task["taskArn"]),
        group=str(task.get("group", "")),
        instance=task.get("containerInstanceArn"),
        definition=str(task.get("taskDefinitionArn", "")),
        status=str(task.get("lastStatus", "")),
        desired=str(task.get("desiredStatus", "")),
        demand=replace(
            demand,
            cpu=_size(overrides.get("cpu"), demand.cpu),
            memory=_size(overrides.get("memory"), demand.memory),
        ),
        unhealthy=task.get("healthStatus") == "UNHEALTHY",
    )


def _overridden(definition: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with the environment and the commands that this task was given. Source: ECS API,
    ContainerOverride: a variable replaces the one of its name."""
    by_name = {str(one.get("name")): one for one in overrides.get("containerOverrides") or ()}
    containers = []
    for container in definition.get("containerDefinitions", ()):
        override = by_name.get(str(container.get("name")), {})
        variables = {str(one.get("name")): one for one in container.get("environment", ())}
        variables |= {str(one.get("name")): one for one in override.get("environment") or ()}
        merged = {**container, "environment": list(variables.values())}
        if override.get("command"):
            merged["command"] = override["command"]
        containers.append(merged)
    return {**definition, "containerDefinitions": containers}


def _size(override: Any, otherwise: int) -> int:
    text = str(override or "")
    return int(text) if text.isascii() and text.isdigit() else otherwise
