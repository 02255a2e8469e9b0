"""What a user sees, whole: commands with their output as it stands on a terminal, kept in `transcripts/`.

A change of wording is a change of these files: `WRITE_TRANSCRIPTS=1 pytest tests/cli/test_transcripts.py` writes them
anew, and the diff shows it to whoever reviews. Digests and durations are masked.
"""

import os
import re
import sys
from pathlib import Path

import pytest

from controller.cli.main import run
from tests.cli.conftest import spec

KEPT = Path(__file__).parent / "transcripts"
MASKS = (
    (re.compile(r"sha256:[0-9a-f]{16}\b"), "sha256:REVISION"),
    (re.compile(r"\b1:[0-9a-f]{32}\b"), "1:DIGEST"),
    (re.compile(r"\bin \d+\.\d\ds\b"), "in 0.00s"),
    (re.compile(r"^ +\d+\.\ds  ", re.MULTILINE), "   0.0s  "),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
)


class Shell:
    """Somebody's session."""

    def __init__(self, capsys, monkeypatch):
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.text = ""

    def comment(self, text):
        self.text += f"# {text}\n"

    def type(self, line):
        """Type a command line that begins with `controller`."""
        self._capsys.readouterr()
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", sys.stdout)  # one terminal, in the order of what is written
            code = run(line.split()[1:])
        shown = self._capsys.readouterr().out
        for pattern, mask in MASKS:
            shown = pattern.sub(mask, shown)
        self.text += f"$ {line}\n{shown}$ echo $?\n{code}\n\n"


@pytest.fixture
def shell(capsys, monkeypatch, request):
    """A session that must read as it is kept under the name of the test."""
    session = Shell(capsys, monkeypatch)
    yield session
    kept = KEPT / f"{request.node.name.removeprefix('test_').replace('_', '-')}.txt"
    if os.environ.get("WRITE_TRANSCRIPTS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(session.text, encoding="utf-8")
    assert session.text == kept.read_text(encoding="utf-8")


def write(specs, name, text):
    (specs / f"{name}.yaml").write_text(text)


def test_from_a_spec_to_a_service(shell, aws, specs):
    shell.comment("two services share a DL1")
    write(specs, "left", spec("left", gaudi="{modules: [0, 1, 2, 3]}"))
    write(specs, "right", spec("right", gaudi="{modules: [4, 5, 6, 7]}"))
    shell.type("controller validate specs")
    shell.type("controller --once")
    shell.type("controller --once --apply")
    shell.type("controller --once -v")
    aws.rest()
    shell.type("controller --once --apply --wait")
    shell.type("controller --once -v")


def test_drift(shell, aws, specs):
    long = "postgres://db.example.com/bert?options=" + "x" * 80
    environment = f"environment: {{DB_PASSWORD: hunter2, DSN: '{long}', LR: 1e-3}}"
    text = spec().replace("command: [python, train.py]", environment)
    write(specs, "bert", text)
    run(["--once", "--apply"])
    aws.rest()
    shell.comment("somebody edits the service by hand")
    percentages = {"minimumHealthyPercent": 50, "maximumPercent": 150}
    aws.call("UpdateService", service="bert", desiredCount=3, deploymentConfiguration=percentages)
    shell.type("controller --once")
    shell.comment("and the spec moves on")
    changed = (
        text.replace("bert:1", "bert:2").replace("hunter2", "hunter3").replace("xxx'", "xyx'").replace("1e-3", "2e-3")
    )
    write(specs, "bert", changed)
    shell.type("controller --once")
    shell.type("controller --once --apply")
    aws.rest()
    shell.type("controller --once")


def test_what_is_held_back(shell, aws, specs):
    aws.call("RegisterTaskDefinition", family="web", containerDefinitions=[{"name": "web", "image": "w", "memory": 64}])
    aws.call("CreateService", serviceName="bert", taskDefinition="web", desiredCount=0)
    write(specs, "bert", spec())
    write(specs, "notify", spec("notify") + "  reconcile: {mode: notify}\n")
    write(
        specs, "later", spec("later") + "  reconcile: {suspend: {reason: debugging OOM, until: 2099-01-01T00:00:00Z}}\n"
    )
    write(specs, "after", spec("after") + "  reconcile: {dependsOn: [default/notify]}\n")
    shell.type("controller --once")
    shell.type("controller --once --apply")


def test_what_is_to_go(shell, aws, specs):
    for name in ("a", "b", "keep"):
        write(specs, name, spec(name, gaudi="{modules: [0]}"))
    run(["--once", "--apply"])
    aws.rest()
    shell.comment("two specs are taken away")
    (specs / "a.yaml").unlink()
    (specs / "b.yaml").unlink()
    shell.type("controller --once")
    shell.comment("beside a broken one nothing is deleted")
    write(specs, "typo", "apiVersion: dl1.ecs/v1alpha1\nkind: DL1Servce\n")
    shell.type("controller --once --apply")


def test_bad_specs(shell, aws, specs):
    write(specs, "bert", spec().replace("cards: 8", "cards: 16").replace("command:", "comand:"))
    write(specs, "good", spec("good"))
    write(specs, "list", "- bert\n")
    shell.type("controller validate specs")
    shell.type("controller validate specs/list.yaml -o json")
    shell.type("controller render --explain specs/bert.yaml")
    shell.type("controller --once")


def test_trouble(shell, aws, specs, empty_world):
    write(specs, "bert", spec())
    write(specs, "lost", spec("lost", cluster="nowhere"))
    shell.type("controller --once")
    empty_world.delenv("AWS_REGION")
    shell.type("controller --once")
    shell.type("controller --once -s nowhere")
    shell.type("controller --once --wait")
    shell.type("controller valdiate specs")


def test_a_rollout_that_does_not_end(shell, aws, specs):
    write(specs, "bert", spec(tag="broken"))
    shell.type("controller --once --apply --wait --timeout 0.05")


def test_a_plan_as_json(shell, aws, specs):
    write(specs, "bert", spec())
    run(["--once", "--apply"])
    aws.rest()
    aws.call("UpdateService", service="bert", desiredCount=3)
    write(specs, "typo", spec("typo").replace("command:", "comand:"))
    shell.type("controller --once -o json")
