"""A live service → the spec document that asks for exactly what is there, and for nothing that goes without saying.

Members keep the form in which ECS answers them; defaults and what `gaudi` or the renderer says are left out, secrets
are placeholders, other people's tags are kept and ours are not. Says `adopt` where nobody owns the service, because
without it the spec would only be looked at. It does not decide whether all of that has worked: `proof` does.
Neighbours: `recognition`, `lean`, `secrets`, `arrangement`, `writer`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from controller.core.compare import SERVICE, TASK_DEFINITION
from controller.core.fields.service import is_daemon
from controller.core.importing.arrangement import arranged
from controller.core.importing.found import Found
from controller.core.importing.lean import lean, spelled_out
from controller.core.importing.recognition import recognised
from controller.core.importing.secrets import Hidden, hide
from controller.core.importing.trial import Trial
from controller.core.importing.writer import write
from controller.core.live import ScalableTarget
from controller.core.normalize import normalize
from controller.core.ownership import LABELS
from controller.core.render import Settings
from controller.core.spec import API_VERSION, DL1Service, Gaudi, Metadata

ENDLESS = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user wants of a spec."""

    replicas: bool = True
    """Whether the spec says how many tasks there are."""
    plain: frozenset[str] = frozenset()
    """Variables that look like secrets and are none."""
    settings: Settings = field(default_factory=Settings)
    """How the spec is going to be rendered."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A spec as text, and what is to be known about it."""

    text: str
    hidden: tuple[Hidden, ...]
    gaudi: Gaudi | None
    autoscaled: bool
    """The count was left out because an autoscaler moves it."""
    fields: int
    """Values that ECS has answered or somebody has asked for."""
    kept: int
    """Values that the spec says."""


def spec_of(found: Found, choices: Choices) -> Spec:
    """The spec of one service."""
    register = found.register
    if register.get("family") == found.name:
        del register["family"]
    autoscaled = isinstance(found.observation.scaling, ScalableTarget) and not found.observation.scaling.suspended
    count = _count(found) if choices.replicas and not autoscaled else None
    trial = Trial(_skeleton(found, register, count), choices.settings)
    gaudi = recognised(trial, register)
    task_definition = _task_definition(trial, register, gaudi)
    trial = trial.but(task_definition=task_definition, gaudi=gaudi)
    service = _service(trial, found.service) if found.observation.service else {}
    written, hidden = hide(_with_tags(task_definition, found.revision_tags), plain=choices.plain)
    spec: dict[str, Any] = {"cluster": found.cluster, **({"target": found.target} if found.target else {})}
    if count is not None:
        spec["replicas"] = count
    if gaudi is not None:
        spec["gaudi"] = gaudi.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    spec["taskDefinition"] = arranged(TASK_DEFINITION, written)
    service = _with_tags(service, found.service_tags)
    if service:
        spec["service"] = arranged(SERVICE, service)
    reconcile = _reconcile(found)
    if reconcile:
        spec["reconcile"] = reconcile
    document = {
        "apiVersion": API_VERSION,
        "kind": trial.document.kind,
        "metadata": trial.document.metadata.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "spec": spec,
    }
    return Spec(
        text=write(document, comment=f"Imported from {found.origin} by `controller import`."),
        hidden=hidden,
        gaudi=gaudi,
        autoscaled=autoscaled,
        fields=_values(found.register) + _values(found.service),
        kept=_values(spec),
    )


def _skeleton(found: Found, register: Mapping[str, Any], count: int | None) -> DL1Service:
    """The document with what is known before anything is left out. What the renderer adds may depend on all of it."""
    tags = found.observation.service.tags if found.observation.service else {}
    labels = {key.removeprefix(LABELS): value for key, value in sorted(tags.items()) if key.startswith(LABELS)}
    return DL1Service.model_validate(
        {
            "apiVersion": API_VERSION,
            "kind": "DL1Service",
            "metadata": {"name": found.name, "labels": {k: v for k, v in labels.items() if _is_label(k, v)}},
            "spec": {
                "cluster": found.cluster,
                "target": found.target,
                "replicas": count,
                "taskDefinition": register,
            },
        }
    )


def _is_label(key: str, value: str) -> bool:
    """Whether a tag of ours says what a label may say: somebody may have edited it."""
    try:
        Metadata(name="any", labels={key: value})
    except ValidationError:
        return False
    return True


def _task_definition(trial: Trial, register: Mapping[str, Any], gaudi: Gaudi | None) -> dict[str, Any]:
    """Without Gaudi settings the renderer adds nothing, so that normalising is enough to see what is the same."""
    if gaudi is None:
        content = normalize(TASK_DEFINITION, register).members
        return lean(TASK_DEFINITION, register, lambda some: normalize(TASK_DEFINITION, some).members == content)
    wanted = trial.task_definition(register, None)
    return lean(TASK_DEFINITION, register, lambda some: trial.task_definition(some, gaudi) == wanted)


def _service(trial: Trial, members: Mapping[str, Any]) -> dict[str, Any]:
    """The renderer's defaults are not ECS's, so all are said at first and then as many as possible left out."""
    wanted = normalize(SERVICE, members).members
    bare = lean(SERVICE, members, lambda some: normalize(SERVICE, some).members == wanted)
    return lean(SERVICE, spelled_out(SERVICE, bare), lambda some: trial.service(some) == wanted)


def _with_tags(members: Mapping[str, Any], tags: list[dict[str, str]]) -> dict[str, Any]:
    return {**members, **({"tags": tags} if tags else {})}


def _count(found: Found) -> int | None:
    service = found.observation.service
    if service is None or is_daemon(service.wire):
        return None
    count = service.wire.get("desiredCount")
    return int(count) if count is not None else None


def _reconcile(found: Found) -> dict[str, Any]:
    service = found.observation.service
    if service is None:
        return {}
    ownership = service.ownership
    if ownership.owner is None:
        return {"adopt": True}
    said: dict[str, Any] = {"onDelete": "orphan"} if ownership.orphan_on_delete else {}
    if ownership.suspended_until not in (None, ENDLESS):
        said["suspend"] = {
            "reason": "it was suspended when it was imported",
            "until": ownership.suspended_until.isoformat(),
        }
    return said


def _values(value: Any) -> int:
    """How many values stand in a structure; empty collections are none."""
    match value:
        case Mapping():
            return sum(map(_values, value.values()))
        case list() | tuple():
            return sum(map(_values, value))
        case _:
            return 1
