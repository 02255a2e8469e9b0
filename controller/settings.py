"""The controller's own settings: one frozen value, each part with its origin.

A flag wins over the environment (`CONTROLLER_*`), which wins over the configuration file, which wins over the default.
Unknown keys and values that make no sense are refused, all at once, each with the place it came from. The file is read
as specs are: with positions, guarded, its scalars as text until the setting says what they mean. AWS's own variables
(region, profile, credentials, endpoint) are left to AWS's own chain and only passed on where a flag says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, tzinfo
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from controller.aws import targets
from controller.aws.buckets import SHARE
from controller.aws.lease import terms
from controller.aws.lease.terms import LeaseSettings
from controller.aws.targets import Target, Targets
from controller.core import scalars, yaml
from controller.core.ecs.read import closest, did_you_mean
from controller.core.gaudi.cards import DEFAULT_PORT_BASE
from controller.core.gaudi.ports import base_problem
from controller.core.nodes import Mapping as Tree
from controller.core.nodes import Node, Scalar, Sequence, locate
from controller.core.path import show
from controller.core.prune import SHARE_PER_PASS, SHRINK
from controller.core.quoting import quote
from controller.core.render import DEFAULT_OWNER
from controller.core.render import Settings as Rendering
from controller.errors import Usage

PREFIX: Final = "CONTROLLER_"

_OWNER: Final = r"^[A-Za-z0-9_.-]+$"
_LISTEN: Final = r"^(off|\S*:[0-9]{1,5})$"
_JOURNAL: Final = r"^(off|sqlite:.*|s3://.+|dynamodb://.+)$"
_QUEUE: Final = r"^https?://[^\s/]+/[0-9]{12}/[A-Za-z0-9_-]{1,80}$"
_PATTERNS: Final = {
    _QUEUE: "write the URL of a queue, as https://sqs.us-west-2.amazonaws.com/123456789012/controller",
    _OWNER: "it may hold letters, digits, `_`, `.` and `-` only",
    _LISTEN: "write host:port, or off",
    _JOURNAL: "write sqlite:PATH, s3://bucket/prefix, dynamodb://table or off",
    **targets.PATTERNS,
    **terms.PATTERNS,
}


def _clear(base: int) -> int:
    """A base whose eight ports are free on every instance."""
    problem = base_problem(base)
    if problem:
        raise PydanticCustomError("ports", "{problem}", {"problem": problem})
    return base


class Settings(BaseModel):
    """What the controller is told beside the specs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = "specs"
    """A path, `s3://bucket/prefix` or `git+https://…@ref//dir`."""
    poll: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    """Seconds between two looks at a source on S3 or in git."""
    source_bucket_owner: Annotated[str, Field(pattern=targets.ACCOUNT)] | None = None
    """The account that the source's bucket must belong to."""
    source_signers: str | None = None
    """File of allowed signers (ssh-keygen(1)): only what one of them signed is taken from git."""
    source_rewind: bool = False
    """Whether a branch in git that was rewound or rewritten is followed."""
    queue: Annotated[str, Field(pattern=_QUEUE)] | None = None
    """URL of the SQS queue that wakes the controller up; see docs/sources.md."""
    owner: Annotated[str, Field(min_length=1, max_length=128, pattern=_OWNER)] = DEFAULT_OWNER
    """Identity written to every service that this controller manages. Two controllers need two names."""
    clusters: tuple[str, ...] = ()
    """Clusters that are searched for services without a spec, besides those that the specs name."""
    region: str | None = None
    profile: str | None = None
    resync: Annotated[float, Field(ge=0.1, le=86_400)] = 60.0
    """Seconds between two looks at everything."""
    workers: Annotated[int, Field(ge=1, le=64)] = 8
    """Workloads that are changed at once."""
    timeout: Annotated[float, Field(gt=0, le=86_400)] = 900.0
    """Seconds after which a rollout that is not done is called degraded, and that `--wait` waits for all."""
    max_concurrent_rollouts: Annotated[int, Field(ge=1, le=5000)] | None = None
    """Services of one cluster that may roll out at once. New services do not wait; what is past `timeout` does not
    count. Absent: as many as there are changes."""
    delete_share: Annotated[int, Field(ge=0, le=100)] = SHARE_PER_PASS
    """Percent of the owned services that may be deleted in one pass (`resync`), at least one; with 0 none is."""
    delete_shrink: Annotated[int, Field(ge=1, le=100)] = SHRINK
    """Percent of the owned services that a revision may stop naming before somebody has to confirm it."""
    delete_after: Annotated[float, Field(ge=0, le=86_400)] = 10.0
    """Seconds that a revision must have stood before the daemon deletes what it does not name."""
    confirm_deletions: str | None = None
    """The revision, as it is reported, whose many deletions are meant."""
    fleet_interval: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """Seconds between two looks of the daemon at the machines of clusters with DL1 workloads; 0 is none."""
    smoke: bool = False
    """Whether the daemon runs AWS's hl-smi task on every new DL1 instance, which sets `habana.verified`."""
    smoke_image: Annotated[str, Field(min_length=1)] | None = None
    """The image of that task where Habana's registry is out of reach; `{synapseai}` stands for the driver's version."""
    http: Annotated[str, Field(pattern=_LISTEN)] = "127.0.0.1:8080"
    """Where the daemon serves probes, metrics and its state: `host:port`, or `off`."""
    journal: Annotated[str, Field(pattern=_JOURNAL)] = "sqlite:"
    """Where history is kept: `sqlite:PATH` (without a path below `$XDG_STATE_HOME`), `s3://bucket/prefix`,
    `dynamodb://table`, or `off`."""
    port_base: Annotated[int, Field(ge=1024, le=32_760), AfterValidator(_clear)] = DEFAULT_PORT_BASE
    """Host port that stands for card 0 (`gaudi.isolation: hostPorts`); the same for all controllers of a cluster."""
    targets: Targets = ()
    """Accounts and regions that specs name as `target`, each with the role to work there with."""
    lease: LeaseSettings | None = None
    """Where controllers agree on which of them writes. Absent: there is only this one."""
    api_share: Annotated[float, Field(gt=0, le=1)] = SHARE
    """Our part of ECS's throttle buckets, which an account's people, CI and controllers share."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each value comes from."""

    settings: Settings
    origins: Mapping[str, str]
    """Setting → `default`, `controller.yaml:3:1`, `CONTROLLER_OWNER` or `--owner`."""
    suspects: Mapping[str, str]
    """Variables that name no setting and look as if they should → the one that may be meant."""


def load(*, flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None) -> Loaded:
    """Put the layers over each other.

    `flags` holds only what was given on the command line.

    Raises:
        Usage: the file cannot be read, or some value makes no sense.
    """
    given: dict[str, _Given] = {}
    for layer in (_from_file(file), _from_environment(environment), _from_flags(flags)):
        given |= {one.name: one for one in layer}
    origins = dict.fromkeys(Settings.model_fields, "default") | {one.name: one.origin for one in given.values()}
    try:
        settings = Settings.model_validate({one.name: one.value for one in given.values()})
    except ValidationError as error:
        raise Usage("; ".join(_problem(one, given[str(one["loc"][0])]) for one in error.errors())) from error
    return Loaded(settings, origins, _suspects(environment))


def rendering(settings: Settings, *, environment: Mapping[str, str], today: date) -> Rendering:
    """Of these settings what rendering needs. The region is found as the AWS CLI finds it, but for profiles: reading
    those is left to AWS's own library, which offline verbs do not load."""
    region = settings.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None
    regions = {target.name: target.region for target in settings.targets}
    return Rendering(
        owner=settings.owner,
        port_base=settings.port_base,
        targets=frozenset(regions),
        region=region,
        target_regions=regions,
        today=today,
        zone=_zone,
    )


def _zone(name: str) -> tzinfo | None:
    """A time zone of this machine's tz database."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # what is no name, or the name of a folder
        return None


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


class _Given(NamedTuple):
    """What somebody says of one setting, and where."""

    name: str
    value: Any
    origin: str
    node: Node | None = None
    """Its text with positions, where it was YAML."""


_FLAGS: Final = {"clusters": "--cluster"}
_PARSED: Final[Mapping[str, type[BaseModel]]] = {"targets": Target, "lease": LeaseSettings}
"""Settings with members of their own. A variable gives them as YAML, which JSON is."""
_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "tuple": "a list",
    "bool": "true or false",
    "model": "a mapping",
}
_SHAPES: Final[Mapping[type, str]] = {dict: "a mapping", list: "a list", tuple: "a list"}
_LENGTHS: Final = {"string_too_long": ("max_length", "most"), "string_too_short": ("min_length", "least")}
_LIMITS: Final = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _problem(error: Any, said: _Given) -> str:
    path, kind, given = error["loc"], str(error["type"]), error["input"]
    if len(path) > 1 and said.node is not None:
        at = str(locate(said.node, path[1:]))
        told = f"{at}: {show(path)}"
    else:
        at = said.origin
        told = at if at.startswith(("--", PREFIX)) else f"{at}: {show(path)}"
    if kind == "extra_forbidden":
        return f"{at}: {_unknown(path)}"
    if kind == "missing":
        return f"{at}: {show(path[:-1])} needs {quote(str(path[-1]))}"
    if kind == "value_error":
        return f"{told}: {error['ctx']['error']}"
    shown = quote(given) if isinstance(given, str) else _SHAPES.get(type(given), str(given))
    limits = [f"{words} {error['ctx'][limit]:g}" for limit, words in _LIMITS.items() if limit in error.get("ctx", {})]
    if limits:
        return f"{told} is {shown}: it must be {limits[0]}"
    if kind == "string_pattern_mismatch":
        return f"{told} is {shown}: {_PATTERNS[error['ctx']['pattern']]}"
    if kind in _LENGTHS:
        limit, words = _LENGTHS[kind]
        count = error["ctx"][limit]
        return f"{told} is {shown}: it must have at {words} {count} character{'' if count == 1 else 's'}"
    wanted = _KINDS.get(kind.partition("_")[0])
    return f"{told} must be {wanted}, not {shown}" if wanted else f"{told} is {shown}: {error['msg']}"


def _unknown(path: tuple[str | int, ...]) -> str:
    """What is said of a member that there is not."""
    name = str(path[-1])
    if len(path) == 1:
        hint = did_you_mean(name, Settings.model_fields)
        return f"{quote(name)} is no setting{f'; {hint}' if hint else ''}"
    members = _PARSED[str(path[0])].model_fields.items()
    hint = did_you_mean(name, [field.alias or member for member, field in members])
    return f"{quote(name)} is no member of {show(path[:-1])}{f'; {hint}' if hint else ''}"


def _from_flags(flags: Mapping[str, Any]) -> Iterator[_Given]:
    for name, value in flags.items():
        yield _Given(name, value, _FLAGS.get(name, f"--{name.replace('_', '-')}"))


def _from_environment(environment: Mapping[str, str]) -> Iterator[_Given]:
    """`CONTROLLER_PORT_BASE=18200`; a list is separated by commas. An empty variable counts as none."""
    for name in Settings.model_fields:
        text = environment.get(variable(name))
        if not text:
            continue
        if name in _PARSED:
            for document in _read(variable(name), text.encode()):
                yield _Given(name, _value(document), variable(name), document)
        else:
            value = [part.strip() for part in text.split(",") if part.strip()] if name == "clusters" else text
            yield _Given(name, value, variable(name))


def _suspects(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that name no setting are not ours to judge: Kubernetes sets CONTROLLER_PORT where a service is called
    controller. One that is nearly a setting is told all the same."""
    words = (name.removeprefix(PREFIX).lower() for name in sorted(environment) if name.startswith(PREFIX))
    meant = {
        word: closest(word, Settings.model_fields) for word in words if word not in {*Settings.model_fields, "config"}
    }
    return {variable(word): variable(name) for word, name in meant.items() if name is not None}


def _from_file(path: Path | None) -> Iterator[_Given]:
    if path is None:
        return
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Usage(f"configuration {path} cannot be read: {error.strerror}", advice="check --config") from error
    for root in _read(str(path), content):
        if not isinstance(root, Tree):
            raise Usage(f"{root.span}: a configuration is a mapping of settings, not {scalars.kind(root)}")
        for entry in root.entries:
            if not scalars.is_null(entry.value):
                yield _Given(entry.key.text, _value(entry.value), str(entry.key.span), entry.value)


def _read(name: str, content: bytes) -> tuple[Node, ...]:
    """The document of a YAML text, if there is one."""
    found = yaml.read(name, content)
    if found.diagnostics:
        told = [f"{one.at}: {one.message}{f'; {one.hint}' if one.hint else ''}" for one in found.diagnostics]
        raise Usage("; ".join(told))
    if len(found.documents) > 1:
        raise Usage(f"{found.documents[1].root.span}: a configuration is one document")
    return tuple(document.root for document in found.documents)


def _value(node: Node) -> Any:
    """Texts, lists and mappings; what a text means says the setting."""
    match node:
        case Scalar(text=text):
            return text
        case Sequence(items):
            return [_value(item) for item in items]
        case Tree(entries):
            return {entry.key.text: _value(entry.value) for entry in entries}
