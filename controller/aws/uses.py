"""Which task definition revisions are in use: by any service of any cluster, or by a task.

ECS has no question for that, so everything that could hold a revision is looked at: the services of every cluster with
their deployments, and the tasks of the family. That is a sweep of the account and region at the price of a survey, so
it is made only when a revision is about to be retired, and what it says of services is kept for a minute, so that many
retirements share one. What only names a revision (a rule of EventBridge, a state machine) cannot be seen; the
documentation of `reconcile.keepRevisions` says so. Neighbours: `ecs` (owns it).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

KEPT: Final = 60.0
"""Seconds for which the services of the account are not looked at again."""
PAGE: Final = 100
SERVICES: Final = 10
TASKS: Final = 100
"""Items per page, and per Describe call. Source: ECS API."""

Call: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(slots=True)
class Uses:
    """Revisions in use in one account and region."""

    call: Call
    _of_services: frozenset[str] = frozenset()
    _as_of: float | None = None
    _sweeping: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, family: str) -> frozenset[str]:
        """ARNs of revisions that a service uses, of any family, or a task of this one."""
        clusters = await self._pages("ListClusters", {}, "clusterArns")
        async with self._sweeping:
            now = asyncio.get_running_loop().time()
            if self._as_of is None or now - self._as_of >= KEPT:
                self._of_services = frozenset([arn for cluster in clusters for arn in await self._services(cluster)])
                self._as_of = now
        return self._of_services.union([arn for cluster in clusters for arn in await self._tasks(cluster, family)])

    async def _services(self, cluster: str) -> list[str]:
        names = await self._pages("ListServices", {"cluster": cluster}, "serviceArns")
        found: list[str] = []
        for start in range(0, len(names), SERVICES):
            params = {"cluster": cluster, "services": names[start : start + SERVICES]}
            services = (await self.call("DescribeServices", params)).get("services", ())
            found.extend(arn for service in services for arn in _revisions(service))
        return found

    async def _tasks(self, cluster: str, family: str) -> list[str]:
        arns = await self._pages("ListTasks", {"cluster": cluster, "family": family}, "taskArns")
        found: list[str] = []
        for start in range(0, len(arns), TASKS):
            params = {"cluster": cluster, "tasks": arns[start : start + TASKS]}
            tasks = (await self.call("DescribeTasks", params)).get("tasks", ())
            found.extend(str(task["taskDefinitionArn"]) for task in tasks)
        return found

    async def _pages(self, operation: str, params: Mapping[str, Any], member: str) -> list[str]:
        found: list[str] = []
        token: str | None = None
        while True:
            page = await self.call(operation, {**params, "maxResults": PAGE, **({"nextToken": token} if token else {})})
            found.extend(page.get(member, ()))
            token = page.get("nextToken")
            if not token:
                return found


def _revisions(service: Mapping[str, Any]) -> Iterable[str]:
    """A service's own revision and those of everything that is being deployed or replaced."""
    parts = (service, *service.get("deployments", ()), *service.get("taskSets", ()))
    return (str(part["taskDefinition"]) for part in parts if part.get("taskDefinition"))
