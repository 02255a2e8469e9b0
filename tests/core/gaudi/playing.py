"""Forecasts played on the simulated ECS: the same fleet for both, and what became of the rollout."""

import copy
from dataclasses import dataclass, field
from typing import Any

from controller.core.gaudi.capacity import Forecast, Rollout, forecast
from controller.core.gaudi.demand import demand_of
from controller.core.gaudi.instances import Instance, instance_of
from controller.core.gaudi.tasks import LiveTask, live_task
from controller.core.render import Rendered
from controller.core.rollout import Percentages
from controller.sandbox.fleet import Machine
from controller.sandbox.simulator import Options, Simulator

START = 1_800_000_000.0
LONG = 3 * 3600.0
"""Seconds after which a rollout that has not ended stands still."""


@dataclass
class Cluster:
    """One simulated cluster, seen through the ECS API only."""

    simulator: Simulator
    now: float = START
    shared: set[tuple[str, int]] = field(default_factory=set)
    """(instance, card) that two running tasks had at one moment."""

    @classmethod
    def of(cls, *machines: Machine) -> "Cluster":
        return cls(Simulator(now=START, options=Options(fleet=machines)))

    def copy(self) -> "Cluster":
        return Cluster(self.simulator.copy(), self.now, set(self.shared))

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.simulator.call(operation, copy.deepcopy(params), self.now)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.simulator.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.simulator.advance(self.now)
            self._watch()
        self.now = end
        self.simulator.advance(end)

    def _watch(self) -> None:
        held: dict[tuple[str, int], str] = {}
        for task in self.simulator.world.tasks.values():
            for card in task.cards:
                place = (str(task.instance), card)
                if held.setdefault(place, task.arn) != task.arn:
                    self.shared.add(place)

    def instances(self) -> list[Instance]:
        arns = self.call("ListContainerInstances")["containerInstanceArns"]
        if not arns:
            return []
        return [
            instance_of(one)
            for one in self.call("DescribeContainerInstances", containerInstances=arns)["containerInstances"]
        ]

    def tasks(self) -> list[LiveTask]:
        arns = self.call("ListTasks")["taskArns"]
        found = self.call("DescribeTasks", tasks=arns)["tasks"] if arns else []
        return [live_task(one, self._definition(one["taskDefinitionArn"])) for one in found]

    def _definition(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("DescribeTaskDefinition", taskDefinition=arn)["taskDefinition"]
        return found

    def service(self, name: str) -> dict[str, Any] | None:
        found = self.call("DescribeServices", services=[name])["services"]
        return next((one for one in found if one["status"] == "ACTIVE"), None)

    def forecast(self, wanted: Rendered, **more: Any) -> Forecast:
        return forecast(rollout_of(wanted), self.instances(), self.tasks(), **more)

    def apply(self, wanted: Rendered) -> str:
        """Bring it out, whatever the forecast says; the ARN of the new revision."""
        definition = self.call("RegisterTaskDefinition", **wanted.register)["taskDefinition"]["taskDefinitionArn"]
        create = {key: value for key, value in wanted.create.items() if key not in ("tags", "clientToken")}
        if self.service(str(create["serviceName"])) is None:
            self.call("CreateService", **create | {"taskDefinition": definition})
        else:
            self.call(
                "UpdateService",
                service=create["serviceName"],
                taskDefinition=definition,
                deploymentConfiguration=create["deploymentConfiguration"],
                placementConstraints=create.get("placementConstraints", []),
                **({"desiredCount": create["desiredCount"]} if "desiredCount" in create else {}),
            )
        return str(definition)

    def done(self, name: str, revision: str) -> bool:
        """Whether the rollout has ended well: all tasks of the wanted revision run, and nothing else."""
        service = self.service(name)
        assert service is not None
        states = [(one["rolloutState"], one["taskDefinition"]) for one in service["deployments"]]
        return states == [("COMPLETED", revision)] and service["runningCount"] == service["desiredCount"]


def rollout_of(wanted: Rendered) -> Rollout:
    """The rollout of a workload whose task definition changes."""
    config = wanted.create["deploymentConfiguration"]
    return Rollout(
        name=str(wanted.create["serviceName"]),
        demand=demand_of(wanted.register, wanted.create.get("placementConstraints", ())),
        desired=int(wanted.create.get("desiredCount", 0)),
        percentages=Percentages(config["minimumHealthyPercent"], config["maximumPercent"]),
        breaker=bool(config.get("deploymentCircuitBreaker", {}).get("enable")),
        daemon=wanted.create.get("schedulingStrategy") == "DAEMON",
    )
