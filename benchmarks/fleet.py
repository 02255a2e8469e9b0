"""A fleet of services in sync with their specs, as specs and as ECS's answers.

One service is created in the simulator, converges there, and is copied under other names, so that what the endpoint
answers is what a real pass would find in sync. Sizes follow recorded services of real accounts: one that has run for a
month has 100 events of 160 bytes each ("steady", 17 KB), one in trouble has 100 longer ones ("troubled", 43 KB).
"""

import json
import textwrap
from dataclasses import dataclass
from typing import Any, Final

from controller.core.desired import Desired, desire
from controller.core.render import Rendered, Settings
from controller.sandbox.clocks import ManualClock
from controller.sandbox.simulator import Simulator

OWNER: Final = "controller"
EVENTS: Final = 100
STEADY: Final = "(service {name}) has reached a steady state."
TROUBLED: Final = (
    "(service {name}) was unable to place a task because no container instance met all of its requirements. The closest"
    " matching (container-instance 0123456789abcdef0123456789abcdef) is already using a port required by your task."
    " For more information, see the Troubleshooting section of the Amazon ECS Developer Guide. Reason for the last one:"
    " RESOURCE:PORTS, RESOURCE:MEMORY"
)

_SPEC: Final = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: {name}, labels: {{team: nlp}}}}
spec:
  cluster: default
  replicas: 1
  gaudi: {{cards: 1}}
  taskDefinition:
    containerDefinitions:
      - name: train
        image: example.com/bert:1
        cpu: 256
        memory: 1024
        command: [python3, train.py]
        environment: {{LR: 1e-3, EPOCHS: 3, DATA: s3://data/{name}}}
"""


def name_of(number: int) -> str:
    """The name of one service."""
    return f"service-{number:05}"


def specs(count: int) -> dict[str, bytes]:
    """The spec files of a fleet, a hundred services each."""
    return {
        f"specs-{start:05}.yaml": "\n---\n".join(
            textwrap.dedent(_SPEC.format(name=name_of(number))) for number in range(start, min(start + 100, count))
        ).encode()
        for start in range(0, count, 100)
    }


def desired(count: int) -> Desired:
    """The same, rendered."""
    found = desire(specs(count), Settings(owner=OWNER))
    assert not [one for one in found.diagnostics if one.is_error], found.diagnostics
    return found


@dataclass(frozen=True, slots=True)
class Answers:
    """What ECS answers about one service, as text with the service's name."""

    service: str
    revision: str


def answers(one: Rendered, *, troubled: bool) -> Answers:
    """The wire answers of a service that was made from these requests and runs."""
    clock = ManualClock()
    simulator = Simulator(now=clock.at)

    def call(operation: str, **params: Any) -> dict[str, Any]:
        return simulator.call(operation, params, clock.now())

    arn = call("RegisterTaskDefinition", **one.register)["taskDefinition"]["taskDefinitionArn"]
    call("CreateService", **{**one.create, "taskDefinition": arn})
    clock.advance(600)
    name = one.create["serviceName"]
    (service,) = call("DescribeServices", cluster="default", services=[name], include=["TAGS"])["services"]
    text = (TROUBLED if troubled else STEADY).format(name=name)
    service["events"] = [
        {"id": f"00000000-0000-4000-8000-{number:012d}", "createdAt": 1_800_000_000.123 + number, "message": text}
        for number in range(EVENTS)
    ]
    revision = call("DescribeTaskDefinition", taskDefinition=arn, include=["TAGS"])
    return Answers(_json(service), _json(revision))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
