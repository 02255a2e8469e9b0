"""What programs that read reports are told, as one list: spec findings, what went wrong, and what differs.

Decides how much each one weighs and which sentence it is. The list holds an error exactly when the process answers 1,
3 or 4, and anything but warnings about specs exactly when it does not answer 0, so that a format made of it can say
neither more nor less than the exit code does. Texts are on one line, free of control characters and of secrets.
Neighbours: `core.pass_report` (what is told), `rules` (what a code means), `github`, `sarif` and `junit` (print it).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controller.core.diagnostics import Diagnostic, Span
from controller.core.pass_report import PassReport, Verdict, WorkloadReport, settled
from controller.core.redact import redact
from controller.errors import ControllerError, Waiting
from controller.report.rules import HELD_BACK, NOT_HEALTHY, TO_CREATE, TO_DELETE, TO_UPDATE
from controller.report.text import change_lines, clean, headline

MOST_LINES: Final = 20
"""Changes of one workload that a finding lists; what is left out is counted."""


class Level(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Kind(StrEnum):
    """What a finding is about."""

    SPEC = "spec"
    RUNTIME = "runtime"
    WORKLOAD = "workload"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is told."""

    level: Level
    kind: Kind
    code: str
    """A code of `rules`, or the reason of an error."""
    message: str
    at: Span | None = None
    about: str | None = None
    """The workload or cluster, where it is about one."""
    more: tuple[str, ...] = ()
    """Further lines: the hint, or the fields that differ."""

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, the message first."""
        return (f"{self.about}: {self.message}" if self.about else self.message, *self.more)


def of_specs(found: Iterable[Diagnostic]) -> list[Finding]:
    """Findings about specs."""
    return [
        Finding(
            level=Level.ERROR if one.is_error else Level.WARNING,
            kind=Kind.SPEC,
            code=str(one.code),
            message=_shown(one.message),
            at=one.at,
            more=(_shown(one.hint),) if one.hint else (),
        )
        for one in found
    ]


def of_error(error: ControllerError) -> Finding:
    """What has ended a command."""
    return _error(error, about=None, at=None)


def of_pass(report: PassReport) -> list[Finding]:
    """Everything that a pass has to tell; of workloads that are in sync nothing."""
    found = of_specs(report.diagnostics)
    seen = {one.key.cluster for one in report.workloads if one.error is not None}
    found += [
        _error(error, about=f"cluster {clean(cluster)}", at=None)
        for cluster, error in report.failed.items()
        if cluster not in seen
    ]
    for one in report.workloads:
        if one.error is not None:
            found.append(_error(one.error, about=clean(str(one.key)), at=one.at))
        elif (code := _CODES.get(one.verdict)) is not None:
            found.append(_pending(one, code))
        if report.unhealthy and one.verdict not in (Verdict.INVALID, Verdict.DELETE, None) and not settled(one):
            message = f"not healthy in time: {_shown(one.health.message)}"
            found.append(Finding(Level.ERROR, Kind.WORKLOAD, NOT_HEALTHY, message, one.at, clean(str(one.key))))
    return found


_CODES: Final[Mapping[Verdict | None, str]] = {
    Verdict.CREATE: TO_CREATE,
    Verdict.UPDATE: TO_UPDATE,
    Verdict.DELETE: TO_DELETE,
    Verdict.BLOCKED: HELD_BACK,
}
_EXPECTED: Final = frozenset({TO_CREATE, TO_UPDATE})
"""What a change of a spec is meant to bring about."""


def _pending(one: WorkloadReport, code: str) -> Finding:
    lines = change_lines(one.plan.changes)
    left_out = len(lines) - MOST_LINES
    more = [*lines[:MOST_LINES], *([f"and {left_out} more"] if left_out > 0 else [])]
    more += [f"{hold.reason}: {_shown(hold.message)}" for hold in one.plan.holds]
    return Finding(
        level=Level.NOTE if code in _EXPECTED else Level.WARNING,
        kind=Kind.WORKLOAD,
        code=code,
        message=headline(one) or str(one.plan.drift),
        at=_place(one),
        about=clean(str(one.key)),
        more=tuple(more),
    )


def _place(one: WorkloadReport) -> Span | None:
    """The line that asks for the first change of a workload, else its document."""
    origins: Sequence[Span] = [change.origin for change in one.plan.changes]
    return origins[0] if origins and one.at is not None else one.at


def _error(error: ControllerError, *, about: str | None, at: Span | None) -> Finding:
    level = Level.WARNING if isinstance(error, Waiting) else Level.ERROR
    return Finding(level, Kind.RUNTIME, str(error.reason), _shown(str(error)), at, about)


def _shown(text: str) -> str:
    return clean(str(redact(text)))
