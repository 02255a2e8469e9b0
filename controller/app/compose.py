"""Concrete things for the ports: clock, recorder, source, gateways."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from controller.aws.api import Api
from controller.aws.client import Connection, connect
from controller.aws.ecs import EcsGateway, EcsReader
from controller.errors import ControllerError, Usage
from controller.settings import Settings
from controller.sources.files import FilesSource
from controller.sources.snapshot import Source


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


def open_source(uri: str) -> Source:
    """The source that a URI names.

    Raises:
        Usage: the kind of source is not known.
    """
    if "://" in uri or uri.startswith("git+"):
        raise Usage(f"source {uri} is of a kind that this version does not read", advice="name a file or a folder")
    return FilesSource(Path(uri))


@dataclass(frozen=True, slots=True)
class Unconnected:
    """An API that answers every call with the reason why there is no connection. So a pass can still tell what it knows
    without AWS: what is wrong with the specs, and which workloads it could not look at."""

    error: ControllerError

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - see `Api`
        """See `Api`."""
        raise self.error


@asynccontextmanager
async def reader(settings: Settings) -> AsyncIterator[EcsReader]:
    """A gateway that cannot write. Without a connection it says so when it is asked."""
    async with _connected_or_not(settings) as api:
        yield EcsReader(api)


@asynccontextmanager
async def gateway(settings: Settings, *, or_unconnected: bool = False) -> AsyncIterator[EcsGateway]:
    """A gateway that can.

    Raises:
        ControllerError: there is no connection, unless the gateway shall say so when it is asked (`or_unconnected`).
    """
    async with (_connected_or_not if or_unconnected else _connected)(settings) as api:
        yield EcsGateway(api)


@asynccontextmanager
async def _connected_or_not(settings: Settings) -> AsyncIterator[Api]:
    async with AsyncExitStack() as stack:
        try:
            api: Api = await stack.enter_async_context(_connected(settings))
        except ControllerError as error:
            api = Unconnected(error)
        yield api


def _connected(settings: Settings) -> AbstractAsyncContextManager[Api]:
    return connect(Connection(region=settings.region, profile=settings.profile))
