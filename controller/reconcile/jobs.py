"""Reconciling one job: look, decide, act.

Before any write everything is read anew, tags of revisions included, because they are a job's memory. A rank that finds
no room is no error: the same pass plans again with what ECS said, so that a gang that fits only in part is stopped at
once. Rank 0 is placed first; where it is decides what the others are told. Neighbours: `core.jobs.plan` (decides),
`core.jobs.request` (the requests), `ports`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from controller.core.jobs.identity import TaskId
from controller.core.jobs.plan import STOPPED_BY_US, JobGuards, plan_job
from controller.core.jobs.rendezvous import Master
from controller.core.jobs.request import JOB, RenderedJob
from controller.core.jobs.state import JobState, is_ours
from controller.core.ownership import OWNER
from controller.core.steps import (
    DeregisterTaskDefinition,
    EnsureTaskDefinition,
    Plan,
    RecordRun,
    RunTask,
    Step,
    StopTask,
    TagTaskDefinition,
)
from controller.core.tasks import Started, Task
from controller.errors import ControllerError, Waiting
from controller.reasons import Reason
from controller.reconcile.ports import Clock, Ecs, ReadEcs, ReadTasks, Recorder, Tasks

ADDRESS_POLL: Final = 5.0
"""Seconds until rank 0 is looked at again, where it has no instance or no address yet."""
MOST_ROUNDS: Final = 3
"""Plans in one pass: the first, one after a refusal, one after what that has stopped."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job stands after it was reconciled."""

    plan: Plan
    """What is left to do, or what is waited for."""
    state: JobState
    done: tuple[Step, ...] = ()
    error: ControllerError | None = None


async def observe_job(ecs: ReadEcs, tasks: ReadTasks, job: RenderedJob, *, fresh: bool = True) -> JobState:
    """A job as it is. `fresh`: the tags of its revisions are read anew, as before a write.

    Raises:
        ControllerError: something of it could not be read.
    """
    found = await ecs.candidates(job.family)
    if fresh:
        found = tuple([await ecs.reread(one.arn) if is_ours(one, job) else one for one in found])
    known = JobState(found).records(job)
    if job.cron is None and job.uid() not in {one.uid for one in known}:
        found = (*found, *await ecs.retired(job.family))  # somebody may have deregistered the one that remembers
    running = await tasks.list_tasks(job.cluster, family=job.family)
    stopped = await tasks.list_tasks(job.cluster, family=job.family, stopped=True)
    described = await tasks.describe_tasks(job.cluster, (*running, *stopped))
    return JobState(found, tuple(described.values()))


async def plan_here(ecs: ReadEcs, job: RenderedJob, state: JobState, guards: JobGuards) -> Plan:
    """The plan, made again where it would start something: a service of ours of the same name, which the job was before
    its kind was changed, has to be gone first. Foreign services may be called as they like.

    Raises:
        ControllerError: the service could not be read.
    """
    planned = plan_job(job, state, guards)
    if not any(isinstance(step, RunTask) for step in planned.steps):
        return planned
    service = (await ecs.services(job.cluster, [job.key.name])).get(job.key.name)
    if service is None or service.status == "INACTIVE" or service.ownership.owner != job.owner:
        return planned
    return plan_job(job, state, replace(guards, service=True))


@dataclass(slots=True)
class JobReconciler:
    """Reconciles the jobs of one account and region."""

    ecs: Ecs
    tasks: Tasks
    clock: Clock
    recorder: Recorder

    async def converge(
        self, job: RenderedJob, *, ready: Mapping[str, bool] | None = None, behind: str | None = None
    ) -> JobResult:
        """Do what a job needs now. Its tasks are not waited for: call again when something may have changed."""
        done: list[Step] = []
        refused: dict[TaskId, str] = {}
        state, planned = JobState(), None
        try:
            for _ in range(MOST_ROUNDS):
                state = replace(await observe_job(self.ecs, self.tasks, job), refused=dict(refused))
                guards = JobGuards(self.clock.now(), ready or {}, behind)
                planned = await plan_here(self.ecs, job, state, guards)
                act = _Act(self.ecs, self.tasks, job, dict(planned.revisions), state.tasks)
                try:
                    before = len(refused)
                    await act.run(planned.steps, refused)
                finally:  # also where the time was over in the middle
                    done += act.done
                    for step in act.done:
                        self.recorder.record("step done", workload=str(job.key), step=type(step).__name__)
                if len(refused) == before:
                    break
        except ControllerError as error:
            left = planned or plan_job(job, state, JobGuards(self.clock.now(), ready or {}, behind))
            return JobResult(left, state, tuple(done), error)
        assert planned is not None
        left = replace(planned, steps=planned.steps[len(act.done) :])
        return JobResult(left, state, tuple(done))

    async def remove(self, job: RenderedJob) -> tuple[str, ...]:
        """Stop what runs of a job whose spec is gone; the ARNs of the tasks. That the spec is gone for good is the
        caller's business.

        Raises:
            ControllerError: something could not be read, or stopped.
        """
        state = await observe_job(self.ecs, self.tasks, job)
        ours = {JOB: job.key.name, OWNER: job.owner}
        stopped: list[str] = []
        for task in state.tasks:
            marked = all(task.tags.get(key) == value for key, value in ours.items())
            if TaskId.of(task.started_by) is not None and marked and not task.ending:
                await self.tasks.stop_task(job.cluster, task.arn, reason=f"{STOPPED_BY_US}: its spec is gone")
                self.recorder.record("step done", workload=str(job.key), step="StopTask")
                stopped.append(task.arn)
        return tuple(stopped)


@dataclass(slots=True)
class _Act:
    """One plan being carried out."""

    ecs: Ecs
    tasks: Tasks
    job: RenderedJob
    revisions: dict[str, str]
    """Content digest → ARN."""
    seen: tuple[Task, ...]
    done: list[Step] = field(default_factory=list)

    async def run(self, steps: tuple[Step, ...], refused: dict[TaskId, str]) -> None:
        """Carry out the steps in order, until one fails or a task finds no room: that is put into `refused`."""
        for step in steps:
            if isinstance(step, RunTask):
                started = await self._run_task(step)
                if isinstance(started, str):
                    refused[step.task] = started
                    return
                self.seen = (*self.seen, *started.tasks)
            else:
                await self._step(step)
            self.done.append(step)

    async def _step(self, step: Step) -> None:
        match step:
            case EnsureTaskDefinition(digest=digest, request=request):
                self.revisions[digest] = (await self.ecs.register(request)).arn
            case RecordRun(record=record, revision=name, remove=remove):
                arn = self._arn(name)
                written = replace(record, revision=int(arn.rpartition(":")[2]))
                await self.ecs.tag(arn, {written.key: written.text()})
                if remove:
                    await self.ecs.untag(arn, remove)
            case TagTaskDefinition(digest=digest, put=put):
                await self.ecs.tag(self._arn(digest), put)
            case StopTask(arn=arn, why=why):
                await self.tasks.stop_task(self.job.cluster, arn, reason=why)
            case DeregisterTaskDefinition(family=family, revision=revision):
                await self.ecs.deregister(f"{family}:{revision}")
            case _:
                raise ControllerError(f"a bug: {type(step).__name__} in the plan of a job")

    async def _run_task(self, step: RunTask) -> Started | str:
        """What began, or why nothing did."""
        master = await self._master(step.task) if step.task.rank else None
        revision = self._arn(step.revision).rpartition("/")[2]
        request = self.job.run_task(step.task, revision, master=master, index=step.index)
        try:
            started = await self.tasks.run_task(request)
        except Waiting as error:
            if error.reason is Reason.NO_CAPACITY:
                return str(error)
            raise
        if started.unplaced or not started.tasks:
            told = dict.fromkeys(f"{one.reason} {one.detail}".strip() for one in started.unplaced)
            return ", ".join(told) or "RunTask started nothing and did not say why"
        return started

    async def _master(self, task: TaskId) -> Master:
        """Where rank 0 of the attempt is.

        Raises:
            Waiting: it has no address yet.
        """
        first = replace(task, rank=0).started_by
        found = next((one for one in reversed(self.seen) if one.started_by == first), None)
        if found is not None and (own := _own_address(found)) is not None:
            return Master(own)
        if found is not None and found.instance is not None:
            address = (await self.tasks.addresses(self.job.cluster, [found.instance])).get(found.instance)
            if address is not None:
                return Master(address)
        message = "rank 0 has no address yet, which the other ranks have to know"
        raise Waiting(message, after=ADDRESS_POLL, reason=Reason.PROGRESSING)

    def _arn(self, name: str) -> str:
        """The revision of a name: content digest or `family:number`."""
        if name in self.revisions:
            return self.revisions[name]
        known = next(iter(self.revisions.values()), None) or next((one.definition for one in self.seen), "")
        return f"{known.rpartition('/')[0]}/{name}"


def _own_address(task: Task) -> str | None:
    """The address of a task with its own network interface (awsvpc)."""
    for attachment in task.wire.get("attachments", ()):
        for detail in attachment.get("details", ()):
            if detail.get("name") == "privateIPv4Address":
                return str(detail["value"])
    return None
