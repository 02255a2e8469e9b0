"""What a message of the wake-up queue asks for: which workloads to look at now, and who has written to a service.

A message is a hint that may be late, doubled, lost or forged. So of all that it says only names are taken, and only
those of our account and region that we manage anyway; the look that follows reads ECS itself. What is not understood is
ignored with a reason and never an error. CloudTrail's records also say who called: that is remembered for the report
(`callers`) and decides nothing. Our own writes come back the same way and wake nobody.

Shapes: EventBridge events of `aws.ecs` and `aws.s3`, and S3's notifications without EventBridge (ECS developer guide,
"Amazon ECS events"; S3 user guide, "EventBridge event message structure"; CloudTrail user guide, "record contents").
Neighbours: `aws.wakeups` receives, `callers` remembers.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import unquote_plus

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from controller.core.callers import Caller, Write
from controller.core.fields import SHAPES
from controller.core.jobs.identity import TaskId
from controller.core.workload import Key

LARGEST: Final = 256 * 1024
"""Characters of a message. EventBridge sends no more bytes than that."""

_NAME: Final = r"[A-Za-z0-9_-]{1,255}"
_SERVICE: Final = re.compile(
    rf"arn:aws[a-z-]*:ecs:(?P<region>[a-z0-9-]+):(?P<account>\d{{12}})"
    rf":service(?:-deployment)?/(?:(?P<cluster>{_NAME})/)?(?P<name>{_NAME})(?:/{_NAME})?"
)
"""The ARN of a service, in the old form without its cluster too, or of one of its deployments."""
_CLUSTER: Final = re.compile(
    rf"(?:arn:aws[a-z-]*:ecs:(?P<region>[a-z0-9-]+):(?P<account>\d{{12}}):cluster/)?(?P<name>{_NAME})"
)
_SETTLED: Final = frozenset({"RUNNING", "STOPPED"})
"""Statuses of a task that change what a service has; those on the way change nothing yet."""
_MEMBERS: Final = frozenset(SHAPES["CreateServiceRequest"]) - {"cluster", "serviceName", "clientToken"}
"""Parameters that set a field of a service."""


class Ignored(StrEnum):
    """Why a message wakes nobody."""

    MALFORMED = "malformed"
    TOO_LARGE = "too-large"
    IRRELEVANT = "irrelevant"
    """A kind of event that says nothing about a service or the source."""
    ELSEWHERE = "elsewhere"
    """Of another account, region or bucket."""
    NOT_MANAGED = "not-managed"
    OWN_WRITE = "own-write"
    FAILED_CALL = "failed-call"
    """A call that AWS refused, so nothing has changed."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What we want to be woken for."""

    account: str
    region: str
    target: str | None = None
    """The name of that account and region in keys, where they have one."""
    app: str | None = None
    """The application id in the user agent of our own calls."""
    identities: frozenset[str] = frozenset()
    """ARNs under which nobody but controllers calls. A person with one of them would never be named."""
    bucket: str | None = None
    prefix: str = ""
    """The source, where it is on S3."""

    @property
    def place(self) -> tuple[str, str]:
        """Account and region."""
        return self.account, self.region


@dataclass(frozen=True, slots=True)
class Wake:
    """What to look at now."""

    key: Key | None = None
    jobs: bool = False
    """All jobs: one of their tasks has begun or ended, so that a gang can go on, or there is room for the next."""
    source: bool = False
    write: Write | None = None
    """A write by somebody else that was the cause."""


_Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^[ -~]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Event(_Part):
    source: _Text
    kind: Annotated[_Text, Field(alias="detail-type")]
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: _Text
    resources: Annotated[list[_Text], Field(max_length=100)]
    detail: dict[str, Any]


class _ServiceDetail(_Part):
    cluster: Annotated[_Text | None, Field(alias="clusterArn")] = None


class _TaskDetail(_Part):
    cluster: Annotated[_Text, Field(alias="clusterArn")]
    status: Annotated[_Text, Field(alias="lastStatus")]
    group: _Text = ""
    started_by: Annotated[str, Field(alias="startedBy", max_length=2048)] = ""


class _Identity(_Part):
    arn: _Text | None = None
    invoked_by: Annotated[_Text | None, Field(alias="invokedBy")] = None
    principal: Annotated[_Text | None, Field(alias="principalId")] = None


class _Call(_Part):
    """A record of CloudTrail."""

    service: Annotated[_Text, Field(alias="eventSource")]
    action: Annotated[_Text, Field(alias="eventName")]
    at: Annotated[AwareDatetime, Field(alias="eventTime")]
    id: Annotated[_Text, Field(alias="eventID")]
    identity: Annotated[_Identity, Field(alias="userIdentity")]
    agent: Annotated[str, Field(alias="userAgent", max_length=4096)] = ""
    error: Annotated[str | None, Field(alias="errorCode")] = None
    parameters: Annotated[dict[str, Any] | None, Field(alias="requestParameters")] = None
    answer: Annotated[dict[str, Any] | None, Field(alias="responseElements")] = None


class _Bucket(_Part):
    name: _Text


class _Object(_Part):
    key: Annotated[str, Field(max_length=4096)]


class _Stored(_Part):
    """What S3 says of an object, by EventBridge or by itself."""

    bucket: _Bucket
    object: _Object


class _Record(_Part):
    source: Annotated[_Text, Field(alias="eventSource")]
    s3: _Stored


class _Notification(_Part):
    """What S3 sends without EventBridge; keys are encoded as in a query."""

    records: Annotated[list[_Record], Field(alias="Records", max_length=1000)]


_MESSAGE: Final[TypeAdapter[_Event | _Notification]] = TypeAdapter(_Event | _Notification)


def understand(body: str, watch: Watch, managed: Container[Key]) -> Wake | Ignored:
    """What a message asks for. `managed` are the keys that may be woken."""
    if len(body) > LARGEST:
        return Ignored.TOO_LARGE
    try:
        match _MESSAGE.validate_json(body):
            case _Event() as event:
                return _event(event, watch, managed)
            case _Notification(records=records):
                keys = [unquote_plus(one.s3.object.key) for one in records if one.s3.bucket.name == watch.bucket]
                return _source(keys, watch)
    except ValidationError:
        return Ignored.MALFORMED


def _event(event: _Event, watch: Watch, managed: Container[Key]) -> Wake | Ignored:
    if event.source == "aws.s3":
        stored = _Stored.model_validate(event.detail)
        return _source([stored.object.key] if stored.bucket.name == watch.bucket else [], watch)
    if event.source != "aws.ecs":
        return Ignored.IRRELEVANT
    if (event.account, event.region) != watch.place:
        return Ignored.ELSEWHERE
    match event.kind:
        case "ECS Service Action" | "ECS Deployment State Change":
            cluster = _ServiceDetail.model_validate(event.detail).cluster
            return _wake(_named(event.resources[0] if event.resources else "", cluster, watch), managed)
        case "ECS Task State Change":
            task = _TaskDetail.model_validate(event.detail)
            if task.status not in _SETTLED:
                return Ignored.IRRELEVANT
            if TaskId.of(task.started_by) is not None:
                return Wake(jobs=True)
            if not task.group.startswith("service:"):
                return Ignored.IRRELEVANT
            return _wake(_named(task.group.removeprefix("service:"), task.cluster, watch), managed)
        case "AWS API Call via CloudTrail":
            # `model_validate` of decoded JSON would refuse a time that is text.
            return _call(_Call.model_validate(event.detail, strict=False), watch, managed)
        case _:
            return Ignored.IRRELEVANT


def _source(keys: list[str], watch: Watch) -> Wake | Ignored:
    return Wake(source=True) if any(key.startswith(watch.prefix) for key in keys) else Ignored.ELSEWHERE


def _wake(key: Key | Ignored, managed: Container[Key], write: Write | None = None) -> Wake | Ignored:
    if isinstance(key, Ignored):
        return key
    return Wake(key, write=write) if key in managed else Ignored.NOT_MANAGED


def _call(call: _Call, watch: Watch, managed: Container[Key]) -> Wake | Ignored:
    if call.service != "ecs.amazonaws.com":
        return Ignored.IRRELEVANT
    found = _written(call)
    if found is None:
        return Ignored.IRRELEVANT
    if call.error is not None:
        return Ignored.FAILED_CALL
    agents = call.agent.strip("[]").split()
    if (watch.app and f"app/{watch.app}" in agents) or call.identity.arn in watch.identities:
        return Ignored.OWN_WRITE
    service, cluster, members = found
    key = _named(service, cluster, watch)
    if isinstance(key, Ignored) or members == frozenset():
        return _wake(key, managed)
    who = call.identity.arn or call.identity.invoked_by or call.identity.principal
    write = Write(key, Caller(who, call.action, call.at, call.id), members) if who else None
    return _wake(key, managed, write)


def _written(call: _Call) -> tuple[str, str | None, frozenset[str] | None] | None:
    """Of a call: the service and cluster that it names, and the fields of the service that it sets (None for all of
    them). None if it is about no service."""
    parameters = call.parameters or {}
    cluster = _text(parameters, "cluster")
    match call.action:
        case "CreateService":
            return _text(parameters, "serviceName") or "", cluster, None
        case "UpdateService":
            return _text(parameters, "service") or "", cluster, _MEMBERS & parameters.keys()
        case "DeleteService":
            return _text(parameters, "service") or "", cluster, None
        case "StopServiceDeployment":
            return _text(parameters, "serviceDeploymentArn") or "", None, None
        case "TagResource" | "UntagResource":
            arn = _text(parameters, "resourceArn") or ""
            return (arn, None, frozenset({"tags"})) if _SERVICE.fullmatch(arn) else None
        case "StopTask":
            task = (call.answer or {}).get("task")
            group = _text(task, "group") if isinstance(task, dict) else None
            is_service = group is not None and group.startswith("service:")
            return (str(group).removeprefix("service:"), cluster, frozenset()) if is_service else None
        case _:
            return None


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) else None


def _named(service: str, cluster: str | None, watch: Watch) -> Key | Ignored:
    """The key of a service that is given by name or ARN, in a cluster that is given by name or ARN, or by neither."""
    where = _CLUSTER.fullmatch(cluster or "default")
    arn = _SERVICE.fullmatch(service)
    if where is None or (arn is None and not re.fullmatch(_NAME, service)):
        return Ignored.MALFORMED
    for named in (where, arn):
        if named is not None and named["account"] and (named["account"], named["region"]) != watch.place:
            return Ignored.ELSEWHERE
    if arn is None:
        return Key(where["name"], service, watch.target)
    return Key(arn["cluster"] or where["name"], arn["name"], watch.target)
