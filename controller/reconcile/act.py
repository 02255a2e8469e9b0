"""Carrying out a plan, step by step; it decides nothing.

Each step is one or two calls. A failing step ends the plan: the next pass plans again from what is there, and because
plans have the prefix property, that is the rest. Neighbours: `core.plan` (what the steps mean), `reconciler`,
`expectations` (what is made of the answers).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from controller.core.live import LiveService
from controller.core.plan import (
    CreateService,
    DeleteService,
    DeregisterTaskDefinition,
    EnsureTaskDefinition,
    ScaleToZero,
    Step,
    TagService,
    TagTaskDefinition,
    UpdateService,
)
from controller.core.steps import RecordRun, RunTask, StopTask
from controller.errors import ControllerError
from controller.reconcile.expectations import Written
from controller.reconcile.ports import Ecs


@dataclass(slots=True)
class Act:
    """One plan being carried out against one service."""

    ecs: Ecs
    cluster: str
    """Cluster name or ARN as the spec says it."""
    service: LiveService | None
    """The service as it was observed, then as the last write left it."""
    revisions: dict[str, str] = field(default_factory=dict)
    """Digest → ARN of registered content."""
    done: list[Step] = field(default_factory=list)
    """Steps that succeeded."""
    _before: LiveService | None = field(init=False)
    _sent: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._before = self.service

    @property
    def written(self) -> Written | None:
        """What the answered writes have made of the service; None where none was answered."""
        if self.service is None or self.service is self._before:
            return None
        return Written(self._before, self.service, frozenset(self._sent))

    async def run(self, steps: Sequence[Step]) -> None:
        """Carry out the steps in order; raises what the first failing one raises."""
        for step in steps:
            await self._step(step)
            self.done.append(step)

    async def _step(self, step: Step) -> None:
        match step:
            case EnsureTaskDefinition(digest=digest, request=request):
                self.revisions[digest] = (await self.ecs.register(request)).arn
            case CreateService(digest=digest, request=request):
                created = await self.ecs.create({**request, "taskDefinition": self._arn(digest)})
                self.service = _tagged(created, {tag["key"]: tag.get("value", "") for tag in request.get("tags", ())})
            case UpdateService():
                await self._update(step.key.name, self._members(step))
            case TagService(put=put, remove=remove):
                await self._tag(put, remove)
            case ScaleToZero(key=key):
                await self._update(key.name, {"desiredCount": 0})
            case DeleteService(key=key):
                self.service = await self.ecs.delete(self.cluster, key.name)
            case TagTaskDefinition(digest=digest, put=put):
                await self.ecs.tag(self._arn(digest), put)
            case DeregisterTaskDefinition(family=family, revision=revision):
                await self.ecs.deregister(f"{family}:{revision}")
            case RecordRun() | RunTask() | StopTask():
                raise ControllerError(f"a bug: {type(step).__name__} in the plan of a service")
            case _:
                assert_never(step)

    async def _update(self, name: str, members: Mapping[str, Any]) -> None:
        tags = self.service.tags if self.service else {}
        self.service = _tagged(await self.ecs.update(self.cluster, name, members), tags)
        self._sent |= members.keys()

    async def _tag(self, put: Mapping[str, str], remove: Sequence[str]) -> None:
        service = self._existing()
        if put:
            await self.ecs.tag(service.arn, put)
            service = self.service = _tagged(service, {**service.tags, **put}, anew=True)
        if remove:
            await self.ecs.untag(service.arn, remove)
            left = {key: value for key, value in service.tags.items() if key not in remove}
            self.service = _tagged(service, left, anew=True)
        self._sent.add("tags")

    def _members(self, step: UpdateService) -> Mapping[str, Any]:
        members = dict(step.members)
        if step.digest is not None:
            members["taskDefinition"] = self._arn(step.digest)
        if step.force_new_deployment:
            members["forceNewDeployment"] = True
        return members

    def _arn(self, digest: str) -> str:
        return self.revisions[digest]

    def _existing(self) -> LiveService:
        if self.service is None:
            raise ControllerError("a step wants to tag a service that does not exist")
        return self.service


def _tagged(service: LiveService, tags: Mapping[str, str], *, anew: bool = False) -> LiveService:
    """The service with these tags, where its answer leaves them out or (`anew`) they have changed since."""
    if "tags" in service.wire and not anew:
        return service
    return LiveService({**service.wire, "tags": [{"key": key, "value": value} for key, value in tags.items()]})
