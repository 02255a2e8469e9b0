"""What was observed: a service, the task definition revisions around it, and its last rollout.

These hold the wire's own structures (epoch seconds, absent members absent) behind the few questions that planning and
status ask. A service that is INACTIVE or that ECS calls MISSING is absent; one that is DRAINING is absent but blocks
its name. What is held of a whole fleet is packed (`HeldService`, `HeldRevision`); it answers the same questions.
Source: ECS API, DeleteService and CreateService. Neighbours: `aws.ecs` makes them, `compare` and `plan` read them.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from controller.core.ownership import OWNER, Ownership
from controller.core.packed import Packed

ROLLED_BACK: Final = frozenset({"ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"})
ROLLING_BACK: Final = frozenset({"ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
TROUBLE: Final = (
    *("unable to", "could not", "failed", "throttled", "rolling back", "rolled back", "misconfigured", "inconsistent"),
    *("not authorized", "unhealthy", "does not exist", "limit was exceeded"),
)
"""Parts of the service events that tell of trouble. Source: ECS developer guide, "Service event messages"; their form
is free text."""
STOPPED: Final = frozenset({"STOPPED", "STOP_REQUESTED"})


@dataclass(frozen=True, slots=True)
class Revision:
    """A registered task definition. Its content never changes; only its status and tags do."""

    wire: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Full ARN with revision."""
        return str(self.wire["taskDefinitionArn"])

    @property
    def active(self) -> bool:
        """Whether a new deployment may use it."""
        return bool(self.wire.get("status", "ACTIVE") == "ACTIVE")

    @property
    def opened(self) -> "Revision":
        """The same, quick to ask."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRevision(Revision):
    """A revision among thousands: packed, but for what every look asks."""

    # `field()`, or the property of this name would be the default.
    arn: str = field()
    active: bool = field()

    @classmethod
    def of(cls, revision: Revision) -> "HeldRevision":
        """A revision, packed."""
        return cls(wire=Packed.of(revision.wire), tags=revision.tags, arn=revision.arn, active=revision.active)

    @property
    def opened(self) -> Revision:
        return Revision(dict(self.wire.items()), self.tags)


@dataclass(frozen=True, slots=True)
class LiveService:
    """A service as DescribeServices answers it, tags included."""

    wire: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name within the cluster."""
        return str(self.wire["serviceName"])

    @property
    def arn(self) -> str:
        """Its ARN."""
        return str(self.wire["serviceArn"])

    @property
    def status(self) -> str:
        """ACTIVE, DRAINING or INACTIVE."""
        return str(self.wire.get("status", "ACTIVE"))

    @property
    def draining(self) -> bool:
        """Whether it was deleted and still has tasks, so that its name cannot be used again yet."""
        return self.status == "DRAINING"

    @property
    def tags(self) -> dict[str, str]:
        """Tags by key."""
        return {tag["key"]: tag.get("value", "") for tag in self.wire.get("tags", ())}

    @property
    def owner(self) -> str | None:
        """Who manages it; for counting a whole cluster, where the rest of `ownership` is not asked for."""
        return next((tag.get("value", "") for tag in self.wire.get("tags", ()) if tag["key"] == OWNER), None)

    @property
    def ownership(self) -> Ownership:
        """Whose it is."""
        return Ownership.of(self.tags)

    @property
    def desired(self) -> int:
        """Tasks asked for."""
        return int(self.wire.get("desiredCount", 0))

    @property
    def running(self) -> int:
        """Tasks in state RUNNING."""
        return int(self.wire.get("runningCount", 0))

    @property
    def pending(self) -> int:
        """Tasks on their way to RUNNING."""
        return int(self.wire.get("pendingCount", 0))

    @property
    def task_definition(self) -> str:
        """ARN of the revision in use (some emulators answer `family:revision`)."""
        return str(self.wire.get("taskDefinition", ""))

    @property
    def created_at(self) -> float:
        """Epoch seconds; tells one incarnation of a name from the next."""
        return float(self.wire.get("createdAt", 0.0))

    @property
    def deployments(self) -> tuple[Mapping[str, Any], ...]:
        """As ECS lists them: one PRIMARY, and the ones that are being replaced."""
        return tuple(self.wire.get("deployments", ()))

    @property
    def primary(self) -> Mapping[str, Any]:
        """The PRIMARY deployment, or an empty mapping."""
        return next((one for one in self.deployments if one.get("status") == "PRIMARY"), {})

    @property
    def controller_type(self) -> str:
        """Who deploys it: ECS, CODE_DEPLOY or EXTERNAL. Absent means ECS."""
        return str((self.wire.get("deploymentController") or {}).get("type", "ECS"))

    @property
    def managed_by(self) -> str | None:
        """What of AWS manages it, so that nobody else may: a sentence's end; None where it is free."""
        if self.ownership.foreign is not None:
            return f"belongs to CloudFormation ({self.ownership.foreign})"
        if self.controller_type != "ECS":
            return f"is deployed by {self.controller_type}, not by ECS"
        if self.wire.get("resourceManagementType") == "ECS":
            return "is managed by ECS itself (Express Mode)"
        return None

    @property
    def trouble(self) -> str | None:
        """The newest event of the current deployment that tells of trouble, where events were asked for."""
        since = float(self.primary.get("createdAt", 0.0))
        for event in self.wire.get("events", ()):
            text = str(event.get("message", "")).removeprefix(f"(service {self.name}) ").rstrip(".")
            if float(event.get("createdAt", 0.0)) < since:
                return None
            if any(word in text for word in TROUBLE):
                return text
        return None

    @property
    def opened(self) -> "LiveService":
        """The same, quick to ask."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldService(LiveService):
    """A service among thousands: packed, but for what every look asks."""

    name: str = field()
    status: str = field()
    task_definition: str = field()
    desired: int = field()
    owner: str | None = field()

    @classmethod
    def of(cls, service: LiveService) -> "HeldService":
        """A service, packed."""
        return cls(
            wire=Packed.of(service.wire),
            name=service.name,
            status=sys.intern(service.status),
            task_definition=service.task_definition,
            desired=service.desired,
            owner=sys.intern(service.owner) if service.owner is not None else None,
        )

    @property
    def opened(self) -> LiveService:
        return LiveService(dict(self.wire.items()))


@dataclass(frozen=True, slots=True)
class Rollout:
    """The last service deployment: what it tried to bring out, and how it ended.

    Source: ECS API, ServiceDeployment; `status` is one of PENDING, IN_PROGRESS, SUCCESSFUL, STOPPED, ROLLBACK_*….
    """

    arn: str
    status: str
    target: str
    """ARN of the task definition revision that it tried to bring out."""
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether ECS gave up on the target or is giving up."""
        return self.status in ROLLED_BACK | ROLLING_BACK


@dataclass(frozen=True, slots=True)
class ScalableTarget:
    """What Application Auto Scaling may make of a service's count. Source: its API, ScalableTarget."""

    minimum: int
    maximum: int
    suspended: bool = False
    """Whether all of its scaling is suspended, so that it moves nothing."""


@dataclass(frozen=True, slots=True)
class UnknownScaling:
    """Application Auto Scaling could not be asked, and why."""

    message: str


@dataclass(frozen=True, slots=True)
class UnknownUse:
    """It may not be looked which revisions are in use, and why."""

    message: str


@dataclass(frozen=True, slots=True)
class Observation:
    """All that is known of one key at one moment."""

    service: LiveService | None = None
    """None where the service does not exist or is INACTIVE."""
    revision: Revision | None = None
    """The revision that the service uses."""
    candidates: tuple[Revision, ...] = ()
    """Other ACTIVE revisions of the wanted family, newest first, as far as they were looked at."""
    rollout: Rollout | None = None
    """The last service deployment, looked up only where the answer matters."""
    scaling: ScalableTarget | UnknownScaling | None = None
    """Who else moves the count, asked only where it is not the wanted one; None is nobody, as far as was asked."""
    superfluous: tuple[int, ...] | UnknownUse = ()
    """Numbers of the family's revisions that may be retired (`reconcile.keepRevisions`), oldest first, looked up only
    when a revision has just been brought out."""
    previous: str | None = None
    """Mark of the INACTIVE incarnation before this one, where ECS still tells."""

    @property
    def opened(self) -> "Observation":
        """The same, quick to ask: for whoever looks at it closely, and lets it go again."""
        service, revision = self.service, self.revision
        return replace(self, service=service and service.opened, revision=revision and revision.opened)
