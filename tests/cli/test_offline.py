"""What needs no AWS loads no client of it and needs neither network nor home: `--help`, `validate`, `render`, `schema`
start at once and run anywhere, in a pull request of a stranger too."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli.main import VERBS
from tests.cli.conftest import PATIENCE, process, spec

ROOT = Path(__file__).parents[2]
AWS_CLIENTS = ("aiobotocore", "botocore", "boto3", "s3transfer", "aiohttp", "moto")
HEAVY = (*AWS_CLIENTS, "pydantic", "yaml", "structlog", "asyncio", "prometheus_client", "watchfiles")

WATCHED = """
import json, socket, sys
def refuse(*_, **__): raise AssertionError("the network was asked for")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from controller.cli.main import run
code = run(sys.argv[1:])
print(json.dumps({"code": code, "modules": sorted({name.partition(".")[0] for name in sys.modules})}), file=sys.stderr)
"""


def watched(*arguments, **environment):
    """Run with the network taken away; answers the exit code and the top-level modules that were loaded."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, **environment},
    )
    told = json.loads(done.stderr.splitlines()[-1])
    return told["code"], set(told["modules"]), done.stdout


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("valdiate",), ("--wait",)])
def test_what_only_prints_loads_nothing_heavy(arguments):
    code, modules, _ = watched(*arguments)
    assert code == (0 if arguments[0] in ("--help", "--version") else 64)
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_loads_no_aws_client(verb):
    code, modules, shown = watched(verb, "--help")
    assert code == 0
    assert shown.startswith(f"Usage: controller {verb} ")
    assert modules.isdisjoint(AWS_CLIENTS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "specs"),
        ("validate", "-o", "json", "specs"),
        ("render", "specs"),
        ("render", "--explain", "specs"),
        ("schema",),
    ],
    ids=" ".join,
)
def test_the_offline_verbs_load_no_aws_client_and_open_no_connection(specs, arguments):
    """Without HOME and without any variable but PATH: neither credentials nor a configuration can be found."""
    (specs / "bert.yaml").write_text(spec())
    code, modules, shown = watched(*arguments)
    assert code == 0
    assert shown
    assert modules.isdisjoint(AWS_CLIENTS)


def test_validating_a_bad_spec_loads_no_aws_client(specs):
    (specs / "typo.yaml").write_text(spec().replace("command:", "comand:"))
    code, modules, shown = watched("validate", "specs")
    assert code == 3
    assert "did you mean `command`?" in shown
    assert modules.isdisjoint(AWS_CLIENTS)


def test_the_daemon_and_a_pass_do_load_one(specs):
    """That the tests above can fail."""
    (specs / "bert.yaml").write_text(spec())
    code, modules, _ = watched("--once")
    assert code == 1
    assert {"aiobotocore", "botocore"} <= modules


def test_broken_aws_settings_do_not_disturb_the_offline_verbs(specs):
    (specs / "bert.yaml").write_text(spec())
    outcome = process(
        "validate",
        specs,
        AWS_PROFILE="nowhere",
        AWS_CONFIG_FILE="/nowhere",
        AWS_ENDPOINT_URL="nonsense",
        HTTP_PROXY="x",
    )
    assert (outcome.code, outcome.err) == (0, "")


def test_as_a_module_and_as_a_script_it_is_the_same():
    script = Path(sys.executable).with_name("controller")
    if not script.exists():
        pytest.skip("not installed as a script here")
    outcome = process("--help")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (outcome.code, outcome.out, outcome.err) == (done.returncode, done.stdout, done.stderr)
