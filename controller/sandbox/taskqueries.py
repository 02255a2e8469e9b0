"""DescribeTasks, ListTasks, StopTask.

A STOPPED task can be described for an hour, then it is MISSING. ListTasks asks for the desired status, RUNNING unless
named. Neighbours: `tasks` (life), `taskviews` (answers).
"""

from dataclasses import replace

from controller.sandbox.errors import invalid, service_not_found
from controller.sandbox.faults import shadow_of
from controller.sandbox.identity import cluster_of, in_cluster
from controller.sandbox.paging import page, scattered
from controller.sandbox.services import find
from controller.sandbox.tasks import stop
from controller.sandbox.taskviews import view
from controller.sandbox.wire import Wire, present
from controller.sandbox.world import Cluster, StopCode, Task, World


def describe(world: World, params: Wire) -> Wire:
    """DescribeTasks: up to 100 of one cluster."""
    cluster = cluster_of(world, params.get("cluster"))
    references = params["tasks"]
    if not references:
        raise invalid("Tasks cannot be empty.")
    if len(references) > 100:
        raise invalid("Tasks cannot be more than 100.")
    found, failures = [], []
    for reference in references:
        task = _find(world, cluster, reference)
        if task is None or _hidden(world, task):
            failures.append({"arn": in_cluster(world, cluster, "task", reference), "reason": "MISSING"})
        else:
            found.append(view(task, tags="TAGS" in params.get("include", ())))
    return {"tasks": found, "failures": failures}


def list_tasks(world: World, params: Wire) -> Wire:
    """ListTasks: by instance, family, service, launch type, desired status; `startedBy` only alone."""
    cluster = cluster_of(world, params.get("cluster"))
    filters = {"containerInstance", "family", "serviceName", "desiredStatus", "launchType"} & params.keys()
    if "startedBy" in params and filters:
        raise invalid("When you specify startedBy as the filter, it must be the only filter that you use.")
    service = instance = None
    if "serviceName" in params:
        service = find(world, cluster, params["serviceName"])
        if service is None:
            raise service_not_found()
    if "containerInstance" in params:
        instance = in_cluster(world, cluster, "container-instance", params["containerInstance"])
    family = params.get("family")
    desired = params.get("desiredStatus", "RUNNING")
    found = [
        task.arn
        for task in world.tasks.values()
        if task.cluster_arn == cluster.arn
        and task.desired == desired
        and (service is None or task.service == service.arn)
        and instance in (None, task.instance)
        and (family is None or task.task_definition.rpartition("/")[2].partition(":")[0] == family)
        and params.get("startedBy") in (None, task.started_by)
        and params.get("launchType") in (None, task.launch_type)
        and not _hidden(world, task)
    ]
    arns, token = page(scattered(found), params, size=100)
    return present(taskArns=arns, nextToken=token)


def stop_task(world: World, params: Wire) -> Wire:
    """StopTask: the task stops in its own time; its tags are gone at once."""
    cluster = cluster_of(world, params.get("cluster"))
    task = _find(world, cluster, params["task"])
    if task is None:
        raise invalid("The referenced task was not found.")
    task = stop(world, task, code=StopCode.USER, reason=params.get("reason") or "Task stopped by user")
    task = replace(task, tags={})
    world.tasks[task.arn] = task
    return {"task": view(task)}


def _find(world: World, cluster: Cluster, reference: str) -> Task | None:
    return world.tasks.get(in_cluster(world, cluster, "task", reference))


def _hidden(world: World, task: Task) -> bool:
    """Whether readers that lag do not see the task yet."""
    return bool(world.shadows) and shadow_of(world.shadows, arn=task.arn, now=world.now) is not None
