"""The eight cards of a dl1.24xlarge: which of them a task uses, and how that is said to its containers and to ECS.

Modules are stable ids; device indices may change when the driver is loaded again. The runtime of the DL1 era mounts
what HABANA_VISIBLE_DEVICES says and ignores HABANA_VISIBLE_MODULES, which only tells the framework which of the mounted
cards to open; the runtime from 1.23 on selects by module where the devices are no list. So a set of modules is said as
`HABANA_VISIBLE_DEVICES=all` with `HABANA_VISIBLE_MODULES=…`, which both understand.
Sources: HabanaAI/habana-container-runtime (filterDevicesByENV), docs.habana.ai "Multiple Workloads on a Single Docker".
Neighbours: `requirements` (everything else that a task needs), `core.fields` (equal spellings of the variables).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from controller.core.spec import Gaudi

CARDS_PER_INSTANCE: Final = 8
DL1_INSTANCE_TYPE: Final = "dl1.24xlarge"

VISIBLE_DEVICES: Final = "HABANA_VISIBLE_DEVICES"
VISIBLE_MODULES: Final = "HABANA_VISIBLE_MODULES"

DEFAULT_PORT_BASE: Final = 18100
"""Host port of card 0's token. Below the ephemeral range (32768), clear of the agent's own ports (51678, 51679)."""

_LIST = re.compile(r"[0-7](,[0-7])*")


class Naming(StrEnum):
    """How the cards of a set are named."""

    WHOLE = "whole instance"
    MODULES = "modules"
    DEVICES = "devices"


@dataclass(frozen=True, slots=True)
class CardSet:
    """The cards that one task uses."""

    naming: Naming
    cards: tuple[int, ...]

    @classmethod
    def of(cls, gaudi: Gaudi) -> "CardSet":
        """The set that a spec asks for. A count below eight without names means the first group of that size."""
        if gaudi.devices is not None:
            return cls(Naming.DEVICES, tuple(sorted(gaudi.devices)))
        modules = gaudi.modules if gaudi.modules is not None else tuple(range(gaudi.cards or CARDS_PER_INSTANCE))
        if len(modules) == CARDS_PER_INSTANCE:
            return cls(Naming.WHOLE, tuple(range(CARDS_PER_INSTANCE)))
        return cls(Naming.MODULES, tuple(sorted(modules)))

    @property
    def whole_instance(self) -> bool:
        """Whether no other Gaudi task fits beside this one."""
        return len(self.cards) == CARDS_PER_INSTANCE

    def environment(self) -> dict[str, str]:
        """The variables by which a container gets these cards and no others."""
        numbers = ",".join(str(card) for card in self.cards)
        match self.naming:
            case Naming.WHOLE:
                return {VISIBLE_DEVICES: "all"}
            case Naming.DEVICES:
                return {VISIBLE_DEVICES: "all" if self.whole_instance else numbers}
            case Naming.MODULES:
                return {VISIBLE_DEVICES: "all", VISIBLE_MODULES: numbers}

    def tokens(self, port_base: int) -> dict[int, int]:
        """Card → the host port that stands for it. ECS hands a host port of an instance to one task at a time."""
        return {card: port_base + card for card in self.cards}


def canonical_environment(name: str, value: Any) -> Any:
    """One spelling of an environment value where the order or the form of its text is no meaning.

    `HABANA_VISIBLE_DEVICES`: `1,0` is `0,1`, and all eight indices are `all`. `HABANA_VISIBLE_MODULES`: likewise a set.
    Anything else, and any text that is not a clean list, stays as it is: whoever wrote it shall see it.
    """
    if name not in (VISIBLE_DEVICES, VISIBLE_MODULES) or not isinstance(value, str) or not _LIST.fullmatch(value):
        return value
    cards = sorted(value.split(","))
    if len(set(cards)) != len(cards):
        return value
    whole = name == VISIBLE_DEVICES and len(cards) == CARDS_PER_INSTANCE
    return "all" if whole else ",".join(cards)
