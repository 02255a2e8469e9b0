"""Rows of RegisterTaskDefinition and of all that stands below it.

Sources: AWS API model (botocore), recorded answers of live ECS (2018-2026), and what Terraform's provider normalises.
A member that ECS returns as sent and leaves out otherwise needs no more than its name here.
"""

from collections.abc import Mapping
from typing import Any, Final

from controller.core.fields.kinds import (
    FALSE,
    UNMANAGED,
    Bag,
    Constant,
    Derived,
    Keyed,
    Leaf,
    Ordered,
    Rows,
    Struct,
    TextMap,
    Wire,
    flags,
    is_enabled,
    plain,
)
from controller.core.fields.spelling import cpu_units, expression, image, memory_mib, not_zero, role
from controller.core.gaudi.cards import canonical_environment

HOST_PORT_IS_CONTAINER_PORT: Final = frozenset({"awsvpc", "host"})
"""Network modes in which ECS fills `hostPort` with `containerPort`. Sources: API model, Terraform #3401."""


def _host_port(mapping: Wire, request: Wire) -> Any:
    """Under awsvpc and host the host port is the container port; under bridge absent and 0 both mean dynamic."""
    return mapping.get("containerPort") if request.get("networkMode") in HOST_PORT_IS_CONTAINER_PORT else None


def _swappiness(linux: Wire, _: Wire) -> Any:
    """60 where there is a swap limit; without one it says nothing. Source: API model, LinuxParameters `swappiness`."""
    return None if linux.get("maxSwap") is None else 60


TASK_DEFINITION_SHAPES: Final[Mapping[str, Rows]] = {
    "RegisterTaskDefinitionRequest": {
        **plain("family", "pidMode", "ipcMode"),
        **flags("enableFaultInjection"),
        "taskRoleArn": Leaf(canonical=role),
        "executionRoleArn": Leaf(canonical=role),
        "networkMode": Leaf(default=Constant("bridge")),
        "cpu": Leaf(canonical=cpu_units),
        "memory": Leaf(canonical=memory_mib),
        "containerDefinitions": Keyed("ContainerDefinition", by=("name",)),
        "volumes": Keyed("Volume", by=("name",)),
        "placementConstraints": Keyed("TaskDefinitionPlacementConstraint", by=("type", "expression")),
        "requiresCompatibilities": Bag(default=UNMANAGED),
        "tags": Keyed("Tag", by=("key",), value="value"),
        "proxyConfiguration": Struct("ProxyConfiguration"),
        "inferenceAccelerators": Keyed("InferenceAccelerator", by=("deviceName",)),
        "ephemeralStorage": Struct("EphemeralStorage"),
        "runtimePlatform": Struct("RuntimePlatform", filled=True),
    },
    "ContainerDefinition": {
        **plain(
            *("name", "memory", "memoryReservation", "startTimeout", "stopTimeout"),
            *("hostname", "user", "workingDirectory"),
        ),
        "image": Leaf(canonical=image),
        **flags("disableNetworking", "privileged", "readonlyRootFilesystem", "interactive", "pseudoTerminal"),
        "cpu": Leaf(default=Constant(0)),
        "essential": Leaf(default=Constant(value=True)),
        "versionConsistency": Leaf(default=Constant("enabled")),
        "repositoryCredentials": Struct("RepositoryCredentials"),
        "restartPolicy": Struct("ContainerRestartPolicy", filled=True),
        "linuxParameters": Struct("LinuxParameters", filled=True),
        "logConfiguration": Struct("LogConfiguration"),
        "healthCheck": Struct("HealthCheck"),
        "firelensConfiguration": Struct("FirelensConfiguration"),
        "entryPoint": Ordered(),
        "command": Ordered(),
        "dnsServers": Ordered(),
        "dnsSearchDomains": Ordered(),
        "environmentFiles": Ordered("EnvironmentFile"),
        "links": Bag(),
        "dockerSecurityOptions": Bag(),
        "credentialSpecs": Bag(),
        "dockerLabels": TextMap(),
        "portMappings": Keyed("PortMapping", by=("containerPort", "containerPortRange", "protocol")),
        "environment": Keyed("KeyValuePair", by=("name",), value="value", canonical=canonical_environment),
        "secrets": Keyed("Secret", by=("name",), value="valueFrom"),
        "mountPoints": Keyed("MountPoint", by=("containerPath",)),
        "volumesFrom": Keyed("VolumeFrom", by=("sourceContainer",)),
        "dependsOn": Keyed("ContainerDependency", by=("containerName",), value="condition"),
        "extraHosts": Keyed("HostEntry", by=("hostname", "ipAddress")),
        "ulimits": Keyed("Ulimit", by=("name",)),
        "systemControls": Keyed("SystemControl", by=("namespace",), value="value"),
        "resourceRequirements": Keyed("ResourceRequirement", by=("type",), value="value"),
    },
    "RepositoryCredentials": plain("credentialsParameter"),
    "PortMapping": {
        **plain("containerPort", "name", "appProtocol", "containerPortRange"),
        "hostPort": Leaf(default=Derived(_host_port), canonical=not_zero),
        "protocol": Leaf(default=Constant("tcp")),
    },
    "ContainerRestartPolicy": {
        **flags("enabled"),
        "ignoredExitCodes": Bag(when=is_enabled("enabled")),
        "restartAttemptPeriod": Leaf(default=Constant(300), when=is_enabled("enabled")),
    },
    "KeyValuePair": plain("name", "value"),
    "Secret": plain("name", "valueFrom"),
    "EnvironmentFile": plain("value", "type"),
    "MountPoint": {**plain("sourceVolume", "containerPath"), **flags("readOnly")},
    "VolumeFrom": {**plain("sourceContainer"), **flags("readOnly")},
    "ContainerDependency": plain("containerName", "condition"),
    "HostEntry": plain("hostname", "ipAddress"),
    "Ulimit": plain("name", "softLimit", "hardLimit"),
    "SystemControl": plain("namespace", "value"),
    "ResourceRequirement": plain("type", "value"),
    "LinuxParameters": {
        **plain("sharedMemorySize", "maxSwap"),
        **flags("initProcessEnabled"),
        "swappiness": Leaf(default=Derived(_swappiness)),
        "capabilities": Struct("KernelCapabilities"),
        "devices": Keyed("Device", by=("hostPath", "containerPath")),
        "tmpfs": Keyed("Tmpfs", by=("containerPath",)),
    },
    "KernelCapabilities": {"add": Bag(), "drop": Bag()},
    "Device": {
        **plain("hostPath"),
        "containerPath": Leaf(default=Derived(lambda device, _: device.get("hostPath"))),
        "permissions": Bag(default=Constant(["read", "write", "mknod"])),
    },
    "Tmpfs": {**plain("containerPath", "size"), "mountOptions": Ordered()},
    "LogConfiguration": {
        **plain("logDriver"),
        "options": TextMap(),
        "secretOptions": Keyed("Secret", by=("name",), value="valueFrom"),
    },
    "HealthCheck": {
        "command": Ordered(),
        "interval": Leaf(default=Constant(30)),
        "timeout": Leaf(default=Constant(5)),
        "retries": Leaf(default=Constant(3)),
        "startPeriod": Leaf(default=Constant(0)),
    },
    "FirelensConfiguration": {**plain("type"), "options": TextMap()},
    "Volume": {
        **plain("name"),
        "configuredAtLaunch": Leaf(default=FALSE),
        "host": Struct("HostVolumeProperties"),
        "dockerVolumeConfiguration": Struct("DockerVolumeConfiguration"),
        "efsVolumeConfiguration": Struct("EFSVolumeConfiguration"),
        "s3filesVolumeConfiguration": Struct("S3FilesVolumeConfiguration"),
        "fsxWindowsFileServerVolumeConfiguration": Struct("FSxWindowsFileServerVolumeConfiguration"),
    },
    "HostVolumeProperties": plain("sourcePath"),
    "DockerVolumeConfiguration": {
        **flags("autoprovision"),
        # Filled in by ECS, with what is not documented. Source: Terraform's provider, where both are Computed.
        "scope": Leaf(default=UNMANAGED),
        "driver": Leaf(default=UNMANAGED),
        "driverOpts": TextMap(),
        "labels": TextMap(),
    },
    "EFSVolumeConfiguration": {
        **plain("fileSystemId", "transitEncryptionPort"),
        "rootDirectory": Leaf(default=Constant("/")),
        "transitEncryption": Leaf(default=Constant("DISABLED")),
        "authorizationConfig": Struct("EFSAuthorizationConfig", filled=True),
    },
    "EFSAuthorizationConfig": {**plain("accessPointId"), "iam": Leaf(default=Constant("DISABLED"))},
    "S3FilesVolumeConfiguration": {
        **plain("fileSystemArn", "transitEncryptionPort", "accessPointArn"),
        "rootDirectory": Leaf(default=Constant("/")),
    },
    "FSxWindowsFileServerVolumeConfiguration": {
        **plain("fileSystemId", "rootDirectory"),
        "authorizationConfig": Struct("FSxWindowsFileServerAuthorizationConfig"),
    },
    "FSxWindowsFileServerAuthorizationConfig": plain("credentialsParameter", "domain"),
    "TaskDefinitionPlacementConstraint": {
        "type": Leaf(default=Constant("memberOf")),
        "expression": Leaf(canonical=expression),
    },
    "Tag": plain("key", "value"),
    "ProxyConfiguration": {
        **plain("containerName"),
        "type": Leaf(default=Constant("APPMESH")),
        "properties": Keyed("KeyValuePair", by=("name",), value="value"),
    },
    "InferenceAccelerator": plain("deviceName", "deviceType"),
    "EphemeralStorage": plain("sizeInGiB"),
    "RuntimePlatform": {
        "cpuArchitecture": Leaf(default=Constant("X86_64")),
        "operatingSystemFamily": Leaf(default=Constant("LINUX")),
    },
}
