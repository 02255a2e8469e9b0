"""The service deployment API: list, describe and stop service deployments; describe service revisions.

A rolling service deployment and the deployment of the same rollout share their number with the target revision.
History is kept until the service is purged. Neighbours: `deployments` (writes the records), `rollout` (moves them).
"""

from hashlib import sha256

from controller.sandbox import deployments
from controller.sandbox.deployments import FINAL, threshold
from controller.sandbox.errors import EcsError, conflict, invalid, service_not_found
from controller.sandbox.identity import cluster_of, short_name
from controller.sandbox.images import CannotPull
from controller.sandbox.paging import page
from controller.sandbox.services import find
from controller.sandbox.wake import wake
from controller.sandbox.wire import Wire, clone, present
from controller.sandbox.world import STARTING, Revision, Service, ServiceDeployment, Stage, TaskStatus, World


def list_deployments(world: World, params: Wire) -> Wire:
    """ListServiceDeployments: newest first, by status and time of creation."""
    service = find(world, cluster_of(world, params.get("cluster")), params["service"])
    if service is None:
        raise service_not_found()
    created = params.get("createdAt") or {}
    after, before = created.get("after", float("-inf")), created.get("before", float("inf"))
    wanted = params.get("status")
    found = {
        record.arn: record
        for record in world.service_deployments.get(service.arn, ())
        if after <= record.created_at <= before and (not wanted or record.stage in wanted)
    }
    arns, token = page(list(found), params, size=20)
    return present(serviceDeployments=[_brief(found[reference]) for reference in arns], nextToken=token)


def describe(world: World, params: Wire) -> Wire:
    """DescribeServiceDeployments: up to 20."""
    found, failures = [], []
    for reference in _references(params["serviceDeploymentArns"], "service deployments"):
        record = _find(world, reference)
        if record is None:
            failures.append({"arn": reference, "reason": "MISSING"})
        else:
            found.append(_full(world, record))
    return {"serviceDeployments": found, "failures": failures}


def stop(world: World, params: Wire) -> Wire:
    """StopServiceDeployment: roll back (the default) or abort the one that is under way."""
    reference = params["serviceDeploymentArn"]
    record = _find(world, reference)
    if record is None:
        raise EcsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
    service = world.services[record.service]
    if record.stage not in (Stage.PENDING, Stage.IN_PROGRESS) or not service.deployments:
        raise conflict(f"The service deployment is {record.stage} and cannot be stopped.", resources=[reference])
    rollback = params.get("stopType", "ROLLBACK") == "ROLLBACK"
    world.services[service.arn] = deployments.stop(world, service, rollback=rollback)
    wake(world, service.arn)
    return {"serviceDeploymentArn": reference}


def describe_revisions(world: World, params: Wire) -> Wire:
    """DescribeServiceRevisions: up to 20."""
    found, failures = [], []
    for reference in _references(params["serviceRevisionArns"], "service revisions"):
        revision = world.revisions.get(reference)
        if revision is None:
            failures.append({"arn": reference, "reason": "MISSING"})
        else:
            found.append(_revision(world, revision))
    return {"serviceRevisions": found, "failures": failures}


def _references(references: list[str], what: str) -> list[str]:
    if not 1 <= len(references) <= 20:
        raise invalid(f"Between 1 and 20 {what} can be described at a time.")
    return references


def _find(world: World, reference: str) -> ServiceDeployment | None:
    for records in world.service_deployments.values():
        for record in records:
            if record.arn == reference:
                return record
    return None


def _brief(record: ServiceDeployment) -> Wire:
    return present(
        serviceDeploymentArn=record.arn,
        serviceArn=record.service,
        clusterArn=record.cluster_arn,
        startedAt=record.started_at,
        createdAt=record.created_at,
        finishedAt=record.finished_at,
        targetServiceRevisionArn=record.target,
        status=record.stage.value,
        statusReason=record.reason,
    )


def _full(world: World, record: ServiceDeployment) -> Wire:
    service = world.services.get(record.service)
    brief = _brief(record)
    del brief["targetServiceRevisionArn"]
    return {
        **brief,
        **present(stoppedAt=record.stopped_at, rollback=clone(record.rollback)),
        "updatedAt": record.updated_at,
        "sourceServiceRevisions": [_summary(world, service, source) for source in record.sources],
        "targetServiceRevision": _summary(world, service, record.target),
        "deploymentConfiguration": {
            "alarms": {"alarmNames": [], "rollback": False, "enable": False},
            **clone(record.configuration),
        },
        "deploymentCircuitBreaker": _breaker(service, record),
        "alarms": {"status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": []},
    }


def _summary(world: World, service: Service | None, reference: str) -> Wire:
    """A revision with the counts of its deployment, which may be gone."""
    identifier = f"ecs-svc/{short_name(reference)}"
    known = next((d for d in service.deployments if d.id == identifier), None) if service is not None else None
    tasks = [world.tasks[task] for task in world.tasks_of.get(service.arn, ())] if service is not None else []
    own = [task for task in tasks if task.deployment == identifier]
    return {
        "arn": reference,
        "requestedTaskCount": known.desired if known is not None else 0,
        "runningTaskCount": sum(task.status is TaskStatus.RUNNING for task in own),
        "pendingTaskCount": sum(task.status in STARTING for task in own),
    }


def _breaker(service: Service | None, record: ServiceDeployment) -> Wire:
    breaker = record.configuration["deploymentCircuitBreaker"]
    limit = threshold(breaker, service.desired if service is not None else 0)
    identifier = f"ecs-svc/{short_name(record.target)}"
    known = next((d for d in service.deployments if d.id == identifier), None) if service is not None else None
    if not breaker["enable"]:
        return {"status": "DISABLED", "failureCount": 0, "threshold": limit}
    if record.tripped:
        return {"status": "TRIGGERED", "failureCount": max(limit, known.failed if known else 0), "threshold": limit}
    status = "MONITORING_COMPLETE" if record.stage in FINAL else "MONITORING"
    return {"status": status, "failureCount": known.failed if known else 0, "threshold": limit}


def _revision(world: World, revision: Revision) -> Wire:
    definition = world.task_definitions.get(revision.task_definition)
    containers = definition.content["containerDefinitions"] if definition is not None else []
    images = []
    for container in containers:
        digest = f"sha256:{sha256(container['image'].encode()).hexdigest()}"
        pulled = not isinstance(world.images.behaviour(container), CannotPull)
        images.append(
            present(containerName=container["name"], image=container["image"], imageDigest=digest if pulled else None)
        )
    return {
        "serviceRevisionArn": revision.arn,
        "serviceArn": revision.service,
        "clusterArn": revision.cluster_arn,
        "taskDefinition": revision.task_definition,
        "createdAt": revision.created_at,
        "containerImages": images,
        "guardDutyEnabled": False,
        **clone(revision.members),
    }
