"""Names of variables that nearly are one that Habana's software reads.

A misspelt HABANA_VISIBLE_DEVICES is no error anywhere: the container starts and sees all cards, or none. The container
runtime even looks for the variable by its prefix, so a longer name can be taken for it. Source: HabanaAI/
habana-container-runtime, filterDevicesByENV. Neighbours: `environment` (calls this).
"""

import functools
from typing import Final

from controller.core.gaudi.cards import VISIBLE_DEVICES, VISIBLE_MODULES
from controller.core.gaudi.scaleout import GAUDI_DIRECT, INTERFACE, OVER_OFI, OVER_TCP

SELECTORS: Final = (VISIBLE_DEVICES, VISIBLE_MODULES, "HABANA_VISIBLE_PCI_BUS_IDS")
"""What chooses cards: a wrong name here is an error."""
KNOWN: Final = (
    *SELECTORS,
    *(OVER_OFI, OVER_TCP, *GAUDI_DIRECT, INTERFACE, "HCCL_COMM_ID"),
    *("HLS_MODULE_ID", "HABANA_LOGS", "HABANA_PROFILE", "GC_KERNEL_PATH", "HABANA_PLUGINS_LIB_PATH"),
    *("PT_HPU_LAZY_MODE", "PT_HPU_ENABLE_LAZY_COLLECTIVES", "PT_HPU_RECIPE_CACHE_CONFIG"),
    *("RDMAV_FORK_SAFE", "FI_EFA_USE_DEVICE_RDMA", "OMPI_MCA_btl_vader_single_copy_mechanism"),
)
NVIDIA: Final = frozenset({"NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"})
"""What chooses NVIDIA's cards, and nothing here."""

_FAR: Final = 2
"""Edits from which on two names are different words."""


@functools.lru_cache(maxsize=4096)
def meant(name: str) -> str | None:
    """The known name that another name looks like; None for a known one and for what looks like none."""
    if name in KNOWN:
        return None
    for known in SELECTORS:
        if name.startswith(known):
            return known
    plain = _plain(name)
    return next((known for known in KNOWN if _within(plain, _plain(known), _FAR)), None)


def _plain(name: str) -> str:
    return name.upper().replace("_", "").replace("-", "")


def _within(one: str, other: str, limit: int) -> bool:
    """Whether so few insertions, deletions, replacements or swaps of neighbours make one text of the other."""
    if abs(len(one) - len(other)) > limit:
        return False
    older: list[int] = []
    before = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        now = [row]
        for column, right in enumerate(other, 1):
            cost = min(before[column] + 1, now[-1] + 1, before[column - 1] + (left != right))
            swapped = row > 1 and column > 1 and left == other[column - 2] and one[row - 2] == right
            now.append(min(cost, older[column - 2] + 1) if swapped else cost)
        if min(now) > limit:
            return False
        older, before = before, now
    return before[-1] <= limit
