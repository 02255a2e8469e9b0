"""Two tasks on one card: which workloads of a cluster may meet there, and which live tasks are in their way.

Decides from what ECS looks at when it places: where ports, size or constraints keep two tasks off one instance, nothing
is said. A pair that ECS may put together and that opens the same card is a warning, because nobody knows beforehand
whether it will; a promise that cannot be kept (tokens for cards that are named in two ways) is an error.
Neighbours: `demand` (what keeps tasks apart), `ports` (tokens), `desired` (calls this once for a whole revision).
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from controller.core.diagnostics import Code, Diagnostic, Severity
from controller.core.gaudi.cards import CardSet, Naming
from controller.core.gaudi.demand import Demand, HostPort, apart, demand_of, host_ports
from controller.core.gaudi.ports import guarded, token_ports
from controller.core.gaudi.tasks import LiveTask
from controller.core.path import Path
from controller.core.render import Rendered
from controller.core.workload import Key, Workload

GAUDI: Final[Path] = ("spec", "gaudi")
_MOST_NAMED: Final = 3
"""Other workloads that one finding names."""
_DISCOVER: Final = (
    "name modules everywhere: they are stable, and `hl-smi -Q index,module_id -f csv` tells which is which"
)


@dataclass(frozen=True, slots=True)
class _Party:
    """A workload with cards or with ports of cards."""

    key: Key
    workload: Workload
    demand: Demand
    ports: tuple[HostPort, ...]
    guarded: bool

    @property
    def naming(self) -> Naming | None:
        """How a part of an instance is named; None where the whole of it is used, or nothing."""
        return next((cards.naming for cards in self.demand.cards if not cards.whole_instance), None)

    def __str__(self) -> str:
        return f"{self.key} ({_listed(self.demand.cards)}, {self.workload.origin(GAUDI)})"


def between(rendered: Iterable[Rendered], *, port_base: int) -> Iterator[tuple[Key, Diagnostic]]:
    """Every finding about two workloads of one cluster, each with the workload that it is about."""
    clusters: defaultdict[tuple[str | None, str], list[_Party]] = defaultdict(list)
    for one in rendered:
        key, demand = one.workload.key, demand_of(one.register, one.create.get("placementConstraints", ()))
        if demand.cards or not demand.tcp.isdisjoint(token_ports(port_base)):
            ports = tuple(host_ports(one.register))
            party = _Party(key, one.workload, demand, ports, guarded(demand, port_base))
            clusters[key.target, key.cluster].append(party)
    for parties in clusters.values():
        yield from _unguarded([one for one in parties if one.demand.cards])
        yield from _two_namings([one for one in parties if one.guarded and one.demand.cards])
        yield from _squatters(parties, port_base)


def _unguarded(parties: list[_Party]) -> Iterator[tuple[Key, Diagnostic]]:
    """Sets that overlap where not both hold their tokens."""
    for one in parties:
        if one.guarded:
            continue
        others = (other for other in parties if other.key != one.key and _meet(one.demand, other.demand))
        met = list(itertools.islice(others, _MOST_NAMED + 1))
        if met:
            shown = ", ".join(map(str, met[:_MOST_NAMED])) + (" and more" if len(met) > _MOST_NAMED else "")
            message = (
                f"nothing keeps this workload ({_listed(one.demand.cards)}) off the cards of {shown} on one instance;"
                " the task that opens a card later dies of `synStatus=20 [Device already acquired]`"
            )
            hint = "use gaudi.isolation: hostPorts on all of them, or constraints that exclude each other"
            yield one.key, _diagnostic(one.workload, message, hint=hint, severity=Severity.WARNING)


def _meet(one: Demand, other: Demand) -> bool:
    return one.may_share(other) and apart(one, other) is None


def _two_namings(parties: list[_Party]) -> Iterator[tuple[Key, Diagnostic]]:
    """A token guards the card of its number, so all parts of instances must be numbered in the same way."""
    modules = [one for one in parties if one.naming is Naming.MODULES]
    for one in parties:
        if one.naming is not Naming.DEVICES:
            continue
        other = next((other for other in modules if apart(one.demand, other.demand) is None), None)
        if other is not None:
            message = (
                f"cards are named by device index here and by module in {other}: device 0 may be any module, so the"
                " host ports that stand for cards do not keep the two apart"
            )
            yield one.key, _diagnostic(one.workload, message, hint=_DISCOVER, code=Code.CONTRADICTION)


def _squatters(parties: list[_Party], base: int) -> Iterator[tuple[Key, Diagnostic]]:
    """Workloads without cards on ports that stand for cards which others use."""
    holders: defaultdict[int, list[_Party]] = defaultdict(list)
    for one in parties:
        if one.demand.cards:
            for port in one.demand.tcp.intersection(token_ports(base)):
                holders[port].append(one)
    for one in parties:
        if one.demand.cards:
            continue  # `ports.check` has said it
        for held in one.ports:
            for other in holders.get(held.port, ())[:1]:
                message = f"host port {held.port} stands for card {held.port - base} of {other}"
                hint = "take another port: where this task runs, that one is never placed"
                at: Path = ("spec", *held.path)
                yield one.key, _diagnostic(one.workload, message, at=at, hint=hint, severity=Severity.WARNING)


def with_live(rendered: Rendered, tasks: Iterable[LiveTask]) -> Iterator[Diagnostic]:
    """Live tasks that this workload may meet on a card, `tasks` being those that the controller does not manage."""
    demand = demand_of(rendered.register, rendered.create.get("placementConstraints", ()))
    for task in tasks:
        if task.holds and _meet(demand, task.demand):
            message = (
                f"task {task.short} of {task.group} uses {_listed(task.demand.cards)} of instance"
                f" {task.short_instance}, and no host port, size or constraint keeps this workload off them"
            )
            hint = "stop it, or let both hold the host ports that stand for their cards (gaudi.isolation: hostPorts)"
            yield _diagnostic(rendered.workload, message, hint=hint, severity=Severity.WARNING)


def _listed(cards: Iterable[CardSet]) -> str:
    return " and ".join(map(str, cards)) or "no cards"


def _diagnostic(
    workload: Workload,
    message: str,
    *,
    hint: str,
    at: Path = GAUDI,
    severity: Severity = Severity.ERROR,
    code: Code = Code.POLICY,
) -> Diagnostic:
    return Diagnostic(code, message, workload.origin(at), hint=hint, severity=severity)
