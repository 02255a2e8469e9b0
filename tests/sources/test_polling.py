"""When a remote source is looked at. Time is virtual."""

import asyncio
from contextlib import aclosing

import pytest

from controller.sources.polling import SETTLE, polled

pytestmark = pytest.mark.looptime


def now():
    return asyncio.get_running_loop().time()


async def test_at_once_and_then_after_each_interval():
    looks = []
    async with aclosing(polled(60.0, jitter=lambda: 0.5)) as changes:
        async for _ in changes:
            looks.append(now())
            if len(looks) == 4:
                break
    assert looks == pytest.approx([0, 60, 120, 180])


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, 54.0), (0.5, 60.0), (0.999, 65.9)])
async def test_intervals_are_spread_by_a_tenth(jitter, expected):
    async with aclosing(polled(60.0, jitter=lambda: jitter)) as changes:
        await anext(changes)
        await anext(changes)
    assert now() == pytest.approx(expected, abs=0.1)


async def test_a_wake_up_is_answered_early_and_many_are_one():
    wake_up = asyncio.Event()
    async with aclosing(polled(60.0, jitter=lambda: 0.5, wake_up=wake_up)) as changes:
        await anext(changes)
        loop = asyncio.get_running_loop()
        for after in (10.0, 10.1, 10.2, 10.3):
            loop.call_later(after, wake_up.set)
        await anext(changes)
        assert now() == pytest.approx(10.0 + SETTLE)
        await anext(changes)
        assert now() == pytest.approx(70.0 + SETTLE)


async def test_a_wake_up_while_the_caller_is_busy_is_not_lost():
    wake_up = asyncio.Event()
    async with aclosing(polled(60.0, jitter=lambda: 0.5, wake_up=wake_up)) as changes:
        await anext(changes)
        wake_up.set()
        await asyncio.sleep(5.0)
        await anext(changes)
        assert now() == pytest.approx(5.0 + SETTLE)
        wake_up.set()
        await anext(changes)
        assert now() == pytest.approx(5.0 + 2 * SETTLE)


async def test_a_wake_up_before_the_first_look_costs_one_more():
    wake_up = asyncio.Event()
    wake_up.set()
    async with aclosing(polled(60.0, jitter=lambda: 0.5, wake_up=wake_up)) as changes:
        await anext(changes)
        assert now() == 0
        await anext(changes)
        assert now() == pytest.approx(SETTLE)
        assert not wake_up.is_set()
