"""Spec → the two requests that make it true: RegisterTaskDefinition and CreateService, exactly as they would be sent.

What the user wrote wins. What is added has a reason that `controller render --explain` prints. Where the user's value
and a needed one cannot both be, that is an error with both places named, never silence. Rendering knows no live
state: it is the same on a laptop and in the daemon. Neighbours: `gaudi.requirements` (what to add), `policy` (what to
refuse), `plan` (what of it to send).
"""

import copy
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo
from typing import Any, Final

from controller.core.applied import HISTORY, KEYS, MEMBERS, history_tag, keys_tag, members_tag, revision_hash
from controller.core.diagnostics import Code, Diagnostic, Severity
from controller.core.draft import GAUDI, Draft, Reason
from controller.core.gaudi.cards import DEFAULT_PORT_BASE
from controller.core.gaudi.image import understand
from controller.core.gaudi.references import SCHEME, Resolved, Unresolved, resolve
from controller.core.gaudi.requirements import Circumstances, requirements
from controller.core.gaudi.version import Version
from controller.core.gaudi.visibility import check as visibility
from controller.core.gaudi.visibility import is_smoke
from controller.core.normalize import Canonical, digest, normalize
from controller.core.ownership import DIGEST, GENERATION, LABELS, ON_DELETE, OWNER, SOURCE, SUSPENDED, tag_value
from controller.core.path import Item, Path
from controller.core.service_request import service_request
from controller.core.spec import Gaudi, OnDelete
from controller.core.workload import Workload

DEFAULT_OWNER: Final = "controller"
IDENTITY: Final = frozenset({"cluster", "serviceName", "taskDefinition", "clientToken"})
"""Members of CreateService that say which service is meant, not what it should be."""


def utc_only(name: str) -> tzinfo | None:
    """The one time zone that needs no data."""
    return UTC if name in ("UTC", "Etc/UTC") else None


@dataclass(frozen=True, slots=True)
class Settings:
    """What rendering needs to know beside the spec."""

    owner: str = DEFAULT_OWNER
    """Identity of this controller, written to every service that it manages."""
    port_base: int = DEFAULT_PORT_BASE
    """Host port that stands for card 0."""
    targets: frozenset[str] = frozenset()
    """Names that `spec.target` may have."""
    region: str | None = None
    """Region of the clusters that name neither a target nor their ARN; None where it is not known."""
    target_regions: Mapping[str, str] = field(default_factory=dict)
    """Region of each target, as far as it is configured."""
    today: date | None = None
    """For what has run out of support; None leaves that out."""
    zone: Callable[[str], tzinfo | None] = utc_only
    """Time zones of schedules by name: they are data, and whoever renders has read it."""

    def region_of(self, workload: Workload) -> str | None:
        """Region of a workload's cluster: by its ARN, by its target, else the region at hand."""
        spec = workload.document.spec
        if spec.cluster.startswith("arn:"):
            return spec.cluster.split(":")[3]
        return self.region if spec.target is None else self.target_regions.get(spec.target)


@dataclass(frozen=True, slots=True)
class CanonicalForm:
    """The two requests as they are compared, worked out once for all passes."""

    task_definition: dict[str, Canonical]
    """Without tags, which are no content of a revision."""
    digest: str
    """Name of the content of the task definition."""
    service: dict[str, Canonical]
    """Without identity, tags and what is not managed."""

    @classmethod
    def of(cls, register: Mapping[str, Any], service: Mapping[str, Any]) -> "CanonicalForm":
        """The canonical forms of a RegisterTaskDefinition and of the managed members of a CreateService."""
        task_definition = normalize("RegisterTaskDefinitionRequest", {n: v for n, v in register.items() if n != "tags"})
        members = normalize("CreateServiceRequest", {n: v for n, v in service.items() if n != "tags"}).members
        return cls(task_definition.members, digest(dict(task_definition.members)), members)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A workload as ECS requests."""

    workload: Workload
    register: dict[str, Any]
    """RegisterTaskDefinition."""
    create: dict[str, Any]
    """CreateService for a name that never existed; `taskDefinition` is the family, the revision is known once
    registered."""
    reasons: tuple[Reason, ...]
    unmanaged: frozenset[str]
    """Members of `create` that are sent at creation and never compared afterwards."""
    digest: str
    """Name of everything that the spec asks for."""
    canonical: CanonicalForm

    @property
    def root(self) -> str:
        """Member of the spec that `create` comes from."""
        return "service"

    @property
    def family(self) -> str:
        """Family of the task definition."""
        return str(self.register["family"])

    @property
    def service(self) -> dict[str, Any]:
        """The members of the service that are kept in line: without identity, tags and what is not managed."""
        left_out = IDENTITY | self.unmanaged | {"tags"}
        return {name: value for name, value in self.create.items() if name not in left_out}

    @property
    def count(self) -> int | None:
        """The number of tasks that is kept in line; None where it is not managed."""
        count = None if "desiredCount" in self.unmanaged else self.create.get("desiredCount")
        return None if count is None else int(count)

    @property
    def tags(self) -> dict[str, str]:
        """All tags of the service that are ours to keep, bookkeeping included (generation 1)."""
        return {tag["key"]: tag["value"] for tag in self.create["tags"]}


@dataclass(frozen=True, slots=True)
class Rendering:
    """What came of rendering: the requests, or why there are none."""

    rendered: Rendered | None
    diagnostics: tuple[Diagnostic, ...]


def render(workload: Workload, settings: Settings) -> Rendering:
    """The requests of one workload."""
    draft = drafted(workload, settings)
    if workload.service_spec.reconcile.keep_revisions is not None:
        _mark_revision(draft, settings)
    create, unmanaged = service_request(draft)
    if draft.problems:
        return Rendering(None, tuple(draft.problems))
    tags = {tag["key"]: tag.get("value", "") for tag in workload.service.get("tags", ())}
    declared = {name: value for name, value in create.items() if name not in IDENTITY | unmanaged}
    wanted = CanonicalForm.of(draft.register, declared)
    record = _record(wanted, declared, own_tags=tags)
    tags |= {f"{LABELS}{key}": value for key, value in sorted(workload.document.metadata.labels.items())}
    content = digest(
        {
            "taskDefinition": dict(normalize("RegisterTaskDefinitionRequest", draft.register).members),
            "service": {**normalize("CreateServiceRequest", _asked_for(create)).members, "tags": dict(tags)},
            "unmanaged": tuple(sorted(unmanaged)),
        }
    )
    tags |= _bookkeeping(workload, settings, content) | record
    create["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
    create["clientToken"] = client_token(workload, content, previous=None)
    return Rendering(
        Rendered(
            workload=workload,
            register=draft.register,
            create=create,
            reasons=tuple(draft.reasons),
            unmanaged=unmanaged,
            digest=content,
            canonical=wanted,
        ),
        (),
    )


def drafted(workload: Workload, settings: Settings) -> Draft:
    """The RegisterTaskDefinition request of a workload, completed, with what is wrong with it."""
    draft = Draft(workload=workload, register=copy.deepcopy(workload.task_definition), reasons=[], problems=[])
    draft.register.setdefault("family", workload.document.metadata.name)
    _check_target(draft, settings)
    _resolve_images(draft, settings)
    _type_constraints(draft)
    if workload.document.spec.gaudi is not None:
        _add_gaudi(draft, workload.document.spec.gaudi, settings)
    return draft


def _type_constraints(draft: Draft) -> None:
    """Say the type of each placement constraint. The API model lets it be left out and there is but one, but that ECS
    takes it for granted is documented nowhere."""
    for number, constraint in enumerate(draft.register.get("placementConstraints", ())):
        if "expression" in constraint and "type" not in constraint:
            constraint["type"] = "memberOf"
            path: Path = ("taskDefinition", "placementConstraints", number)
            draft.reason((*path, "type"), "a task definition knows no other type", ("spec", *path))


def _asked_for(create: Mapping[str, Any]) -> dict[str, Any]:
    """The request without what only says which service is meant."""
    return {name: value for name, value in create.items() if name not in IDENTITY}


def client_token(workload: Workload, content: str, *, previous: str | None) -> str:
    """CreateService's idempotency token: the same for the same intent, another after the service was deleted.

    At most 36 ASCII characters (ECS API, CreateService `clientToken`). `previous` marks the incarnation that the name
    had before, so that ECS does not answer a re-creation with the memory of the deleted service.
    """
    text = "\n".join((str(workload.key), content, previous or ""))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _bookkeeping(workload: Workload, settings: Settings, content: str) -> dict[str, str]:
    tags = {OWNER: settings.owner, DIGEST: content, GENERATION: "1", SOURCE: tag_value(workload.file)}
    if workload.service_spec.reconcile.on_delete is OnDelete.ORPHAN:
        tags[ON_DELETE] = "orphan"
    if workload.service_spec.reconcile.suspend is not None:
        tags[SUSPENDED] = workload.service_spec.reconcile.suspend.until.isoformat()
    return tags


def _mark_revision(draft: Draft, settings: Settings) -> None:
    """A revision that may be retired later must say who has registered it."""
    draft.register["tags"] = [*draft.register.get("tags", ()), {"key": OWNER, "value": settings.owner}]
    why = "reconcile.keepRevisions retires only revisions that carry this mark of ours"
    draft.reason(("taskDefinition", "tags", Item(OWNER)), why, ("spec", "reconcile"))


def _record(wanted: CanonicalForm, declared: Iterable[str], *, own_tags: Iterable[str]) -> dict[str, str]:
    """What is remembered of this spec by tags, in hashes: see `applied`."""
    members = {name: wanted.service[name] for name in declared if name in wanted.service}
    keys = keys_tag(own_tags)
    history = history_tag(revision_hash(wanted.digest))
    return {MEMBERS: members_tag(members), HISTORY: history, **({KEYS: keys} if keys else {})}


def _check_target(draft: Draft, settings: Settings) -> None:
    """A workload for an account that nobody configured must not land in the one that happens to be at hand."""
    target = draft.workload.document.spec.target
    if target is not None and target not in settings.targets:
        hint = f"targets: {', '.join(sorted(settings.targets)) or 'none is configured'}"
        draft.problem(Code.UNKNOWN_TARGET, f"target `{target}` is not configured", ("spec", "target"), hint=hint)


def _resolve_images(draft: Draft, settings: Settings) -> None:
    """`dlc://` references become addresses of the registry in the cluster's region."""
    for container in draft.register.get("containerDefinitions", ()):
        reference = str(container.get("image", ""))
        if not reference.startswith(SCHEME):
            continue
        path: Path = ("taskDefinition", "containerDefinitions", Item(str(container.get("name"))), "image")
        match resolve(reference, settings.region_of(draft.workload)):
            case Resolved(address, why):
                container["image"] = address
                draft.reason(path, why, ("spec", *path))
            case Unresolved(message, hint):
                draft.problem(Code.BAD_VALUE, message, ("spec", *path), hint=hint)


def _add_gaudi(draft: Draft, gaudi: Gaudi, settings: Settings) -> None:
    name = _accelerator_container(draft, gaudi)
    if name is None:
        return
    bad = [finding for finding in visibility(draft.register, holder=name) if finding.severity is Severity.ERROR]
    for finding in bad:
        draft.problem(finding.code, finding.message, ("spec", *finding.path), hint=finding.hint)
    if bad:
        return
    draft.holder, container = name, draft.container(name)
    image = understand(str(container.get("image", "")))
    around = Circumstances(
        container=name,
        port_base=settings.port_base,
        synapseai=synapseai_of(gaudi, container),
        pytorch=image.pytorch,
        smoke=is_smoke(container),
        own_shared_memory=bool((container.get("linuxParameters") or {}).get("sharedMemorySize")),
        privileged=bool(container.get("privileged")),
    )
    for addition in requirements(gaudi, around):
        draft.add(addition)


def synapseai_of(gaudi: Gaudi, container: Mapping[str, Any]) -> Version | None:
    """SynapseAI's version in a container: what the spec says, else what the image's tag does."""
    return Version.read(gaudi.synapseai) if gaudi.synapseai else understand(str(container.get("image", ""))).synapseai


def _accelerator_container(draft: Draft, gaudi: Gaudi) -> str | None:
    """The container that gets the cards: the named one, the one that already asks for them, or the only essential
    one."""
    containers = draft.register.get("containerDefinitions", [])
    names = [str(one.get("name")) for one in containers]
    if gaudi.container is not None:
        if gaudi.container in names:
            return gaudi.container
        draft.problem(
            Code.CONTRADICTION,
            f"gaudi.container is `{gaudi.container}`, but the task definition has no container of that name",
            (*GAUDI, "container"),
            hint=f"containers: {', '.join(names)}",
        )
        return None
    asking = [
        one for one in containers if any(v.get("name") == "HABANA_VISIBLE_DEVICES" for v in one.get("environment", ()))
    ]
    essential = [one for one in containers if one.get("essential", True)]
    for candidates in (asking, essential):
        if len(candidates) == 1:
            return str(candidates[0]["name"])
    draft.problem(
        Code.CONTRADICTION,
        f"{len(essential)} containers are essential, and nothing says which of them gets the Gaudi cards",
        GAUDI,
        hint=f"set gaudi.container to one of: {', '.join(str(one.get('name')) for one in essential) or 'none'}",
    )
    return None
