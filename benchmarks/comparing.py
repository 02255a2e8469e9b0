"""What it costs to compare one workload: three containers, sixty variables, nothing different.

`normalise + diff` is the whole work from two wire structures; `compare` is what a pass pays for a workload, whose spec
side was worked out when the spec was read. Best of many rounds: other processes only make it slower.
"""

import copy
import json
import textwrap
import timeit
from collections.abc import Callable

from controller.core.compare import compare, content, service_members
from controller.core.desired import desire
from controller.core.diff import diff
from controller.core.live import LiveService, Observation, Revision
from controller.core.normalize import normalize
from controller.core.render import Rendered, Settings

ROUNDS = 40
CALLS = 50


def workload() -> Rendered:
    """A spec with three containers and twenty variables in each."""
    containers = [
        {
            "name": name,
            "image": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{name}:1.11.0",
            "memory": 4096,
            "essential": name == "train",
            "command": ["python", "-m", name, "--config", "/etc/config.yaml"],
            "environment": {f"{name.upper()}_{number}": f"value of variable {number}" for number in range(20)},
            "portMappings": [{"containerPort": 8000 + number} for number in range(4)],
            "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": True}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ml", "awslogs-region": "r"}},
            "healthCheck": {"command": ["CMD", "true"]},
        }
        for name in ("train", "proxy", "log")
    ]
    document = textwrap.dedent(
        f"""
        apiVersion: dl1.ecs/v1alpha1
        kind: DL1Service
        metadata: {{name: bert, labels: {{team: nlp}}}}
        spec:
          cluster: default
          replicas: 2
          taskDefinition: {json.dumps({"volumes": [{"name": "data"}], "containerDefinitions": containers})}
          service: {{placementConstraints: [{{type: distinctInstance}}], tags: [{{key: cost, value: ml}}]}}
        """
    )
    (one,) = desire({"bert.yaml": document.encode()}, Settings()).rendered.values()
    return one


def live(one: Rendered) -> tuple[LiveService, Revision]:
    """What ECS answers for it."""
    service = LiveService({
        **copy.deepcopy(one.service), "serviceName": "bert", "serviceArn": "arn:service/default/bert",
        "status": "ACTIVE", "taskDefinition": "arn:task-definition/bert:1",
        "tags": [{"key": key, "value": value} for key, value in one.tags.items()],
    })  # fmt: skip
    return service, Revision({**copy.deepcopy(one.register), "taskDefinitionArn": "arn:task-definition/bert:1"})


def best(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    return min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS


def measured() -> dict[str, float]:
    """Seconds for each of the two."""
    one = workload()
    service, revision = live(one)
    seen = Observation(service=service, revision=revision)

    def from_wire() -> tuple[object, ...]:
        return (
            *diff(content(one.register).members, content(revision.wire).members),
            *diff(
                normalize("CreateServiceRequest", one.service).members,
                normalize("CreateServiceRequest", service_members(service)).members,
            ),
        )

    def in_a_pass() -> tuple[object, ...]:
        return compare(one, service, seen).changes

    assert from_wire() == ()
    assert in_a_pass() == ()
    return {"normalise + diff": best(from_wire), "compare": best(in_a_pass)}
