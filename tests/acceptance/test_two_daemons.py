"""Two controllers on one lease, and the holder is killed again and again, wherever it is, in virtual time.

Asserted: never do two write, a take-over takes half a minute at most, nothing is written twice, and at the end
everything is as the specs say. Real processes: `test_real_processes`.
"""

import asyncio
import itertools
import json
import random
from collections import Counter
from functools import partial

import pytest

from tests.acceptance.virtual import Aws, Call, Life, now, world
from tests.app.running import fleet

pytestmark = pytest.mark.looptime

LEASE = {"store": "dynamodb://leases"}
NAMES = ("bert", "gpt", "llama")
TAKEN_OVER = 30.0


def essence(call: Call) -> str:
    """What a write asks for. Each commit of this test is new, so nobody has reason to ask for anything twice."""
    return json.dumps([call.operation, {**call.params, "clientToken": None}], sort_keys=True)


def holder(aws: Aws) -> Life | None:
    leaders = [life for life in aws.lives if life.leading]
    assert len(leaders) <= 1, f"at {now()} several lead: {[life.name for life in leaders]}"
    return leaders[0] if leaders else None


def stretches(aws: Aws) -> list[str]:
    """Who wrote, one after the other."""
    return [name for name, _ in itertools.groupby(call.who for call in aws.writes())]


def in_line(aws: Aws, tag: str) -> bool:
    found = aws.hand("DescribeServices", services=list(NAMES))["services"]
    revisions = [aws.hand("DescribeTaskDefinition", taskDefinition=one["taskDefinition"]) for one in found]
    images = [one["taskDefinition"]["containerDefinitions"][0]["image"] for one in revisions]
    settled = all(len(one["deployments"]) == 1 and one["runningCount"] == one["desiredCount"] == 1 for one in found)
    return len(found) == len(NAMES) and settled and all(image.endswith(f":{tag}") for image in images)


def has_written(aws: Aws, writes: int, tag: str) -> bool:
    """Whether there are so many writes, or none is to come."""
    return len(aws.writes()) >= writes or in_line(aws, tag)


@pytest.mark.parametrize("seed", range(5))
async def test_a_holder_that_is_killed_is_followed_by_one_other(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten kills for each seed; the test's name tells which one failed."""
    chance = random.Random(seed)
    async with world(monkeypatch, latency=chance.choice([0.02, 0.2, 0.5])) as aws:
        for _ in range(2):
            aws.start(lease=LEASE, resync=20.0)
        for kill in range(10):
            await aws.until(lambda: holder(aws) is not None, limit=TAKEN_OVER, step=0.1)
            aws.commit(fleet(*NAMES, tag=f"{kill}"))
            # Most die in the middle of the commit's dozen writes, some long after.
            most = len(aws.writes()) + chance.randrange(14)
            await aws.until(partial(has_written, aws, most, f"{kill}"), step=0.05)
            current = holder(aws)
            assert current is not None
            await current.kill()
            died = now()
            aws.start(lease=LEASE, resync=20.0)
            await aws.until(lambda: holder(aws) is not None, limit=TAKEN_OVER, step=0.1)
            assert now() - died <= TAKEN_OVER
        await aws.until(lambda: in_line(aws, "9"))
        order = stretches(aws)
        assert len(order) == len(set(order)), "a controller came back after another had written"
        twice = {what: count for what, count in Counter(map(essence, aws.writes())).items() if count > 1}
        assert twice == {}
        assert Counter(call.operation for call in aws.writes())["CreateService"] == len(NAMES)


async def test_a_holder_that_is_cut_off_has_stopped_before_the_other_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alive, with work to do and a way to ECS, and none to the store of the lease."""
    async with world(monkeypatch, latency=0.1) as aws:
        aws.source.files = fleet(*NAMES)
        first = aws.start(lease=LEASE, resync=1.0)
        await aws.until(lambda: in_line(aws, "1"))
        second = aws.start(lease=LEASE, resync=1.0)
        aws.cut_off.add(first.name)
        cut, edits = now(), itertools.count(2)

        def edited() -> bool:
            aws.hand("UpdateService", service="bert", desiredCount=next(edits))
            return first.task.done()

        await aws.until(edited, limit=TAKEN_OVER, step=1.0)
        assert "the lease is lost" in str(first.task.exception())
        stopped = now()
        await aws.until(lambda: second.leading, limit=TAKEN_OVER, step=0.1)
        assert now() - cut <= TAKEN_OVER
        assert max(call.at for call in aws.writes() if call.who == first.name) <= cut + 10
        assert stopped <= cut + 15 + 1, "five seconds are for giving it back, in vain"
        await aws.until(lambda: in_line(aws, "1"), limit=60.0)
        assert stretches(aws) == [first.name, second.name]


async def who_writes_after_a_stall(patch: pytest.MonkeyPatch) -> list[str]:
    """The holder reads a service live and is about to heal it when it stalls, as a virtual machine that is suspended.
    The standby takes over and heals it instead. Then the first one wakes up."""
    async with world(patch, latency=0.1) as aws:
        aws.source.files = fleet(*NAMES)
        first = aws.start(lease=LEASE, resync=20.0)
        await aws.until(lambda: in_line(aws, "1"))
        await asyncio.sleep(130)
        second = aws.start(lease=LEASE, resync=20.0)
        aws.stalls = lambda call: call.who == first.name and call.params.get("services") == ["bert"]
        aws.hand("UpdateService", service="bert", desiredCount=3)
        await aws.until(lambda: first.name in aws.stalled, step=0.1)
        aws.cut_off.add(first.name)
        await aws.until(lambda: second.leading, limit=TAKEN_OVER)
        await aws.until(lambda: in_line(aws, "1"))
        aws.thawed.set()
        aws.cut_off.clear()
        await asyncio.wait([first.task], timeout=60)
        assert "the lease is lost" in str(first.task.exception())
        await asyncio.sleep(60)
        assert [first.name, second.name] == stretches(aws)[:2]
        return stretches(aws)


async def test_a_holder_that_stalls_and_wakes_up_writes_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await who_writes_after_a_stall(monkeypatch) == ["p1", "p2"]
