"""What RegisterTaskDefinition refuses: the rules that its shape does not say.

Texts are ECS's where users quote them, in its manner otherwise. Source of the rules: RegisterTaskDefinition and
ContainerDefinition in botocore's model, the quotas page. Neighbours: `taskdefinitions` (calls), `validation` (names).
"""

import json

from controller.sandbox.errors import client
from controller.sandbox.readback import cpu_units, mebibytes
from controller.sandbox.validation import NAME, check_tags, constraint_expressions
from controller.sandbox.wire import Wire

LARGEST = 64 * 1024
"""Bytes of one task definition (ECS quotas)."""

FARGATE_SIZES: dict[int, tuple[int, int]] = {
    256: (512, 2048),
    512: (1024, 4096),
    1024: (2048, 8192),
    2048: (4096, 16384),
    4096: (8192, 30720),
    8192: (16384, 61440),
    16384: (32768, 122880),
}
"""CPU units → least and most MiB (RegisterTaskDefinition.cpu)."""


def check(request: Wire) -> None:
    """Refuse a task definition that ECS would refuse.

    Raises:
        EcsError: ClientException, InvalidParameterException for tags.
    """
    if not NAME.fullmatch(request["family"]):
        raise client("Family contains invalid characters.")
    if len(json.dumps(request)) > LARGEST:
        raise client(f"Actual length: '{len(json.dumps(request))}'. Max allowed length is '{LARGEST}' bytes.")
    if request.get("tags") == []:
        raise client("Tags can not be empty.")
    check_tags(request.get("tags"))
    containers = request["containerDefinitions"]
    if not containers:
        raise client("Container list cannot be empty.")
    if len(containers) > 10:
        raise client("Too many containers: a task definition can have at most 10.")
    names = [container.get("name") for container in containers]
    for container in containers:
        _container(container, request)
    if len(set(names)) < len(names):
        raise client("Container names must be unique within a task definition.")
    if not any(container.get("essential", True) for container in containers):
        raise client("There must be at least one essential container in the task definition.")
    for container in containers:
        _dependencies(container, {str(other.get("name")): other for other in containers})
    _volumes(request)
    _sizes(request)
    constraint_expressions(request.get("placementConstraints", []), task_definition=True)


def _container(container: Wire, request: Wire) -> None:
    name = container.get("name") or ""
    if not name:
        raise client("Container.name should not be null or empty.")
    if not NAME.fullmatch(name):
        raise client("Container.name contains invalid characters.")
    if not container.get("image"):
        raise client("Container.image should not be null or empty.")
    limit, reserved = container.get("memory"), container.get("memoryReservation")
    if limit is None and reserved is None and "memory" not in request:
        raise client(
            f"Invalid setting for container '{name}'. "
            "At least one of 'memory' or 'memoryReservation' must be specified."
        )
    if limit is not None and limit < 6:
        raise client(f"Invalid setting for container '{name}'. The minimum value of 'memory' is 6.")
    if limit is not None and reserved is not None and reserved > limit:
        raise client(f"Invalid setting for container '{name}'. 'memory' must be greater than 'memoryReservation'.")
    if container.get("secrets") and "executionRoleArn" not in request:
        raise client("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
    for secret in container.get("secrets", ()):
        if any(secret["name"] == variable.get("name") for variable in container.get("environment", ())):
            raise client(
                f"The secret name must be unique and not shared with any new or existing environment "
                f"variables set on the container, such as '{secret['name']}'."
            )
    _ports(container, request.get("networkMode"))


def _ports(container: Wire, mode: str | None) -> None:
    mappings = container.get("portMappings", ())
    if mode == "none" and mappings:
        raise client("When networkMode=none, portMappings are not allowed.")
    for mapping in mappings:
        port, host = mapping.get("containerPort"), mapping.get("hostPort")
        if port is None and "containerPortRange" not in mapping:
            raise client("A port mapping needs a containerPort or a containerPortRange.")
        if port is not None and not 0 <= port <= 65535:
            raise client(f"Invalid container port: {port}.")
        if host is not None and not 0 <= host <= 65535:
            raise client(f"Invalid host port: {host}.")
        if mode in ("host", "awsvpc") and host and host != port:
            raise client(f"When networkMode={mode}, the host ports and container ports in port mappings must match.")
    if mode == "awsvpc" and container.get("hostname"):
        raise client("When networkMode=awsvpc, the hostname is not allowed.")
    if mode not in (None, "bridge") and container.get("links"):
        raise client(f"Links are not supported when networkMode={mode}.")


def _dependencies(container: Wire, by_name: dict[str, Wire]) -> None:
    for dependency in container.get("dependsOn", ()):
        target = by_name.get(dependency["containerName"])
        if target is None:
            raise client(f"Container dependency '{dependency['containerName']}' is not in the task definition.")
        if dependency["condition"] in ("COMPLETE", "SUCCESS") and target.get("essential", True):
            raise client("A dependency on COMPLETE or SUCCESS cannot be on an essential container.")
        if dependency["condition"] == "HEALTHY" and "healthCheck" not in target:
            raise client(f"Container '{dependency['containerName']}' has no health check to depend on.")


def _volumes(request: Wire) -> None:
    names = {volume.get("name") for volume in request.get("volumes", ())}
    for container in request["containerDefinitions"]:
        for mount in container.get("mountPoints", ()):
            if mount.get("sourceVolume") not in names:
                raise client(f"Unknown volume '{mount.get('sourceVolume')}'.")
    if sum(bool(volume.get("configuredAtLaunch")) for volume in request.get("volumes", ())) > 1:
        raise client("Only one volume may be configured at launch.")


def _sizes(request: Wire) -> None:
    containers = request["containerDefinitions"]
    cpu, memory = request.get("cpu"), request.get("memory")
    units, size = _integer("cpu", cpu_units(cpu or "0")), _integer("memory", mebibytes(memory or "0"))
    if cpu is not None and not 128 <= units <= 196608:
        raise client(
            "Invalid 'cpu' setting for task. For more information, see the Troubleshooting section of the "
            "Amazon ECS Developer Guide."
        )
    if cpu is not None and sum(container.get("cpu", 0) for container in containers) > units:
        raise client("Invalid 'cpu' setting for task because it is less than the sum of its containers' cpu.")
    if memory is not None and any((container.get("memory") or 0) > size for container in containers):
        raise client("Invalid 'memory' setting for container: it exceeds the 'memory' setting for task.")
    if memory is not None and sum(container.get("memoryReservation") or 0 for container in containers) > size:
        raise client("Invalid 'memory' setting for task because it is less than its containers reserve.")
    if "FARGATE" in request.get("requiresCompatibilities", ()):
        if request.get("networkMode") != "awsvpc":
            raise client("Fargate only supports network mode 'awsvpc'.")
        least, most = FARGATE_SIZES.get(units, (1, 0))
        if not least <= size <= most:
            raise client("No Fargate configuration exists for given values.")


def _integer(name: str, text: str) -> int:
    if not text.isdigit():
        raise client(
            f"Invalid '{name}' setting for task. For more information, see the Troubleshooting section of "
            "the Amazon ECS Developer Guide."
        )
    return int(text)
