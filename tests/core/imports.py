"""A live service as its importer finds it, and what an import makes of it."""

from datetime import UTC, datetime
from typing import Any

from controller.core import scalars, yaml
from controller.core.importing.document import Choices, Spec, spec_of
from controller.core.importing.found import Found
from controller.core.importing.proof import Proof, prove
from controller.core.live import LiveService, Observation, Revision

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ARN = "arn:aws:ecs:us-east-1:123456789012"
CONTAINER = {"name": "train", "image": "example.com/bert:1", "memory": 4096}
SERVICE: dict[str, Any] = {
    "serviceName": "bert",
    "serviceArn": f"{ARN}:service/train/bert",
    "clusterArn": f"{ARN}:cluster/train",
    "status": "ACTIVE",
    "desiredCount": 2,
    "taskDefinition": f"{ARN}:task-definition/bert:7",
    "tags": [],
}


def found(*, container: dict[str, Any] | None = None, service: dict[str, Any] | None = None, **register: Any) -> Found:
    """A service that uses a task definition with these members."""
    definition = {
        "family": "bert",
        "taskDefinitionArn": SERVICE["taskDefinition"],
        "containerDefinitions": [{**CONTAINER, **(container or {})}],
        **register,
    }
    live = LiveService({**SERVICE, **(service or {})})
    return Found("train", "bert", "train/bert", Observation(service=live, revision=Revision(definition)))


def imported(one: Found, **choices: Any) -> tuple[dict[str, Any], Spec, Proof]:
    """The `spec` that was written, as plain values, with its proof."""
    wanted = Choices(**choices)
    spec = spec_of(one, wanted)
    (document,) = yaml.read("bert.yaml", spec.text.encode()).documents
    written = scalars.plain_value(document.root)
    assert isinstance(written, dict)
    body = written["spec"]
    assert isinstance(body, dict)
    return body, spec, prove(spec, one, wanted, file="bert.yaml", now=NOW)
