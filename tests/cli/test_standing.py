"""`status`, `get` and `events`: of a running daemon over its port, and of one look where none runs."""

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import PATIENCE, command, spec


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def address(aws, empty_world: pytest.MonkeyPatch) -> str:
    found = f"127.0.0.1:{free_port()}"
    empty_world.setenv("CONTROLLER_HTTP", found)
    return found


@pytest.fixture
def daemon(aws, specs: Path, address: str) -> Iterator[str]:
    """A daemon that has created `bert` and seen it well."""
    (specs / "bert.yaml").write_text(spec())
    with subprocess.Popen(command("run", "--resync", "0.2"), stderr=subprocess.DEVNULL) as running:
        try:
            until = time.monotonic() + PATIENCE
            while not _ready(address):
                assert time.monotonic() < until, "the daemon did not come up"
                assert running.poll() is None
                aws.rest(30)
            yield address
        finally:
            running.terminate()
            assert running.wait(PATIENCE) == 0


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/api/v1/status", timeout=5) as answer:
            workloads = json.load(answer)["workloads"]
    except OSError:
        return False
    return any(c["type"] == "Ready" and c["status"] == "True" for one in workloads for c in one["conditions"])


def test_a_running_daemon_is_asked(controller, daemon: str):
    done = controller("status")
    assert (done.code, done.err) == (0, "")
    assert "ready    1 of 1" in done.out
    assert "default/bert  True   Accepted  InSync  Healthy  1/1  8" in done.out
    document = json.loads(controller("status", "-o", "json").out)
    assert (document["kind"], document["source"]["uri"]) == ("Status", "specs")

    assert controller("get", "-o", "name").out == "default/bert\n"
    (bert,) = yaml.safe_load_all(controller("get", "default/bert", "-o", "yaml").out)
    assert (bert["key"], bert["drift"]) == ("default/bert", "InSync")
    assert "CONDITION" in controller("get", "default/bert").out
    assert "Ready=InSync" in controller("get", "-o", "wide").out

    events = json.loads(controller("events", "default/bert", "-o", "json").out)["events"]
    assert {"condition", "step done"} <= {one["event"] for one in events}
    assert {one["workload"] for one in events} == {"default/bert"}
    assert len(controller("events", "-n", "2").out.splitlines()) == 3

    with urllib.request.urlopen(f"http://{daemon}/metrics", timeout=5) as answer:
        assert b'controller_workload_ready{workload="default/bert"} 1.0' in answer.read()


def test_what_is_not_there_is_said(controller, daemon: str):
    done = controller("get", "default/bret")
    assert (done.code, done.out) == (1, "")
    assert "no workload is called default/bret; workloads: default/bert" in done.err


def test_without_a_daemon_there_is_one_look(controller, aws, specs: Path, address: str):
    (specs / "bert.yaml").write_text(spec())
    done = controller("status")
    assert done.code == 0
    assert f"no controller listens on {address}; looking once" in done.err
    assert "default/bert  False  Accepted  Missing" in done.out
    assert aws.is_untouched
    done = controller("events")
    assert (done.code, done.out, done.err) == (0, "", "no events\n")


def test_a_daemon_that_is_named_must_be_there(controller, aws, specs: Path):
    port = free_port()
    for verb in ("status", "get", "events"):
        done = controller(verb, "--address", f"127.0.0.1:{port}")
        assert (done.code, done.out) == (1, "")
        assert f"no controller listens on 127.0.0.1:{port}" in done.err
