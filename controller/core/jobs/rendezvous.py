"""How the ranks of a gang find each other: what each is told, and where ranks may be.

Rank 0 is placed first, because only then its address is known; the others are told it. Names are those that launchers
read: `MASTER_ADDR` and so on as Kubeflow's PyTorchJob sets them (RANK and WORLD_SIZE count nodes, torchrun and mpirun
make their own from them for each process), `PET_*` for torchrun without arguments, `HCCL_COMM_ID` for HCCL without
PyTorch. Traffic over EFA stays within a subnet, and is fast only within a placement group. Sources: Kubeflow training
operator, torch.distributed.run, HabanaAI/HCL, EC2 user guide (EFA limitations). Neighbours: `gaudi.scaleout` (what
HCCL needs by version), `request` (the RunTask around it), `reconcile.jobs` (finds the address).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.core.gaudi import scaleout
from controller.core.gaudi.version import Version

PLACEMENT_GROUP: Final = "habana.placement-group"
"""Custom attribute of a container instance: the cluster placement group that it was launched into. ECS knows none."""
SUBNET: Final = "ecs.subnet-id"
"""Attribute that ECS gives each instance."""


@dataclass(frozen=True, slots=True)
class Master:
    """Where rank 0 is."""

    address: str
    """Private IPv4 address that the other ranks reach."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Of its container instance."""


@dataclass(frozen=True, slots=True)
class Gang:
    """What all ranks of a job have in common."""

    nodes: int
    port: int
    processes: int
    """Per node: one for each card."""
    efa: bool
    synapseai: Version | None

    def environment(self, rank: int, master: Master | None) -> dict[str, str]:
        """The variables of one rank; those of rank 0 need no master."""
        if self.nodes == 1:
            return {}
        address = master.address if master is not None else "127.0.0.1"
        told = {
            "MASTER_ADDR": address,
            "MASTER_PORT": str(self.port),
            "NODE_RANK": str(rank),
            "NNODES": str(self.nodes),
            "RANK": str(rank),
            "WORLD_SIZE": str(self.nodes),
            "PET_MASTER_ADDR": address,
            "PET_MASTER_PORT": str(self.port),
            "PET_NODE_RANK": str(rank),
            "PET_NNODES": str(self.nodes),
            "PET_NPROC_PER_NODE": str(self.processes),
        }
        if master is not None:
            # Rank 0 cannot be told its own address before it is placed; it listens, and 127.0.0.1 would be refused.
            told["HCCL_COMM_ID"] = f"{address}:{self.port + 1}"
        if not self.efa and self.synapseai is not None:
            told |= scaleout.over_tcp(self.synapseai)
        return told

    def constraints(self, master: Master | None) -> list[dict[str, str]]:
        """Where a rank may be: on an instance of its own, over EFA in the subnet and the placement group of rank 0."""
        if self.nodes == 1:
            return []
        found = [{"type": "distinctInstance"}]
        if master is None or not self.efa:
            return found
        return [
            *found,
            *(
                {"type": "memberOf", "expression": f"attribute:{name} == {master.attributes[name]}"}
                for name in (SUBNET, PLACEMENT_GROUP)
                if master.attributes.get(name)
            ),
        ]
