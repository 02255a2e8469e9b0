"""Spellings that mean the same, brought to one: where ECS has its own, to that."""

import functools
import re
from typing import Any, Final

from controller.core.fields.kinds import Wire
from controller.core.placement import ExpressionError, meaning

_VCPU: Final = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*v?cpu\s*", re.IGNORECASE)
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(gb|mb)\s*", re.IGNORECASE)
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/(.+)")
_DIGEST: Final = re.compile(r"sha256:[0-9A-Fa-f]{64}")
_DOCKER_HUB: Final = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")
_FIELDS: Final = {"host": "instanceId", "instanceid": "instanceId", "cpu": "cpu", "memory": "memory"}


def cpu_units(text: Any) -> str:
    """`1 vCPU` → `1024`: ECS stores task CPU as units. Source: API model, RegisterTaskDefinition `cpu`."""
    match = _VCPU.fullmatch(str(text))
    return str(round(float(match[1]) * 1024)) if match else str(text).strip()


def memory_mib(text: Any) -> str:
    """`1GB` → `1024`: ECS stores task memory as MiB. Source: API model, RegisterTaskDefinition `memory`."""
    match = _SIZE.fullmatch(str(text))
    if not match:
        return str(text).strip()
    return str(round(float(match[1]) * (1024 if match[2].lower() == "gb" else 1)))


def not_zero(value: Any) -> Any:
    """A host port of 0 is no host port: docker picks one. Source: API model, PortMapping `hostPort`."""
    return value or None


def role(text: Any) -> str:
    """The name of a role, with its path, whether it is given by name or by ARN: ECS answers the ARN for both.

    The account says nothing more, because ECS takes only roles of its own. Sources: API model, `taskRoleArn` ("the
    short name or full ARN"); amazon-ecs-render-task-definition #19, Particle-Cloud-Framework #128.
    """
    match = _ROLE_ARN.fullmatch(str(text).strip())
    return match[1] if match else str(text).strip().removeprefix("/")


def image(text: Any) -> str:
    """An image reference as docker reads it: `nginx` is `docker.io/library/nginx:latest`, and beside a digest a tag is
    a comment.

    A tag and a digest are never the same, even where the tag points at it today: one of them moves. The digest that ECS
    resolves a tag to is told on the service revision, never in a task definition, so it cannot be mistaken for a
    change. Sources: distribution/reference (grammar of references); ECS developer guide, "Container image resolution".
    """
    name, at, digest = str(text).strip().partition("@")
    for registry in _DOCKER_HUB:
        name = name.removeprefix(registry)
    name = name.removeprefix("library/") if name.count("/") == 1 else name
    place, slash, last = name.rpartition("/")
    repository, _, tag = last.partition(":")
    if not at:
        return f"{name}:latest" if last and not tag and ":" not in last else name
    return f"{place}{slash}{repository}@{digest.lower() if _DIGEST.fullmatch(digest) else digest}"


@functools.lru_cache(maxsize=1024)
def expression(text: Any) -> str:
    """A placement expression by its meaning. A text that is no expression stays as it is, blanks apart."""
    try:
        return meaning(str(text))
    except ExpressionError:
        return " ".join(str(text).split())


def strategy_field(value: Any) -> Any:
    """`host` means `instanceId`; ECS answers `cpu` and `memory` in capitals. Source: Terraform's provider."""
    return _FIELDS.get(str(value).lower(), value)


def target_groups(balancer: Wire) -> Wire:
    """A load balancer with its two target groups in one order: a blue/green deployment swaps them, so which of them is
    which is no setting.

    Sources: API model, AdvancedConfiguration; Terraform #45678.
    """
    first, second = _target_groups(balancer)
    return balancer if not first or not second or first < second else _swapped(balancer)


def as_deployed(wanted: Wire, live: Wire) -> Wire:
    """The wanted load balancer with the same two target groups where the last deployment has left them."""
    first, second = _target_groups(wanted)
    return _swapped(wanted) if first and second and _target_groups(live) == (second, first) else wanted


def _target_groups(balancer: Wire) -> tuple[Any, Any]:
    return balancer.get("targetGroupArn"), (balancer.get("advancedConfiguration") or {}).get("alternateTargetGroupArn")


def _swapped(balancer: Wire) -> Wire:
    first, second = _target_groups(balancer)
    advanced = {**balancer["advancedConfiguration"], "alternateTargetGroupArn": first}
    return {**balancer, "targetGroupArn": second, "advancedConfiguration": advanced}
