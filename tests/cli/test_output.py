"""Where things go and how they look: data on stdout, the rest on stderr, one document for `-o json`; terminals, pipes,
encodings, colours; secrets and control characters of others nowhere."""

import contextlib
import json
import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import PATIENCE, command, process, reach, spec
from tests.report.schemas import checked

TYPO = spec("typo").replace("command:", "comand:")
FULL = Path("/dev/full")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def spoken(value):
    """The name of a test's parameter: a command line as it is typed."""
    return " ".join(value) if isinstance(value, tuple) else None


def on_a_terminal(*arguments, stdout=True, stderr=True, **environment):
    """Run with a terminal for stdout, stderr or both; answers (code, what it shows, what went elsewhere)."""
    primary, secondary = pty.openpty()
    running = subprocess.Popen(
        command(*arguments),
        stdin=secondary,
        stdout=secondary if stdout else subprocess.PIPE,
        stderr=secondary if stderr else subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(secondary)
    shown, deadline = b"", time.monotonic() + PATIENCE
    with running:
        while time.monotonic() < deadline:
            if not select.select([primary], [], [], 1)[0]:
                continue
            try:
                piece = os.read(primary, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not piece:
                break
            shown += piece
        other = running.stdout or running.stderr
        rest = other.read() if other else b""
        running.wait(PATIENCE)
    os.close(primary)
    return running.returncode, shown.decode().replace("\r\n", "\n"), rest.decode()


# Streams
# --------------------------------------------------------------------------------------------------------------------


def test_the_plan_goes_to_stdout_and_the_findings_to_stderr(controller, aws, specs):
    (specs / "bert.yaml").write_text(spec())
    (specs / "typo.yaml").write_text(TYPO)
    outcome = controller("--once")
    assert outcome.out.startswith("source  specs @ sha256:")
    assert outcome.out.endswith("plan: 1 to create, 0 to update, 0 to delete, 1 invalid, 0 in sync\n")
    assert "did you mean `command`?" not in outcome.out
    assert "did you mean `command`?" in outcome.err
    assert "plan:" not in outcome.err


def test_progress_goes_to_stderr_and_the_document_stays_one(controller, aws, specs):
    (specs / "bert.yaml").write_text(spec())
    outcome = controller("--once", "--apply", "--wait", "--timeout", "0.2", "-o", "json")
    checked(outcome.json)
    assert re.search(r"^ +\d+\.\ds  default/bert  Progressing: deployment in progress, 0 of 1 tasks run", outcome.err)


def test_progress_is_told_when_it_changes_only(controller, aws, specs, monkeypatch):
    monkeypatch.setattr("controller.app.once.FIRST_POLL", 0.01)
    (specs / "bert.yaml").write_text(spec())
    outcome = controller("--once", "--apply", "--wait", "--timeout", "0.3")
    assert outcome.code == 4
    assert outcome.err.count("default/bert  Progressing: ") == 1


def test_findings_are_the_data_of_validate(controller, specs):
    (specs / "typo.yaml").write_text(TYPO)
    outcome = controller("validate", specs)
    assert (outcome.code, outcome.err) == (3, "")
    assert re.search(r"^1 file, 0 valid workloads, 1 error in \d+\.\d\ds$", outcome.out.splitlines()[-1])


def test_findings_beside_rendered_requests_go_to_stderr(controller, specs):
    (specs / "bert.yaml").write_text(spec())
    (specs / "typo.yaml").write_text(TYPO)
    outcome = controller("render", specs)
    assert outcome.code == 3
    assert [one["key"] for one in checked(outcome.json)["workloads"]] == ["default/bert"]
    assert "error[unknown-field]" in outcome.err


# Documents
# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ((), 2),
        (("--apply",), 0),
        (("--apply", "--wait", "--timeout", "0.05"), 4),
        (("-v",), 2),
        (("-l", "team=none"), 0),
        (("--cluster", "nowhere"), 1),
        (("-s", "nowhere"), 1),
        (("-s", "ftp://x/y"), 64),
        (("--wait",), 64),
        (("-l", "nlp"), 64),
        (("--owner", "a b"), 64),
        (("--config", "nowhere.yaml"), 64),
        (("--profile", "nowhere"), 1),
    ],
)
def test_stdout_is_one_plan_whatever_happens(controller, aws, specs, flags, code):
    (specs / "bert.yaml").write_text(spec())
    outcome = controller("--once", "-o", "json", *flags)
    assert outcome.code == code
    plan = checked(outcome.json)
    assert plan["kind"] == "Plan"
    assert bool(plan["errors"]) == (code in (1, 3, 64))


def test_a_bug_says_that_it_is_one(specs):
    """A traceback for whoever mends it, a sentence for whoever meets it, a document for whoever reads it."""
    code = (
        "import controller.app.once as once, controller.cli.main as main\n"
        "async def broken(*_, **__): raise LookupError('no such thing: token=abcdefgh')\n"
        "once.look = broken\n"
        "main.main(['--once', '-o', 'json'])\n"
    )
    (specs / "bert.yaml").write_text(spec())
    done = subprocess.run(
        [*command()[:3], "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False, env={**os.environ}
    )
    assert done.returncode == 1
    (error,) = checked(json.loads(done.stdout))["errors"]
    assert (error["code"], error["message"]) == (
        "Internal",
        "a bug: LookupError: no such thing: token=•••• sha256:9c56",
    )
    assert "Traceback (most recent call last)" in done.stderr
    assert "abcdefgh" not in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: this is a bug in controller ")


def test_the_same_pass_prints_the_same_bytes(controller, aws, specs):
    for name in ("c", "a", "b"):
        (specs / f"{name}.yaml").write_text(spec(name, gaudi="{modules: [0]}"))
    for form in ("json", "table"):
        assert controller("--once", "-o", form).out == controller("--once", "-o", form).out


# Secrets
# --------------------------------------------------------------------------------------------------------------------

CANARY = "c4n4ry"
SECRETS = f"""
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: bert}}
spec:
  cluster: default
  replicas: 1
  gaudi: {{cards: 8}}
  taskDefinition:
    containerDefinitions:
      - name: train
        image: example.com/bert:1
        memory: 4096
        command: [train, --api-token, {CANARY}-command, "--dsn=postgres://bert:{CANARY}-url@host/db"]
        environment:
          HF_TOKEN: {CANARY}-environment
          DB_PASSWORD: {CANARY}-password
          DSN: postgres://bert:{CANARY}-dsn@host/db
        dockerLabels: {{api-key: {CANARY}-label}}
        logConfiguration: {{logDriver: splunk, options: {{splunk-token: {CANARY}-log, splunk-url: "https://x"}}}}
"""


def every_way_to_look(controller, specs):
    for flags in ((), ("-o", "json"), ("--apply",), ("-o", "json", "-v")):
        yield controller("--once", *flags)
    yield controller("validate", specs)
    yield controller("render", "--explain", specs)


def test_secrets_are_in_no_report(controller, aws, specs):
    """Not when they are created, when they change, or in a line that is shown for another reason."""
    file = specs / "bert.yaml"
    for step, text in enumerate(
        (SECRETS, SECRETS.replace(CANARY, f"{CANARY}2"), SECRETS.replace("memory: 4096", "memori: 4096"), SECRETS + "[")
    ):
        file.write_text(text)
        for outcome in every_way_to_look(controller, specs):
            assert CANARY not in outcome.out + outcome.err, step
        aws.rest()


def test_a_change_of_a_secret_shows_without_it(controller, aws, specs):
    (specs / "bert.yaml").write_text(SECRETS)
    assert controller("--once", "--apply").code == 0
    (specs / "bert.yaml").write_text(SECRETS.replace(f"{CANARY}-environment", f"{CANARY}-other"))
    outcome = controller("--once", "-o", "json")
    (change,) = outcome.plan["default/bert"]["changes"]
    assert change["path"] == "taskDefinition.containerDefinitions[train].environment[HF_TOKEN]"
    assert change["live"] != change["spec"]
    assert change["live"].startswith("•••• sha256:")
    assert change["spec"].startswith("•••• sha256:")


def test_render_prints_what_is_sent(controller, specs):
    """That is what it is for; its help says so."""
    (specs / "bert.yaml").write_text(SECRETS)
    outcome = controller("render", specs)
    (one,) = checked(outcome.json)["workloads"]
    (container,) = one["registerTaskDefinition"]["containerDefinitions"]
    assert {"name": "HF_TOKEN", "value": f"{CANARY}-environment"} in container["environment"]
    assert CANARY not in outcome.err
    assert "a secret that a spec holds in plain" in controller("render", "--help").out


# Terminals
# --------------------------------------------------------------------------------------------------------------------


def test_colours_on_a_terminal_only(specs, aws):
    (specs / "bert.yaml").write_text(spec())
    (specs / "typo.yaml").write_text(TYPO)
    code, shown, _ = on_a_terminal("--once")
    assert code == 3
    plain = process("--once")
    assert COLOUR.search(shown)
    assert not COLOUR.search(plain.out + plain.err)
    assert COLOUR.sub("", shown) == plain.err + plain.out


@pytest.mark.parametrize(
    ("flags", "environment"),
    [(("--no-color",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})],
    ids=["--no-color", "NO_COLOR", "dumb terminal"],
)
def test_no_colours_where_they_are_not_wanted(specs, aws, flags, environment):
    (specs / "typo.yaml").write_text(TYPO)
    assert "\x1b" not in on_a_terminal("--once", *flags, **environment)[1]
    assert "\x1b" not in on_a_terminal("validate", *flags, specs, **environment)[1]


def test_each_stream_decides_for_itself(specs, aws):
    """`controller --once > plan.txt` in a terminal: coloured findings, a plain file."""
    (specs / "bert.yaml").write_text(spec())
    (specs / "typo.yaml").write_text(TYPO)
    _, shown, piped = on_a_terminal("--once", stdout=False)
    assert COLOUR.search(shown)
    assert piped.startswith("source  specs")
    assert "\x1b" not in piped
    _, shown, piped = on_a_terminal("--once", stderr=False)
    assert COLOUR.search(shown)
    assert piped.startswith("error[unknown-field]")
    assert "\x1b" not in piped


# Pipes and files
# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("render", "specs"), 3),
        (("validate", "specs"), 3),
        (("validate", "-o", "json", "specs"), 3),
        (("--once",), 3),
        (("--once", "-o", "json"), 3),
        (("schema",), 0),
        (("--help",), 0),
    ],
    ids=spoken,
)
def test_a_reader_that_has_had_enough(specs, aws, arguments, code):
    """`controller … | head -1`: no traceback, and the exit code is that of the work."""
    for number in range(40):
        (specs / f"s{number}.yaml").write_text(TYPO.replace("name: typo", f"name: s{number}"))
    running = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ})
    with running:
        assert running.stdout is not None
        assert running.stderr is not None
        os.close(os.dup(running.stdout.fileno()))
        running.stdout.close()
        complaints = running.stderr.read().decode()
        assert running.wait(PATIENCE) == code
    assert "Traceback" not in complaints
    assert "Broken" not in complaints


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("arguments", [("validate", "specs"), ("--once",), ("--help",), ("schema",)], ids=spoken)
def test_a_full_disk_is_an_error(specs, aws, arguments):
    (specs / "bert.yaml").write_text(spec())
    with FULL.open("w") as full:
        done = subprocess.run(
            command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


def test_closed_streams_change_nothing(specs, aws):
    (specs / "bert.yaml").write_text(spec())
    for closed in (">&-", "<&- >&- 2>&-"):
        line = " ".join([*command("--once"), closed])
        assert (
            subprocess.run(["/bin/sh", "-c", line], timeout=PATIENCE, check=False, capture_output=True).returncode == 2
        )


# Encodings
# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "no_SUCH.locale"},
    ],
    ids=["ASCII", "latin-1", "unknown"],
)
def test_any_locale(specs, aws, locale):
    """What the encoding cannot say is spelled out; a file is UTF-8 whatever the locale."""
    text = spec().replace("command: [python, train.py]", "environment: {CITY: Zürich 東京, HF_TOKEN: abc}")
    (specs / "bert.yaml").write_text(text, encoding="utf-8")
    for arguments, code in ((("--once",), 2), (("render", specs), 0)):
        environment = {**os.environ, **reach(aws.server.url), **locale}
        done = subprocess.run(command(*arguments), capture_output=True, timeout=PATIENCE, check=False, env=environment)
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in done.stderr
    with contextlib.suppress(KeyError):
        del environment["PYTHONIOENCODING"]
    rendered = process("render", specs)
    assert "Zürich 東京" in rendered.out


def test_control_characters_of_others_do_not_reach_the_terminal(controller, aws, specs):
    """From the spec, from a file's name, and from AWS."""
    evil = "\\x1b]0;pwned\\x07\\x1b[2J\\u202e\\n"
    (specs / "bert.yaml").write_text(spec().replace("command: [python, train.py]", f'environment: {{A: "{evil}"}}'))
    assert controller("--once", "--apply").code == 0
    running = aws.call("DescribeServices", services=["bert"])["services"][0]["taskDefinition"]
    (specs / "bert.yaml").write_text(spec())
    (specs / "\x1b[31mred\n.yaml").write_text("kind: \x1b\n")
    for flags in ((), ("-o", "json"), ("--apply",)):
        outcome = controller("--once", *flags)
        shown = outcome.out + outcome.err
        assert all(char.isprintable() or char == "\n" for char in shown), shown
        assert "\u202e" not in shown
    outcome = controller("validate", specs)
    assert all(char.isprintable() or char == "\n" for char in outcome.out + outcome.err)
    assert running.endswith("bert:1")
