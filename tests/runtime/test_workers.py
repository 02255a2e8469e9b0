"""Workers: what each outcome does with the queue, and that nothing a reconciler does can stop them."""

import asyncio
import contextlib

import pytest

from controller.runtime.queue import WorkQueue
from controller.runtime.workers import Next, Workers

pytestmark = pytest.mark.looptime


def now():
    return asyncio.get_running_loop().time()


class Pool:
    """Workers over a reconciler that the test writes, and what happened."""

    def __init__(self, reconcile, *, count=1, timeout=100.0):
        self.queue = WorkQueue(lambda: 1.0)
        self.crashes = []
        self.runs = []
        self.finished = []
        self._reconcile = reconcile
        self.workers = Workers(self.queue, self._note, self._crashed, count=count, timeout=timeout)

    async def _note(self, key):
        self.runs.append((now(), key))
        wanted = await self._reconcile(key, sum(run[1] == key for run in self.runs))
        self.finished.append((now(), key))
        return wanted

    def _crashed(self, key, error):
        self.crashes.append((key, error))

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.workers.run())
        try:
            yield task
        finally:
            self.queue.shut_down()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def times(pool, key="a"):
    return [pytest.approx(at, abs=0.001) for at, one in pool.runs if one == key]


async def test_nothing_wanted_is_not_run_again():
    async def reconcile(key, number):
        return Next()

    pool = Pool(reconcile)
    pool.queue.add("a")
    async with pool.running():
        await asyncio.sleep(10_000)
    assert times(pool) == [0]
    assert len(pool.queue) == 0


async def test_another_look_comes_after_its_time_and_forgets_failures():
    async def reconcile(key, number):
        return Next(failed=True) if number in (1, 2, 4) else Next(after=50.0)

    pool = Pool(reconcile)
    pool.queue.add("a")
    async with pool.running():
        await asyncio.sleep(110)
    assert times(pool) == [0, 1, 3, 53, 54, 104]  # backoff 1 s, 2 s; a success; backoff from 1 s again


async def test_failures_back_off_and_keep_their_priority():
    async def reconcile(key, number):
        return Next(failed=key == "a")

    pool = Pool(reconcile)
    pool.queue.add("a", priority=10)
    async with pool.running():
        await asyncio.sleep(6.5)
        pool.queue.add("b", after=0.5, priority=9)
        pool.queue.add("c", after=0.5, priority=11)
        await asyncio.sleep(0.6)
    assert times(pool) == [0, 1, 3, 7]
    assert [key for _, key in pool.runs[-3:]] == ["c", "a", "b"]


async def test_a_priority_survives_a_requeue():
    async def reconcile(key, number):
        return Next(after=5.0)

    pool = Pool(reconcile)
    pool.queue.add("a", priority=7)
    async with pool.running():
        await asyncio.sleep(1)
    assert pool.queue._entries["a"].priority == 7


@pytest.mark.parametrize("error", [RuntimeError("poisoned"), KeyError("x"), TimeoutError("its own")])
async def test_an_exception_is_told_and_backed_off_and_stops_nobody(error):
    async def reconcile(key, number):
        if key == "a":
            raise error
        return Next()

    pool = Pool(reconcile)
    pool.queue.add("a")
    pool.queue.add("b")
    async with pool.running():
        await asyncio.sleep(3.5)
    assert times(pool) == [0, 1, 3]
    assert times(pool, "b") == [0]
    assert pool.crashes == [("a", error)] * 3


async def test_a_reconciliation_that_takes_too_long_is_given_up():
    async def reconcile(key, number):
        await asyncio.sleep(1000)
        return Next()

    pool = Pool(reconcile, timeout=30)
    pool.queue.add("a")
    async with pool.running() as task:
        await asyncio.sleep(35)
        assert times(pool) == [0, 31]
        [(key, error)] = pool.crashes
        assert (key, str(error)) == ("a", "given up after 30 seconds")
        assert isinstance(error, TimeoutError)
        task.cancel()


async def test_a_cancellation_that_comes_from_nowhere_does_not_cost_a_worker():
    async def reconcile(key, number):
        if number == 1:
            raise asyncio.CancelledError("leaked")
        return Next()

    pool = Pool(reconcile)
    pool.queue.add("a")
    async with pool.running():
        await asyncio.sleep(10)
    assert times(pool) == [0, 1]
    assert "leaked" in str(pool.crashes[0][1])


async def test_cancelling_the_workers_is_shutdown_and_no_error():
    async def reconcile(key, number):
        await asyncio.sleep(50)
        return Next()

    pool = Pool(reconcile, count=2)
    pool.queue.add("a")
    async with pool.running() as task:
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert pool.crashes == []
    assert pool.finished == []
    assert pool.queue.held == set()
    assert "a" not in pool.queue


async def test_shutting_down_finishes_what_is_under_way_and_starts_nothing():
    async def reconcile(key, number):
        await asyncio.sleep(50)
        return Next(after=1.0)

    pool = Pool(reconcile, count=2)
    for key in ("a", "b", "c"):
        pool.queue.add(key)
    task = asyncio.create_task(pool.workers.run())
    await asyncio.sleep(1)
    pool.queue.shut_down()
    await task
    assert pool.finished == [(50, "a"), (50, "b")]
    assert [key for _, key in pool.runs] == ["a", "b"]


async def test_as_many_at_once_as_there_are_workers_and_one_per_key():
    async def reconcile(key, number):
        await asyncio.sleep(10)
        return Next()

    pool = Pool(reconcile, count=3)
    for key in ("a", "b", "c", "d"):
        pool.queue.add(key)
    async with pool.running():
        await asyncio.sleep(1)
        pool.queue.add("a")
        await asyncio.sleep(40)
    assert times(pool) == [0, 10]
    assert times(pool, "d") == [10]


async def test_workers_leave_no_tasks_behind():
    async def reconcile(key, number):
        return Next(after=1.0)

    pool = Pool(reconcile, count=8)
    before = asyncio.all_tasks()
    pool.queue.add("a")
    async with pool.running():
        await asyncio.sleep(10)
        assert len(asyncio.all_tasks() - before) == 9
    assert asyncio.all_tasks() == before
