"""Plans of jobs over generated histories: the prefix law, one gang at a time, success only where all ended with 0."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.core.jobs.identity import TaskId
from controller.core.jobs.plan import JobGuards, plan_job
from controller.core.jobs.record import Phase
from controller.core.jobs.state import JobState
from controller.core.live import Revision
from controller.core.steps import (
    DeregisterTaskDefinition,
    EnsureTaskDefinition,
    RecordRun,
    RunTask,
    StopTask,
    TagTaskDefinition,
)
from controller.core.tasks import Task
from tests.support import desired

JOB = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Job
metadata: {name: train}
spec:
  cluster: default
  nodes: 3
  backoffLimit: 1
  taskDefinition:
    networkMode: host
    memory: "1024"
    containerDefinitions: [{name: main, image: example.com/a, command: [x]}]
"""
START = datetime(2026, 11, 25, 6, tzinfo=UTC)


def job_of(text: str = JOB, **members: str):
    for name, value in members.items():
        text = text.replace("  nodes: 3\n", f"  nodes: 3\n  {name}: {value}\n")
    found = desired(text)
    assert not [one for one in found.diagnostics if one.is_error], found.diagnostics
    (job,) = found.jobs.values()
    return job


class World:
    """A little ECS: what steps make of it, and what time does."""

    def __init__(self, job) -> None:
        self.job, self.now = job, START
        self.revisions: list[Revision] = []
        self.tasks: dict[str, dict] = {}
        self.refused: dict[TaskId, str] = {}
        self.succeeded: set[str] = set()

    @property
    def state(self) -> JobState:
        hour = self.now.timestamp() - 3600
        seen = [one for one in self.tasks.values() if one.get("stoppedAt", hour) >= hour]
        return JobState(tuple(reversed(self.revisions)), tuple(Task(dict(one)) for one in seen), dict(self.refused))

    def plan(self):
        return plan_job(self.job, self.state, JobGuards(self.now))

    def apply(self, step, *, places: bool = True) -> bool:
        match step:
            case EnsureTaskDefinition(request=request):
                arn = f"arn:aws:ecs:x:1:task-definition/train:{len(self.revisions) + 1}"
                tags = {one["key"]: one["value"] for one in request["tags"]}
                self.revisions.append(Revision({**request, "taskDefinitionArn": arn, "status": "ACTIVE"}, tags))
            case TagTaskDefinition(put=put):
                self._tag(len(self.revisions), put)
            case RecordRun(record=record, revision=name, remove=remove):
                home = int(name.rpartition(":")[2]) if name.startswith("train:") else len(self.revisions)
                self._tag(home, {record.key: replace(record, revision=home).text()}, remove)
            case RunTask(task=task):
                if task.started_by in {one["startedBy"] for one in self.tasks.values()}:
                    return True  # the token's answer
                if not places:
                    self.refused[task] = "RESOURCE:PORTS"
                    return False
                self.tasks[f"arn/{task.client_token}"] = {
                    "taskArn": f"arn/{task.client_token}",
                    "taskDefinitionArn": self.revisions[-1].arn,
                    "startedBy": task.started_by,
                    "createdAt": self.now.timestamp(),
                    "lastStatus": "RUNNING",
                    "desiredStatus": "RUNNING",
                }
            case StopTask(arn=arn):
                self.tasks[arn]["desiredStatus"] = "STOPPED"
            case DeregisterTaskDefinition(revision=number):
                old = self.revisions[number - 1]
                self.revisions[number - 1] = replace(old, wire={**old.wire, "status": "INACTIVE"})
            case _:
                raise AssertionError(step)
        return True

    def _tag(self, number: int, put, remove=()) -> None:
        old = self.revisions[number - 1]
        tags = {key: value for key, value in {**old.tags, **put}.items() if key not in remove}
        assert all(len(value) <= 256 for value in tags.values())
        self.revisions[number - 1] = replace(old, tags=tags)

    def end(self, arn: str, code: int | None, stop: str = "EssentialContainerExited") -> None:
        task = self.tasks[arn]
        if task["lastStatus"] == "STOPPED":
            return
        stopping = task["desiredStatus"] == "STOPPED"
        task |= {
            "lastStatus": "STOPPED",
            "desiredStatus": "STOPPED",
            "stopCode": "UserInitiated" if stopping else stop,
            "stoppedAt": self.now.timestamp(),
            "containers": [{"name": "main", **({"exitCode": code} if code is not None else {})}],
        }
        if code == 0 and task["stopCode"] == "EssentialContainerExited":
            self.succeeded.add(task["startedBy"])

    def live_attempts(self) -> set[tuple[str, int]]:
        names = [TaskId.of(one["startedBy"]) for one in self.tasks.values() if one["lastStatus"] != "STOPPED"]
        return {(one.uid, one.attempt) for one in names if one}

    def record(self):
        records = self.state.records(self.job)
        return max(records, key=lambda one: one.attempt) if records else None

    def settle(self, *, places: bool = True) -> None:
        """Carry out plans until there is nothing to do at this moment."""
        for _ in range(10):
            planned = self.plan()
            if not planned.steps:
                return
            for step in planned.steps:
                if not self.apply(step, places=places):
                    break
        raise AssertionError(f"plans without end: {planned.steps}")


def steps_of(world: World) -> list[str]:
    return [type(step).__name__ for step in world.plan().steps]


def live(world: World) -> list[str]:
    return [arn for arn, one in world.tasks.items() if one["lastStatus"] != "STOPPED"]


def test_a_gang_begins_all_at_once_and_is_complete_when_all_have_ended_with_0():
    world = World(job_of())
    assert steps_of(world) == ["EnsureTaskDefinition", "RecordRun", "RunTask", "RunTask", "RunTask"]
    world.settle()
    assert len(live(world)) == 3
    for arn in live(world)[:2]:
        world.end(arn, 0)
    assert steps_of(world) == ["RecordRun"]
    world.settle()
    world.now += timedelta(hours=3)  # ECS has forgotten the two
    assert steps_of(world) == []
    world.end(live(world)[0], 0)
    world.settle()
    assert world.record().phase is Phase.COMPLETE
    world.now += timedelta(days=300)
    assert steps_of(world) == []


def test_one_ranks_failure_stops_the_gang_and_counts_once():
    world = World(job_of())
    world.settle()
    world.end(live(world)[1], 1)
    assert steps_of(world) == ["RecordRun", "StopTask", "StopTask"]
    world.settle()
    assert (world.record().phase, world.record().failures) == (Phase.STOPPING, 1)
    for arn in live(world):
        world.end(arn, 0)  # they handle SIGTERM well, and that is no success
    world.settle()
    assert (world.record().phase, world.record().reason) == (Phase.WAITING, "Crashed")
    assert world.plan().holds[0].after == 10
    world.now += timedelta(seconds=10)
    world.settle()
    assert {TaskId.of(world.tasks[arn]["startedBy"]).attempt for arn in live(world)} == {2}
    world.end(live(world)[0], 1)
    world.settle()
    for arn in live(world):
        world.end(arn, 137)
    world.settle()
    assert world.record().phase is Phase.FAILED


def test_a_gang_that_finds_no_room_for_all_runs_for_none_and_counts_nothing():
    world = World(job_of())
    for step in world.plan().steps[:-1]:
        world.apply(step)
    world.apply(world.plan().steps[-1], places=False)
    assert steps_of(world) == ["RecordRun", "StopTask", "StopTask"]
    world.settle()
    for arn in live(world):
        world.end(arn, 137)
    world.settle()
    record = world.record()
    assert (record.phase, record.failures, record.reason) == (Phase.WAITING, 0, "PortsTaken")
    world.now += timedelta(seconds=10)
    world.settle()
    assert len(live(world)) == 3


def test_an_interruption_does_not_count():
    world = World(job_of())
    world.settle()
    world.end(live(world)[0], None, "SpotInterruption")
    world.settle()
    assert world.record().failures == 0


def test_an_end_that_nobody_saw_is_unknown_and_not_run_again():
    world = World(job_of())
    world.settle()
    for arn in live(world):
        world.end(arn, 0)
    world.now += timedelta(hours=2)
    world.settle()
    assert world.record().phase is Phase.UNKNOWN
    assert steps_of(world) == []
    again = World(job_of(onUnknown="retry"))
    again.settle()
    for arn in live(again):
        again.end(arn, 0)
    again.now += timedelta(hours=2)
    again.settle()
    assert again.record().phase is Phase.WAITING


def test_a_suspended_job_stops_and_goes_on_with_another_attempt():
    world = World(job_of())
    world.settle()
    world.job = job_of(suspend="true")
    assert steps_of(world) == ["RecordRun", "StopTask", "StopTask", "StopTask"]
    world.settle()
    for arn in live(world):
        world.end(arn, 0)
    world.settle()
    assert (world.record().phase, world.record().failures) == (Phase.WAITING, 0)
    world.job = job_of()
    world.settle()
    assert len(live(world)) == 3


def test_a_changed_spec_waits_for_the_old_tasks_or_replaces_them():
    world = World(job_of())
    world.settle()
    world.job = job_of(runId="two")
    assert steps_of(world) == []
    world.job = job_of(runId="two", onChange="replace")
    assert steps_of(world) == ["StopTask"] * 3
    world.settle()
    for arn in live(world):
        world.end(arn, 137)
    world.settle()
    assert len(live(world)) == 3


def test_an_expired_job_loses_its_revision_and_is_not_run_again():
    world = World(job_of(ttlSecondsAfterFinished="60"))
    world.settle()
    for arn in live(world):
        world.end(arn, 0)
    world.settle()
    world.now += timedelta(seconds=61)
    assert steps_of(world) == ["DeregisterTaskDefinition"]
    world.settle()
    assert steps_of(world) == []


def test_a_schedule_runs_each_time_once_and_begins_when_it_is_first_seen():
    world = World(job_of(schedule='"0 * * * *"'))
    world.settle()
    assert not world.tasks
    world.now += timedelta(minutes=61)
    world.settle()
    assert len(live(world)) == 3
    world.now += timedelta(hours=1)  # the earlier run is not over: this time is left out
    world.settle()
    for arn in live(world):
        world.end(arn, 0)
    world.settle()
    assert len(world.tasks) == 3
    world.now += timedelta(hours=3)  # of three missed times the last is run
    world.settle()
    assert len(world.tasks) == 6


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_over_all_histories(data):
    """Crashes after any step, ends of every kind, hours of absence: never two live gangs, no success that was not
    seen, and the law of plans at every moment."""
    world = World(job_of(onUnknown=data.draw(st.sampled_from(["fail", "retry"]))))
    for _ in range(data.draw(st.integers(3, 25))):
        planned = world.plan()
        reach = data.draw(st.integers(0, len(planned.steps)), label="steps before the crash")
        for done, step in enumerate(planned.steps[:reach], start=1):
            if not world.apply(step, places=data.draw(st.booleans())):
                break
            assert world.plan().steps == planned.steps[done:]
        if data.draw(st.booleans()):
            world.refused.clear()  # a new process
        assert len(world.live_attempts()) <= 1
        for arn in live(world):
            match data.draw(st.sampled_from(["run", "run", "0", "0", "1", "spot"]), label=arn):
                case "0":
                    world.end(arn, 0)
                case "1":
                    world.end(arn, 1)
                case "spot":
                    world.end(arn, None, "SpotInterruption")
        world.now += timedelta(seconds=data.draw(st.sampled_from([1, 30, 400, 3400, 9000])))
        record = world.record()
        if record is not None and record.phase is Phase.COMPLETE:
            assert {TaskId(record.uid, record.attempt, rank).started_by for rank in range(3)} <= world.succeeded
