"""Tasks on the wire. Neighbours: `runtask`, `taskqueries`."""

from controller.sandbox.wire import Wire, clone, present, tag_list
from controller.sandbox.world import Container, Health, Task, TaskStatus


def view(task: Task, *, tags: bool = False) -> Wire:
    """One task."""
    overrides = clone(task.overrides)
    named = {entry.get("name"): entry for entry in overrides.get("containerOverrides", ())}
    overrides["containerOverrides"] = [
        named.get(container.name, {"name": container.name}) for container in task.containers
    ]
    overrides.setdefault("inferenceAcceleratorOverrides", [])
    fargate = task.launch_type == "FARGATE"
    return {
        "attachments": [_interface(task)] if task.attached else [],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "clusterArn": task.cluster_arn,
        "containers": [_container(task, container) for container in task.containers],
        "cpu": str(task.cpu),
        "createdAt": task.created_at,
        "desiredStatus": task.desired.value,
        "enableExecuteCommand": task.execute_command,
        "group": task.group,
        "healthStatus": _health(task).value,
        "inferenceAccelerators": [],
        "lastStatus": task.status.value,
        "launchType": task.launch_type,
        "memory": str(task.memory),
        "overrides": overrides,
        "tags": tag_list(task.tags) if tags else [],
        "taskArn": task.arn,
        "taskDefinitionArn": task.task_definition,
        "version": task.version,
        **present(
            availabilityZone=task.zone,
            capacityProviderName=task.capacity_provider,
            connectivity="CONNECTED" if task.pull_started_at is not None else None,
            connectivityAt=task.pull_started_at,
            containerInstanceArn=task.instance,
            executionStoppedAt=task.execution_stopped_at,
            platformFamily="Linux" if fargate else None,
            platformVersion="1.4.0" if fargate else None,
            pullStartedAt=task.pull_started_at,
            pullStoppedAt=task.pull_stopped_at,
            startedAt=task.started_at,
            startedBy=task.started_by,
            stopCode=task.stop_code.value if task.stop_code is not None else None,
            stoppedAt=task.stopped_at,
            stoppedReason=task.stopped_reason,
            stoppingAt=task.stopping_at,
        ),
    }


def brief(task: Task) -> Wire:
    """What the replay of a RunTask says about a task that has stopped."""
    return {"taskArn": task.arn, "lastStatus": task.status.value, "desiredStatus": task.desired.value}


def _container(task: Task, container: Container) -> Wire:
    ran = container.status is not TaskStatus.PENDING
    bindings = [
        {"bindIP": "0.0.0.0", "containerPort": port, "hostPort": host, "protocol": protocol}  # noqa: S104 - ECS says so
        for port, host, protocol in container.bindings
    ]
    interface = {"attachmentId": _attachment(task), "privateIpv4Address": _address(task)}
    return {
        "containerArn": container.arn,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": container.status.value,
        "networkBindings": bindings if ran else [],
        "networkInterfaces": [interface] if task.attached else [],
        "healthStatus": (container.health or Health.UNKNOWN).value,
        "cpu": "0",
        **present(
            imageDigest=container.digest,
            runtimeId=container.runtime_id,
            exitCode=container.exit_code if container.status is TaskStatus.STOPPED else None,
            reason=container.reason,
        ),
    }


def _health(task: Task) -> Health:
    """A task is as healthy as its worst essential container with a check (botocore: Task.healthStatus)."""
    checked = {container.health for container in task.containers if container.essential and container.health}
    if Health.UNHEALTHY in checked:
        return Health.UNHEALTHY
    return Health.HEALTHY if checked == {Health.HEALTHY} else Health.UNKNOWN


def _interface(task: Task) -> Wire:
    subnets = ((task.network or {}).get("awsvpcConfiguration") or {}).get("subnets") or ["subnet-0"]
    gone = task.status in (TaskStatus.DEPROVISIONING, TaskStatus.STOPPED)
    status = "PRECREATED" if task.status is TaskStatus.PROVISIONING else "DELETED" if gone else "ATTACHED"
    return {
        "id": _attachment(task),
        "type": "ElasticNetworkInterface",
        "status": status,
        "details": [
            {"name": "subnetId", "value": subnets[0]},
            {"name": "networkInterfaceId", "value": f"eni-0{task.arn[-16:]}"},
            {"name": "privateIPv4Address", "value": _address(task)},
        ],
    }


def _attachment(task: Task) -> str:
    key = task.arn[-32:]
    return f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"


def _address(task: Task) -> str:
    number = int(task.arn[-4:], 16)
    return f"10.0.{number >> 8}.{number & 255}"
