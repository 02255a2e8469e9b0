"""RunTask and StartTask: tasks without a service.

EC2 tasks do not queue: what finds no place now is a failure in the answer, with HTTP 200. A client token repeats the
original result for the same parameters and conflicts for others (RunTask in the API reference, "Ensuring idempotency").
Neighbours: `scheduler` (places), `tasks` (starts), `taskviews` (answers).
"""

import json
import re
from dataclasses import replace

from controller.sandbox.errors import conflict, invalid
from controller.sandbox.faults import cast
from controller.sandbox.identity import cluster_of, in_cluster, short_name
from controller.sandbox.launching import target
from controller.sandbox.readback import capacity_provider_strategy
from controller.sandbox.scheduler import NoPlace, Wish, obstacles, place, wish
from controller.sandbox.taskdefinitions import compatibilities, usable
from controller.sandbox.tasks import Launch, launch
from controller.sandbox.taskviews import brief, view
from controller.sandbox.validation import check_strategies, check_tags, constraint_expressions
from controller.sandbox.wire import Tags, Wire, clone, tag_map
from controller.sandbox.world import Cluster, Demand, Instance, Task, TaskDefinition, TaskStatus, Token, World

TOKEN_LIFE = 24 * 3600.0
"""The longest life of a client token; it ends one hour after its tasks, if that is earlier."""

_STARTED_BY = re.compile(r"[A-Za-z0-9/_-]{0,128}")


def run(world: World, params: Wire) -> Wire:
    """RunTask: up to ten tasks, as many as find a place."""
    cluster = cluster_of(world, params.get("cluster"))
    token = params.get("clientToken")
    if token is not None and not (len(token) <= 64 and all(33 <= ord(character) <= 126 for character in token)):
        raise invalid("The client token has at most 64 ASCII characters.")
    if token is not None and (known := _remembered(world, cluster, token)) is not None:
        return _replay(world, known, params)
    count = params.get("count", 1)
    if not 1 <= count <= 10:
        raise invalid("Count must be between 1 and 10.")
    definition = usable(world, params["taskDefinition"])
    members = _members(params, cluster)
    _check(params, definition, members)
    provider, kind = target(members)
    demand = _demand(definition, params.get("overrides", {}))
    group = params.get("group") or f"family:{definition.family}"
    constraints = constraint_expressions(members["placementConstraints"])
    wanted = wish(cluster.arn, group, demand=demand, members=members, constraints=constraints, service=False)
    if kind != "FARGATE" and not any(i.cluster_arn == cluster.arn for i in world.instances.values()):
        raise invalid("No Container Instances were found in your cluster.")
    order = _order(params, definition, cluster, group=group, kind=kind, provider=provider)
    tasks, failures = _start(world, order, wanted, count=count)
    for task in tasks:
        cast(world.shadows, arn=task.arn, view=None, now=world.now, lag=world.faults.lag)
    if token is not None:
        remembered = Token(_without_token(params), tuple(task.arn for task in tasks), tuple(failures), world.now)
        world.tokens[cluster.arn, token] = remembered
    return {"tasks": [view(task, tags=True) for task in tasks], "failures": clone(failures)}


def start(world: World, params: Wire) -> Wire:
    """StartTask: one task on each named instance, constraints unseen."""
    cluster = cluster_of(world, params.get("cluster"))
    references = params["containerInstances"]
    if not 1 <= len(references) <= 10:
        raise invalid("Between 1 and 10 container instances can be named.")
    definition = usable(world, params["taskDefinition"])
    members: Wire = {"placementConstraints": [], "placementStrategy": [], "launchType": "EC2"}
    _check(params, definition, members)
    demand = replace(_demand(definition, params.get("overrides", {})), constraints=())
    group = params.get("group") or f"family:{definition.family}"
    wanted = wish(cluster.arn, group, demand=demand, members=members, constraints=(), service=False)
    order = _order(params, definition, cluster, group=group, kind="EC2", provider=None)
    tasks, failures = [], []
    for reference in references:
        instance = world.instances.get(in_cluster(world, cluster, "container-instance", reference))
        if instance is None:
            missing = in_cluster(world, cluster, "container-instance", reference)
            failures.append({"arn": missing, "reason": "MISSING"})
        elif against := obstacles(world, instance, wanted):
            failures.append({"arn": instance.arn, "reason": against[0].value})
        else:
            tasks.append(launch(world, replace(order, instance=instance)))
    return {"tasks": [view(task, tags=True) for task in tasks], "failures": failures}


def _start(world: World, order: Launch, wanted: Wish, *, count: int) -> tuple[list[Task], list[Wire]]:
    tasks: list[Task] = []
    for _ in range(count):
        instance: Instance | None = None
        if order.launch_type != "FARGATE":
            found = place(world, wanted) if order.launch_type == "EC2" else NoPlace(())
            if isinstance(found, NoPlace):
                return tasks, found.failures() or [{"reason": "NO ACTIVE INSTANCES"}]
            instance = found
        tasks.append(launch(world, replace(order, instance=instance)))
    return tasks, []


def _members(params: Wire, cluster: Cluster) -> Wire:
    strategy = params.get("capacityProviderStrategy")
    if strategy and "launchType" in params:
        raise invalid("Specify either a launch type or a capacity provider strategy, not both.")
    if not strategy and "launchType" not in params:
        strategy = cluster.members.get("defaultCapacityProviderStrategy")
    return {
        "placementConstraints": params.get("placementConstraints", []),
        "placementStrategy": params.get("placementStrategy", []),
        "launchType": params.get("launchType", "EC2"),
        **({"capacityProviderStrategy": capacity_provider_strategy(strategy)} if strategy else {}),
    }


def _check(params: Wire, definition: TaskDefinition, members: Wire) -> None:
    check_tags(params.get("tags"))
    check_strategies(members["placementStrategy"])
    constraint_expressions(members["placementConstraints"])
    if len(members["placementConstraints"]) + len(definition.content["placementConstraints"]) > 10:
        raise invalid("A task can have at most 10 placement constraints, those of its task definition included.")
    if params.get("propagateTags") == "SERVICE":
        raise invalid("Invalid value for propagateTags: SERVICE. A standalone task can only use TASK_DEFINITION.")
    if not _STARTED_BY.fullmatch(params.get("startedBy", "")):
        raise invalid("startedBy has at most 128 letters, numbers, hyphens, slashes and underscores.")
    if len(params.get("group", "")) > 255:
        raise invalid("The group has at most 255 characters.")
    kind = target(members)[1]
    if kind in ("EC2", "FARGATE", "EXTERNAL") and kind not in compatibilities(definition.content):
        raise invalid(f"Task definition does not support launch_type {kind}.")
    if kind == "FARGATE" and (members["placementConstraints"] or members["placementStrategy"]):
        raise invalid("Placement constraints and strategies are not supported with FARGATE launch type.")
    own = definition.content.get("networkMode") == "awsvpc"
    given = (params.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if own and given is None:
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if not own and given is not None:
        raise invalid("Network Configuration is not valid for the given networkMode of this task definition.")
    if params.get("enableExecuteCommand") and "taskRoleArn" not in definition.content:
        raise invalid(
            "The task couldn't be started because a valid taskRoleArn is not being used. "
            "Specify a valid task role in your task definition and try again."
        )
    _check_overrides(params.get("overrides", {}), definition)


def _check_overrides(overrides: Wire, definition: TaskDefinition) -> None:
    if len(json.dumps(overrides)) > 8192:
        raise invalid("Container Overrides length must be at most 8192")
    names = {container["name"] for container in definition.content["containerDefinitions"]}
    for override in overrides.get("containerOverrides", ()):
        if override.get("name") not in names:
            raise invalid(
                f"Override for container named {override.get('name')} is not a container in the TaskDefinition."
            )


def _demand(definition: TaskDefinition, overrides: Wire) -> Demand:
    demand = definition.demand
    return replace(
        demand, cpu=int(overrides.get("cpu", demand.cpu)), memory=int(overrides.get("memory", demand.memory))
    )


def _order(
    params: Wire, definition: TaskDefinition, cluster: Cluster, *, group: str, kind: str, provider: str | None
) -> Launch:
    return Launch(
        definition=definition,
        cluster_arn=cluster.arn,
        group=group,
        launch_type=kind,
        instance=None,
        started_by=params.get("startedBy"),
        capacity_provider=provider,
        overrides=clone(params.get("overrides", {})),
        network=clone(params.get("networkConfiguration")),
        tags=_tags(params, definition, cluster),
        execute_command=params.get("enableExecuteCommand", False),
    )


def _tags(params: Wire, definition: TaskDefinition, cluster: Cluster) -> Tags:
    propagated = definition.tags if params.get("propagateTags") == "TASK_DEFINITION" else {}
    managed = {"aws:ecs:clusterName": short_name(cluster.arn)} if params.get("enableECSManagedTags") else {}
    return {**propagated, **tag_map(params.get("tags")), **managed}


def _remembered(world: World, cluster: Cluster, token: str) -> Token | None:
    """The earlier call with this token, unless the token has expired."""
    known = world.tokens.get((cluster.arn, token))
    if known is None:
        return None
    tasks = [world.tasks.get(reference) for reference in known.tasks]
    live = not tasks or any(task is not None for task in tasks)
    if live and world.now - known.at < TOKEN_LIFE:
        return known
    del world.tokens[cluster.arn, token]
    return None


def _replay(world: World, known: Token, params: Wire) -> Wire:
    if known.params != _without_token(params):
        raise conflict("The client token was used with other parameters.", resources=list(known.tasks))
    tasks = [world.tasks[reference] for reference in known.tasks if reference in world.tasks]
    return {
        "tasks": [brief(task) if task.status is TaskStatus.STOPPED else view(task, tags=True) for task in tasks],
        "failures": clone(list(known.failures)),
    }


def _without_token(params: Wire) -> Wire:
    return clone({name: value for name, value in params.items() if name != "clientToken"})
