"""What reconciling needs of the world, and nothing more. Bound to real things in `controller.app` only."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from controller.core.live import LiveService, Revision, Rollout


class ReadEcs(Protocol):
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

    async def rollout(self, cluster: str, service: str, task_definition: str) -> Rollout | None:
        """The newest service deployment that tried to bring out this revision."""
        ...


class Ecs(ReadEcs, Protocol):
    """Both sides. A write is sent once; `Ambiguous` says that its answer is lost."""

    async def register(self, request: Mapping[str, Any]) -> Revision:
        """Register a task definition revision."""
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
