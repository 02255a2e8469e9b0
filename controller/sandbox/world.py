"""The state of one simulated region: frozen records in dictionaries, so that a copy costs a few dictionary copies.

Decides nothing; the rooms replace records, never change them. Derived sums (what an instance has reserved, which tasks
belong to a service) are kept beside the records for speed and re-computed by `consistency`.
Neighbours: `agenda` (what is due when), `identity` (names), all rooms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.core.placement import Expression
from controller.sandbox.agenda import Agenda
from controller.sandbox.faults import Faults, Shadow
from controller.sandbox.images import Images
from controller.sandbox.timing import Timing
from controller.sandbox.wire import Tags, Wire


class ServiceStatus(StrEnum):
    ACTIVE = "ACTIVE"
    DRAINING = "DRAINING"
    INACTIVE = "INACTIVE"


class TaskStatus(StrEnum):
    """`lastStatus` of a task, in the order of its life."""

    PROVISIONING = "PROVISIONING"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DEACTIVATING = "DEACTIVATING"
    STOPPING = "STOPPING"
    DEPROVISIONING = "DEPROVISIONING"
    STOPPED = "STOPPED"


STARTING = frozenset({TaskStatus.PROVISIONING, TaskStatus.PENDING})
ON_INSTANCE = frozenset(TaskStatus) - {TaskStatus.STOPPED}


class Health(StrEnum):
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    UNKNOWN = "UNKNOWN"


class StopCode(StrEnum):
    FAILED_TO_START = "TaskFailedToStart"
    ESSENTIAL_EXITED = "EssentialContainerExited"
    USER = "UserInitiated"
    SCHEDULER = "ServiceSchedulerInitiated"
    INFRASTRUCTURE = "InfrastructureHealth"
    SPOT = "SpotInterruption"


class Rollout(StrEnum):
    """`rolloutState` of a deployment."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Stage(StrEnum):
    """`status` of a service deployment."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCESSFUL = "SUCCESSFUL"
    STOP_REQUESTED = "STOP_REQUESTED"
    STOPPED = "STOPPED"
    ROLLBACK_REQUESTED = "ROLLBACK_REQUESTED"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_SUCCESSFUL = "ROLLBACK_SUCCESSFUL"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"


@dataclass(frozen=True, slots=True)
class Demand:
    """What one task of a task definition asks of an instance."""

    cpu: int
    """CPU units."""
    memory: int
    """MiB."""
    tcp: frozenset[int]
    """Static host ports."""
    udp: frozenset[int]
    attributes: frozenset[str]
    """Names that the instance must carry (`requiresAttributes`)."""
    constraints: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    arn: str
    name: str
    status: str
    members: Wire
    """settings, configuration, capacityProviders, defaultCapacityProviderStrategy, serviceConnectDefaults."""
    tags: Tags


@dataclass(frozen=True, slots=True)
class Instance:
    arn: str
    cluster_arn: str
    ec2_id: str
    status: str
    """ACTIVE or DRAINING; a deregistered instance is gone."""
    agent_connected: bool
    agent_version: str
    attributes: Mapping[str, str | None]
    custom: frozenset[str]
    """Names of the attributes that PutAttributes may replace and DeleteAttributes may remove."""
    cpu: int
    memory: int
    reserved_tcp: frozenset[int]
    """Ports that the agent keeps for itself and Docker."""
    cards: int
    """Gaudi cards; 8 on a DL1. ECS knows nothing of them, the simulated containers do."""
    registered_at: float
    version: int
    tags: Tags
    used_cpu: int = 0
    used_memory: int = 0
    used_tcp: frozenset[int] = frozenset()
    used_udp: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    arn: str
    family: str
    revision: int
    status: str
    """ACTIVE, INACTIVE or DELETE_IN_PROGRESS."""
    content: Wire
    """As it reads back: RegisterTaskDefinition members with defaults filled in, without tags."""
    demand: Demand
    tags: Tags
    registered_at: float
    deregistered_at: float | None = None
    delete_requested_at: float | None = None


@dataclass(frozen=True, slots=True)
class Container:
    name: str
    arn: str
    image: str
    essential: bool
    status: TaskStatus
    health: Health | None
    """None for a container without health check."""
    exit_code: int | None = None
    reason: str | None = None
    runtime_id: str | None = None
    digest: str | None = None
    bindings: tuple[tuple[int, int, str], ...] = ()
    """(containerPort, hostPort, protocol)."""


@dataclass(frozen=True, slots=True)
class Task:
    arn: str
    cluster_arn: str
    task_definition: str
    containers: tuple[Container, ...]
    group: str
    launch_type: str
    status: TaskStatus
    desired: TaskStatus
    """RUNNING or STOPPED."""
    created_at: float
    cpu: int
    memory: int
    tcp: frozenset[int]
    udp: frozenset[int]
    instance: str | None
    """ARN of the container instance; None on Fargate."""
    attached: bool
    """Whether the task has a network interface of its own (awsvpc)."""
    deregisters: bool
    """Whether a load balancer must let go of the task before it stops."""
    service: str | None = None
    deployment: str | None = None
    """`ecs-svc/N` of the deployment that started it."""
    started_by: str | None = None
    capacity_provider: str | None = None
    overrides: Wire = field(default_factory=dict)
    network: Wire | None = None
    tags: Tags = field(default_factory=dict)
    execute_command: bool = False
    cards: frozenset[int] = frozenset()
    """Gaudi cards that its processes hold."""
    zone: str | None = None
    version: int = 1
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    started_at: float | None = None
    healthy_at: float | None = None
    """From when it counts as healthy; None while that is not known."""
    unhealthy: bool = False
    stopping_at: float | None = None
    stopped_at: float | None = None
    execution_stopped_at: float | None = None
    stop_code: StopCode | None = None
    stopped_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    at: float
    message: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry of `deployments`. The tail of `id` is the number of its service revision."""

    id: str
    task_definition: str
    desired: int
    created_at: float
    updated_at: float
    rollout: Rollout
    reason: str
    members: Wire
    """What a deployment reads back beside its counts: launchType, networkConfiguration, volumeConfigurations, …"""
    failed: int = 0
    """Tasks in a row that did not start or stay healthy: what the circuit breaker counts."""
    reset_at: float = 0.0
    """When a healthy task last set `failed` back to 0."""
    retry_at: float = 0.0
    """No task is started before this time."""
    pause: float = 0.0
    """The last pause between attempts; the next is twice as long."""

    @property
    def number(self) -> str:
        return self.id.removeprefix("ecs-svc/")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A placement that fails: its event is said again only after a growing pause."""

    message: str
    pause: float
    again_at: float


@dataclass(frozen=True, slots=True)
class Service:
    arn: str
    name: str
    cluster_arn: str
    status: ServiceStatus
    desired: int
    daemon: bool
    task_definition: str
    created_at: float
    members: Wire
    """CreateService members as Service reads them back (placement, deploymentConfiguration, loadBalancers, …)."""
    revision_members: Wire
    """Members that only a deployment or revision reads back (serviceConnect, volumes, lattice, monitoring, …)."""
    tags: Tags
    request: Wire
    """The CreateService request: its replay is recognised by clientToken and equal members."""
    deployments: tuple[Deployment, ...]
    """Newest first; the first is PRIMARY, the others ACTIVE."""
    completed: Deployment | None = None
    """The last deployment that completed: where a rollback goes."""
    events: tuple[Event, ...] = ()
    """Newest first, at most 100."""
    steady: bool = False
    steady_at: float = 0.0
    trouble: Trouble | None = None
    inactive_at: float | None = None


@dataclass(frozen=True, slots=True)
class ServiceDeployment:
    arn: str
    service: str
    cluster_arn: str
    stage: Stage
    created_at: float
    updated_at: float
    target: str
    """ARN of the service revision that is being deployed."""
    sources: tuple[str, ...]
    configuration: Wire
    started_at: float | None = None
    finished_at: float | None = None
    stopped_at: float | None = None
    reason: str | None = None
    rollback: Wire | None = None
    tripped: bool = False
    """Whether the circuit breaker fired."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A service revision: what a deployment deploys, never changed."""

    arn: str
    service: str
    cluster_arn: str
    task_definition: str
    created_at: float
    members: Wire


@dataclass(frozen=True, slots=True)
class Failure:
    """One count for the circuit breaker: a task of the deployment did not start, or was unhealthy."""

    deployment: str
    task: str


@dataclass(frozen=True, slots=True)
class Token:
    """A remembered RunTask: same token and parameters give the same tasks again."""

    params: Wire
    tasks: tuple[str, ...]
    failures: tuple[Wire, ...]
    at: float


@dataclass(slots=True)
class World:
    """One region of one account. Mutable as a whole, made of frozen records."""

    region: str
    account: str
    seed: int
    now: float
    timing: Timing
    images: Images
    faults: Faults
    counter: int = 0
    agenda: Agenda = field(default_factory=Agenda)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    task_definitions: dict[str, TaskDefinition] = field(default_factory=dict)
    families: dict[str, int] = field(default_factory=dict)
    """Family → newest revision number ever given."""
    services: dict[str, Service] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    service_deployments: dict[str, tuple[ServiceDeployment, ...]] = field(default_factory=dict)
    """Service ARN → its service deployments, newest first."""
    revisions: dict[str, Revision] = field(default_factory=dict)
    tasks_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Service ARN → its tasks that are not STOPPED."""
    tasks_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Instance ARN → the tasks on it that are not STOPPED."""
    inbox: dict[str, tuple[Failure, ...]] = field(default_factory=dict)
    """Service ARN → failures that its scheduler has not looked at yet."""
    tokens: dict[tuple[str, str], Token] = field(default_factory=dict)
    buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Throttle bucket → (tokens left, at)."""
    shadows: dict[str, tuple[Shadow, ...]] = field(default_factory=dict)
    """ARN → what readers that lag still see."""
    logs: dict[tuple[str, str], tuple[tuple[int, str], ...]] = field(default_factory=dict)
    """Log group and stream → what containers have written, each line with its epoch milliseconds."""

    def copy(self) -> "World":
        """An independent world in the same state: records are shared, they never change."""
        return World(
            region=self.region,
            account=self.account,
            seed=self.seed,
            now=self.now,
            timing=self.timing,
            images=self.images,
            faults=self.faults,
            counter=self.counter,
            agenda=self.agenda.copy(),
            clusters=self.clusters.copy(),
            instances=self.instances.copy(),
            task_definitions=self.task_definitions.copy(),
            families=self.families.copy(),
            services=self.services.copy(),
            tasks=self.tasks.copy(),
            service_deployments=self.service_deployments.copy(),
            revisions=self.revisions.copy(),
            tasks_of=self.tasks_of.copy(),
            tasks_on=self.tasks_on.copy(),
            inbox=self.inbox.copy(),
            tokens=self.tokens.copy(),
            buckets=self.buckets.copy(),
            shadows=self.shadows.copy(),
            logs=self.logs.copy(),
        )
