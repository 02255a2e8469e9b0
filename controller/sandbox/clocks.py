"""The time of the sandbox: epoch seconds from whoever owns time.

Neighbours: the fronts (read one), tests (own one).
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Tells the time of a simulated world."""

    def now(self) -> float:
        """Epoch seconds; never goes back."""
        ...


@dataclass(slots=True)
class ManualClock:
    """Stands still until somebody moves it."""

    at: float = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self.at += seconds


@dataclass(frozen=True, slots=True)
class LoopClock:
    """The running event loop's own time, so that a virtual-time loop moves the world too."""

    epoch: float = 1_800_000_000.0

    def now(self) -> float:
        return self.epoch + asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class RealClock:
    """The wall clock, `speed` times as fast from the moment of its creation."""

    speed: float = 1.0
    started: float = field(default_factory=time.time)
    counter: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        return self.started + (time.monotonic() - self.counter) * self.speed
