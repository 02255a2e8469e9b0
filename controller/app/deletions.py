"""The deletions of a running daemon: which services may go, and how many in one pass.

A pass is a resync interval, however often the source changes within it. Which services may go only a look at everything
can say, and only for the revision that it looked with. Neighbours: `daemon`, `core.prune` (the rules).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.core.pass_report import WorkloadReport
from controller.core.plan import Drift
from controller.core.prune import Pass
from controller.core.workload import Key
from controller.reasons import Reason


@dataclass(slots=True)
class Deletions:
    """Services without a spec. Times are the event loop's, in seconds."""

    interval: float
    """Seconds of a pass."""
    _deletable: set[Key] = field(default_factory=set)
    _begun: dict[Key, float] = field(default_factory=dict)

    def __contains__(self, key: Key) -> bool:
        """Whether the last look at everything has found that a service may go."""
        return key in self._deletable

    def found(self, reports: Iterable[WorkloadReport]) -> None:
        """A look at everything has ended."""
        self._deletable = {one.key for one in reports if one.plan.drift is Drift.ORPHANED and one.plan.steps}

    def ends(self, reports: Iterable[WorkloadReport]) -> list[float]:
        """In how many seconds deletions that wait for their time may go."""
        waiting = (report.plan for report in reports if report.plan.drift is Drift.ORPHANED)
        holds = (hold for planned in waiting for hold in planned.holds if hold.reason is Reason.DELETE_HELD)
        return [hold.after for hold in holds if hold.after is not None]

    def revoke(self) -> None:
        """The source has changed: what it does not name must be looked for anew."""
        self._deletable.clear()

    def begin(self, key: Key, now: float) -> None:
        """A deletion is handed to a worker."""
        self._begun.setdefault(key, now)

    def so_far(self, now: float) -> Pass:
        """What the pass has begun."""
        self._begun = {key: at for key, at in self._begun.items() if now < at + self.interval}
        ends = min(self._begun.values(), default=now) + self.interval - now
        return Pass(begun=frozenset(self._begun), ends=ends)
