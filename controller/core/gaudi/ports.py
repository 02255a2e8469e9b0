"""Host ports as tokens for cards: where they may lie, and who must keep off them.

ECS neither counts nor pins Gaudi cards, but it hands a host port of an instance to one task at a time, whoever asks. So
module m stands behind port base + m. Decides which bases can work and what of a task gets in the way of the tokens.
Sources: API model, PortMapping `hostPort` (reserved ports, ephemeral range, 100 ports an instance).
Neighbours: `requirements` (adds the mappings), `collisions` (between workloads), `capacity` (counts them).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from controller.core.gaudi.cards import CARDS_PER_INSTANCE, CardSet
from controller.core.gaudi.demand import Demand, host_ports
from controller.core.gaudi.finding import Finding, warning

RESERVED: Final = frozenset({22, 2375, 2376, 51678, 51679, 51680})
"""SSH, docker and the ECS agent."""
LOWEST: Final = 1024
EPHEMERAL: Final = 32_768
"""From here on docker and the kernel hand out ports by themselves."""
PORTS_PER_INSTANCE: Final = 100
"""Fixed host ports that an instance can hold, the reserved ones included."""


def token_ports(base: int) -> range:
    """The ports that stand for the eight cards."""
    return range(base, base + CARDS_PER_INSTANCE)


def base_problem(base: int) -> str | None:
    """Why this base cannot work, or None."""
    ports = token_ports(base)
    if ports[0] < LOWEST or ports[-1] >= EPHEMERAL:
        return f"ports {ports[0]} to {ports[-1]} do not lie between {LOWEST} and {EPHEMERAL - 1}"
    taken = sorted(RESERVED.intersection(ports))
    if taken:
        return f"port {taken[0]} belongs to docker or the ECS agent on every instance"
    return None


def tokens(cards: CardSet, base: int) -> frozenset[int]:
    """The ports that keep these cards for one task."""
    return frozenset(cards.tokens(base).values())


def guarded(demand: Demand, base: int) -> bool:
    """Whether the task holds the token of every card that it opens."""
    return all(tokens(cards, base) <= demand.tcp for cards in demand.cards)


def check(definition: Mapping[str, Any], cards: Iterable[CardSet], base: int) -> Iterator[Finding]:
    """What of one task's ports gets in the way of the tokens."""
    own = frozenset[int]().union(*(tokens(one, base) for one in cards))
    found = list(host_ports(definition))
    for one in found:
        if one.port in token_ports(base) and one.port not in own:
            message = f"host port {one.port} stands for card {one.port - base}, which this task does not use"
            hint = "take another port: while this task runs, no task that wants the card can be placed beside it"
            yield warning(one.path, message, hint)
        if one.port in RESERVED:
            message = f"host port {one.port} is SSH's, docker's or the ECS agent's on every instance"
            yield Finding(one.path, f"{message}, so the task is never placed")
    if len(found) + len(RESERVED) > PORTS_PER_INSTANCE:
        message = f"{len(found)} fixed host ports, but an instance can hold {PORTS_PER_INSTANCE}"
        path = ("taskDefinition", "containerDefinitions")
        yield Finding(path, f"{message}, {len(RESERVED)} of them the agent's")
