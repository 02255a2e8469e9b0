"""The records of a rollout: deployments, service revisions, service deployments; success, failure, rollback.

Decides what a new deployment looks like, when the circuit breaker fires and where a rollback goes: to the last
COMPLETED deployment, under its old id, as public event logs show ("rolling back to deployment ecs-svc/A", later
"(deployment ecs-svc/A) deployment completed"). Threshold: DeploymentCircuitBreaker in botocore's model.
Neighbours: `rollout` (drives), `services` (begins), `servicedeployments` (shows).
"""

from dataclasses import replace
from math import ceil
from typing import Any

from controller.sandbox.events import STEADY, say
from controller.sandbox.identity import arn, deployment_key, revision_number, short_name
from controller.sandbox.wire import Wire, clone
from controller.sandbox.world import Deployment, Revision, Rollout, Service, ServiceDeployment, Stage, World

OF_REVISION = ("launchType", "capacityProviderStrategy", "platformVersion", "platformFamily", "networkConfiguration")
"""Members that Service, Deployment and ServiceRevision all read back."""

ONLY_REVISION = ("loadBalancers", "serviceRegistries")
"""Members that Service and ServiceRevision read back, but Deployment does not."""

FINAL = frozenset({Stage.SUCCESSFUL, Stage.STOPPED, Stage.ROLLBACK_SUCCESSFUL, Stage.ROLLBACK_FAILED})

TRIPPED = "Service deployment rolled back because the circuit breaker threshold was exceeded."
NO_CANDIDATE = "No rollback candidate was found to run the rollback."
STOPPED_BY_USER = "Service deployment was stopped on request."


def threshold(breaker: Wire, desired: int) -> int:
    """How many failures trip the breaker of a service with so many desired tasks."""
    configuration = breaker.get("thresholdConfiguration") or {}
    value = int(configuration.get("value", 50))
    match configuration.get("type", "BOUNDED_PERCENT"):
        case "COUNT":
            return value
        case "UNBOUNDED_PERCENT":
            return max(1, ceil(value * desired / 100))
        case _:
            return min(200, max(3, ceil(value * desired / 100)))


def begin(world: World, service: Service) -> Service:
    """The service with a new PRIMARY deployment of what it asks for now. The running one, if any, is superseded."""
    number = revision_number(world)
    cluster = short_name(service.cluster_arn)
    shared = {name: service.members[name] for name in OF_REVISION if name in service.members}
    revision = Revision(
        arn=arn(world, "service-revision", cluster, service.name, number),
        service=service.arn,
        cluster_arn=service.cluster_arn,
        task_definition=service.task_definition,
        created_at=world.now,
        members={
            **shared,
            **{name: service.members[name] for name in ONLY_REVISION if service.members.get(name)},
            **service.revision_members,
        },
    )
    world.revisions[revision.arn] = revision
    identifier = f"ecs-svc/{number}"
    deployment = Deployment(
        id=identifier,
        task_definition=service.task_definition,
        desired=0 if service.deployments else service.desired,
        created_at=world.now,
        updated_at=world.now,
        rollout=Rollout.IN_PROGRESS,
        reason=f"ECS deployment {identifier} in progress.",
        members={**shared, **service.revision_members},
    )
    history = world.service_deployments.get(service.arn, ())
    if history and history[0].stage not in FINAL:
        stopped = replace(history[0], stage=Stage.STOP_REQUESTED, updated_at=world.now)
        history = (stopped, *history[1:])
    record = ServiceDeployment(
        arn=arn(world, "service-deployment", cluster, service.name, deployment_key(world)),
        service=service.arn,
        cluster_arn=service.cluster_arn,
        stage=Stage.PENDING,
        created_at=world.now,
        updated_at=world.now,
        target=revision.arn,
        sources=tuple(revision_arn(world, service, old) for old in service.deployments if _alive(world, service, old)),
        configuration=clone(service.members["deploymentConfiguration"]),
    )
    world.service_deployments[service.arn] = (record, *history)
    return replace(service, deployments=(deployment, *service.deployments), steady=False, trouble=None)


def advance_stages(world: World, service: Service) -> None:
    """What was requested of service deployments happens."""
    history = world.service_deployments.get(service.arn, ())
    if any(record.stage not in FINAL for record in history):
        world.service_deployments[service.arn] = tuple(_advanced(world, record) for record in history)


def _advanced(world: World, record: ServiceDeployment) -> ServiceDeployment:
    match record.stage:
        case Stage.PENDING:
            return replace(record, stage=Stage.IN_PROGRESS, started_at=world.now, updated_at=world.now)
        case Stage.STOP_REQUESTED:
            return replace(
                record, stage=Stage.STOPPED, stopped_at=world.now, finished_at=world.now, updated_at=world.now
            )
        case Stage.ROLLBACK_REQUESTED:
            return replace(record, stage=Stage.ROLLBACK_IN_PROGRESS, updated_at=world.now)
        case _:
            return record


def complete(world: World, service: Service) -> Service:
    """The PRIMARY deployment has all its tasks, healthy, and nothing else runs."""
    primary = replace(
        service.deployments[0],
        rollout=Rollout.COMPLETED,
        reason=f"ECS deployment {service.deployments[0].id} completed.",
        updated_at=world.now,
    )
    service = replace(service, deployments=(primary, *service.deployments[1:]), completed=primary)
    history = world.service_deployments[service.arn]
    rolled_back = history[0].stage in (Stage.ROLLBACK_IN_PROGRESS, Stage.ROLLBACK_REQUESTED)
    if history[0].stage not in FINAL:
        finished = replace(
            history[0],
            stage=Stage.ROLLBACK_SUCCESSFUL if rolled_back else Stage.SUCCESSFUL,
            finished_at=world.now,
            updated_at=world.now,
        )
        world.service_deployments[service.arn] = (finished, *history[1:])
    service = say(world, service, f"(deployment {primary.id}) deployment completed.")
    return steady(world, service)


def steady(world: World, service: Service) -> Service:
    """The service says that it is steady."""
    return replace(say(world, service, STEADY), steady=True, steady_at=world.now)


def trip(world: World, service: Service) -> Service:
    """The circuit breaker fires: the deployment failed; roll back if the service asks for it and has where to go."""
    failed = replace(
        service.deployments[0],
        rollout=Rollout.FAILED,
        reason="ECS deployment circuit breaker: tasks failed to start.",
        updated_at=world.now,
    )
    service = replace(service, deployments=(failed, *service.deployments[1:]), steady=False)
    service = say(world, service, f"(deployment {failed.id}) deployment failed: tasks failed to start.")
    breaker = service.members["deploymentConfiguration"]["deploymentCircuitBreaker"]
    if not breaker["rollback"]:
        _record(world, service, stage=Stage.STOP_REQUESTED, tripped=True, reason=failed.reason)
        return service
    if service.completed is None or service.completed.id == failed.id:
        _record(world, service, stage=Stage.ROLLBACK_FAILED, tripped=True, reason=NO_CANDIDATE, finished_at=world.now)
        return service
    return roll_back(world, service, tripped=True, reason=TRIPPED)


def roll_back(world: World, service: Service, *, tripped: bool, reason: str) -> Service:
    """Back to the last COMPLETED deployment, under its own id, with the tasks that it still has.

    A service that never completed one stays as it is.
    """
    target = service.completed
    if target is None:
        return service
    revision = world.revisions[revision_arn(world, service, target)]
    because = "circuit breaker: " if tripped else ""
    primary = replace(
        target,
        rollout=Rollout.IN_PROGRESS,
        reason=f"ECS deployment {because}rolling back to deploymentId {target.id}.",
        desired=service.desired,
        created_at=world.now,
        updated_at=world.now,
        failed=0,
        retry_at=0.0,
        pause=0.0,
        reset_at=world.now,
    )
    others = tuple(deployment for deployment in service.deployments if deployment.id != target.id)
    members = {name: value for name, value in service.members.items() if name not in OF_REVISION}
    members |= {name: revision.members[name] for name in OF_REVISION if name in revision.members}
    members |= {name: revision.members.get(name, []) for name in ONLY_REVISION}
    service = replace(
        service,
        deployments=(primary, *others),
        task_definition=target.task_definition,
        members=members,
        revision_members={
            name: value for name, value in revision.members.items() if name not in (*OF_REVISION, *ONLY_REVISION)
        },
        trouble=None,
        steady=False,
    )
    _record(
        world,
        service,
        stage=Stage.ROLLBACK_REQUESTED,
        tripped=tripped,
        reason=reason,
        rollback={"reason": reason, "startedAt": world.now, "serviceRevisionArn": revision.arn},
    )
    return say(world, service, f"rolling back to deployment {target.id}.")


def revision_arn(world: World, service: Service, deployment: Deployment) -> str:
    """The service revision of a deployment: they share their number."""
    return arn(world, "service-revision", short_name(service.cluster_arn), service.name, deployment.number)


def _record(world: World, service: Service, **fields: Any) -> None:
    """Write on the current service deployment."""
    history = world.service_deployments[service.arn]
    changed = replace(history[0], updated_at=world.now, **fields)
    world.service_deployments[service.arn] = (changed, *history[1:])


def _alive(world: World, service: Service, deployment: Deployment) -> bool:
    return any(world.tasks[task].deployment == deployment.id for task in world.tasks_of.get(service.arn, ()))


def stop(world: World, service: Service, *, rollback: bool) -> Service:
    """A user stops the current service deployment: back to the last completed one, or just no further.

    Without a completed one to go back to, the rollback fails at once.
    """
    failed = replace(
        service.deployments[0],
        rollout=Rollout.FAILED,
        reason=f"ECS deployment {service.deployments[0].id} stopped.",
        updated_at=world.now,
    )
    service = replace(service, deployments=(failed, *service.deployments[1:]), steady=False, trouble=None)
    if not rollback:
        _record(world, service, stage=Stage.STOP_REQUESTED, reason=STOPPED_BY_USER)
    elif service.completed is None or service.completed.id == failed.id:
        _record(world, service, stage=Stage.ROLLBACK_FAILED, reason=NO_CANDIDATE, finished_at=world.now)
    else:
        service = roll_back(world, service, tripped=False, reason=STOPPED_BY_USER)
    return service
