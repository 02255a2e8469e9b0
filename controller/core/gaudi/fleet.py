"""The DL1 instances of a cluster, what runs on them, and what it means for the cluster and for one workload.

Made from what ECS and EC2 answer: container instances, tasks with their definitions, names of AMIs. Mixed clusters are
normal: other instances are never counted, and a task with cards on one of them is misplaced. Neighbours: `instances`,
`drivers`, `occupancy`, `capacity`; who asks AWS hands the answers in.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controller.core.diagnostics import Diagnostic
from controller.core.fields.service import is_daemon
from controller.core.gaudi.capacity import Forecast, Outcome, Rollout, forecast
from controller.core.gaudi.catalogue import dl1
from controller.core.gaudi.collisions import with_live
from controller.core.gaudi.demand import Demand, demand_of
from controller.core.gaudi.drivers import Driver, Match, driver_of, match, verified
from controller.core.gaudi.hosts import host_of
from controller.core.gaudi.instances import Instance, instance_of, troubles
from controller.core.gaudi.occupancy import Occupancy, occupancy
from controller.core.gaudi.rules import Task
from controller.core.gaudi.tasks import LiveTask, live_task
from controller.core.gaudi.version import Version
from controller.core.render import Rendered
from controller.core.rollout import Percentages
from controller.core.spec import DriverPolicy
from controller.reasons import Reason

_ROLLING: Final = "ROLLING"


@dataclass(frozen=True, slots=True)
class Growth:
    """What may add instances to a cluster: capacity providers with managed scaling."""

    default: tuple[str, ...] = ()
    """Providers of the cluster's default strategy, which a service uses that names neither a strategy nor a launch
    type. Source: ECS API, CreateService `capacityProviderStrategy`."""
    fixed: frozenset[str] = frozenset()
    """Providers of which it is known that they add nothing."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """All container instances of a cluster and all tasks on them."""

    instances: tuple[Instance, ...]
    tasks: tuple[LiveTask, ...]
    ami_names: Mapping[str, str] = field(default_factory=dict)
    """AMI id → name, as far as EC2 told it."""
    unnamed: str | None = None
    """Why EC2 did not tell."""
    growth: Growth | None = Growth()
    """None where it is not known whether the cluster may grow."""

    @property
    def dl1(self) -> tuple[Instance, ...]:
        """The instances with Gaudi cards, by zone and id."""
        return tuple(sorted((one for one in self.instances if one.is_dl1), key=lambda one: (one.zone or "", one.short)))

    @property
    def occupancies(self) -> tuple[Occupancy, ...]:
        """The cards of every DL1."""
        return tuple(occupancy(one, self.tasks) for one in self.dl1)

    def driver(self, instance: Instance) -> Driver | None:
        """The SynapseAI version of an instance's driver, as far as anything tells."""
        return driver_of(instance, self.ami_names)

    @property
    def unexplained(self) -> bool:
        """Whether a DL1 has less left than the tasks on it explain: others are on their way out, and hold it still."""
        return any(
            one.registered.cpu - one.remaining.cpu > sum(task.demand.cpu for task in here)
            or one.registered.memory - one.remaining.memory > sum(task.demand.memory for task in here)
            or not one.remaining.tcp - one.registered.tcp <= frozenset().union(*(task.demand.tcp for task in here))
            for one in self.dl1
            for here in [[task for task in self.tasks if task.instance == one.arn]]
        )

    @property
    def misplaced(self) -> tuple[tuple[LiveTask, Instance], ...]:
        """Tasks that want cards and are on an instance that has none."""
        others = {one.arn: one for one in self.instances if not one.is_dl1}
        return tuple(
            (task, others[task.instance])
            for task in self.tasks
            if task.holds and task.demand.cards and task.instance in others
        )

    @property
    def usd_per_hour(self) -> float:
        """On-demand price of all DL1 (us-east-1)."""
        return dl1().usd_per_hour * len(self.dl1)

    @property
    def usd_per_hour_unused(self) -> float:
        """Of that, the share of cards that no task names."""
        return sum(one.usd_per_hour for one in self.occupancies)

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Everything worth telling, each with the instance or the task that it is about."""
        for one in self.occupancies:
            for text in (*troubles(one.instance), *one.remarks()):
                yield one.instance.short, text
            driver = self.driver(one.instance)
            if driver is None:
                yield (
                    one.instance.short,
                    "nothing tells the SynapseAI version of its driver; set habana.synapseai on it",
                )
            elif driver.doubt is not None:
                yield one.instance.short, f"its driver is {driver.version} by {driver.told}, {driver.doubt}"
            proved = verified(one.instance)
            if driver is not None and proved is not None and not proved.fits(driver.version):
                yield one.instance.short, f"was verified with SynapseAI {proved}, but its driver is {driver.version}"
        for task, instance in self.misplaced:
            text = f"task of {task.group} wants {' and '.join(map(str, task.demand.cards))} on {instance.short}"
            yield task.short, f"{text}, which is {instance.type} and has none"
        releases = {driver.version.release for one in self.dl1 if (driver := self.driver(one)) is not None}
        if len(releases) > 1:
            versions = ", ".join(f"{major}.{minor}" for major, minor in sorted(releases))
            yield (
                "cluster",
                f"the drivers are of {len(releases)} releases ({versions}): gaudi.requireDriver keeps images apart",
            )


def fleet_of(
    instances: Iterable[Mapping[str, Any]],
    tasks: Iterable[Mapping[str, Any]],
    definitions: Mapping[str, Mapping[str, Any]],
    *,
    ami_names: Mapping[str, str] | None = None,
) -> Fleet:
    """A fleet of DescribeContainerInstances, DescribeTasks and the definitions of those tasks by their ARN.

    A task whose definition is not there holds what ECS says that its instance has lost, but nobody knows its cards.
    """
    return Fleet(
        instances=tuple(instance_of(one) for one in instances),
        tasks=tuple(live_task(one, definitions.get(str(one.get("taskDefinitionArn")), {})) for one in tasks),
        ami_names=ami_names or {},
    )


# One workload -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assessment:
    """Whether a workload may be brought out on a fleet."""

    forecast: Forecast
    drivers: Match | None
    """None where the image does not tell its version."""
    policy: DriverPolicy
    warnings: tuple[Diagnostic, ...] = ()
    """Unmanaged tasks that it may meet on a card."""

    @property
    def hold(self) -> tuple[Reason, str] | None:
        """Why it should not be brought out, or None."""
        problem = self.drivers.problem if self.drivers is not None else None
        if problem is not None and self.policy is DriverPolicy.BLOCK:
            return Reason.DRIVER_MISMATCH, problem
        reasons = {
            Outcome.NEVER: Reason.NO_CAPACITY,
            Outcome.STALLS: Reason.ROLLOUT_WOULD_STALL,
            Outcome.COLLIDES: Reason.CARD_TAKEN,
        }
        reason = reasons.get(self.forecast.outcome)
        return (reason, self.forecast.message) if reason is not None else None

    @property
    def doubts(self) -> tuple[str, ...]:
        """What does not stop it and may still go wrong."""
        found = [self.forecast.message] if self.forecast.outcome is Outcome.UNSURE else []
        if self.drivers is not None and self.drivers.problem is not None and self.policy is DriverPolicy.WARN:
            found.append(self.drivers.problem)
        return (*found, *(one.message for one in self.warnings))


def assess(
    rendered: Rendered,
    fleet: Fleet,
    *,
    desired: int | None = None,
    revision: str | None = None,
    managed: Iterable[str] = (),
    pending: Iterable[Demand] = (),
) -> Assessment:
    """What bringing out a workload would come to.

    `desired` is the live count where the spec leaves it to others; `revision` the ARN whose tasks may stay, None where
    all are replaced; `managed` the groups (`service:NAME`) of the cluster's tasks that are ours; `pending` the demands
    of tasks that were asked for and have no place yet.
    """
    rollout = rollout_of(rendered, desired=desired, revision=revision)
    ours = {*managed, f"service:{rollout.name}"}
    strangers = [task for task in fleet.tasks if task.group not in ours]
    gaudi = rendered.workload.document.spec.gaudi
    return Assessment(
        forecast=forecast(rollout, fleet.instances, fleet.tasks, pending=tuple(pending)),
        drivers=_drivers(rendered, fleet, rollout.demand),
        policy=gaudi.driver_policy if gaudi is not None else DriverPolicy.BLOCK,
        warnings=tuple(with_live(rendered, strangers)),
    )


def rollout_of(rendered: Rendered, *, desired: int | None = None, revision: str | None = None) -> Rollout:
    """The rollout of a rendered service."""
    create = rendered.create
    config = create["deploymentConfiguration"]
    count = create.get("desiredCount", 1) if desired is None else desired
    return Rollout(
        name=str(create["serviceName"]),
        demand=demand_of(rendered.register, create.get("placementConstraints", ())),
        desired=int(count),
        percentages=Percentages(int(config["minimumHealthyPercent"]), int(config["maximumPercent"])),
        revision=revision,
        at_once=config.get("strategy", _ROLLING) != _ROLLING,
        elastic=bool(create.get("capacityProviderStrategy")),
        breaker=bool((config.get("deploymentCircuitBreaker") or {}).get("enable")),
        daemon=is_daemon(create),
    )


def _drivers(rendered: Rendered, fleet: Fleet, demand: Demand) -> Match | None:
    """How the image goes with the drivers of the instances that the constraints allow."""
    task = Task(rendered.register, rendered.create, rendered.workload.document.spec.gaudi)
    versions: list[Version] = [found for one, _ in task.holders if (found := task.synapseai(one)) is not None]
    if not versions:
        return None
    hosts = (host_of(one, demand, (), group="", keep=frozenset()) for one in fleet.dl1)
    candidates = [host.instance for host in hosts if host.allowed is not False]
    return match(versions[0], candidates, fleet.ami_names)
