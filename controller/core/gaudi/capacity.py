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
against this one. Source: ECS developer guide, minimumHealthyPercent and task placement. Neighbours: `outlook` (the
numbers in words), `hosts` (one instance), `fleet`; the tests play every forecast.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from controller.core.gaudi.demand import Demand
from controller.core.gaudi.hosts import Host, Sure, host_of
from controller.core.gaudi.instances import ACTIVE, DRAINING, Instance
from controller.core.gaudi.outlook import Forecast, Numbers, Outcome, Rollout, count_of
from controller.core.gaudi.tasks import LiveTask

__all__ = ["Forecast", "Outcome", "Rollout", "forecast"]

_Fit = Callable[..., int]
"""`Host.placed` or `Host.living`."""


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
    numbers = Numbers(
        rollout,
        hosts,
        kept=len(keep),
        old=sum(task.serves for task in old),
        useless=sum(not task.serves for task in old),
        elsewhere=len(old) - sum(len(host.going) for host in hosts),
        pending=tuple(pending),
    )
    return _daemon(numbers) if rollout.daemon else _replicas(numbers)


def _replicas(numbers: Numbers) -> Forecast:
    """The forecast for a service with a number of tasks."""
    if not numbers.needed and not numbers.old:
        return numbers.told(Outcome.FITS, f"{numbers.kept} of {numbers.rollout.desired} tasks run already")
    blocked = _blocked(numbers, Host.placed, Sure.AT_MOST)
    if blocked is not None:
        return _resolved(numbers, *blocked)
    blocked = _blocked(numbers, Host.living, Sure.AT_MOST)
    if blocked is not None:
        return numbers.told(Outcome.COLLIDES, numbers.collision(f"by free cards it {blocked[1]}"))
    certain = _blocked(numbers, Host.living, Sure.AT_LEAST, against=True) is None
    if certain and not _may_collide(numbers) and not _may_break(numbers):
        return numbers.told(Outcome.FITS, f"{count_of(numbers.needed, 'task')} will find a place")
    return numbers.told(Outcome.UNSURE, _doubt(numbers))


def _daemon(numbers: Numbers) -> Forecast:
    """The forecast for a service with one task on each instance: the old one goes before the new one comes."""
    homes = [host for host in numbers.hosts if host.allowed is not False and host.instance.status == ACTIVE]
    full = [host for host in homes if not host.own and not host.placed(len(host.going), Sure.AT_MOST, most=1)]
    if full or not homes:
        names = ", ".join(host.instance.short for host in full) or "any instance"
        return _resolved(numbers, Outcome.NEVER, f"would never be placed on {names}")
    crowded = [host for host in homes if not host.own and not host.living(len(host.going), Sure.AT_MOST, most=1)]
    if crowded:
        names = ", ".join(host.instance.short for host in crowded)
        return numbers.told(Outcome.COLLIDES, numbers.collision(f"there is no free card for it on {names}"))
    keeps = numbers.rollout.percentages.lower(len(homes))
    if numbers.old and keeps >= len(homes):
        message = f"would stall: {keeps} of {len(homes)} must stay, and a daemon's old task goes before the new comes"
        return numbers.told(Outcome.STALLS, f"{message}; minimumHealthyPercent must be under 100")
    if any(host.allowed is None for host in homes) or _may_collide(numbers):
        return numbers.told(Outcome.UNSURE, _doubt(numbers))
    return numbers.told(Outcome.FITS, f"{count_of(len(homes), 'instance')} will have it")


def _resolved(numbers: Numbers, outcome: Outcome, message: str) -> Forecast:
    """A failure, unless a capacity provider may bring what lacks."""
    if numbers.rollout.elastic:
        return numbers.told(Outcome.UNSURE, f"{message}; its capacity provider may add instances")
    return numbers.told(outcome, message)


def _blocked(numbers: Numbers, fit: "_Fit", sure: Sure, *, against: bool = False) -> tuple[Outcome, str] | None:
    """Where the rollout stands still, or None. `against` reads what waits elsewhere as if it came first."""
    taken = _taken_elsewhere(numbers, fit) if against else 0
    found = _totals(numbers.hosts, fit, sure, numbers.elsewhere, most=numbers.needed)
    room = [max(0, count - taken) for count in found]
    last = min(room[-1], numbers.upper - numbers.kept)
    if last < numbers.needed:
        return Outcome.NEVER, numbers.never(last)
    if numbers.rollout.at_once:
        stands = room[0] < numbers.needed and numbers.old > 0
        return (Outcome.STALLS, numbers.needs_all(room[0])) if stands else None
    for left in range(numbers.old, 0, -1):
        fits = room[len(room) - 1 - left]
        new = min(numbers.needed, fits, max(0, numbers.upper - left - numbers.kept))
        if left + numbers.kept + new <= numbers.lower:
            return Outcome.STALLS, numbers.stall(left, new, fits)
    return None


def _taken_elsewhere(numbers: Numbers, fit: "_Fit") -> int:
    """Places that tasks without one yet may take: for each of them the most that any instance loses by it."""
    return sum(max((_loss(numbers, host, one, fit) for host in numbers.hosts), default=0) for one in numbers.pending)


def _loss(numbers: Numbers, host: Host, other: Demand, fit: "_Fit") -> int:
    beside = host.beside(other)
    return max(
        fit(host, gone, Sure.AT_MOST, most=numbers.needed) - fit(beside, gone, Sure.AT_LEAST, most=numbers.needed)
        for gone in range(len(host.going) + 1)
    )


def _may_collide(numbers: Numbers) -> bool:
    """Whether ECS can place a new task where it dies, at any moment of the rollout."""
    beside = (host.beside(other) for other in dict.fromkeys(numbers.pending) for host in numbers.hosts)
    return any(
        host.placed(gone, Sure.AT_MOST, most=numbers.needed) > host.living(gone, Sure.AT_LEAST, most=numbers.needed)
        for host in (*numbers.hosts, *beside)
        for gone in _moments(numbers, host)
    )


def _moments(numbers: Numbers, host: Host) -> Iterable[int]:
    """How many of an instance's old tasks have gone when a new one may come: a daemon's comes when all have."""
    if not numbers.rollout.daemon:
        return range(len(host.going) + 1)
    return () if host.own else (len(host.going),)


def _may_break(numbers: Numbers) -> bool:
    """Whether ECS tries from the beginning to start tasks for which there is no place before an old one goes.

    Each try counts as a failed task (API model, Deployment `failedTasks`), and three may be enough for the breaker.
    """
    room = _totals(numbers.hosts, Host.placed, Sure.AT_LEAST, numbers.elsewhere, most=numbers.needed)
    wanted = min(numbers.needed, numbers.upper - numbers.old - numbers.kept)
    return numbers.rollout.breaker and numbers.old > 0 and wanted > room[0]


def _doubt(numbers: Numbers) -> str:
    if any(host.allowed is None for host in numbers.hosts):
        return "may fit: whether its constraints hold on some instances cannot be said beforehand"
    if _may_collide(numbers):
        return "may land on cards that another task uses, and die there, depending on where ECS places it"
    if _may_break(numbers):
        return (
            "fits, but ECS first tries to start tasks that have no place before an old one goes, and the circuit"
            " breaker may count those and give up; maximumPercent: 100 stops first"
        )
    if _blocked(numbers, Host.living, Sure.AT_LEAST) is None:
        return "fits unless tasks that wait elsewhere take its place first"
    return "may stall, depending on which old tasks ECS stops first"


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
