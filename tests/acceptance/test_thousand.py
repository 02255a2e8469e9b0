"""A thousand services from a bucket, against AWS's own bucket sizes: not one throttle, hardly a token wasted, and then
quiet. In virtual time, because the throttle's time is the event loop's; a slice of it in every run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from controller.app import compose
from controller.aws.buckets import BUCKET_OF
from controller.sandbox.faults import BUCKETS, Faults
from controller.sandbox.fleet import M5_2XLARGE, Machine
from controller.sources.s3 import S3Source
from controller.sources.uri import S3Location
from tests.acceptance.virtual import Aws, Life, now, world
from tests.app.running import spec
from tests.sources.test_s3 import Bucket

pytestmark = pytest.mark.looptime


@dataclass(frozen=True)
class Size:
    """How many services, and of how many clusters."""

    services: int
    clusters: int


def bucket(size: Size) -> Bucket:
    found = Bucket()
    for number in range(size.services):
        name = f"s{number:04}"
        text = spec(name, cluster=f"c{number % size.clusters}", replicas=1)
        found.put(f"prod/{name}.yaml", text.replace(b"cpu: 256, memory: 512", b"cpu: 32, memory: 64"))
    return found


def machines(size: Size) -> tuple[Machine, ...]:
    """Room for all: a machine of this kind takes more than two hundred of these tasks."""
    each = -(-size.services // size.clusters // 100) + 1
    return tuple(Machine(M5_2XLARGE, zone, f"c{c}") for c in range(size.clusters) for zone in "abcdef"[:each])


async def grown(aws: Aws, one: Life, size: Size) -> None:
    """Until every service is there and well."""
    step = 5.0

    def well() -> bool:
        workloads = one.process.standing().workloads
        return len(workloads) == size.services and all(
            report.plan.steps == () and report.health.state == "Healthy" for report in workloads
        )

    await aws.until(well, limit=7200, step=step)


@pytest.mark.parametrize(
    "size",
    [Size(60, 2), pytest.param(Size(1000, 1), marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
    ids=["60", "1000"],
)
async def test_services_from_s3_without_a_throttle_and_then_quiet(size: Size, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = bucket(size)

    @asynccontextmanager
    async def source(*_: Any, **__: Any) -> AsyncIterator[S3Source]:
        yield S3Source(S3Location("specs", "prod/"), specs, poll=60.0)

    options = {"faults": Faults(buckets=BUCKETS), "fleet": machines(size)}
    async with world(monkeypatch, latency=0.02, **options) as aws:
        monkeypatch.setattr(compose, "open_source", source)
        one = aws.start(api_share=1.0, resync=600.0, clusters=(), workers=16)
        await grown(aws, one, size)
        assert aws.throttled == []

        # While there was work, the narrowest bucket was used: its burst, and then what flows in.
        registered = [call.at for call in aws.calls if call.operation == "RegisterTaskDefinition"]
        assert len(registered) == size.services
        narrowest = BUCKET_OF["RegisterTaskDefinition"]
        offered = narrowest.burst + (registered[-1] - registered[0]) * narrowest.refill
        assert len(registered) >= 0.9 * offered
        assert aws.count()["CreateService"] == size.services

        # In sync: a look at everything costs a page of names for a hundred services, and a call for ten.
        await asyncio.sleep(130)  # what was written is watched for two minutes
        since, passed = now(), one.process.standing().passed
        await aws.until(lambda: one.process.standing().passed != passed, limit=1200, step=1.0)
        assert aws.count(since=since) == {
            "DescribeServices": -(-size.services // 10),
            "ListServices": size.clusters * -(-size.services // size.clusters // 100),
        }
        since = now()
        await asyncio.sleep(3600)
        assert aws.writes(since=since) == []
        assert aws.throttled == []
