"""Tags of resources that exist: add, remove, list.

TagResource merges, UntagResource removes; at most 50, `aws:` is refused. Neighbours: the records that carry tags.
"""

from collections.abc import Mapping
from dataclasses import replace

from controller.sandbox.errors import EcsError, invalid
from controller.sandbox.faults import cast
from controller.sandbox.serviceviews import view
from controller.sandbox.validation import check_tags
from controller.sandbox.wire import Tags, Wire, tag_list, tag_map
from controller.sandbox.world import ServiceStatus, World


def tag(world: World, params: Wire) -> Wire:
    """TagResource."""
    check_tags(params["tags"])
    known = _tags(world, params["resourceArn"])
    merged = {**known, **tag_map(params["tags"])}
    if len(merged) > 50:
        raise invalid(f"Invalid number of tags: a resource can have at most 50, it would have {len(merged)}.")
    _store(world, params["resourceArn"], merged)
    return {}


def untag(world: World, params: Wire) -> Wire:
    """UntagResource; a key that is not there is no error."""
    known = _tags(world, params["resourceArn"])
    if any(key.lower().startswith("aws:") for key in params["tagKeys"]):
        raise invalid("aws: prefixed tag key names are not allowed for external use.")
    _store(world, params["resourceArn"], {key: value for key, value in known.items() if key not in params["tagKeys"]})
    return {}


def list_tags(world: World, params: Wire) -> Wire:
    """ListTagsForResource."""
    return {"tags": tag_list(_tags(world, params["resourceArn"]))}


def _kind(world: World, reference: str) -> str:
    prefix = f"arn:aws:ecs:{world.region}:{world.account}:"
    kind, _, path = reference.removeprefix(prefix).partition("/")
    if not reference.startswith(prefix) or kind not in (
        "cluster",
        "service",
        "task",
        "task-definition",
        "container-instance",
    ):
        raise invalid(f"Invalid resource ARN: {reference}")
    if kind in ("service", "task", "container-instance") and "/" not in path:
        raise invalid("Long arn format must be used for tagging operations")
    return kind


def _tags(world: World, reference: str) -> Tags:
    tables: Mapping[str, Mapping[str, object]] = {
        "cluster": world.clusters,
        "service": world.services,
        "task": world.tasks,
        "task-definition": world.task_definitions,
        "container-instance": world.instances,
    }
    kind = _kind(world, reference)
    record = tables[kind].get(reference)
    service = world.services.get(reference)
    if record is None or (service is not None and service.status is ServiceStatus.INACTIVE):
        raise EcsError("ResourceNotFoundException", "The specified resource wasn't found.")
    found: Tags = getattr(record, "tags")  # noqa: B009 - one of five record types, all with tags
    return found


def _store(world: World, reference: str, tags: Tags) -> None:
    match _kind(world, reference):
        case "cluster":
            world.clusters[reference] = replace(world.clusters[reference], tags=tags)
        case "service":
            service = world.services[reference]
            before = view(world, service, tags=True)
            cast(world.shadows, arn=reference, view=before, now=world.now, lag=world.faults.lag)
            world.services[reference] = replace(service, tags=tags)
        case "task":
            world.tasks[reference] = replace(world.tasks[reference], tags=tags)
        case "task-definition":
            world.task_definitions[reference] = replace(world.task_definitions[reference], tags=tags)
        case _:
            world.instances[reference] = replace(world.instances[reference], tags=tags)
