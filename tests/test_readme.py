"""The README holds what it says: its commands exist, its spec is valid. What it prints is tested with all pages, in
`tests/docs`."""

import re
import shlex
from pathlib import Path

import click
import pytest

from controller.cli.main import cli
from controller.core.desired import desire
from controller.core.render import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def typed():
    """Every line that the README tells somebody to type."""
    for block in blocks("console"):
        yield from (line[2:] for line in block.splitlines() if line.startswith("$ "))


def commands():
    """Every command line of ours: typed ones, and those in the text, with what is optional and without."""
    for line in typed():
        words = shlex.split(line.removesuffix(" &"))
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


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_documents_link_to_what_is_there(path):
    for name in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / name).exists(), name
