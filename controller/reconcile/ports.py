"""What reconciling needs of the world, and nothing more. Bound to real things in `controller.app` only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from controller.core.gaudi.fleet import Fleet
from controller.core.live import LiveService, Revision, Rollout, ScalableTarget
from controller.core.tasks import Started, Task


class ScalableTargets(Protocol):
    """Who else moves the counts of services: Application Auto Scaling, asked only about counts that differ."""

    async def scalable_targets(self, cluster: str, names: Iterable[str]) -> dict[str, ScalableTarget]:
        """Name → scalable target of the services of a cluster (by its name) that have one."""
        ...


class StoppedTasks(Protocol):
    """Why services are not well: what has become of their tasks."""

    async def stopped_tasks(self, cluster: str, service: str) -> Sequence[Mapping[str, Any]]:
        """Tasks of a service that have stopped within the hour, as DescribeTasks answers them, in no order."""
        ...


class ReadTasks(Protocol):
    """The standalone tasks of one account and region, read only."""

    async def list_tasks(
        self,
        cluster: str,
        *,
        started_by: str | None = None,
        family: str | None = None,
        service: str | None = None,
        instance: str | None = None,
        stopped: bool = False,
    ) -> tuple[str, ...]:
        """ARNs of tasks that are to run, or (`stopped`) not any longer; `started_by` goes with no other filter."""
        ...

    async def describe_tasks(self, cluster: str, arns: Iterable[str]) -> dict[str, Task]:
        """ARN → task; what ECS calls MISSING is left out."""
        ...

    async def addresses(self, cluster: str, instances: Iterable[str]) -> dict[str, str]:
        """Container instance ARN → its private address; what is not known any longer is left out."""
        ...


class Tasks(ReadTasks, Protocol):
    """Both sides. A write is sent once; `Ambiguous` says that its answer is lost."""

    async def run_task(self, request: Mapping[str, Any]) -> Started:
        """Start up to ten tasks; the same `clientToken` and request answer the same tasks and failures again."""
        ...

    async def stop_task(self, cluster: str, arn: str, *, reason: str) -> Task:
        """Ask a task to stop."""
        ...


class ReadEcs(ScalableTargets, StoppedTasks, Protocol):
    """The read side of one account and region. All methods raise members of `controller.errors`' tree."""

    async def services(self, cluster: str, names: Iterable[str]) -> dict[str, LiveService]:
        """Name → service, INACTIVE ones included; what ECS calls MISSING is left out."""
        ...

    async def service_names(self, cluster: str) -> tuple[str, ...]:
        """Names of all ACTIVE services of a cluster."""
        ...

    async def revision(self, arn: str) -> Revision:
        """A task definition revision."""
        ...

    async def revisions(self, arns: Iterable[str]) -> dict[str, Revision]:
        """Several task definition revisions."""
        ...

    async def candidates(self, family: str) -> tuple[Revision, ...]:
        """The newest ACTIVE revisions of a family, newest first."""
        ...

    async def older(self, family: str, wanted: Callable[[Revision], bool]) -> Revision | None:
        """The newest ACTIVE revision of a family that is wanted, among those behind the `candidates`."""
        ...

    async def family(self, family: str) -> tuple[str, ...]:
        """ARNs of the ACTIVE revisions of a family, newest first."""
        ...

    async def in_use(self, family: str) -> frozenset[str]:
        """ARNs of the revisions that any service or, of this family, any task of the account and region uses."""
        ...

    async def reread(self, arn: str) -> Revision:
        """A revision with its tags as they are now."""
        ...

    async def retired(self, family: str) -> tuple[Revision, ...]:
        """The newest INACTIVE revisions of a family, newest first."""
        ...

    @property
    def tasks(self) -> ReadTasks:
        """Tasks without a service."""
        ...

    async def rollout(self, cluster: str, service: str, task_definition: str) -> Rollout | None:
        """The newest service deployment that tried to bring out this revision."""
        ...

    async def fleet(self, cluster: str) -> Fleet:
        """The container instances of a cluster and the tasks on them; whole, or an error."""
        ...


class Ecs(ReadEcs, Protocol):
    """Both sides. A write is sent once; `Ambiguous` says that its answer is lost."""

    @property
    def tasks(self) -> Tasks:
        """Tasks without a service."""
        ...

    async def register(self, request: Mapping[str, Any]) -> Revision:
        """Register a task definition revision."""
        ...

    async def deregister(self, revision: str) -> None:
        """Retire a revision, `family:number`."""
        ...

    async def create(self, request: Mapping[str, Any]) -> LiveService:
        """Create a service."""
        ...

    async def update(self, cluster: str, name: str, members: Mapping[str, Any]) -> LiveService:
        """Change the given members of a service."""
        ...

    async def delete(self, cluster: str, name: str) -> LiveService:
        """Delete a service that is scaled to zero."""
        ...

    async def tag(self, arn: str, put: Mapping[str, str]) -> None:
        """Set tags."""
        ...

    async def untag(self, arn: str, keys: Sequence[str]) -> None:
        """Take tags away."""
        ...


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Now, with time zone."""
        ...


class Recorder(Protocol):
    """Takes note of what happened to a workload, for logs and events."""

    def record(self, event: str, **facts: Any) -> None:
        """Note an event by its constant name, with its facts."""
        ...
