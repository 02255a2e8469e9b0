"""Clusters: create, describe, list, delete.

CreateCluster of an existing name gives the existing cluster back, unchanged; a deleted one stays INACTIVE and can be
created again (ECS developer guide). Deleting needs a cluster without services, tasks and instances.
Neighbours: `identity` (finds them), `instances`, `services`.
"""

from dataclasses import replace

from controller.sandbox.errors import EcsError, cluster_not_found, invalid
from controller.sandbox.identity import DEFAULT_CLUSTER, arn, find_cluster
from controller.sandbox.paging import page, scattered
from controller.sandbox.validation import check_name, check_tags
from controller.sandbox.wire import Wire, clone, present, tag_list, tag_map
from controller.sandbox.world import STARTING, Cluster, ServiceStatus, TaskStatus, World

_MEMBERS = (
    "settings",
    "configuration",
    "capacityProviders",
    "defaultCapacityProviderStrategy",
    "serviceConnectDefaults",
)


def create(world: World, params: Wire) -> Wire:
    """CreateCluster; `default` unless named."""
    name = params.get("clusterName", DEFAULT_CLUSTER)
    check_name(name, "The cluster name")
    check_tags(params.get("tags"))
    known = find_cluster(world, name)
    if known is not None and known.status == "ACTIVE":
        return {"cluster": view(world, known, include=("SETTINGS", "TAGS"))}
    cluster = Cluster(
        arn=arn(world, "cluster", name),
        name=name,
        status="ACTIVE",
        members={member: clone(params[member]) for member in _MEMBERS if member in params},
        tags=tag_map(params.get("tags")),
    )
    world.clusters[cluster.arn] = cluster
    return {"cluster": view(world, cluster, include=("SETTINGS", "TAGS"))}


def delete(world: World, params: Wire) -> Wire:
    """DeleteCluster: only an empty one."""
    cluster = find_cluster(world, params["cluster"])
    if cluster is None or cluster.status != "ACTIVE":
        raise cluster_not_found()
    if any(i.cluster_arn == cluster.arn for i in world.instances.values()):
        raise EcsError(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        )
    if any(s.cluster_arn == cluster.arn and s.status is not ServiceStatus.INACTIVE for s in world.services.values()):
        raise EcsError("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    if any(t.cluster_arn == cluster.arn and t.status is not TaskStatus.STOPPED for t in world.tasks.values()):
        raise EcsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    cluster = replace(cluster, status="INACTIVE")
    world.clusters[cluster.arn] = cluster
    return {"cluster": view(world, cluster, include=())}


def describe(world: World, params: Wire) -> Wire:
    """DescribeClusters: up to 100, `default` unless named; what is not there is a failure MISSING."""
    references = params.get("clusters") or [DEFAULT_CLUSTER]
    if len(references) > 100:
        raise invalid("Clusters cannot be more than 100.")
    found, failures = [], []
    for reference in references:
        cluster = find_cluster(world, reference)
        if cluster is None:
            missing = reference if reference.startswith("arn:") else arn(world, "cluster", reference)
            failures.append({"arn": missing, "reason": "MISSING"})
        else:
            found.append(view(world, cluster, include=params.get("include", ())))
    return {"clusters": found, "failures": failures}


def list_clusters(world: World, params: Wire) -> Wire:
    """ListClusters."""
    active = [cluster.arn for cluster in world.clusters.values() if cluster.status == "ACTIVE"]
    arns, token = page(scattered(active), params, size=100)
    return present(clusterArns=arns, nextToken=token)


def view(world: World, cluster: Cluster, *, include: tuple[str, ...] | list[str]) -> Wire:
    """One cluster on the wire; settings, configuration and tags only when asked for."""
    tasks = [task for task in world.tasks.values() if task.cluster_arn == cluster.arn]
    members = cluster.members
    answer: Wire = {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": sum(i.cluster_arn == cluster.arn for i in world.instances.values()),
        "runningTasksCount": sum(task.status is TaskStatus.RUNNING for task in tasks),
        "pendingTasksCount": sum(task.status in STARTING for task in tasks),
        "activeServicesCount": sum(
            service.cluster_arn == cluster.arn and service.status is ServiceStatus.ACTIVE
            for service in world.services.values()
        ),
        "statistics": [],
        "tags": tag_list(cluster.tags) if "TAGS" in include else [],
        "settings": clone(members.get("settings", [{"name": "containerInsights", "value": "disabled"}]))
        if "SETTINGS" in include
        else [],
        "capacityProviders": clone(members.get("capacityProviders", [])),
        "defaultCapacityProviderStrategy": clone(members.get("defaultCapacityProviderStrategy", [])),
    }
    if "CONFIGURATIONS" in include and "configuration" in members:
        answer["configuration"] = clone(members["configuration"])
    if "serviceConnectDefaults" in members:
        answer["serviceConnectDefaults"] = clone(members["serviceConnectDefaults"])
    return answer
