"""What a task definition asks for: resources, ports and attributes, from its read-back content.

`requiresAttributes` follows the agent's capability names as recorded answers list them; a task definition asks for
those that its members need. CPU is the task's size or the sum of its containers', memory likewise, a container counting
with its reservation if it has one (botocore: ContainerDefinition.memoryReservation, "subtracted from the available
memory"). Neighbours: `taskdefinitions` (asks once per revision), `scheduler` (compares with instances).
"""

from controller.sandbox.validation import constraint_expressions
from controller.sandbox.wire import Wire
from controller.sandbox.world import Demand

_DOCKER = "com.amazonaws.ecs.capability."
_ECS = "ecs.capability."


def demand_of(content: Wire) -> Demand:
    """The demand of one task."""
    containers = content["containerDefinitions"]
    static = [
        (mapping["hostPort"], mapping["protocol"])
        for container in containers
        for mapping in container["portMappings"]
        if mapping.get("hostPort") and content.get("networkMode") != "awsvpc"
    ]
    return Demand(
        cpu=int(content["cpu"]) if "cpu" in content else sum(container["cpu"] for container in containers),
        memory=int(content["memory"]) if "memory" in content else sum(map(_memory, containers)),
        tcp=frozenset(port for port, protocol in static if protocol != "udp"),
        udp=frozenset(port for port, protocol in static if protocol == "udp"),
        attributes=frozenset(required_attributes(content)),
        constraints=constraint_expressions(content["placementConstraints"], task_definition=True),
    )


def _memory(container: Wire) -> int:
    return int(container.get("memoryReservation") or container.get("memory") or 0)


def required_attributes(content: Wire) -> list[str]:
    """The names in `requiresAttributes`, in a stable order."""
    names = {_DOCKER + "docker-remote-api.1.18"}
    execution_role = "executionRoleArn" in content
    if "taskRoleArn" in content:
        host = "-network-host" if content.get("networkMode") == "host" else ""
        names |= {_DOCKER + "task-iam-role" + host, _DOCKER + "docker-remote-api.1.17"}
    if content.get("networkMode") == "awsvpc":
        names.add(_ECS + "task-eni")
    if "pidMode" in content or "ipcMode" in content:
        names.add(_ECS + "pid-ipc-namespace-sharing")
    if "cpu" in content and int(content["cpu"]) > 10240:
        names.add(_ECS + "increased-task-cpu-limit")
    for container in content["containerDefinitions"]:
        names |= _of_container(container, execution_role=execution_role)
    return sorted(names)


def _of_container(container: Wire, *, execution_role: bool) -> set[str]:
    names: set[str] = set()
    if ".dkr.ecr." in container["image"]:
        names.add(_DOCKER + "ecr-auth")
        if execution_role:
            names.add(_ECS + "execution-role-ecr-pull")
    if (logging := container.get("logConfiguration")) is not None:
        names |= {_DOCKER + f"logging-driver.{logging['logDriver']}", _DOCKER + "docker-remote-api.1.19"}
        if logging["logDriver"] == "awslogs" and execution_role:
            names.add(_ECS + "execution-role-awslogs")
    if container.get("privileged"):
        names.add(_DOCKER + "privileged-container")
    if container.get("memoryReservation"):
        names.add(_DOCKER + "docker-remote-api.1.21")
    if "healthCheck" in container:
        names |= {_ECS + "container-health-check", _DOCKER + "docker-remote-api.1.24"}
    if container.get("dependsOn"):
        names.add(_ECS + "container-ordering")
    if container.get("environmentFiles"):
        names.add(_ECS + "env-files.s3")
    for secret in container.get("secrets", ()):
        kind = "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"
        names.add(_ECS + f"secrets.{kind}.environment-variables")
    return names
