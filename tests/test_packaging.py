"""What is shipped: the wheel in a virtual environment with nothing but what the lock file names, the source archive,
the container's recipe."""

import importlib.metadata
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import click
import pytest

from controller.cli.main import cli

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0
BUILD = "import sys; from flit_core import buildapi; print(getattr(buildapi, sys.argv[1])(sys.argv[2]))"


def run(*command, **options):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=PATIENCE, check=False, **options
    )


def build(what, folder):
    done = run(sys.executable, "-c", BUILD, what, folder, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("build_wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return build("build_sdist", tmp_path_factory.mktemp("sdist"))


def locked(lock):
    """Names of the distributions that a lock file pins."""
    return re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", (ROOT / lock).read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def clean(wheel, tmp_path_factory):
    """A virtual environment as `pip install` of the wheel makes it: dependencies of the lock file, and no extra."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    assert run(sys.executable, "-m", "venv", "--without-pip", folder).returncode == 0
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in locked("requirements.lock"):
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform or Python
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(found.locate_file(top))).resolve())
    pip = (sys.executable, "-m", "pip", "--python", folder, "--disable-pip-version-check", "install")
    done = run(*pip, "--no-deps", "--no-index", "--no-compile", wheel)
    assert done.returncode == 0, done.stderr
    return folder / "bin" / "controller"


def alone(clean, *arguments, **environment):
    """The script with nothing of this project in reach but the wheel."""
    return run(clean, *arguments, cwd=clean.parent, env={"PATH": os.defpath, "HOME": str(clean.parent), **environment})


# The wheel
# --------------------------------------------------------------------------------------------------------------------


def test_the_wheel_holds_the_package_whole_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {one for one in archive.namelist() if ".dist-info/" not in one}
    here = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "controller").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == here
    assert {"controller/py.typed", "controller/core/ecs/model.json", "controller/sandbox/story/bert.yaml"} <= names


def test_the_wheel_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
        assert {"LICENSE", "NOTICE"} <= {Path(one).name for one in archive.namelist()}
    assert re.search(r"^Requires-Python: >=3\.11$", metadata, re.MULTILINE)
    assert re.search(r"^License-Expression: Apache-2\.0$", metadata, re.MULTILINE)
    assert "Provides-Extra: sandbox" in metadata


def test_the_wheel_works_with_nothing_but_its_dependencies(clean):
    done = alone(clean, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    done = alone(clean, "validate", ROOT / "deploy" / "examples")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    done = alone(clean, "schema")
    assert json.loads(done.stdout) == json.loads((ROOT / "crds" / "DL1Service.schema.json").read_text())
    for verb in cli.list_commands(click.Context(cli)):
        done = alone(clean, verb, "--help")
        assert (done.returncode, done.stderr) == (0, ""), verb


def test_the_sandbox_without_its_extra_says_what_to_install(clean):
    running = subprocess.Popen(
        [clean, "sandbox"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.defpath, "HOME": str(clean.parent), "PYTHONUNBUFFERED": "1"},
    )
    with running:
        url = running.stdout.readline().strip()
        hints = [running.stderr.readline(), running.stderr.readline()]
        assert hints[1] == (
            "sandbox: only ECS is here; S3, SQS and the rest of AWS need moto: "
            "pip install 'ecs-gaudi-controller[sandbox]'\n"
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}/bucket")
        with caught.value as answer:
            assert answer.code == 501
            assert "pip install 'ecs-gaudi-controller[sandbox]'" in answer.read().decode()
        keys = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
        done = alone(clean, "--once", "-s", ROOT / "deploy" / "examples" / "hl-smi.yaml", AWS_ENDPOINT_URL=url, **keys)
        assert (done.returncode, done.stderr) == (2, "")
        assert "+ default/dl-test" in done.stdout
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 0


def test_what_the_package_imports_is_what_it_declares():
    """The lock of the product is a part of the lock of the tests, so both see the same versions."""

    def pins(lock):
        return dict(
            re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", (ROOT / lock).read_text(), re.MULTILINE)
        )

    product, tests = pins("requirements.lock"), pins("requirements-dev.lock")
    assert product.items() <= tests.items()
    assert "moto" not in product
    assert "pytest" not in product
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
        assert all("--hash=sha256:" in entry for entry in entries)
        assert "://" not in text  # no index of one machine


# The source archive
# --------------------------------------------------------------------------------------------------------------------


def test_the_source_archive_can_build_test_and_show_itself(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        *("Makefile", "README.md", "LICENSE", "NOTICE", "pyproject.toml", "requirements.lock", "requirements-dev.lock"),
        *("Dockerfile", ".dockerignore", ".ci/run", "docs/design.md", "crds/DL1Service.schema.json"),
        *("tests/conftest.py", "tests/test_packaging.py", "deploy/examples/hl-smi.yaml", "controller/cli/main.py"),
    } <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    listed = run("git", "-C", ROOT, "ls-files") if (ROOT / ".git").exists() else None
    if listed is not None and listed.returncode == 0:
        there = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
        assert there <= names


# Continuous integration
# --------------------------------------------------------------------------------------------------------------------


def test_ci_runs_the_commands_of_the_readme_and_stops_at_the_first_failure():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "set -euo pipefail"
    assert [line for line in lines if line.startswith("make")] == ["make lint", "make test"]


def test_make_says_what_it_can_make_without_making_anything(tmp_path):
    """`make` alone, on a machine where nothing is installed yet."""
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    done = run("make", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for target in ("demo", "test", "lint", "clean"):
        assert f"make {target} " in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_make_needs_a_python_that_is_new_enough(tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = run("make", f"PYTHON={old}", "demo", cwd=tmp_path)
    assert done.returncode == 2
    assert "controller needs Python 3.11 or newer; run: make PYTHON=python3.12 demo" in done.stdout
    assert not (tmp_path / ".venv").exists()


# The container
# --------------------------------------------------------------------------------------------------------------------


def instructions():
    """The Dockerfile as (instruction, arguments), comments and continuations taken away."""
    text = (ROOT / "Dockerfile").read_text()
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(name.upper(), rest.strip()) for name, _, rest in (line.strip().partition(" ") for line in lines) if name]


def stages():
    """Name of a stage (the last one is "") → its instructions, in order."""
    found, name = {}, None
    for instruction, rest in instructions():
        if instruction == "FROM":
            match = re.fullmatch(r"(\S+)(?: AS (\S+))?", rest)
            assert match, rest
            name = match[2] or ""
            found[name] = [("FROM", match[1])]
        elif name is not None:
            found[name].append((instruction, rest))
    return found


def test_the_container_has_a_build_stage_and_a_last_one_without_root():
    assert list(stages()) == ["build", ""]
    last = stages()[""]
    users = [rest for name, rest in last if name == "USER"]
    assert len(users) == 1
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", users[0])  # by number: Kubernetes can check runAsNonRoot
    assert [name for name, _ in last].index("USER") > max(
        number for number, (name, _) in enumerate(last) if name in ("RUN", "COPY")
    )
    uid = users[0].partition(":")[0]
    assert any(f"useradd --uid {uid} " in rest for name, rest in last if name == "RUN")


def test_the_container_is_made_of_what_is_pinned_or_named():
    for name, rest in instructions():
        assert name in {*("ARG", "FROM", "ENV", "RUN", "COPY", "LABEL", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD")}, (
            name
        )  # no ADD: it would fetch and unpack
        assert "http" not in rest.replace("CONTROLLER_HTTP", "")
        assert "curl" not in rest
    bases = {rest for commands in stages().values() for name, rest in commands if name == "FROM"}
    (base,) = bases  # one base: the interpreter of the build is that of the last stage
    assert re.fullmatch(r"python:\$\{PYTHON\}-slim-\w+", base)
    installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert len(installs) == 1
    assert "--require-hashes -r /build/requirements.lock" in installs[0]


def test_the_container_copies_what_is_there_and_let_through():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]
    assert ignored[0] == "*"
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    copied = set()
    for commands in stages().values():
        for name, rest in commands:
            if name == "COPY":
                match = re.fullmatch(r"(?:--from=(\w+) )?(.+) (\S+)", rest)
                if match[1]:
                    assert match[1] in stages()
                else:
                    copied |= set(match[2].split())
    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)


def test_the_container_writes_below_tmp_only():
    environment = dict(part.split("=", 1) for name, rest in stages()[""] if name == "ENV" for part in shlex.split(rest))
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert environment["PYTHONSAFEPATH"] == "1"
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        assert (environment[name] + "/").startswith("/tmp/")


def commands_of_the_container():
    """What it runs by itself, and every call in its comments."""
    last = dict(stages()[""])
    assert json.loads(last["ENTRYPOINT"]) == ["python", "-m", "controller"]
    yield json.loads(last["CMD"])
    comments = re.findall(r"^#\s+docker run (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(comments) == 3
    for comment in comments:
        words = shlex.split(comment)
        yield words[words.index("controller") + 1 :]


def test_the_container_calls_the_command_line_rightly():
    for words in commands_of_the_container():
        parsed(words)


def parsed(words):
    """Parse a command line without running it; raises what the user would be told."""
    with cli.make_context("controller", list(words)) as context:
        if context._protected_args or context.args:
            name, command, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
            with command.make_context(name, rest, parent=context):
                pass
