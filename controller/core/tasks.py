"""A task as DescribeTasks answers it, and what RunTask says: which tasks began and which found no place.

Holds the wire's own structure (epoch seconds, absent members absent) behind the few questions that jobs, the smoke test
and logs ask. What a stop means is no question for here. Source: ECS API, Task, Failure. Neighbours: `aws.tasks` makes
them, `gaudi.stops` says why a task has ended, `gaudi.tasks` what it holds of its instance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

STOPPED: Final = "STOPPED"


@dataclass(frozen=True, slots=True)
class TaskContainer:
    """One container of a task."""

    name: str
    image: str
    status: str
    """`lastStatus`."""
    exit_code: int | None
    """None where it has not ended, never ran, or where nobody knows."""
    reason: str
    """What ECS says of it, such as `OutOfMemoryError: …`; mostly empty."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task that ECS knows: it may have ended up to an hour ago."""

    wire: Mapping[str, Any]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return str(self.wire["taskArn"])

    @property
    def short(self) -> str:
        """Its id: the end of its log streams' names."""
        return self.arn.rpartition("/")[2]

    @property
    def definition(self) -> str:
        """ARN of the task definition revision that it runs; empty in the replay of a RunTask that has ended."""
        return str(self.wire.get("taskDefinitionArn", ""))

    @property
    def status(self) -> str:
        """`lastStatus`: PROVISIONING, PENDING, RUNNING, …, STOPPED."""
        return str(self.wire.get("lastStatus", ""))

    @property
    def desired(self) -> str:
        """`desiredStatus`: RUNNING or STOPPED."""
        return str(self.wire.get("desiredStatus", ""))

    @property
    def stopped(self) -> bool:
        """Whether it has ended and given its resources back."""
        return self.status == STOPPED

    @property
    def ending(self) -> bool:
        """Whether it has ended or is about to."""
        return self.stopped or self.desired == STOPPED

    @property
    def group(self) -> str:
        """What RunTask was told; `family:NAME` where it was told nothing, `service:NAME` for a service's."""
        return str(self.wire.get("group", ""))

    @property
    def started_by(self) -> str:
        """What RunTask was told; empty where nothing."""
        return str(self.wire.get("startedBy", ""))

    @property
    def instance(self) -> str | None:
        """ARN of its container instance; None on Fargate and before it is placed."""
        arn = self.wire.get("containerInstanceArn")
        return str(arn) if arn is not None else None

    @property
    def stop_code(self) -> str:
        """`EssentialContainerExited`, `TaskFailedToStart`, `SpotInterruption`, …; empty while it is not to stop."""
        return str(self.wire.get("stopCode", ""))

    @property
    def stopped_reason(self) -> str:
        """The text beside the code; StopTask's own reason where somebody stopped it."""
        return str(self.wire.get("stoppedReason", ""))

    @property
    def created_at(self) -> float:
        """Epoch seconds."""
        return float(self.wire.get("createdAt", 0.0))

    @property
    def started_at(self) -> float | None:
        """Epoch seconds at which it became RUNNING; None where it never did."""
        return self._moment("startedAt")

    @property
    def stopped_at(self) -> float | None:
        """Epoch seconds at which it became STOPPED."""
        return self._moment("stoppedAt")

    @property
    def tags(self) -> dict[str, str]:
        """Tags by key. ECS takes them all away when somebody stops the task, so they are no identity."""
        return {tag["key"]: tag.get("value", "") for tag in self.wire.get("tags", ())}

    @property
    def containers(self) -> tuple[TaskContainer, ...]:
        """Its containers, as ECS lists them."""
        return tuple(_container(one) for one in self.wire.get("containers", ()))

    def _moment(self, member: str) -> float | None:
        at = self.wire.get(member)
        return float(at) if at is not None else None


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Why RunTask did not start a task."""

    reason: str
    """`RESOURCE:CPU`, `RESOURCE:PORTS`, `AGENT`, `ATTRIBUTE`, `MemberOf placement constraint unsatisfied.`, …"""
    detail: str = ""
    instance: str | None = None
    """ARN of the instance that would not take it."""


@dataclass(frozen=True, slots=True)
class Started:
    """The answer of RunTask. It may have started some of the tasks and not the others."""

    tasks: tuple[Task, ...]
    unplaced: tuple[Unplaced, ...] = ()


def unplaced(failure: Mapping[str, Any]) -> Unplaced:
    """A member of RunTask's `failures`."""
    arn = failure.get("arn")
    return Unplaced(
        reason=str(failure.get("reason", "")),
        detail=str(failure.get("detail", "")),
        instance=str(arn) if arn is not None else None,
    )


def _container(wire: Mapping[str, Any]) -> TaskContainer:
    code = wire.get("exitCode")
    return TaskContainer(
        name=str(wire.get("name", "")),
        image=str(wire.get("image", "")),
        status=str(wire.get("lastStatus", "")),
        exit_code=int(code) if code is not None else None,
        reason=str(wire.get("reason", "")),
    )
