"""Reports that need not be made again: nothing that they say depends on anything that has changed.

Most of a fleet is in sync, well and as it was a minute ago. A report is a function of the rendered spec, the service,
the revision that it uses, and the few terms below; where all of them are the same, so is the report. That alone would
not do for what waits: the clock, other workloads and who is calling also decide what is held back, how long a rollout
may take and what is done about a difference. So only a report of which no guard had anything to take is kept: in
sync, healthy, without a step, a hold or an error. A service is told by a fingerprint of everything that ECS has
answered, because to keep the answers themselves would take more memory than all the rest of the fleet.

Neighbours: `survey` (asks, and puts), `daemon` (holds it from one look to the next).
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from controller.core.live import LiveService, Observation, Revision
from controller.core.packed import Packed
from controller.core.pass_report import WorkloadReport
from controller.core.plan import Drift
from controller.core.render import Rendered
from controller.core.status import HealthState
from controller.core.workload import Key

WIDTH: Final = 16
"""Bytes of a fingerprint: two services that differ have the same one with a probability of 2⁻¹²⁸."""


@dataclass(frozen=True, slots=True)
class Basis:
    """All that a report of a workload in sync follows from."""

    rendered: Rendered
    service: bytes
    """Fingerprint of the service."""
    revision: Revision
    owner: str
    force: bool
    last_good: bool

    def same(self, other: "Basis") -> bool:
        """Whether the same report follows. Renderings are told apart by identity: one is made anew for every revision
        of the source, and to compare them costs more than to compare the service with it."""
        return (
            self.rendered is other.rendered
            and self.service == other.service
            and (self.revision is other.revision or self.revision == other.revision)
            and (self.owner, self.force, self.last_good) == (other.owner, other.force, other.last_good)
        )


def fingerprint(service: LiveService) -> bytes:
    """A name for everything that ECS has answered about a service.

    The same members in another order, and a new event, make another name: that costs a comparison that was not needed,
    and to sort and to choose would cost every service as much as all the rest here.
    """
    return hashlib.blake2b(Packed.of(service.wire).text, digest_size=WIDTH).digest()


def is_plain(seen: Observation) -> bool:
    """Whether an observation is a service and its revision and nothing more."""
    return seen == Observation(service=seen.service, revision=seen.revision) and seen.revision is not None


def stands_by_itself(report: WorkloadReport) -> bool:
    """Whether a report follows from its basis alone."""
    planned = report.plan
    return (
        planned.drift is Drift.IN_SYNC
        and not (planned.changes or planned.steps or planned.holds or report.done)
        and report.error is None
        and report.health.state is HealthState.HEALTHY
    )


@dataclass(slots=True)
class KnownReports:
    """The last report of every workload that stands by itself, with its basis."""

    _known: dict[Key, tuple[Basis, WorkloadReport]] = field(default_factory=dict)

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def get(self, key: Key, basis: Basis) -> WorkloadReport | None:
        """The report that follows from this basis, if it is known."""
        known = self._known.get(key)
        return known[1] if known is not None and known[0].same(basis) else None

    def put(self, key: Key, basis: Basis, report: WorkloadReport) -> None:
        """Keep a report that `stands_by_itself` until another one takes its place."""
        self._known[key] = (basis, report)

    def forget(self, key: Key) -> None:
        """Forget a workload of which there is no such report."""
        self._known.pop(key, None)

    def keep_only(self, keys: Collection[Key]) -> None:
        """Forget all workloads but these."""
        for key in self._known.keys() - keys:
            del self._known[key]
