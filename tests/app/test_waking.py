"""Messages of the queue at a daemon in virtual time: who is woken, how soon, and whose name is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.app import waking as room
from controller.app.compose import Place
from controller.app.shard import Shard
from controller.app.waking import RETRY, Bell, waking
from controller.core.wakeup import Ignored, Wake, Watch
from controller.errors import Transient
from controller.settings import Settings
from tests.app.running import Log, Running, Specs, cloud, fleet, now, running

pytestmark = pytest.mark.looptime

ACCOUNT = "123456789012"
ALICE = "arn:aws:sts::123456789012:assumed-role/Admin/alice"
EVENTS = Path(__file__).parents[1] / "data" / "events"
WATCH = Watch(ACCOUNT, "us-west-2", app="ecs-gaudi-controller", bucket="ml-specs", prefix="prod/")


def body(name: str, *, at: str = "") -> str:
    """A recorded event about `default/bert`."""
    event = json.loads((EVENTS / f"{name}.json").read_text().replace("train/bert", "default/bert"))
    if at:
        event["detail"]["eventTime"] = at
        event["detail"]["requestParameters"]["cluster"] = "default"
    return json.dumps(event).replace("cluster/train", "cluster/default")


def shard(one: Running, target: str | None = None) -> Shard:
    settings = Settings()
    return Shard(Place(None, settings, settings), None, one.daemon, None, asyncio.Event())


def ring(bell: Bell, text: str) -> object:
    meaning = bell.understand(text)
    if not isinstance(meaning, Ignored):
        bell.ring(meaning)
    return meaning


async def test_a_live_edit_is_healed_at_once_and_by_whom_is_told() -> None:
    async with running(cloud(), Specs(fleet("bert")), resync=3600.0) as one:
        await one.converged()
        await one.rest(600)
        bell = Bell([(shard(one), WATCH)])
        one.cloud.hand("UpdateService", service="bert", desiredCount=3)
        at = f"{one.daemon.reconciler.clock.now():%Y-%m-%dT%H:%M:%SZ}"
        ring(bell, body("update_service", at=at))
        assert await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 1, step=0.1) <= 1
        (drift,) = one.log.of("drift")
        assert (drift["field"], drift["live"], drift["by"]) == ("service.desiredCount", 3, ALICE)


async def test_the_very_edit_that_was_healed_made_again_is_no_old_answer() -> None:
    async with running(cloud(), Specs(fleet("bert")), resync=3600.0) as one:
        await one.converged()
        await one.rest(600)
        bell = Bell([(shard(one), WATCH)])
        for number in range(3):
            one.cloud.hand("UpdateService", service="bert", desiredCount=3)
            at = f"{one.daemon.reconciler.clock.now():%Y-%m-%dT%H:%M:%SZ}"
            event = json.loads(body("update_service", at=at))
            event["detail"]["eventID"] = f"edit-{number}"
            ring(bell, json.dumps(event))
            assert await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 1, step=0.1) <= 1
            await one.rest(2)


async def test_an_event_of_ecs_wakes_without_a_name() -> None:
    async with running(cloud(), Specs(fleet("bert")), resync=3600.0) as one:
        await one.converged()
        await one.rest(600)
        one.cloud.hand("UpdateService", service="bert", desiredCount=3)
        ring(Bell([(shard(one), WATCH)]), body("service_steady_state"))
        await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 1, limit=2, step=0.1)
        assert [drift["by"] for drift in one.log.of("drift")] == [None]


async def test_the_end_of_a_jobs_task_is_seen_before_the_next_poll() -> None:
    async with running(cloud(), Specs(fleet("bert")), resync=3600.0) as one:
        await one.converged()
        await one.rest(600)
        woken = one.daemon.jobs._woken
        assert ring(Bell([(shard(one), WATCH)]), body("task_of_job")) == Wake(jobs=True)
        assert woken.is_set()
        await one.rest(5)
        assert not woken.is_set(), "it was looked"


async def test_a_forged_message_costs_a_look_and_changes_nothing() -> None:
    async with running(cloud(), Specs(fleet("bert")), resync=3600.0) as one:
        await one.converged()
        await one.rest(600)
        since = now()
        ring(Bell([(shard(one), WATCH)]), body("delete_service", at="2026-11-25T08:13:58Z"))
        await one.rest(60)
        assert one.cloud.writes(since=since) == {}
        assert 1 <= one.cloud.count(since=since)["DescribeServices"] <= 2


async def test_a_message_is_for_the_account_and_region_that_it_names() -> None:
    async with running(cloud(), Specs(fleet("bert"))) as east, running(cloud(), Specs(fleet("bert"))) as west:
        await east.converged()
        await west.converged()
        await west.rest(600)
        other = Watch(ACCOUNT, "us-east-1", app="ecs-gaudi-controller")
        shards = shard(east), shard(west)
        bell = Bell([(shards[0], other), (shards[1], WATCH)])
        before = [len(one.cloud.calls) for one in (east, west)]
        ring(bell, body("service_steady_state"))
        await asyncio.sleep(1)
        assert [len(one.cloud.calls) > was for one, was in zip((east, west), before, strict=True)] == [False, True]
        assert ring(bell, body("object_created")) is not Ignored.ELSEWHERE
        assert [one.source_changed.is_set() for one in shards] == [True, True], "the source is everybody's"
        assert ring(bell, "no event") is Ignored.MALFORMED


async def test_a_queue_that_is_not_there_at_first_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails before the first message, STS or the client, is told and tried again."""
    tries = []

    @asynccontextmanager
    async def connect(*_: Any) -> AsyncIterator[Any]:
        tries.append(now())
        raise Transient("no way")
        yield

    monkeypatch.setattr(room, "connect", connect)
    log = Log()
    settings = Settings(queue=f"https://sqs.us-west-2.amazonaws.com/{ACCOUNT}/wake")
    task = asyncio.ensure_future(waking(settings, [], log))
    await asyncio.sleep(2.5 * RETRY)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(tries) == 3
    assert [facts["error"] for facts in log.of("queue not listened to")] == ["no way"] * 3


async def test_a_message_is_ignored_for_the_reason_of_the_shard_that_it_is_for() -> None:
    async with running(cloud(), Specs(fleet("bert"))) as here, running(cloud(), Specs(fleet("bert"))) as there:
        other = Watch("210987654321", "us-west-2", app="ecs-gaudi-controller")
        bell = Bell([(shard(here), WATCH), (shard(there), other)])
        unknown = body("update_service", at="2026-11-25T08:13:58Z").replace("bert", "gpt")
        assert bell.understand(unknown) is Ignored.NOT_MANAGED
        assert Bell([(shard(there), other)]).understand(unknown) is Ignored.ELSEWHERE
