"""Who waits for whom (`dependsOn`), so that what becomes ready wakes those that waited for it.

Neighbours: `daemon`; that a plan waits is `core.plan`'s decision.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controller.core.desired import Desired
from controller.core.pass_report import WorkloadReport
from controller.core.service_report import waits_for_others
from controller.core.workload import Key


@dataclass(frozen=True, slots=True)
class Dependents:
    """The services of a revision that name others in `dependsOn`."""

    _by_name: Mapping[str, list[Key]] = field(default_factory=dict)
    """`cluster/name` → who depends on it."""

    @classmethod
    def of(cls, desired: Desired) -> "Dependents":
        """Those of a revision."""
        found: defaultdict[str, list[Key]] = defaultdict(list)
        for key, rendered in desired.rendered.items():
            for name in rendered.workload.document.spec.reconcile.depends_on:
                found[name].append(key)
        return cls(found)

    def waiting(self, key: Key, reports: Mapping[Key, WorkloadReport]) -> Iterator[Key]:
        """Those that wait for others, this one among them, as they were last seen."""
        for other in self._by_name.get(key.in_target, ()):
            if other in reports and waits_for_others(reports[other].plan):
                yield other
