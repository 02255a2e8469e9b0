"""The table of symptoms: what a text of ECS, docker, the Habana runtime or the framework means, and what to do.

Rows are tried from the top, so the particular stands above the general. Each says whether waiting alone may help and
the one next action. Sources: gaudi threads quoted in the tests (tgi-gaudi #54, optimum-habana #288 and #1611,
Model-References #7 and #28, GenAIExamples #137 and #739, aws-ofi-nccl #879, Setup_and_Install #1), the ECS developer
guide ("Stopped tasks error messages", "Service event messages", RunTask failures), docker's and containerd's messages.
Neighbours: `stops` (reads tasks and events by this table).
"""

import re
from dataclasses import dataclass, field
from typing import Final

from controller.reasons import Reason


@dataclass(frozen=True, slots=True)
class Symptom:
    """One row."""

    reason: Reason
    pattern: str
    """Regular expression, upper and lower case being the same; found anywhere in a text."""
    action: str
    """The next thing to do, in one sentence."""
    retryable: bool = False
    """Whether ECS's next try may succeed without anybody's doing."""
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", re.compile(self.pattern, re.IGNORECASE | re.DOTALL))

    def found_in(self, text: str) -> bool:
        """Whether the text shows this symptom."""
        return self._compiled.search(text) is not None


_FREE: Final = "look with `controller fleet` at who holds the cards, and"

CARDS: Final = (
    Symptom(
        Reason.BAD_VISIBILITY,
        r"device value must be a number",
        "Write HABANA_VISIBLE_DEVICES without blanks, as 0,1,2,3 or all.",
    ),
    Symptom(
        Reason.CARD_TAKEN,
        r"exposing interfaces: failed creating temporary link",
        f"Two containers of one host want the same cards: {_FREE} give each container its own set.",
    ),
    Symptom(
        Reason.CARD_RELEASING,
        r"still (being )?releas|\bEAGAIN\b"
        r"|(habana|synapse|hpu|/dev/(hl|accel)|device).{0,120}(\bin (a )?reset\b|Resource temporarily unavailable)",
        "Nothing: the card is being released or reset, and the next try gets it.",
        retryable=True,
    ),
    Symptom(
        Reason.CARD_TAKEN,
        r"synStatus\s*=?\s*20\b|Device already acquired|\bEBUSY\b|another user is working on (it|the device)",
        f"Another process of the instance has the card: {_FREE} use gaudi.isolation: hostPorts on every workload.",
    ),
    Symptom(
        Reason.CARD_BROKEN,
        r"synStatus\s*=?\s*26\b|\[Generic failure\]|Device is NOT usable|CPU-CP timeout",
        "Drain the instance, and replace it if hl-smi does not show eight cards on it.",
    ),
    Symptom(
        Reason.CARD_BROKEN,
        r"device (is )?disabled|\bEPERM\b.*(habana|\bhl\d|accel)",
        "Drain the instance: its driver has switched the card off.",
    ),
    Symptom(
        Reason.RUNTIME_MISSING,
        r"unknown (or invalid )?runtime( name| specified)?:?\W*habana",
        "Register habana in /etc/docker/daemon.json of the instance and make it the default (see deploy/instances).",
    ),
    Symptom(
        Reason.DRIVER_MISSING,
        r"driver (is )?not (loaded|found)|habanalabs(_en)? (module )?not (loaded|found)|hl-smi: (command )?not found",
        "Load the habanalabs driver on the instance, or drain it: a kernel update may have left it behind.",
    ),
    Symptom(
        Reason.NO_CARD_VISIBLE,
        r"no accelerators found|No (habana|gaudi|hpu) devices? (is|are|was|were)? ?(visible|found|available)"
        r"|device not found",
        "Compare HABANA_VISIBLE_DEVICES and HLS_MODULE_ID with the cards of the instance (hl-smi -Q index,module_id).",
    ),
    Symptom(
        Reason.DRIVER_MISMATCH,
        r"Device acquire failed|driver.{0,40}(version )?(mismatch|incompatible)|incompatible driver",
        "Compare the SynapseAI version of the instance's AMI with that of the image: major and minor must be the same.",
    ),
    Symptom(
        Reason.EFA_NOT_VISIBLE,
        r"fi_getinfo\D*-61|No EFA device|no such file or directory.*infiniband|infiniband.*no such file or directory"
        r"|error gathering device information.*uverbs",
        "Set gaudi.efa: true, and run on an instance that was launched with EFA interfaces.",
    ),
    Symptom(
        Reason.SCALE_OUT_FAILED,
        r"hcclLibfabricError",
        "Remove HCCL_GAUDI_DIRECT, or use kernel 5.12 and libfabric 1.16.1 or newer.",
    ),
)
"""Gaudi's own."""

IMAGES: Final = (
    Symptom(
        Reason.DISK_FULL,
        r"no space left on device",
        "Give the instance a root volume of 100 GB or more: a Gaudi image has some 8 GB, and old ones stay.",
    ),
    Symptom(
        Reason.PULL_LIMITED,
        r"CannotPull.*(toomanyrequests|rate limit|429 Too Many)",
        "Wait, or pull from ECR instead of a registry that limits anonymous pulls.",
        retryable=True,
    ),
    Symptom(
        Reason.IMAGE_NOT_FOUND,
        r"CannotPull.*does not contain descriptor matching platform|no match(ing manifest)? for platform"
        r"|exec format error",
        "Use an image for linux/amd64: that is what a DL1 runs.",
    ),
    Symptom(
        Reason.IMAGE_DENIED,
        r"CannotPull.*(pull access denied|no basic auth|denied|unauthorized|authorization|40[13] |AccessDenied"
        r"|not authorized)",
        "Let the execution role (or the instance's) pull from that registry, and check its account and region.",
    ),
    Symptom(
        Reason.IMAGE_NOT_FOUND,
        r"CannotPull.*(manifest unknown|not found|repository does not exist|invalid reference format)",
        "Correct the image: no such tag or repository is in that registry.",
    ),
    Symptom(
        Reason.IMAGE_UNREACHABLE,
        r"CannotPull.*(timeout|timed out|deadline exceeded|connection re(fused|set)|no such host|TLS handshake"
        r"|cancell?ed|EOF|50[0234] )",
        "Wait; if it stays, check the instance's way to the registry (NAT, VPC endpoints, DNS).",
        retryable=True,
    ),
    Symptom(
        Reason.IMAGE_UNREACHABLE, r"CannotPull", "Pull the image on the instance by hand to see more.", retryable=True
    ),
)
"""The pull."""

STARTS: Final = (
    Symptom(
        Reason.PARAMETER_UNREADABLE,
        r"ResourceInitializationError.*(secret|ssm|parameter|registry auth)|unable to (pull|retrieve) secrets?",
        "Let the execution role read the secret, and check that it exists in this region.",
    ),
    Symptom(
        Reason.LOG_GROUP_MISSING,
        r"(log group|awslogs|logging driver).*(not exist|ResourceNotFound|failed|AccessDenied)",
        "Create the log group, or set awslogs-create-group and let the execution role create it.",
    ),
    Symptom(
        Reason.COMMAND_NOT_FOUND,
        r"executable file not found|exec: .*(no such file|permission denied)",
        "Correct the command: the image has no such program.",
    ),
    Symptom(
        Reason.PORTS_TAKEN,
        r"address already in use|port is already allocated",
        "Give the two tasks two ports, and map them, so that ECS keeps them apart.",
    ),
    Symptom(
        Reason.OUT_OF_MEMORY,
        r"OutOfMemory|OOM ?Killed|cannot allocate memory",
        "Raise the memory of the task or of the container that ended with 137.",
    ),
    Symptom(
        Reason.HOST_LOST,
        r"Host EC2 .*(terminated|stopped)|SpotInterruption|TerminationNotice",
        "Nothing: its instance has gone, and ECS looks for another one.",
        retryable=True,
    ),
    Symptom(
        Reason.UNHEALTHY,
        r"failed (container|ELB) health checks|Health checks failed",
        "Run the health check by hand in the container, or give it a longer startPeriod.",
    ),
    Symptom(
        Reason.CANNOT_START,
        r"Cannot(Start|Create)Container|ContainerRuntime|DockerTimeout|ResourceInitializationError|CannotCreateVolume",
        "Read the whole message: docker on the instance could not start the container.",
    ),
)
"""From the pull to the first process, and its end by others."""

PLACEMENT: Final = (
    Symptom(
        Reason.PORTS_TAKEN,
        r"RESOURCE:PORTS|already using a port required",
        f"No instance has the cards (or another host port) free: {_FREE} stop a task or add an instance.",
        retryable=True,
    ),
    Symptom(
        Reason.NO_CAPACITY,
        r"RESOURCE:(MEMORY|CPU|ENI)|insufficient (memory|CPU)|(enough|sufficient) (memory|CPU)",
        "Ask for less, stop another task, or add an instance.",
        retryable=True,
    ),
    Symptom(
        Reason.NO_CAPACITY,
        r"RESOURCE:GPU|insufficient GPU",
        "Remove resourceRequirements: a DL1 registers no GPU, `gaudi` says which cards the task uses.",
    ),
    Symptom(
        Reason.CONSTRAINT_UNSATISFIED,
        r"MemberOf placement constraint|missing an attribute|(?-i:\bATTRIBUTE\b)",
        "Compare the constraints with the attributes of the DL1 instances (`controller fleet`).",
    ),
    Symptom(
        Reason.NO_CAPACITY,
        r"DistinctInstance placement constraint",
        "Add an instance: each task wants one of its own.",
        retryable=True,
    ),
    Symptom(
        Reason.AGENT_DISCONNECTED,
        r"(?-i:\bAGENT\b)|agent (is )?(disconnected|not connected)",
        "Wait some minutes; if it stays, look at `systemctl status ecs` on the instance.",
        retryable=True,
    ),
    Symptom(
        Reason.NO_CAPACITY,
        r"No Container Instances were found|NO ACTIVE INSTANCES|EMPTY CAPACITY PROVIDER",
        "Register a DL1 instance with the cluster (see deploy/instances).",
        retryable=True,
    ),
    Symptom(
        Reason.NO_CAPACITY,
        r"unable to place a task|unable to consistently start tasks",
        "Look with `controller fleet` at what the instances have left.",
        retryable=True,
    ),
)
"""No instance takes the task."""

ALL: Final = (*CARDS, *IMAGES, *STARTS, *PLACEMENT)
