"""Every leaf of the field table, and for each a request that has it with one value, with another, and without it.

Values come from botocore's shapes; what its rules do not say (what must stand beside a member, which values ECS takes)
is spelled out here, so that a member of a future SDK gets its test without anybody writing one.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.core.ecs.model import Flag, ListOf, MapOf, Number, Structure, Text, load
from controller.core.fields import SHAPES
from controller.core.fields.kinds import Bag, Constant, Derived, Field, Keyed, Ordered, Struct, TextMap

MODEL = load()
TASK = "RegisterTaskDefinitionRequest"
SERVICE = "CreateServiceRequest"

BESIDE: Mapping[str, Mapping[str, Any]] = {
    "ContainerDefinition": {"name": "c", "image": "i:1"},
    "PortMapping": {"containerPort": 80},
    "KeyValuePair": {"name": "N", "value": "v"},
    "MountPoint": {"sourceVolume": "v", "containerPath": "/v"},
    "VolumeFrom": {"sourceContainer": "d"},
    "ContainerDependency": {"containerName": "d", "condition": "START"},
    "EnvironmentFile": {"value": "arn:aws:s3:::b/e.env", "type": "s3"},
    "HealthCheck": {"command": ["CMD", "true"]},
    "SystemControl": {"namespace": "net.a", "value": "1"},
    "Volume": {"name": "v"},
    "ContainerRestartPolicy": {"enabled": True},
    "TaskDefinitionPlacementConstraint": {"type": "memberOf", "expression": "attribute:a == b"},
    "PlacementConstraint": {"type": "memberOf", "expression": "attribute:a == b"},
    "PlacementStrategy": {"type": "spread", "field": "instanceId"},
    "Tag": {"key": "k", "value": "v"},
    "LoadBalancer": {"targetGroupArn": "tg/1", "containerName": "c", "containerPort": 80},
    "ServiceRegistry": {"registryArn": "r/1"},
    "CapacityProviderStrategyItem": {"capacityProvider": "FARGATE", "weight": 1},
    "DeploymentCircuitBreaker": {"enable": True, "rollback": True},
    "DeploymentAlarms": {"enable": True, "rollback": True, "alarmNames": ["a"]},
    "ThresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
    "DeploymentLifecycleHook": {"hookTargetArn": "f/1", "roleArn": "r/1", "lifecycleStages": ["PRE_SCALE_UP"]},
    "DeploymentEarlySuccessCriteria": {"enable": True},
    "AwsVpcConfiguration": {"subnets": ["s"]},
    "ServiceConnectConfiguration": {"enabled": True},
    "ServiceConnectService": {"portName": "p"},
    "ServiceConnectClientAlias": {"port": 80},
    "ServiceConnectTestTrafficRules": {"header": {"name": "h"}},
    "ServiceConnectTestTrafficHeaderRules": {"name": "h"},
    "ServiceVolumeConfiguration": {"name": "v"},
    "ServiceManagedEBSVolumeConfiguration": {"roleArn": "r/1", "sizeInGiB": 5},
    "AdvancedConfiguration": {"alternateTargetGroupArn": "tg/2", "roleArn": "r/1", "productionListenerRule": "l/1"},
    "VpcLatticeAdvancedConfiguration": {"alternateTargetGroupArn": "tg/2"},
}
"""Shape → what stands beside any of its members."""

VALUES: Mapping[tuple[str, str], tuple[Any, Any]] = {
    (TASK, "cpu"): ("1 vCPU", "2048"),
    (TASK, "memory"): ("1GB", "2048"),
    (TASK, "networkMode"): ("host", "bridge"),
    (TASK, "family"): ("bert", "other"),
    (TASK, "requiresCompatibilities"): (["EC2"], ["EC2", "EXTERNAL"]),
    ("ContainerDefinition", "memory"): (64, 65),
    ("ContainerDefinition", "memoryReservation"): (10, 11),
    ("ContainerDefinition", "image"): ("i:1", "i:2"),
    ("ContainerDefinition", "name"): ("c", "e"),
    ("ContainerDefinition", "credentialSpecs"): (["credentialspec:a"], ["credentialspec:b"]),
    ("PortMapping", "hostPort"): (81, 82),
    ("PortMapping", "containerPortRange"): ("90-91", "90-92"),
    ("EnvironmentFile", "type"): ("s3", None),
    ("VolumeFrom", "sourceContainer"): ("d", "c"),
    ("MountPoint", "sourceVolume"): ("v", "w"),
    ("ContainerDependency", "containerName"): ("d", "b"),
    ("LoadBalancer", "containerName"): ("c", "d"),
    ("LoadBalancer", "containerPort"): (80, 81),
    ("ContainerDependency", "condition"): ("START", "COMPLETE"),
    ("Volume", "name"): ("v", "x"),
    ("TaskDefinitionPlacementConstraint", "type"): ("memberOf", None),
    ("TaskDefinitionPlacementConstraint", "expression"): ("attribute:a == b", "attribute:a == c"),
    ("PlacementConstraint", "type"): ("memberOf", None),
    ("PlacementConstraint", "expression"): ("attribute:a == b", "attribute:a == c"),
    ("PlacementStrategy", "type"): ("spread", None),
    ("PlacementStrategy", "field"): ("host", "attribute:rack"),
    ("ProxyConfiguration", "type"): ("APPMESH", None),
    ("EFSVolumeConfiguration", "rootDirectory"): ("/", "/b"),
    ("S3FilesVolumeConfiguration", "rootDirectory"): ("/", "/b"),
    ("DeploymentConfiguration", "maximumPercent"): (150, 160),
    ("DeploymentConfiguration", "minimumHealthyPercent"): (50, 60),
    ("DeploymentConfiguration", "strategy"): ("ROLLING", "BLUE_GREEN"),
    ("DeploymentConfiguration", "bakeTimeInMinutes"): (0, 5),
    ("ThresholdConfiguration", "type"): ("BOUNDED_PERCENT", "COUNT"),
    ("CapacityProviderStrategyItem", "capacityProvider"): ("FARGATE", "FARGATE_SPOT"),
    ("CapacityProviderStrategyItem", "base"): (0, 1),
    ("LinearConfiguration", "stepPercent"): (10.0, 20.5),
    ("CanaryConfiguration", "canaryPercent"): (5.0, 6.5),
    ("EBSTagSpecification", "resourceType"): ("volume", None),
    ("DeploymentLifecycleHook", "lifecycleStages"): (["PRE_SCALE_UP"], ["PRE_SCALE_UP", "POST_SCALE_UP"]),
    ("DeploymentEarlySuccessCriteria", "healthyPercent"): (100, 90),
    ("AwsVpcConfiguration", "subnets"): (["s"], ["s", "t"]),
    (SERVICE, "desiredCount"): (1, 2),
    (SERVICE, "launchType"): ("EC2", "EXTERNAL"),
    (SERVICE, "schedulingStrategy"): ("REPLICA", "DAEMON"),
    (SERVICE, "availabilityZoneRebalancing"): ("ENABLED", "DISABLED"),
    (SERVICE, "propagateTags"): ("NONE", "SERVICE"),
    ("DeploymentController", "type"): ("ECS", None),
}
"""Two values that ECS takes for a member; None as the second one is: there is only one."""


@dataclass(frozen=True)
class Leaf:
    """A leaf of the table: the members that lead to it from a request."""

    root: str
    members: tuple[str, ...]
    row: Field

    def __str__(self) -> str:
        return ".".join(self.members)

    @property
    def shape(self) -> str:
        """The shape that the last member belongs to."""
        shape = self.root
        for name in self.members[:-1]:
            shape = _inner(SHAPES[shape][name])
        return shape

    @property
    def values(self) -> tuple[Any, Any]:
        """Two values that ECS takes."""
        return VALUES.get((self.shape, self.members[-1])) or _values(
            MODEL.shapes[_member(self.shape, self.members[-1])]
        )

    @property
    def flipped(self) -> Any:
        """A value that is not the default; None where there is no other one."""
        first, second = self.values
        default = self.row.default
        is_default = isinstance(default, Derived) or (isinstance(default, Constant) and default.value == first)
        return second if is_default else first

    @property
    def required(self) -> bool:
        """Whether the member cannot be left out of its structure."""
        shape = MODEL.shapes[self.shape]
        assert isinstance(shape, Structure)
        return self.members[-1] in (*shape.required, *BESIDE.get(self.shape, ()))

    def path(self, *, absent_from: int | None = None) -> re.Pattern[str]:
        """What the report calls it: the member itself, or the item that it is (a part of) the key of. Where the spec
        has nothing from some member on (by position), the whole of that may be one difference."""
        return re.compile(_path(self.root, self.members, absent_from))

    def above(self, length: int) -> re.Pattern[str]:
        """What the report calls anything below its first members."""
        return re.compile(_path(self.root, self.members[:length], None) + ".*")

    def wire(self, value: Any, *, around: Mapping[str, Any]) -> dict[str, Any]:
        """The request with this value of the leaf, or without it (None)."""
        wire = _merged(copy.deepcopy(dict(around)), _build(self.root, self.members, value))
        return wire if value is not None else without(wire, self.members)


def row_at(root: str, members: tuple[str, ...]) -> tuple[Field, bool]:
    """The row that members lead to, and whether its structure needs it."""
    found = Leaf(root, members, SHAPES[root][members[0]])
    return SHAPES[found.shape][members[-1]], found.required


def _path(root: str, members: tuple[str, ...], absent_from: int | None) -> str:
    text = "taskDefinition" if root == TASK else "service"
    shape, closing = root, ""
    for position, name in enumerate(members):
        row = SHAPES[shape][name]
        last = position == len(members) - 1
        if absent_from is not None and position > absent_from:
            text, closing = f"{text}(", f"{closing})?"
        text += rf"\.{name}"
        if isinstance(row, Ordered):
            break
        if isinstance(row, Bag | TextMap) or (isinstance(row, Keyed) and row.value is not None):
            text += r"\[.+\]"
            break
        if isinstance(row, Keyed):
            text += r"\[.+?\]"
            if last or members[position + 1] in row.by:
                break
            if row.arranged is not None:  # two target groups may swap, so each of them may be part of the key
                text, closing = f"{text}(", f"{closing})?"
        if not last:
            shape = _inner(row)
        elif isinstance(found := MODEL.shapes[_member(shape, name)], Structure) and found.document:
            text += r"(\..+)?"
    return text + closing


def leaves(root: str) -> Iterator[Leaf]:
    """All leaves below a request, in the order of the table."""
    yield from _leaves(root, root, ())


def _leaves(root: str, shape: str, members: tuple[str, ...]) -> Iterator[Leaf]:
    for name, row in SHAPES[shape].items():
        here = (*members, name)
        match row:
            case Struct(shape=inner) | Keyed(shape=inner) | Ordered(shape=str(inner)):
                yield from _leaves(root, inner, here)
            case _:
                yield Leaf(root, here, row)


def _inner(row: Field) -> str:
    assert isinstance(row, Struct | Keyed | Ordered)
    assert row.shape is not None
    return row.shape


def _member(shape: str, name: str) -> str:
    found = MODEL.shapes[shape]
    assert isinstance(found, Structure)
    return found.members[name]


def _values(shape: Any) -> tuple[Any, Any]:
    match shape:
        case Text(enum=(first, second, *_)):
            return first, second
        case Text():
            return "a", "b"
        case Number(whole=True):
            return 5, 6
        case Number():
            return 5.5, 6.5
        case Flag():
            return True, False
        case ListOf(of=of):
            first, second = _values(MODEL.shapes[of])
            return [first], [first, second]
        case MapOf():
            return {"k": "a"}, {"k": "b"}
        case Structure(document=True):
            return {"a": 1}, {"a": 2}
        case _:
            raise AssertionError(shape)


def _build(shape: str, members: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A structure with what must stand beside, the required members, and this value."""
    name, *rest = members
    found = MODEL.shapes[shape]
    assert isinstance(found, Structure)
    built: dict[str, Any] = {}
    if shape not in (TASK, SERVICE):
        for required in found.required:
            inner = MODEL.shapes[found.members[required]]
            example = VALUES.get((shape, required))
            built[required] = example[0] if example else _example(found.members[required], inner)
        built |= BESIDE.get(shape, {})
    row = SHAPES[shape][name]
    if rest:
        inside = _build(_inner(row), tuple(rest), value)
        built[name] = inside if isinstance(row, Struct) else [inside]
    elif value is None:
        built.pop(name, None)
    else:
        built[name] = value
    return built


def _example(name: str, shape: Any) -> Any:
    if isinstance(shape, Structure) and not shape.document:
        return {
            member: _example(inner, MODEL.shapes[inner])
            for member, inner in shape.members.items()
            if member in shape.required
        }
    return _values(shape)[0]


def _merged(around: dict[str, Any], wire: Mapping[str, Any]) -> dict[str, Any]:
    """The leaf's request laid over what must be around it; containers are merged by name."""
    for name, value in wire.items():
        if name == "containerDefinitions":
            (mine,) = value
            here = next((one for one in around.get(name, ()) if one["name"] == "c"), {})
            around[name] = [{**here, **mine}, *(one for one in around.get(name, ()) if one["name"] != "c")]
        elif isinstance(value, dict) and isinstance(around.get(name), dict):
            around[name] = _merged(dict(around[name]), value)
        elif name == "volumes":
            (volume,) = value
            around[name] = [volume, *(one for one in around.get(name, ()) if one["name"] != volume["name"])]
        else:
            around[name] = value
    return around


def without(wire: dict[str, Any], members: tuple[str, ...]) -> dict[str, Any]:
    """The request without the member that these lead to."""
    name, *rest = members
    inside = wire.get(name)
    if not rest:
        wire.pop(name, None)
    for structure in inside if isinstance(inside, list) and rest else [inside] if rest and inside else []:
        without(structure, tuple(rest))
    return wire
