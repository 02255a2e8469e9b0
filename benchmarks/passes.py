"""The client of one measurement, in a process of its own: `python -m benchmarks.passes VARIANT URL COUNT`.

Prints JSON: CPU seconds (user + system) of the measured part, wall seconds, calls, services, memory, and for how long
the event loop was blocked at most.
"""

import asyncio
import gc
import json
import random
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import aiohttp
import orjson
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.fleet import OWNER, desired, name_of
from controller.app.collector import collect_seldom
from controller.app.compose import SystemClock
from controller.app.known import KnownReports
from controller.app.survey import Survey, Terms, survey
from controller.aws.buckets import BUCKET_OF, Bucket
from controller.aws.client import Connection, connect
from controller.aws.ecs import EcsReader
from controller.aws.limits import Limited, Limiter
from controller.aws.retries import Retried
from controller.core.plan import Drift

Pass: TypeAlias = Callable[[], Awaitable[int]]
"""One look at every service; answers how many there were."""

CONCURRENCY = 8
TARGET = "AmazonEC2ContainerServiceV20141113.DescribeServices"
REGION = "us-east-1"
KEYS: dict[str, Any] = {"region_name": REGION, "aws_access_key_id": "x", "aws_secret_access_key": "x"}
PASSES = 5
NEVER_EMPTY = {operation: Bucket(operation, 1_000_000, 1_000_000) for operation in BUCKET_OF}
"""The daemon's own limiter, which bounds what is in flight as it does there, with tokens for everything: waiting costs
no CPU, and would be all that is measured."""


class Blocked:
    """For how long the event loop did nothing else, at most, in CPU time: what other processes take from the core is
    not our loop's doing."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        """Measure until cancelled."""
        pause = 0.001
        while True:
            began = time.thread_time()
            await asyncio.sleep(pause)
            self.longest = max(self.longest, time.thread_time() - began - pause)


def cpu() -> float:
    """CPU seconds of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def in_batches(count: int, describe: Callable[[list[str]], Awaitable[int]]) -> int:
    """Describe all services ten at a time, some batches at once."""
    gate = asyncio.Semaphore(CONCURRENCY)

    async def one(start: int) -> int:
        async with gate:
            return await describe([name_of(number) for number in range(start, min(start + 10, count))])

    return sum(await asyncio.gather(*(one(start) for start in range(0, count, 10))))


@asynccontextmanager
async def stock(url: str, count: int) -> AsyncIterator[Pass]:
    """A plain SDK loop: aiobotocore as it comes."""
    config = AioConfig(max_pool_connections=50)
    create: Any = AioSession().create_client
    async with create("ecs", endpoint_url=url, config=config, **KEYS) as client:

        async def describe(names: list[str]) -> int:
            answer = await client.describe_services(cluster="default", services=names, include=["TAGS"])
            return len(answer["services"])

        yield lambda: in_batches(count, describe)


@asynccontextmanager
async def raw(url: str, count: int) -> AsyncIterator[Pass]:
    """As little as a client can do: aiohttp, a signature, orjson."""
    signer = SigV4Auth(Credentials("x", "x"), "ecs", REGION)
    async with aiohttp.ClientSession() as session:

        async def describe(names: list[str]) -> int:
            body = orjson.dumps({"cluster": "default", "services": names, "include": ["TAGS"]})
            headers = {"X-Amz-Target": TARGET, "Content-Type": "application/x-amz-json-1.1"}
            request = AWSRequest("POST", url, headers=headers, data=body)
            signer.add_auth(request)
            async with session.post(url, data=body, headers=dict(request.headers)) as answer:
                return len(orjson.loads(await answer.read())["services"])

        yield lambda: in_batches(count, describe)


@asynccontextmanager
async def ours(url: str, count: int) -> AsyncIterator[Pass]:
    """A whole in-sync pass of the controller: observe, normalise, compare, plan, status."""
    wanted, clock, known = desired(count), SystemClock(), KnownReports()
    held: list[Survey] = []  # as the daemon holds its reports
    collect_seldom()
    there = Connection(region=REGION, endpoint_url=url, access_key="x", secret_key="x")
    # As `Session.ecs` has it: retried around the limits, not by botocore.
    async with connect(there, read_attempts=1) as api:
        ecs = EcsReader(Retried(Limited(api, Limiter(share=1.0, buckets=NEVER_EMPTY)), random.random))

        async def look() -> int:
            seen = await survey(wanted, ecs, clock, terms=Terms(OWNER), known=known)
            assert not seen.failed, seen.failed
            drifted = [key for key, one in seen.reports.items() if one.plan.drift is not Drift.IN_SYNC]
            assert not drifted, drifted[:3]
            held[:] = [seen]
            return len(seen.reports)

        yield look


VARIANTS = {"stock": stock, "raw": raw, "ours": ours}


async def measure(variant: str, url: str, count: int) -> dict[str, Any]:
    """One warm-up pass, then some that count; the median is told, and the worst block of the loop."""
    found: list[tuple[float, float]] = []
    blocked = 0.0
    async with VARIANTS[variant](url, count) as run:
        assert await run() == count
        gc.collect()
        for _ in range(PASSES):
            blocks = Blocked()
            watching = asyncio.create_task(blocks.watch())
            before, began = cpu(), time.perf_counter()
            assert await run() == count
            found.append((cpu() - before, time.perf_counter() - began))
            watching.cancel()
            blocked = max(blocked, blocks.longest)
    return {
        "cpu": statistics.median(used for used, _ in found),
        "wall": statistics.median(wall for _, wall in found),
        "blocked": blocked,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))), flush=True)
