"""What a shard is connected to: its own account and region for ECS, the controller's own for specs and leases."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from controller.app import compose
from controller.app import shard as room
from controller.app.compose import sessions_of
from controller.app.shard import LeaseLog, Shard, open_shard
from controller.aws.client import Connection
from controller.aws.limits import Limits
from controller.core.wakeup import Watch
from controller.errors import ControllerError
from controller.report.metrics import Metrics
from controller.settings import Settings
from tests.acceptance.virtual import ACCOUNT, world
from tests.app.running import Clock, Log, Specs
from tests.app.test_process import LEASE, WEST
from tests.aws.leases import MemoryStore

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def chosen(**more: Any) -> Settings:
    return Settings(**{"region": "us-east-1", "targets": [WEST], **more})


@asynccontextmanager
async def shards(settings: Settings, log: Any = None) -> AsyncIterator[list[Shard]]:
    limits, metrics = Limits(), Metrics("0", workers=1)
    more: dict[str, Any] = {"limits": limits, "log": log or Log(), "clock": Clock(), "metrics": metrics}
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(sessions_of(settings))
        yield [await stack.enter_async_context(open_shard(one, **more)) for one in opened]


async def test_specs_and_leases_are_where_the_controller_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket or a table has one region, however many regions are worked in; `--region` says it as well as the
    environment."""
    sources, stores = [], []

    @asynccontextmanager
    async def source(settings: Settings, **_: Any) -> AsyncIterator[Specs]:
        sources.append(settings.region)
        yield Specs()

    @asynccontextmanager
    async def store(_settings: Any, connection: Connection, name: str) -> AsyncIterator[MemoryStore]:
        stores.append((connection.region, name))
        yield MemoryStore()

    async with world(monkeypatch):
        monkeypatch.setattr(compose, "open_source", source)
        monkeypatch.setattr(room, "open_store", store)
        async with shards(chosen(lease=LEASE)) as (own, west):
            assert sources == ["us-east-1", "us-east-1"]
            assert stores == [
                ("us-east-1", f"controller/{ACCOUNT}/us-east-1"),
                ("us-east-1", f"controller/{ACCOUNT}/us-west-2"),
            ]
            assert [one.session.region for one in (own, west) if one.session] == ["us-east-1", "us-west-2"]


async def test_each_is_woken_for_its_own_account_and_region(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch), shards(chosen(source="s3://specs/prod", clusters=("own",))) as (own, west):
        assert await own.watch() == Watch(
            account=ACCOUNT, region="us-east-1", app="ecs-gaudi-controller", bucket="specs", prefix="prod/"
        )
        seen = await west.watch()
        assert seen is not None
        assert (seen.region, seen.target, seen.bucket) == ("us-west-2", "west", "specs")
        assert [one.daemon.settings.clusters for one in (own, west)] == [("own",), ("default",)]


async def test_without_a_region_it_is_woken_for_nothing_and_every_look_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world(monkeypatch), shards(chosen(region=None, lease=LEASE)) as (own, west):
        assert (own.session, own.lease) == (None, None)
        assert await own.watch() is None
        with pytest.raises(ControllerError, match="no AWS region is set"):
            await own.daemon.reconciler.ecs.service_names("default")
        assert west.lease is not None
        assert not west.leading, "it has to wait for its lease"


def test_what_becomes_of_a_lease_is_told() -> None:
    log, metrics = Log(), Metrics("0", workers=1)
    told = LeaseLog("controller/1/us-east-1", log, metrics)
    told.waiting("other")
    told.acquired(3)
    told.failed(ControllerError("slow"))
    told.lost("too late")
    told.released()
    assert [(level, event) for level, event, _ in log.said] == [
        ("info", "standby"),
        ("info", "lease acquired"),
        ("warning", "lease store failed"),
        ("error", "lease lost"),
        ("info", "lease released"),
    ]
    assert {facts["lease"] for _, _, facts in log.said} == {"controller/1/us-east-1"}
