"""Custom attributes of container instances: put, delete, list.

At most ten per instance; names that AWS reserves are refused (ECS quotas; Attribute in botocore's model).
Neighbours: `instances` (carries them), `scheduler` (constraints see them at once).
"""

import re
from dataclasses import replace

from controller.sandbox.errors import EcsError, invalid
from controller.sandbox.identity import cluster_of, in_cluster
from controller.sandbox.paging import page
from controller.sandbox.wake import wake_cluster
from controller.sandbox.wire import Wire, present
from controller.sandbox.world import Cluster, Instance, World

_NAME = re.compile(r"[A-Za-z0-9_./\\-]{1,128}")
_VALUE = re.compile(r"(?! )[A-Za-z0-9_./\\@: -]{1,128}(?<! )")
_RESERVED = ("ecs.", "com.amazonaws.", "aws:")


def put(world: World, params: Wire) -> Wire:
    """PutAttributes: up to ten at a time, all or none."""
    cluster = cluster_of(world, params.get("cluster"))
    attributes = params["attributes"]
    if not 1 <= len(attributes) <= 10:
        raise invalid("Between 1 and 10 attributes can be put at a time.")
    changed: dict[str, Instance] = {}
    for attribute in attributes:
        name, value = attribute["name"], attribute.get("value")
        if name.startswith(_RESERVED) or not _NAME.fullmatch(name):
            raise invalid(f"Invalid attribute name: {name}")
        if value is not None and not _VALUE.fullmatch(value):
            raise invalid(f"Invalid attribute value: {value}")
        instance = _target(world, cluster, attribute, changed)
        custom = instance.custom | {name}
        if len(custom) > 10:
            raise EcsError(
                "AttributeLimitExceededException", "You can apply up to 10 custom attributes for each resource."
            )
        changed[instance.arn] = replace(
            instance, attributes={**instance.attributes, name: value}, custom=custom, version=instance.version + 1
        )
    world.instances.update(changed)
    wake_cluster(world, cluster.arn)
    return {"attributes": [_on_wire(changed, world, cluster, attribute) for attribute in attributes]}


def delete(world: World, params: Wire) -> Wire:
    """DeleteAttributes: custom ones only; one that is not there is no error."""
    cluster = cluster_of(world, params.get("cluster"))
    attributes = params["attributes"]
    if not 1 <= len(attributes) <= 10:
        raise invalid("Between 1 and 10 attributes can be deleted at a time.")
    changed: dict[str, Instance] = {}
    for attribute in attributes:
        name = attribute["name"]
        instance = _target(world, cluster, attribute, changed)
        if name in instance.attributes and name not in instance.custom:
            raise invalid(f"Attribute {name} cannot be deleted.")
        left = {key: value for key, value in instance.attributes.items() if key != name}
        changed[instance.arn] = replace(
            instance, attributes=left, custom=instance.custom - {name}, version=instance.version + 1
        )
    world.instances.update(changed)
    wake_cluster(world, cluster.arn)
    return {"attributes": [_on_wire(changed, world, cluster, attribute) for attribute in attributes]}


def list_attributes(world: World, params: Wire) -> Wire:
    """ListAttributes: by name, and by value if the name is given."""
    cluster = cluster_of(world, params.get("cluster"))
    name, value = params.get("attributeName"), params.get("attributeValue")
    if value is not None and name is None:
        raise invalid("An attribute value needs an attribute name.")
    found = {
        f"{instance.arn} {key}": present(name=key, value=live, targetType="container-instance", targetId=instance.arn)
        for instance in world.instances.values()
        if instance.cluster_arn == cluster.arn
        for key, live in instance.attributes.items()
        if name in (None, key) and value in (None, live)
    }
    keys, token = page(list(found), params, size=100)
    return present(attributes=[found[key] for key in keys], nextToken=token)


def _target(world: World, cluster: Cluster, attribute: Wire, changed: dict[str, Instance]) -> Instance:
    if attribute.get("targetType", "container-instance") != "container-instance" or "targetId" not in attribute:
        raise invalid("An attribute needs a target: targetType container-instance and a targetId.")
    reference = in_cluster(world, cluster, "container-instance", attribute["targetId"])
    instance = changed.get(reference) or world.instances.get(reference)
    if instance is None:
        raise EcsError("TargetNotFoundException", "The specified target wasn't found.")
    return instance


def _on_wire(changed: dict[str, Instance], world: World, cluster: Cluster, attribute: Wire) -> Wire:
    instance = _target(world, cluster, attribute, changed)
    return present(
        name=attribute["name"],
        value=attribute.get("value"),
        targetType="container-instance",
        targetId=instance.arn,
    )
