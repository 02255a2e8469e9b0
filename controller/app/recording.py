"""What happens, told once: to the log at once, to the journal a little later.

The daemon calls it as its log. What it says becomes a log line and an entry that waits in a bounded queue for the next
write of the journal; a slow or broken journal delays nothing and costs history only, which is said once and when it
works again. Neighbours: `daemon` (says it), `core.journal` (the entries).
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Protocol

from controller.core.journal import Entry
from controller.errors import ControllerError
from controller.reconcile.ports import Clock

MOST_WAITING: Final = 5000
"""Entries that wait for the journal; beyond that the oldest are given up."""
PAUSE: Final = 1.0
"""Seconds for which entries are gathered before they are written."""
PATIENCE: Final = 5.0
"""Seconds that the journal is given for one write."""

_LOGGED_ONLY: Final = frozenset({"stopping"})


class Journal(Protocol):
    """Keeps entries somewhere."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Keep entries; raises a ControllerError where that fails."""
        ...

    async def recent(self, workload: str | None = None, *, most: int = 100) -> list[Entry]:
        """The newest entries (of one workload), oldest first."""
        ...


@dataclass(slots=True)
class Recording:
    """A log that is also a journal."""

    log: Any
    journal: Journal
    clock: Clock
    _waiting: deque[tuple[int, Entry]] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))
    """Entries that are not written yet, numbered: during a write newer ones may push out the oldest."""
    _numbers: "count[int]" = field(default_factory=count)
    _failing: bool = False

    def info(self, event: str, **facts: Any) -> None:
        """Something happened."""
        self.log.info(event, **facts)
        self._note("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Something happened that somebody may want to look at."""
        self.log.warning(event, **facts)
        self._note("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """Something went wrong."""
        self.log.error(event, **facts)
        self._note("error", event, {name: fact for name, fact in facts.items() if name != "exc_info"})

    def record(self, event: str, **facts: Any) -> None:
        """See `Recorder`."""
        self.info(event, **facts)

    async def recent(self, workload: str | None, *, most: int) -> list[Entry]:
        """The newest entries, those that are not written yet included.

        Raises:
            ControllerError: the journal cannot be read.
        """
        waiting = [entry for _, entry in self._waiting if workload is None or entry.workload == workload]
        written = await self.journal.recent(workload, most=most) if len(waiting) < most else []
        return [*written, *waiting][-most:] if most else []

    async def run(self) -> None:
        """Write what waits, again and again, until cancelled; what still waits then is written last.

        A write that is under way then is waited for: broken off it may have happened, and would happen twice.
        """
        writing: asyncio.Task[None] | None = None
        try:
            while True:
                await asyncio.sleep(PAUSE)
                writing = asyncio.create_task(self._write())
                await asyncio.shield(writing)
        finally:
            if writing is not None and not writing.done():
                await writing
            await self._write()

    def _note(self, severity: str, event: str, facts: dict[str, Any]) -> None:
        if event in _LOGGED_ONLY:
            return
        workload = facts.get("workload")
        about = {name: fact for name, fact in facts.items() if name != "workload"}
        self._waiting.append((next(self._numbers), Entry(self.clock.now(), event, workload, severity, about)))

    async def _write(self) -> None:
        if not self._waiting:
            return
        last = self._waiting[-1][0]
        try:
            async with asyncio.timeout(PATIENCE):
                await self.journal.append([entry for _, entry in self._waiting])
        except (ControllerError, TimeoutError) as error:
            if not self._failing:
                self.log.warning("journal not written", error=str(error) or f"no answer in {PATIENCE:g} s")
            self._failing = True
            return
        if self._failing:
            self.log.info("journal written again")
        self._failing = False
        while self._waiting and self._waiting[0][0] <= last:
            self._waiting.popleft()
