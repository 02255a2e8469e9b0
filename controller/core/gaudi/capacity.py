"""Can a rollout end well on the instances that are there? Said before it is begun, with the arithmetic.

ECS keeps ⌈min%·n⌉ healthy tasks and at most ⌊max%·n⌋ in all. It starts new tasks where CPU, memory, ports and
constraints let it, and stops old ones, in an order of its own, as soon as enough are healthy. All tasks of a service
are alike, so it does not matter where the new ones go, only how many fit while r old ones are left: a rollout with r
old and m new tasks stands still for ever where r + m ≤ the number that must stay and no more fits. The forecast is:

    NEVER     too few fit even when all old ones have gone
    STALLS    it stands still at some r, whichever tasks ECS stops first
    COLLIDES  ECS finds places, but not enough of them with free cards: the later of two tasks on a card dies
    FITS      it comes to its end, whichever tasks ECS stops first and wherever it places
    UNSURE    it depends on ECS's choices, or on what nobody can know

NEVER, STALLS and COLLIDES block; a caller may override. A rollout elsewhere that has not taken its place yet is read
against this one. Source: ECS developer guide, minimumHealthyPercent and task placement. Neighbours: `hosts` (one
instance), `fleet`, the sandbox's tests (which play every forecast).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controller.core.gaudi.demand import Demand
from controller.core.gaudi.hosts import Host, Sure, host_of
from controller.core.gaudi.instances import ACTIVE, DRAINING, Instance
from controller.core.gaudi.tasks import LiveTask
from controller.core.rollout import Percentages

_MOST_LISTED: Final = 8
"""Instances that the arithmetic lists."""


class Outcome(StrEnum):
    """How a rollout would end; the module says when it is which."""

    FITS = "Fits"
    UNSURE = "Unsure"
    NEVER = "NeverPlaced"
    STALLS = "Stalls"
    COLLIDES = "Collides"


@dataclass(frozen=True, slots=True)
class Rollout:
    """What a service is to become."""

    name: str
    """Of the service."""
    demand: Demand
    """Of one new task."""
    desired: int
    percentages: Percentages
    revision: str | None = None
    """ARN of the task definition whose tasks may stay; None replaces all."""
    at_once: bool = False
    """Whether all new tasks come before any old one goes (blue/green, canary, linear)."""
    elastic: bool = False
    """Whether a capacity provider may add instances."""
    breaker: bool = False
    """Whether the deployment circuit breaker counts the tasks that find no place."""
    daemon: bool = False
    """Whether it is one task on each instance; then `desired` says nothing."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """How a rollout would end, in a sentence, and the numbers behind it."""

    outcome: Outcome
    message: str
    arithmetic: tuple[str, ...] = field(default=())

    @property
    def blocks(self) -> bool:
        """Whether it should not be begun."""
        return self.outcome in (Outcome.NEVER, Outcome.STALLS, Outcome.COLLIDES)


def forecast(
    rollout: Rollout, instances: Iterable[Instance], tasks: Sequence[LiveTask], *, pending: Sequence[Demand] = ()
) -> Forecast:
    """The forecast for one service. `tasks` are all tasks of the cluster, `pending` tasks that were asked for and have
    no place yet."""
    group = f"service:{rollout.name}"
    there = list(instances)
    draining = {one.arn for one in there if one.status == DRAINING}
    own = [task for task in tasks if task.group == group and not task.ending]
    keep = frozenset(task.arn for task in own if task.definition == rollout.revision and task.instance not in draining)
    by_instance: defaultdict[str | None, list[LiveTask]] = defaultdict(list)
    for task in tasks:
        by_instance[task.instance].append(task)
    hosts = [host_of(one, rollout.demand, by_instance[one.arn], group=group, keep=keep) for one in there]
    old = [task for task in own if task.arn not in keep]
    plan = _Plan(
        rollout,
        hosts,
        kept=len(keep),
        old=sum(task.serves for task in old),
        useless=sum(not task.serves for task in old),
        elsewhere=len(old) - sum(len(host.going) for host in hosts),
        pending=tuple(pending),
    )
    return plan.daemon() if rollout.daemon else plan.replicas()


@dataclass(frozen=True, slots=True)
class _Plan:
    """The numbers of one rollout."""

    rollout: Rollout
    hosts: list[Host]
    kept: int
    """Tasks of the wanted revision that run already."""
    old: int
    """Tasks to be replaced that serve."""
    useless: int
    """Tasks to be replaced that do not: ECS stops those at once."""
    elsewhere: int
    """Tasks to be replaced that are on none of the instances."""
    pending: tuple[Demand, ...]

    @property
    def needed(self) -> int:
        """New tasks that must find a place."""
        return max(0, self.rollout.desired - self.kept)

    @property
    def lower(self) -> int:
        return self.rollout.percentages.lower(self.rollout.desired)

    @property
    def upper(self) -> int:
        return self.rollout.percentages.upper(self.rollout.desired)

    def replicas(self) -> Forecast:
        """The forecast for a service with a number of tasks."""
        if not self.needed and not self.old:
            return self._told(Outcome.FITS, f"{self.kept} of {self.rollout.desired} tasks run already")
        blocked = self._blocked(Host.placed, Sure.AT_MOST)
        if blocked is not None:
            return self._resolved(*blocked)
        blocked = self._blocked(Host.living, Sure.AT_MOST)
        if blocked is not None:
            return self._told(Outcome.COLLIDES, self._collision(f"by free cards it {blocked[1]}"))
        certain = self._blocked(Host.living, Sure.AT_LEAST, against=True) is None
        if certain and not self._may_collide() and not self._may_break():
            return self._told(Outcome.FITS, f"{_count(self.needed, 'task')} will find a place")
        return self._told(Outcome.UNSURE, self._doubt())

    def daemon(self) -> Forecast:
        """The forecast for a service with one task on each instance: the old one goes before the new one comes."""
        homes = [host for host in self.hosts if host.allowed is not False and host.instance.status == ACTIVE]
        full = [host for host in homes if not host.own and not host.placed(len(host.going), Sure.AT_MOST, most=1)]
        if full or not homes:
            names = ", ".join(host.instance.short for host in full) or "any instance"
            return self._resolved(Outcome.NEVER, f"would never be placed on {names}")
        crowded = [host for host in homes if not host.own and not host.living(len(host.going), Sure.AT_MOST, most=1)]
        if crowded:
            names = ", ".join(host.instance.short for host in crowded)
            return self._told(Outcome.COLLIDES, self._collision(f"there is no free card for it on {names}"))
        keeps = self.rollout.percentages.lower(len(homes))
        if self.old and keeps >= len(homes):
            message = (
                f"would stall: {keeps} of {len(homes)} must stay, and a daemon's old task goes before the new comes"
            )
            return self._told(Outcome.STALLS, f"{message}; minimumHealthyPercent must be under 100")
        if any(host.allowed is None for host in homes) or self._may_collide():
            return self._told(Outcome.UNSURE, self._doubt())
        return self._told(Outcome.FITS, f"{_count(len(homes), 'instance')} will have it")

    def _resolved(self, outcome: Outcome, message: str) -> Forecast:
        """A failure, unless a capacity provider may bring what lacks."""
        if self.rollout.elastic:
            return self._told(Outcome.UNSURE, f"{message}; its capacity provider may add instances")
        return self._told(outcome, message)

    def _blocked(self, fit: "_Fit", sure: Sure, *, against: bool = False) -> tuple[Outcome, str] | None:
        """Where the rollout stands still, or None. `against` reads what waits elsewhere as if it came first."""
        taken = self._taken_elsewhere(fit) if against else 0
        room = [max(0, count - taken) for count in _totals(self.hosts, fit, sure, self.elsewhere, most=self.needed)]
        last = min(room[-1], self.upper - self.kept)
        if last < self.needed:
            return Outcome.NEVER, self._never(last)
        if self.rollout.at_once:
            stands = room[0] < self.needed and self.old > 0
            return (Outcome.STALLS, self._needs_all(room[0])) if stands else None
        for left in range(self.old, 0, -1):
            fits = room[len(room) - 1 - left]
            new = min(self.needed, fits, max(0, self.upper - left - self.kept))
            if left + self.kept + new <= self.lower:
                return Outcome.STALLS, self._stall(left, new, fits)
        return None

    def _taken_elsewhere(self, fit: "_Fit") -> int:
        """Places that tasks without one yet may take: for each of them the most that any instance loses by it."""
        return sum(max((self._loss(host, one, fit) for host in self.hosts), default=0) for one in self.pending)

    def _loss(self, host: Host, other: Demand, fit: "_Fit") -> int:
        beside = host.beside(other)
        return max(
            fit(host, gone, Sure.AT_MOST, most=self.needed) - fit(beside, gone, Sure.AT_LEAST, most=self.needed)
            for gone in range(len(host.going) + 1)
        )

    def _may_collide(self) -> bool:
        """Whether ECS can place a new task where it dies, at any moment of the rollout."""
        beside = (host.beside(other) for other in dict.fromkeys(self.pending) for host in self.hosts)
        return any(
            host.placed(gone, Sure.AT_MOST, most=self.needed) > host.living(gone, Sure.AT_LEAST, most=self.needed)
            for host in (*self.hosts, *beside)
            for gone in range(len(host.going) + 1)
        )

    def _may_break(self) -> bool:
        """Whether ECS tries from the beginning to start tasks for which there is no place before an old one goes.

        Each try counts as a failed task (API model, Deployment `failedTasks`), and three may be enough for the breaker.
        """
        room = _totals(self.hosts, Host.placed, Sure.AT_LEAST, self.elsewhere, most=self.needed)
        wanted = min(self.needed, self.upper - self.old - self.kept)
        return self.rollout.breaker and self.old > 0 and wanted > room[0]

    # What is told ---------------------------------------------------------------------------------------------------

    def _told(self, outcome: Outcome, message: str) -> Forecast:
        return Forecast(outcome, f"{self.rollout.name}: {message}", tuple(self._arithmetic()))

    def _never(self, fit: int) -> str:
        where = len([host for host in self.hosts if host.allowed is not False and host.instance.usable])
        have = f"{_count(where, 'instance')} can be considered" if where else "no instance can be considered"
        return f"would never be placed: {_count(self.needed, 'task')} wanted, {fit} fit; {have}"

    def _stall(self, left: int, new: int, fits: int) -> str:
        kept = f" and {self.kept} that stay" if self.kept else ""
        start = (
            f"no more than {self.upper} may exist"
            if new == self.upper - left - self.kept and fits > new
            else "no instance has room for another new one"
        )
        return (
            f"would stall: {_count(left, 'task')} of the old revision{kept} and {new} new ones are healthy, of which"
            f" {self.lower} must stay, so none may be stopped, and {start}"
        )

    def _needs_all(self, fits: int) -> str:
        return (
            f"would stall: this strategy starts all {self.needed} new tasks before it stops an old one, and only {fits}"
            " fit beside those that run"
        )

    def _collision(self, why: str) -> str:
        beside = sorted({task for host in self.hosts for task in host.neighbours}, key=lambda task: task.arn)
        who = ", ".join(f"{task.group} ({task.short})" for task in beside[:3]) or "another task of this service"
        return f"would land beside {who} on the same cards and die of `synStatus=20 [Device already acquired]`; {why}"

    def _doubt(self) -> str:
        if any(host.allowed is None for host in self.hosts):
            return "may fit: whether its constraints hold on some instances cannot be said beforehand"
        if self._may_collide():
            return "may land on cards that another task uses, and die there, depending on where ECS places it"
        if self._may_break():
            return (
                "fits, but ECS first tries to start tasks that have no place before an old one goes, and the circuit"
                " breaker may count those and give up; maximumPercent: 100 stops first"
            )
        if self._blocked(Host.living, Sure.AT_LEAST) is None:
            return "fits unless tasks that wait elsewhere take its place first"
        return "may stall, depending on which old tasks ECS stops first"

    def _arithmetic(self) -> Iterable[str]:
        wanted, percentages = self.rollout.demand, self.rollout.percentages
        ports = sorted(wanted.tcp | wanted.udp)
        held = f", host ports {_spans(ports)}" if ports else ""
        cards = f", {' and '.join(map(str, wanted.cards))}" if wanted.cards else ""
        yield f"each task asks for {wanted.cpu} CPU units, {wanted.memory} MiB{held}{cards}"
        yield (
            f"{_count(self.rollout.desired, 'task')}: minimumHealthyPercent {percentages.minimum} keeps {self.lower},"
            f" maximumPercent {percentages.maximum} allows {self.upper}; {self.kept} run already, {self.old} are to be"
            f" replaced" + (f", {self.useless} that do not serve" if self.useless else "")
        )
        considered = [host for host in self.hosts if host.allowed is not False]
        for host in considered[:_MOST_LISTED]:
            yield self._line(host)
        if len(considered) > _MOST_LISTED:
            yield f"… and {len(considered) - _MOST_LISTED} more instances"
        others = len(self.hosts) - len(considered)
        if others:
            yield f"the constraints exclude {_count(others, 'instance')}"

    def _line(self, host: Host) -> str:
        now = host.placed(0, Sure.AT_MOST, most=self.needed or 1)
        last = host.placed(len(host.going), Sure.AT_MOST, most=self.needed or 1)
        where = f"{host.instance.short} ({host.instance.zone or 'zone unknown'})"
        after = f", {last} when its {_count(len(host.going), 'task')} have gone" if host.going else ""
        why = "; ".join(host.obstacles())
        cards = "".join(f"; cards named by {task.group} ({task.short})" for task in host.neighbours[:2])
        return f"{where}: room for {now}{after}{f' ({why})' if why else ''}{cards}"


_Fit = Callable[..., int]
"""`Host.placed` or `Host.living`."""


def _totals(hosts: Sequence[Host], fit: _Fit, sure: Sure, elsewhere: int, *, most: int) -> list[int]:
    """How many new tasks fit when 0, 1, 2 … of the going have gone: the most or the fewest over all ways to choose.

    Tasks that are `elsewhere` make no room when they go.
    """
    choose = max if sure is Sure.AT_MOST else min
    best = [0] * (elsewhere + 1)
    for host in hosts:
        here = [fit(host, gone, sure, most=most) for gone in range(len(host.going) + 1)]
        best = [
            choose(best[total - gone] + count for gone, count in enumerate(here) if 0 <= total - gone < len(best))
            for total in range(len(best) + len(here) - 1)
        ]
    return best


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _spans(numbers: Sequence[int]) -> str:
    """`18100-18107, 20000`: ascending numbers with runs of more than two written as one."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(parts)
