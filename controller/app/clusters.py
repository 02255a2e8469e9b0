"""The clusters in which services of ours may be, and whether they could be observed.

A cluster that no spec names any more is searched all the same, because its services have to go, until it is gone
itself. Neighbours: `daemon`, `survey` (looks).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.app.survey import Survey
from controller.core.desired import Desired
from controller.core.workload import Key, cluster_name
from controller.errors import ControllerError
from controller.reasons import Reason


@dataclass(slots=True)
class Clusters:
    """Clusters by name."""

    log: Any
    configured: frozenset[str]
    passed: datetime | None = None
    """When every cluster was last observed."""
    failed: Mapping[str, ControllerError] = field(default_factory=dict)
    """Clusters that could not be observed in the last pass."""
    _named: set[str] = field(default_factory=set)
    """By any revision since the start."""

    @classmethod
    def of(cls, configured: tuple[str, ...], log: Any) -> "Clusters":
        """The clusters of the settings, given by name or ARN."""
        return cls(log, frozenset(cluster_name(cluster) for cluster in configured))

    def names(self) -> tuple[str, ...]:
        """Where to look."""
        return tuple(sorted(self.configured | self._named))

    def named(self, desired: Desired) -> None:
        """A revision names clusters."""
        self._named |= {key.cluster for key in desired.rendered}

    def observed(self, key: Key) -> bool:
        """Whether the cluster of a workload could be observed in the last pass."""
        return key.cluster not in self.failed

    def took(self, seen: Survey, desired: Desired, now: datetime) -> None:
        """A look at everything has ended. What failed is said once for each reason."""
        for cluster, failure in seen.failed.items():
            if str(failure) != str(self.failed.get(cluster)):
                self.log.error("cluster not observed", cluster=cluster, reason=failure.reason, error=str(failure))
            if failure.reason is Reason.CLUSTER_NOT_FOUND and all(key.cluster != cluster for key in desired.rendered):
                self._named.discard(cluster)
        self.failed = seen.failed
        if not seen.failed:
            self.passed = now
