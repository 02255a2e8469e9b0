"""What a user writes about a job: `kind: DL1Job`.

Members are called as in Kubernetes' Job and CronJob where those have them.

Neighbours: `core.spec` has the models that both kinds share, `core.parse` fills these.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from controller.core.ecs.model import EcsShape
from controller.core.spec import (
    CLUSTER,
    Gaudi,
    Metadata,
    Mode,
    Model,
    Name,
    OnDelete,
    Suspend,
    TaskDefinition,
    WorkloadName,
)

RunTaskRequest: TypeAlias = Annotated[dict[str, Any], EcsShape("RunTaskRequest")]
Seconds: TypeAlias = Annotated[int, Field(ge=1, le=10 * 365 * 86_400)]

SET_BY_US: Final = ("clientToken", "count", "referenceId", "startedBy", "taskDefinition")
"""Members of RunTask that the controller sets: a spec that names them is refused."""
DEFAULT_MASTER_PORT: Final = 29_500
"""PyTorch's own. Source: torch.distributed, MASTER_PORT."""


class OnChange(StrEnum):
    """What a changed spec does to tasks that run on the old one."""

    WAIT = "wait"
    REPLACE = "replace"


class OnUnknown(StrEnum):
    """What follows an end that nobody saw."""

    FAIL = "fail"
    RETRY = "retry"


class Concurrency(StrEnum):
    """What happens when a scheduled time comes and an earlier run is not over."""

    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"


class Action(StrEnum):
    """What a rule makes of an attempt that did not succeed."""

    FAIL_JOB = "FailJob"
    """The job has failed; nothing is tried again."""
    IGNORE = "Ignore"
    """Try again, and do not count it."""
    COUNT = "Count"
    """Try again, and count it against `backoffLimit`."""


class Operator(StrEnum):
    """How exit codes are compared."""

    IN = "In"
    NOT_IN = "NotIn"


class OnExitCodes(Model):
    """Exit codes of the containers of the task that ended first."""

    container: Name | None = None
    """Only this container; otherwise any that is essential."""
    operator: Operator = Operator.IN
    """`In` or `NotIn`. 0 is never matched."""
    values: Annotated[tuple[Annotated[int, Field(ge=1, le=255)], ...], Field(min_length=1, max_length=255)]
    """The codes."""


class FailureRule(Model):
    """One rule: the first that matches decides."""

    action: Action
    """`FailJob`, `Ignore` or `Count`."""
    on_exit_codes: OnExitCodes | None = None
    """Matches exit codes. Exclusive with `onReasons`."""
    on_reasons: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    """Matches why the task ended, in the controller's own words (`OutOfMemory`, `CardTaken`, `ImageNotFound`, …) or in
    ECS's (`stopCode`: `SpotInterruption`, `TaskFailedToStart`, …)."""


class FailurePolicy(Model):
    """What becomes of attempts that did not succeed, where the controller's own judgement is not wanted."""

    rules: Annotated[tuple[FailureRule, ...], Field(max_length=20)] = ()
    """Tried in order."""


class JobReconcile(Model):
    """How the controller treats the job."""

    mode: Mode = Mode.ENFORCE
    """`enforce` runs it, `notify` only reports, `off` does not even look."""
    suspend: Suspend | None = None
    """Pause all writes, with a reason and an end: what runs goes on. To stop the tasks too, use `spec.suspend`."""
    on_delete: OnDelete = OnDelete.DELETE
    """What happens to running tasks when this spec goes away: `delete` stops them, `orphan` lets them end by
    themselves."""
    depends_on: tuple[WorkloadName, ...] = ()
    """Workloads (`cluster/name`) that must be in sync and healthy, and jobs that must be complete, before this one is
    started."""


class JobSpec(Model):
    """Work that ends: tasks that are run until they have succeeded."""

    cluster: Annotated[str, Field(pattern=CLUSTER)]
    """Name or ARN of the cluster."""
    target: Name | None = None
    """A named account, region and role of the controller's configuration."""
    gaudi: Gaudi | None = None
    """Cards and what they need. Without it nothing is added for Gaudi."""
    task_definition: TaskDefinition
    """Any member of RegisterTaskDefinition; `environment` and `secrets` of a container also as maps."""
    run_task: RunTaskRequest = Field(default_factory=dict)
    """Any member of RunTask, except what the controller sets itself."""
    nodes: Annotated[int, Field(ge=1, le=100)] = 1
    """Tasks that run together, all or none, each on an instance of its own."""
    completions: Annotated[int, Field(ge=1, le=1000)] = 1
    """How often the work has to succeed, one after the other."""
    backoff_limit: Annotated[int, Field(ge=0, le=1000)] = 6
    """Failures after which the job has failed. Interruptions (Spot, a lost instance) and a lack of room do not
    count."""
    active_deadline_seconds: Seconds | None = None
    """Seconds from the first start after which the job is stopped and has failed, retries and waiting included."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] | None = None
    """Seconds after its end from which its task definition revision is deregistered. What became of the job stays
    written on the revision, so that the spec is not run again by it."""
    failure_policy: FailurePolicy = FailurePolicy()
    """What to make of particular ends."""
    suspend: bool = False
    """Stop the tasks, and start none, until this is false again. Such a stop counts as no failure."""
    on_change: OnChange = OnChange.WAIT
    """What a changed spec does while tasks of the old one run: `wait` for their end, or `replace` them now."""
    on_unknown: OnUnknown = OnUnknown.FAIL
    """What follows an end that nobody saw (the controller was away for more than an hour): `fail`, because the work may
    be done, or `retry`."""
    schedule: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """When to run it, again and again: five fields as in cron (`0 3 * * mon-fri`) or `@daily` and the like."""
    time_zone: Annotated[str, Field(min_length=1, max_length=100)] = "Etc/UTC"
    """Time zone of the schedule, by its name in the tz database: `Europe/Berlin`."""
    concurrency_policy: Concurrency = Concurrency.FORBID
    """When a scheduled time comes and an earlier run is not over: `Forbid` leaves the new one out, `Replace` stops the
    old one, `Allow` runs both."""
    starting_deadline_seconds: Seconds | None = None
    """How late a scheduled run may start; later it is left out. Absent means at any time: of several missed ones only
    the last is run."""
    master_port: Annotated[int, Field(ge=1024, le=65_535)] = DEFAULT_MASTER_PORT
    """Port on which rank 0 of several nodes waits for the others (MASTER_PORT)."""
    run_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """A word of yours. The same spec is run once; with another word it is run again."""
    reconcile: JobReconcile = JobReconcile()
    """How the controller treats the job."""


class DL1Job(Model):
    """Work that ends, on DL1 (Habana Gaudi) instances."""

    api_version: Literal["dl1.ecs/v1alpha1"]
    """Version of this schema."""
    kind: Literal["DL1Job"]
    """What the document describes."""
    metadata: Metadata
    """Who the workload is."""
    spec: JobSpec
    """What it should be."""
