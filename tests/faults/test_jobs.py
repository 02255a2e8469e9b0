"""A job of four nodes whose first attempt fails and whose second succeeds, with a controller that is killed, or loses
an answer, at every call of its whole life: always one complete run, each task started once, none left over. A successor
that comes so late that ECS has forgotten everything may not know how it ended; it starts nothing twice all the same.

Two bugs are put in on purpose and must be noticed, or the sweep proves nothing: a token of its own for each try, a
record that is written after the tasks.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any

import pytest

from controller.aws.api import NoAnswerError
from controller.core.desired import desire
from controller.core.jobs.identity import TaskId
from controller.core.jobs.record import Phase, Record
from controller.core.jobs.request import RenderedJob
from controller.core.render import Settings
from controller.core.steps import RecordRun, Step
from controller.reconcile.jobs import _Act, observe_job
from controller.sandbox.faults import Faults
from controller.sandbox.world import TaskStatus
from tests.reconcile.test_jobs import EXAMPLES, Interceptor, Killed, Site

NODES = 4
ROUND = 40.0
"""Seconds between two looks."""
ROUNDS = 30
LAG = 5.0
"""Seconds in which a task that has begun is neither listed nor described: what a token is for."""
FORGOTTEN = 2 * 3600.0
"""Seconds after which ECS knows neither the tasks of an attempt nor their tokens."""


class Fault(StrEnum):
    """What goes wrong at one call."""

    KILLED_BEFORE = "before"
    KILLED_AFTER = "after"
    LOST = "lost"


@cache
def job() -> RenderedJob:
    text = (EXAMPLES / "gang-training.yaml").read_text(encoding="utf-8")
    text = text.replace("nodes: 2", f"nodes: {NODES}").replace("backoffLimit: 2", "backoffLimit: 1")
    (found,) = desire({"gang.yaml": text.encode()}, Settings()).jobs.values()
    return found


class Witness(Interceptor):
    """Remembers what ECS has started, whether or not anybody heard of it; loses an answer where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.started: dict[str, set[str]] = {}
        """Name of a task → ARNs of the tasks that were started under it."""
        self.lose: int | None = None

    async def after(self, operation: str, params: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        for task in answer.get("tasks", ()) if operation == "RunTask" else ():
            self.started.setdefault(params["startedBy"], set()).add(task["taskArn"])
        if self.lose == len(self.calls):
            raise NoAnswerError(operation, "connection reset", sent=True)
        return await super().after(operation, params, answer)


class Place(Site):
    """Where the job lives."""

    def __init__(self) -> None:
        super().__init__(machines=NODES + 1)
        self.interceptor = self.witness = Witness()
        self.lived = 0
        """Calls of its whole life."""


def site() -> Place:
    """Five machines, readers that lag; in the first attempt rank 2 fails, in the second all ranks end well."""
    found, uid = Place(), job().uid()
    found.simulator.set_faults(Faults(lag=LAG))
    found.simulator.finishes("*", after=200.0)
    found.simulator.finishes("*", after=50.0, exit_code=1, started_by=TaskId(uid, 1, 2).started_by)
    return found


async def live(at: Place, *, away: float = 0.0) -> Record | None:
    """Looks of a controller, and where it is killed of its successor, who comes after `away` seconds, until the run is
    over; what is remembered."""
    for _ in range(ROUNDS):
        try:
            result = await at.controller().converge(job())
        except Killed:
            at.interceptor.kill = None
            at.rest(away)
            continue
        if (
            result.error is None
            and not result.plan.steps
            and not result.plan.holds
            and over(result.state.records(job()))
        ):
            break
        at.rest(ROUND)
    at.lived = len(at.interceptor.calls)
    at.interceptor = Interceptor()
    reader = at.controller()
    records = (await observe_job(reader.ecs, reader.tasks, job())).records(job())
    return records[0] if len(records) == 1 else None


def over(records: Any) -> bool:
    return any(record.final for record in records)


def check(at: Place, record: Record | None) -> None:
    """One complete run: two attempts, the first of which counts, each task once, none left."""
    uid = job().uid()
    assert record is not None
    assert (record.phase, record.attempt, record.failures, record.succeeded) == (Phase.COMPLETE, 2, 1, 1)
    started = Counter(task.started_by for task in at.simulator.world.tasks.values())
    assert started == Counter(TaskId(uid, attempt, rank).started_by for attempt in (1, 2) for rank in range(NODES))
    assert all(task.status is TaskStatus.STOPPED for task in at.simulator.world.tasks.values()), "no stray task"
    codes = [
        task.containers[0].exit_code for task in at.simulator.world.tasks.values() if f"{uid}/2/" in task.started_by
    ]
    assert codes == [0] * NODES


def tried(number: int, fault: Fault) -> Place:
    at = site()
    if fault is Fault.LOST:
        at.witness.lose = number
    else:
        at.interceptor.kill = (number, fault.value)
    return at


@cache
def calls() -> int:
    """Calls of a life in which nothing goes wrong."""
    at = site()
    check(at, asyncio.run(live(at)))
    return at.lived


def sweep(fault: Fault, *, away: float = 0.0) -> None:
    """The fault at every call."""
    for number in range(1, calls() + 1):
        at = tried(number, fault)
        try:
            found = asyncio.run(live(at, away=away))
            check_once(at, found) if away else check(at, found)
        except AssertionError as error:
            raise AssertionError(f"call {number}: {fault}") from error


def check_once(at: Place, record: Record | None) -> None:
    """Nothing ran twice, and success was said only where it was seen."""
    assert record is not None
    assert {name: len(arns) for name, arns in at.witness.started.items()} == dict.fromkeys(at.witness.started, 1)
    assert record.final
    assert (record.phase is Phase.COMPLETE) <= (record.succeeded == 1)
    assert all(task.status is TaskStatus.STOPPED for task in at.simulator.world.tasks.values()), "no stray task"


@pytest.mark.parametrize("fault", Fault)
def test_any_fault_at_any_call_leaves_one_complete_run(fault: Fault) -> None:
    sweep(fault)


@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER])
def test_a_successor_that_comes_too_late_starts_nothing_twice(fault: Fault) -> None:
    sweep(fault, away=FORGOTTEN)


def test_a_new_token_for_each_try_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    calls()
    numbers = itertools.count()
    monkeypatch.setattr(TaskId, "client_token", property(lambda _: f"try-{next(numbers)}"))
    with pytest.raises(AssertionError, match="call"):
        sweep(Fault.KILLED_AFTER)


def test_a_record_that_is_written_after_the_tasks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    run = _Act.run

    async def late(act: _Act, steps: tuple[Step, ...], refused: dict[TaskId, str]) -> None:
        await run(act, tuple(sorted(steps, key=lambda step: isinstance(step, RecordRun))), refused)

    calls()
    monkeypatch.setattr(_Act, "run", late)
    with pytest.raises(AssertionError, match="call"):
        sweep(Fault.KILLED_AFTER, away=FORGOTTEN)
