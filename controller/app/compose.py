"""Concrete things for the ports: clock, recorder, source, gateways."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from controller.aws.client import Connection, connect
from controller.aws.ecs import EcsGateway, EcsReader
from controller.errors import Usage
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


@asynccontextmanager
async def reader(settings: Settings) -> AsyncIterator[EcsReader]:
    """A gateway that cannot write."""
    async with connect(_connection(settings)) as api:
        yield EcsReader(api)


@asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[EcsGateway]:
    """A gateway that can."""
    async with connect(_connection(settings)) as api:
        yield EcsGateway(api)


def _connection(settings: Settings) -> Connection:
    return Connection(region=settings.region, profile=settings.profile)
