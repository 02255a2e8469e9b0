"""Whether the event loop still turns: a beat each second, and how late it came.

The lease, the probes and every timeout live on one loop. A loop that is blocked is the one fault that they cannot see
themselves, so this is all that liveness means; it knows nothing of AWS, whose outage must not kill the controller.
Neighbours: `http` (answers `/healthz`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

BEAT: Final = 1.0
"""Seconds between beats."""
DEAD_AFTER: Final = 10.0
"""Seconds without a beat after which the loop counts as stuck."""


@dataclass(slots=True)
class Heartbeat:
    """Beats while it runs. `lagged` is told how late each beat came, in seconds."""

    lagged: Callable[[float], None]
    _last: float | None = None

    async def run(self) -> None:
        """Beat until cancelled."""
        clock = asyncio.get_running_loop().time
        self._last = clock()
        while True:
            due = clock() + BEAT
            await asyncio.sleep(BEAT)
            self._last = clock()
            self.lagged(max(self._last - due, 0.0))

    def alive(self) -> bool:
        """Whether it has beaten lately."""
        return self._last is not None and asyncio.get_running_loop().time() - self._last < DEAD_AFTER
