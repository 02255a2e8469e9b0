"""Importing: read what is there, make specs of it, prove each of them. Nothing is written, to ECS or to a disk.

It holds a gateway that cannot write; from files it needs none at all. A service that somebody else manages is refused
with the reason, because a spec for it could never do anything. Neighbours: `core.importing` (specs and proofs),
`reconcile.ports` (how ECS is asked), `cli.import_` (where the specs go).
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controller.app.compose import Place, places_of
from controller.core.diagnostics import Diagnostic
from controller.core.ecs.read import did_you_mean
from controller.core.fields.service import is_daemon
from controller.core.guards import refusal
from controller.core.importing.document import Choices, Spec, spec_of
from controller.core.importing.exports import Address
from controller.core.importing.found import Found
from controller.core.importing.proof import Proof, prove
from controller.core.live import LiveService, Observation, ScalableTarget, UnknownScaling
from controller.core.spec import CLUSTER, NAME
from controller.errors import ControllerError, Stalled, Usage
from controller.reasons import Reason
from controller.reconcile.ports import ReadEcs
from controller.settings import Settings, rendering

_ECS: Final = r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}"
_SERVICE_ARN: Final = re.compile(rf"{_ECS}:service/(?P<cluster>[^/]+)/(?P<name>[^/]+)")
_CLUSTER_ARN: Final = re.compile(rf"(?P<cluster>{_ECS}:cluster/[^/]+)(/(?P<name>[^/]+))?")
_NAMES: Final = re.compile(r"(?P<cluster>[^/:]+)(/(?P<name>[^/:]+))?")


@dataclass(frozen=True, slots=True)
class Imported:
    """One service as a spec, and what the proof says of it."""

    found: Found
    spec: Spec
    proof: Proof
    file: str
    """The file that the spec was proven as the content of."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A service of which there is no spec, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Import:
    """Everything that came of an import."""

    specs: tuple[Imported, ...] = ()
    refused: tuple[Refused, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    """What of the files could not be taken over."""

    @property
    def in_sync(self) -> bool:
        """Whether every spec that was made says all that is there and nothing else."""
        return not self.diagnostics and all(one.proof.in_sync for one in self.specs)


def address(text: str) -> Address:
    """`train`, `train/bert`, or the ARN of a cluster or a service.

    Raises:
        Usage: it is none of them.
    """
    for form in (_SERVICE_ARN, _CLUSTER_ARN, _NAMES):
        match = form.fullmatch(text)
        if match is None:
            continue
        cluster, name = match["cluster"], match["name"]
        if re.fullmatch(CLUSTER, cluster) and (name is None or re.fullmatch(NAME, name)):
            return Address(cluster, name)
    raise Usage(f"{text} names no cluster and no service", advice="write CLUSTER, CLUSTER/SERVICE or an ARN")


def choices(
    settings: Settings, *, environment: Mapping[str, str], now: datetime, replicas: bool, plain: Collection[str]
) -> Choices:
    """What is wanted of the specs, which the daemon will render under these settings."""
    found = rendering(settings, environment=environment, today=now.date())
    return Choices(replicas=replicas, plain=frozenset(plain), settings=found)


def place_of(settings: Settings, target: str | None) -> Place:
    """Where to look: the account and region at hand, or a configured target.

    Raises:
        Usage: no such target is configured.
    """
    places = {place.name: place for place in places_of(settings)}
    if target not in places:
        known = ", ".join(name for name in places if name) or "none is configured"
        raise Usage(f"target {target} is not configured", advice=f"targets: {known}")
    return places[target]


async def read(
    ecs: ReadEcs, where: Address, *, owner: str, target: str | None = None
) -> tuple[list[Found], list[Refused]]:
    """A service, or all services of a cluster, and who else moves their counts.

    Raises:
        ControllerError: the service is not there or may not be touched, or ECS could not be asked.
    """
    assert where.cluster is not None
    names = [where.name] if where.name else await ecs.service_names(where.cluster)
    services = {
        name: service
        for name, service in (await ecs.services(where.cluster, names)).items()
        if service.status != "INACTIVE"
    }
    if where.name and where.name not in services:
        hint = did_you_mean(where.name, await ecs.service_names(where.cluster))
        message = f"there is no service {where.name} in cluster {where.cluster}"
        raise ControllerError(message, reason=Reason.MISSING, advice=hint)
    refused = {name: why for name, one in services.items() if (why := _refusal(one, owner)) is not None}
    if where.name and where.name in refused:
        message = f"{where.cluster}/{where.name} is not imported: {refused[where.name]}"
        raise Stalled(message, reason=Reason.FOREIGN_CONTROLLER)
    kept = {name: one for name, one in services.items() if name not in refused}
    revisions = await ecs.revisions(one.task_definition for one in kept.values())
    scaling = await _scaling(ecs, where.cluster, kept)
    cluster = where.cluster.rpartition("/")[2]
    found = [
        Found(
            cluster=where.cluster,
            name=name,
            origin=f"{cluster}/{name}",
            observation=Observation(service=one, revision=revisions[one.task_definition], scaling=scaling.get(name)),
            target=target,
        )
        for name, one in sorted(kept.items())
    ]
    return found, [Refused(f"{cluster}/{name}", why) for name, why in sorted(refused.items())]


def _refusal(live: LiveService, owner: str) -> str | None:
    """Why no spec may manage a service."""
    hold = refusal(live, owner, adopt=True)
    if hold is not None:
        return hold.message
    return f"service {live.name} was deleted and drains" if live.draining else None


async def _scaling(
    ecs: ReadEcs, cluster: str, services: Mapping[str, LiveService]
) -> dict[str, ScalableTarget | UnknownScaling]:
    counted = [name for name, one in services.items() if not is_daemon(one.wire)]
    try:
        targets = await ecs.scalable_targets(cluster.rpartition("/")[2], counted)
    except ControllerError as error:
        return dict.fromkeys(counted, UnknownScaling(str(error)))
    return {**targets}


def written(
    found: Iterable[Found], wanted: Choices, *, file: Callable[[str], str], now: datetime, joined: bool = False
) -> tuple[Imported, ...]:
    """The spec of each service with its proof. `file` gives the name of the file that a spec of a name goes to;
    `joined` says that all go to the same one, separated by `---`."""
    done: list[Imported] = []
    line = 0
    for one in found:
        spec = spec_of(one, wanted)
        name = file(one.name)
        proof = prove(spec, one, wanted, file=name, now=now, line=line)
        done.append(Imported(one, spec, proof, name))
        line += spec.text.count("\n") + 1 if joined else 0
    return tuple(done)
