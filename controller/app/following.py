"""Following the source: the newest revision that can be read, and the last good version of what it breaks.

On any trouble the last revision stands: a source that cannot be reached, or that our own code stumbles on, changes
nothing and deletes nothing. Parsing and rendering happen in another thread, because a commit of a thousand documents
would stop the event loop for seconds, and a lease lives on it. Neighbours: `daemon` (is told of changes),
`core.desired`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from controller.app.once import desired_of
from controller.core.desired import Desired, keep_last_good
from controller.core.prune import SourceHealth
from controller.core.quoting import brief
from controller.errors import ControllerError
from controller.reconcile.ports import Clock
from controller.settings import Settings
from controller.sources.snapshot import Snapshot, Source

RETRY: Final = 10.0
"""Seconds until a source that cannot be followed is followed again."""

Changed: TypeAlias = Callable[[Desired, Desired], None]
"""Told of the desired state before and after."""
Aside: TypeAlias = Callable[[Callable[[], Desired]], Awaitable[Desired]]
"""Does work that would stop the event loop."""


async def in_a_thread(work: Callable[[], Desired]) -> Desired:
    """Do the work while the event loop goes on."""
    return await asyncio.to_thread(work)


@dataclass(slots=True)
class Following:
    """A source that is being followed."""

    source: Source
    settings: Settings
    clock: Clock
    log: Any
    changed: Changed
    aside: Aside = in_a_thread
    """Where a revision is parsed and rendered."""
    target: str | None = None
    """For which account and region, as specs name it."""
    found: Snapshot | None = None
    """The revision that stands; None until one was read."""
    desired: Desired = field(default_factory=Desired)
    stale: str | None = None
    """Why the source cannot be read at present; None where it can."""
    fetched: datetime | None = None
    """When the source was last read."""
    _stands_since: float = 0.0

    async def run(self) -> None:
        """Follow the source until cancelled."""
        while True:
            try:
                async for _ in self.source.changes():
                    await self.read()
            except (ControllerError, OSError) as error:
                self._cannot(error)
            except Exception as error:  # the boundary: what stands is kept in line all the same
                self.log.error("crashed", workload=None, exc_info=error)  # noqa: TRY400 - as the daemon says it
            await asyncio.sleep(RETRY)

    async def read(self) -> None:
        """Take over a new revision; on any trouble the last one stands."""
        try:
            found = await self.source.snapshot()
        except (ControllerError, OSError) as error:
            self._cannot(error)
            return
        self.fetched = self.clock.now()
        if self.stale is not None:
            self.log.info("source read again", source=self.source.uri)
        self.stale = None
        if self.found is not None and (found.revision, found.problems) == (self.found.revision, self.found.problems):
            return
        new = await self.aside(lambda: desired_of(found, self.settings))
        before = self.desired
        self.desired = keep_last_good(before, new).of(self.target)
        self.found = found
        self._stands_since = asyncio.get_running_loop().time()
        self._tell(found)
        self.changed(before, self.desired)

    def health(self) -> SourceHealth:
        """What deletions may rely on."""
        stood = asyncio.get_running_loop().time() - self._stands_since
        young = max(self.settings.delete_after - stood, 0.0)
        revision = self.found.revision if self.found is not None else ""
        stale = brief(self.stale) if self.stale is not None else None
        return replace(self.desired.health, revision=revision, young=young, stale=stale)

    def _cannot(self, error: Exception) -> None:
        """The source cannot be read: said once for each reason."""
        if str(error) != self.stale:
            standing = self.found.revision if self.found is not None else None
            self.log.warning("source unreadable", source=self.source.uri, error=str(error), standing=standing)
        self.stale = str(error)

    def _tell(self, found: Snapshot) -> None:
        self.log.info(
            "source changed",
            source=found.uri,
            revision=found.revision,
            files=len(found.files),
            workloads=len(self.desired.rendered),
            last_good=sorted(str(key) for key in self.desired.last_good),
        )
        for diagnostic in self.desired.diagnostics:
            log = self.log.error if diagnostic.is_error else self.log.warning
            log("spec finding", at=str(diagnostic.at), code=str(diagnostic.code), message=diagnostic.message)
