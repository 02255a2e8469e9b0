"""All Gaudi rules about one task: what cannot work on a DL1, and what will not do what it is meant to.

Puts the rooms' rules together and adds those about the task as a whole. They read the requests as they would be sent,
so a pasted task definition without a `gaudi` section is read just the same. Neighbours: `visibility`, `environment`
(one container), `policy` (calls this and gives each finding its line).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from controller.core.diagnostics import Code
from controller.core.fields.service import is_daemon
from controller.core.fields.spelling import memory_mib
from controller.core.gaudi import environment, image_rules, ports, visibility
from controller.core.gaudi.cards import DEFAULT_PORT_BASE, CardSet
from controller.core.gaudi.demand import apart, demand_of
from controller.core.gaudi.finding import Finding, warning
from controller.core.gaudi.image import understand
from controller.core.gaudi.version import Version
from controller.core.gaudi.visibility import is_smoke, variables
from controller.core.path import Item
from controller.core.spec import Gaudi

SMOKE_MEMORY_MIB: Final = 1024
"""What AWS's example gives its task, which only runs hl-smi; a framework does not even load in it."""


@dataclass(frozen=True, slots=True)
class Task:
    """One workload as the rules see it."""

    register: Mapping[str, Any]
    create: Mapping[str, Any]
    gaudi: Gaudi | None = None
    port_base: int = DEFAULT_PORT_BASE
    region: str | None = None
    """The cluster's, where it is known."""
    today: date | None = None
    """For what runs out of support; None leaves that out."""

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        """The container definitions."""
        return list(self.register.get("containerDefinitions", ()))

    @property
    def holders(self) -> list[tuple[Mapping[str, Any], CardSet]]:
        """The containers that use cards, smoke tests included."""
        seen = ((one, CardSet.seen(variables(one))) for one in self.containers)
        return [(one, cards) for one, cards in seen if cards is not None]

    def synapseai(self, container: Mapping[str, Any]) -> Version | None:
        """The version in the container's image: what the spec says, else what the tag says."""
        if self.gaudi is not None and self.gaudi.synapseai is not None:
            return Version.read(self.gaudi.synapseai)
        return understand(str(container.get("image", ""))).synapseai


def check(task: Task) -> Iterator[Finding]:
    """Every finding about one task."""
    yield from visibility.check(task.register)
    holders = task.holders
    names = {str(container.get("name")) for container, _ in holders}
    efa = task.gaudi is not None and task.gaudi.efa
    for container in task.containers:
        yield from image_rules.check(container, region=task.region, today=task.today)
    for container, cards in holders:
        yield from environment.check(container, cards=cards, synapseai=task.synapseai(container), efa=efa)
    for container in task.containers:
        if str(container.get("name")) not in names:
            yield from environment.names(container)
    if holders:
        yield from _memory(task)
        yield from ports.check(task.register, (cards for _, cards in visibility.sets(task.register)), task.port_base)
        yield from _replicas(task)
        yield from _version(task)
    if efa:
        yield from _between_instances(task)


def _replicas(task: Task) -> Iterator[Finding]:
    """All tasks of a service share one task definition, so two of them on one instance open the same cards.

    Tokens keep them apart. `distinctInstance` keeps running ones apart, but it looks at the desired status only, so a
    new task may come while the old one still holds its cards. Source: ECS developer guide, distinctInstance.
    """
    demand = demand_of(task.register, task.create.get("placementConstraints", ()))
    if not demand.cards or ports.guarded(demand, task.port_base) or demand.distinct or is_daemon(task.create):
        return
    if apart(demand, demand) is None:
        message = (
            "two tasks of this service fit on one instance and open the same cards there; the later one dies of"
            " `synStatus=20 [Device already acquired]`, in a rollout too"
        )
        hint = (
            "use gaudi.isolation: hostPorts, a distinctInstance constraint, or more than half of the instance's memory"
        )
        yield warning(("service", "placementConstraints"), message, hint)


def _version(task: Task) -> Iterator[Finding]:
    """What the spec says of the image and what the image's tag says must be one version, and known where it matters."""
    needs = task.gaudi is not None and (task.gaudi.require_driver or task.gaudi.require_verified)
    if needs and all(task.synapseai(container) is None for container, _ in task.holders):
        name = str(task.holders[0][0].get("name"))
        message = (
            "gaudi.requireDriver and requireVerified need the SynapseAI version of the image, and its name has none"
        )
        path = ("taskDefinition", "containerDefinitions", Item(name), "image")
        yield Finding(path, message, "set gaudi.synapseai")
    said = Version.read(task.gaudi.synapseai) if task.gaudi is not None and task.gaudi.synapseai else None
    for container, _ in task.holders:
        found = understand(str(container.get("image", ""))).synapseai
        if said is not None and found is not None and said != found:
            path = ("taskDefinition", "containerDefinitions", Item(str(container.get("name"))), "image")
            message = f"the image has SynapseAI {found} by its tag, but gaudi.synapseai is {said}"
            yield Finding(
                path,
                message,
                "remove gaudi.synapseai: it is for images whose tag says nothing",
                code=Code.CONTRADICTION,
            )


def _memory(task: Task) -> Iterator[Finding]:
    """Source: AWS's page on DL1 (1024 MiB for hl-smi); a training needs its data loaders' and its model's memory."""
    if all(is_smoke(container) for container, _ in task.holders):
        return
    for container, _ in task.holders:
        name = str(container.get("name"))
        limits = {
            ("taskDefinition", "memory"): memory_mib(task.register.get("memory", "")),
            ("taskDefinition", "containerDefinitions", Item(name), "memory"): str(container.get("memory", "")),
        }
        for path, limit in limits.items():
            if limit.isdigit() and int(limit) <= SMOKE_MEMORY_MIB:
                message = f"memory {limit} MiB is enough for hl-smi only; whatever loads a framework ends with exit 137"
                yield warning(path, message, "a fair share is some 90000 MiB per card")


def _between_instances(task: Task) -> Iterator[Finding]:
    """Source: docs.habana.ai, Scale-Out via Host NIC: all cards of a server take part; hostfiles say slots=8."""
    for container, cards in task.holders:
        at = ("taskDefinition", "containerDefinitions", Item(str(container.get("name"))))
        if not cards.whole_instance:
            message = f"the task uses EFA but only {cards}: between instances HCCL works with all eight cards of each"
            yield warning(at, message, "use gaudi.cards: 8, or leave efa out")
        if task.synapseai(container) is None:
            message = "the SynapseAI version of the image is not in its name, so no variables for EFA are added"
            yield warning((*at, "image"), message, "set gaudi.synapseai")
