"""The process: how it begins, how it ends, and what it refuses; in virtual time, with its real AWS clients."""

import asyncio
import sqlite3
from typing import Any
from urllib.parse import parse_qs

import pytest

from controller.aws.lease.lease import LeaseLost
from controller.aws.lease.record import Record, Stored
from controller.core.plan import Drift
from controller.errors import ControllerError, Transient
from controller.reasons import Reason
from tests.acceptance.virtual import ACCOUNT, XMLNS, Aws, identity, now, world
from tests.app.running import fleet, spec

pytestmark = pytest.mark.looptime

LEASE = {"store": "dynamodb://leases"}
WEST = {"name": "west", "region": "us-west-2", "account": ACCOUNT, "clusters": ["default"]}
ROLE = {"name": "west", "region": "us-west-2", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/controller"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def there(name: str, **more: Any) -> bytes:
    """A spec for the target."""
    return spec(name, **more).replace(b"spec:\n", b"spec:\n  target: west\n", 1)


def services(aws: Aws, region: str = "us-east-1") -> list[str]:
    found = aws.hand("ListServices", region=region, cluster="default", maxResults=100)["serviceArns"]
    return sorted(arn.rpartition("/")[2] for arn in found)


def refusal(code: str, *, status: int) -> tuple[int, bytes]:
    """An error as STS sends it."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>because</Message></Error>"
    return status, f"<ErrorResponse {XMLNS}>{error}<RequestId>r</RequestId></ErrorResponse>".encode()


def denied(request: Any) -> Any:
    """STS that lets nobody assume a role."""
    body = request.body.decode() if isinstance(request.body, bytes) else request.body
    if parse_qs(body)["Action"] == ["AssumeRole"]:
        return refusal("AccessDenied", status=403)
    return identity(request)


# Beginning
# ----------------------------------------------------------------------------------------------------------------------


async def test_it_is_ready_when_the_source_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        aws.source.files = fleet("bert")
        one = aws.start()
        assert dict(one.process.checks()) == {"started": False}
        await aws.until(lambda: all(one.process.checks().values()))
        assert dict(one.process.checks()) == {"started": True, "source was read": True}
        assert one.process.standing().revision is not None


async def test_a_standby_is_ready_and_calls_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        aws.source.files = fleet("bert")
        first = aws.start(lease=LEASE)
        await aws.until(lambda: first.leading and services(aws) == ["bert"])
        second = aws.start(lease=LEASE)
        await asyncio.sleep(120)
        assert all(second.process.checks().values())
        assert {call.who for call in aws.calls} == {first.name}


async def test_it_is_alive_while_sts_does_not_answer_and_ends_when_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world(monkeypatch) as aws:
        script = [3600.0]
        aws.sts = lambda _request: script[0]
        one = aws.start(lease=LEASE)
        await asyncio.sleep(20)
        assert one.process.alive()
        assert not all(one.process.checks().values())
        began = now()
        await one.stop()
        assert now() - began < 1
        assert [event for _, event, _ in one.log.said][-1] == "controller stopped"


async def test_an_account_that_nobody_can_tell_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        aws.sts = lambda _request: refusal("InternalFailure", status=500)
        one = aws.start(lease=LEASE)
        with pytest.raises(Transient):
            await one.task


# Ending
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_standby_ends_at_once_and_the_holder_does_not_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        first, second = aws.start(lease=LEASE), None
        await aws.until(lambda: first.leading)
        second = aws.start(lease=LEASE)
        await asyncio.sleep(10)
        began = now()
        await second.stop()
        assert now() - began < 1
        await asyncio.sleep(60)
        assert first.leading


async def test_the_holder_gives_the_lease_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        first = aws.start(lease=LEASE)
        await aws.until(lambda: first.leading)
        second = aws.start(lease=LEASE)
        await asyncio.sleep(10)
        await first.stop()
        assert await aws.until(lambda: second.leading, step=0.1) <= 2.5
        assert first.log.of("lease released") == [{"lease": f"controller/{ACCOUNT}/us-east-1"}]


async def test_under_load_it_ends_in_time_and_half_of_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch, latency=1.0) as aws:
        aws.source.files = fleet(*(f"s{number}" for number in range(30)))
        one = aws.start(lease=LEASE, api_share=1.0)
        await aws.until(lambda: len(services(aws)) >= 5, step=0.1)
        began = now()
        await one.stop()
        assert now() - began <= 25
        created, registered = aws.count()["CreateService"], aws.count()["RegisterTaskDefinition"]
        assert 5 <= created == registered < 30, "what was begun was finished, and no more was begun"
        assert one.log.of("stopping in the middle") == []
        store = aws.leases[f"controller/{ACCOUNT}/us-east-1"]
        assert store.stored is not None
        assert store.stored.record.holder == "", "given back last"


async def test_a_lost_lease_ends_it_with_an_error_and_without_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        aws.source.files = fleet("bert")
        one = aws.start(lease=LEASE, resync=1.0)
        await aws.until(lambda: services(aws) == ["bert"])
        await asyncio.sleep(130)
        stolen = now()
        thief = Stored(Record("thief", "v", 15.0), "v")
        aws.leases[f"controller/{ACCOUNT}/us-east-1"].stored = thief
        with pytest.raises(LeaseLost, match="thief has it"):
            await one.task
        assert now() - stolen <= 3
        assert aws.writes(since=stolen) == []
        assert one.process.standing().workloads, "it can be looked at until the end"
        assert aws.leases[f"controller/{ACCOUNT}/us-east-1"].stored == thief, "what is not ours is not given back"


# History
# ----------------------------------------------------------------------------------------------------------------------


async def test_the_last_entries_reach_the_journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    path = tmp_path / "journal.sqlite"
    async with world(monkeypatch) as aws:
        aws.source.files = fleet("bert")
        one = aws.start(journal=f"sqlite:{path}", lease=LEASE)
        await aws.until(lambda: services(aws) == ["bert"])
        await one.stop()
    with sqlite3.connect(path) as database:
        told = [content for (content,) in database.execute("SELECT content FROM entries ORDER BY rowid")]
    database.close()
    assert any("step done" in entry or "CreateService" in entry for entry in told)
    assert ["lease released" in told[-2], "controller stopped" in told[-1]] == [True, True]


async def test_a_journal_that_cannot_be_written_costs_history_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "file").write_text("")
    async with world(monkeypatch) as aws:
        aws.source.files = fleet("bert")
        one = aws.start(journal=f"sqlite:{tmp_path}/file/journal.sqlite")
        await aws.until(lambda: services(aws) == ["bert"])
        await asyncio.sleep(30)
        assert len(one.log.of("journal not written")) == 1
        await one.stop()


# Several accounts and regions
# ----------------------------------------------------------------------------------------------------------------------


async def test_each_place_has_its_own_services_and_orphans_never_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        aws.source.files = {**fleet("bert", "gpt"), "w1.yaml": there("bert", tag="2"), "w2.yaml": there("llama")}
        one = aws.start(targets=[WEST], lease=LEASE)
        await aws.until(lambda: (services(aws), services(aws, "us-west-2")) == (["bert", "gpt"], ["bert", "llama"]))
        assert sorted(aws.leases) == [f"controller/{ACCOUNT}/us-east-1", f"controller/{ACCOUNT}/us-west-2"]
        assert set(one.process.checks()) == {"started", "source was read", "source was read (west)"}
        await aws.until(lambda: all(report.plan.drift is Drift.IN_SYNC for report in one.process.standing().workloads))
        since = now()
        await asyncio.sleep(600)
        assert aws.writes(since=since) == []
        del aws.source.files["w1.yaml"]
        aws.commit({})
        await aws.until(lambda: services(aws, "us-west-2") == ["llama"])
        await asyncio.sleep(600)
        assert (services(aws), services(aws, "us-west-2")) == (["bert", "gpt"], ["llama"])


async def test_what_one_place_has_read_is_told_while_it_is_a_standby_in_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world(monkeypatch) as aws:
        aws.source.files = {"w1.yaml": there("gpt")}
        first = aws.start(lease=LEASE)
        await aws.until(lambda: first.leading)
        second = aws.start(lease=LEASE, targets=[WEST])
        await aws.until(lambda: services(aws, "us-west-2") == ["gpt"])
        assert [one.leading for one in second.process.shards] == [False, True]
        assert second.process.standing().revision is not None
        assert second.process.standing().fetched is not None


@pytest.mark.parametrize("account", [ACCOUNT, None])
async def test_a_target_that_is_the_controllers_own_place_is_refused(
    account: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the two would delete what the other has created."""
    async with world(monkeypatch) as aws:
        aws.source.files = {**fleet("bert"), "w1.yaml": there("gpt")}
        one = aws.start(targets=[{**WEST, "region": "us-east-1", "account": account}])
        with pytest.raises(ControllerError, match=f"are one place: us-east-1 of account {ACCOUNT}") as caught:
            await one.task
        assert caught.value.reason is Reason.NOT_CONFIGURED
        assert aws.calls == []


async def test_two_targets_that_turn_out_to_be_one_place_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        one = aws.start(targets=[WEST, {**WEST, "name": "also", "account": None}])
        with pytest.raises(ControllerError, match="target west and target also are one place"):
            await one.task
        assert aws.calls == []


@pytest.mark.parametrize("lease", [None, LEASE])
async def test_where_only_targets_are_configured_the_own_account_needs_no_region(
    lease: dict[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(monkeypatch) as aws:
        aws.source.files = {"w1.yaml": there("gpt"), **fleet("bert")}
        one = aws.start(region=None, clusters=(), targets=[WEST], lease=lease)
        await aws.until(lambda: services(aws, "us-west-2") == ["gpt"])
        assert len(one.log.of("only targets are served")) == 1
        await aws.until(lambda: len(one.process.standing().workloads) == 2)
        (bert,) = (report for report in one.process.standing().workloads if report.key.target is None)
        assert bert.error is not None, "a spec without a target is told why nothing comes of it"
        assert bert.error.reason is Reason.NOT_CONFIGURED
        assert all(one.process.checks().values())
        await one.stop()


async def test_an_own_account_that_does_not_answer_for_a_moment_is_not_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world(monkeypatch) as aws:
        aws.sts = lambda _request: refusal("InternalFailure", status=500)
        with pytest.raises(Transient):
            await aws.start(targets=[WEST]).task


@pytest.mark.parametrize("lease", [None, LEASE])
async def test_a_role_that_cannot_be_assumed_stops_no_other_place(
    lease: dict[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(monkeypatch) as aws:
        aws.sts = denied
        aws.source.files = {**fleet("bert"), "w1.yaml": there("gpt")}
        one = aws.start(targets=[ROLE], lease=lease)
        await aws.until(lambda: services(aws) == ["bert"])
        await aws.until(lambda: len(one.process.standing().workloads) == 2)
        (gpt,) = (report for report in one.process.standing().workloads if report.key.target == "west")
        assert gpt.error is not None
        assert gpt.error.reason is Reason.ACCESS_DENIED
        assert "west:default" in one.process.standing().clusters_failed
        await one.stop()
