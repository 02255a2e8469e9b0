"""What to do about a job: what was observed in, ordered steps out, or what is waited for.

The law of all plans holds: for every state and k, planning again after the first k steps gives the rest. An attempt is
written down before its first RunTask; RunTask is sent again for every rank that is not seen, with the same token, for
as long as ECS is sure to remember it; after that a rank that nobody sees has an end that nobody saw. The next attempt
begins only when every task of the one before is STOPPED, so no two gangs of a run live at once. Whatever is lost is
first written down with what it counts as, then stopped: a crash in between changes no verdict. Sources: ECS API,
"Ensuring idempotency"; Kubernetes, Job and CronJob. Neighbours: `state` (what is seen), `verdict` (what it means),
`core.steps` (the words), `reconcile.jobs` (carries out).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from controller.core.gaudi.stops import of_text
from controller.core.jobs.identity import TaskId
from controller.core.jobs.record import FINAL, KEPT, SINCE, Phase, Record, epoch, moment, records_of
from controller.core.jobs.request import RenderedJob
from controller.core.jobs.spec import Action, Concurrency, OnChange, OnUnknown
from controller.core.jobs.state import JobState, current, number
from controller.core.jobs.verdict import Cause, Fate, cause_of, fate_of
from controller.core.spec import Mode
from controller.core.steps import (
    DeregisterTaskDefinition,
    Drift,
    EnsureTaskDefinition,
    Hold,
    Plan,
    RecordRun,
    RunTask,
    Step,
    StopTask,
    TagTaskDefinition,
)
from controller.core.tasks import Task
from controller.reasons import Reason

REPEATABLE: Final = 55 * 60
"""Seconds for which RunTask may be sent again: ECS remembers a token for an hour after its task has ended, at least."""
BACKOFF: Final = 10
LONGEST_BACKOFF: Final = 360
"""Seconds between two attempts: doubled each time. Source: Kubernetes, Job backoff."""
LONGEST_WAIT_FOR_ROOM: Final = 60
"""Seconds at most, where the last attempt found no room: machines become free when others end, not because somebody has
waited long, and until then they stand idle. Only the first of a cluster's queue asks."""
NO_ROOM: Final = frozenset({Reason.NO_CAPACITY, Reason.PORTS_TAKEN, Reason.AGENT_DISCONNECTED})
DEPENDENCY_POLL: Final = 30.0
STOPPED_BY_US: Final = "dl1job"
"""Begins the reason of every StopTask of ours."""


@dataclass(frozen=True, slots=True)
class JobGuards:
    """What a plan must heed beside the state."""

    now: datetime
    ready: Mapping[str, bool] = field(default_factory=dict)
    """`cluster/name` → whether it is in sync and healthy, or complete."""
    behind: str | None = None
    """Who is to get room first, where that is another job."""
    service: bool = False
    """A service of ours with the job's name is still there: what the job was before its kind was changed."""


@dataclass(slots=True)
class _Draft:
    """A plan in the making."""

    steps: list[Step] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    drift: Drift = Drift.IN_SYNC


def plan_job(job: RenderedJob, state: JobState, guards: JobGuards) -> Plan:
    """The steps that a job needs now, and what keeps them back."""
    reconcile = job.spec.reconcile
    if reconcile.mode is Mode.OFF:
        return Plan(job.key, Drift.UNKNOWN, holds=(Hold(Reason.RECONCILE_OFF, "reconcile.mode is off"),))
    one = _Job(job, state, guards)
    one.plan()
    steps, holds, drift = one.draft.steps, one.draft.holds, one.draft.drift
    if steps and reconcile.suspend and reconcile.suspend.active(guards.now):
        until = reconcile.suspend.until
        message = f"suspended until {until.isoformat()}: {reconcile.suspend.reason}"
        holds, steps = [*holds, Hold(Reason.SUSPENDED, message, (until - guards.now).total_seconds())], []
    elif steps and reconcile.mode is Mode.NOTIFY:
        holds, steps = [*holds, Hold(Reason.NOTIFY_ONLY, "reconcile.mode is notify: reported, never written")], []
    equal = state.equal(job)
    return Plan(
        job.key,
        drift,
        steps=tuple(steps),
        holds=tuple(holds),
        revisions={job.content: equal.arn} if equal is not None else {},
    )


@dataclass(slots=True)
class _Job:
    """One job while it is planned."""

    job: RenderedJob
    state: JobState
    guards: JobGuards
    draft: _Draft = field(default_factory=_Draft)

    @property
    def now(self) -> datetime:
        return self.guards.now

    def plan(self) -> None:
        known = {one.uid: one for one in self.state.records(self.job)}
        if self.job.cron is not None:
            self._scheduled(known)
            return
        uid = self.job.uid()
        if not self._earlier_spec([uid]):
            self._run(uid, known.get(uid), None)

    def _earlier_spec(self, uids: list[str]) -> bool:
        """Whether tasks of an earlier spec still live: they are waited for, or stopped."""
        others = self.state.others(self.job, uids)
        if not others:
            return False
        self.draft.drift = Drift.DRIFTED
        if self.job.spec.on_change is OnChange.REPLACE:
            self._stop(others, "replaced by a changed spec")
        message = f"{len(others)} task{'s' if len(others) > 1 else ''} of the earlier spec still live"
        self.draft.holds.append(Hold(Reason.PROGRESSING, message, BACKOFF))
        return True

    # Schedules
    # --------------------------------------------------------------------------------------------------------------

    def _scheduled(self, known: Mapping[str, Record]) -> None:
        """The runs that are under way, then the time that is due."""
        job, cron, zone, now = self.job, self.job.cron, self.job.zone, self.now
        assert cron is not None
        assert zone is not None
        mine = [one for one in known.values() if one.scheduled is not None]
        mine = [one for one in mine if one.uid == job.uid(moment(one.scheduled or 0))]
        active = sorted((one for one in mine if not one.final), key=lambda one: one.scheduled or 0)
        since = self.state.since(job)
        earlier = self._earlier_spec([one.uid for one in mine])
        due = cron.last(now, zone, after=moment(since)) if since is not None else None
        replaced = due is not None and job.spec.concurrency_policy is Concurrency.REPLACE
        for one in active:
            self._run(one.uid, one, one.scheduled, replaced=replaced)
        if since is None:
            self._handled(epoch(now))
        elif due is not None:
            self._due(due, busy=bool(active) or earlier)
        following = cron.after(now, zone)
        if not self.draft.steps and not active:
            message = f"next run at {following.isoformat()}"
            self.draft.holds.append(Hold(Reason.SCHEDULED, message, (following - now).total_seconds()))

    def _due(self, due: datetime, *, busy: bool) -> None:
        spec = self.job.spec
        limit = spec.starting_deadline_seconds
        too_late = limit is not None and (self.now - due).total_seconds() > limit
        if spec.suspend:
            self.draft.holds.append(Hold(Reason.SUSPENDED, "spec.suspend is true"))
        elif too_late or (busy and spec.concurrency_policy is Concurrency.FORBID):
            self._handled(epoch(due))
        elif not (busy and spec.concurrency_policy is Concurrency.REPLACE):
            self._run(self.job.uid(due), None, epoch(due))

    def _handled(self, until: int) -> None:
        """Write down up to when scheduled times are dealt with."""
        self._ensure()
        self.draft.steps.append(TagTaskDefinition(self.job.family, self.job.content, {SINCE: str(until)}))

    # One run
    # --------------------------------------------------------------------------------------------------------------

    def _run(self, uid: str, record: Record | None, scheduled: int | None, *, replaced: bool = False) -> None:
        tasks = self.state.of_run(uid)
        record = current(uid, record, tasks, scheduled)
        attempt = record.attempt if record is not None else 0
        strays = [one for task, same in tasks.items() for one in same if task.attempt != attempt]
        strays += [one for task, same in tasks.items() if task.rank >= self.job.gang.nodes for one in same]
        self._stop(tuple(one for one in strays if not one.stopped), "it belongs to no attempt")
        live = [one for same in tasks.values() for one in same if not one.stopped]
        if record is None:
            self._begin(Record(uid, 0, Phase.WAITING, epoch(self.now), epoch(self.now), 0, scheduled=scheduled), live)
        elif record.final:
            self._stop(tuple(live), "the job is over")
            self._expire(record, live)
        elif record.phase is Phase.STARTED:
            self._started(record, tasks, live, replaced=replaced)
        elif record.phase is Phase.STOPPING:
            self._stopping(record, tasks, live)
        else:
            self._waiting(record, live, replaced=replaced)

    def _started(
        self, record: Record, tasks: Mapping[TaskId, tuple[Task, ...]], live: list[Task], *, replaced: bool
    ) -> None:
        ranks = {task.rank: same[-1] for task, same in tasks.items() if task.attempt == record.attempt}
        fates = {rank: fate_of(task, self.job.essential) for rank, task in ranks.items()}
        done = record.done | sum(
            1 << rank for rank, fate in fates.items() if fate is Fate.SUCCEEDED and not record.has_done(rank)
        )
        nodes = range(self.job.gang.nodes)
        if all(done >> rank & 1 for rank in nodes):
            self._succeeded(replace(record, done=done))
            return
        lost = [ranks[rank] for rank, fate in fates.items() if fate in (Fate.FAILED, Fate.INTERRUPTED)]
        missing = [rank for rank in nodes if rank not in ranks and not done >> rank & 1]
        spec, age = self.job.spec, epoch(self.now) - record.at
        if lost:
            self._lose(record, cause_of(lost, self.job.essential, spec.failure_policy), live)
        elif replaced:
            self._lose(record, Cause(Reason.REPLACED, Action.FAIL_JOB, "the next scheduled run replaces it"), live)
        elif self._past_deadline(record):
            self._lose(record, _deadline(spec.active_deadline_seconds), live)
        elif spec.suspend:
            self._lose(record, Cause(Reason.SUSPENDED, Action.IGNORE, "spec.suspend is true"), live)
        elif missing and (refused := self._refused(record, missing)) is not None:
            self._lose(record, refused, live)
        elif missing and age > REPEATABLE:
            self._unseen(record, live)
        else:
            if done != record.done:
                self._record(replace(record, done=done))
            for rank in missing:
                task = TaskId(record.uid, record.attempt, rank)
                self._run_task(task, record)
            if missing:
                self.draft.drift = Drift.MISSING

    def _succeeded(self, record: Record) -> None:
        succeeded = record.succeeded + 1
        over = succeeded >= self.job.spec.completions
        turned = replace(record, succeeded=succeeded, vain=0)
        self._record(turned.turn(Phase.COMPLETE if over else Phase.WAITING, self.now, str(Reason.COMPLETED)))

    def _lose(self, record: Record, cause: Cause, live: list[Task]) -> None:
        """Write down what a lost attempt counts as, and stop what is left of it."""
        failures = record.failures + (cause.action is Action.COUNT)
        fails = cause.action is Action.FAIL_JOB or failures > self.job.spec.backoff_limit
        vain = 0 if cause.reason is Reason.SUSPENDED else record.vain + 1
        turned = replace(record, failures=failures, vain=vain)
        self._turn(turned, Phase.FAILED if fails else Phase.WAITING, cause.reason, live)

    def _unseen(self, record: Record, live: list[Task]) -> None:
        """An end that nobody saw: the work may be done, or not."""
        retry = self.job.spec.on_unknown is OnUnknown.RETRY
        if retry:
            self._lose(record, Cause(Reason.OUTCOME_UNKNOWN, Action.COUNT, "nobody saw how it ended"), live)
        else:
            self._turn(record, Phase.UNKNOWN, Reason.OUTCOME_UNKNOWN, live)

    def _turn(self, record: Record, then: Phase, reason: Reason, live: list[Task]) -> None:
        if live:
            self._record(record.turn(Phase.STOPPING, self.now, str(reason), then=then))
            self._stop(tuple(live), str(reason))
        else:
            self._record(record.turn(then, self.now, str(reason)))

    def _stopping(self, record: Record, tasks: Mapping[TaskId, tuple[Task, ...]], live: list[Task]) -> None:
        if live:
            self._stop(tuple(live), record.reason)
            return
        ended = {task.rank: same[-1] for task, same in tasks.items() if task.attempt == record.attempt}
        fates = {rank: fate_of(task, self.job.essential) for rank, task in ended.items()}
        nodes = range(self.job.gang.nodes)
        if all(record.has_done(rank) or fates.get(rank) is Fate.SUCCEEDED for rank in nodes):
            self._succeeded(record)  # it was done before the stop reached it
        else:
            self._record(record.turn(record.then or Phase.UNKNOWN, self.now, record.reason))

    def _waiting(self, record: Record, live: list[Task], *, replaced: bool) -> None:
        suspended = record.reason == Reason.SUSPENDED
        if replaced:
            self._record(record.turn(Phase.FAILED, self.now, str(Reason.REPLACED)))
        elif self._past_deadline(record) and not suspended:
            self._record(record.turn(Phase.FAILED, self.now, str(Reason.DEADLINE_EXCEEDED)))
        else:
            again = record.at + _backoff(record) - epoch(self.now)
            if again > 0 and not self.job.spec.suspend:
                message = f"attempt {record.attempt + 1} begins in {again} s; the one before: {record.reason}"
                self.draft.holds.append(Hold(Reason.BACKING_OFF, message, float(again)))
                return
            self._begin(replace(record, began=epoch(self.now)) if suspended else record, live)

    def _begin(self, record: Record, live: list[Task]) -> None:
        """The next attempt, where nothing keeps it back."""
        spec, guards = self.job.spec, self.guards
        waits = [name for name in spec.reconcile.depends_on if not guards.ready.get(name, False)]
        hold: Hold | None = None
        if spec.suspend:
            hold = Hold(Reason.SUSPENDED, "spec.suspend is true")
        elif live:
            hold = Hold(Reason.PROGRESSING, "tasks of an earlier attempt still live", float(BACKOFF))
        elif guards.service:
            message = f"waits until the service {self.job.key.name} is gone: a workload never runs as both"
            hold = Hold(Reason.DRAINING, message, DEPENDENCY_POLL)
        elif waits:
            message = f"waits for {', '.join(waits)} to be in sync and healthy"
            hold = Hold(Reason.DEPENDENCY_NOT_READY, message, DEPENDENCY_POLL)
        elif guards.behind is not None:
            hold = Hold(Reason.NO_CAPACITY, f"waits for room behind {guards.behind}")
        self.draft.drift = Drift.MISSING
        if hold is not None:
            self.draft.holds.append(hold)
            return
        self._ensure()
        started = replace(record, attempt=record.attempt + 1, done=0).turn(Phase.STARTED, self.now)
        self._record(replace(started, revision=0))
        for rank in range(self.job.gang.nodes):
            self._run_task(TaskId(record.uid, started.attempt, rank), replace(started, revision=0))

    # Steps
    # --------------------------------------------------------------------------------------------------------------

    def _ensure(self) -> None:
        wanted = EnsureTaskDefinition(self.job.family, self.job.content, self.job.register)
        if self.state.equal(self.job) is None and wanted not in self.draft.steps:
            self.draft.steps.append(wanted)

    def _name(self, record: Record) -> str:
        """The revision of a record: by its content where that is the wanted one."""
        equal = self.state.equal(self.job)
        if record.revision == 0 or (equal is not None and number(equal) == record.revision):
            return self.job.content
        return f"{self.job.family}:{record.revision}"

    def _record(self, record: Record) -> None:
        name = self._name(record)
        home = next((one for one in self.state.revisions if number(one) == record.revision), self.state.equal(self.job))
        old = [one for one in records_of(home.tags) if one.phase in FINAL and one.uid != record.uid] if home else []
        old = sorted(old, key=lambda one: one.at, reverse=True)[KEPT:]
        remove = tuple(sorted(one.key for one in old))
        self.draft.steps.append(RecordRun(self.job.key, replace(record, revision=0), name, remove))

    def _run_task(self, task: TaskId, record: Record) -> None:
        self.draft.steps.append(RunTask(self.job.key, task, self._name(record), record.succeeded))

    def _stop(self, tasks: tuple[Task, ...], why: str) -> None:
        for task in sorted(tasks, key=lambda one: one.arn):
            step = StopTask(self.job.key, task.arn, f"{STOPPED_BY_US}: {why}"[:255])
            if not task.ending and step not in self.draft.steps:
                self.draft.steps.append(step)

    def _refused(self, record: Record, missing: list[int]) -> Cause | None:
        """What RunTask has said of a rank: no room for one is no room for all."""
        told = (self.state.refused.get(TaskId(record.uid, record.attempt, rank)) for rank in missing)
        text = next((one for one in told if one is not None), None)
        if text is None:
            return None
        verdict = of_text(text)
        return Cause(verdict.reason if verdict is not None else Reason.NO_CAPACITY, Action.IGNORE, text)

    def _past_deadline(self, record: Record) -> bool:
        seconds = self.job.spec.active_deadline_seconds
        return seconds is not None and epoch(self.now) - record.began >= seconds

    def _expire(self, record: Record, live: list[Task]) -> None:
        """`ttlSecondsAfterFinished`: the revision goes, what was written on it stays."""
        ttl = self.job.spec.ttl_seconds_after_finished
        if ttl is None or live or self.job.cron is not None:
            return
        left = record.at + ttl - epoch(self.now)
        home = next((one for one in self.state.revisions if number(one) == record.revision), None)
        if home is None or not home.active:
            return
        if left > 0:
            self.draft.holds.append(Hold(Reason.COMPLETED, "its revision is deregistered later", float(left)))
        else:
            self.draft.steps.append(DeregisterTaskDefinition(self.job.family, record.revision))


def _deadline(seconds: int | None) -> Cause:
    return Cause(Reason.DEADLINE_EXCEEDED, Action.FAIL_JOB, f"not done after {seconds} s (activeDeadlineSeconds)")


def _backoff(record: Record) -> int:
    """Seconds after the last attempt until the next one."""
    longest = LONGEST_WAIT_FOR_ROOM if record.reason in NO_ROOM else LONGEST_BACKOFF
    return 0 if record.vain == 0 else min(BACKOFF << min(record.vain - 1, 10), longest)
