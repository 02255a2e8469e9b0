"""What ECS gives back for what was asked: defaults filled in, values normalised, some lists in another order.

Decides the read-back of task definitions and services, member by member; each rule names its evidence:
[M] botocore's ECS model, [P] recorded answers of 2018-2024, [R] recorded pairs of 2026, [C] code of other projects.
The order of containers, environment, secrets and port mappings is not kept ([R], "may be re-ordered in the API" [C]):
here it depends on a hash of the name, so it is stable and never the caller's by promise.
Neighbours: `taskdefinitions`, `services` (call it), `validation` (has accepted the input before).
"""

import re
from zlib import crc32

from controller.sandbox.wire import Wire, clone

BREAKER: Wire = {
    "enable": False,
    "rollback": False,
    "resetOnHealthyTask": True,
    "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
}
"""deploymentCircuitBreaker of a service that never named one [R]."""

ALWAYS_LISTS = ("environment", "mountPoints", "portMappings", "volumesFrom", "systemControls")
"""Container members that read back as `[]` when nobody set them ([P] 2018, [C] for systemControls)."""

_VCPU = re.compile(r"\s*([0-9.]+)\s*v?cpu\s*", re.IGNORECASE)
_MEMORY = re.compile(r"\s*([0-9.]+)\s*(GB|MB)\s*", re.IGNORECASE)


def shuffled(elements: list[Wire], *keys: str) -> list[Wire]:
    """The elements in ECS's own order: by a hash of what names them."""
    return sorted(elements, key=lambda element: crc32("/".join(str(element.get(key)) for key in keys).encode()))


def cpu_units(text: str) -> str:
    """`1 vCPU` → `1024`; integers stay as they are [M TaskDefinition.cpu]."""
    found = _VCPU.fullmatch(text)
    return str(round(float(found[1]) * 1024)) if found else text.strip()


def mebibytes(text: str) -> str:
    """`1GB` → `1024`; integers stay as they are [M TaskDefinition.memory]."""
    found = _MEMORY.fullmatch(text)
    if not found:
        return text.strip()
    return str(round(float(found[1]) * (1024 if found[2].upper() == "GB" else 1)))


def task_definition(request: Wire) -> Wire:
    """RegisterTaskDefinition members as DescribeTaskDefinition gives them back, without what ECS adds of its own."""
    content: Wire = clone({name: value for name, value in request.items() if name != "tags"})
    mode = content.get("networkMode")
    if "cpu" in content:
        content["cpu"] = cpu_units(content["cpu"])
    if "memory" in content:
        content["memory"] = mebibytes(content["memory"])
    if content.get("requiresCompatibilities"):
        content["requiresCompatibilities"] = sorted(content["requiresCompatibilities"])  # [R]
    else:
        content.pop("requiresCompatibilities", None)
    content["containerDefinitions"] = [
        _container(container, mode) for container in shuffled(content["containerDefinitions"], "name")
    ]
    content["volumes"] = [_volume(volume) for volume in content.get("volumes", ())]
    content.setdefault("placementConstraints", [])
    return content


def _container(container: Wire, mode: str | None) -> Wire:
    container.setdefault("cpu", 0)  # [P][R], always
    container.setdefault("essential", True)  # [P][R]
    for name in ALWAYS_LISTS:
        container.setdefault(name, [])
    for name in ("user", "workingDirectory", "hostname"):
        if container.get(name) == "":
            del container[name]
    container["portMappings"] = shuffled(
        [_port_mapping(mapping, mode) for mapping in container["portMappings"]], "containerPort", "protocol"
    )
    container["environment"] = shuffled(container["environment"], "name")
    if "secrets" in container:
        container["secrets"] = shuffled(container["secrets"], "name")
    if "links" in container:
        container["links"] = sorted(container["links"])  # [R]
    if "healthCheck" in container:
        container["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3, **container["healthCheck"]}  # [C]
    if "linuxParameters" in container:
        container["linuxParameters"] = {"devices": [], "tmpfs": [], **container["linuxParameters"]}  # [P][R]
    if "restartPolicy" in container:
        container["restartPolicy"] = {"restartAttemptPeriod": 300, **container["restartPolicy"]}  # [M]
    return container


def _port_mapping(mapping: Wire, mode: str | None) -> Wire:
    mapping.setdefault("protocol", "tcp")  # [M]
    if "containerPort" in mapping and not mapping.get("hostPort"):
        # awsvpc [P 9/9]; host: documented as "blank or the same", so filled alike; bridge: 0 means dynamic [C]
        mapping["hostPort"] = mapping["containerPort"] if mode in ("awsvpc", "host") else 0
    return mapping


def _volume(volume: Wire) -> Wire:
    kinds = set(volume) - {"name"}
    if not kinds:
        volume["host"] = {}  # [P][R]
    if "efsVolumeConfiguration" in volume:
        volume["efsVolumeConfiguration"] = {
            "rootDirectory": "/",
            "transitEncryption": "DISABLED",
            **volume["efsVolumeConfiguration"],
        }
    return volume


def deployment_configuration(asked: Wire | None, *, daemon: bool, live: Wire | None = None) -> Wire:
    """The whole deployment configuration for what was asked on top of what is live, leaf by leaf [R].

    An update replaces the leaves that it names and keeps the others; a circuit breaker is replaced as one leaf.
    """
    percents = (
        {"maximumPercent": 100, "minimumHealthyPercent": 0}
        if daemon
        else {
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
        }
    )
    base: Wire = {**percents, "strategy": "ROLLING", "bakeTimeInMinutes": 0, "deploymentCircuitBreaker": BREAKER}
    merged: Wire = {**base, **(live or {}), **(asked or {})}
    merged["deploymentCircuitBreaker"] = {**BREAKER, **merged["deploymentCircuitBreaker"]}
    return clone(merged)


def placement_strategy(strategies: list[Wire]) -> list[Wire]:
    """`host` reads back as `instanceId`, `cpu` and `memory` as `CPU` and `MEMORY` [C]; the order is kept."""
    back = []
    for strategy in strategies:
        field = strategy.get("field")
        spelled = {"host": "instanceId", "instanceid": "instanceId", "cpu": "CPU", "memory": "MEMORY"}
        entry = {"type": strategy["type"]}
        if field:
            entry["field"] = spelled.get(field.lower(), field)
        back.append(entry)
    return back


def network_configuration(network: Wire) -> Wire:
    """`assignPublicIp` and the groups are filled in [R]."""
    vpc = network.get("awsvpcConfiguration")
    if vpc is None:
        return clone(network)
    return {"awsvpcConfiguration": clone({"assignPublicIp": "DISABLED", "securityGroups": [], **vpc})}


def capacity_provider_strategy(items: list[Wire]) -> list[Wire]:
    """`weight` and `base` are 0 unless given, and always read back [P]."""
    return [{"weight": 0, "base": 0, **item} for item in items]
