"""Ctrl-C and SIGTERM wherever a person may send them: exit 130 or a clean end, soon, and never a traceback."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cli.conftest import PATIENCE, command, credentials, silent, spec
from tests.report.schemas import checked

HEARING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A shell lets what it runs in the background ignore SIGINT, and whoever is started from there inherits that."""


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs until it is told to stop, and hears SIGINT also where the tests run in the background."""
    running = subprocess.Popen(
        [sys.executable, "-c", HEARING, *command(*arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    with running:
        try:
            yield running
        finally:
            running.kill()


def read_until(stream, text):
    """Lines up to the one that holds a text."""
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"{text!r} never came: {''.join(lines)}")


def stopped(running, *signals):
    """Send signals, wait for the end; answers (code, rest of stdout, rest of stderr)."""
    for one in signals:
        running.send_signal(one)
    out, err = running.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    assert "Exception" not in err
    assert "Task" not in err
    return running.returncode, out, err


def test_a_pass_that_waits_for_aws(specs, empty_world):
    (specs / "bert.yaml").write_text(spec())
    with silent() as (address, arrived):
        credentials(empty_world, address)
        with started("--once") as running:
            arrived()
            assert stopped(running, signal.SIGINT) == (130, "", "error: interrupted\n")


def test_a_pass_with_a_document(specs, empty_world):
    (specs / "bert.yaml").write_text(spec())
    with silent() as (address, arrived):
        credentials(empty_world, address)
        with started("--once", "--apply", "-o", "json") as running:
            arrived()
            code, out, err = stopped(running, signal.SIGINT)
    assert code == 130
    (error,) = checked(json.loads(out))["errors"]
    assert error["code"] == "Interrupted"
    assert error["message"] == ("interrupted; what was sent to AWS stays done; `controller --once` shows what is left")
    assert err == f"error: {error['message']}\n"


def test_waiting_for_a_rollout(specs, aws):
    (specs / "bert.yaml").write_text(spec())
    with started("--once", "--apply", "--wait") as running:
        read_until(running.stderr, "default/bert  Progressing")
        code, out, err = stopped(running, signal.SIGINT)
    assert (code, out) == (130, "")
    assert err.endswith("error: interrupted; what was sent to AWS stays done; `controller --once` shows what is left\n")
    assert len(aws.call("ListServices")["serviceArns"]) == 1


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM])
def test_the_daemon(specs, aws, one):
    (specs / "bert.yaml").write_text(spec())
    with started("run", "--http", "off", "--log-format", "json") as running:
        read_until(running.stderr, '"event": "source changed"')
        code, out, err = stopped(running, one)
    assert (code, out) == (0, "")
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert events[-1] == "controller stopped"
    assert "stop asked for" in events


def test_the_daemon_told_twice(specs, empty_world):
    """Something is in flight that would take a minute; the second signal does not wait for it."""
    (specs / "bert.yaml").write_text(spec())
    with silent() as (address, arrived):
        credentials(empty_world, address)
        with started("run", "--http", "off", "--log-format", "json") as running:
            arrived()
            running.send_signal(signal.SIGINT)
            read_until(running.stderr, "stop asked for")
            code, _, err = stopped(running, signal.SIGINT)
    assert code in (0, 130)
    assert "stopping at once" in err or "controller stopped" in err


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox(one):
    with started("sandbox") as running:
        assert running.stdout.readline().startswith("http://127.0.0.1:")
        read_until(running.stderr, "export AWS_ENDPOINT_URL=")
        code, out, err = stopped(running, one)
    assert (code, out, err) == (0, "", "")


def test_the_demo():
    with started("demo") as running:
        read_until(running.stdout, "1. ")
        code, _, err = stopped(running, signal.SIGINT)
    assert (code, err) == (130, "")


def test_at_any_moment(specs, empty_world):
    """Also while Python is still loading modules: a handful of moments, none with a traceback."""
    (specs / "bert.yaml").write_text(spec())
    with silent() as (address, _):
        credentials(empty_world, address)
        for delay in (0.15, 0.3, 0.6):
            with started("--once") as running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.wait(delay)
                running.send_signal(signal.SIGINT)
                _, err = running.communicate(timeout=PATIENCE)
                assert running.returncode in (130, -signal.SIGINT)
                if running.returncode == 130:
                    assert "Traceback" not in err
