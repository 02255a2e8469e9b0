"""When a source that cannot be watched is looked at: again and again, and early when somebody knocks.

The intervals are jittered, so that a fleet of controllers does not ask one server at the same second. A knock is a
hint and may be wrong, lost or doubled; the poll is the floor. Neighbours: `s3`, `git`; `aws.wakeups` knocks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

POLL: Final = 60.0
"""Seconds between two looks at a remote source: Flux's usual interval."""
SETTLE: Final = 0.5
"""Seconds for which knocks are gathered: whoever uploads a folder knocks once per file."""


class Knock(Protocol):
    """What `asyncio.Event` offers, as far as it is needed here."""

    async def wait(self) -> object:
        """Return when somebody has knocked."""
        ...

    def clear(self) -> None:
        """Forget the knocks so far."""
        ...


async def polled(poll: float, *, jitter: Callable[[], float], knock: Knock | None = None) -> AsyncIterator[None]:
    """Yields at once, then after each interval or knock. A knock while the caller is busy is not lost.

    `poll` is in seconds, ±10 % by `jitter`, which answers a number in [0, 1).
    """
    yield
    while True:
        interval = poll * (0.9 + 0.2 * jitter())
        if knock is None:
            await asyncio.sleep(interval)
        else:
            await _knock_or(interval, knock)
        yield


async def _knock_or(interval: float, knock: Knock) -> None:
    try:
        async with asyncio.timeout(interval):
            await knock.wait()
    except TimeoutError:
        return
    await asyncio.sleep(SETTLE)
    knock.clear()  # what is knocked from here on is another look
