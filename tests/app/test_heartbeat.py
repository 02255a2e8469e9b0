"""The heartbeat tells a loop that turns from one that is stuck, and how late it runs."""

import asyncio
import contextlib

import pytest

from controller.app.heartbeat import BEAT, DEAD_AFTER, Heartbeat

pytestmark = pytest.mark.looptime


@contextlib.asynccontextmanager
async def beating():
    lags = []
    heartbeat = Heartbeat(lags.append)
    task = asyncio.create_task(heartbeat.run())
    try:
        yield heartbeat, lags
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_loop_that_turns_is_alive():
    async with beating() as (heartbeat, lags):
        await asyncio.sleep(100 * BEAT)
        assert heartbeat.alive()
        assert len(lags) in (99, 100)
        assert max(lags) == pytest.approx(0.0, abs=1e-6)


async def test_before_the_first_beat_nothing_is_claimed():
    assert not Heartbeat(lambda _: None).alive()


async def test_a_heart_that_has_stopped_is_dead_after_a_while():
    async with beating() as (heartbeat, _):
        await asyncio.sleep(BEAT)
    await asyncio.sleep(DEAD_AFTER - 2 * BEAT)
    assert heartbeat.alive()
    await asyncio.sleep(2 * BEAT)
    assert not heartbeat.alive()
