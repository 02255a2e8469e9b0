"""What real ECS has answered, taken for a spec and rendered, is what real ECS has answered: nothing differs.

Services and task definitions of 2018 to 2024, recorded by others; the pairs of 2026 stand in `tests/core`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.core.compare import compare, service_members
from controller.core.fields.service import TASK_DEFINITION_OUTPUT_ONLY
from controller.core.live import LiveService, Observation, Revision
from controller.core.render import Rendered
from controller.core.update import update_members
from tests.support import desired

RECORDED = Path(__file__).parents[1] / "data" / "recorded" / "sequences"


def answers(member: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every structure that some answer has under this member (or in a list of its plural)."""
    for file in sorted(RECORDED.glob("*/*.json")):
        content = json.loads(file.read_text())
        found = [content[member]] if member in content else content.get(f"{member}s", [])
        for index, one in enumerate(found):
            if isinstance(one, dict):
                yield f"{file.parent.name}/{file.stem}[{index}]", one


TASK_DEFINITIONS = dict(answers("taskDefinition"))
SERVICES = {name: one for name, one in answers("service") if one.get("status") == "ACTIVE"}
BY_FAMILY = {one["family"]: one for one in TASK_DEFINITIONS.values()}


def as_spec(task: dict[str, Any], service: dict[str, Any] | None = None) -> Rendered:
    """A spec that says what is live, member by member."""
    content = {name: value for name, value in task.items() if name not in TASK_DEFINITION_OUTPUT_ONLY}
    members = service_members(LiveService(service)) if service else {}
    network = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}}
    own_network = network if task.get("networkMode") == "awsvpc" and not service else {}
    document = {
        "apiVersion": "dl1.ecs/v1alpha1",
        "kind": "DL1Service",
        "metadata": {"name": service["serviceName"] if service else "x"},
        "spec": {
            "cluster": service["clusterArn"] if service else "default",
            "taskDefinition": content,
            "service": {
                # 2018 knew no rebalancing, and nobody had asked for a circuit breaker: the renderer says both
                "availabilityZoneRebalancing": "DISABLED",
                **own_network,
                **members,
                "deploymentConfiguration": {
                    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
                    **members.get("deploymentConfiguration", {}),
                },
            },
            "reconcile": {"adopt": True},
        },
    }
    found = desired(json.dumps(document))
    assert not [one.message for one in found.diagnostics if one.is_error]
    (one,) = found.rendered.values()
    return one


def test_there_is_something_recorded() -> None:
    assert len(SERVICES) >= 10
    assert len(TASK_DEFINITIONS) >= 7


@pytest.mark.parametrize("name", sorted(TASK_DEFINITIONS))
def test_a_recorded_task_definition(name: str) -> None:
    live = TASK_DEFINITIONS[name]
    one = as_spec(live)
    service = LiveService({
        **one.service, "serviceName": "x", "serviceArn": "a", "taskDefinition": live["taskDefinitionArn"],
        "tags": [{"key": key, "value": value} for key, value in one.tags.items()],
    })  # fmt: skip
    found = compare(one, service, Observation(service=service, revision=Revision(live)))
    assert (found.changes, found.unknown, found.task_definition_differs) == ((), (), False)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_recorded_service(name: str) -> None:
    live = SERVICES[name]
    family = live["taskDefinition"].rpartition("/")[2].partition(":")[0]
    task = BY_FAMILY[family]
    one = as_spec(task, live)
    service = LiveService(live)
    found = compare(one, service, Observation(service=service, revision=Revision(task)))
    assert {change.field for change in found.changes if not change.field.startswith("service.tags[dl1.ecs/")} == set()
    assert (found.unknown, found.update, found.replaces, found.task_definition_differs) == ((), {}, (), False)
    assert update_members([], one.service, live) == {}
