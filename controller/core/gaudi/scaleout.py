"""Traffic between instances: which variables HCCL needs, by SynapseAI version, and which ones spoil it.

AWS does not offer the cards' own outer ports, so ranks on different instances talk through the host's adapters, over
EFA or TCP. Up to 1.8 that is switched on by a variable; from 1.9 HCCL finds the best way by itself and a variable only
takes it away. Sources: HabanaAI/Model-References (READMEs by release), Habana's release notes of 1.8.0,
docs.habana.ai "Scale-Out via Host NIC", HabanaAI/HCL (`hcl_idevice.cpp`, `hl_ofi.cpp`).
Neighbours: `requirements` (adds), `environment` (refuses).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from controller.core.diagnostics import Severity
from controller.core.gaudi.version import Version

OVER_OFI: Final = "HCCL_OVER_OFI"
OVER_TCP: Final = "HCCL_OVER_TCP"
GAUDI_DIRECT: Final = ("HCCL_GAUDI_DIRECT", "HCCL_PEER_DIRECT")
"""Two names of one switch."""
INTERFACE: Final = "HCCL_SOCKET_IFNAME"

_LAST_WITH_TCP: Final = (1, 7)
_FIRST_WITH_DIRECT: Final = (1, 8)
_FIRST_BY_ITSELF: Final = (1, 9)
"""Releases (major, minor)."""

_OFF: Final = frozenset({"", "0", "false", "False"})


def needed(synapseai: Version) -> Mapping[str, tuple[str, str]]:
    """Variable → its value and the reason, for ranks that talk over EFA."""
    if synapseai.release < _FIRST_BY_ITSELF:
        return {OVER_OFI: ("1", f"HCCL of SynapseAI {synapseai} uses EFA (libfabric) only where it is told to")}
    why = f"from SynapseAI 1.9 on HCCL chooses EFA by itself ({synapseai} here); libfabric needs this"
    return {
        "RDMAV_FORK_SAFE": ("1", f"{why} for processes that fork"),
        "FI_EFA_USE_DEVICE_RDMA": ("1", f"{why} to write straight into the memory of the cards"),
    }


def over_tcp(synapseai: Version) -> dict[str, str]:
    """Variables for ranks on several instances without EFA: up to 1.7 a switch of its own, in 1.8 libfabric's TCP."""
    if synapseai.release <= _LAST_WITH_TCP:
        return {OVER_TCP: "1"}
    return {OVER_OFI: "1"} if synapseai.release < _FIRST_BY_ITSELF else {}


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A variable that does not do what it is set for."""

    variable: str
    message: str
    hint: str | None = None
    severity: Severity = Severity.WARNING


def spoiled(environment: Mapping[str, str], synapseai: Version | None, *, efa: bool) -> Iterator[Spoiled]:
    """What is wrong with the HCCL variables of a container. An unknown version is given the benefit of the doubt."""
    release = synapseai.release if synapseai else None
    ofi = _on(environment, OVER_OFI)
    direct = next((name for name in GAUDI_DIRECT if _on(environment, name)), None)
    if direct and not ofi:
        message = f"{direct} without {OVER_OFI} ends the process at its start (std::terminate in HCCL)"
        hint = f"remove it: from SynapseAI 1.9 on HCCL goes straight to the cards where it can; or set {OVER_OFI}: 1"
        yield Spoiled(direct, message, hint, Severity.ERROR)
    elif direct and release is not None and release < _FIRST_WITH_DIRECT:
        yield Spoiled(direct, f"SynapseAI {synapseai} does not know {direct}; it came with 1.8", "remove it")
    elif direct:
        message = f"with {direct} HCCL fails (hcclLibfabricError) where kernel (5.12) or libfabric (1.16.1) is older"
        yield Spoiled(direct, message, "from SynapseAI 1.9 on leave it out and HCCL falls back by itself")
    if ofi and not direct and release is not None and release >= _FIRST_BY_ITSELF:
        message = f"{OVER_OFI} switches HCCL's own choice off and forces the slow way through the host's memory"
        yield Spoiled(OVER_OFI, f"{message} (SynapseAI {synapseai})", "remove it")
    if _on(environment, OVER_TCP) and release is not None and release > _LAST_WITH_TCP:
        message = f"{OVER_TCP} is for SynapseAI 1.7 and older; the image has {synapseai}"
        yield Spoiled(OVER_TCP, message, "remove it; HCCL falls back to TCP by itself")
    if _on(environment, OVER_TCP) and ofi:
        yield Spoiled(OVER_TCP, f"{OVER_TCP} and {OVER_OFI} name two ways between instances", "keep one of them")
    if efa and INTERFACE not in environment:
        message = f"{INTERFACE} is not set: with several interfaces HCCL takes the first one that is not lo or docker"
        yield Spoiled(INTERFACE, message, "ens32 on Ubuntu, eth0 on Amazon Linux 2 (see `ip route` on the instance)")


def _on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "") not in _OFF
