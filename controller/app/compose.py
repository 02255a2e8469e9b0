"""Concrete things for the ports: clock, recorder, source, gateways."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from controller.app import folders
from controller.app.recording import Journal
from controller.aws.api import Api
from controller.aws.client import Connection, connect
from controller.aws.ecs import EcsGateway, EcsReader, together
from controller.aws.journal import DynamoJournal, S3Journal
from controller.aws.later import Later
from controller.aws.limits import Limits
from controller.aws.objects import S3Objects
from controller.aws.scaling import SERVICE as SCALING
from controller.aws.scaling import Scaling
from controller.aws.sessions import Session, open_session
from controller.aws.targets import Target
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.reconcile.ports import Clock
from controller.report.journal import MemoryJournal, SqliteJournal
from controller.settings import Settings
from controller.sources.files import FilesSource
from controller.sources.git import GitSource
from controller.sources.polling import WakeUp
from controller.sources.s3 import S3Source
from controller.sources.snapshot import Source
from controller.sources.uri import GitLocation, S3Location, locate


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The time of day of this machine."""

    def now(self) -> datetime:
        """See `Clock`."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class LogRecorder:
    """Events as structured log lines."""

    log: Any

    def record(self, event: str, **facts: Any) -> None:
        """See `Recorder`."""
        self.log.info(event, **facts)


def log_recorder() -> LogRecorder:
    """A recorder that writes to the program's log."""
    return LogRecorder(structlog.get_logger())


@asynccontextmanager
async def open_source(settings: Settings, *, wake_up: WakeUp | None = None) -> AsyncIterator[Source]:
    """The source that the settings name. `wake_up` is set when there may be something new.

    Raises:
        Usage: it names nothing that could be read.
        ControllerError: there is no connection to S3.
    """
    match locate(settings.source):
        case Path() as path:
            yield FilesSource(path)
        case S3Location() as location:
            async with connect(_connection(settings), "s3") as api:
                objects = S3Objects(api, location.bucket, owner=settings.source_bucket_owner)
                yield S3Source(location, objects, poll=settings.poll, wake_up=wake_up)
        case GitLocation() as location:
            signers = Path(settings.source_signers) if settings.source_signers else None
            yield GitSource(
                location,
                folders.cache() / "git",
                allowed_signers=signers,
                allow_rewind=settings.source_rewind,
                poll=settings.poll,
                wake_up=wake_up,
            )


@asynccontextmanager
async def open_journal(settings: Settings, clock: Clock) -> AsyncIterator[Journal]:
    """Where history is kept. `off` keeps it in memory.

    Raises:
        ControllerError: there is no connection to where it is kept.
    """
    kind, _, place = settings.journal.partition(":")
    match kind:
        case "s3":
            bucket, _, prefix = place.removeprefix("//").partition("/")
            async with connect(_connection(settings), "s3") as api:
                yield S3Journal(api, bucket, prefix, clock.now)
        case "dynamodb":
            async with connect(_connection(settings), "dynamodb") as api:
                yield DynamoJournal(api, place.removeprefix("//"))
        case "sqlite":
            yield SqliteJournal(Path(place) if place else folders.state() / "journal.sqlite")
        case _:
            yield MemoryJournal()


@dataclass(frozen=True, slots=True)
class Unconnected:
    """An API that answers every call with the reason why there is no connection. So a pass can still tell what it knows
    without AWS: what is wrong with the specs, and which workloads it could not look at."""

    error: ControllerError

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - see `Api`
        """See `Api`."""
        raise self.error


@dataclass(frozen=True, slots=True)
class Place:
    """An account and region where the controller works."""

    target: Target | None
    """None: that of the controller's own credentials."""
    settings: Settings
    """As they hold there."""
    home: Settings
    """As they hold for the controller itself: its source and its leases are where it is, not where it works."""

    @property
    def name(self) -> str | None:
        """As specs name it."""
        return self.target.name if self.target is not None else None

    async def account(self, session: Session) -> str:
        """Whose account it is. Where that is configured STS is not asked: nothing is ever written in another
        (`Session.verify`), and a role that cannot be assumed today stops no other place.

        Raises:
            ControllerError: STS did not say.
        """
        expected = self.target.expected_account if self.target is not None else None
        return expected if expected is not None else (await session.identity()).account


Opened: TypeAlias = tuple[Place, Session | ControllerError]
"""A place and its session, or why there is none."""


def places_of(settings: Settings) -> tuple[Place, ...]:
    """All accounts and regions that the settings name, the controller's own first."""
    own = Place(None, settings, settings)
    update = ({"clusters": target.clusters, "region": target.region} for target in settings.targets)
    others = zip(settings.targets, update, strict=True)
    return (own, *(Place(target, settings.model_copy(update=different), settings) for target, different in others))


@asynccontextmanager
async def sessions_of(settings: Settings) -> AsyncIterator[Sequence[Opened]]:
    """Every place with its session: credentials and a region. Calls nothing, but STS where there are several places.

    Raises:
        ControllerError: two places are one account and region.
    """
    async with AsyncExitStack() as stack:
        opened: list[Opened] = []
        for place in places_of(settings):
            try:
                opened.append((place, await stack.enter_async_context(session(place))))
            except ControllerError as error:
                opened.append((place, error))
        yield await _distinct(opened) if len(opened) > 1 else opened


async def _distinct(opened: Sequence[Opened]) -> Sequence[Opened]:
    """The places, if each is an account and region of its own. One of which nobody can tell has no session: it might
    be another one, and then each would take the other's services for orphans."""

    async def whose(place: Place, session: Session | ControllerError) -> str | ControllerError:
        if isinstance(session, ControllerError):
            return session
        try:
            return await place.account(session)
        except ControllerError as error:
            return error

    accounts = await together(whose(place, session) for place, session in opened)
    known: dict[tuple[str, str], Place] = {}
    found: list[Opened] = []
    for (place, session), account in zip(opened, accounts, strict=True):
        if isinstance(session, ControllerError) or isinstance(account, ControllerError):
            found.append((place, account if isinstance(account, ControllerError) else session))
            continue
        other = known.setdefault((account, session.region), place)
        if other is not place:
            raise ControllerError(
                f"{_said(other)} and {_said(place)} are one place: {session.region} of account {account}; each would "
                "take the other's services for orphans",
                reason=Reason.NOT_CONFIGURED,
                advice="remove the target and `target` from its specs, or give one of the two another region",
            )
        found.append((place, session))
    return found


def _said(place: Place) -> str:
    return f"target {place.name}" if place.name is not None else "the controller's own region"


@asynccontextmanager
async def session(place: Place) -> AsyncIterator[Session]:
    """The credentials and the region of a place; calls nothing yet.

    Raises:
        ControllerError: they cannot be had from what is configured.
    """
    connection = Connection(region=place.settings.region, profile=place.settings.profile)
    async with open_session(place.target, connection, owner=place.settings.owner) as found:
        yield found


@asynccontextmanager
async def reader(
    place: Place, limits: Limits, *, session: Session | ControllerError | None = None
) -> AsyncIterator[EcsReader]:
    """A gateway that cannot write, through a session or one of its own. Without a connection it says so when it is
    asked."""
    async with _connected_or_not(place, session, limits) as (api, scaling, ec2):
        yield EcsReader(api, scaling, ec2)


@asynccontextmanager
async def gateway(
    place: Place, limits: Limits, *, session: Session | ControllerError | None = None
) -> AsyncIterator[EcsGateway]:
    """A gateway that can. See `reader`."""
    async with _connected_or_not(place, session, limits) as (api, scaling, ec2):
        yield EcsGateway(api, scaling, ec2)


@asynccontextmanager
async def _connected_or_not(
    place: Place, known: Session | ControllerError | None, limits: Limits
) -> AsyncIterator[tuple[Api, Scaling | None, Api | None]]:
    async with AsyncExitStack() as stack:
        api: Api
        scaling: Scaling | None = None
        ec2: Api | None = None
        try:
            if isinstance(known, ControllerError):
                raise known
            opened = known if known is not None else await stack.enter_async_context(session(place))
            limiter = limits.of(place.name or "", opened.region)
            api = await stack.enter_async_context(opened.ecs(limiter, jitter=random.random))
            scaling = await stack.enter_async_context(scaling_of(opened))
            ec2 = await stack.enter_async_context(ec2_of(opened))
        except ControllerError as error:
            api = Unconnected(error)
        yield api, scaling, ec2


@asynccontextmanager
async def scaling_of(opened: Session) -> AsyncIterator[Scaling]:
    """Application Auto Scaling of a session; connected when it is first asked."""
    found = Scaling(lambda: opened.connect(SCALING))
    try:
        yield found
    finally:
        await found.aclose()


@asynccontextmanager
async def ec2_of(opened: Session) -> AsyncIterator[Later]:
    """EC2 of a session, for the names of AMIs; connected when it is first asked."""
    found = Later(lambda: opened.connect("ec2"))
    try:
        yield found
    finally:
        await found.aclose()


def _connection(settings: Settings) -> Connection:
    return Connection(region=settings.region, profile=settings.profile)
