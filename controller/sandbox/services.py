"""Services: create, update, delete, describe, list.

Decides what each write makes of the service and whether it starts a deployment (the sentence of each UpdateService
member in botocore's model: "triggers a new service deployment" or not). Create is idempotent for an equal request; a
DRAINING name is blocked, an INACTIVE one free and its ARN comes again. Deleting is draining, and the schedulers do it.
Neighbours: `servicerules` (refuses), `deployments` (begins), `rollout` (acts later), `serviceviews` (answers).
"""

from dataclasses import replace

from controller.sandbox import servicerules
from controller.sandbox.deployments import begin
from controller.sandbox.errors import EcsError, invalid, service_not_found
from controller.sandbox.faults import cast, shadow_of
from controller.sandbox.identity import arn, cluster_of, in_cluster
from controller.sandbox.paging import page, scattered
from controller.sandbox.readback import (
    capacity_provider_strategy,
    deployment_configuration,
    network_configuration,
    placement_strategy,
)
from controller.sandbox.serviceviews import view
from controller.sandbox.taskdefinitions import usable
from controller.sandbox.validation import check_name, check_tags
from controller.sandbox.wake import wake
from controller.sandbox.wire import Wire, clone, present, tag_map
from controller.sandbox.world import Cluster, Service, ServiceStatus, TaskDefinition, World

REVISION_ONLY = (
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
)
"""Members of a request that Service does not read back."""

DEPLOYS = frozenset(
    {
        "taskDefinition",
        "networkConfiguration",
        "platformVersion",
        "loadBalancers",
        "serviceRegistries",
        "serviceConnectConfiguration",
        "volumeConfigurations",
        "vpcLatticeConfigurations",
    }
)
"""UpdateService members that start a deployment when they change something."""

_FORCE = (
    "When switching from launch type to capacity provider strategy on an existing service, or making a change to a "
    "capacity provider strategy on a service that is already using one, you must force a new deployment."
)
_NO_FALLBACK = (
    "No launch type to fall back to for empty capacity provider strategy. "
    "Your service was not created with a launch type."
)


def create(world: World, params: Wire) -> Wire:
    """CreateService."""
    cluster = cluster_of(world, params.get("cluster"))
    name = params["serviceName"]
    check_name(name, "The service name")
    check_tags(params.get("tags"))
    reference = arn(world, "service", cluster.name, name)
    known = world.services.get(reference)
    if known is not None and known.status is ServiceStatus.ACTIVE:
        if known.request == params:
            return {"service": view(world, known, tags=True)}
        raise invalid("Creation of service was not idempotent.")
    if known is not None and known.status is ServiceStatus.DRAINING:
        raise invalid("Unable to Start a service that is still Draining.")
    daemon = params.get("schedulingStrategy") == "DAEMON"
    _check_counts(params, daemon=daemon, creating=True)
    if not params.get("taskDefinition"):
        raise invalid("The task definition cannot be empty.")
    definition = usable(world, params["taskDefinition"])
    members = _created_members(world, params, definition, cluster, daemon=daemon)
    servicerules.check_service(members, definition, cluster, daemon=daemon, verb="created")
    before = view(world, known, tags=True) if known is not None else None
    cast(world.shadows, arn=reference, view=before, now=world.now, lag=world.faults.lag)
    service = Service(
        arn=reference,
        name=name,
        cluster_arn=cluster.arn,
        status=ServiceStatus.ACTIVE,
        desired=params.get("desiredCount", 0),
        daemon=daemon,
        task_definition=definition.arn,
        created_at=world.now,
        members=members,
        revision_members={member: clone(params[member]) for member in REVISION_ONLY if params.get(member)},
        tags=tag_map(params.get("tags")),
        request=clone(params),
        deployments=(),
    )
    _drop_history(world, reference)
    if members["deploymentController"]["type"] == "ECS":
        service = begin(world, service)
    world.services[reference] = service
    wake(world, reference)
    return {"service": view(world, service, tags=True)}


def _check_counts(params: Wire, *, daemon: bool, creating: bool) -> None:
    count = params.get("desiredCount")
    if daemon and count is not None:
        raise invalid(
            "The daemon scheduling strategy does not support a desired count for services. "
            "Remove the desired count value and try again."
        )
    if creating and not daemon and count is None:
        raise invalid("The desired count cannot be null for a service with the replica scheduling strategy.")
    if count is not None and not 0 <= count <= 5000:
        raise invalid(f"The desired count must be between 0 and 5000, found {count}.")
    token = params.get("clientToken")
    if token is not None and not (len(token) <= 36 and all(33 <= ord(character) <= 126 for character in token)):
        raise invalid("The client token has at most 36 ASCII characters.")


def _created_members(world: World, params: Wire, definition: TaskDefinition, cluster: Cluster, *, daemon: bool) -> Wire:
    """Every member that Service reads back, defaults filled in."""
    strategy = params.get("capacityProviderStrategy")
    if strategy and "launchType" in params:
        raise invalid("Specify either a launch type or a capacity provider strategy, not both.")
    if strategy is None and "launchType" not in params:
        strategy = cluster.members.get("defaultCapacityProviderStrategy")
    members: Wire = {
        **({"capacityProviderStrategy": capacity_provider_strategy(strategy)} if strategy else {}),
        **({} if strategy else {"launchType": params.get("launchType", "EC2")}),
        "loadBalancers": clone(params.get("loadBalancers", [])),
        "serviceRegistries": clone(params.get("serviceRegistries", [])),
        "deploymentConfiguration": deployment_configuration(params.get("deploymentConfiguration"), daemon=daemon),
        "deploymentController": params.get("deploymentController", {"type": "ECS"}),
        "placementConstraints": clone(params.get("placementConstraints", [])),
        "placementStrategy": placement_strategy(params.get("placementStrategy", [])),
        "healthCheckGracePeriodSeconds": params.get("healthCheckGracePeriodSeconds", 0),
        "schedulingStrategy": "DAEMON" if daemon else "REPLICA",
        "enableECSManagedTags": params.get("enableECSManagedTags", False),
        "propagateTags": params.get("propagateTags", "NONE"),
        "enableExecuteCommand": params.get("enableExecuteCommand", False),
        "availabilityZoneRebalancing": "DISABLED",
    }
    if params.get("networkConfiguration"):
        members["networkConfiguration"] = network_configuration(params["networkConfiguration"])
    if servicerules.is_fargate(members):
        members |= {"platformVersion": params.get("platformVersion", "LATEST"), "platformFamily": "Linux"}
    if definition.content.get("networkMode") == "awsvpc" or members["loadBalancers"]:
        role = f"arn:aws:iam::{world.account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
        members["roleArn"] = params.get("role", role)
    fits = servicerules.unfit_for_rebalancing(members, daemon=daemon) is None
    members["availabilityZoneRebalancing"] = params.get(
        "availabilityZoneRebalancing", "ENABLED" if fits else "DISABLED"
    )
    return members


def update(world: World, params: Wire) -> Wire:
    """UpdateService: only what is named changes. Its answer has no tags (recorded so)."""
    cluster = cluster_of(world, params.get("cluster"))
    service = find(world, cluster, params["service"])
    if service is None:
        raise service_not_found()
    if service.status is not ServiceStatus.ACTIVE:
        raise EcsError("ServiceNotActiveException", "Service was not ACTIVE.")
    force = bool(params.get("forceNewDeployment"))
    _check_counts(params, daemon=service.daemon, creating=False)
    _check_controller(service, params, force=force)
    definition = (
        usable(world, params["taskDefinition"])
        if params.get("taskDefinition")
        else world.task_definitions[service.task_definition]
    )
    if force and definition.status != "ACTIVE":
        raise EcsError("ClientException", "TaskDefinition is inactive")
    members = _updated_members(service, params, force=force)
    servicerules.check_service(members, definition, cluster, daemon=service.daemon, verb="updated")
    revision_members = {
        **service.revision_members,
        **{member: clone(params[member]) for member in REVISION_ONLY if params.get(member) is not None},
    }
    changed = {
        *(name for name in DEPLOYS if members.get(name) != service.members.get(name)),
        *(name for name in DEPLOYS if revision_members.get(name) != service.revision_members.get(name)),
        *({"taskDefinition"} if definition.arn != service.task_definition else ()),
    }
    cast(
        world.shadows,
        arn=service.arn,
        view=view(world, service, tags=True),
        now=world.now,
        lag=world.faults.lag,
    )
    service = replace(
        service,
        members=members,
        revision_members={name: value for name, value in revision_members.items() if value},
        task_definition=definition.arn,
        desired=params.get("desiredCount", service.desired),
    )
    if force or changed & DEPLOYS:
        if service.deployments or members["deploymentController"]["type"] == "ECS":
            service = begin(world, service)
    elif service.deployments and service.deployments[0].desired != service.desired:
        primary = replace(service.deployments[0], desired=service.desired)
        service = replace(service, deployments=(primary, *service.deployments[1:]), trouble=None)
    world.services[service.arn] = service
    wake(world, service.arn)
    return {"service": view(world, service)}


def _check_controller(service: Service, params: Wire, *, force: bool) -> None:
    kind = service.members["deploymentController"]["type"]
    asked = (params.get("deploymentController") or {}).get("type", kind)
    if asked != kind and {asked, kind} != {"ECS", "EXTERNAL"} and (kind, asked) != ("CODE_DEPLOY", "ECS"):
        raise invalid(f"The deployment controller of a service cannot change from {kind} to {asked}.")
    if kind == "ECS":
        return
    if force:
        hint = " Use AWS CodeDeploy to trigger a new deployment." if kind == "CODE_DEPLOY" else ""
        raise invalid(f"Cannot force a new deployment on services with a {kind} deployment controller.{hint}")
    if params.get("taskDefinition"):
        raise invalid(
            f"Unable to update task definition on services with a {kind} deployment controller. "
            "Use AWS CodeDeploy to trigger a new deployment."
        )


def _updated_members(service: Service, params: Wire, *, force: bool) -> Wire:
    members = dict(service.members)
    for name in (
        "loadBalancers",
        "serviceRegistries",
        "placementConstraints",
        "healthCheckGracePeriodSeconds",
        "enableExecuteCommand",
        "enableECSManagedTags",
        "propagateTags",
        "availabilityZoneRebalancing",
        "deploymentController",
        "platformVersion",
    ):
        if params.get(name) is not None:
            members[name] = clone(params[name])
    if params.get("placementStrategy") is not None:
        members["placementStrategy"] = placement_strategy([entry for entry in params["placementStrategy"] if entry])
    if params.get("deploymentConfiguration") is not None:
        members["deploymentConfiguration"] = deployment_configuration(
            params["deploymentConfiguration"], daemon=service.daemon, live=members["deploymentConfiguration"]
        )
    if params.get("networkConfiguration") is not None:
        members["networkConfiguration"] = network_configuration(params["networkConfiguration"])
    if params.get("capacityProviderStrategy") is not None:
        _switch_capacity(service, members, params["capacityProviderStrategy"], force=force)
    return members


def _switch_capacity(service: Service, members: Wire, asked: list[Wire], *, force: bool) -> None:
    """From a launch type to providers, between providers, or back by an empty list."""
    strategy = capacity_provider_strategy(asked)
    if strategy == members.get("capacityProviderStrategy", []):
        return
    if not force:
        raise invalid(_FORCE)
    if strategy:
        members.pop("launchType", None)
        members["capacityProviderStrategy"] = strategy
        return
    original = service.request.get("launchType")
    if original is None:
        raise invalid(_NO_FALLBACK)
    members.pop("capacityProviderStrategy", None)
    members["launchType"] = original


def delete(world: World, params: Wire) -> Wire:
    """DeleteService: only a scaled-down one, unless forced; its tasks may still run (recorded so)."""
    cluster = cluster_of(world, params.get("cluster"))
    service = find(world, cluster, params["service"])
    if service is None or service.status is ServiceStatus.INACTIVE:
        raise service_not_found()
    if service.status is ServiceStatus.DRAINING:
        return {"service": view(world, service)}
    if not params.get("force"):
        if service.desired > 0 and not service.daemon:
            raise invalid("The service cannot be stopped while it is scaled above 0.")
        if len(service.deployments) > 1:
            raise invalid("The service cannot be stopped while deployments are active.")
    cast(
        world.shadows,
        arn=service.arn,
        view=view(world, service, tags=True),
        now=world.now,
        lag=world.faults.lag,
    )
    deployments = tuple(replace(deployment, desired=0) for deployment in service.deployments)
    service = replace(service, status=ServiceStatus.DRAINING, desired=0, deployments=deployments, trouble=None)
    world.services[service.arn] = service
    wake(world, service.arn)
    return {"service": view(world, service)}


def describe(world: World, params: Wire) -> Wire:
    """DescribeServices: up to ten of one cluster; what is not there is a failure MISSING."""
    cluster = cluster_of(world, params.get("cluster"))
    references = params["services"]
    if not references:
        raise invalid("Services cannot be empty.")
    if len(references) > 10:
        raise invalid("Services cannot be more than 10.")
    tags = "TAGS" in params.get("include", ())
    found, failures = [], []
    for reference in references:
        service_arn = in_cluster(world, cluster, "service", reference)
        answer = _seen(world, service_arn, tags=tags)
        if answer is None:
            failures.append({"arn": service_arn, "reason": "MISSING"})
        else:
            found.append(answer)
    return {"services": found, "failures": failures}


def _seen(world: World, service_arn: str, *, tags: bool) -> Wire | None:
    """What a reader sees of the service, which may lag behind the latest write."""
    shadow = shadow_of(world.shadows, arn=service_arn, now=world.now) if world.shadows else None
    if shadow is not None:
        if shadow.view is None:
            return None
        return clone({name: value for name, value in shadow.view.items() if tags or name != "tags"})
    service = world.services.get(service_arn)
    return view(world, service, tags=tags) if service is not None else None


def list_services(world: World, params: Wire) -> Wire:
    """ListServices: ACTIVE ones only, ten to a page unless asked."""
    cluster = cluster_of(world, params.get("cluster"))
    found = [
        service.arn
        for service in world.services.values()
        if service.cluster_arn == cluster.arn
        and _listed(world, service)
        and params.get("launchType") in (None, service.members.get("launchType"))
        and params.get("schedulingStrategy") in (None, service.members["schedulingStrategy"])
        and params.get("resourceManagementType") in (None, "CUSTOMER")
    ]
    arns, token = page(scattered(found), params, size=10)
    return present(serviceArns=arns, nextToken=token)


def _listed(world: World, service: Service) -> bool:
    shadow = shadow_of(world.shadows, arn=service.arn, now=world.now)
    if shadow is not None:
        return shadow.view is not None and shadow.view["status"] == ServiceStatus.ACTIVE
    return service.status is ServiceStatus.ACTIVE


def find(world: World, cluster: Cluster, reference: str) -> Service | None:
    """The service of a name or ARN, whatever its status."""
    return world.services.get(in_cluster(world, cluster, "service", reference))


def forget(world: World, reference: str, since: float) -> None:
    """Purge an INACTIVE service, unless the name is in use again."""
    service = world.services.get(reference)
    if service is None or service.status is not ServiceStatus.INACTIVE or service.inactive_at != since:
        return
    del world.services[reference]
    _drop_history(world, reference)


def _drop_history(world: World, reference: str) -> None:
    """Service deployments and revisions end with their service."""
    for record in world.service_deployments.pop(reference, ()):
        world.revisions.pop(record.target, None)
