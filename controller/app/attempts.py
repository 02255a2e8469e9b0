"""What was tried in vain, so that a look at everything neither hides it nor cuts its waiting short.

A workload that fails waits for its next try in the queue; the survey meanwhile sees, every minute, that it needs a
hand. The same steps that were just refused are no news: they keep their error and their place. Neighbours: `daemon`.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from controller.core.pass_report import WorkloadReport
from controller.core.plan import Step
from controller.core.status import conditions
from controller.core.workload import Key
from controller.errors import ControllerError

STALLED_RETRY: Final = 3600.0
"""Seconds until what ECS has refused is tried again although neither spec nor live state have changed: what was missing
(a role, a quota) may be there now."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    left: tuple[Step, ...]
    """Steps that were not done."""
    error: ControllerError | None
    at: float


@dataclass(slots=True)
class Attempts:
    """The last failed attempt of each workload. Times are the event loop's, in seconds."""

    _failed: dict[Key, _Attempt] = field(default_factory=dict)

    def failed(self, key: Key, left: tuple[Step, ...], error: ControllerError | None, *, at: float) -> None:
        """An attempt has ended with `error` (None: it crashed), and these steps are left."""
        self._failed[key] = _Attempt(left, error, at)

    def forget(self, key: Key) -> None:
        """The workload is well, or something about it has changed, or it is no more."""
        self._failed.pop(key, None)

    def recall(self, report: WorkloadReport) -> WorkloadReport:
        """The report of a workload, with what went wrong where that is still to be done."""
        last = self._failed.get(report.key)
        if last is None or last.error is None or last.left != report.plan.steps or report.error is not None:
            return report
        told = conditions(report.plan, report.health, last.error)
        return replace(report, error=last.error, conditions=told)

    def in_vain(self, report: WorkloadReport, *, waiting: bool, now: float) -> bool:
        """Whether the very steps that a workload needs were tried already and wait for their next try (`waiting`), or
        for a change."""
        last = self._failed.get(report.key)
        if last is None or last.left != report.plan.steps:
            return False
        return waiting or now < last.at + STALLED_RETRY
