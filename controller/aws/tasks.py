"""Standalone tasks: listed in pages, described in batches, run, stopped; where they are; attributes of their instances.

`TaskReader` has no write methods, as with `EcsReader`. RunTask is sent once like every write; because it carries a
client token its lost answer may be asked for again with the same token and the same parameters, for as long as ECS
remembers it: a day, and no longer than an hour after the task has ended. What is decided from that is the caller's.
Source: ECS API, "Ensuring idempotency". Neighbours: `ecs` (services and task definitions), `fleet` (instances),
`core.tasks` (what a task says).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from controller.aws.api import Api, ApiError
from controller.aws.client import is_read
from controller.aws.errors import classify
from controller.aws.together import together
from controller.core.tasks import Started, Task, unplaced
from controller.errors import Stalled, Transient
from controller.reasons import Reason

BATCH: Final = 100
"""Tasks per DescribeTasks, and per page of ListTasks. Source: ECS API."""
MACHINES: Final = 200
"""Values of a filter of DescribeInstances. Source: EC2 API."""
ATTRIBUTES: Final = 10
"""Attributes per PutAttributes and DeleteAttributes. Source: ECS API."""


class TaskReader:
    """Reads the tasks of one account and region. All methods raise members of `controller.errors`' tree."""

    def __init__(self, api: Api, ec2: Api | None = None) -> None:
        """`ec2` knows the addresses of instances, where it may be asked."""
        self._api = api
        self._ec2 = ec2

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
        """ARNs of the tasks of a cluster that are to run, or (`stopped`) of those that are to stop or have.

        `started_by` goes with no other filter, `stopped` included: ECS refuses that, so by it only tasks that are to
        run can be found. The list lags behind RunTask by seconds: what it leaves out may exist.
        """
        filters = {
            "startedBy": started_by,
            "family": family,
            "serviceName": service,
            "containerInstance": instance,
            "desiredStatus": "STOPPED" if stopped else None,
        }
        params: dict[str, Any] = {"cluster": cluster, "maxResults": BATCH}
        params |= {name: value for name, value in filters.items() if value is not None}
        arns: list[str] = []
        while True:
            page = await self._call("ListTasks", params)
            arns.extend(page.get("taskArns", ()))
            if not page.get("nextToken"):
                return tuple(arns)
            params = {**params, "nextToken": page["nextToken"]}

    async def describe_tasks(self, cluster: str, arns: Iterable[str]) -> dict[str, Task]:
        """ARN → task, tags included. What ECS calls MISSING is left out: it ended over an hour ago, or began a moment
        ago."""
        wanted = list(dict.fromkeys(arns))
        batches = await together(
            self._describe(cluster, wanted[start : start + BATCH]) for start in range(0, len(wanted), BATCH)
        )
        return {task.arn: task for batch in batches for task in batch}

    async def addresses(self, cluster: str, instances: Iterable[str]) -> dict[str, str]:
        """Container instance ARN → its private IPv4 address. What ECS or EC2 does not know any longer is left out.

        In host mode a task has no interface of its own, and ECS does not tell the address of its host.

        Raises:
            ControllerError: ECS or EC2 did not say, or there is no EC2 to ask.
        """
        wanted = list(dict.fromkeys(instances))
        batches = [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]
        if not batches:
            return {}
        if self._ec2 is None:
            message = "the addresses of instances are not known here: there is no connection to EC2"
            raise Stalled(message, reason=Reason.NOT_CONFIGURED)
        found = await together(self._machines(cluster, batch) for batch in batches)
        machines = {arn: machine for batch in found for arn, machine in batch.items()}
        ids = sorted(set(machines.values()))
        batches = [ids[start : start + MACHINES] for start in range(0, len(ids), MACHINES)]
        told = await together(self._private(self._ec2, batch) for batch in batches)
        known = {machine: address for batch in told for machine, address in batch.items()}
        return {arn: known[machine] for arn, machine in machines.items() if machine in known}

    async def _machines(self, cluster: str, arns: Sequence[str]) -> dict[str, str]:
        """Container instance ARN → EC2 instance id."""
        answer = await self._call("DescribeContainerInstances", {"cluster": cluster, "containerInstances": list(arns)})
        reasons = {str(failure.get("reason")) for failure in answer.get("failures", ())} - {"MISSING"}
        if reasons:
            message = f"DescribeContainerInstances did not answer for all of cluster {cluster} ({', '.join(reasons)})"
            raise Transient(message, reason=Reason.SERVER_ERROR)
        described = answer.get("containerInstances", ())
        return {one["containerInstanceArn"]: one["ec2InstanceId"] for one in described if "ec2InstanceId" in one}

    async def _private(self, ec2: Api, ids: Sequence[str]) -> dict[str, str]:
        """EC2 instance id → private address. By a filter: one id that is gone would make an error of the whole
        answer."""
        try:
            answer = await ec2.call("DescribeInstances", {"Filters": [{"Name": "instance-id", "Values": list(ids)}]})
        except ApiError as error:
            raise classify(error, write=False) from error
        return {
            machine["InstanceId"]: machine["PrivateIpAddress"]
            for reservation in answer.get("Reservations", ())
            for machine in reservation.get("Instances", ())
            if machine.get("PrivateIpAddress")
        }

    async def _describe(self, cluster: str, arns: Sequence[str]) -> list[Task]:
        answer = await self._call("DescribeTasks", {"cluster": cluster, "tasks": list(arns), "include": ["TAGS"]})
        found, failures = answer.get("tasks", []), answer.get("failures", [])
        reasons = {str(failure.get("reason")) for failure in failures} - {"MISSING"}
        if reasons or len(found) + len(failures) < len(arns):
            why = ", ".join(sorted(reasons)) or "no word on some"
            message = f"DescribeTasks did not answer for all of {len(arns)} tasks of cluster {cluster} ({why})"
            raise Transient(message, reason=Reason.SERVER_ERROR)
        return [Task(task) for task in found]

    async def _call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._api.call(operation, params)
        except ApiError as error:
            raise classify(error, write=not is_read(operation)) from error


class TaskGateway(TaskReader):
    """Reads and writes. A write is sent once; a lost answer is `Ambiguous`."""

    async def run_task(self, request: Mapping[str, Any]) -> Started:
        """Start up to ten tasks, now or never: what finds no place is `unplaced`, and others may have begun.

        The same `clientToken` and request answer the same tasks again, and the same failures: to try again for room
        takes a new token. A request without one gets a random one of botocore's, and its lost answer cannot be asked
        for again.

        Raises:
            Transient: (CONFLICT) the token was used with other parameters; the message names the tasks that it started.
            Waiting: (NO_CAPACITY) there is no instance in the cluster at all.
        """
        answer = await self._call("RunTask", request)
        return Started(
            tuple(Task(task) for task in answer.get("tasks", ())),
            tuple(unplaced(failure) for failure in answer.get("failures", ())),
        )

    async def stop_task(self, cluster: str, arn: str, *, reason: str) -> Task:
        """Ask a task to stop: SIGTERM, then SIGKILL after its stop timeout. One that stops already goes on as it does.

        Raises:
            Transient: (CONFLICT) ECS does not know the task: it ended over an hour ago, or began a moment ago.
        """
        answer = await self._call("StopTask", {"cluster": cluster, "task": arn, "reason": reason})
        return Task(answer["task"])

    async def put_attributes(self, cluster: str, instance: str, attributes: Mapping[str, str]) -> None:
        """Set custom attributes of a container instance, of which it may have ten; others stay."""
        await self._attributes("PutAttributes", cluster, instance, attributes)

    async def delete_attributes(self, cluster: str, instance: str, names: Iterable[str]) -> None:
        """Take custom attributes away from a container instance."""
        await self._attributes("DeleteAttributes", cluster, instance, dict.fromkeys(names))

    async def _attributes(
        self, operation: str, cluster: str, instance: str, wanted: Mapping[str, str] | Mapping[str, None]
    ) -> None:
        """One call for each ten attributes, one after the other."""
        target = {"targetType": "container-instance", "targetId": instance}
        attributes = [
            {"name": name, **({"value": value} if value is not None else {}), **target}
            for name, value in wanted.items()
        ]
        for start in range(0, len(attributes), ATTRIBUTES):
            batch = attributes[start : start + ATTRIBUTES]
            await self._call(operation, {"cluster": cluster, "attributes": batch})
