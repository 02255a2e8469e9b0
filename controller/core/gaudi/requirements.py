"""What a task needs so that Gaudi works in it, each addition with its reason.

It only *proposes*: where to put what, why, and whether another value of the user's could work (then the user's stays)
or not (then it is a contradiction). `render` carries it out. Which situation needs what is the table in docker terms
that Habana documents (`--cap-add=sys_nice --ipc=host --net=host -e OMPI_MCA_…=none`), said in ECS fields. Sources:
docs.habana.ai "Pull Prebuilt Containers" and "Multiple Workloads", AWS DLC test suite, aws-samples.
Neighbours: `cards`, `scaleout` (variables by version), `environment` (what of the user's values cannot work).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from controller.core.gaudi import scaleout
from controller.core.gaudi.cards import DL1_INSTANCE_TYPE, CardSet
from controller.core.gaudi.drivers import same_release
from controller.core.gaudi.instances import SYNAPSEAI_ATTRIBUTE, VERIFIED_ATTRIBUTE
from controller.core.gaudi.version import Version
from controller.core.path import Item, Path
from controller.core.spec import Gaudi, Isolation, Tuning

ON_LINUX: Final = "attribute:ecs.os-type == linux"
ON_DL1: Final = f"attribute:ecs.instance-type == {DL1_INSTANCE_TYPE}"
EFA_DEVICES: Final = tuple(f"/dev/infiniband/uverbs{number}" for number in range(4))
"""A dl1.24xlarge has four network cards with one EFA each. Source: EC2 user guide, EFA."""


@dataclass(frozen=True, slots=True)
class Addition:
    """One value for one place of the RegisterTaskDefinition request.

    `path` leads to a member, or to an unordered list that `value` is to be a member of. Where `must`, another value
    at the same place cannot work.
    """

    path: Path
    value: Any
    why: str
    must: bool = False
    listed: bool = False


class Situation(StrEnum):
    """What a task does with its cards; each needs more than the one before."""

    SMOKE = "hl-smi only"
    ONE = "one card"
    SOME = "two or four cards"
    WHOLE = "all eight cards"
    NODES = "several instances over EFA"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of the container that holds the cards, beside `gaudi` itself."""

    container: str
    port_base: int
    synapseai: Version | None = None
    pytorch: bool = False
    """Whether the image is a PyTorch one."""
    smoke: bool = False
    """Whether it only runs hl-smi."""
    own_shared_memory: bool = False
    """Whether it sets its own `/dev/shm` size instead of using the host's."""
    privileged: bool = False
    """Whether it sees all devices of the host anyway."""


def situation(gaudi: Gaudi, around: Circumstances) -> Situation:
    """The row of Habana's table that a task is in."""
    cards = CardSet.of(gaudi)
    if around.smoke:
        return Situation.SMOKE
    if gaudi.efa:
        return Situation.NODES
    if cards.whole_instance:
        return Situation.WHOLE
    return Situation.ONE if len(cards.cards) == 1 else Situation.SOME


def requirements(gaudi: Gaudi, around: Circumstances) -> Iterator[Addition]:
    """All additions for a task whose container `around.container` holds the cards."""
    cards, where = CardSet.of(gaudi), situation(gaudi, around)
    yield from _placement(gaudi)
    yield from _drivers(gaudi, around)
    yield from _visibility(cards, around.container)
    if gaudi.tuning is Tuning.RECOMMENDED and where is not Situation.SMOKE:
        yield from _tuning(where, around)
    if gaudi.efa:
        yield from _efa(around)
    if gaudi.isolation is Isolation.HOST_PORTS and where is not Situation.SMOKE:
        yield from _tokens(cards, around)


def _placement(gaudi: Gaudi) -> Iterator[Addition]:
    yield Addition(
        ("requiresCompatibilities",),
        ["EC2"],
        "Gaudi cards exist on EC2 instances only, so ECS shall check the definition for EC2",
        must=True,
    )
    for expression, why in (
        (ON_LINUX, "the Gaudi driver and its container runtime are for Linux"),
        (ON_DL1, "clusters may be mixed, and only this instance type has Gaudi cards"),
    ):
        yield Addition(("placementConstraints",), {"type": "memberOf", "expression": expression}, why, listed=True)
    why = "the host's network needs no ENI of its own and is the fastest way between ranks"
    yield Addition(("networkMode",), "host", f"{why}; EFA works in no other mode" if gaudi.efa else why, must=gaudi.efa)


def _drivers(gaudi: Gaudi, around: Circumstances) -> Iterator[Addition]:
    """Narrow the workload to instances of the image's release; `rules` refuses it where that is not known."""
    if around.synapseai is None:
        return
    for wanted, attribute, why in (
        (gaudi.require_driver, SYNAPSEAI_ATTRIBUTE, "driver and image must be of one SynapseAI release"),
        (gaudi.require_verified, VERIFIED_ATTRIBUTE, "hl-smi of that release has shown all eight cards there"),
    ):
        if wanted:
            expression = same_release(attribute, around.synapseai)
            because = f"{why} ({around.synapseai} by the image); instances without the attribute are left out"
            value = {"type": "memberOf", "expression": expression}
            yield Addition(("placementConstraints",), value, because, listed=True)


def _visibility(cards: CardSet, container: str) -> Iterator[Addition]:
    numbers = ", ".join(str(card) for card in cards.cards)
    reasons = {
        "HABANA_VISIBLE_DEVICES": "all eight cards of the instance are this task's"
        if cards.whole_instance
        else f"the container runtime mounts cards by this variable; this task uses {cards.naming.value} {numbers}",
        "HABANA_VISIBLE_MODULES": f"the framework (and the runtime from 1.23 on) opens only modules {numbers}",
    }
    for name, value in cards.environment().items():
        yield _variable(container, name, value, reasons[name], must=True)


def _tuning(where: Situation, around: Circumstances) -> Iterator[Addition]:
    several = where is not Situation.ONE
    linux = ("containerDefinitions", Item(around.container), "linuxParameters")
    yield Addition(
        (*linux, "capabilities", "add"),
        "SYS_NICE",
        "Habana's images bind threads and set priorities (docker --cap-add=sys_nice)",
        listed=True,
    )
    yield Addition(
        (*linux, "initProcessEnabled"),
        True,
        "an init process reaps dead ranks, so that they let go of their cards",
    )
    yield _memlock(around.container, "device buffers are pinned memory; a memlock limit makes their allocation fail")
    if (several or around.pytorch) and not around.own_shared_memory:
        why = (
            "HCCL's ranks on one instance talk through the host's shared memory (docker --ipc=host)"
            if several
            else "PyTorch's DataLoader workers need more shared memory than docker's 64 MiB (docker --ipc=host)"
        )
        yield Addition(("ipcMode",), "host", why)
    if several:
        yield _variable(
            around.container,
            "OMPI_MCA_btl_vader_single_copy_mechanism",
            "none",
            "Open MPI's single-copy mechanism needs ptrace rights that a container does not have",
            must=False,
        )


def _efa(around: Circumstances) -> Iterator[Addition]:
    for device in () if around.privileged else EFA_DEVICES:
        yield Addition(
            ("containerDefinitions", Item(around.container), "linuxParameters", "devices"),
            {"hostPath": device, "containerPath": device, "permissions": ["read", "write", "mknod"]},
            "ECS does not model EFA: the container sees an adapter only through its device",
            listed=True,
        )
    yield _memlock(around.container, "EFA registers pinned memory")
    needed = scaleout.needed(around.synapseai) if around.synapseai is not None else {}
    for name, (value, why) in needed.items():
        yield _variable(around.container, name, value, why, must=False)


def _tokens(cards: CardSet, around: Circumstances) -> Iterator[Addition]:
    for card, port in cards.tokens(around.port_base).items():
        yield Addition(
            ("containerDefinitions", Item(around.container), "portMappings"),
            {"containerPort": port, "hostPort": port, "protocol": "tcp"},
            f"host port {port} stands for card {card}: ECS gives a host port of an instance to one task only,"
            " so no two tasks, not even two of this service, get this card",
            must=True,
            listed=True,
        )


def _memlock(container: str, why: str) -> Addition:
    path = ("containerDefinitions", Item(container), "ulimits")
    return Addition(path, {"name": "memlock", "softLimit": -1, "hardLimit": -1}, why, listed=True)


def _variable(container: str, name: str, value: str, why: str, *, must: bool) -> Addition:
    path = ("containerDefinitions", Item(container), "environment")
    return Addition(path, {"name": name, "value": value}, why, must=must, listed=True)
