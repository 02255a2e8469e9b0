"""What one pass found and did, workload by workload: what every output format prints and what the exit code says.

Neighbours: `app` fills it, `report` prints it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from controller.core.diagnostics import Diagnostic, Span
from controller.core.gaudi.stops import Verdict as Death
from controller.core.live import Observation
from controller.core.plan import CreateService, DeleteService, Drift, Plan, ScaleToZero, Step
from controller.core.render import Rendered
from controller.core.status import Conditions, Health, HealthState
from controller.core.steps import RunTask
from controller.core.workload import Key
from controller.errors import ControllerError, Waiting
from controller.reasons import Reason


class Exit(IntEnum):
    """What the process answers. An error outranks an invalid spec, which outranks drift."""

    DONE = 0
    ERROR = 1
    DRIFT = 2
    INVALID = 3
    UNHEALTHY = 4
    USAGE = 64


class Verdict(StrEnum):
    """Under which heading of the summary a workload counts; each counts once."""

    IN_SYNC = "inSync"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    BLOCKED = "blocked"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class WorkloadReport:
    """One workload in one pass."""

    key: Key
    plan: Plan
    conditions: Conditions
    health: Health
    kind: str = "DL1Service"
    at: Span | None = None
    """Where its document stands; None for a service without a spec."""
    tasks: tuple[int, int] | None = None
    """Running and desired tasks, where the service exists."""
    cards: int = 0
    """Gaudi cards of all its tasks."""
    done: tuple[Step, ...] = ()
    """Steps that this pass carried out."""
    error: ControllerError | None = None
    why: Death | None = None
    """What its stopped tasks tell, where it is not well or ECS has rolled it back (`core.stopped`)."""
    last_good: bool = False
    """The newest document is invalid and an earlier one stands in for it."""
    compared: tuple[Rendered, Observation] | None = None
    """The two sides of the plan, where something differs: kept for whoever draws them whole."""

    @property
    def verdict(self) -> Verdict | None:
        """Its heading in the summary; None where it could not be observed."""
        if self.plan.drift is Drift.INVALID:
            return Verdict.INVALID
        if self.plan.drift is Drift.UNKNOWN:
            reconcile_off = any(hold.reason is Reason.RECONCILE_OFF for hold in self.plan.holds)
            return Verdict.BLOCKED if reconcile_off else None
        if self.plan.steps:
            first = self.plan.steps[0]
            if isinstance(first, ScaleToZero | DeleteService):
                return Verdict.DELETE
            creates = any(isinstance(step, CreateService | RunTask) for step in self.plan.steps)
            return Verdict.CREATE if creates else Verdict.UPDATE
        return Verdict.IN_SYNC if self.plan.drift is Drift.IN_SYNC else Verdict.BLOCKED


@dataclass(frozen=True, slots=True)
class PassReport:
    """One pass over everything."""

    uri: str
    revision: str
    workloads: tuple[WorkloadReport, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    """The source's files, for code frames."""
    applied: bool = False
    """Whether the pass was allowed to write."""
    unhealthy: bool = False
    """Whether the pass waited for rollouts and some did not become healthy."""
    failed: Mapping[str, ControllerError] = field(default_factory=dict)
    """Clusters that could not be observed, also those without a workload of the source."""
    wanted: int = 0
    """Valid workloads of the source, also those that were not asked for."""
    unnamed: int = 0
    """Files that hold an invalid document of which not even the key can be read."""

    @property
    def summary(self) -> dict[Verdict, int]:
        """How many workloads stand under each heading. Documents without a readable key count by their files."""
        counts = Counter(workload.verdict for workload in self.workloads)
        counts[Verdict.INVALID] += self.unnamed
        return {verdict: counts[verdict] for verdict in Verdict}

    @property
    def exit_code(self) -> Exit:
        """See `Exit`."""
        errors = [workload.error for workload in self.workloads if workload.error is not None]
        if self.failed or any(not isinstance(error, Waiting) for error in errors):
            return Exit.ERROR
        if any(diagnostic.is_error for diagnostic in self.diagnostics):
            return Exit.INVALID
        if self.unhealthy:
            return Exit.UNHEALTHY
        pending = any(workload.verdict not in (Verdict.IN_SYNC, None) for workload in self.workloads)
        return Exit.DRIFT if pending or errors else Exit.DONE


def merged(reports: Sequence[PassReport]) -> PassReport:
    """One report of passes over the same revision in several targets."""
    first = reports[0]
    return replace(
        first,
        workloads=tuple(sorted((one for report in reports for one in report.workloads), key=lambda one: one.key)),
        failed={name: error for report in reports for name, error in report.failed.items()},
        wanted=sum(report.wanted for report in reports),
        unhealthy=any(report.unhealthy for report in reports),
    )


def settled(workload: WorkloadReport) -> bool:
    """Whether a workload is where it should be: nothing left to do and healthy."""
    return workload.verdict is Verdict.IN_SYNC and workload.health.state is HealthState.HEALTHY
