"""A rendered workload against what is live: the changes, in the user's words.

A change names its field by key, shows both values (secrets masked), the line of the spec that asks for it, what making
it true does to the running service, and who has moved: the spec, somebody live, or both. What `reconcile.ignore` covers
is counted and keeps its live value in everything that is sent. Neighbours: `diff` finds the differences, `applied`
remembers what was asked for before, `update` says what is sent, `plan` turns this into steps.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.core.applied import Applied, Cause, value_hash
from controller.core.causes import Causes, all_live, revision_causes, service_causes
from controller.core.changes import Change, change
from controller.core.diff import Difference, diff
from controller.core.fields.service import (
    OUTPUT_ONLY,
    SERVICE_MEMBERS,
    TASK_DEFINITION_OUTPUT_ONLY,
    WRITE_ONLY,
    Answered,
    Effect,
    Sent,
    is_daemon,
)
from controller.core.ignore import covers, keep_live
from controller.core.live import LiveService, Observation, Revision
from controller.core.normalize import Canonical, Normal, Unknown, digest, normalize
from controller.core.ownership import PREFIX
from controller.core.path import Item, Path, show
from controller.core.redact import redact
from controller.core.render import Rendered
from controller.core.service_tags import TagChanges, bookkeeping_differences, tag_changes
from controller.core.update import update_members

TASK_DEFINITION = "RegisterTaskDefinitionRequest"
SERVICE = "CreateServiceRequest"


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
    """Whether the revision in use has other content, or may not be used again."""
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


def compare(
    rendered: Rendered, live: LiveService, observation: Observation, *, by: Callable[[str], str | None] | None = None
) -> Comparison:
    """Everything in which a live service is not what the workload asks for. `by` tells who has set a member of the
    service live, where that was seen."""
    patterns = [rule.path for rule in rendered.workload.service_spec.reconcile.ignore]
    revision = _with_tags(observation.revision)
    found = service_members(live)

    register = keep_live(patterns, root="taskDefinition", shape=TASK_DEFINITION, wire=rendered.register, live=revision)
    wanted = keep_live(patterns, root="service", shape=SERVICE, wire=_answered(rendered.service), live=found)
    wanted, untold = _same_namespace(wanted, found)

    live_task_definition, live_service = content(revision), normalize(SERVICE, found)
    task_definition = content(register).members if patterns else rendered.canonical.task_definition
    service = normalize(SERVICE, wanted).members if patterns or untold else _comparable(rendered)
    in_task_definition = (
        *diff(task_definition, live_task_definition.members, ("taskDefinition",)),
        *_retired(observation.revision),
    )
    in_service = diff(service, live_service.members, ("service",))
    tags = tag_changes(rendered, live, patterns)

    differing = {str(difference.path[1]) for difference in in_service}
    record = Applied.of(live.tags)
    same_spec = live.ownership.digest == rendered.digest
    update = update_members(differing, wanted, found) | _unseen(rendered, record, same_spec=same_spec)
    if "launchType" in differing and _by_providers(found):
        differing.remove("launchType")
        update |= {"capacityProviderStrategy": []}
    replaces = tuple(sorted(name for name in differing if SERVICE_MEMBERS[name].sent is Sent.NEVER))
    in_tags = _tag_differences(rendered, live, observation.revision, tags, patterns)
    if not (in_task_definition or in_service or in_tags):
        in_tags = _bookkeeping(rendered, live)

    causes: Causes = all_live
    if not same_spec:
        causes = _causes(rendered, observation, record, patterns=patterns, revision=revision, found=found)
    differences = (*in_task_definition, *in_service, *in_tags)
    changes = (
        change(rendered, one, effect=_effect(one.path, replaces), tasks=live.desired, cause=causes(one.path))
        for one in differences
    )
    return Comparison(
        changes=tuple(_signed(one, by) for one in changes),
        ignored=_ignored(patterns, rendered, revision, found),
        unknown=(*_at("taskDefinition", live_task_definition), *_at("service", live_service), *untold),
        register=register,
        digest=digest(task_definition) if patterns else rendered.canonical.digest,
        task_definition_differs=bool(in_task_definition),
        update={name: value for name, value in update.items() if SERVICE_MEMBERS[name].sent is not Sent.NEVER},
        replaces=replaces,
        tags=tags,
    )


def _signed(one: Change, by: Callable[[str], str | None] | None) -> Change:
    """The change with the name of who has made it, where somebody has made it live."""
    if by is None or one.cause not in (Cause.LIVE, Cause.BOTH):
        return one
    root, member, *_ = one.path
    return replace(one, by=by(str(member) if root == "service" else str(root)))


def _answered(service: Mapping[str, Any]) -> dict[str, Any]:
    return {n: value for n, value in service.items() if SERVICE_MEMBERS[n].answered is not Answered.NOWHERE}


def _comparable(rendered: Rendered) -> dict[str, Canonical]:
    members = rendered.canonical.service
    return {n: value for n, value in members.items() if SERVICE_MEMBERS[n].answered is not Answered.NOWHERE}


def _unseen(rendered: Rendered, record: Applied, *, same_spec: bool) -> dict[str, Any]:
    """Members that ECS never answers: sent where they are not what was applied last, taken away where they were
    applied and are declared no more. Without a record, the digest tells whether anything of the spec has moved."""
    update: dict[str, Any] = {}
    for name in WRITE_ONLY:
        before = record.value(name)
        if name in rendered.service:
            now = value_hash(rendered.canonical.service.get(name))
            known = same_spec if record.members is None else before == now
            update |= {} if known else {name: rendered.service[name]}
        elif before is not None:
            update[name] = SERVICE_MEMBERS[name].cleared
    return update


def _by_providers(found: Mapping[str, Any]) -> bool:
    """Whether a service runs by capacity providers: an empty strategy brings it back to a launch type, no new service
    is needed for that. Source: API model, UpdateService `capacityProviderStrategy`."""
    return not found.get("launchType") and bool(found.get("capacityProviderStrategy"))


def _same_namespace(wanted: dict[str, Any], found: Mapping[str, Any]) -> tuple[dict[str, Any], list[Unknown]]:
    """A Service Connect namespace of which one side says the name and the other the ARN: only Cloud Map could tell
    whether they are one, so it is shown and not compared. ECS has answered either. Source: ecspresso #745, #759."""
    configurations = [side.get("serviceConnectConfiguration") or {} for side in (wanted, found)]
    ours, theirs = (str(one.get("namespace") or "") for one in configurations)
    if not ours or not theirs or ours.startswith("arn:") == theirs.startswith("arn:"):
        return wanted, []
    path: Path = ("service", "serviceConnectConfiguration", "namespace")
    adjusted = {**configurations[0], "namespace": theirs}
    return {**wanted, "serviceConnectConfiguration": adjusted}, [Unknown(path, theirs, "is a name here, an ARN there")]


def _with_tags(revision: Revision | None) -> Mapping[str, Any]:
    if revision is None:
        return {}
    tags = [{"key": key, "value": value} for key, value in revision.tags.items() if not key.startswith("aws:")]
    return {**revision.wire, "tags": tags}


def _retired(revision: Revision | None) -> tuple[Difference, ...]:
    """A revision that was deregistered under the service: what runs goes on, but ECS deploys it never again."""
    if revision is None or revision.active:
        return ()
    return (Difference(("taskDefinition", "status"), live=str(revision.wire.get("status")), spec="ACTIVE"),)


def _effect(path: Path, replaces: Collection[str]) -> Effect:
    root, name = str(path[0]), path[1]
    if name == "tags":
        return Effect.NO_RESTART
    if root == "taskDefinition":
        return Effect.NEW_REVISION
    if name == "launchType" and name not in replaces:
        return Effect.FORCED_DEPLOYMENT
    return SERVICE_MEMBERS[str(name)].effect


def _causes(
    rendered: Rendered,
    observation: Observation,
    record: Applied,
    *,
    patterns: list[str],
    revision: Mapping[str, Any],
    found: Mapping[str, Any],
) -> Causes:
    """Who has moved, with what is ignored out of the way: on the live side it counts as the spec says it."""
    live_revision = keep_live(
        patterns, root="taskDefinition", shape=TASK_DEFINITION, wire=revision, live=rendered.register
    )
    live_service = keep_live(patterns, root="service", shape=SERVICE, wire=found, live=rendered.service)
    of_service = service_causes(
        rendered.canonical.service, normalize(SERVICE, live_service).members, record, daemon=is_daemon(rendered.create)
    )
    of_revision = revision_causes(
        rendered.canonical.task_definition,
        content(live_revision).members,
        (content(one.wire).members for one in observation.candidates),
        record,
    )

    def cause(path: Path) -> Cause:
        match path:
            case (_, "tags", *_):
                return Cause.UNKNOWN
            case ("taskDefinition", "status"):
                return Cause.LIVE
            case ("taskDefinition", *below):
                return of_revision(tuple(below))
            case (_, *below):
                return of_service(tuple(below))
            case _:
                return Cause.UNKNOWN

    return cause


def _ignored(patterns: list[str], rendered: Rendered, revision: Mapping[str, Any], found: Mapping[str, Any]) -> int:
    """How many differences the ignore rules cover."""
    if not patterns:
        return 0
    differences = (
        *diff(rendered.canonical.task_definition, content(revision).members, ("taskDefinition",)),
        *diff(_comparable(rendered), normalize(SERVICE, found).members, ("service",)),
    )
    return sum(any(covers(pattern, difference.path) for pattern in patterns) for difference in differences)


def _at(root: str, normal: Normal) -> list[Unknown]:
    return [
        Unknown((root, *unknown.path), redact(unknown.value, name=show(unknown.path))) for unknown in normal.unknown
    ]


# Tags
# ------------------------------------------------------------------------------------------------------------------


def revision_tags(rendered: Rendered, revision: Revision, patterns: list[str]) -> dict[str, str]:
    """Declared tags of the task definition that a revision does not carry as declared; those of others stay. Our own
    mark says who has registered it: it is never put on later."""
    declared = {str(tag["key"]): str(tag.get("value", "")) for tag in rendered.register.get("tags", ())}
    return {
        key: value
        for key, value in declared.items()
        if not key.startswith(PREFIX)
        and revision.tags.get(key) != value
        and not any(covers(pattern, ("taskDefinition", "tags", Item(key))) for pattern in patterns)
    }


def _tag_differences(
    rendered: Rendered, live: LiveService, revision: Revision | None, tags: TagChanges, patterns: list[str]
) -> list[Difference]:
    of_service = [
        Difference(("service", "tags", Item(key)), live=live.tags.get(key), spec=tags.put.get(key))
        for key in sorted({*tags.put, *tags.remove})
    ]
    if revision is None:
        return of_service
    of_revision = [
        Difference(("taskDefinition", "tags", Item(key)), live=revision.tags.get(key), spec=value)
        for key, value in sorted(revision_tags(rendered, revision, patterns).items())
    ]
    return [*of_revision, *of_service]


def _bookkeeping(rendered: Rendered, live: LiveService) -> list[Difference]:
    return [
        Difference(("service", "tags", Item(key)), live=live.tags.get(key), spec=rendered.tags.get(key))
        for key in bookkeeping_differences(rendered, live)
    ]
