"""Real controllers as their users start them, over loopback, on one embedded AWS that knows who has called.

Every process has access keys of its own, so each call can be told by its signature. Every test works in a region of its
own, so one server does for all.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import boto3
import pytest
from aiohttp import web

from controller.sandbox import protocol
from controller.sandbox.clocks import RealClock
from controller.sandbox.sandbox import Sandbox
from controller.sandbox.server import Server
from controller.sandbox.simulator import Options
from tests.app.running import WRITES

PATIENCE = 60.0
SPEED = 20.0
"""Seconds of ECS in one of ours: tasks start in one or two."""


@dataclass(frozen=True)
class Call:
    """A call of ECS, and whose."""

    at: float
    who: str
    region: str
    operation: str
    status: int


class Witness(Server):
    """Notes every call of ECS."""

    def __init__(self, *, speed: float = SPEED, options: Options | None = None) -> None:
        super().__init__(port=0, clock=RealClock(speed=speed), sandbox=Sandbox(options), speed=speed)
        self.calls: list[Call] = []

    async def _ecs(self, request: web.Request) -> protocol.Reply:
        reply = await super()._ecs(request)
        who, _, region = request.headers["Authorization"].partition("Credential=")[2].split("/")[:3]
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        self.calls.append(Call(time.monotonic(), who, region, operation, reply.status))
        return reply

    def writes(self, region: str) -> list[Call]:
        return [call for call in self.calls if call.region == region and call.operation.startswith(WRITES)]


@contextmanager
def witness(**more: Any) -> Iterator[Witness]:
    """The embedded AWS, in a thread."""
    ready, ends = threading.Event(), asyncio.Event()
    server, loops = Witness(**more), []

    async def serve() -> None:
        async with server:
            loops.append(asyncio.get_running_loop())
            ready.set()
            await ends.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield server
    finally:
        loops[0].call_soon_threadsafe(ends.set)
        thread.join(PATIENCE)


@dataclass
class Running:
    """A controller, and what it has said."""

    name: str
    process: subprocess.Popen[str]
    said: list[dict[str, Any]] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.said if line.get("event") == event]

    @property
    def url(self) -> str:
        until(lambda: self.of("controller started") or self.process.poll() is not None)
        assert self.of("controller started"), self.raw
        return str(self.of("controller started")[0]["serving"])

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@dataclass
class Place:
    """A region of the embedded AWS, a folder of specs, and the controllers that a test starts there."""

    server: Witness
    region: str
    folder: Path
    running: list[Running] = field(default_factory=list)

    @property
    def specs(self) -> Path:
        found = self.folder / "specs"
        found.mkdir(exist_ok=True)
        return found

    def commit(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            (self.specs / name).write_bytes(content)

    def client(self, service: str, who: str = "somebody", region: str | None = None) -> Any:
        return boto3.client(
            service,
            region_name=region or self.region,
            endpoint_url=self.server.url,
            aws_access_key_id=who,
            aws_secret_access_key="test",
        )

    def start(self, name: str, *flags: str, **environment: str) -> Running:
        """A controller whose access key is its name."""
        command = [sys.executable, "-m", "controller", "run", "--log-format", "json", *flags]
        if "-s" not in flags:
            command += ["-s", str(self.specs)]
        if "--http" not in flags:
            command += ["--http", "127.0.0.1:0"]
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "CONTROLLER_"))}
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **kept,
                "HOME": str(self.folder),
                "XDG_STATE_HOME": str(self.folder / name),
                "AWS_ENDPOINT_URL": self.server.url,
                "AWS_REGION": self.region,
                "AWS_ACCESS_KEY_ID": name,
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_EC2_METADATA_DISABLED": "true",
                "CONTROLLER_CLUSTERS": "default",
                **environment,
            },
        )
        one = Running(name, process)
        threading.Thread(target=_listen, args=(one,), daemon=True).start()
        self.running.append(one)
        return one

    def services(self, region: str | None = None) -> list[str]:
        arns = self.client("ecs", region=region).list_services(cluster="default", maxResults=100)["serviceArns"]
        return sorted(arn.rpartition("/")[2] for arn in arns)

    def service(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("ecs").describe_services(cluster="default", services=[name])["services"][0]
        return found


def _listen(one: Running) -> None:
    assert one.process.stderr is not None
    with one.process.stderr as lines:
        for line in lines:
            one.raw.append(line)
            if line.startswith("{"):
                one.said.append(json.loads(line))


def until(true: Callable[[], Any], *, limit: float = PATIENCE) -> float:
    """Wait until something is true; how long it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < limit, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - began


@contextmanager
def ended(place: Place) -> Iterator[Place]:
    """No controller outlives it."""
    try:
        yield place
    finally:
        for one in place.running:
            one.process.kill()
            one.process.wait()


@pytest.fixture(scope="session")
def embedded() -> Iterator[Witness]:
    with witness() as server:
        yield server
