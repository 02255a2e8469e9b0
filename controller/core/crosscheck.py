"""Rules of a spec that one field alone cannot break: contradictions within a document, and between documents.

Neighbours: `parse` calls these; rules about the *rendered* requests stand in `policy`.
"""

from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Mapping as AbstractMapping
from collections.abc import Set as AbstractSet
from graphlib import CycleError, TopologicalSorter
from typing import Final

from controller.core.diagnostics import Code, Diagnostic, Severity, Span
from controller.core.ecs.read import did_you_mean
from controller.core.fields.service import is_daemon
from controller.core.nodes import Mapping, Node, Scalar
from controller.core.path import Path
from controller.core.workload import Key, Workload

GROUPS: Final = {
    2: ((0, 1), (2, 3), (4, 5), (6, 7)),
    4: ((0, 1, 2, 3), (4, 5, 6, 7)),
}
"""Sets of modules that share the fastest links. Source: docs.habana.ai, Multiple Workloads on a Single Docker."""
COUNTS: Final = (1, 2, 4, 8)


def key_of(root: Node) -> Key | None:
    """The identity that a document claims, as far as it can be read; also of one that is invalid otherwise."""
    cluster = _text(root, "spec", "cluster")
    name = _text(root, "spec", "service", "serviceName") or _text(root, "metadata", "name")
    if not cluster or not name:
        return None
    return Key(cluster.rpartition("/")[2], name, _text(root, "spec", "target"))


def _text(node: Node | None, *path: str) -> str | None:
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node.text or None if isinstance(node, Scalar) else None


# Within a document
# -----------------------------------------------------------------------------------------------------


def within(workload: Workload) -> Iterator[Diagnostic]:
    """Contradictions inside one document."""
    yield from _service(workload)
    yield from _gaudi(workload)


def _contradiction(workload: Workload, path: Path, message: str, hint: str | None = None) -> Diagnostic:
    return Diagnostic(Code.CONTRADICTION, message, workload.origin(path), hint=hint)


def _service(workload: Workload) -> Iterator[Diagnostic]:
    spec, service = workload.document.spec, workload.service
    at: Path = ("spec", "service")
    if "taskDefinition" in service:
        message = (
            "service.taskDefinition is set by the controller: to the revision of spec.taskDefinition that it registers"
        )
        yield _contradiction(workload, (*at, "taskDefinition"), message, "remove it")
    if "clientToken" in service:
        message = "service.clientToken is set by the controller, so that a creation that was cut off is not done twice"
        yield _contradiction(workload, (*at, "clientToken"), message, "remove it")
    cluster = str(service.get("cluster", spec.cluster))
    if cluster.rpartition("/")[2] != spec.cluster.rpartition("/")[2]:
        message = f"service.cluster is `{cluster}`, but spec.cluster is `{spec.cluster}`"
        yield _contradiction(workload, (*at, "cluster"), message, "remove one of them")
    count = service.get("desiredCount")
    if is_daemon(service) and (count is not None or spec.replicas is not None):
        where: Path = ("spec", "replicas") if spec.replicas is not None else (*at, "desiredCount")
        message = "a DAEMON service runs one task on each instance and has no count"
        yield _contradiction(workload, where, message, "remove the count")
    elif count is not None and spec.replicas is not None and count != spec.replicas:
        message = f"service.desiredCount is {count}, but spec.replicas is {spec.replicas}"
        yield _contradiction(workload, (*at, "desiredCount"), message, "remove one of them")


def _gaudi(workload: Workload) -> Iterator[Diagnostic]:
    gaudi = workload.document.spec.gaudi
    if gaudi is None:
        return
    at: Path = ("spec", "gaudi")
    if gaudi.modules is not None and gaudi.devices is not None:
        message = "gaudi.modules and gaudi.devices name the cards in two ways"
        yield _contradiction(workload, (*at, "devices"), message, "keep modules: they are stable across reboots")
        return
    name = "modules" if gaudi.modules is not None else "devices"
    cards = gaudi.modules if gaudi.modules is not None else gaudi.devices
    if cards is None:
        if gaudi.cards is None:
            message = "gaudi says no cards"
            yield Diagnostic(Code.MISSING_FIELD, message, workload.origin(at), hint="set cards: 8, or modules: [0, 1]")
        return
    place: Path = (*at, name)
    if len(set(cards)) != len(cards):
        yield Diagnostic(Code.DUPLICATE_ITEM, f"gaudi.{name} names a card twice", workload.origin(place))
    elif len(cards) not in COUNTS:
        message = f"gaudi.{name} names {len(cards)} cards; a task can use 1, 2, 4 or 8"
        yield Diagnostic(Code.OUT_OF_RANGE, message, workload.origin(place))
    elif gaudi.cards is not None and gaudi.cards != len(cards):
        message = f"gaudi.cards is {gaudi.cards}, but gaudi.{name} names {len(cards)}"
        yield _contradiction(workload, (*at, "cards"), message, "remove cards")
    elif name == "modules" and len(cards) in GROUPS and tuple(sorted(cards)) not in GROUPS[len(cards)]:
        groups = " or ".join(str(list(group)) for group in GROUPS[len(cards)])
        message = f"modules {list(cards)} are no group of {len(cards)} that Habana recommends"
        yield Diagnostic(
            Code.BAD_VALUE, message, workload.origin(place), hint=f"use {groups}", severity=Severity.WARNING
        )


# Between documents
# -----------------------------------------------------------------------------------------------------


def across(workloads: list[Workload], broken: AbstractSet[Key]) -> tuple[list[Workload], list[Diagnostic]]:
    """The workloads that stand beside all others, and why the rest cannot."""
    problems: list[Diagnostic] = []
    by_key: defaultdict[Key, list[Workload]] = defaultdict(list)
    for workload in workloads:
        by_key[workload.key].append(workload)
    for key, same in by_key.items():
        for one in same if len(same) > 1 else ():
            others = ", ".join(str(_name(other)) for other in same if other is not one)
            message = f"service {key} is described twice, also at {others}"
            problems.append(Diagnostic(Code.DUPLICATE_TARGET, message, _name(one), hint="remove one of them"))
    unique = {key: same[0] for key, same in by_key.items() if len(same) == 1}
    known = {str(key) for key in [*by_key, *broken]}
    bad: set[Key] = set()
    for key, workload in unique.items():
        for problem in _dependencies(workload, known):
            problems.append(problem)
            bad.add(key)
    for cycle in _cycles({key: one for key, one in unique.items() if key not in bad}):
        told = " → ".join(str(key) for key in [*cycle, cycle[0]])
        for key in cycle:
            at = unique[key].origin(("spec", "reconcile", "dependsOn"))
            problems.append(Diagnostic(Code.DEPENDENCY_CYCLE, f"dependsOn goes round in a circle: {told}", at))
            bad.add(key)
    return [workload for key, workload in unique.items() if key not in bad], problems


def _name(workload: Workload) -> Span:
    return workload.origin(("metadata", "name"))


def _dependencies(workload: Workload, known: AbstractSet[str]) -> Iterator[Diagnostic]:
    for index, name in enumerate(workload.document.spec.reconcile.depends_on):
        if name not in known:
            at = workload.origin(("spec", "reconcile", "dependsOn", index))
            message = f"dependsOn names {name}, but no document describes it"
            yield Diagnostic(Code.UNKNOWN_DEPENDENCY, message, at, hint=did_you_mean(name, sorted(known)))


def _cycles(workloads: AbstractMapping[Key, Workload]) -> Iterator[list[Key]]:
    """Circles of dependencies, until none is left among the workloads that stand in no circle yet."""
    keys = {str(key): key for key in sorted(workloads)}
    while keys:
        edges = {name: [on for on in _depends_on(workloads[key]) if on in keys] for name, key in keys.items()}
        try:
            TopologicalSorter(edges).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][:-1]
            yield [keys.pop(name) for name in circle]
        else:
            return


def _depends_on(workload: Workload) -> tuple[str, ...]:
    return workload.document.spec.reconcile.depends_on
