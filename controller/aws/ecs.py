"""The ECS gateway: what the controller asks of ECS, in batches, and the few things that it writes.

`EcsReader` has no write methods: whoever holds one cannot write, and the type checker proves it. `EcsGateway` adds
them. Task definitions never change once registered, so one read of a revision serves for good. Errors leave this room
only as members of the tree in `controller.errors`. Neighbours: `api` (how a call is made), `reconcile.ports` (what is
asked).
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from controller.aws.api import Api, ApiError
from controller.aws.client import is_read
from controller.aws.errors import classify
from controller.core.live import LiveService, Revision, Rollout

T = TypeVar("T")

DESCRIBE_BATCH: Final = 10
"""Services per DescribeServices. Source: ECS API."""
LIST_PAGE: Final = 100
"""Services per page of ListServices, whose default is 10. Source: ECS API."""
READS_AT_ONCE: Final = 8
"""Describe calls in flight for one snapshot: fast enough to hide the round trip, small beside the bucket's burst of
100."""
CANDIDATES: Final = 20
"""How many ACTIVE revisions of a family, newest first, are looked at for equal content before a new one is made."""


class EcsReader:
    """Reads one account and region."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._revisions: dict[str, Revision] = {}
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    async def services(self, cluster: str, names: Sequence[str]) -> dict[str, LiveService]:
        """The named services as ECS knows them, INACTIVE ones included; what it calls MISSING is left out."""
        batches = await together(
            self._describe(cluster, names[start : start + DESCRIBE_BATCH])
            for start in range(0, len(names), DESCRIBE_BATCH)
        )
        return {service.name: service for batch in batches for service in batch}

    async def service_names(self, cluster: str) -> tuple[str, ...]:
        """Names of all ACTIVE services of a cluster."""
        pages = self._pages("ListServices", {"cluster": cluster, "maxResults": LIST_PAGE}, "serviceArns")
        return tuple([arn.rpartition("/")[2] async for arn in pages])

    async def revision(self, arn: str) -> Revision:
        """A task definition revision by ARN; read once."""
        known = self._revisions.get(arn)
        if known is not None:
            return known
        answer = await self._call("DescribeTaskDefinition", {"taskDefinition": arn, "include": ["TAGS"]})
        revision = _revision(answer)
        self._revisions[arn] = revision
        return revision

    async def revisions(self, arns: Iterable[str]) -> dict[str, Revision]:
        """Several revisions by ARN."""
        wanted = sorted(set(arns))
        found = await together(self._bounded_revision(arn) for arn in wanted)
        return dict(zip(wanted, found, strict=True))

    async def candidates(self, family: str) -> tuple[Revision, ...]:
        """The newest ACTIVE revisions of a family, newest first."""
        params = {"familyPrefix": family, "status": "ACTIVE", "sort": "DESC", "maxResults": CANDIDATES}
        answer = await self._call("ListTaskDefinitions", params)
        arns = answer.get("taskDefinitionArns", [])[:CANDIDATES]
        known = await self.revisions(arns)
        return tuple(known[arn] for arn in arns)

    async def last_rollout(self, cluster: str, service: str) -> Rollout | None:
        """The newest service deployment, with the revision that it tried to bring out."""
        params = {"cluster": cluster, "service": service, "maxResults": 1}
        listed = (await self._call("ListServiceDeployments", params)).get("serviceDeployments", [])
        if not listed:
            return None
        newest = listed[0]
        target = newest.get("targetServiceRevisionArn")
        if target is None:
            return None
        described = await self._call("DescribeServiceRevisions", {"serviceRevisionArns": [target]})
        revisions = described.get("serviceRevisions", [])
        return Rollout(
            arn=newest["serviceDeploymentArn"],
            status=newest["status"],
            target=revisions[0]["taskDefinition"] if revisions else "",
            reason=newest.get("statusReason", ""),
        )

    async def _describe(self, cluster: str, names: Sequence[str]) -> list[LiveService]:
        params = {"cluster": cluster, "services": list(names), "include": ["TAGS"]}
        async with self._reads:
            answer = await self._call("DescribeServices", params)
        return [LiveService(service) for service in answer.get("services", [])]

    async def _bounded_revision(self, arn: str) -> Revision:
        async with self._reads:
            return await self.revision(arn)

    async def _pages(self, operation: str, params: Mapping[str, Any], member: str) -> AsyncIterator[str]:
        token: str | None = None
        while True:
            page = await self._call(operation, {**params, **({"nextToken": token} if token else {})})
            for one in page.get(member, []):
                yield one
            token = page.get("nextToken")
            if not token:
                return

    async def _call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._api.call(operation, params)
        except ApiError as error:
            raise classify(error, write=not is_read(operation)) from error


class EcsGateway(EcsReader):
    """Reads and writes one account and region. A write is sent once; a lost answer is `Ambiguous`."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._families: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def register(self, request: Mapping[str, Any]) -> Revision:
        """Register a revision. ECS refuses two at once in one family, so we never try."""
        async with self._families[str(request["family"])]:
            revision = _revision(await self._call("RegisterTaskDefinition", request))
        self._revisions[revision.arn] = revision
        return revision

    async def create(self, request: Mapping[str, Any]) -> LiveService:
        """Create a service; the same clientToken and request answer the same service."""
        return LiveService((await self._call("CreateService", request))["service"])

    async def update(self, cluster: str, name: str, members: Mapping[str, Any]) -> LiveService:
        """Change the given members of a service and leave all others."""
        answer = await self._call("UpdateService", {"cluster": cluster, "service": name, **members})
        return LiveService(answer["service"])

    async def delete(self, cluster: str, name: str) -> LiveService:
        """Delete a service that is scaled to zero."""
        return LiveService((await self._call("DeleteService", {"cluster": cluster, "service": name}))["service"])

    async def tag(self, arn: str, put: Mapping[str, str]) -> None:
        """Set tags; others stay."""
        tags = [{"key": key, "value": value} for key, value in put.items()]
        await self._call("TagResource", {"resourceArn": arn, "tags": tags})

    async def untag(self, arn: str, keys: Sequence[str]) -> None:
        """Take tags away."""
        await self._call("UntagResource", {"resourceArn": arn, "tagKeys": list(keys)})


async def together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run calls at once and answer in their order. The first failure cancels the rest and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]


def _revision(answer: Mapping[str, Any]) -> Revision:
    tags = {tag["key"]: tag.get("value", "") for tag in answer.get("tags", ())}
    return Revision(wire=answer["taskDefinition"], tags=tags)
