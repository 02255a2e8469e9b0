"""The ways in which ECS is slow or forgetful: throttle buckets, readers that lag, latency. All off by default.

Bucket sizes are AWS's published ones ("Request throttling for the Amazon ECS API"): per account and region, shared by
all callers. A lagging read answers what was true before the latest write: `MISSING`, the previous INACTIVE incarnation,
the old configuration (RunTask in the API reference on eventual consistency; public reports on CreateService).
Neighbours: `simulator` (asks before each call), `services`, `taskdefinitions`, `tasks` (leave shadows when they write).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.sandbox.wire import Wire


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket: `burst` calls at once, `refill` per second afterwards."""

    burst: float
    refill: float


BUCKETS: Mapping[str, Bucket] = {
    "service-read": Bucket(100, 20),
    "service-modify": Bucket(50, 5),
    "service-deployment": Bucket(50, 20),
    "service-revision": Bucket(50, 20),
    "task-definition-modify": Bucket(20, 1),
    "task-definition-delete": Bucket(5, 1),
    "task-definition-read": Bucket(50, 20),
    "cluster-resource-read": Bucket(100, 20),
    "cluster-resource-modify": Bucket(100, 40),
    "cluster-read": Bucket(50, 20),
    "cluster-modify": Bucket(20, 1),
    "tag-modify": Bucket(20, 10),
    "tag-read": Bucket(50, 20),
    "capacity-provider-read": Bucket(50, 20),
    "setting-read": Bucket(50, 20),
}

BUCKET_OF: Mapping[str, str] = {
    operation: bucket
    for bucket, operations in {
        "service-read": ("DescribeServices", "ListServices"),
        "service-modify": ("CreateService", "UpdateService", "DeleteService"),
        "service-deployment": ("ListServiceDeployments", "DescribeServiceDeployments", "StopServiceDeployment"),
        "service-revision": ("DescribeServiceRevisions",),
        "task-definition-modify": ("RegisterTaskDefinition", "DeregisterTaskDefinition"),
        "task-definition-delete": ("DeleteTaskDefinitions",),
        "task-definition-read": ("DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies"),
        "cluster-resource-read": (
            "DescribeTasks",
            "ListTasks",
            "DescribeContainerInstances",
            "ListContainerInstances",
            "ListAttributes",
        ),
        "cluster-resource-modify": (
            "RunTask",
            "StartTask",
            "StopTask",
            "PutAttributes",
            "DeleteAttributes",
            "UpdateContainerInstancesState",
            "RegisterContainerInstance",
            "DeregisterContainerInstance",
        ),
        "cluster-read": ("DescribeClusters", "ListClusters"),
        "cluster-modify": ("CreateCluster", "DeleteCluster"),
        "tag-modify": ("TagResource", "UntagResource"),
        "tag-read": ("ListTagsForResource",),
        "capacity-provider-read": ("DescribeCapacityProviders",),
        "setting-read": ("ListAccountSettings",),
    }.items()
    for operation in operations
}
"""StopServiceDeployment stands in no published row; it shares the row of its siblings here."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Which faults a world has. `lag` and `latency` are seconds; `buckets` empty means no throttling."""

    lag: float = 0.0
    latency: float = 0.0
    """Seconds that a front waits before it answers; the simulator itself takes no time."""
    buckets: Mapping[str, Bucket] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shadow:
    """What readers that lag see of a thing until `until`: None means that it does not exist for them."""

    until: float
    view: Wire | None


def take(buckets: dict[str, tuple[float, float]], *, sizes: Mapping[str, Bucket], operation: str, now: float) -> bool:
    """Take one token for the operation; False when its bucket is empty."""
    name = BUCKET_OF.get(operation)
    size = sizes.get(name) if name is not None else None
    if name is None or size is None:
        return True
    left, at = buckets.get(name, (size.burst, now))
    left = min(size.burst, left + (now - at) * size.refill)
    if left < 1:
        buckets[name] = (left, now)
        return False
    buckets[name] = (left - 1, now)
    return True


def cast(shadows: dict[str, tuple[Shadow, ...]], *, arn: str, view: Wire | None, now: float, lag: float) -> None:
    """Remember, before a write, what readers that lag will see: `view`, until the lag is over."""
    if lag <= 0:
        return
    for known, cast_before in list(shadows.items()):
        if cast_before[-1].until <= now:
            del shadows[known]
    live = tuple(shadow for shadow in shadows.get(arn, ()) if shadow.until > now)
    shadows[arn] = (*live, Shadow(now + lag, view))


def shadow_of(shadows: Mapping[str, tuple[Shadow, ...]], *, arn: str, now: float) -> Shadow | None:
    """The oldest view that is still in force: the state as it was one lag ago."""
    for shadow in shadows.get(arn, ()):
        if shadow.until > now:
            return shadow
    return None
