"""A job as it was observed: the revisions of its family with their records, and its tasks by run, attempt and rank.

ECS shows tasks for an hour after their end, lists them late, and lists none that are gone: what is missing here may
exist. Decides nothing. Neighbours: `reconcile.jobs` makes these, `plan` reads them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from controller.core.compare import same_content
from controller.core.jobs.identity import TaskId
from controller.core.jobs.record import SINCE, Phase, Record, records_of
from controller.core.jobs.request import JOB, RenderedJob
from controller.core.live import Revision
from controller.core.ownership import OWNER
from controller.core.tasks import Task


@dataclass(frozen=True, slots=True)
class JobState:
    """All that is known of one job at one moment."""

    revisions: tuple[Revision, ...] = ()
    """Of the family, newest first, deregistered ones included as far as they were looked at."""
    tasks: tuple[Task, ...] = ()
    """Of the family, ended ones included."""
    refused: Mapping[TaskId, str] = field(default_factory=dict)
    """What RunTask has just said about tasks that found no place."""

    def records(self, job: RenderedJob) -> tuple[Record, ...]:
        """The newest record of every run of a job."""
        newest: dict[str, Record] = {}
        for revision in self.revisions:
            if not is_ours(revision, job):
                continue
            for one in records_of(revision.tags):
                known = newest.get(one.uid)
                if known is None or (known.attempt, known.at) < (one.attempt, one.at):
                    newest[one.uid] = one
        return tuple(newest.values())

    def since(self, job: RenderedJob) -> int | None:
        """Up to when the times of a schedule are dealt with; None where it was never looked at."""
        tags = [one.tags[SINCE] for one in self.revisions if is_ours(one, job) and SINCE in one.tags]
        handled = [int(text) for text in tags if text.isascii() and text.isdigit()]
        handled += [one.scheduled for one in self.records(job) if one.scheduled is not None]
        return max(handled, default=None)

    def equal(self, job: RenderedJob) -> Revision | None:
        """The newest ACTIVE revision of ours with the content that is wanted."""
        usable = (one for one in self.revisions if one.active and is_ours(one, job))
        return next((one for one in usable if same_content(job.register, one)), None)

    def of_run(self, uid: str) -> dict[TaskId, tuple[Task, ...]]:
        """The tasks of a run."""
        found: dict[TaskId, tuple[Task, ...]] = {}
        for task in self.tasks:
            name = TaskId.of(task.started_by)
            if name is not None and name.uid == uid:
                found[name] = (*found.get(name, ()), task)
        return found

    def others(self, job: RenderedJob, uids: Iterable[str]) -> tuple[Task, ...]:
        """Live tasks of the job's other runs: of a spec that has changed since. ECS takes tags away from a task that
        is being stopped, so one without tags may be the job's."""
        known = set(uids)
        return tuple(
            task
            for task in self.tasks
            if not task.stopped
            and (name := TaskId.of(task.started_by)) is not None
            and name.uid not in known
            and task.tags.get(JOB, job.key.name) == job.key.name
            and task.tags.get(OWNER, job.owner) == job.owner
        )


def is_ours(revision: Revision, job: RenderedJob) -> bool:
    """Whether a revision was registered by us for this job: another job may share the family."""
    return revision.tags.get(OWNER) == job.owner and revision.tags.get(JOB) == job.key.name


def number(revision: Revision) -> int:
    """The number of a revision within its family."""
    return int(revision.arn.rpartition(":")[2])


def current(
    uid: str, record: Record | None, tasks: Mapping[TaskId, tuple[Task, ...]], scheduled: int | None
) -> Record | None:
    """The record, or what tasks tell that are newer than it: it was written before them and is read late, or is
    lost."""
    newest = max((task.attempt for task in tasks), default=0)
    if newest <= (record.attempt if record is not None else 0):
        return record
    seen = [one for task, same in tasks.items() if task.attempt == newest for one in same]
    at = int(min(one.created_at for one in seen))
    revision = next((int(one.definition.rpartition(":")[2]) for one in seen if one.definition), 0)
    known = record or Record(uid, newest, Phase.STARTED, at, at, revision, scheduled=scheduled)
    return replace(known, attempt=newest, phase=Phase.STARTED, at=at, revision=revision, done=0, reason="", then=None)
