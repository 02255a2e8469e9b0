"""One difference as it may be shown: where, both values, the line that asks for it, what it does, who has moved.

Values are masked here, so that no report can forget it. Neighbours: `compare` finds the differences, `report` prints
changes.
"""

from dataclasses import dataclass
from typing import Any

from controller.core.applied import Cause
from controller.core.diagnostics import Span
from controller.core.diff import Difference
from controller.core.fields.service import Effect
from controller.core.jobs.request import RenderedJob
from controller.core.normalize import Items, NotManaged
from controller.core.path import Item, Path, show
from controller.core.redact import redact
from controller.core.render import Rendered


@dataclass(frozen=True, slots=True)
class Change:
    """One field that is not what the spec asks for, as it may be shown. None is absent."""

    path: Path
    live: Any
    spec: Any
    origin: Span
    effect: str
    cause: Cause = Cause.UNKNOWN
    by: str | None = None
    """Who changed it live, where that was seen."""

    @property
    def field(self) -> str:
        """The path as text."""
        return show(self.path)


def change(rendered: Rendered, difference: Difference, *, effect: Effect, tasks: int, cause: Cause) -> Change:
    """A difference of a workload that runs this many tasks as a change."""
    name = telling_name(difference.path)
    return Change(
        path=difference.path,
        live=redact(_shown(difference.live), name=name),
        spec=redact(_shown(difference.spec), name=name),
        origin=origin(rendered, difference.path),
        effect=_effect(effect, tasks),
        cause=cause,
    )


def telling_name(path: Path) -> str:
    """The last name on a path, by which a value announces that it is a secret. References to secrets are no secrets."""
    if "secrets" in path or "secretOptions" in path:
        return ""
    return next(
        (part.key if isinstance(part, Item) else part for part in reversed(path) if not isinstance(part, int)), ""
    )


def origin(rendered: Rendered | RenderedJob, path: Path) -> Span:
    """The place in the spec that a value comes from: where it is written, else what made the renderer add it."""
    for reason in rendered.reasons:
        if path[: len(reason.path)] == reason.path:
            return rendered.workload.origin(reason.origin)
    if path == ("service", "desiredCount"):
        return rendered.workload.origin(("spec", "replicas"))
    return rendered.workload.origin(("spec", *path))


def _effect(effect: Effect, tasks: int) -> str:
    match effect:
        case Effect.NEW_REVISION | Effect.NEW_DEPLOYMENT | Effect.FORCED_DEPLOYMENT:
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
