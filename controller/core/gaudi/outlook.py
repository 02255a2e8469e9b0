"""What a rollout needs, what is there, and how the answer is said: the numbers behind a forecast, in words.

Neighbours: `capacity` decides by these numbers, `hosts` has those of one instance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controller.core.gaudi.demand import Demand
from controller.core.gaudi.hosts import Host, Sure
from controller.core.rollout import Percentages

_MOST_LISTED: Final = 8
"""Instances that the arithmetic lists."""


class Outcome(StrEnum):
    """How a rollout would end; `capacity` says when it is which."""

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


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one rollout has to do with."""

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
    """Tasks elsewhere that were asked for and have no place yet."""

    @property
    def needed(self) -> int:
        """New tasks that must find a place; of a daemon one on an instance."""
        return 1 if self.rollout.daemon else max(0, self.rollout.desired - self.kept)

    @property
    def lower(self) -> int:
        """Tasks that must stay healthy."""
        return self.rollout.percentages.lower(self.rollout.desired)

    @property
    def upper(self) -> int:
        """Tasks that may exist at once."""
        return self.rollout.percentages.upper(self.rollout.desired)

    def told(self, outcome: Outcome, message: str) -> Forecast:
        """The forecast with its numbers."""
        return Forecast(outcome, f"{self.rollout.name}: {message}", tuple(self.arithmetic()))

    def never(self, fit: int) -> str:
        """Why not all can be placed."""
        where = len([host for host in self.hosts if host.allowed is not False and host.instance.usable])
        have = f"{count_of(where, 'instance')} can be considered" if where else "no instance can be considered"
        return f"would never be placed: {count_of(self.needed, 'task')} wanted, {fit} fit; {have}"

    def stall(self, left: int, new: int, fits: int) -> str:
        """Why nothing moves any more."""
        kept = f" and {self.kept} that stay" if self.kept else ""
        start = (
            f"no more than {self.upper} may exist"
            if new == self.upper - left - self.kept and fits > new
            else "no instance has room for another new one"
        )
        return (
            f"would stall: {count_of(left, 'task')} of the old revision{kept} and {new} new ones are healthy, of which"
            f" {self.lower} must stay, so none may be stopped, and {start}"
        )

    def needs_all(self, fits: int) -> str:
        """Why a deployment that needs all new tasks first cannot begin."""
        return (
            f"would stall: this strategy starts all {self.needed} new tasks before it stops an old one, and only {fits}"
            " fit beside those that run"
        )

    def collision(self, why: str) -> str:
        """Beside whom it would die."""
        beside = sorted({task for host in self.hosts for task in host.neighbours}, key=lambda task: task.arn)
        who = ", ".join(f"{task.group} ({task.short})" for task in beside[:3]) or "another task of this service"
        return f"would land beside {who} on the same cards and die of `synStatus=20 [Device already acquired]`; {why}"

    def arithmetic(self) -> Iterator[str]:
        """The numbers, a line each."""
        wanted, percentages = self.rollout.demand, self.rollout.percentages
        ports = sorted(wanted.tcp | wanted.udp)
        held = f", host ports {_spans(ports)}" if ports else ""
        cards = f", {' and '.join(map(str, wanted.cards))}" if wanted.cards else ""
        yield f"each task asks for {wanted.cpu} CPU units, {wanted.memory} MiB{held}{cards}"
        size = "one task on each instance" if self.rollout.daemon else count_of(self.rollout.desired, "task")
        yield (
            f"{size}: minimumHealthyPercent {percentages.minimum} keeps {self.lower},"
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
            yield f"the constraints exclude {count_of(others, 'instance')}"

    def _line(self, host: Host) -> str:
        now = host.placed(0, Sure.AT_MOST, most=self.needed or 1)
        last = host.placed(len(host.going), Sure.AT_MOST, most=self.needed or 1)
        where = f"{host.instance.short} ({host.instance.zone or 'zone unknown'})"
        going = len(host.going)
        after = f", {last} once {count_of(going, 'task')} {'has' if going == 1 else 'have'} left it" if going else ""
        why = "; ".join(host.obstacles())
        cards = "".join(f"; cards named by {task.group} ({task.short})" for task in host.neighbours[:2])
        return f"{where}: room for {now}{after}{f' ({why})' if why else ''}{cards}"


def count_of(count: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
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
