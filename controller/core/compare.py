"""A rendered workload against what is live: the changes, in the user's words.

A change names its field by key, shows both values (secrets masked), the line of the spec that asks for it, and what
making it true does to the running service. What `reconcile.ignore` covers is counted and keeps its live value in
everything that is sent. Neighbours: `diff` finds the differences, `plan` turns this into steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.core.diagnostics import Span
from controller.core.diff import Difference, diff
from controller.core.fields.service import (
    OUTPUT_ONLY,
    SERVICE_MEMBERS,
    TASK_DEFINITION_OUTPUT_ONLY,
    Answered,
    Effect,
    Sent,
)
from controller.core.ignore import covers, keep_live
from controller.core.live import LiveService, Observation, Revision
from controller.core.normalize import Items, Normal, NotManaged, Unknown, digest, normalize
from controller.core.ownership import BOOKKEEPING, GENERATION, LABELS
from controller.core.path import Item, Path, show
from controller.core.redact import redact
from controller.core.render import Rendered

TASK_DEFINITION = "RegisterTaskDefinitionRequest"
SERVICE = "CreateServiceRequest"


@dataclass(frozen=True, slots=True)
class Change:
    """One field that is not what the spec asks for, as it may be shown. None is absent."""

    path: Path
    live: Any
    spec: Any
    origin: Span
    effect: str
    by: str | None = None

    @property
    def field(self) -> str:
        """The path as text."""
        return show(self.path)


@dataclass(frozen=True, slots=True)
class TagChanges:
    """Tags of the service to set and to take away."""

    put: dict[str, str]
    remove: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.put or self.remove)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs between a workload and an existing service."""

    changes: tuple[Change, ...]
    ignored: int
    unknown: tuple[Unknown, ...]
    register: dict[str, Any]
    """RegisterTaskDefinition as it would be sent: ignored fields with their live values."""
    digest: str
    """Name of the content of `register`."""
    task_definition_differs: bool
    update: dict[str, Any]
    """Members for UpdateService, without taskDefinition."""
    replaces: tuple[str, ...]
    """Members that differ and that only a new service can have."""
    tags: TagChanges


def content(request: Mapping[str, Any]) -> Normal:
    """The canonical content of a task definition, as requested or as answered; its tags are not content."""
    members = {
        name: value for name, value in request.items() if name not in TASK_DEFINITION_OUTPUT_ONLY and name != "tags"
    }
    return normalize(TASK_DEFINITION, members)


def same_content(register: Mapping[str, Any], revision: Revision) -> bool:
    """Whether a registered revision already is what would be registered."""
    return not diff(content(register).members, content(revision.wire).members)


def service_members(live: LiveService) -> dict[str, Any]:
    """The members of a live service in CreateService's form; some are answered on its PRIMARY deployment only."""
    members = {name: value for name, value in live.wire.items() if name not in OUTPUT_ONLY}
    for name, member in SERVICE_MEMBERS.items():
        if member.answered is Answered.DEPLOYMENT and name in live.primary:
            members[name] = live.primary[name]
        if member.answered is Answered.NOWHERE or member.sent in (Sent.IDENTITY, Sent.TAGS):
            members.pop(name, None)
    return members


def compare(rendered: Rendered, live: LiveService, observation: Observation) -> Comparison:
    """Everything in which a live service is not what the workload asks for."""
    patterns = [rule.path for rule in rendered.workload.document.spec.reconcile.ignore]
    revision = observation.revision.wire if observation.revision else {}
    found = service_members(live)

    register = keep_live(patterns, root="taskDefinition", shape=TASK_DEFINITION, wire=rendered.register, live=revision)
    wanted = keep_live(patterns, root="service", shape=SERVICE, wire=_answered(rendered.service), live=found)

    task_definition, live_task_definition = content(register), content(revision)
    service, live_service = normalize(SERVICE, wanted), normalize(SERVICE, found)
    in_task_definition = diff(task_definition.members, live_task_definition.members, ("taskDefinition",))
    in_service = diff(service.members, live_service.members, ("service",))
    tags = _tags(rendered, live, patterns)

    differing = {str(difference.path[1]) for difference in in_service}
    unseen = _write_only(rendered) if live.ownership.digest != rendered.digest else {}
    update = {name: wanted.get(name, SERVICE_MEMBERS[name].cleared) for name in sorted(differing)} | unseen
    replaces = tuple(sorted(name for name in differing if SERVICE_MEMBERS[name].sent is Sent.NEVER))
    tasks = live.desired
    return Comparison(
        changes=(
            *(_change(rendered, difference, Effect.NEW_REVISION, tasks) for difference in in_task_definition),
            *(
                _change(rendered, difference, SERVICE_MEMBERS[str(difference.path[1])].effect, tasks)
                for difference in in_service
            ),
            *_tag_changes(rendered, live, tags, other=bool(in_task_definition or in_service)),
        ),
        ignored=_ignored(patterns, rendered, revision, found),
        unknown=(*_at("taskDefinition", live_task_definition), *_at("service", live_service)),
        register=register,
        digest=digest(dict(task_definition.members)),
        task_definition_differs=bool(in_task_definition),
        update={name: value for name, value in update.items() if name not in replaces},
        replaces=replaces,
        tags=tags,
    )


def _answered(service: Mapping[str, Any]) -> dict[str, Any]:
    return {n: value for n, value in service.items() if SERVICE_MEMBERS[n].answered is not Answered.NOWHERE}


def _write_only(rendered: Rendered) -> dict[str, Any]:
    """Declared members that ECS never answers: sent again whenever the spec has changed since it was last applied."""
    return {
        name: value
        for name, value in rendered.service.items()
        if SERVICE_MEMBERS[name].sent is Sent.UPDATE and SERVICE_MEMBERS[name].answered is Answered.NOWHERE
    }


def _ignored(patterns: list[str], rendered: Rendered, revision: Mapping[str, Any], found: Mapping[str, Any]) -> int:
    """How many differences the ignore rules cover."""
    if not patterns:
        return 0
    differences = (
        *diff(content(rendered.register).members, content(revision).members, ("taskDefinition",)),
        *diff(normalize(SERVICE, _answered(rendered.service)).members, normalize(SERVICE, found).members, ("service",)),
    )
    return sum(any(covers(pattern, difference.path) for pattern in patterns) for difference in differences)


def _at(root: str, normal: Normal) -> list[Unknown]:
    return [
        Unknown((root, *unknown.path), redact(unknown.value, name=show(unknown.path))) for unknown in normal.unknown
    ]


# Tags
# ------------------------------------------------------------------------------------------------------------------


def _tags(rendered: Rendered, live: LiveService, patterns: list[str]) -> TagChanges:
    """Our own keys only: what others have tagged stays. Bookkeeping follows the service, so `plan` adds it last."""
    wanted = {
        key: value
        for key, value in rendered.tags.items()
        if key not in BOOKKEEPING and not any(covers(pattern, ("service", "tags", Item(key))) for pattern in patterns)
    }
    return TagChanges(
        put={key: value for key, value in wanted.items() if live.tags.get(key) != value},
        remove=tuple(sorted(key for key in live.tags if key.startswith(LABELS) and key not in rendered.tags)),
    )


def _tag_changes(rendered: Rendered, live: LiveService, tags: TagChanges, *, other: bool) -> list[Change]:
    differences = [
        Difference(("service", "tags", Item(key)), live=live.tags.get(key), spec=tags.put.get(key))
        for key in sorted({*tags.put, *tags.remove})
    ]
    if not differences and not other:
        differences = [
            Difference(("service", "tags", Item(key)), live=live.tags.get(key), spec=rendered.tags.get(key))
            for key in bookkeeping_differences(rendered, live)
        ]
    return [_change(rendered, difference, Effect.NO_RESTART, live.desired) for difference in differences]


def bookkeeping_differences(rendered: Rendered, live: LiveService) -> tuple[str, ...]:
    """Bookkeeping tags that are not as they should be after the workload was applied; the generation only counts on."""
    return tuple(sorted(key for key in BOOKKEEPING - {GENERATION} if live.tags.get(key) != rendered.tags.get(key)))


# Changes
# ---------------------------------------------------------------------------------------------------------------


def _change(rendered: Rendered, difference: Difference, effect: Effect, tasks: int) -> Change:
    path = difference.path
    name = _telling_name(path)
    return Change(
        path=path,
        live=redact(_shown(difference.live), name=name),
        spec=redact(_shown(difference.spec), name=name),
        origin=origin(rendered, path),
        effect=_effect(effect, tasks),
    )


def _telling_name(path: Path) -> str:
    """The last name on a path, by which a value announces that it is a secret. References to secrets are no secrets."""
    if "secrets" in path or "secretOptions" in path:
        return ""
    return next(
        (part.key if isinstance(part, Item) else part for part in reversed(path) if not isinstance(part, int)), ""
    )


def origin(rendered: Rendered, path: Path) -> Span:
    """The place in the spec that a value comes from: where it is written, else what made the renderer add it."""
    for reason in rendered.reasons:
        if path[: len(reason.path)] == reason.path:
            return rendered.workload.origin(reason.origin)
    if path == ("service", "desiredCount"):
        return rendered.workload.origin(("spec", "replicas"))
    return rendered.workload.origin(("spec", *path))


def _effect(effect: Effect, tasks: int) -> str:
    match effect:
        case Effect.NEW_REVISION | Effect.NEW_DEPLOYMENT:
            return f"{effect}, rolls {tasks} task{'' if tasks == 1 else 's'}"
        case Effect.NO_RESTART | Effect.NEXT_DEPLOYMENT | Effect.REPLACES:
            return str(effect)


def _shown(value: Any) -> Any:
    """A canonical value as JSON."""
    match value:
        case Items(by_key):
            return {key: _shown(member) for key, member in by_key.items()}
        case dict():
            return {key: _shown(member) for key, member in value.items() if not isinstance(member, NotManaged)}
        case tuple():
            return [_shown(member) for member in value]
        case _:
            return value
