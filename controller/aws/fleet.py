"""The machines of a cluster and what runs on them, as ECS answers it.

Read in pages and batches, whole or an error. What only makes an answer finer (names of AMIs, capacity providers) and
may not be read is left out and said. Neighbours: `core.gaudi.fleet` (what is made of it), `ecs`, `app.check`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from controller.aws.api import Api, ApiError
from controller.aws.errors import classify
from controller.aws.together import together
from controller.core.gaudi.drivers import names_itself
from controller.core.gaudi.fleet import Fleet, Growth, fleet_of
from controller.core.live import Revision
from controller.errors import Denied, Transient
from controller.reasons import Reason

BATCH: Final = 100
"""Container instances, or tasks, per Describe call and per page of a List call. Source: ECS API."""
STOPPED: Final = "STOPPED"

Definitions: TypeAlias = Callable[[Iterable[str]], Awaitable[Mapping[str, Revision]]]
"""Reads task definition revisions by ARN."""


class FleetReader:
    """Reads container instances and tasks of one account and region. `ec2` knows the names of AMIs, where it may be
    asked."""

    def __init__(self, api: Api, ec2: Api | None = None) -> None:
        self._api = api
        self._ec2 = ec2

    async def instances(self, cluster: str, *, expression: str | None = None) -> tuple[Mapping[str, Any], ...]:
        """All container instances of a cluster, in every status; `expression` of the cluster query language narrows
        them.

        Raises:
            ControllerError: they could not all be read.
        """
        chosen = {"filter": expression} if expression is not None else {}
        arns = [arn async for arn in self._pages("ListContainerInstances", cluster, "containerInstanceArns", chosen)]
        return await self._described("DescribeContainerInstances", cluster, "containerInstances", arns)

    async def fleet(self, cluster: str, definitions: Definitions, *, everything: bool = False) -> Fleet:
        """The fleet of a cluster: its instances, its tasks, the names of AMIs, and whether it may grow.

        Of tasks on other instances than DL1 only `everything` includes the definitions: a cluster may run hundreds that
        have nothing to do with Gaudi. Tasks on their way out are read only where an instance has less left than the
        tasks on it explain, and the name of an AMI only where its instance does not say the release of its driver.

        Raises:
            ControllerError: instances or tasks could not be read whole.
        """
        instances, tasks = await together((self.instances(cluster), self.tasks(cluster)))
        growth = await self._growth(cluster)
        read = await self._put_together(instances, tasks, definitions, everything=everything)
        if read.unexplained:
            ending = [one for one in await self.tasks(cluster, ending=True) if one.get("lastStatus") != STOPPED]
            read = await self._put_together(instances, (*tasks, *ending), definitions, everything=everything)
        wanted = [one.ami for one in read.dl1 if one.ami is not None and (everything or not names_itself(one))]
        try:
            return replace(read, ami_names=await self.ami_names(wanted), growth=growth)
        except Denied as error:
            return replace(read, growth=growth, unnamed=str(error))

    async def tasks(self, cluster: str, *, ending: bool = False) -> tuple[Mapping[str, Any], ...]:
        """All tasks of a cluster that are to run (PENDING and RUNNING), or that are to stop or have stopped (`ending`).

        Raises:
            ControllerError: they could not all be read.
        """
        wanted = {"desiredStatus": STOPPED} if ending else {}
        arns = [arn async for arn in self._pages("ListTasks", cluster, "taskArns", wanted)]
        return await self._described("DescribeTasks", cluster, "tasks", arns)

    async def cluster(self, name: str) -> Mapping[str, Any] | None:
        """A cluster; None where there is none of this name.

        Raises:
            ControllerError: ECS did not say.
        """
        answer = await self._call("DescribeClusters", {"clusters": [name]})
        return next(iter(answer.get("clusters", ())), None)

    async def ami_names(self, ids: Iterable[str]) -> dict[str, str]:
        """AMI id → name, of those that EC2 still knows. One that is gone is left out.

        Raises:
            ControllerError: EC2 did not say.
        """
        wanted = sorted(set(ids))
        if not wanted or self._ec2 is None:
            return {}
        # By a filter and not by id: one unknown id would make an error of the whole answer.
        params = {"Filters": [{"Name": "image-id", "Values": wanted}], "IncludeDeprecated": True}
        try:
            answer = await self._ec2.call("DescribeImages", params)
        except ApiError as error:
            raise classify(error, write=False) from error
        return {one["ImageId"]: one["Name"] for one in answer.get("Images", ()) if one.get("Name")}

    async def _put_together(
        self,
        instances: tuple[Mapping[str, Any], ...],
        tasks: tuple[Mapping[str, Any], ...],
        definitions: Definitions,
        *,
        everything: bool,
    ) -> Fleet:
        on_dl1 = {one.arn for one in fleet_of(instances, (), {}).dl1}
        chosen = (one for one in tasks if everything or one.get("containerInstanceArn") in on_dl1)
        known = await definitions(str(one["taskDefinitionArn"]) for one in chosen)
        return fleet_of(instances, tasks, {arn: revision.wire for arn, revision in known.items()})

    async def _growth(self, cluster: str) -> Growth | None:
        """What may add instances to a cluster; None where that may not be read.

        Raises:
            ControllerError: ECS did not say.
        """
        try:
            found = await self.cluster(cluster) or {}
            names = [name for name in found.get("capacityProviders", ()) if not name.startswith("FARGATE")]
            answer = await self._call("DescribeCapacityProviders", {"capacityProviders": names}) if names else {}
        except Denied:
            return None
        strategy = found.get("defaultCapacityProviderStrategy", ())
        return Growth(
            default=tuple(str(one["capacityProvider"]) for one in strategy),
            fixed=frozenset(str(one["name"]) for one in answer.get("capacityProviders", ()) if not _scales(one)),
        )

    async def _pages(self, operation: str, cluster: str, member: str, extra: Mapping[str, Any]) -> AsyncIterator[str]:
        params = {"cluster": cluster, "maxResults": BATCH, **extra}
        while True:
            page = await self._call(operation, params)
            for arn in page.get(member, ()):
                yield arn
            if not page.get("nextToken"):
                return
            params = {**params, "nextToken": page["nextToken"]}

    async def _described(
        self, operation: str, cluster: str, member: str, arns: list[str]
    ) -> tuple[Mapping[str, Any], ...]:
        batches = [arns[start : start + BATCH] for start in range(0, len(arns), BATCH)]
        answers = await together(self._call(operation, {"cluster": cluster, member: batch}) for batch in batches)
        for answer in answers:
            reasons = {str(one.get("reason")) for one in answer.get("failures", ())} - {"MISSING"}
            if reasons:  # what is MISSING has gone since it was listed
                message = f"{operation} did not answer for all of cluster {cluster} ({', '.join(sorted(reasons))})"
                raise Transient(message, reason=Reason.SERVER_ERROR)
        return tuple(one for answer in answers for one in answer.get(member, ()))

    async def _call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._api.call(operation, params)
        except ApiError as error:
            raise classify(error, write=False) from error


def _scales(provider: Mapping[str, Any]) -> bool:
    """Whether a capacity provider may add instances: unless ECS says that it does not manage its group's size.

    Source: ECS API, ManagedScaling `status`; what it is not told is not assumed.
    """
    group = provider.get("autoScalingGroupProvider") or {}
    return bool((group.get("managedScaling") or {}).get("status", "ENABLED") != "DISABLED")
