"""The arithmetic of a rolling deployment, and how a service whose tasks fill an instance can roll at all.

ECS keeps at least ⌈min% · desired⌉ healthy tasks and at most ⌊max% · desired⌋ tasks in all. A deployment can move
only if it may stop a task first (the lower bound is under the desired count) or start one first (the upper bound is
over it) and there is room. ECS's own defaults are 100/200: on a fleet that is full they wait for ever, because no
second task fits beside the first. Source: ECS developer guide, "Service definition parameters",
minimumHealthyPercent.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Percentages:
    """minimumHealthyPercent and maximumPercent of a deploymentConfiguration."""

    minimum: int
    maximum: int

    def lower(self, desired: int) -> int:
        """Tasks that must stay healthy."""
        return math.ceil(self.minimum * desired / 100)

    def upper(self, desired: int) -> int:
        """Tasks that may exist at once."""
        return self.maximum * desired // 100

    def stops_first(self, desired: int) -> bool:
        """Whether a task may be stopped before its successor runs."""
        return self.lower(desired) < desired

    def starts_first(self, desired: int) -> bool:
        """Whether a successor may be started before its predecessor stops."""
        return self.upper(desired) > desired

    def can_move(self, desired: int) -> bool:
        """Whether a deployment can make any step, given room."""
        return desired == 0 or self.stops_first(desired) or self.starts_first(desired)


def without_spare_room(desired: int | None) -> Percentages:
    """Percentages for tasks that cannot stand beside their successors: one stops, one starts, the rest keep serving.

    Where the count is not ours (`desired` is None) it may be one, and then only 0 lets the service roll.
    """
    if not desired:
        return Percentages(0, 100)
    return Percentages((desired - 1) * 100 // desired, 100)
