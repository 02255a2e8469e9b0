"""The README holds what it says: its commands exist, its spec is valid, its transcript is what one sees."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from controller.cli.main import cli
from controller.core.desired import desire
from controller.core.render import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PATIENCE = 60.0
PROGRESS = re.compile(r"^ +\d+\.\ds  .*\n", re.MULTILINE)


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def typed():
    """Every line that the README tells somebody to type."""
    for block in blocks("console"):
        yield from (line[2:] for line in block.splitlines() if line.startswith("$ "))


def commands():
    """Every command line of ours: typed ones, and those in the text, with what is optional and without."""
    for line in typed():
        words = shlex.split(line)
        names = [number for number, word in enumerate(words) if Path(word).name == "controller" and "-t" not in words]
        yield from (words[number + 1 :] for number in names)
    for quoted in re.findall(r"`controller ([^`]+)`", README):
        plain = quoted.replace("…", "")
        yield shlex.split(re.sub(r"\[[^\]]*\]", "", plain))
        yield shlex.split(re.sub(r"[\[\]]", "", plain))


def test_every_command_parses():
    found = list(commands())
    assert len(found) > 20
    for words in found:
        with cli.make_context("controller", list(words)) as context:
            rest = [*context._protected_args, *context.args]
            if rest:
                name, command, arguments = cli.resolve_command(context, rest)
                needs = any(one.required and isinstance(one, click.Argument) for one in command.params)
                command.make_context(name, arguments or (["x"] if needs else []), parent=context).close()


def test_every_verb_is_told():
    told = {words[0] for words in commands()}
    assert set(cli.list_commands(click.Context(cli))) - told <= {"demo"}
    assert "make demo" in README


def test_every_target_of_make_is_one():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`?make ([a-z-]+)`?", README)) - {"and", "have"}
    assert {"demo", "test", "help"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_every_file_is_there():
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    quoted = re.findall(r"`((?:deploy|docs|crds)/[^`]*)`", README)
    schemas = re.findall(r"\$schema=(\S+)", README)
    assert len(linked) >= 4
    for name in (*linked, *quoted, *schemas):
        assert (ROOT / name).exists(), name


def test_the_spec_is_valid():
    (text,) = blocks("yaml")
    found = desire({"bert.yaml": text.encode()}, Settings())
    assert found.diagnostics == ()
    assert [str(key) for key in found.rendered] == ["train/bert"]


def test_every_switch_of_reconcile_is_one():
    from controller.core.spec import Reconcile

    (sentence,) = re.findall(r"^`spec\.reconcile` has the switches: (.*?)\n\n", README, re.MULTILINE | re.DOTALL)
    told = {word.partition(":")[0] for word in re.findall(r"`([^`]+)`", sentence)}
    assert told <= {field.alias or name for name, field in Reconcile.model_fields.items()}
    assert len(told) >= 6


def test_the_exit_codes_are_those_of_the_command_line():
    from controller.core.pass_report import Exit

    (sentence,) = re.findall(r"Exit codes: (.*?)\.\n", README, re.DOTALL)
    assert {int(code) for code in re.findall(r"`(\d+)`", sentence)} == {int(one) for one in Exit}


# The transcript
# --------------------------------------------------------------------------------------------------------------------


def conversation(block):
    """(what is typed, what is shown) in the order of a block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        yield line, shown


def as_seen(shown):
    """A transcript's text as a pattern: `sha256:…` is any digest, a line `…` any lines."""
    pattern = re.escape(shown).replace("sha256:…", "sha256:[0-9a-f]{16}")
    return re.compile(re.sub(r"^…\\?\n", r"(?:.*\\n)*?", pattern, flags=re.MULTILINE))


def test_the_quick_start_shows_what_it_says(tmp_path, monkeypatch):
    """Typed into a shell, line by line, in the order of the README; only the port is another one."""
    serving, talking = [block for block in blocks("console") if "4599" in block]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    for name in os.environ:
        if name.startswith(("AWS_", "CONTROLLER_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, arguments in (("controller", " -m controller"), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{arguments} "$@"\n')
        (tools / name).chmod(0o755)
    here = {".venv/bin/controller": "controller", "$PWD/.venv/bin": str(tools), "4599": port}

    def typed_here(line):
        for name, other in here.items():
            line = line.replace(name, other)
        return line

    ((line, shown),) = conversation(serving)
    assert shown == ""
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    server = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {typed_here(line)}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with server:
        try:
            assert server.stdout.readline() == f"http://127.0.0.1:{port}\n"
            said = list(conversation(talking))
            mark = "--- next ---"
            script = "".join(f"{typed_here(line)} 2>&1\necho '{mark}' $?\n(exit $?)\n" for line, _ in said)
            script = script.replace(f"echo '{mark}' $?\n(exit $?)\n", f"code=$?; echo '{mark}'; (exit $code)\n")
            done = subprocess.run(
                ["/bin/sh"], input=script, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=ROOT
            )
        finally:
            server.terminate()
    assert done.stderr == ""
    answers = done.stdout.split(f"{mark}\n")
    assert len(answers) == len(said) + 1
    for (line, shown), answer in zip(said, answers, strict=False):
        assert as_seen(shown).fullmatch(answer), f"$ {line}\n{answer}"


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_documents_link_to_what_is_there(path):
    for name in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / name).exists(), name
