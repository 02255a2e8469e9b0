"""What a task asks of a container instance: CPU, memory, host ports, constraints, and the cards it will open.

ECS places by all of these but the cards. CPU is the task's size or the sum of its containers', memory likewise, where a
container counts with its reservation if it has one. Source: API model, TaskDefinition and ContainerDefinition.
Neighbours: `ports` (tokens), `collisions` (two demands on one instance), `capacity` (demands on a fleet).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.core.fields.spelling import cpu_units, memory_mib
from controller.core.gaudi.cards import CardSet
from controller.core.gaudi.visibility import sets
from controller.core.path import Item, Path
from controller.core.placement import And, Comparison, Expression, ExpressionError, Op, parse

DL1_CPU_UNITS: Final = 98_304
"""96 vCPU of 1024 units each. Source: ecs-agent getCpu, EC2 user guide."""
DL1_MEMORY_MIB: Final = 786_432
"""Physical memory; ECS registers less, so a task that asks for as much is never placed."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One task."""

    cpu: int = 0
    """CPU units."""
    memory: int = 0
    """MiB."""
    tcp: frozenset[int] = frozenset()
    udp: frozenset[int] = frozenset()
    """Host ports that it holds while it runs."""
    constraints: tuple[Expression, ...] = ()
    """All `memberOf` expressions, the service's included."""
    distinct: bool = False
    """Whether ECS keeps two tasks of its group off one instance (`distinctInstance`)."""
    attributes: frozenset[str] = frozenset()
    """Names of attributes that an instance must have (`requiresAttributes`)."""
    cards: tuple[CardSet, ...] = ()
    """What its containers open, each for itself."""

    def may_share(self, other: "Demand") -> bool:
        """Whether the two may want the same card of an instance."""
        return any(mine.may_share(theirs) for mine in self.cards for theirs in other.cards)


def demand_of(definition: Mapping[str, Any], constraints: Iterable[Mapping[str, Any]] = ()) -> Demand:
    """The demand of a task definition, as it is sent or as ECS answers it; `constraints` are those of the service.

    An expression that cannot be read is left out: `policy` refuses it, and ECS would have.
    """
    containers = definition.get("containerDefinitions", ())
    both = [*definition.get("placementConstraints", ()), *constraints]
    ports = tuple(host_ports(definition))
    cpu, memory = definition.get("cpu"), definition.get("memory")
    return Demand(
        cpu=_number(cpu_units(cpu)) if cpu else sum(int(one.get("cpu", 0)) for one in containers),
        memory=_number(memory_mib(memory)) if memory else sum(map(_memory, containers)),
        tcp=frozenset(one.port for one in ports if one.protocol != "udp"),
        udp=frozenset(one.port for one in ports if one.protocol == "udp"),
        constraints=tuple(_expressions(both)),
        distinct=any(one.get("type") == "distinctInstance" for one in both),
        attributes=frozenset(str(one["name"]) for one in definition.get("requiresAttributes", ())),
        cards=tuple(cards for _, cards in sets(definition)),
    )


@dataclass(frozen=True, slots=True)
class HostPort:
    """One fixed host port of a task definition."""

    container: str
    container_port: int
    port: int
    protocol: str

    @property
    def path(self) -> Path:
        """Where it stands in the request."""
        mapping = Item(f"{self.container_port} {self.protocol}")
        return ("taskDefinition", "containerDefinitions", Item(self.container), "portMappings", mapping)


def host_ports(definition: Mapping[str, Any]) -> Iterator[HostPort]:
    """The fixed host ports of a definition. Tasks in awsvpc hold none, they have an address of their own.

    Under host networking the container port is the host port. Source: API model, PortMapping.
    """
    mode = definition.get("networkMode", "bridge")
    if mode not in ("host", "bridge"):
        return
    for container in definition.get("containerDefinitions", ()):
        for mapping in container.get("portMappings", ()):
            inside = mapping.get("containerPort")
            port = mapping.get("hostPort") or (inside if mode == "host" else None)
            if port:
                yield HostPort(str(container.get("name")), int(inside or 0), int(port), mapping.get("protocol", "tcp"))


def apart(one: Demand, other: Demand, *, cpu: int = DL1_CPU_UNITS, memory: int = DL1_MEMORY_MIB) -> str | None:
    """Why ECS never places two such tasks on one instance of this size; None where it may."""
    ports = sorted((one.tcp & other.tcp) | (one.udp & other.udp))
    if ports:
        return f"both hold host port {ports[0]}"
    if one.cpu + other.cpu > cpu:
        return f"{one.cpu} and {other.cpu} CPU units are more than the {cpu} of an instance"
    if one.memory + other.memory > memory:
        return f"{one.memory} and {other.memory} MiB are more than the {memory} of an instance"
    mine, theirs = _values(one.constraints), _values(other.constraints)
    for name in sorted(mine.keys() & theirs.keys()):
        if mine[name].isdisjoint(theirs[name]):
            return f"their constraints on {name} exclude each other"
    return None


def _values(constraints: Iterable[Expression]) -> dict[str, frozenset[str]]:
    """Attribute → the only values that the constraints let it have, as far as they say so plainly."""
    found: dict[str, frozenset[str]] = {}
    for expression in constraints:
        for part in expression.operands if isinstance(expression, And) else (expression,):
            if isinstance(part, Comparison) and part.op in (Op.EQ, Op.IN):
                known = found.get(part.subject)
                values = frozenset(part.values)
                found[part.subject] = values if known is None else known & values
    return found


def _expressions(constraints: Iterable[Mapping[str, Any]]) -> Iterable[Expression]:
    for one in constraints:
        if one.get("type", "memberOf") == "memberOf":
            try:
                yield parse(str(one.get("expression", "")))
            except ExpressionError:
                continue


def _memory(container: Mapping[str, Any]) -> int:
    return int(container.get("memoryReservation") or container.get("memory") or 0)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
