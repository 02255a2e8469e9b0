"""Opens the store that the settings name. Neighbours: `terms` (the settings), `dynamodb`, `s3`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from controller.aws.client import Connection, connect
from controller.aws.lease.dynamodb import DynamoStore
from controller.aws.lease.record import Store
from controller.aws.lease.s3 import S3Store
from controller.aws.lease.terms import LeaseSettings


@asynccontextmanager
async def open_store(settings: LeaseSettings, connection: Connection, shard: str) -> AsyncIterator[Store]:
    """The store of one shard's lease (`record.shard`). Its client retries nothing; the connection closes with the
    context.

    Raises:
        ControllerError: there is no connection (see `connect`).
    """
    kind, _, place = settings.store.partition("://")
    there = replace(connection, region=settings.region or connection.region)
    async with connect(there, kind, read_attempts=1) as api:
        if kind == "dynamodb":
            yield DynamoStore(api, place, shard)
            return
        bucket, _, prefix = place.partition("/")
        yield S3Store(api, bucket, "/".join(part for part in (prefix.strip("/"), f"{shard}.json") if part))
