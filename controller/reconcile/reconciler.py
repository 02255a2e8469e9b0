"""Reconciling one key: look, decide, act, tell.

The only place that holds the writing port. Before any write the key is read live, whatever a snapshot said, and a key
whose last write ECS does not show yet is left alone. One function (`outcome`) says what comes next of how it went.
Neighbours: `observe`, `core.plan`, `act`, `core.status`; called by `controller.app`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from controller.core.changes import Change
from controller.core.live import LiveService, Observation
from controller.core.plan import Drift, Guards, Hold, Plan, Step, UpdateService, plan
from controller.core.prune import SourceHealth, plan_orphan
from controller.core.render import Rendered
from controller.core.status import Conditions, Deadline, Health, HealthState, conditions, health
from controller.core.steps import nobody
from controller.core.workload import Key
from controller.errors import Ambiguous, ControllerError, Denied, Stalled, Transient, Waiting
from controller.reasons import Reason
from controller.reconcile.act import Act
from controller.reconcile.expectations import Expectations
from controller.reconcile.observe import complete, observe
from controller.reconcile.ports import Clock, Ecs, Recorder
from controller.reconcile.rollouts import Rollouts, begins_rollout

DENIED_RETRY: Final = 300.0
"""Seconds until a refused call is tried again: somebody may have granted the permission."""
SOONEST: Final = 1.0
"""Seconds until a key is looked at again whose hold is about to end."""


def unasked(_: Plan) -> None:
    """Nobody has to be asked."""


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
    def made_true(self) -> tuple[Change, ...]:
        """Differences that are no more: all of them, or of a plan of which something was held those that were sent."""
        if self.error is not None or not self.done:
            return ()
        if not self.plan.holds:
            return self.plan.changes
        sent = {name for step in self.done if isinstance(step, UpdateService) for name in step.members}
        return tuple(one for one in self.plan.changes if one.path[0] == "service" and one.path[1] in sent)

    @property
    def settled(self) -> Plan:
        """The plan as it stands once its steps are done: nothing is left, or of one of which a step failed the rest."""
        left = self.plan.steps[len(self.done) :]
        if self.error is not None or left or not self.plan.steps:
            return replace(self.plan, steps=left)
        drift = Drift.BLOCKED if self.plan.holds else Drift.IN_SYNC
        return Plan(self.plan.key, drift, holds=self.plan.holds, ignored=self.plan.ignored, unknown=self.plan.unknown)


@dataclass(frozen=True, slots=True)
class Requeue:
    """What is done about the key next: reconcile it again, after a time or with backoff, or wait for a change."""

    after: float | None = None
    backoff: bool = False
    terminal: bool = False
    """It failed, and only a change of the spec or of the live state helps."""
    refused: bool = False
    """It failed, and is tried again after the time all the same: somebody may have granted it."""
    watch: bool = False
    """Something is under way that needs no hand: it is looked at together with others, in batches, until it is done."""


def outcome(result: Result) -> Requeue:
    """What comes next. The only place that decides it."""
    match result.error:
        case Waiting(after=after):
            return Requeue(after=after)
        case Stalled():
            return Requeue(terminal=True)
        case Denied():
            return Requeue(after=DENIED_RETRY, refused=True)
        case Transient() | ControllerError():
            return Requeue(backoff=True)
        case None:
            pass
    watch = bool(result.done) or result.health.state is HealthState.PROGRESSING
    holds = result.plan.holds
    ends = [hold.after for hold in holds if hold.after is not None and hold.reason is not Reason.DRAINING]
    return Requeue(after=max(min(ends), SOONEST) if ends else None, watch=watch)


@dataclass(slots=True)
class Reconciler:
    """Reconciles keys of one account and region."""

    ecs: Ecs
    clock: Clock
    recorder: Recorder
    owner: str
    expectations: Expectations = field(default_factory=Expectations)
    agreed: Callable[[Plan], None] = unasked
    """Asked before the first write of a plan; raises a ControllerError where it is not the one that was agreed on."""

    def is_stale(self, key: Key, seen: Observation) -> bool:
        """Whether what was seen of a key is older than our last write to it."""
        return self.expectations.patience(key, seen, self.clock.now()) is not None

    async def converge(
        self,
        rendered: Rendered,
        *,
        ready: Mapping[str, bool],
        force: bool = False,
        deadline: float | None = None,
        rollouts: Rollouts | None = None,
        callers: Callable[[Key, str], str | None] = nobody,
    ) -> Result:
        """Make one workload true. A deployment that takes longer than `deadline` seconds is degraded; one that would be
        one too many for `rollouts` is not begun."""
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
        guards = Guards(now=self.clock.now(), owner=self.owner, ready=ready, force=force, callers=callers)
        planned = plan(rendered, observation, guards)
        if rollouts is not None and begins_rollout(planned) and not rollouts.may_begin(key):
            planned = rollouts.hold_back(planned)
        result = await self._act(planned, observation, cluster, deadline=deadline)
        if rollouts is not None and not isinstance(result.error, Ambiguous):
            rollouts.saw(key, result.health)
        return result

    async def remove(self, key: Key, *, source: SourceHealth) -> Result:
        """Delete a service that no spec asks for any more, if it still is ours and still may be deleted. That it is one
        of the few of its pass, and that its revision does not lose too much, is the caller's business."""
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
        planned = plan_orphan(key, live, source=source, now=self.clock.now())
        return await self._act(planned, observation, key.cluster)

    async def _act(
        self, planned: Plan, observation: Observation, cluster: str, *, deadline: float | None = None
    ) -> Result:
        live = observation.service
        if not planned.steps:
            return Result(planned, self._health(live, deadline), live=live)
        act = Act(self.ecs, cluster, live, dict(planned.revisions))
        error: ControllerError | None = None
        try:
            self.agreed(planned)
            await act.run(planned.steps)
        except ControllerError as raised:
            error = raised
        finally:  # also where the time was over in the middle
            self._note(planned.key, act)
        done = tuple(act.done)
        return Result(planned, self._health(act.service, deadline), done=done, error=error, live=act.service)

    def _health(self, live: LiveService | None, deadline: float | None) -> Health:
        return health(live, Deadline(self.clock.now(), deadline) if deadline is not None else None)

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
