"""`controller demo` plays to its end, in time, and shows what it promises while it does."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller.cli.main import run

HOSTILE = {
    "AWS_PROFILE": "nowhere",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_CA_BUNDLE": "/nowhere",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "CONTROLLER_OWNER": "not valid",
}
"""What a machine may have that the demo must not look at."""

PROMISED = (
    "every task is on a DL1",
    "service.desiredCount: 2 → 1  (no restart, changed live)",
    "image: example.com/nlp/bert:1.0 → example.com/nlp/bert:broken-2.0  (new revision, rolls 1 task, spec changed)",
    "it is not tried again until the spec changes",
    "did you mean `command`?",
    "✓ the last good version stands",
)
STATUS = """\
  WORKLOAD           SPEC      DRIFT   HEALTH   RUN  CARDS  NOTE
  default/bert       Invalid   InSync  Healthy  1/1  8      the newest document is invalid, the last good one stands
  default/whisper-a  Accepted  InSync  Healthy  1/1  4
  default/whisper-b  Accepted  InSync  Healthy  1/1  4
"""


def test_the_demo_plays_to_its_end(tmp_path: Path) -> None:
    """On a machine with an empty home, a broken AWS configuration and a proxy; progress comes while it runs."""
    running = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "controller", "demo"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", bufsize=1,
        env={**os.environ, **HOSTILE, "HOME": str(tmp_path)}, cwd=tmp_path,
    )  # fmt: skip
    came: list[tuple[float, str]] = []
    with running:
        assert running.stdout is not None
        assert running.stderr is not None
        for line in running.stdout:
            came.append((time.monotonic(), line))
        complaints = running.stderr.read()
        code = running.wait(30)
    shown = "".join(line for _, line in came)
    assert (code, complaints) == (0, ""), shown
    place = 0
    for promised in PROMISED:  # in this order
        place = shown.find(promised, place)
        assert place >= 0, (promised, shown)
    assert STATUS in shown[place:]
    moments = {moment for moment, line in came if re.match(r"  +\d+\.\ds  ", line)}
    assert len(moments) > 10  # it was not all kept back for the end
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_fails_says_so(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("controller.sandbox.demo.SCENE", 0.0)
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    before = dict(os.environ)
    assert run(["demo"]) == 1
    captured = capfd.readouterr()
    assert "1. Three specs are committed" in captured.out
    assert captured.err == "error: the demo failed: waited 0s in vain: all three services are healthy\n"
    assert dict(os.environ) == before
