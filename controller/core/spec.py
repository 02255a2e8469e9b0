"""What a user writes: the models are the schema, the documentation and the types at once.

Native ECS members (`taskDefinition`, `service`) stay as they are on the wire; their shapes come from botocore's own
model (`core.ecs`), not from here. Everything else is spelled out, frozen, and refuses what it does not know.
Neighbours: `parse` fills these from positioned YAML, `schema` prints them as JSON Schema, `render` turns them into
ECS requests.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticKnownError

from controller.core.ecs.model import EcsShape

API_VERSION: Literal["dl1.ecs/v1alpha1"] = "dl1.ecs/v1alpha1"

NAME: Final = r"^[A-Za-z0-9_-]+$"
_LABEL_KEY: Final = r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$"
_LABEL_VALUE: Final = r"^[A-Za-z0-9_.@:/+=-]*$"
_VERSION: Final = r"^[0-9]+\.[0-9]+\.[0-9]+$"
CLUSTER: Final = r"^([A-Za-z0-9_-]{1,255}|arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9_-]{1,255})$"
_WORKLOAD: Final = r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$"
_FIELD: Final = r"^(taskDefinition|service)\.\S+$"

PATTERNS: Final = {
    NAME: "made of letters, digits, - and _",
    _LABEL_KEY: "made of letters, digits, - _ and ., with a letter or digit at both ends",
    _LABEL_VALUE: "made of letters, digits and _ . @ : / + = -",
    _VERSION: "a version of three numbers, as 1.11.0",
    CLUSTER: "the name or the ARN of an ECS cluster",
    _WORKLOAD: "a workload as cluster/name",
    _FIELD: "a path that begins with taskDefinition. or service., as the report prints it",
}
"""Pattern → what it asks for, in words."""

_DATE_AND_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _whole(value: Any) -> Any:
    """Refuse `true` and `8.0`, which pydantic takes for the 1 and the 8 of a set of words."""
    if type(value) is not int:
        raise PydanticKnownError("int_type")
    return value


def _date_and_time(value: Any) -> Any:
    """Refuse what pydantic takes for a moment and no reader does: seconds since 1970, a day without a time."""
    if not isinstance(value, str):
        raise PydanticKnownError("datetime_type")
    try:
        return datetime.fromisoformat(value if _DATE_AND_TIME.match(value) else "")
    except ValueError as error:
        raise PydanticKnownError("datetime_parsing", {"error": str(error)}) from None


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=255, pattern=NAME)]
"""An ECS name: service, family, cluster. Source: ECS API, CreateService `serviceName`."""

Card: TypeAlias = Annotated[int, Field(ge=0, le=7)]
"""One of the eight Gaudi cards of a dl1.24xlarge."""

CardCount: TypeAlias = Annotated[Literal[1, 2, 4, 8], BeforeValidator(_whole)]
"""How many cards one task can use."""

Moment: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_date_and_time)]
"""A date and time with time zone."""

WorkloadName: TypeAlias = Annotated[str, Field(pattern=_WORKLOAD)]
"""A workload of the same target as `cluster/name`."""

LabelKey: TypeAlias = Annotated[str, Field(min_length=1, max_length=63, pattern=_LABEL_KEY)]
LabelValue: TypeAlias = Annotated[
    str, Field(max_length=63, pattern=_LABEL_VALUE, json_schema_extra={"type": ["string", "number", "boolean"]})
]
"""A label's text; `version: 1.10` is one too, so that editors take what looks like a number."""


class Model(BaseModel):
    """Base of all spec models: camelCase in the file, unknown members refused, immutable once read."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )


class Tuning(StrEnum):
    """How much the controller adds for Gaudi."""

    MINIMAL = "minimal"
    RECOMMENDED = "recommended"


class Isolation(StrEnum):
    """How two tasks are kept off one card."""

    HOST_PORTS = "hostPorts"
    NONE = "none"


class DriverPolicy(StrEnum):
    """What a forecast makes of an instance whose driver is of another SynapseAI release than the image."""

    WARN = "warn"
    BLOCK = "block"


class Mode(StrEnum):
    """What the controller may do with a workload."""

    ENFORCE = "enforce"
    NOTIFY = "notify"
    OFF = "off"


class OnDelete(StrEnum):
    """What happens to the ECS service when its spec goes away."""

    DELETE = "delete"
    ORPHAN = "orphan"


class Metadata(Model):
    """Who the workload is."""

    name: Name
    """Name of the ECS service and of the task definition family, unless `service.serviceName` or
    `taskDefinition.family` say otherwise."""
    labels: dict[LabelKey, LabelValue] = {}
    """Labels for selectors (`-l team=nlp`); written to the service as `dl1.ecs/labels/<key>` tags."""


class Gaudi(Model):
    """The Gaudi cards of a DL1 instance that one task uses, and what the controller adds so that they work."""

    cards: CardCount | None = None
    """Number of cards: 1, 2, 4 or 8. Fewer than 8 without `modules` or `devices` means the first group of that size."""
    modules: tuple[Card, ...] | None = None
    """Cards by module id, which is stable across reboots: `[0, 1, 2, 3]`. Exclusive with `devices`."""
    devices: tuple[Card, ...] | None = None
    """Cards by device index, which may change at a reboot or driver reload. Exclusive with `modules`."""
    container: Name | None = None
    """The container that gets the cards. Needed only where several containers are essential."""
    tuning: Tuning = Tuning.RECOMMENDED
    """`minimal` adds only what placement and device visibility need; `recommended` adds what a training needs too."""
    isolation: Isolation = Isolation.HOST_PORTS
    """`hostPorts` reserves one static host port per card, so that ECS itself never places two tasks on one card."""
    efa: bool = False
    """Whether the task uses the Elastic Fabric Adapters of its instance."""
    synapseai: Annotated[str, Field(pattern=_VERSION)] | None = None
    """SynapseAI version of the image, where the image tag does not say it: `1.11.0`."""
    driver_policy: DriverPolicy = DriverPolicy.BLOCK
    """What the forecast of a rollout makes of a driver of another SynapseAI release than the image: `block` calls it
    impossible, `warn` only says so. Nothing is forecast before a write yet: to keep tasks off other drivers, use
    `requireDriver`."""
    require_driver: bool = False
    """Run only on instances whose attribute `habana.synapseai` is of the image's SynapseAI release."""
    require_verified: bool = False
    """Run only on instances whose attribute `habana.verified` is of the image's SynapseAI release: hl-smi has shown all
    eight cards there."""


class Suspend(Model):
    """A pause that cannot be forgotten: it has a reason and an end."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]
    """Why; shown wherever the workload is shown."""
    until: Moment
    """When it ends by itself, with time zone: `2026-12-01T17:00:00Z`."""

    def active(self, now: datetime) -> bool:
        """Whether the pause still holds."""
        return now < self.until


class Ignore(Model):
    """A field that somebody else owns: neither reported as drift nor written."""

    path: Annotated[str, Field(min_length=1, max_length=500, pattern=_FIELD)]
    """Path as the report prints it, `*` matches one segment: `service.healthCheckGracePeriodSeconds`."""
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    """Who owns it, or why it may differ."""


class Reconcile(Model):
    """How the controller treats the workload."""

    mode: Mode = Mode.ENFORCE
    """`enforce` heals, `notify` only reports, `off` does not even compare."""
    suspend: Suspend | None = None
    """Pause all writes, deletion included."""
    ignore: tuple[Ignore, ...] = ()
    """Fields that are not ours."""
    adopt: bool = False
    """Take over a live service that nobody owns."""
    on_delete: OnDelete = OnDelete.DELETE
    """What happens to the service when this spec goes away."""
    depends_on: tuple[WorkloadName, ...] = ()
    """Workloads (`cluster/name`) that must be in sync and healthy before this one is changed."""
    replace: bool = False
    """Where only a new service can have what the spec asks for (another launch type or scheduling strategy): scale the
    old one to zero, delete it, wait until it is gone, create it anew. Its tasks are stopped meanwhile."""
    keep_revisions: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many revisions of the task definition stay registered, the newest among them and the one before it always.
    Older ones are deregistered when a new one was brought out: only those that this controller has registered while
    this was set, and never one that a service or a task uses. What only names a revision, as a rule of EventBridge
    does, cannot be seen. Absent means all stay."""


TaskDefinition: TypeAlias = Annotated[dict[str, Any], EcsShape("RegisterTaskDefinitionRequest")]
ServiceRequest: TypeAlias = Annotated[dict[str, Any], EcsShape("CreateServiceRequest")]


class ServiceSpec(Model):
    """A long-running ECS service."""

    cluster: Annotated[str, Field(pattern=CLUSTER)]
    """Name or ARN of the cluster."""
    target: Name | None = None
    """A named account, region and role of the controller's configuration."""
    replicas: Annotated[int, Field(ge=0, le=5000)] | None = None
    """Number of tasks. Absent means not managed: an autoscaler owns it."""
    gaudi: Gaudi | None = None
    """Cards and what they need. Without it nothing is added for Gaudi."""
    task_definition: TaskDefinition
    """Any member of RegisterTaskDefinition; `environment` and `secrets` of a container also as maps."""
    service: ServiceRequest = {}
    """Any member of CreateService."""
    reconcile: Reconcile = Reconcile()
    """How the controller treats the workload."""


class DL1Service(Model):
    """A long-running ECS service on DL1 (Habana Gaudi) instances."""

    api_version: Literal["dl1.ecs/v1alpha1"]
    """Version of this schema."""
    kind: Literal["DL1Service"]
    """What the document describes."""
    metadata: Metadata
    """Who the workload is."""
    spec: ServiceSpec
    """What it should be."""
