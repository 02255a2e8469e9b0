"""The machines of the sandbox: what an instance of a type registers with ECS.

CPU is the number of vCPUs times 1024, memory what Linux reports (less than the data sheet says, hugepages included), as
the ECS agent registers them. 98304 units and five reserved ports are facts; the DL1's memory is an estimate inside the
760,000-778,000 MiB that public stacks imply. Attribute names are those of a recorded container instance (2023, agent
1.68), without the discontinued Elastic Inference. Neighbours: `instances` (registers them).
"""

from collections.abc import Mapping
from dataclasses import dataclass

RESERVED_PORTS = frozenset({22, 2375, 2376, 51678, 51679})
"""SSH, Docker and the agent (ContainerInstance.remainingResources in botocore's model)."""

AGENT_VERSION = "1.68.2"


@dataclass(frozen=True, slots=True)
class InstanceType:
    """What one instance of the type brings along."""

    name: str
    cpu: int
    """CPU units."""
    memory: int
    """MiB that the agent registers."""
    cards: int = 0
    """Gaudi cards."""
    image: str = "ami-0ac7415dd546fb485"
    architecture: str = "x86_64"


DL1 = InstanceType("dl1.24xlarge", cpu=98_304, memory=771_840, cards=8, image="ami-0d83d7487f322545a")
M5_2XLARGE = InstanceType("m5.2xlarge", cpu=8_192, memory=31_574)

TYPES: Mapping[str, InstanceType] = {
    kind.name: kind
    for kind in (
        DL1,
        M5_2XLARGE,
        InstanceType("m5.large", cpu=2_048, memory=7_764),
        InstanceType("m5.xlarge", cpu=4_096, memory=15_571),
        InstanceType("c5.4xlarge", cpu=16_384, memory=31_574),
        InstanceType("t3.medium", cpu=2_048, memory=3_884),
    )
}


@dataclass(frozen=True, slots=True)
class Machine:
    """One instance that is there when a world begins. `zone` is the letter behind the region's name."""

    kind: InstanceType
    zone: str = "a"
    cluster: str = "default"


DEFAULT_FLEET = (Machine(DL1, "a"), Machine(DL1, "b"), Machine(M5_2XLARGE, "a"), Machine(M5_2XLARGE, "b"))
"""Two DL1 and two ordinary instances in the cluster `default`."""

_DOCKER = "com.amazonaws.ecs.capability."
_ECS = "ecs.capability."
_CAPABILITIES = (
    *(f"{_DOCKER}docker-remote-api.1.{minor}" for minor in range(17, 33)),
    *(
        f"{_DOCKER}logging-driver.{driver}"
        for driver in ("none", "fluentd", "awslogs", "syslog", "awsfirelens", "json-file")
    ),
    *(_DOCKER + name for name in ("privileged-container", "ecr-auth", "task-iam-role", "task-iam-role-network-host")),
    *(
        _ECS + name
        for name in (
            "aws-appmesh",
            "container-health-check",
            "container-ordering",
            "docker-plugin.amazon-ecs-volume-plugin",
            "docker-plugin.local",
            "ecr-endpoint",
            "efs",
            "efsAuth",
            "env-files.s3",
            "execute-command",
            "execution-role-awslogs",
            "execution-role-ecr-pull",
            "firelens.fluentbit",
            "firelens.fluentd",
            "firelens.options.config.file",
            "firelens.options.config.s3",
            "full-sync",
            "increased-task-cpu-limit",
            "logging-driver.awsfirelens.log-driver-buffer-limit",
            "network.container-port-range",
            "pid-ipc-namespace-sharing",
            "private-registry-authentication.secretsmanager",
            "secrets.asm.bootstrap.log-driver",
            "secrets.asm.environment-variables",
            "secrets.ssm.bootstrap.log-driver",
            "secrets.ssm.environment-variables",
            "service-connect-v1",
            "task-cpu-mem-limit",
            "task-eni",
            "task-eni-trunking",
            "task-eni.ipv6",
        )
    ),
)


def attributes_of(kind: InstanceType, *, zone: str) -> dict[str, str | None]:
    """All attributes of an instance; `None` for those that are a name only. `zone` is the whole zone name."""
    return {
        "ecs.ami-id": kind.image,
        "ecs.availability-zone": zone,
        "ecs.instance-type": kind.name,
        "ecs.os-type": "linux",
        "ecs.os-family": "LINUX",
        "ecs.cpu-architecture": kind.architecture,
        "ecs.vpc-id": "vpc-0b5e46291a1fdd151",
        "ecs.subnet-id": f"subnet-06f550a9636{zone[-1]}e3a0d",
        "ecs.capability.branch-cni-plugin-version": "unknown-",
        "ecs.capability.cni-plugin-version": "unknown-2020.09.0",
        **dict.fromkeys(_CAPABILITIES),
    }
