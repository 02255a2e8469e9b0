"""The command line in process and as a process, an empty world around it, and the embedded AWS beside it."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from controller.cli.main import run
from controller.sandbox.clocks import ManualClock
from controller.sandbox.server import Server, serve
from controller.sandbox.simulator import Options

PATIENCE = 30.0
SPEC = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: {name}, labels: {{team: {team}}}}}
spec:
  cluster: {cluster}
  replicas: {replicas}
  gaudi: {gaudi}
  taskDefinition:
    containerDefinitions:
      - {{name: train, image: "example.com/{name}:{tag}", cpu: 1024, memory: 4096, command: [python, train.py]}}
"""


@dataclass(frozen=True)
class Outcome:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout as exactly one JSON document."""
        return json.loads(self.out)

    @property
    def plan(self) -> dict[str, dict[str, Any]]:
        """Workloads of a plan by key."""
        return {one["key"]: one for one in self.json["workloads"]}


@pytest.fixture(autouse=True)
def empty_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An empty folder, an empty home, and no variable that would change what is done."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    for name in os.environ:
        if name.upper().startswith(("AWS_", "CONTROLLER_")) or name.upper().endswith(("_PROXY", "_COLOR", "COLUMNS")):
            monkeypatch.delenv(name)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # what nobody sets for a user
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.fixture(autouse=True, scope="session")
def one_reading_of_the_aws_models() -> Iterator[None]:
    """botocore parses its models anew for each session; a hundred passes in one process need that once."""
    loader = botocore.session.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda *_: loader)
        yield


@pytest.fixture
def controller(capfd: pytest.CaptureFixture[str]) -> Any:
    """The command line in this process."""

    def call(*arguments: str | Path) -> Outcome:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def command(*arguments: str | Path) -> list[str]:
    """The command line as a process of its own, warnings as errors."""
    return [sys.executable, "-W", "error", "-m", "controller", *map(str, arguments)]


def process(*arguments: str | Path, stdin: str = "", **environment: str) -> Outcome:
    """The command line as a process, to its end."""
    done = subprocess.run(
        command(*arguments),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
        env={**os.environ, **environment},
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def spec(
    name: str = "bert",
    *,
    cluster: str = "default",
    tag: str = "1",
    replicas: int = 1,
    gaudi: str = "{cards: 8}",
    team: str = "nlp",
) -> str:
    """A valid document."""
    return textwrap.dedent(SPEC.format(name=name, cluster=cluster, tag=tag, replicas=replicas, gaudi=gaudi, team=team))


@pytest.fixture
def specs() -> Path:
    """A folder `specs` in the current one, where the command line looks by itself."""
    folder = Path("specs")
    folder.mkdir()
    return folder


@dataclass(frozen=True)
class Sandbox:
    """The embedded AWS in a thread, and its clock."""

    server: Server
    clock: ManualClock
    loop: asyncio.AbstractEventLoop

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Somebody else's call."""
        answer: dict[str, Any] = self.server.region().call(operation, params, self.clock.now())
        return answer

    def rest(self, seconds: float = 120) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was ever written."""
        families = self.call("ListTaskDefinitions")["taskDefinitionArns"]
        return not families and not self.call("ListServices")["serviceArns"]


@contextlib.contextmanager
def embedded(options: Options | None = None) -> Iterator[Sandbox]:
    """The embedded AWS over HTTP in a thread of this process; time moves by hand only."""
    clock, started, stop = ManualClock(), Future[Sandbox](), threading.Event()

    async def main() -> None:
        async with serve(clock=clock, options=options) as server:
            started.set_result(Sandbox(server, clock, asyncio.get_running_loop()))
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        yield started.result(PATIENCE)
    finally:
        stop.set()
        thread.join(PATIENCE)


def credentials(environment: pytest.MonkeyPatch, url: str) -> None:
    """Variables with which an AWS client reaches an endpoint."""
    for name, value in reach(url).items():
        environment.setenv(name, value)


def reach(url: str) -> Mapping[str, str]:
    """Variables with which an AWS client reaches an endpoint."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


@pytest.fixture
def aws(empty_world: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The embedded AWS, and an environment that leads to it."""
    with embedded() as sandbox:
        credentials(empty_world, sandbox.server.url)
        yield sandbox


@contextlib.contextmanager
def refusing(code: str, message: str, *, status: int = 400) -> Iterator[tuple[str, list[str]]]:
    """An ECS that refuses every call with one error; yields its address and the operations that were asked for."""
    asked: list[str] = []

    class Refuse(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            asked.append(self.headers["X-Amz-Target"].rpartition(".")[2])
            body = json.dumps({"__type": code, "message": message}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


@contextlib.contextmanager
def silent() -> Iterator[tuple[str, Callable[[], None]]]:
    """A port that takes connections and never answers; yields its address and what waits until somebody asks there."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as connections:
        listening.settimeout(PATIENCE)

        def arrived() -> None:
            connection, _ = listening.accept()
            connections.enter_context(connection)
            connection.settimeout(PATIENCE)
            assert connection.recv(1)

        yield f"http://127.0.0.1:{listening.getsockname()[1]}", arrived


def closed() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"
