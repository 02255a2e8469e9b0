"""What a task needs so that Gaudi works in it, each addition with its reason.

It only *proposes*: where to put what, why, and whether another value of the user's could work (then the user's stays)
or not (then it is a contradiction). `render` carries it out. Which situation needs what is the table in docker terms
that Habana documents (`--cap-add=sys_nice --ipc=host --net=host -e OMPI_MCA_…=none`), said in ECS fields. Sources:
docs.habana.ai "Pull Prebuilt Containers" and "Multiple Workloads", AWS DLC test suite, aws-samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from controller.core.gaudi.cards import DL1_INSTANCE_TYPE, CardSet
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


def requirements(
    gaudi: Gaudi, *, container: str, pytorch: bool, own_shared_memory: bool, port_base: int
) -> Iterator[Addition]:
    """All additions for a task whose `container` holds the cards.

    `pytorch` tells whether the image is a PyTorch one; `own_shared_memory` whether the container sets its own
    `/dev/shm` size instead of using the host's.
    """
    cards = CardSet.of(gaudi)
    yield from _placement(gaudi)
    yield from _visibility(cards, container)
    if gaudi.tuning is Tuning.RECOMMENDED:
        yield from _tuning(cards, container, pytorch=pytorch, own_shared_memory=own_shared_memory)
    if gaudi.efa:
        yield from _efa(container)
    if gaudi.isolation is Isolation.HOST_PORTS:
        yield from _tokens(cards, container, port_base)


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


def _tuning(cards: CardSet, container: str, *, pytorch: bool, own_shared_memory: bool) -> Iterator[Addition]:
    several = len(cards.cards) > 1
    linux = ("containerDefinitions", Item(container), "linuxParameters")
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
    yield Addition(
        ("containerDefinitions", Item(container), "ulimits"),
        {"name": "memlock", "softLimit": -1, "hardLimit": -1},
        "device buffers are pinned memory; a memlock limit makes their allocation fail",
        listed=True,
    )
    if (several or pytorch) and not own_shared_memory:
        why = (
            "HCCL's ranks on one instance talk through the host's shared memory (docker --ipc=host)"
            if several
            else "PyTorch's DataLoader workers need more shared memory than docker's 64 MiB (docker --ipc=host)"
        )
        yield Addition(("ipcMode",), "host", why)
    if several:
        yield _variable(
            container,
            "OMPI_MCA_btl_vader_single_copy_mechanism",
            "none",
            "Open MPI's single-copy mechanism needs ptrace rights that a container does not have",
            must=False,
        )


def _efa(container: str) -> Iterator[Addition]:
    for device in EFA_DEVICES:
        yield Addition(
            ("containerDefinitions", Item(container), "linuxParameters", "devices"),
            {"hostPath": device, "containerPath": device, "permissions": ["read", "write", "mknod"]},
            "ECS does not model EFA: the container sees an adapter only through its device",
            listed=True,
        )
    yield Addition(
        ("containerDefinitions", Item(container), "ulimits"),
        {"name": "memlock", "softLimit": -1, "hardLimit": -1},
        "EFA registers pinned memory",
        listed=True,
    )


def _tokens(cards: CardSet, container: str, port_base: int) -> Iterator[Addition]:
    for card, port in cards.tokens(port_base).items():
        yield Addition(
            ("containerDefinitions", Item(container), "portMappings"),
            {"containerPort": port, "hostPort": port, "protocol": "tcp"},
            f"host port {port} stands for card {card}: ECS gives a host port of an instance to one task only,"
            " so no two tasks get this card",
            must=True,
            listed=True,
        )


def _variable(container: str, name: str, value: str, why: str, *, must: bool) -> Addition:
    path = ("containerDefinitions", Item(container), "environment")
    return Addition(path, {"name": name, "value": value}, why, must=must, listed=True)
