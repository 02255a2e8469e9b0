"""ECS's throttle buckets as data: which calls share one, how many they may be at once, how many a second.

AWS counts calls per account and region in token buckets that every caller shares: the console, CI, other controllers
and we. Source of every row: "Request throttling for the Amazon ECS API"
(https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html); quota codes from the Service Quotas
page of ECS. Both read in November 2026. Decides nothing; neighbours: `limits` (keeps to it).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SHARE: Final = 0.5
"""The part of each bucket that is ours by default; the rest is for people, CI and other controllers."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls that share one bucket: `burst` of them at once from a full one, `refill` a second afterwards."""

    name: str
    burst: float
    refill: float
    operations: tuple[str, ...] = ()
    quotas: tuple[str, str] | None = None
    """Service Quotas codes of burst and refill: both can be raised for an account."""


BUCKETS: Final[tuple[Bucket, ...]] = (
    Bucket("service-read", 100, 20, ("DescribeServices", "ListServices"), ("L-22AE4B75", "L-321A0372")),
    Bucket("service-modify", 50, 5, ("CreateService", "UpdateService", "DeleteService"), ("L-AA0D4951", "L-C5297B3A")),
    # The throttling page has a bucket for deployments and one for revisions, the quota page one code for both: the
    # smaller reading is safe.
    Bucket(
        "service-deployment",
        50,
        20,
        ("ListServiceDeployments", "DescribeServiceDeployments", "DescribeServiceRevisions"),
        ("L-A2AA9478", "L-A2DBEAC1"),
    ),
    Bucket(
        "task-definition-modify",
        20,
        1,
        ("RegisterTaskDefinition", "DeregisterTaskDefinition"),
        ("L-CDF9F16B", "L-1E6DEB89"),
    ),
    Bucket("task-definition-delete", 5, 1, ("DeleteTaskDefinitions",), ("L-9383BF97", "L-29793C9D")),
    Bucket(
        "task-definition-read",
        50,
        20,
        ("DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies"),
        ("L-924E3D47", "L-538D7426"),
    ),
    Bucket(
        "cluster-resource-read",
        100,
        20,
        ("DescribeTasks", "ListTasks", "DescribeContainerInstances", "ListContainerInstances", "ListAttributes"),
        ("L-281CBA4C", "L-80627E8A"),
    ),
    Bucket(
        "cluster-resource-modify",
        100,
        40,
        (
            *("RunTask", "StartTask", "StopTask", "PutAttributes", "DeleteAttributes"),
            *("UpdateContainerInstancesState", "DeregisterContainerInstance", "ExecuteCommand"),
        ),
        ("L-3B4FAC68", "L-C3AEE9D2"),
    ),
    Bucket("cluster-read", 50, 20, ("DescribeClusters", "ListClusters"), ("L-35D944A8", "L-43D4E76A")),
    Bucket(
        "cluster-modify",
        20,
        1,
        ("CreateCluster", "DeleteCluster", "UpdateCluster", "PutClusterCapacityProviders"),
        ("L-62DC78F9", "L-D5AA0F33"),
    ),
    Bucket("tag-modify", 20, 10, ("TagResource", "UntagResource"), ("L-678F155F", "L-8F66404D")),
    Bucket("tag-read", 50, 20, ("ListTagsForResource",), ("L-B4EF2B3D", "L-9440138C")),
    Bucket("capacity-provider-read", 50, 20, ("DescribeCapacityProviders",), ("L-5A5FEADE", "L-42E25F2A")),
    Bucket("setting-read", 50, 20, ("ListAccountSettings",), ("L-3CA4FC4A", "L-CA95243C")),
    Bucket("task-protection", 200, 80, ("GetTaskProtection", "UpdateTaskProtection"), ("L-A04BC52C", "L-C26103FB")),
    Bucket("namespace-read", 10, 1, ("ListServicesByNamespace",), ("L-424FFC53", "L-64FE0575")),
)

UNLISTED: Final = Bucket("unlisted", 5, 1)
"""For calls that stand in no published row (StopServiceDeployment): the smallest one that AWS has published."""

BUCKET_OF: Final[Mapping[str, Bucket]] = {operation: bucket for bucket in BUCKETS for operation in bucket.operations}
