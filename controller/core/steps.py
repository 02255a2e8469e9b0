"""The words of a plan: what can be done, what keeps it back, and how a workload stands.

Steps name digests, never ARNs, so that planning again after a crash gives the same values; only what is to be taken
away is named by its number, because nothing else tells it from its equals. Neighbours: `plan` and `prune` make plans,
`guards` holds steps back, `reconcile.act` carries them out, `report` prints them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from controller.core.changes import Change
from controller.core.jobs.identity import TaskId
from controller.core.jobs.record import Record
from controller.core.live import LiveService
from controller.core.normalize import Unknown
from controller.core.workload import Key
from controller.reasons import Reason


class Drift(StrEnum):
    """How a workload stands against what is live."""

    IN_SYNC = "InSync"
    DRIFTED = "Drifted"
    MISSING = "Missing"
    ORPHANED = "Orphaned"
    INVALID = "Invalid"
    BLOCKED = "Blocked"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class EnsureTaskDefinition:
    """Register a revision with this content, unless an ACTIVE one exists."""

    family: str
    digest: str
    request: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TagTaskDefinition:
    """Put declared tags on the revision with this content."""

    family: str
    digest: str
    put: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CreateService:
    """Create the service, tags included, on the revision with this content."""

    key: Key
    digest: str
    request: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class UpdateService:
    """Send only what differs; `digest` where the task definition does."""

    key: Key
    members: Mapping[str, Any] = field(repr=False)
    digest: str | None = None
    force_new_deployment: bool = False


@dataclass(frozen=True, slots=True)
class TagService:
    """Put and remove tags of our own."""

    key: Key
    put: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScaleToZero:
    """Before a deletion: let the tasks stop as their service stops them."""

    key: Key


@dataclass(frozen=True, slots=True)
class DeleteService:
    """Delete the service; it drains and becomes INACTIVE."""

    key: Key


@dataclass(frozen=True, slots=True)
class DeregisterTaskDefinition:
    """Retire a revision that we have registered and that nothing uses: `reconcile.keepRevisions`."""

    family: str
    revision: int


@dataclass(frozen=True, slots=True)
class RecordRun:
    """Write down what is known of a run of a job: a tag on the revision that the run uses."""

    key: Key
    record: Record
    """Its `revision` is filled in when it is written."""
    revision: str
    """The revision's content digest, or `family:number`."""
    remove: tuple[str, ...] = ()
    """Tags of runs that are over and long past."""


@dataclass(frozen=True, slots=True)
class RunTask:
    """Start one task of a job. Its request follows from the spec and from where rank 0 is."""

    key: Key
    task: TaskId
    revision: str
    """As above."""
    index: int = 0
    """How many completions came before."""


@dataclass(frozen=True, slots=True)
class StopTask:
    """Stop one task of a job."""

    key: Key
    arn: str
    why: str


Step: TypeAlias = (
    EnsureTaskDefinition
    | TagTaskDefinition
    | CreateService
    | UpdateService
    | TagService
    | ScaleToZero
    | DeleteService
    | DeregisterTaskDefinition
    | RecordRun
    | RunTask
    | StopTask
)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why something that differs is not written. `after` is when to look again (seconds), None is: when something
    changes."""

    reason: Reason
    message: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one key needs."""

    key: Key
    drift: Drift
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    holds: tuple[Hold, ...] = ()
    ignored: int = 0
    unknown: tuple[Unknown, ...] = ()
    revisions: Mapping[str, str] = field(default_factory=dict)
    """Digest → ARN of the registered revision that already has that content: no part of the plan, only its lookup."""

    @property
    def blocked(self) -> bool:
        """Whether something is to be done and a guard keeps all of it back."""
        return bool(self.holds) and not self.steps and self.drift is not Drift.IN_SYNC


def nobody(key: Key, member: str) -> str | None:  # noqa: ARG001 - see `Guards.callers`
    """Nobody was seen to have set anything."""
    return None


@dataclass(frozen=True, slots=True)
class Guards:
    """What planning must know beside spec and live state."""

    now: datetime
    owner: str
    ready: Mapping[str, bool] = field(default_factory=dict)
    """`cluster/name` of other workloads → whether they are in sync and healthy. Absent is: not known, so not ready."""
    force: bool = False
    """The user asked to try a rolled-back revision again."""
    callers: Callable[[Key, str], str | None] = nobody
    """Who has set a member of a service last (`taskDefinition`, `desiredCount`), where an event of CloudTrail has told
    it; never ourselves."""


def deletion(key: Key, live: LiveService) -> tuple[Step, ...]:
    """Scale down, then delete: ECS refuses to delete a service that is scaled above zero, and so the tasks get their
    stop signal from a living service.
    """
    delete = DeleteService(key)
    daemon = live.wire.get("schedulingStrategy") == "DAEMON"
    return (delete,) if live.desired == 0 or daemon else (ScaleToZero(key), delete)
