"""A plan as a file: what somebody has looked at, so that exactly that can be carried out later, or nothing.

The file says under which settings, in which accounts and regions and over which content of the source the plan was
made, and of each workload with steps what was live, what differs and what is to be done. It is no order: whoever
carries it out plans again and compares (`differences`), so a file that was tampered with or has become stale can only
be refused. It holds no request and no secret: values were masked when changes were made, and requests stand as digests.
The form has a number; another one is refused. Neighbours: `app.planfile` (reads, writes, plans again), `document`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from controller.core.objects import StoredObject
from controller.core.pass_report import PassReport, WorkloadReport
from controller.core.plan import Step
from controller.core.redact import redact
from controller.errors import ControllerError
from controller.report.document import API_VERSION, step_document
from controller.report.text import clean, value

KIND: Final = "SavedPlan"
FORMAT: Final = 1

_TOLD: Final = frozenset({"made", "controller"})
"""Members that say something to people and decide nothing."""
_ABSENT: Final = object()
"""What a member is that is not there; one that is null is."""
_MEMBERS: Final = ("source", "order", "settings", "places", "workloads")


@dataclass(frozen=True, slots=True)
class Basis:
    """Under what a plan was made, beside the source and the live state."""

    settings: Mapping[str, Any]
    """Settings that decide what a plan says."""
    places: Mapping[str, Any]
    """Name of the target (empty: the controller's own) → account, region, endpoint."""
    selector: str | None = None
    force: bool = False
    objects: Mapping[str, StoredObject] | None = None
    """Of a source in a bucket: file → object."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan file that was understood."""

    document: Mapping[str, Any]

    @property
    def uri(self) -> str:
        """The source, without a password."""
        return str(self.document["source"]["uri"])

    @property
    def revision(self) -> str:
        """The revision of the source."""
        return str(self.document["source"]["revision"])

    @property
    def objects(self) -> dict[str, StoredObject]:
        """Of a source in a bucket: file → object."""
        found: Mapping[str, Mapping[str, Any]] = self.document["source"]["objects"]
        return {
            name: StoredObject(str(one["key"]), str(one["etag"]), int(one["size"]), one["version"])
            for name, one in found.items()
        }

    @property
    def selector(self) -> str | None:
        """The labels that were asked for."""
        selector = self.document["order"]["selector"]
        return None if selector is None else str(selector)

    @property
    def force(self) -> bool:
        """Whether what ECS rolled back is tried again."""
        return self.document["order"]["force"] is True


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was when the plan was made."""

    path: tuple[str, ...]
    planned: Any
    """None: it was not there."""
    now: Any

    def __str__(self) -> str:
        about, member = self.path[:2], self.path[2:]
        name = clean(" ".join(self.path))
        if about[0] == "workloads" and len(about) == 2:
            name = clean(f"{about[1]}: {' '.join(member)}" if member else about[1])
        if self.now is None and isinstance(self.planned, dict):
            return f"{name} is in the plan and not to be done any more"
        if self.planned is None and isinstance(self.now, dict):
            return f"{name} is to be done and not in the plan"
        return f"{name} was {value(self.planned)} and is {value(self.now)}"


def saved_plan(report: PassReport, basis: Basis, *, made: datetime, version: str) -> dict[str, Any]:
    """The document of a plan."""
    objects = basis.objects or {}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "format": FORMAT,
        "made": made.isoformat(timespec="seconds"),
        "controller": version,
        "source": {
            "uri": redact(report.uri),
            "revision": report.revision,
            "content": _content(report.files),
            "objects": {name: asdict(one) for name, one in sorted(objects.items())},
        },
        "order": {"selector": basis.selector, "force": basis.force},
        "settings": dict(basis.settings),
        "places": dict(basis.places),
        "workloads": {str(one.key): _workload(one) for one in report.workloads if one.plan.steps},
    }


def understood(text: str, name: str) -> SavedPlan:
    """A plan file's text as a plan. `name` names the file.

    Raises:
        ControllerError: it is none, or one of another version.
    """
    advice = "make it anew with `controller --once --out FILE`"
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ControllerError(f"{name} is no plan: it is no JSON", advice=advice) from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ControllerError(f"{name} is no plan that was saved with --out", advice=advice)
    found = (document.get("apiVersion"), document.get("format"))
    if found != (API_VERSION, FORMAT) or isinstance(found[1], bool):
        told = " ".join(map(str, found))
        message = f"{name} is of the form {clean(told[:80])}, and this controller reads {API_VERSION} {FORMAT}"
        raise ControllerError(message, advice=advice)
    saved = SavedPlan(document)
    if not _is_whole(saved):
        raise ControllerError(f"{name} is no whole plan", advice=advice)
    return saved


def differences(planned: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """What is not as it was, member by member."""
    return [one for name in _MEMBERS for one in _differences((name,), planned.get(name), now.get(name))]


def steps_of(report: PassReport) -> dict[str, frozenset[str]]:
    """Workload → digests of its steps: what may be done."""
    return {str(one.key): frozenset(map(step_digest, one.plan.steps)) for one in report.workloads if one.plan.steps}


def step_digest(step: Step) -> str:
    """A name for all that a step does, its request included."""
    return _digest({"step": type(step).__name__, **asdict(step)})


def _is_whole(saved: SavedPlan) -> bool:
    """Whether everything is there that is asked of a plan, and nothing else."""
    try:
        _ = saved.uri, saved.revision, saved.objects, saved.selector, saved.force
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return set(saved.document) - {"apiVersion", "kind", "format", *_TOLD} == set(_MEMBERS)


def _workload(one: WorkloadReport) -> dict[str, Any]:
    rendered, observation = one.compared if one.compared is not None else (None, None)
    service = observation.service if observation is not None else None
    live: dict[str, Any] = {}
    if service is not None:
        created = service.wire.get("createdAt")
        live = {"service": service.arn, "created": created, "taskDefinition": service.wire.get("taskDefinition")}
    return {
        "drift": str(one.plan.drift),
        "spec": _digest([rendered.register, rendered.create]) if rendered is not None else None,
        "live": live,
        "changes": {
            change.field: {"live": change.live, "spec": change.spec, "effect": change.effect}
            for change in one.plan.changes
        },
        "holds": [str(hold.reason) for hold in one.plan.holds],
        "steps": [{**step_document(step), "content": step_digest(step)} for step in one.plan.steps],
    }


def _differences(path: tuple[str, ...], planned: Any, now: Any) -> Iterator[Difference]:
    match planned, now:
        case dict(), dict():
            for name in [*planned, *(name for name in now if name not in planned)]:
                yield from _differences((*path, str(name)), planned.get(name, _ABSENT), now.get(name, _ABSENT))
        case list(), list() if len(planned) == len(now):
            for number, (before, after) in enumerate(zip(planned, now, strict=True), start=1):
                yield from _differences((*path, str(number)), before, after)
        case _ if _plain(planned) != _plain(now):
            yield Difference(path, *(None if one is _ABSENT else one for one in (planned, now)))


def _plain(shown: Any) -> str:
    """What a value says, whether it has been in a file or not: 1 is not true and not 1.0."""
    return json.dumps(shown, sort_keys=True, default=str)


def _content(files: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for name, content in sorted(files.items()):
        total.update(f"{name}\0{len(content)}\0".encode(errors="surrogatepass"))
        total.update(content)
    return f"sha256:{total.hexdigest()}"


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
