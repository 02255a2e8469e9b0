"""Task definitions: register, describe, list, deregister, delete.

A revision never changes except for its status: ACTIVE → INACTIVE → DELETE_IN_PROGRESS → gone once nothing refers to it.
Numbers are never given twice. Every register makes a new revision, equal content or not (RegisterTaskDefinition has no
client token). Neighbours: `taskdefinitionrules` (refuses), `readback` (fills in), `demand` (for the scheduler).
"""

from dataclasses import replace

from controller.sandbox import taskdefinitionrules
from controller.sandbox.agenda import Forget
from controller.sandbox.demand import demand_of, required_attributes
from controller.sandbox.errors import EcsError, client, invalid
from controller.sandbox.faults import cast, shadow_of
from controller.sandbox.identity import arn, principal
from controller.sandbox.paging import page
from controller.sandbox.readback import task_definition as read_back
from controller.sandbox.wire import Wire, clone, present, tag_list, tag_map
from controller.sandbox.world import ServiceStatus, TaskDefinition, World

_GONE = "The specified task definition does not exist. Specify a valid account, family, revision and try again."
_DELETE_CHECK = 60.0
"""Seconds between two looks at whether a DELETE_IN_PROGRESS revision is still referred to."""


def register(world: World, params: Wire) -> Wire:
    """RegisterTaskDefinition: the next revision of the family."""
    taskdefinitionrules.check(params)
    family = params["family"]
    revision = world.families.get(family, 0) + 1
    content = read_back(params)
    definition = TaskDefinition(
        arn=arn(world, "task-definition", f"{family}:{revision}"),
        family=family,
        revision=revision,
        status="ACTIVE",
        content=content,
        demand=demand_of(content),
        tags=tag_map(params.get("tags")),
        registered_at=world.now,
    )
    world.families[family] = revision
    cast(world.shadows, arn=definition.arn, view=None, now=world.now, lag=world.faults.lag)
    world.task_definitions[definition.arn] = definition
    answer: Wire = {"taskDefinition": describe_one(world, definition)}
    if definition.tags:
        answer["tags"] = tag_list(definition.tags)
    return answer


def describe(world: World, params: Wire) -> Wire:
    """DescribeTaskDefinition: by ARN, `family:revision`, or `family` (its newest ACTIVE revision)."""
    definition = find(world, params["taskDefinition"])
    if definition is None:
        raise client("Unable to describe task definition.")
    answer: Wire = {"taskDefinition": describe_one(world, definition)}
    if "TAGS" in params.get("include", ()):
        answer["tags"] = tag_list(definition.tags)
    return answer


def deregister(world: World, params: Wire) -> Wire:
    """DeregisterTaskDefinition: what runs goes on, nothing new may use it."""
    reference = params["taskDefinition"]
    if ":" not in reference.rpartition("/")[2]:
        raise invalid("TaskDefinition should be specified with a revision.")
    definition = find(world, reference)
    if definition is None or definition.status != "ACTIVE":
        raise client(_GONE)
    definition = replace(definition, status="INACTIVE", deregistered_at=world.now)
    world.task_definitions[definition.arn] = definition
    return {"taskDefinition": describe_one(world, definition)}


def delete(world: World, params: Wire) -> Wire:
    """DeleteTaskDefinitions: up to ten INACTIVE revisions."""
    references = params["taskDefinitions"]
    if not 1 <= len(references) <= 10:
        raise invalid("Between 1 and 10 task definitions can be deleted at a time.")
    deleted, failures = [], []
    for reference in references:
        definition = find(world, reference)
        if definition is None:
            failures.append({"arn": reference, "reason": _GONE})
        elif definition.status == "ACTIVE":
            failures.append(
                {
                    "arn": definition.arn,
                    "reason": "The specified task definition is still in ACTIVE status. "
                    "Please deregister the target and try again.",
                }
            )
        else:
            if definition.status == "INACTIVE":
                definition = replace(definition, status="DELETE_IN_PROGRESS", delete_requested_at=world.now)
                world.task_definitions[definition.arn] = definition
                world.agenda.add(world.now + _DELETE_CHECK, Forget(definition.arn, world.now))
            deleted.append(describe_one(world, definition))
    return {"taskDefinitions": deleted, "failures": failures}


def forget(world: World, reference: str) -> None:
    """Drop a DELETE_IN_PROGRESS revision once no task and no service, not even for a rollback, refers to it.

    Otherwise look again later.
    """
    used = {task.task_definition for task in world.tasks.values()}
    for service in world.services.values():
        if service.status is not ServiceStatus.INACTIVE:
            last = (service.completed,) if service.completed is not None else ()
            used |= {service.task_definition, *(d.task_definition for d in (*service.deployments, *last))}
    if reference in used:
        world.agenda.add(world.now + _DELETE_CHECK, Forget(reference, world.now))
    else:
        world.task_definitions.pop(reference, None)


def list_revisions(world: World, params: Wire) -> Wire:
    """ListTaskDefinitions: by family and revision; `familyPrefix` is the whole family name."""
    status = params.get("status", "ACTIVE")
    family = params.get("familyPrefix")
    found = [
        definition
        for definition in world.task_definitions.values()
        if definition.status == status
        and (family is None or definition.family == family)
        and shadow_of(world.shadows, arn=definition.arn, now=world.now) is None
    ]
    found.sort(key=lambda definition: (definition.family, definition.revision), reverse=params.get("sort") == "DESC")
    arns, token = page([definition.arn for definition in found], params, size=100)
    return present(taskDefinitionArns=arns, nextToken=token)


def list_families(world: World, params: Wire) -> Wire:
    """ListTaskDefinitionFamilies: ACTIVE means with an ACTIVE revision, INACTIVE without, ALL (the default) either."""
    status, prefix = params.get("status", "ALL"), params.get("familyPrefix", "")
    active = {definition.family for definition in world.task_definitions.values() if definition.status == "ACTIVE"}
    known = {definition.family for definition in world.task_definitions.values()}
    chosen = {"ACTIVE": active, "INACTIVE": known - active, "ALL": known}[status]
    names, token = page(sorted(name for name in chosen if name.startswith(prefix)), params, size=100)
    return present(families=names, nextToken=token)


def find(world: World, reference: str) -> TaskDefinition | None:
    """The revision that a reference means, whatever its status; a bare family means its newest ACTIVE one."""
    if reference.startswith("arn:"):
        return world.task_definitions.get(reference)
    family, _, revision = reference.partition(":")
    if revision:
        return world.task_definitions.get(arn(world, "task-definition", reference))
    for number in range(world.families.get(family, 0), 0, -1):
        definition = world.task_definitions.get(arn(world, "task-definition", f"{family}:{number}"))
        if definition is not None and definition.status == "ACTIVE":
            return definition
    return None


def usable(world: World, reference: str) -> TaskDefinition:
    """The revision for a new service, deployment or task.

    Raises:
        EcsError: ClientException when it does not exist or is not ACTIVE.
    """
    definition = find(world, reference)
    if definition is None:
        raise client("TaskDefinition not found.")
    if definition.status != "ACTIVE":
        raise EcsError("ClientException", "TaskDefinition is inactive")
    return definition


def describe_one(world: World, definition: TaskDefinition) -> Wire:
    """One revision on the wire."""
    content = clone(definition.content)
    return {
        **content,
        "taskDefinitionArn": definition.arn,
        "revision": definition.revision,
        "status": definition.status,
        "requiresAttributes": [{"name": name} for name in required_attributes(content)],
        "compatibilities": compatibilities(content),
        "registeredAt": definition.registered_at,
        "registeredBy": principal(world),
        **present(deregisteredAt=definition.deregistered_at, deleteRequestedAt=definition.delete_requested_at),
    }


def compatibilities(content: Wire) -> list[str]:
    """The launch types that can run it: awsvpc with sizes also on Fargate, without awsvpc also EXTERNAL."""
    if content.get("networkMode") != "awsvpc":
        return ["EXTERNAL", "EC2"]
    return ["EC2", "FARGATE"] if "cpu" in content and "memory" in content else ["EC2"]
