"""What CreateService and UpdateService refuse, beyond shapes: rules over the whole service as it would become.

Texts are ECS's where users or AWS's own pages quote them. Neighbours: `services` (calls), `validation` (parts).
"""

from controller.core.placement import subjects
from controller.sandbox.errors import invalid
from controller.sandbox.launching import FARGATE, target
from controller.sandbox.taskdefinitions import compatibilities
from controller.sandbox.validation import check_percentages, check_strategies, constraint_expressions
from controller.sandbox.wire import Wire
from controller.sandbox.world import Cluster, TaskDefinition

AZ = "attribute:ecs.availability-zone"
REBALANCING_PERCENT = (
    "Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment configuration"
)


def check_service(members: Wire, definition: TaskDefinition, cluster: Cluster, *, daemon: bool, verb: str) -> None:
    """Refuse a service whose members, all filled in, contradict each other or its task definition.

    Raises:
        EcsError: InvalidParameterException.
    """
    constraint_expressions(members["placementConstraints"])
    check_strategies(members["placementStrategy"])
    if len(members["placementConstraints"]) + len(definition.content["placementConstraints"]) > 10:
        raise invalid("A task can have at most 10 placement constraints, those of its task definition included.")
    if members["deploymentController"]["type"] == "ECS":
        check_percentages(members["deploymentConfiguration"], daemon=daemon)
    if daemon and members["placementStrategy"]:
        raise invalid("The daemon scheduling strategy does not support placement strategies.")
    _network(members, definition)
    _capacity(members, definition, cluster)
    _load_balancers(members, definition)
    if members["healthCheckGracePeriodSeconds"] and not members["loadBalancers"]:
        raise invalid("Health check grace period is only valid for services configured to use load balancers")
    if members["enableExecuteCommand"] and "taskRoleArn" not in definition.content:
        raise invalid(
            f"The service couldn't be {verb} because a valid taskRoleArn is not being used. "
            "Specify a valid task role in your task definition and try again."
        )
    if members["availabilityZoneRebalancing"] == "ENABLED" and (
        reason := unfit_for_rebalancing(members, daemon=daemon)
    ):
        raise invalid(reason)


def unfit_for_rebalancing(members: Wire, *, daemon: bool) -> str | None:
    """Why Availability Zone rebalancing cannot be on (ECS developer guide, service rebalancing), if so."""
    if daemon:
        return "Availability Zone Rebalancing does not support DAEMON services"
    if members["deploymentController"]["type"] == "EXTERNAL" or members.get("launchType") == "EXTERNAL":
        return "Availability Zone Rebalancing does not support EXTERNAL services"
    if members["deploymentConfiguration"]["maximumPercent"] <= 100:
        return REBALANCING_PERCENT
    strategies = members["placementStrategy"]
    if strategies and (strategies[0]["type"], strategies[0].get("field")) != ("spread", AZ):
        return f"Availability Zone Rebalancing requires a first placement strategy that spreads by {AZ}"
    if any(AZ in subjects(expression) for expression in constraint_expressions(members["placementConstraints"])):
        return f"Availability Zone Rebalancing does not support {AZ} as a placement constraint"
    return None


def is_fargate(members: Wire) -> bool:
    """Whether the tasks run on Fargate."""
    strategy = members.get("capacityProviderStrategy")
    if strategy:
        return all(entry["capacityProvider"] in FARGATE for entry in strategy)
    return bool(members.get("launchType") == "FARGATE")


def _network(members: Wire, definition: TaskDefinition) -> None:
    own = definition.content.get("networkMode") == "awsvpc"
    given = (members.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if own and given is None:
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if not own and given is not None:
        raise invalid("Network Configuration is not valid for the given networkMode of this task definition.")
    if given is not None and not given.get("subnets"):
        raise invalid("subnets can not be empty.")
    if given is not None and (len(given["subnets"]) > 16 or len(given.get("securityGroups", ())) > 5):
        raise invalid("A network configuration has at most 16 subnets and 5 security groups.")


def _capacity(members: Wire, definition: TaskDefinition, cluster: Cluster) -> None:
    kind = target(members)[1]
    if kind in ("EC2", "FARGATE", "EXTERNAL") and kind not in compatibilities(definition.content):
        raise invalid(f"Task definition does not support launch_type {kind}.")
    strategy = members.get("capacityProviderStrategy") or []
    known = FARGATE | set(cluster.members.get("capacityProviders", ()))
    for entry in strategy:
        if entry["capacityProvider"] not in known:
            raise invalid(
                f"The specified capacity provider '{entry['capacityProvider']}' was not found. "
                "Specify a valid name or ARN and try again."
            )
    if sum(entry.get("base", 0) > 0 for entry in strategy) > 1:
        raise invalid("Only one capacity provider in a strategy can have a base defined.")
    if strategy and not any(entry.get("weight", 0) > 0 for entry in strategy) and len(strategy) > 1:
        raise invalid("At least one capacity provider of a strategy needs a weight above 0.")
    if is_fargate(members) and (members["placementConstraints"] or members["placementStrategy"]):
        raise invalid("Placement constraints and strategies are not supported with FARGATE launch type.")


def _load_balancers(members: Wire, definition: TaskDefinition) -> None:
    if len(members["loadBalancers"]) > 5 or len(members["serviceRegistries"]) > 1:
        raise invalid("A service has at most 5 target groups and 1 service registry.")
    containers = {container["name"]: container for container in definition.content["containerDefinitions"]}
    for balancer in members["loadBalancers"]:
        name, port = balancer.get("containerName"), balancer.get("containerPort")
        container = containers.get(str(name))
        if container is None:
            raise invalid(f"The container {name} does not exist in the task definition.")
        if all(mapping.get("containerPort") != port for mapping in container["portMappings"]):
            raise invalid(f"The container {name} did not have a container port {port} defined.")
