"""Container instances as DescribeContainerInstances answers them: what they are, what they have, what is left.

A cluster may be mixed; everything here says of one instance what it is, and the fleet counts only DL1. An agent
disconnects several times an hour in normal operation, so a single look proves nothing, but ECS places nothing on it
meanwhile. Source: ECS API, ContainerInstance. Neighbours: `drivers` (its SynapseAI), `occupancy` (its cards).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.core.gaudi.cards import DL1_INSTANCE_TYPE
from controller.core.gaudi.catalogue import dl1
from controller.core.gaudi.demand import DL1_MEMORY_MIB
from controller.core.placement import Facts

ACTIVE: Final = "ACTIVE"
DRAINING: Final = "DRAINING"

RUNTIME_ATTRIBUTE: Final = "habana.runtime"
"""`default` where docker's default runtime is habana; set by the user data in deploy/instances."""
SYNAPSEAI_ATTRIBUTE: Final = "habana.synapseai"
"""Version of the driver, as the instance's own user data says it."""
VERIFIED_ATTRIBUTE: Final = "habana.verified"
"""Version with which hl-smi has shown all eight cards on the instance."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What an instance has, or has left. Ports are those that are taken."""

    cpu: int = 0
    memory: int = 0
    tcp: frozenset[int] = frozenset()
    udp: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Instance:
    """One container instance."""

    arn: str
    ec2_id: str
    status: str
    """ACTIVE, DRAINING, or on its way in or out."""
    connected: bool
    agent_version: str | None
    attributes: Mapping[str, str | None]
    """A name without value has None."""
    registered: Resources
    remaining: Resources
    running: int = 0
    registered_at: float | None = None
    """Epoch seconds."""

    @property
    def type(self) -> str | None:
        """EC2 instance type."""
        return self.attributes.get("ecs.instance-type")

    @property
    def is_dl1(self) -> bool:
        """Whether it has Gaudi cards. Source: EC2 user guide: dl1.24xlarge is the only size of its family."""
        return self.type == DL1_INSTANCE_TYPE

    @property
    def zone(self) -> str | None:
        """Availability zone."""
        return self.attributes.get("ecs.availability-zone")

    @property
    def ami(self) -> str | None:
        """Id of the image that it was launched from."""
        return self.attributes.get("ecs.ami-id")

    @property
    def usable(self) -> bool:
        """Whether ECS may place a task on it now."""
        return self.status == ACTIVE and self.connected

    @property
    def short(self) -> str:
        """How people know it: by its EC2 id."""
        return self.ec2_id or self.arn.rpartition("/")[2]

    def facts(self, groups: Iterable[str] = ()) -> Facts:
        """What a placement expression may ask; `groups` are those of the tasks that should run on it."""
        return Facts(
            attributes=self.attributes,
            agent_connected=self.connected,
            agent_version=self.agent_version,
            ec2_instance_id=self.ec2_id or None,
            registered_at=self.registered_at,
            running_tasks=self.running,
            task_groups=frozenset(groups),
        )


def instance_of(wire: Mapping[str, Any]) -> Instance:
    """A container instance of DescribeContainerInstances."""
    registered_at = wire.get("registeredAt")
    return Instance(
        arn=str(wire["containerInstanceArn"]),
        ec2_id=str(wire.get("ec2InstanceId") or ""),
        status=str(wire.get("status", "")),
        connected=bool(wire.get("agentConnected", False)),
        agent_version=(wire.get("versionInfo") or {}).get("agentVersion"),
        attributes={str(one["name"]): one.get("value") for one in wire.get("attributes", ())},
        registered=_resources(wire.get("registeredResources", ())),
        remaining=_resources(wire.get("remainingResources", ())),
        running=int(wire.get("runningTasksCount", 0)),
        registered_at=registered_at if isinstance(registered_at, int | float) else None,
    )


def troubles(instance: Instance) -> tuple[str, ...]:
    """What is wrong with a DL1 instance, in words; other instances are not looked at.

    The memory that ECS registers includes hugepages, which no container can have, unless ECS_RESERVED_MEMORY takes them
    out. Source: aws/amazon-ecs-agent, ecs_client.go; Habana's default of 15000 and later 21000 hugepages of 2 MiB.
    """
    if not instance.is_dl1:
        return ()
    found = []
    if instance.status != ACTIVE:
        found.append(f"is {instance.status}, so nothing new is placed on it")
    if not instance.connected:
        found.append("its agent is disconnected; some minutes of that are normal")
    runtime = instance.attributes.get(RUNTIME_ATTRIBUTE)
    if RUNTIME_ATTRIBUTE in instance.attributes and runtime != "default":
        found.append(f"says {RUNTIME_ATTRIBUTE}={runtime}: without docker's default runtime a task cannot get cards")
    smallest = min(dl1().hugepages_mib)
    if instance.registered.memory > DL1_MEMORY_MIB - smallest:
        found.append(
            f"registers {instance.registered.memory} MiB, hugepages included (at least {smallest} MiB), which ECS will"
            " promise to tasks that cannot have them: set ECS_RESERVED_MEMORY"
        )
    return tuple(found)


def _resources(wire: Iterable[Mapping[str, Any]]) -> Resources:
    by_name = {str(one.get("name")): one for one in wire}

    def number(name: str) -> int:
        return int(by_name.get(name, {}).get("integerValue", 0))

    def ports(name: str) -> frozenset[int]:
        return frozenset(int(port) for port in by_name.get(name, {}).get("stringSetValue", ()) if str(port).isdigit())

    return Resources(number("CPU"), number("MEMORY"), ports("PORTS"), ports("PORTS_UDP"))
