"""The queue's contract, rule by rule."""

import asyncio

import pytest

from controller.runtime.queue import BACKOFF_CAP, SLACK, ShutDownError, WorkQueue

pytestmark = pytest.mark.looptime


def now():
    return asyncio.get_running_loop().time()


def queue(jitter=lambda: 1.0):
    return WorkQueue(jitter)


async def drain(work):
    """The keys that are ready now, in the order in which they are handed out."""
    keys = []
    while True:
        try:
            async with asyncio.timeout(1e-5):
                key, _ = await work.get()
        except TimeoutError:
            return keys
        keys.append(key)


async def test_first_come_first_served_within_a_priority():
    work = queue()
    for key, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -100)):
        work.add(key, priority=priority)
    assert await drain(work) == ["b", "d", "a", "c", "e"]


async def test_one_entry_per_key():
    work = queue()
    for _ in range(3):
        work.add("a")
    assert len(work) == 1
    assert await drain(work) == ["a"]


async def test_adding_again_keeps_the_earlier_time_and_the_higher_priority():
    work = queue()
    work.add("a", after=10, priority=7)
    work.add("a", after=3, priority=1)
    work.add("a", after=30, priority=2)
    assert await work.get() == ("a", 7)
    assert now() == pytest.approx(3)


async def test_adding_again_keeps_the_place_in_the_line():
    work = queue()
    work.add("a")
    work.add("b")
    work.add("a")
    assert await drain(work) == ["a", "b"]


async def test_a_raised_priority_goes_to_the_end_of_its_level():
    work = queue()
    work.add("a")
    work.add("b", priority=5)
    work.add("a", priority=5)
    assert await drain(work) == ["b", "a"]


async def test_an_old_place_is_not_taken_again():
    """A key whose priority was raised leaves a place behind; it must not jump the line with it later."""
    work = queue()
    work.add("a")
    work.add("a", priority=5)
    assert await work.get() == ("a", 5)
    work.done("a")
    work.add("b")
    work.add("a")
    assert await drain(work) == ["b", "a"]


async def test_an_old_time_is_not_kept():
    work = queue()
    work.add("a", after=10)
    work.add("a")
    assert await work.get() == ("a", 0)
    work.done("a")
    work.add("a", after=20)
    await asyncio.sleep(15)
    assert await drain(work) == []
    await asyncio.sleep(5)
    assert await drain(work) == ["a"]


async def test_what_ripens_queues_up_behind_what_is_there():
    work = queue()
    work.add("late", after=5)
    work.add("early")
    await asyncio.sleep(6)
    work.add("later")
    assert await drain(work) == ["early", "late", "later"]


async def test_a_held_key_is_not_handed_out_again_until_done():
    work = queue()
    work.add("a")
    await work.get()
    work.add("a", priority=3)
    assert work.held == {"a"}
    assert "a" in work
    assert await drain(work) == []
    work.done("a")
    assert work.held == set()
    assert await work.get() == ("a", 3)


async def test_a_delay_that_is_asked_for_while_held_is_kept():
    work = queue()
    work.add("a")
    await work.get()
    work.add("a", after=10)
    await asyncio.sleep(4)
    work.done("a")
    await work.get()
    assert now() == pytest.approx(10)


async def test_done_without_another_addition_forgets_the_key():
    work = queue()
    work.add("a")
    await work.get()
    work.done("a")
    assert len(work) == 0
    assert "a" not in work
    assert await drain(work) == []


async def test_who_waits_is_woken_by_an_addition_and_by_an_earlier_time():
    work = queue()
    work.add("a", after=100)
    waiting = asyncio.create_task(work.get())
    await asyncio.sleep(1)
    work.add("b")
    assert await waiting == ("b", 0)
    waiting = asyncio.create_task(work.get())
    await asyncio.sleep(1)
    work.add("a", after=3)
    assert await waiting == ("a", 0)
    assert now() == pytest.approx(5)


async def test_two_that_wait_get_one_key_each():
    work = queue()
    waiting = [asyncio.create_task(work.get()) for _ in range(3)]
    await asyncio.sleep(1)
    work.add("a")
    work.add("b")
    await asyncio.sleep(1)
    assert sorted(task.result() for task in waiting if task.done()) == [("a", 0), ("b", 0)]
    work.shut_down()
    with pytest.raises(ShutDownError):
        await next(task for task in waiting if not task.done() or task.exception())


@pytest.mark.parametrize("after", [0, 10])
async def test_shutting_down_hands_out_nothing_and_takes_nothing(after):
    work = queue()
    work.add("a", after=after)
    waiting = asyncio.create_task(queue().get()), asyncio.create_task(work.get())
    work.shut_down()
    work.add("b")
    assert "b" not in work
    with pytest.raises(ShutDownError):
        await work.get()
    with pytest.raises(ShutDownError):
        await waiting[1]
    waiting[0].cancel()


async def test_a_cancelled_wait_loses_nothing():
    work = queue()
    waiting = asyncio.create_task(work.get())
    await asyncio.sleep(1)
    waiting.cancel()
    work.add("a")
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert await work.get() == ("a", 0)


async def test_backoff_doubles_up_to_its_cap_and_is_forgotten():
    work = queue()
    assert [work.add_after_failure("a") for _ in range(12)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    assert work.add_after_failure("b") == 1
    work.forget("a")
    assert work.add_after_failure("a") == 1
    for _ in range(5000):
        work.add_after_failure("c")
    assert work.add_after_failure("c") == BACKOFF_CAP


async def test_the_whole_backoff_is_jittered():
    parts = iter([0.0, 0.5, 0.25])
    work = queue(lambda: next(parts))
    assert [work.add_after_failure("a") for _ in range(3)] == [0.0, 1.0, 1.0]


async def test_an_addition_does_not_wait_for_the_backoff():
    work = queue()
    for _ in range(8):
        work.add_after_failure("a")
    work.add("a", after=0.5)
    await work.get()
    assert now() == pytest.approx(0.5)


async def test_a_year_of_additions_leaves_nothing_behind():
    """A key that waits for long is handed out and put back every minute: its old times must not pile up."""
    work = queue()
    for _ in range(10_000):
        work.add("a", after=0)
        await work.get()
        work.add("a", after=86_400)
        work.done("a")
        work.add("b", priority=0)
        work.add("b", priority=1)
        assert await work.get() == ("b", 1)
        work.done("b")
    assert len(work._waiting) + len(work._ready) <= 2 * (SLACK + 4)
