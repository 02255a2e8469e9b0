"""Container instances: registration, states, description.

A deregistered instance is gone at once. DRAINING is obeyed by the service schedulers (`rollout`), not here; standalone
tasks stay. Resources read back as recorded: CPU, MEMORY, PORTS, PORTS_UDP, each with all four value members.
Neighbours: `fleet` (types), `scheduler` (places on them), `attributes`.
"""

import json
from dataclasses import replace

from controller.core.placement import Facts, evaluate
from controller.sandbox.errors import invalid
from controller.sandbox.fleet import AGENT_VERSION, RESERVED_PORTS, TYPES, InstanceType, Machine, attributes_of
from controller.sandbox.identity import arn, cluster_of, hex_id, in_cluster
from controller.sandbox.paging import page, scattered
from controller.sandbox.tasks import host_lost, stop
from controller.sandbox.validation import check_tags, constraint_expressions
from controller.sandbox.wake import wake_cluster
from controller.sandbox.wire import Wire, present, tag_list, tag_map
from controller.sandbox.world import STARTING, Cluster, Instance, StopCode, TaskStatus, World


def add(world: World, machine: Machine, *, cluster: Cluster) -> Instance:
    """Register a machine of the fleet in a cluster."""
    zone = world.region + machine.zone
    return _store(world, machine.kind, cluster=cluster, attributes=attributes_of(machine.kind, zone=zone))


def register(world: World, params: Wire) -> Wire:
    """RegisterContainerInstance: type, zone and id come from the identity document, resources from the type or request.

    The document's signature is not checked. An unknown type needs `totalResources`.
    """
    check_tags(params.get("tags"))
    cluster = cluster_of(world, params.get("cluster"))
    try:
        document = json.loads(params.get("instanceIdentityDocument") or "{}")
    except ValueError as error:
        raise invalid("The instance identity document is not JSON.") from error
    total = {resource["name"]: resource.get("integerValue", 0) for resource in params.get("totalResources", ())}
    name = document.get("instanceType", "m5.2xlarge")
    known = TYPES.get(name)
    if known is None and not {"CPU", "MEMORY"} <= set(total):
        raise invalid(f"The sandbox does not know the instance type {name}: give its totalResources.")
    kind = known or InstanceType(name, cpu=0, memory=0)
    kind = replace(kind, cpu=total.get("CPU", kind.cpu), memory=total.get("MEMORY", kind.memory))
    kind = replace(kind, image=document.get("imageId", kind.image))
    attributes = attributes_of(kind, zone=document.get("availabilityZone", world.region + "a"))
    given = {attribute["name"]: attribute.get("value") for attribute in params.get("attributes", ())}
    instance = _store(world, kind, cluster=cluster, attributes={**attributes, **given})
    instance = replace(
        instance,
        ec2_id=document.get("instanceId", instance.ec2_id),
        custom=frozenset(name for name in given if not name.startswith(("ecs.", "com.amazonaws."))),
        tags=tag_map(params.get("tags")),
    )
    world.instances[instance.arn] = instance
    return {"containerInstance": view(world, instance, tags=True)}


def _store(world: World, kind: InstanceType, *, cluster: Cluster, attributes: dict[str, str | None]) -> Instance:
    key = hex_id(world, "instance")
    instance = Instance(
        arn=arn(world, "container-instance", cluster.name, key),
        cluster_arn=cluster.arn,
        ec2_id=f"i-0{key[:16]}",
        status="ACTIVE",
        agent_connected=True,
        agent_version=AGENT_VERSION,
        attributes=attributes,
        custom=frozenset(),
        cpu=kind.cpu,
        memory=kind.memory,
        reserved_tcp=RESERVED_PORTS,
        cards=kind.cards,
        registered_at=world.now,
        version=1,
        tags={},
    )
    world.instances[instance.arn] = instance
    wake_cluster(world, cluster.arn)
    return instance


def deregister(world: World, params: Wire) -> Wire:
    """DeregisterContainerInstance: with tasks on it only by `force`; those tasks end with their host."""
    cluster = cluster_of(world, params.get("cluster"))
    reference = in_cluster(world, cluster, "container-instance", params["containerInstance"])
    instance = world.instances.get(reference)
    if instance is None:
        raise invalid("Referenced container instance not found.")
    if world.tasks_on.get(reference) and not params.get("force"):
        raise invalid("Found running tasks on the instance.")
    answer = {**view(world, instance, tags=False), "status": "INACTIVE", "agentConnected": False}
    remove(world, instance)
    return {"containerInstance": answer}


def remove(world: World, instance: Instance) -> None:
    """Take the instance away, with everything on it."""
    for task in world.tasks_on.get(instance.arn, ()):
        host_lost(world, world.tasks[task], reason=f"Host EC2 (instance {instance.ec2_id}) terminated.")
    world.instances.pop(instance.arn)
    world.tasks_on.pop(instance.arn, None)
    wake_cluster(world, instance.cluster_arn)


def interrupt(world: World, instance: Instance) -> None:
    """A spot machine has two minutes left: it drains, and what runs on it is told to stop."""
    drains = replace(instance, status="DRAINING", version=instance.version + 1)
    world.instances[instance.arn] = drains
    for task in world.tasks_on.get(instance.arn, ()):
        stop(world, world.tasks[task], code=StopCode.SPOT, reason="Your Spot Task was interrupted.")
    wake_cluster(world, instance.cluster_arn)


def update_state(world: World, params: Wire) -> Wire:
    """UpdateContainerInstancesState: ACTIVE or DRAINING, up to ten instances."""
    cluster = cluster_of(world, params.get("cluster"))
    references, status = params["containerInstances"], params["status"]
    if not 1 <= len(references) <= 10:
        raise invalid("Between 1 and 10 container instances can be updated at a time.")
    if status not in ("ACTIVE", "DRAINING"):
        raise invalid(f"Container instances cannot be set to {status}.")
    changed, failures = [], []
    for reference in references:
        instance = world.instances.get(in_cluster(world, cluster, "container-instance", reference))
        if instance is None:
            failures.append(_missing(world, cluster, reference))
            continue
        instance = replace(instance, status=status, version=instance.version + 1)
        world.instances[instance.arn] = instance
        changed.append(view(world, instance, tags=False))
    wake_cluster(world, cluster.arn)
    return {"containerInstances": changed, "failures": failures}


def set_agent(world: World, instance: Instance, *, connected: bool) -> None:
    """The agent comes or goes: no API does this, the world does."""
    world.instances[instance.arn] = replace(instance, agent_connected=connected, version=instance.version + 1)
    wake_cluster(world, instance.cluster_arn)


def describe(world: World, params: Wire) -> Wire:
    """DescribeContainerInstances: up to 100."""
    cluster = cluster_of(world, params.get("cluster"))
    references = params["containerInstances"]
    if not references:
        raise invalid("Container instances cannot be empty.")
    if len(references) > 100:
        raise invalid("Container instances cannot be more than 100.")
    found, failures = [], []
    for reference in references:
        instance = world.instances.get(in_cluster(world, cluster, "container-instance", reference))
        if instance is None:
            failures.append(_missing(world, cluster, reference))
        else:
            found.append(view(world, instance, tags="TAGS" in params.get("include", ())))
    return {"containerInstances": found, "failures": failures}


def list_instances(world: World, params: Wire) -> Wire:
    """ListContainerInstances: by status and by an expression of the cluster query language (certain matches only)."""
    cluster = cluster_of(world, params.get("cluster"))
    text = params.get("filter")
    wanted = constraint_expressions([{"type": "memberOf", "expression": text}]) if text else ()
    status = params.get("status")
    found = [
        instance.arn
        for instance in world.instances.values()
        if instance.cluster_arn == cluster.arn
        and status in (None, instance.status)
        and all(evaluate(expression, facts(world, instance)) for expression in wanted)
    ]
    arns, token = page(scattered(found), params, size=100)
    return present(containerInstanceArns=arns, nextToken=token)


def facts(world: World, instance: Instance) -> Facts:
    """What an expression may ask about the instance."""
    tasks = [world.tasks[task] for task in world.tasks_on.get(instance.arn, ())]
    return Facts(
        attributes=instance.attributes,
        agent_connected=instance.agent_connected,
        agent_version=instance.agent_version,
        ec2_instance_id=instance.ec2_id,
        registered_at=instance.registered_at,
        running_tasks=sum(task.status is TaskStatus.RUNNING for task in tasks),
        task_groups=frozenset(task.group for task in tasks if task.desired is TaskStatus.RUNNING),
    )


def view(world: World, instance: Instance, *, tags: bool) -> Wire:
    """One instance on the wire."""
    tasks = [world.tasks[task] for task in world.tasks_on.get(instance.arn, ())]
    return {
        "containerInstanceArn": instance.arn,
        "ec2InstanceId": instance.ec2_id,
        "version": instance.version,
        "versionInfo": {
            "agentVersion": instance.agent_version,
            "agentHash": "4943e4d8",
            "dockerVersion": "DockerVersion: 20.10.17",
        },
        "remainingResources": _resources(
            instance.cpu - instance.used_cpu,
            instance.memory - instance.used_memory,
            instance.reserved_tcp | instance.used_tcp,
            instance.used_udp,
        ),
        "registeredResources": _resources(instance.cpu, instance.memory, instance.reserved_tcp, frozenset()),
        "status": instance.status,
        "agentConnected": instance.agent_connected,
        "runningTasksCount": sum(task.status is TaskStatus.RUNNING for task in tasks),
        "pendingTasksCount": sum(task.status in STARTING for task in tasks),
        "attributes": [present(name=name, value=value) for name, value in instance.attributes.items()],
        "registeredAt": instance.registered_at,
        "attachments": [],
        "tags": tag_list(instance.tags) if tags else [],
    }


def _resources(cpu: int, memory: int, tcp: frozenset[int], udp: frozenset[int]) -> list[Wire]:
    numbers = [("CPU", cpu), ("MEMORY", memory)]
    ports = [("PORTS", tcp), ("PORTS_UDP", udp)]
    return [
        {"name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": value}
        for name, value in numbers
    ] + [
        {
            "name": name,
            "type": "STRINGSET",
            "doubleValue": 0.0,
            "longValue": 0,
            "integerValue": 0,
            "stringSetValue": [str(port) for port in sorted(values)],
        }
        for name, values in ports
    ]


def _missing(world: World, cluster: Cluster, reference: str) -> Wire:
    return {"arn": in_cluster(world, cluster, "container-instance", reference), "reason": "MISSING"}
