"""Rows of CreateService and of all that stands below it, and what a change of each member does.

A service has more to say per member than a task definition, where every change is a new revision: whether UpdateService
takes it, whether that starts a deployment, where ECS answers it, and what to send to take it away again.
Sources: botocore's text per UpdateService parameter, live answers of 2026, errors collected by Terraform and PipeCD.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from controller.core.fields.kinds import (
    UNMANAGED,
    Bag,
    Constant,
    Derived,
    Field,
    Keyed,
    Leaf,
    Ordered,
    Rows,
    Struct,
    When,
    Wire,
    flags,
    is_enabled,
    plain,
)
from controller.core.fields.spelling import expression, strategy_field, target_groups


class Effect(StrEnum):
    """What a change does to the running service."""

    NO_RESTART = "no restart"
    NEW_REVISION = "new revision"
    NEW_DEPLOYMENT = "new deployment"
    FORCED_DEPLOYMENT = "forced new deployment"
    """ECS refuses the change unless the same call forces a deployment. Source: CloudFormation, PipeCD #6385."""
    NEXT_DEPLOYMENT = "applies at the next deployment"
    REPLACES = "REPLACES the service"


class Sent(StrEnum):
    """How a change of a service member reaches ECS."""

    UPDATE = "UpdateService"
    FORCED = "UpdateService with forceNewDeployment"
    TAGS = "TagResource"
    NEVER = "create only"
    IDENTITY = "identity"


class Answered(StrEnum):
    """Where ECS tells the live value."""

    SERVICE = "Service"
    DEPLOYMENT = "the PRIMARY deployment"
    NOWHERE = "not answered"


@dataclass(frozen=True, slots=True)
class ServiceMember:
    """One member of CreateService: the effect of a change, how it is sent, where it is read.

    `cleared` is what UpdateService must be told where the spec no longer declares the member.
    """

    effect: Effect
    sent: Sent = Sent.UPDATE
    answered: Answered = Answered.SERVICE
    cleared: Any = None


SERVICE_MEMBERS: Final[Mapping[str, ServiceMember]] = {
    "cluster": ServiceMember(Effect.REPLACES, sent=Sent.IDENTITY),
    "serviceName": ServiceMember(Effect.REPLACES, sent=Sent.IDENTITY),
    "clientToken": ServiceMember(Effect.NO_RESTART, sent=Sent.IDENTITY, answered=Answered.NOWHERE),
    "taskDefinition": ServiceMember(Effect.NEW_REVISION, sent=Sent.IDENTITY),
    "tags": ServiceMember(Effect.NO_RESTART, sent=Sent.TAGS),
    "desiredCount": ServiceMember(Effect.NO_RESTART),
    "availabilityZoneRebalancing": ServiceMember(Effect.NO_RESTART),
    "healthCheckGracePeriodSeconds": ServiceMember(Effect.NO_RESTART, cleared=0),
    "enableECSManagedTags": ServiceMember(Effect.NEXT_DEPLOYMENT, cleared=False),
    "propagateTags": ServiceMember(Effect.NEXT_DEPLOYMENT, cleared="NONE"),
    "enableExecuteCommand": ServiceMember(Effect.NEXT_DEPLOYMENT, cleared=False),
    "deploymentConfiguration": ServiceMember(Effect.NEXT_DEPLOYMENT),
    "placementConstraints": ServiceMember(Effect.NEXT_DEPLOYMENT, cleared=[]),
    "placementStrategy": ServiceMember(Effect.NEXT_DEPLOYMENT, cleared=[]),
    "capacityProviderStrategy": ServiceMember(Effect.FORCED_DEPLOYMENT, sent=Sent.FORCED, cleared=[]),
    "networkConfiguration": ServiceMember(Effect.NEW_DEPLOYMENT, cleared={}),
    "platformVersion": ServiceMember(Effect.NEW_DEPLOYMENT),
    "loadBalancers": ServiceMember(Effect.NEW_DEPLOYMENT, cleared=[]),
    "serviceRegistries": ServiceMember(Effect.NEW_DEPLOYMENT, cleared=[]),
    "serviceConnectConfiguration": ServiceMember(
        Effect.NEW_DEPLOYMENT, answered=Answered.DEPLOYMENT, cleared={"enabled": False}
    ),
    "volumeConfigurations": ServiceMember(Effect.NEW_DEPLOYMENT, answered=Answered.DEPLOYMENT, cleared=[]),
    "vpcLatticeConfigurations": ServiceMember(Effect.NEW_DEPLOYMENT, answered=Answered.DEPLOYMENT, cleared=[]),
    "gatewayConnectors": ServiceMember(Effect.NEXT_DEPLOYMENT, answered=Answered.NOWHERE, cleared=[]),
    "monitoring": ServiceMember(Effect.NO_RESTART, answered=Answered.NOWHERE, cleared={"metricConfigurations": []}),
    "launchType": ServiceMember(Effect.REPLACES, sent=Sent.NEVER),
    "schedulingStrategy": ServiceMember(Effect.REPLACES, sent=Sent.NEVER),
    "role": ServiceMember(Effect.REPLACES, sent=Sent.NEVER, answered=Answered.NOWHERE),
    "deploymentController": ServiceMember(Effect.REPLACES, sent=Sent.NEVER),
}
"""Every member of CreateService. `deploymentController` is create-only for us: UpdateService takes it only between
controllers that we refuse to manage. `role` reads back as a service-linked ARN that nobody wrote."""

WRITE_ONLY: Final = tuple(
    name
    for name, member in SERVICE_MEMBERS.items()
    if member.sent is Sent.UPDATE and member.answered is Answered.NOWHERE
)
"""Members that can be changed and are never answered: what is live must be remembered."""

OUTPUT_ONLY: Final = frozenset(
    {
        *("serviceArn", "clusterArn", "status", "runningCount", "pendingCount", "deployments", "taskSets", "events"),
        *("createdAt", "createdBy", "roleArn", "platformFamily", "currentServiceDeployment", "currentServiceRevisions"),
        *("resourceManagementType",),
    }
)
"""Members of the Service answer that describe what happens, not what was asked for."""

DEPLOYMENT_OUTPUT_ONLY: Final = frozenset(
    {
        *("id", "status", "taskDefinition", "desiredCount", "pendingCount", "runningCount", "failedTasks"),
        *("createdAt", "updatedAt", "rolloutState", "rolloutStateReason", "serviceConnectResources"),
        *("capacityProviderStrategy", "launchType", "platformVersion", "platformFamily", "networkConfiguration"),
        *("fargateEphemeralStorage",),
    }
)
"""Members of a deployment that describe what happens, or that the Service answer tells as they were asked for."""

NO_STATE: Final = frozenset({"service", "forceNewDeployment"})
"""Members of UpdateService that say which service is meant and what is to happen, and are kept nowhere."""

TASK_DEFINITION_OUTPUT_ONLY: Final = frozenset(
    {
        *("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt"),
        *("registeredBy", "deregisteredAt", "deleteRequestedAt"),
    }
)
"""Members of the TaskDefinition answer that nobody asks for."""


def is_daemon(request: Wire) -> bool:
    """Whether a service runs one task per instance: other defaults, and no desired count."""
    return bool(request.get("schedulingStrategy") == "DAEMON")


def _maximum_percent(_: Wire, request: Wire) -> int:
    return 100 if is_daemon(request) else 200


def _minimum_healthy_percent(_: Wire, request: Wire) -> int:
    return 0 if is_daemon(request) else 100


def _deploys_by(strategy: str) -> When:
    """A row that means something only with this deployment strategy."""
    return lambda configuration: configuration.get("strategy") == strategy


_ENABLE: Final = is_enabled("enable")
_ENABLED: Final = is_enabled("enabled")
_UNMANAGED_LEAF: Final[Field] = Leaf(default=UNMANAGED)

SERVICE_SHAPES: Final[Mapping[str, Rows]] = {
    "CreateServiceRequest": {
        **plain("cluster", "serviceName", "taskDefinition", "clientToken"),
        **flags("enableECSManagedTags", "enableExecuteCommand"),
        "desiredCount": _UNMANAGED_LEAF,
        "launchType": _UNMANAGED_LEAF,
        "platformVersion": _UNMANAGED_LEAF,
        "role": _UNMANAGED_LEAF,
        "availabilityZoneRebalancing": Leaf(default=Constant("DISABLED")),
        "capacityProviderStrategy": Keyed("CapacityProviderStrategyItem", by=("capacityProvider",), default=UNMANAGED),
        "healthCheckGracePeriodSeconds": Leaf(default=Constant(0)),
        "schedulingStrategy": Leaf(default=Constant("REPLICA")),
        "propagateTags": Leaf(default=Constant("NONE")),
        "deploymentController": Struct("DeploymentController", filled=True),
        "deploymentConfiguration": Struct("DeploymentConfiguration", filled=True),
        "networkConfiguration": Struct("NetworkConfiguration"),
        "placementConstraints": Keyed("PlacementConstraint", by=("type", "expression")),
        "placementStrategy": Ordered("PlacementStrategy"),
        "loadBalancers": Keyed(
            "LoadBalancer", by=("containerName", "containerPort", "targetGroupArn"), arranged=target_groups
        ),
        "serviceRegistries": Keyed("ServiceRegistry", by=("registryArn",)),
        "tags": Keyed("Tag", by=("key",), value="value"),
        "serviceConnectConfiguration": Struct("ServiceConnectConfiguration", filled=True),
        "volumeConfigurations": Keyed("ServiceVolumeConfiguration", by=("name",)),
        "vpcLatticeConfigurations": Keyed(
            "VpcLatticeConfiguration", by=("portName", "targetGroupArn"), arranged=target_groups
        ),
        "gatewayConnectors": Keyed("GatewayConnector", by=("portName",)),
        "monitoring": Struct("MonitoringConfiguration"),
    },
    "LoadBalancer": {
        **plain("targetGroupArn", "loadBalancerName", "containerName", "containerPort"),
        "advancedConfiguration": Struct("AdvancedConfiguration"),
    },
    "AdvancedConfiguration": plain("alternateTargetGroupArn", "productionListenerRule", "testListenerRule", "roleArn"),
    "ServiceRegistry": plain("registryArn", "port", "containerName", "containerPort"),
    "CapacityProviderStrategyItem": {
        **plain("capacityProvider"),
        "weight": Leaf(default=Constant(0)),
        "base": Leaf(default=Constant(0)),
    },
    "DeploymentConfiguration": {
        "deploymentCircuitBreaker": Struct("DeploymentCircuitBreaker", filled=True),
        "maximumPercent": Leaf(default=Derived(_maximum_percent)),
        "minimumHealthyPercent": Leaf(default=Derived(_minimum_healthy_percent)),
        "alarms": Struct("DeploymentAlarms", filled=True),
        "strategy": Leaf(default=Constant("ROLLING")),
        "bakeTimeInMinutes": Leaf(default=Constant(0)),
        "lifecycleHooks": Keyed("DeploymentLifecycleHook", by=("hookTargetArn", "lifecycleStages")),
        "linearConfiguration": Struct("LinearConfiguration", filled=True, when=_deploys_by("LINEAR")),
        "canaryConfiguration": Struct("CanaryConfiguration", filled=True, when=_deploys_by("CANARY")),
        "earlySuccessCriteria": Struct("DeploymentEarlySuccessCriteria", filled=True),
    },
    "DeploymentCircuitBreaker": {
        **flags("enable"),
        **flags("rollback", when=_ENABLE),
        "resetOnHealthyTask": Leaf(default=Constant(value=True), when=_ENABLE),
        "thresholdConfiguration": Struct("ThresholdConfiguration", filled=True, when=_ENABLE),
    },
    "ThresholdConfiguration": {
        "type": Leaf(default=Constant("BOUNDED_PERCENT")),
        "value": Leaf(default=Constant(50)),
    },
    "DeploymentAlarms": {**flags("enable"), **flags("rollback", when=_ENABLE), "alarmNames": Bag(when=_ENABLE)},
    "DeploymentLifecycleHook": {
        **plain("hookTargetArn", "roleArn", "hookDetails"),
        "targetType": Leaf(default=Constant("AWS_LAMBDA")),
        "lifecycleStages": Bag(),
        "timeoutConfiguration": Struct("DeploymentLifecycleHookTimeoutConfiguration", filled=True),
    },
    "DeploymentLifecycleHookTimeoutConfiguration": {
        "timeoutInMinutes": Leaf(default=Constant(1440)),
        "action": Leaf(default=Constant("ROLLBACK")),
    },
    "LinearConfiguration": {
        "stepPercent": Leaf(default=Constant(10.0)),
        "stepBakeTimeInMinutes": Leaf(default=Constant(6)),
    },
    "CanaryConfiguration": {
        "canaryPercent": Leaf(default=Constant(5.0)),
        "canaryBakeTimeInMinutes": Leaf(default=Constant(10)),
    },
    "DeploymentEarlySuccessCriteria": {
        **flags("enable"),
        "healthyPercent": Leaf(default=Constant(100), when=_ENABLE),
        "sourceServiceRevisionCleanup": Leaf(default=Constant("BLOCKING"), when=_ENABLE),
    },
    "PlacementConstraint": {**plain("type"), "expression": Leaf(canonical=expression)},
    "PlacementStrategy": {**plain("type"), "field": Leaf(canonical=strategy_field)},
    "NetworkConfiguration": {"awsvpcConfiguration": Struct("AwsVpcConfiguration")},
    "AwsVpcConfiguration": {
        "subnets": Bag(),
        "securityGroups": Bag(default=UNMANAGED),
        "assignPublicIp": Leaf(default=Constant("DISABLED")),
    },
    "DeploymentController": {"type": Leaf(default=Constant("ECS"))},
    "ServiceConnectConfiguration": {
        **flags("enabled"),
        # Left out, it is the cluster's. Source: API model, ClusterServiceConnectDefaults.
        "namespace": Leaf(default=UNMANAGED, when=_ENABLED),
        "services": Keyed("ServiceConnectService", by=("portName",), when=_ENABLED),
        "logConfiguration": Struct("LogConfiguration", when=_ENABLED),
        "accessLogConfiguration": Struct("ServiceConnectAccessLogConfiguration", when=_ENABLED),
        "containerConfigurations": Ordered(
            "ServiceConnectContainerConfiguration", default=Constant([{"logLevel": "info"}]), when=_ENABLED
        ),
    },
    "ServiceConnectService": {
        **plain("portName", "ingressPortOverride"),
        "discoveryName": Leaf(default=Derived(lambda service, _: service.get("portName"))),
        "clientAliases": Keyed("ServiceConnectClientAlias", by=("port",)),
        "timeout": Struct("TimeoutConfiguration"),
        "tls": Struct("ServiceConnectTlsConfiguration"),
    },
    "ServiceConnectClientAlias": {
        **plain("port"),
        # Left out, it is made of the discovery name and the namespace, which may be the cluster's.
        "dnsName": Leaf(default=UNMANAGED),
        "testTrafficRules": Struct("ServiceConnectTestTrafficRules"),
    },
    "ServiceConnectTestTrafficRules": {"header": Struct("ServiceConnectTestTrafficHeaderRules")},
    "ServiceConnectTestTrafficHeaderRules": {
        **plain("name"),
        "value": Struct("ServiceConnectTestTrafficHeaderMatchRules"),
    },
    "ServiceConnectTestTrafficHeaderMatchRules": plain("exact"),
    "TimeoutConfiguration": plain("idleTimeoutSeconds", "perRequestTimeoutSeconds"),
    "ServiceConnectTlsConfiguration": {
        **plain("kmsKey", "roleArn"),
        "issuerCertificateAuthority": Struct("ServiceConnectTlsCertificateAuthority"),
    },
    "ServiceConnectTlsCertificateAuthority": plain("awsPcaAuthorityArn"),
    "ServiceConnectAccessLogConfiguration": {
        **plain("format"),
        "includeQueryParameters": Leaf(default=Constant("DISABLED")),
    },
    "ServiceConnectContainerConfiguration": plain("logLevel"),
    "ServiceVolumeConfiguration": {
        **plain("name"),
        "managedEBSVolume": Struct("ServiceManagedEBSVolumeConfiguration"),
    },
    "ServiceManagedEBSVolumeConfiguration": {
        **plain("snapshotId", "volumeInitializationRate", "roleArn"),
        "filesystemType": Leaf(default=Constant("xfs")),
        # Left out, these are the snapshot's, the volume type's, the cluster's or the account's.
        **dict.fromkeys(("kmsKeyId", "volumeType", "sizeInGiB", "iops", "throughput", "encrypted"), _UNMANAGED_LEAF),
        "tagSpecifications": Keyed("EBSTagSpecification", by=("resourceType",)),
    },
    "EBSTagSpecification": {
        **plain("resourceType"),
        "tags": Keyed("Tag", by=("key",), value="value"),
        "propagateTags": Leaf(default=Constant("NONE")),
    },
    "VpcLatticeConfiguration": {
        **plain("roleArn", "targetGroupArn", "portName"),
        "advancedConfiguration": Struct("VpcLatticeAdvancedConfiguration"),
    },
    "VpcLatticeAdvancedConfiguration": plain("alternateTargetGroupArn", "productionListenerRule", "testListenerRule"),
    "GatewayConnector": {
        **plain("portName"),
        "healthCheck": Struct("GatewayConnectorHealthCheck"),
        "filters": Struct("GatewayConnectorFilters"),
    },
    "GatewayConnectorHealthCheck": {
        **plain(
            *("healthCheckProtocol", "healthCheckPort", "healthCheckPath", "healthCheckTimeoutSeconds"),
            *("healthCheckIntervalSeconds", "healthyThresholdCount", "unhealthyThresholdCount"),
        ),
        "matcher": Struct("GatewayConnectorHealthCheckMatcher"),
    },
    "GatewayConnectorHealthCheckMatcher": plain("httpCode", "grpcCode"),
    "GatewayConnectorFilters": {"accessTypes": Bag()},
    "MonitoringConfiguration": {"metricConfigurations": Keyed("MetricConfiguration", by=("metricNames",))},
    "MetricConfiguration": {**plain("resolutionSeconds"), "metricNames": Bag()},
}
