"""Services and deployments on the wire: what DescribeServices and the write calls answer.

Counts come from the tasks at the moment of the call; everything else is the record. Members that only a deployment or
revision has (Service Connect, volumes, VPC Lattice) are not on the service; tags only when asked for.
Neighbours: `services`, `servicedeployments`.
"""

from controller.sandbox.deployments import OF_REVISION, revision_arn
from controller.sandbox.identity import principal
from controller.sandbox.wire import Wire, clone, tag_list
from controller.sandbox.world import STARTING, Deployment, Service, ServiceStatus, TaskStatus, World

_DEPLOYMENT_ONLY = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")


def view(world: World, service: Service, *, tags: bool = False) -> Wire:
    """One service."""
    counts = _counts(world, service)
    running = sum(count[0] for count in counts.values())
    pending = sum(count[1] for count in counts.values())
    history = world.service_deployments.get(service.arn, ())
    answer: Wire = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "status": service.status.value,
        "desiredCount": service.desired if service.status is ServiceStatus.ACTIVE else 0,
        "runningCount": running,
        "pendingCount": pending,
        "taskDefinition": service.task_definition,
        "createdAt": service.created_at,
        "createdBy": principal(world),
        "deployments": [_deployment(service, deployment, counts) for deployment in service.deployments],
        "events": [{"id": event.id, "createdAt": event.at, "message": event.message} for event in service.events],
        **clone(service.members),
    }
    if history and service.status is ServiceStatus.ACTIVE:
        answer["currentServiceDeployment"] = history[0].arn
        answer["currentServiceRevisions"] = [
            {
                "arn": revision_arn(world, service, deployment),
                "requestedTaskCount": deployment.desired,
                "runningTaskCount": counts.get(deployment.id, (0, 0))[0],
                "pendingTaskCount": counts.get(deployment.id, (0, 0))[1],
            }
            for deployment in service.deployments
        ]
    if tags and service.tags:
        answer["tags"] = tag_list(service.tags)
    return answer


def _counts(world: World, service: Service) -> dict[str | None, tuple[int, int]]:
    """(running, pending) tasks by deployment; DEACTIVATING and later states count as neither."""
    counts: dict[str | None, tuple[int, int]] = {}
    for reference in world.tasks_of.get(service.arn, ()):
        task = world.tasks[reference]
        running, pending = counts.get(task.deployment, (0, 0))
        if task.status is TaskStatus.RUNNING:
            counts[task.deployment] = (running + 1, pending)
        elif task.status in STARTING:
            counts[task.deployment] = (running, pending + 1)
    return counts


def _deployment(service: Service, deployment: Deployment, counts: dict[str | None, tuple[int, int]]) -> Wire:
    running, pending = counts.get(deployment.id, (0, 0))
    return {
        "id": deployment.id,
        "status": "PRIMARY" if deployment is service.deployments[0] else "ACTIVE",
        "taskDefinition": deployment.task_definition,
        "desiredCount": deployment.desired,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": deployment.failed,
        "createdAt": deployment.created_at,
        "updatedAt": deployment.updated_at,
        "rolloutState": deployment.rollout.value,
        "rolloutStateReason": deployment.reason,
        **clone({name: deployment.members[name] for name in OF_REVISION if name in deployment.members}),
        **clone({name: deployment.members[name] for name in _DEPLOYMENT_ONLY if name in deployment.members}),
    }
