"""The machines of a cluster and what runs on them, as ECS answers it.

Read in pages and batches, whole or an error. Neighbours: `core.gaudi` (what is made of it), `app.check`.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

from controller.aws.api import Api, ApiError
from controller.aws.ecs import together
from controller.aws.errors import classify
from controller.errors import Transient
from controller.reasons import Reason

BATCH: Final = 100
"""Container instances, or tasks, per Describe call and per page of a List call. Source: ECS API."""


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

    async def tasks(self, cluster: str) -> tuple[Mapping[str, Any], ...]:
        """All tasks of a cluster that are to run: PENDING and RUNNING.

        Raises:
            ControllerError: they could not all be read.
        """
        arns = [arn async for arn in self._pages("ListTasks", cluster, "taskArns", {})]
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
