"""Carrying out a plan, step by step; it decides nothing.

Each step is one or two calls. A failing step ends the plan: the next pass plans again from what is there, and because
plans have the prefix property, that is the rest. Neighbours: `core.plan` (what the steps mean), `reconciler`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from controller.core.live import LiveService
from controller.core.plan import (
    CreateService,
    DeleteService,
    EnsureTaskDefinition,
    ScaleToZero,
    Step,
    TagService,
    UpdateService,
)
from controller.errors import ControllerError
from controller.reconcile.ports import Ecs


@dataclass(slots=True)
class Act:
    """One plan being carried out against one service."""

    ecs: Ecs
    cluster: str
    """Cluster name or ARN as the spec says it."""
    service: LiveService | None
    """The service as it was observed, then as the last write answered it."""
    revisions: dict[str, str] = field(default_factory=dict)
    """Digest → ARN of registered content."""
    done: list[Step] = field(default_factory=list)
    """Steps that succeeded."""

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
                self.service = await self.ecs.create({**request, "taskDefinition": self._arn(digest)})
            case UpdateService():
                self.service = await self.ecs.update(self.cluster, step.key.name, self._members(step))
            case TagService(put=put, remove=remove):
                arn = self._service().arn
                if put:
                    await self.ecs.tag(arn, put)
                if remove:
                    await self.ecs.untag(arn, remove)
            case ScaleToZero(key=key):
                self.service = await self.ecs.update(self.cluster, key.name, {"desiredCount": 0})
            case DeleteService(key=key):
                self.service = await self.ecs.delete(self.cluster, key.name)
            case _:
                assert_never(step)

    def _members(self, step: UpdateService) -> Mapping[str, Any]:
        members = dict(step.members)
        if step.digest is not None:
            members["taskDefinition"] = self._arn(step.digest)
        if step.force_new_deployment:
            members["forceNewDeployment"] = True
        return members

    def _arn(self, digest: str) -> str:
        return self.revisions[digest]

    def _service(self) -> LiveService:
        if self.service is None:
            raise ControllerError("a step wants to tag a service that does not exist")
        return self.service
