"""What reconciling needs of the world, and nothing more. Bound to real things in `controller.app` only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from controller.core.live import LiveService, Revision, Rollout, ScalableTarget


class ScalableTargets(Protocol):
    """Who else moves the counts of services: Application Auto Scaling, asked only about counts that differ."""

    async def scalable_targets(self, cluster: str, names: Iterable[str]) -> dict[str, ScalableTarget]:
        """Name → scalable target of the services of a cluster (by its name) that have one."""
        ...


class ReadEcs(ScalableTargets, Protocol):
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

    async def rollout(self, cluster: str, service: str, task_definition: str) -> Rollout | None:
        """The newest service deployment that tried to bring out this revision."""
        ...


class Ecs(ReadEcs, Protocol):
    """Both sides. A write is sent once; `Ambiguous` says that its answer is lost."""

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
