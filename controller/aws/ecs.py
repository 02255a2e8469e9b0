"""The ECS gateway: what the controller asks of ECS, in batches, and the few things that it writes.

`EcsReader` has no write methods: whoever holds one cannot write, and the type checker proves it. `EcsGateway` adds
them. Half an answer is an error, never a service that seems to be missing. Errors leave this room only as members of
the tree in `controller.errors`. Neighbours: `api` (how a call is made), `revisions` (what is not read twice),
`reconcile.ports` (what is asked).
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final
from weakref import WeakValueDictionary

from controller.aws.api import Api, ApiError
from controller.aws.client import is_read
from controller.aws.errors import classify
from controller.aws.fleet import FleetReader
from controller.aws.revisions import KnownRevisions
from controller.aws.scaling import Scaling
from controller.aws.tasks import TaskGateway, TaskReader
from controller.aws.together import together
from controller.aws.uses import Uses
from controller.core.gaudi.fleet import Fleet
from controller.core.live import HeldRevision, HeldService, LiveService, Revision, Rollout, ScalableTarget
from controller.errors import Transient
from controller.reasons import Reason

__all__ = ["CANDIDATES", "DESCRIBE_BATCH", "EcsGateway", "EcsReader", "together"]

DESCRIBE_BATCH: Final = 10
"""Services per DescribeServices. Source: ECS API."""
LANES: Final = 64
"""Calls of one question that wait for their turn at once; the limits let fewer of them go."""
LIST_PAGE: Final = 100
"""Services per page of ListServices, whose default is 10. Source: ECS API."""
HISTORY: Final = 100
"""Service deployments that are searched for the one that brought out a revision. Source: ECS API, one page."""
REVISIONS_BATCH: Final = 20
"""Revisions per DescribeServiceRevisions. Source: ECS API."""
TASKS: Final = 100
"""Tasks per DescribeTasks and per page of ListTasks. Source: ECS API."""
CANDIDATES: Final = 20
"""How many ACTIVE revisions of a family, newest first, are looked at for equal content before a new one is made:
reading more of them costs more of the account's throttle than registering one."""
MOST_REVISIONS: Final = 1000
"""ACTIVE revisions of a family that are listed at all; each hundred is a call."""


class EcsReader:
    """Reads one account and region. Without `scaling` nobody is asked who else moves the counts, and without `ec2`
    nobody for the names of AMIs."""

    def __init__(self, api: Api, scaling: Scaling | None = None, ec2: Api | None = None) -> None:
        self._api = api
        self._fleet = FleetReader(api, ec2)
        self._ec2 = ec2
        self._scaling = scaling
        self._revisions = KnownRevisions()
        self._uses = Uses(self._call)

    @property
    def tasks(self) -> TaskReader:
        """Tasks without a service."""
        return TaskReader(self._api, self._ec2)

    async def services(self, cluster: str, names: Iterable[str]) -> dict[str, LiveService]:
        """The named services as ECS knows them, INACTIVE ones included; what it calls MISSING is left out."""
        wanted = list(dict.fromkeys(names))
        waiting = iter(range(0, len(wanted), DESCRIBE_BATCH))
        batches: dict[int, list[LiveService]] = {}

        async def lane() -> None:
            for start in waiting:
                batches[start] = await self._describe(cluster, wanted[start : start + DESCRIBE_BATCH])

        # Not a task for each batch: to begin a thousand of them at once stops the loop for longer than to read one.
        await together(lane() for _ in range(min(LANES, len(wanted))))
        return {service.name: service for start in sorted(batches) for service in batches[start]}

    async def service_names(self, cluster: str) -> tuple[str, ...]:
        """Names of all ACTIVE services of a cluster."""
        pages = self._pages("ListServices", {"cluster": cluster, "maxResults": LIST_PAGE}, "serviceArns")
        return tuple([arn.rpartition("/")[2] async for arn in pages])

    async def revision(self, arn: str) -> Revision:
        """A task definition revision by ARN; read once."""
        now = asyncio.get_running_loop().time()
        known = self._revisions.get(arn, now)
        if known is not None:
            return known
        revision = _revision(await self._call("DescribeTaskDefinition", {"taskDefinition": arn, "include": ["TAGS"]}))
        self._revisions.put(arn, revision, now)
        return revision

    async def revisions(self, arns: Iterable[str]) -> dict[str, Revision]:
        """Several revisions by ARN."""
        now = asyncio.get_running_loop().time()
        wanted = sorted(set(arns))
        known = {arn: revision for arn in wanted if (revision := self._revisions.get(arn, now)) is not None}
        missing = [arn for arn in wanted if arn not in known]
        read = await together(self.revision(arn) for arn in missing)
        return known | dict(zip(missing, read, strict=True))

    async def candidates(self, family: str) -> tuple[Revision, ...]:
        """The newest ACTIVE revisions of a family, newest first."""
        params = {"familyPrefix": family, "status": "ACTIVE", "sort": "DESC", "maxResults": CANDIDATES}
        answer = await self._call("ListTaskDefinitions", params)
        arns = answer.get("taskDefinitionArns", [])[:CANDIDATES]
        known = await self.revisions(arns)
        return tuple(known[arn] for arn in arns)

    async def reread(self, arn: str) -> Revision:
        """A revision with its tags as they are now: those of a job's are its memory, and another process may write
        them too."""
        revision = _revision(await self._call("DescribeTaskDefinition", {"taskDefinition": arn, "include": ["TAGS"]}))
        self._revisions.put(arn, revision, asyncio.get_running_loop().time())
        return revision

    async def retired(self, family: str) -> tuple[Revision, ...]:
        """The newest INACTIVE revisions of a family, newest first."""
        params = {"familyPrefix": family, "status": "INACTIVE", "sort": "DESC", "maxResults": CANDIDATES}
        answer = await self._call("ListTaskDefinitions", params)
        arns = answer.get("taskDefinitionArns", [])[:CANDIDATES]
        return tuple(await together(self.reread(arn) for arn in arns))

    async def older(self, family: str, wanted: Callable[[Revision], bool]) -> Revision | None:
        """The newest ACTIVE revision of a family that is wanted, among those behind the `candidates`.

        Reads one after the other until it is found: for content that is known to have been registered before.
        """
        arns = (await self.family(family))[CANDIDATES:]
        for start in range(0, len(arns), CANDIDATES):
            batch = arns[start : start + CANDIDATES]
            known = await self.revisions(batch)
            found = next((known[arn] for arn in batch if wanted(known[arn])), None)
            if found is not None:
                return found
        return None

    async def family(self, family: str) -> tuple[str, ...]:
        """ARNs of the ACTIVE revisions of a family, newest first; at most the newest 1000."""
        params = {"familyPrefix": family, "status": "ACTIVE", "sort": "DESC", "maxResults": LIST_PAGE}
        arns: list[str] = []
        async with aclosing(self._pages("ListTaskDefinitions", params, "taskDefinitionArns")) as found:
            async for arn in found:
                arns.append(arn)
                if len(arns) == MOST_REVISIONS:
                    break
        return tuple(arns)

    async def in_use(self, family: str) -> frozenset[str]:
        """ARNs of the revisions that any service or, of this family, any task of the account and region uses."""
        return await self._uses.of(family)

    async def scalable_targets(self, cluster: str, names: Iterable[str]) -> dict[str, ScalableTarget]:
        """Name → scalable target of the services of a cluster (by its name) that have one."""
        return await self._scaling.scalable_targets(cluster, names) if self._scaling is not None else {}

    async def rollout(self, cluster: str, service: str, task_definition: str) -> Rollout | None:
        """The newest service deployment that tried to bring out this task definition revision.

        Not simply the newest one: after a rollback any other change starts a deployment of the good revision, and the
        bad one must stay remembered.
        """
        params = {"cluster": cluster, "service": service, "maxResults": HISTORY}
        listed = (await self._call("ListServiceDeployments", params)).get("serviceDeployments", [])
        newest_first = sorted(listed, key=lambda one: float(one.get("createdAt", 0.0)), reverse=True)
        history = [one for one in newest_first if one.get("targetServiceRevisionArn")]
        for start in range(0, len(history), REVISIONS_BATCH):
            batch = history[start : start + REVISIONS_BATCH]
            targets = await self._targets([one["targetServiceRevisionArn"] for one in batch])
            for one in batch:
                if targets.get(one["targetServiceRevisionArn"]) == task_definition:
                    reason = one.get("statusReason", "")
                    return Rollout(one["serviceDeploymentArn"], one["status"], task_definition, reason)
        return None

    async def stopped_tasks(self, cluster: str, service: str) -> Sequence[Mapping[str, Any]]:
        """Tasks of a service that are stopped, as DescribeTasks answers them: up to a hundred of the last hour's, in no
        order. Two calls, one where there are none."""
        wanted = {"cluster": cluster, "serviceName": service, "desiredStatus": "STOPPED", "maxResults": TASKS}
        arns = (await self._call("ListTasks", wanted)).get("taskArns", ())
        if not arns:
            return ()
        answer = await self._call("DescribeTasks", {"cluster": cluster, "tasks": list(arns)})
        return tuple(answer.get("tasks", ()))  # what is MISSING was forgotten since it was listed

    async def fleet(self, cluster: str) -> Fleet:
        """The container instances of a cluster and the tasks on them; whole, or an error."""
        return await self._fleet.fleet(cluster, self.revisions)

    async def _targets(self, arns: Sequence[str]) -> dict[str, str]:
        """Service revision ARN → ARN of its task definition revision."""
        answer = await self._call("DescribeServiceRevisions", {"serviceRevisionArns": sorted(set(arns))})
        return {one["serviceRevisionArn"]: one["taskDefinition"] for one in answer.get("serviceRevisions", ())}

    async def _describe(self, cluster: str, names: Sequence[str]) -> list[LiveService]:
        answer = await self._call(
            "DescribeServices", {"cluster": cluster, "services": list(names), "include": ["TAGS"]}
        )
        found, failures = answer.get("services", []), answer.get("failures", [])
        reasons = {str(failure.get("reason")) for failure in failures} - {"MISSING"}
        if reasons or len(found) + len(failures) < len(names):
            why = ", ".join(sorted(reasons)) or "no word on some"
            message = f"DescribeServices did not answer for all of {', '.join(names)} ({why})"
            raise Transient(message, reason=Reason.SERVER_ERROR)
        return [HeldService.of(LiveService(service)) for service in found]

    async def _pages(self, operation: str, params: Mapping[str, Any], member: str) -> AsyncGenerator[str, None]:
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

    def __init__(self, api: Api, scaling: Scaling | None = None, ec2: Api | None = None) -> None:
        super().__init__(api, scaling, ec2)
        self._families: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """A lock for each family that is being registered right now."""

    @property
    def tasks(self) -> TaskGateway:
        """Tasks without a service."""
        return TaskGateway(self._api, self._ec2)

    async def register(self, request: Mapping[str, Any]) -> Revision:
        """Register a revision. ECS refuses two at once in one family, so we never try."""
        family = self._families.setdefault(str(request["family"]), asyncio.Lock())
        async with family:
            revision = _revision(await self._call("RegisterTaskDefinition", request))
        self._revisions.put(revision.arn, revision, asyncio.get_running_loop().time())
        return revision

    async def deregister(self, revision: str) -> None:
        """Retire a revision, `family:number`: what runs goes on, nothing new may use it."""
        await self._call("DeregisterTaskDefinition", {"taskDefinition": revision})

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
        now = asyncio.get_running_loop().time()
        known = self._revisions.get(arn, now)
        if known is not None:
            self._revisions.put(arn, replace(known, tags={**known.tags, **put}), now)

    async def untag(self, arn: str, keys: Sequence[str]) -> None:
        """Take tags away."""
        await self._call("UntagResource", {"resourceArn": arn, "tagKeys": list(keys)})


def _revision(answer: Mapping[str, Any]) -> Revision:
    tags = {tag["key"]: tag.get("value", "") for tag in answer.get("tags", ())}
    return HeldRevision.of(Revision(wire=answer["taskDefinition"], tags=tags))
