"""How many tasks of one kind fit on one instance, now and when tasks that are to go have gone.

Two answers: how many ECS would place there (CPU, memory, host ports, `distinctInstance`; it knows no cards), and how
many of those would live (no two on one card). Where they differ, ECS can place a task beside another, and it dies.
Neighbours: `capacity` (adds the hosts up), `instances`, `demand`.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from controller.core.gaudi.cards import CardSet
from controller.core.gaudi.demand import Demand
from controller.core.gaudi.instances import Instance, Resources
from controller.core.gaudi.ports import PORTS_PER_INSTANCE
from controller.core.gaudi.tasks import LiveTask
from controller.core.placement import evaluate, subjects

_CHANGING: Final = frozenset({"task:group", "runningTasksCount"})
"""What a constraint may ask for that a rollout itself changes."""


class Sure(enum.Enum):
    """How unknown things are read: against the task (so many fit at least) or in its favour (so many at most)."""

    AT_LEAST = enum.auto()
    AT_MOST = enum.auto()


@dataclass(frozen=True, slots=True)
class Host:
    """One instance as a place for tasks of one service."""

    instance: Instance
    demand: Demand
    allowed: bool | None
    """Whether the constraints let the task on it; None where nobody can say."""
    empty: Resources
    """What it would have left without the tasks that are to go."""
    stay: tuple[LiveTask, ...]
    """Tasks that stay on it, of this service and of others."""
    own: int
    """Of those, the service's own."""
    going: tuple[LiveTask, ...]
    """The service's tasks that are to be replaced."""

    def placed(self, gone: int, sure: Sure, *, most: int) -> int:
        """How many new tasks ECS places on it once so many of the going have gone; not more than `most`."""
        if self._forbidden(sure):
            return 0
        left = len(self.going) - gone
        cpu = self.empty.cpu - _sum((task.demand.cpu for task in self.going), left, sure)
        memory = self.empty.memory - _sum((task.demand.memory for task in self.going), left, sure)
        tcp = self.empty.tcp | _ports([task.demand.tcp for task in self.going], left, sure)
        udp = self.empty.udp | _ports([task.demand.udp for task in self.going], left, sure)
        wanted = self.demand
        if not wanted.tcp.isdisjoint(tcp) or not wanted.udp.isdisjoint(udp):
            return 0
        ports = len(wanted.tcp) + len(wanted.udp)
        if ports and len(tcp) + len(udp) + ports > PORTS_PER_INSTANCE:
            return 0
        if wanted.distinct and (self.own or left):
            return 0
        limits = [most, 1 if ports or wanted.distinct else most]
        limits += [cpu // wanted.cpu] if wanted.cpu else []
        limits += [memory // wanted.memory] if wanted.memory else []
        return max(0, min(limits))

    def living(self, gone: int, sure: Sure, *, most: int) -> int:
        """Of those, how many find their cards free."""
        count = self.placed(gone, sure, most=most)
        if not count or not self.demand.cards:
            return count
        in_the_way = sum(_overlap(self.demand, task.demand, sure) for task in self.going)
        left = len(self.going) - gone
        if any(_overlap(self.demand, task.demand, sure) for task in self.stay):
            return 0
        # Of the going, the bad case leaves one that is in the way as long as any is left, the good case takes it first.
        blocked = bool(left and in_the_way) if sure is Sure.AT_LEAST else left > len(self.going) - in_the_way
        return 0 if blocked else 1

    def beside(self, other: Demand) -> "Host":
        """The same instance after a task of somebody else has come to it."""
        stranger = LiveTask("", "", self.instance.arn, "", "PENDING", "RUNNING", other)
        empty = Resources(
            cpu=self.empty.cpu - other.cpu,
            memory=self.empty.memory - other.memory,
            tcp=self.empty.tcp | other.tcp,
            udp=self.empty.udp | other.udp,
        )
        return replace(self, empty=empty, stay=(*self.stay, stranger))

    @property
    def neighbours(self) -> tuple[LiveTask, ...]:
        """Tasks that it has on the cards that a new one would open."""
        return tuple(task for task in (*self.stay, *self.going) if _overlap(self.demand, task.demand, Sure.AT_LEAST))

    def obstacles(self) -> tuple[str, ...]:
        """Why no new task fits on it even when all that are to go have gone, in ECS's order."""
        wanted, free = self.demand, self.empty
        found = []
        if not self.instance.usable:
            found.append(f"is {self.instance.status}" if self.instance.connected else "its agent is disconnected")
        if self.allowed is False:
            found.append("the constraints exclude it")
        if wanted.cpu > free.cpu:
            found.append(f"{free.cpu} CPU units left of {wanted.cpu}")
        if wanted.memory > free.memory:
            found.append(f"{free.memory} MiB left of {wanted.memory}")
        taken = sorted((wanted.tcp & free.tcp) | (wanted.udp & free.udp))
        if taken:
            found.append(f"host port{'' if len(taken) == 1 else 's'} {', '.join(map(str, taken))} taken")
        if wanted.distinct and self.own:
            found.append("it has a task of this service, and distinctInstance allows one")
        missing = sorted(wanted.attributes - self.instance.attributes.keys())
        if missing:
            found.append(f"it lacks the attribute {missing[0]}")
        return tuple(found)

    def _forbidden(self, sure: Sure) -> bool:
        if not self.instance.usable or not self.demand.attributes <= self.instance.attributes.keys():
            return True
        return not self.allowed if sure is Sure.AT_LEAST else self.allowed is False


def host_of(instance: Instance, demand: Demand, tasks: Iterable[LiveTask], *, group: str, keep: frozenset[str]) -> Host:
    """An instance as a place for tasks of `group`, with the tasks that are on it. `keep` are the ARNs of those of the
    group that are not replaced.

    Tasks on their way out count as gone: ECS waits for them.
    """
    here = [task for task in tasks if task.holds]
    ending = [task for task in here if task.ending]
    own = [task for task in here if task.group == group and not task.ending]
    going = [task for task in own if task.arn not in keep]
    stay = [task for task in here if not task.ending and task not in going]
    leaving = [*ending, *going]
    remaining = instance.remaining
    empty = Resources(
        cpu=remaining.cpu + sum(task.demand.cpu for task in leaving),
        memory=remaining.memory + sum(task.demand.memory for task in leaving),
        tcp=remaining.tcp.difference(*(task.demand.tcp for task in leaving)),
        udp=remaining.udp.difference(*(task.demand.udp for task in leaving)),
    )
    return Host(
        instance=instance,
        demand=demand,
        allowed=_allowed(instance, demand, {task.group for task in here if not task.ending}),
        empty=empty,
        stay=tuple(stay),
        own=len(own) - len(going),
        going=tuple(going),
    )


def _allowed(instance: Instance, demand: Demand, groups: Iterable[str]) -> bool | None:
    """All constraints together; what a rollout changes on its way is not known."""
    facts = instance.facts(groups)
    answers = {None if not _CHANGING.isdisjoint(subjects(one)) else evaluate(one, facts) for one in demand.constraints}
    return False if False in answers else (None if None in answers else True)


def _overlap(one: Demand, other: Demand, sure: Sure) -> bool:
    """Whether two tasks open the same card; where indices meet modules, nobody knows."""
    pairs = ((mine, theirs) for mine in one.cards for theirs in other.cards)
    if sure is Sure.AT_LEAST:
        return any(mine.may_share(theirs) for mine, theirs in pairs)
    return any(_certain(mine, theirs) for mine, theirs in pairs)


def _certain(one: CardSet, other: CardSet) -> bool:
    if one.whole_instance or other.whole_instance:
        return True
    return one.naming is other.naming and not set(one.cards).isdisjoint(other.cards)


def _sum(sizes: Iterable[int], count: int, sure: Sure) -> int:
    """What so many of the tasks take together: at least with the smallest of them left, at most with the biggest."""
    ordered = sorted(sizes, reverse=sure is Sure.AT_LEAST)
    return sum(ordered[:count])


def _ports(held: list[frozenset[int]], count: int, sure: Sure) -> frozenset[int]:
    """The ports that so many of the tasks hold: all that any holds in the bad case, what all hold in the good one."""
    if not count or not held:
        return frozenset()
    return held[0].union(*held) if sure is Sure.AT_LEAST else held[0].intersection(*held)
