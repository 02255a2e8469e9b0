"""The eight cards of a dl1.24xlarge: which of them a task uses, and how that is said to its containers and to ECS.

Modules are stable ids; device indices may change when the driver is loaded again. The runtime of the DL1 era mounts
what HABANA_VISIBLE_DEVICES says and ignores HABANA_VISIBLE_MODULES, which only tells the framework which of the mounted
cards to open; the runtime from 1.23 on selects by module where the devices are no list. So a set of modules is said as
`HABANA_VISIBLE_DEVICES=all` with `HABANA_VISIBLE_MODULES=…`, which both understand.
Sources: HabanaAI/habana-container-runtime (filterDevicesByENV), docs.habana.ai "Multiple Workloads on a Single Docker".
Neighbours: `requirements` (everything else that a task needs), `core.fields` (equal spellings of the variables).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from controller.core.spec import Gaudi

CARDS_PER_INSTANCE: Final = 8
DL1_INSTANCE_TYPE: Final = "dl1.24xlarge"

COUNTS: Final = (1, 2, 4, 8)
"""Numbers of cards that one task can use. Source: docs.habana.ai, Multiple Workloads on a Single Docker."""
GROUPS: Final[Mapping[int, tuple[tuple[int, ...], ...]]] = {
    2: ((0, 1), (2, 3), (4, 5), (6, 7)),
    4: ((0, 1, 2, 3), (4, 5, 6, 7)),
}
"""Sets of modules that share the fastest links, by their number. Source: as above."""

VISIBLE_DEVICES: Final = "HABANA_VISIBLE_DEVICES"
VISIBLE_MODULES: Final = "HABANA_VISIBLE_MODULES"

DEFAULT_PORT_BASE: Final = 18100
"""Host port of card 0's token. Below the ephemeral range (32768), clear of the agent's own ports (51678, 51679)."""

_LIST = re.compile(r"[0-7](,[0-7])*")
_CARDS: Final = frozenset(map(str, range(CARDS_PER_INSTANCE)))


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

    @classmethod
    def seen(cls, environment: Mapping[str, str]) -> "CardSet | None":
        """The cards that a process with these variables opens; None where nothing says that it uses any.

        As the runtime of the DL1 era does it: what is no number from 0 to 7 is dropped without a word.
        """
        devices, modules = environment.get(VISIBLE_DEVICES), numbers(environment.get(VISIBLE_MODULES, ""))
        if devices is None and not modules:
            return None
        if devices in (None, "all") and (not modules or len(modules) == CARDS_PER_INSTANCE):
            return cls(Naming.WHOLE, tuple(range(CARDS_PER_INSTANCE)))
        if devices in (None, "all"):
            return cls(Naming.MODULES, modules)
        listed = numbers(devices or "")
        return cls(Naming.DEVICES, listed) if listed else None

    @property
    def whole_instance(self) -> bool:
        """Whether no other Gaudi task fits beside this one."""
        return len(self.cards) == CARDS_PER_INSTANCE

    def may_share(self, other: "CardSet") -> bool:
        """Whether the two sets may have a card in common.

        Sets that are named in two ways may, whatever their numbers: which module an index means differs from host to
        host and from boot to boot. Source: docs.habana.ai, Multiple Dockers Each with a Single Workload.
        """
        if self.whole_instance or other.whole_instance or self.naming is not other.naming:
            return True
        return not set(self.cards).isdisjoint(other.cards)

    def __str__(self) -> str:
        if self.whole_instance:
            return "all eight cards"
        one = len(self.cards) == 1
        name = self.naming.value.removesuffix("s") if one else self.naming.value
        return f"{name} {', '.join(map(str, self.cards))}"

    def environment(self) -> dict[str, str]:
        """The variables by which a container gets these cards and no others."""
        listed = ",".join(str(card) for card in self.cards)
        match self.naming:
            case Naming.WHOLE:
                return {VISIBLE_DEVICES: "all"}
            case Naming.DEVICES:
                return {VISIBLE_DEVICES: "all" if self.whole_instance else listed}
            case Naming.MODULES:
                return {VISIBLE_DEVICES: "all", VISIBLE_MODULES: listed}

    def tokens(self, port_base: int) -> dict[int, int]:
        """Card → the host port that stands for it. ECS hands a host port of an instance to one task at a time."""
        return {card: port_base + card for card in self.cards}


def numbers(text: str) -> tuple[int, ...]:
    """The cards that a list names, each once, in order; what is none of them is left out."""
    parts = {part for part in text.split(",") if part in _CARDS}
    return tuple(sorted(map(int, parts)))


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
