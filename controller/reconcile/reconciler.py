"""Reconciling one key: look, decide, act, tell.

The only place that holds the writing port. Before any write the key is read live, whatever a snapshot said, and a key
whose last write ECS does not show yet is left alone. One function (`outcome`) says what comes next of how it went.
Neighbours: `observe`, `core.plan`, `act`, `core.status`; called by `controller.app`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.core.live import LiveService, Observation
from controller.core.plan import Drift, Guards, Hold, Plan, Step, plan
from controller.core.prune import SourceHealth, plan_orphans
from controller.core.render import Rendered
from controller.core.status import Conditions, Health, HealthState, conditions, health
from controller.core.workload import Key
from controller.errors import ControllerError, Denied, Stalled, Transient, Waiting
from controller.reasons import Reason
from controller.reconcile.act import Act
from controller.reconcile.expectations import Expectations
from controller.reconcile.observe import complete, observe
from controller.reconcile.ports import Clock, Ecs, Recorder

ROLLOUT_POLL: Final = 10.0
"""Seconds between looks at a service whose deployment is under way."""
DENIED_RETRY: Final = 300.0
"""Seconds until a refused call is tried again: somebody may have granted the permission."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a key stands after it was reconciled."""

    plan: Plan
    health: Health
    done: tuple[Step, ...] = ()
    error: ControllerError | None = None
    live: LiveService | None = None
    stale: bool = False
    """ECS does not show our last write yet: what was known before still stands."""

    @property
    def conditions(self) -> Conditions:
        """The conditions of the workload."""
        return conditions(self.settled, self.health, self.error)

    @property
    def settled(self) -> Plan:
        """The plan as it stands once its steps are done: nothing is left, unless a step failed."""
        if self.error is not None or not self.plan.steps or len(self.done) < len(self.plan.steps):
            return self.plan
        drift = Drift.BLOCKED if self.plan.holds else Drift.IN_SYNC
        return Plan(self.plan.key, drift, holds=self.plan.holds, ignored=self.plan.ignored, unknown=self.plan.unknown)


@dataclass(frozen=True, slots=True)
class Requeue:
    """What the queue is told: try again with backoff, look again after a time, or wait for a change."""

    after: float | None = None
    backoff: bool = False


def outcome(result: Result) -> Requeue:
    """What comes next. The only place that decides it."""
    match result.error:
        case Waiting(after=after):
            return Requeue(after=after)
        case Stalled():
            return Requeue()
        case Denied():
            return Requeue(after=DENIED_RETRY)
        case Transient() | ControllerError():
            return Requeue(backoff=True)
        case None:
            pass
    holds = [hold.after for hold in result.plan.holds if hold.after is not None]
    if result.health.state is HealthState.PROGRESSING or result.done:
        holds.append(ROLLOUT_POLL)
    return Requeue(after=max(min(holds), 1.0)) if holds else Requeue()


@dataclass(slots=True)
class Reconciler:
    """Reconciles keys of one account and region."""

    ecs: Ecs
    clock: Clock
    recorder: Recorder
    owner: str
    expectations: Expectations = field(default_factory=Expectations)

    async def converge(self, rendered: Rendered, *, ready: Mapping[str, bool], force: bool = False) -> Result:
        """Make one workload true."""
        key = rendered.workload.key
        cluster = str(rendered.create["cluster"])
        try:
            observation = await observe(self.ecs, cluster, key.name, count=rendered.count)
            patience = self.expectations.patience(key, observation, self.clock.now())
            if patience is not None:
                return _stale(key, observation, patience)
            observation = await complete(self.ecs, rendered, observation)
        except ControllerError as error:
            return _unobserved(key, error)
        guards = Guards(now=self.clock.now(), owner=self.owner, ready=ready, force=force)
        return await self._act(plan(rendered, observation, guards), observation, cluster)

    async def remove(self, key: Key, *, owned: int, source: SourceHealth) -> Result:
        """Delete a service that no spec asks for any more, if it still is ours and still may be deleted."""
        try:
            observation = await observe(self.ecs, key.cluster, key.name)
        except ControllerError as error:
            return _unobserved(key, error)
        patience = self.expectations.patience(key, observation, self.clock.now())
        if patience is not None:
            return _stale(key, observation, patience)
        live = observation.service
        if live is None:
            return Result(Plan(key, Drift.IN_SYNC), Health(HealthState.MISSING, "deleted"))
        if live.ownership.owner != self.owner:
            hold = Hold(Reason.NOT_OWNED, f"service {live.name} does not carry our owner tag any more")
            return Result(Plan(key, Drift.ORPHANED, holds=(hold,)), health(live), live=live)
        (planned,) = plan_orphans({key: live}, owned=owned, source=source)
        return await self._act(planned, observation, key.cluster)

    async def _act(self, planned: Plan, observation: Observation, cluster: str) -> Result:
        live = observation.service
        if not planned.steps:
            return Result(planned, health(live), live=live)
        act = Act(self.ecs, cluster, live, dict(planned.revisions))
        error: ControllerError | None = None
        try:
            await act.run(planned.steps)
        except ControllerError as raised:
            error = raised
        finally:  # also where the time was over in the middle
            self._note(planned.key, act)
        return Result(planned, health(act.service), done=tuple(act.done), error=error, live=act.service)

    def _note(self, key: Key, act: Act) -> None:
        """Keep in mind what was written."""
        for step in act.done:
            self.recorder.record("step done", workload=str(key), step=type(step).__name__)
        written = act.written
        if written is not None:
            self.expectations.expect(key, written, self.clock.now())


def _unobserved(key: Key, error: ControllerError) -> Result:
    return Result(Plan(key, Drift.UNKNOWN), Health(HealthState.UNKNOWN, "not observed"), error=error)


def _stale(key: Key, observation: Observation, patience: float) -> Result:
    message = "ECS does not show our last write yet"
    waiting = Waiting(message, after=patience, reason=Reason.PROGRESSING)
    live = observation.service
    return Result(Plan(key, Drift.UNKNOWN), health(live), error=waiting, live=live, stale=True)
