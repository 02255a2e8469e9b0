"""The daemon's HTTP port over a real socket: probes, metrics, state, and who may ask."""

import asyncio
import json
import socket
from datetime import UTC, datetime

import aiohttp
import pytest

from controller.app.http import serving
from controller.cli.remote import NobodyThere, ask
from controller.core.journal import Entry
from controller.core.pass_report import WorkloadReport
from controller.core.plan import Drift, Plan
from controller.core.status import Health, HealthState, conditions
from controller.core.workload import Key
from controller.errors import ControllerError, Usage
from controller.report.status import Standing

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEY = Key("train", "bert")
PLAN, HEALTH = Plan(KEY, Drift.IN_SYNC), Health(HealthState.HEALTHY, "2 of 2 tasks run")
BERT = WorkloadReport(KEY, PLAN, conditions(PLAN, HEALTH), HEALTH, tasks=(2, 2), cards=16)


class Daemon:
    """A window on nothing."""

    def __init__(self):
        self.living = True
        self.ready = {"source was read": True, "clusters were observed": True}
        self.journal_works = True
        self.asked = []

    def checks(self):
        return self.ready

    def alive(self):
        return self.living

    def metrics_text(self):
        return b"controller_build_info 1\n"

    def standing(self):
        uri = "s3://user:hunter2hunter2@bucket/specs"
        return Standing(uri, "sha256:abc", None, NOON, NOON, (BERT,), {"prod": "AccessDenied"})

    async def recent(self, workload, *, most):
        if not self.journal_works:
            raise ControllerError("journal broken")
        self.asked.append((workload, most))
        return [Entry(NOON, "condition", "train/bert", "info", {"type": "Ready"})]


@pytest.fixture
async def daemon():
    return Daemon()


@pytest.fixture
async def get(daemon):
    async with serving(daemon, "127.0.0.1:0") as url, aiohttp.ClientSession(url) as session:

        async def get(path, **headers):
            async with session.get(path, headers=headers) as answer:
                return answer.status, await answer.text()

        yield get


async def test_liveness_is_the_event_loop_and_nothing_else(daemon, get):
    daemon.ready = {"source was read": False}
    assert await get("/healthz") == (200, "ok\n")
    daemon.living = False
    assert await get("/healthz") == (500, "the event loop is stuck\n")


async def test_readiness_names_what_is_missing(daemon, get):
    assert (await get("/readyz"))[0] == 200
    daemon.ready = {"source was read": True, "clusters were observed": False}
    assert await get("/readyz") == (500, "[+] source was read\n[-] clusters were observed\n")


async def test_metrics_are_prometheus_text(get):
    assert await get("/metrics") == (200, "controller_build_info 1\n")


async def test_the_status_is_json_without_secrets(get):
    status, text = await get("/api/v1/status")
    document = json.loads(text)
    assert (status, document["kind"], document["lastPass"]) == (200, "Status", NOON.isoformat())
    assert "hunter2" not in text
    (bert,) = document["workloads"]
    assert (bert["key"], bert["drift"], bert["tasks"], bert["cards"]) == (
        "train/bert",
        "InSync",
        {"running": 2, "desired": 2},
        16,
    )
    assert document["clustersFailed"] == {"prod": "AccessDenied"}


async def test_events_by_workload_and_number(daemon, get):
    status, text = await get("/api/v1/events?workload=train/bert&limit=5")
    assert (status, json.loads(text)["events"][0]["facts"]) == (200, {"type": "Ready"})
    assert daemon.asked == [("train/bert", 5)]
    for bad in ("0", "-1", "x", "1001", "²"):
        assert (await get(f"/api/v1/events?limit={bad}"))[0] == 400


async def test_a_journal_that_cannot_be_read_is_said(daemon, get):
    daemon.journal_works = False
    assert await get("/api/v1/events") == (503, "journal broken\n")


async def test_nothing_can_be_written(daemon):
    async with serving(daemon, "127.0.0.1:0") as url, aiohttp.ClientSession(url) as session:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            async with session.request(method, "/api/v1/status") as answer:
                assert answer.status == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8080", 200),
        ("[::1]:80", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("evil.example:80", 403),
    ],
)
async def test_on_the_loopback_only_its_own_names_are_answered(get, host, status):
    assert (await get("/healthz", Host=host))[0] == status


async def test_a_port_that_is_taken_is_one_sentence(daemon):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ControllerError, match=r"cannot listen on .*; choose another address"):
            async with serving(daemon, address):
                pass


@pytest.mark.parametrize("address", ["8080", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"])
async def test_an_address_that_is_none(daemon, address):
    with pytest.raises(Usage, match="write host:port"):
        async with serving(daemon, address):
            pass


async def test_the_verbs_read_it(daemon):
    async with serving(daemon, "127.0.0.1:0") as url:
        address = url.removeprefix("http://")
        document = await asyncio.to_thread(ask, address, "/api/v1/status")
        assert document["kind"] == "Status"
        with pytest.raises(ControllerError, match="is no controller"):
            await asyncio.to_thread(ask, address, "/metrics")
        with pytest.raises(ControllerError, match="answers 404"):
            await asyncio.to_thread(ask, address, "/nothing")
    with pytest.raises(NobodyThere):
        await asyncio.to_thread(ask, address, "/api/v1/status")
