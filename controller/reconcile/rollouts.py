"""How many services of a cluster roll out at once, and whether one more may.

What rolls out is what was last seen to: so it holds after a restart, whoever began it, and what is past its deadline
takes nobody's place. A new service takes no place: it takes nothing away from anybody. Neighbours: `reconciler` asks
before it acts, `app` tells what it has seen.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from controller.core.fields.service import SERVICE_MEMBERS, Effect
from controller.core.pass_report import WorkloadReport
from controller.core.plan import Drift, Hold, Plan, UpdateService
from controller.core.status import Health, HealthState, conditions
from controller.core.workload import Key
from controller.reasons import Reason


def begins_rollout(planned: Plan) -> bool:
    """Whether a plan makes an existing service replace its tasks."""
    return any(isinstance(step, UpdateService) and _replaces_tasks(step) for step in planned.steps)


def _replaces_tasks(step: UpdateService) -> bool:
    members = (SERVICE_MEMBERS[name].effect for name in step.members)
    return step.digest is not None or step.force_new_deployment or Effect.NEW_DEPLOYMENT in members


@dataclass(slots=True)
class Rollouts:
    """The services that roll out now, by cluster. `most` of a cluster may at once; None is: all."""

    most: int | None = None
    _under_way: defaultdict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _waiting: dict[Key, None] = field(default_factory=dict)
    """Services that were refused, in the order of their first refusal."""

    def saw(self, key: Key, health: Health) -> None:
        """How a service was seen."""
        if health.state is HealthState.PROGRESSING:
            self._under_way[key.cluster].add(key)
        else:
            self._under_way[key.cluster].discard(key)

    def may_begin(self, key: Key) -> bool:
        """Whether a service may begin to roll out now; if so it counts as rolling out, if not it is waiting."""
        if self.must_wait(key):
            return False
        self._waiting.pop(key, None)
        self._under_way[key.cluster].add(key)
        return True

    def must_wait(self, key: Key) -> bool:
        """Whether all places are taken by others; if so the service is waiting."""
        under_way = self._under_way[key.cluster]
        if key in under_way or self._room(key.cluster) > 0:
            return False
        self._waiting.setdefault(key)
        return True

    def next(self) -> Iterator[Key]:
        """Takes out, in their order, as many waiting services as there are free places."""
        free: dict[str, int] = {}
        for key in list(self._waiting):
            room = free.setdefault(key.cluster, self._room(key.cluster))
            if room > 0:
                free[key.cluster] = room - 1
                del self._waiting[key]
                yield key

    def hold_back(self, planned: Plan) -> Plan:
        """The plan of a service that has to wait for its turn."""
        message = f"waits until fewer than {self.most} services of cluster {planned.key.cluster} roll out"
        hold = Hold(Reason.TOO_MANY_ROLLOUTS, message)
        return replace(planned, drift=Drift.BLOCKED, steps=(), holds=(*planned.holds, hold))

    def in_turn(self, report: WorkloadReport) -> WorkloadReport:
        """A report as it stands where the service has to wait for its turn."""
        if not begins_rollout(report.plan) or not self.must_wait(report.key):
            return report
        held = self.hold_back(report.plan)
        return replace(report, plan=held, conditions=conditions(held, report.health, report.error))

    def _room(self, cluster: str) -> int:
        under_way = self._under_way[cluster]
        return self.most - len(under_way) if self.most is not None else sys.maxsize
