"""When a source that cannot be watched is looked at: again and again, and early when something wakes it up.

The intervals are jittered, so that a fleet of controllers does not ask one server at the same second. A wake-up is a
hint and may be wrong, lost or doubled; the poll is the floor. Neighbours: `s3`, `git`; `aws.wakeups` hears the events.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

POLL: Final = 60.0
"""Seconds between two looks at a remote source: Flux's usual interval."""
SETTLE: Final = 0.5
"""Seconds for which wake-ups are gathered: a folder that is uploaded is an event per file."""


class WakeUp(Protocol):
    """What `asyncio.Event` offers, as far as it is needed here. It is set when there may be something new."""

    async def wait(self) -> object:
        """Return when it is set."""
        ...

    def clear(self) -> None:
        """Make it unset."""
        ...


async def polled(poll: float, *, jitter: Callable[[], float], wake_up: WakeUp | None = None) -> AsyncIterator[None]:
    """Yields at once, then after each interval or wake-up. One that comes while the caller is busy is not lost.

    `poll` is in seconds, ±10 % by `jitter`, which answers a number in [0, 1).
    """
    yield
    while True:
        interval = poll * (0.9 + 0.2 * jitter())
        if wake_up is None:
            await asyncio.sleep(interval)
        else:
            await _woken(interval, wake_up)
        yield


async def _woken(interval: float, wake_up: WakeUp) -> None:
    try:
        async with asyncio.timeout(interval):
            await wake_up.wait()
    except TimeoutError:
        return
    await asyncio.sleep(SETTLE)
    wake_up.clear()  # what is set from here on is another look
