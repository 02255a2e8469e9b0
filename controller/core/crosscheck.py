"""Rules of a spec that one field alone cannot break: contradictions within a document.

Neighbours: `parse` calls these; `between` has the rules between documents, `policy` those about the *rendered*
requests.
"""

from collections.abc import Iterator

from controller.core.diagnostics import Code, Diagnostic, Severity
from controller.core.fields.service import is_daemon
from controller.core.gaudi.cards import COUNTS, GROUPS
from controller.core.jobs.rules import within as job_rules
from controller.core.jobs.spec import DL1Job
from controller.core.path import Path
from controller.core.quoting import quote
from controller.core.workload import Workload


def within(workload: Workload) -> Iterator[Diagnostic]:
    """Contradictions inside one document."""
    if isinstance(workload.document, DL1Job):
        yield from job_rules(workload)
    else:
        yield from _service(workload)
    yield from _gaudi(workload)


def _contradiction(workload: Workload, path: Path, message: str, hint: str | None = None) -> Diagnostic:
    return Diagnostic(Code.CONTRADICTION, message, workload.origin(path), hint=hint)


def _service(workload: Workload) -> Iterator[Diagnostic]:
    spec, service = workload.service_spec, workload.service
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
    if not same_cluster(cluster, spec.cluster):
        message = f"service.cluster is {quote(cluster)}, but spec.cluster is `{spec.cluster}`"
        yield _contradiction(workload, (*at, "cluster"), message, "remove one of them")
    count = service.get("desiredCount")
    if count is not None and count < 0:
        message = f"service.desiredCount is {count}; it must be at least 0"
        yield Diagnostic(Code.OUT_OF_RANGE, message, workload.origin((*at, "desiredCount")))
    if is_daemon(service) and (count is not None or spec.replicas is not None):
        where: Path = ("spec", "replicas") if spec.replicas is not None else (*at, "desiredCount")
        message = "a DAEMON service runs one task on each instance and has no count"
        yield _contradiction(workload, where, message, "remove the count")
    elif count is not None and spec.replicas is not None and count != spec.replicas:
        message = f"service.desiredCount is {count}, but spec.replicas is {spec.replicas}"
        yield _contradiction(workload, (*at, "desiredCount"), message, "remove one of them")


def same_cluster(one: str, other: str) -> bool:
    """Whether two names or ARNs can mean one cluster."""
    arns = "/" in one and "/" in other
    return one == other if arns else one.rpartition("/")[2] == other.rpartition("/")[2]


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
