"""What is to be imported: a service and its task definition, live or from a file, before it is a spec.

Neighbours: `exports` reads it from files, `app.importing` from ECS; `document` makes a spec of it, `proof` compares the
spec with it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.core.compare import service_members
from controller.core.fields.service import SERVICE_MEMBERS, TASK_DEFINITION_OUTPUT_ONLY, Answered, Sent
from controller.core.live import Observation
from controller.core.ownership import FOREIGN_STACK, PREFIX


@dataclass(frozen=True, slots=True)
class Found:
    """One service as it is, or as somebody has asked for it."""

    cluster: str
    name: str
    origin: str
    """Where it comes from, in words: `train/bert`, `ecs-task-def.json`."""
    observation: Observation
    """With a revision always; `service` is None where only a task definition is known."""
    target: str | None = None
    """The configured account and region that it is in; None is the one at hand."""
    answered: bool = True
    """Whether ECS has answered it. What somebody has only asked for may hold members that ECS never answers."""

    @property
    def register(self) -> dict[str, Any]:
        """The RegisterTaskDefinition request that makes the revision in use, without tags."""
        assert self.observation.revision is not None
        wire = self.observation.revision.wire
        return {name: value for name, value in wire.items() if name not in (*TASK_DEFINITION_OUTPUT_ONLY, "tags")}

    @property
    def revision_tags(self) -> list[dict[str, str]]:
        """Tags of the task definition that may be the user's."""
        assert self.observation.revision is not None
        return _tags(self.observation.revision.tags)

    @property
    def service(self) -> dict[str, Any]:
        """The members of CreateService that say what the service is, without name, count and tags."""
        service = self.observation.service
        if service is None:
            return {}
        members = service_members(service)
        if not self.answered:
            members |= {name: value for name, value in service.wire.items() if _only_asked_for(name)}
        return {name: value for name, value in members.items() if name != "desiredCount"}

    @property
    def service_tags(self) -> list[dict[str, str]]:
        """Tags of the service that may be the user's."""
        return _tags(self.observation.service.tags) if self.observation.service else []

    def with_register(self, register: dict[str, Any]) -> "Found":
        """The same with another task definition in use."""
        revision = self.observation.revision
        assert revision is not None
        wire = {name: value for name, value in revision.wire.items() if name in TASK_DEFINITION_OUTPUT_ONLY}
        return replace(
            self, observation=replace(self.observation, revision=replace(revision, wire={**wire, **register}))
        )


def _only_asked_for(name: str) -> bool:
    member = SERVICE_MEMBERS.get(name)
    return member is not None and member.answered is Answered.NOWHERE and member.sent is not Sent.IDENTITY


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """In the order of their keys, without those that this controller or AWS itself writes."""
    return [
        {"key": key, "value": value}
        for key, value in sorted(tags.items())
        if not key.startswith((PREFIX, "aws:")) and key not in FOREIGN_STACK
    ]
