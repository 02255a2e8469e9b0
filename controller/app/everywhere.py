"""One pass in every account and region that is configured, over one revision of the source.

Neighbours: `once` (one pass in one place), `compose` (opens the places).
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from controller.app import compose, once
from controller.app.once import Order
from controller.aws.ecs import together
from controller.aws.limits import Limits
from controller.core.pass_report import PassReport, merged
from controller.core.plan import Plan
from controller.reconcile.ports import Clock, Recorder
from controller.reconcile.reconciler import Reconciler, unasked
from controller.settings import Settings
from controller.sources.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Read:
    """A source that was read: every place is told the same revision."""

    found: Snapshot

    @property
    def uri(self) -> str:
        """See `Source`."""
        return self.found.uri

    async def snapshot(self) -> Snapshot:
        """See `Source`."""
        return self.found

    async def changes(self) -> AsyncIterator[None]:
        """See `Source`. It does not change."""
        yield


async def look(settings: Settings, clock: Clock, *, order: Order, found: Snapshot | None = None) -> PassReport:
    """The dry run. It holds gateways that cannot write. `found` is the revision, where it was read already.

    Raises:
        ControllerError: the source cannot be read, or two places are one account and region.
    """
    source, limits = Read(found or await read(settings)), Limits(settings.api_share)

    async def there(opened: compose.Opened) -> PassReport:
        place, session = opened
        async with compose.reader(place, limits, session=session) as ecs:
            return await once.look(source, ecs, clock, place.settings, order=replace(order, target=place.name))

    async with compose.sessions_of(settings) as opened:
        return merged(await together(there(one) for one in opened))


async def apply(
    settings: Settings,
    clock: Clock,
    recorder: Recorder,
    *,
    order: Order,
    found: Snapshot | None = None,
    agreed: Callable[[Plan], None] = unasked,
) -> PassReport:
    """Look, act, and if asked wait for the rollouts. `found` is the revision, where it was read already; `agreed` is
    asked before each plan's first write.

    Raises:
        ControllerError: the source cannot be read, or two places are one account and region.
    """
    source, limits = Read(found or await read(settings)), Limits(settings.api_share)

    async def there(opened: compose.Opened) -> PassReport:
        place, session = opened
        async with compose.gateway(place, limits, session=session) as ecs:
            reconciler = Reconciler(ecs, clock, recorder, settings.owner, agreed=agreed)
            return await once.apply(source, reconciler, place.settings, order=replace(order, target=place.name))

    async with compose.sessions_of(settings) as opened:
        return merged(await together(there(one) for one in opened))


async def read(settings: Settings) -> Snapshot:
    """The revision that the source has now.

    Raises:
        ControllerError: it cannot be read.
    """
    async with compose.open_source(settings) as source:
        return await source.snapshot()
