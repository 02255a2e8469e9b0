"""One account and region at work: its connection, its place in the throttle, its lease, and the daemon over all that.

A shard whose lease another controller holds is a standby: it reads nothing and writes nothing until the lease is its
own, and losing the lease ends the process, because whoever starts it again starts it as a candidate.
Neighbours: `process` (runs the shards), `compose` (opens what they need), `daemon`.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from controller.app import compose
from controller.app.daemon import Daemon
from controller.app.smoke import SmokeGate
from controller.aws.client import APP_ID, Connection
from controller.aws.ecs import EcsGateway
from controller.aws.lease.lease import Lease, candidate
from controller.aws.lease.record import shard as lease_name
from controller.aws.lease.stores import open_store
from controller.aws.limits import Limits
from controller.aws.sessions import Session
from controller.aws.tasks import TaskGateway
from controller.core.wakeup import Watch
from controller.errors import ControllerError
from controller.reconcile.ports import Clock
from controller.reconcile.reconciler import Reconciler
from controller.report.metrics import Metrics
from controller.sources.uri import S3Location, locate


@dataclass(frozen=True, slots=True)
class LeaseLog:
    """Tells the log and the metrics what becomes of a lease."""

    name: str
    log: Any
    metrics: Metrics

    def acquired(self, transitions: int) -> None:
        """See `Watcher`."""
        self.metrics.leads(self.name, leading=True)
        self.log.info("lease acquired", lease=self.name, transitions=transitions)

    def waiting(self, holder: str | None) -> None:
        """See `Watcher`."""
        self.metrics.leads(self.name, leading=False)
        self.log.info("standby", lease=self.name, holder=holder)

    def failed(self, error: ControllerError) -> None:
        """See `Watcher`."""
        self.log.warning("lease store failed", lease=self.name, reason=error.reason, error=str(error))

    def lost(self, why: str) -> None:
        """See `Watcher`."""
        self.metrics.leads(self.name, leading=False)
        self.log.error("lease lost", lease=self.name, why=why)

    def released(self) -> None:
        """See `Watcher`."""
        self.metrics.leads(self.name, leading=False)
        self.log.info("lease released", lease=self.name)


@dataclass(frozen=True, slots=True)
class Shard:
    """One account and region, and the daemon that works there."""

    place: compose.Place
    session: Session | None
    """None where there are no credentials or no region: then every look says so."""
    daemon: Daemon
    lease: Lease | None
    source_changed: asyncio.Event

    @property
    def leading(self) -> bool:
        """Whether it may work: without a lease always."""
        return self.lease is None or self.lease.held

    async def run(self) -> None:
        """Work until the daemon is stopped, in a standby's case once it may.

        Raises:
            LeaseLost: another controller works here now, or soon will.
        """
        if self.lease is None:
            await self.daemon.run()
        else:
            await self.lease.during(self.daemon.run)

    async def watch(self) -> Watch | None:
        """What it wants to be woken for; None where there is no connection.

        Raises:
            ControllerError: STS does not say whose account it is.
        """
        if self.session is None:
            return None
        location = locate(self.place.settings.source)
        on_s3 = location if isinstance(location, S3Location) else None
        return Watch(
            account=await self.place.account(self.session),
            region=self.session.region,
            target=self.place.name,
            app=APP_ID,
            bucket=on_s3.bucket if on_s3 else None,
            prefix=on_s3.prefix if on_s3 else "",
        )


@asynccontextmanager
async def open_shard(
    opened: compose.Opened, *, limits: Limits, log: Any, clock: Clock, metrics: Metrics
) -> AsyncIterator[Shard]:
    """Everything that one account and region needs; nothing runs yet.

    Raises:
        ControllerError: the source or the store of the lease cannot be connected to, or there is no telling whose
            lease it would be.
    """
    place, session = opened
    settings, source_changed = place.settings, asyncio.Event()
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(compose.open_source(place.home, wake_up=source_changed))
        lease: Lease | None = None
        gate: SmokeGate | None = None
        if isinstance(session, ControllerError):
            ecs = EcsGateway(compose.Unconnected(session))
        else:
            lease = await stack.enter_async_context(_lease(place, session, log, metrics))
            limiter = limits.of(place.name or "", session.region)
            check = lease.check if lease is not None else None
            api = await stack.enter_async_context(
                session.ecs(limiter, jitter=random.random, check=check, meter=metrics)
            )
            scaling = await stack.enter_async_context(compose.scaling_of(session))
            ecs = EcsGateway(api, scaling, await stack.enter_async_context(compose.ec2_of(session)))
            if settings.smoke:
                gate = SmokeGate(
                    ecs,
                    TaskGateway(api),
                    clock,
                    log,
                    owner=settings.owner,
                    port_base=settings.port_base,
                    image=settings.smoke_image,
                )
        daemon = Daemon(
            source,
            Reconciler(ecs, clock, log, settings.owner),
            settings,
            log,
            target=place.name,
            instruments=metrics,
            passes=metrics.passed,
            gate=gate,
        )
        yield Shard(place, session if isinstance(session, Session) else None, daemon, lease, source_changed)


@asynccontextmanager
async def _lease(place: compose.Place, session: Session, log: Any, metrics: Metrics) -> AsyncIterator[Lease | None]:
    settings = place.settings
    if settings.lease is None:
        yield None
        return
    name = lease_name(settings.owner, await place.account(session), session.region)
    own = Connection(region=place.home.region, profile=settings.profile)
    async with open_store(settings.lease, own, name) as store:
        yield Lease(store, candidate(settings.lease), random.random, watcher=LeaseLog(name, log, metrics))
