"""Command lines that mean nothing: exit 64, one sentence that says what was meant, where help is; nothing on stdout."""

from pathlib import Path

import click
import pytest

from controller.cli.main import VERBS, cli
from tests.cli.conftest import process

USAGE = 64


def refused(outcome, sentence, verb=""):
    assert outcome.code == USAGE
    assert outcome.out == ""
    assert outcome.err == f"error: {sentence}\nhelp:  controller{f' {verb}' if verb else ''} --help\n"


@pytest.mark.parametrize(
    ("arguments", "sentence", "verb"),
    [
        ("valdiate x", "`valdiate` is no command; did you mean validate?", ""),
        ("snadbox", "`snadbox` is no command; did you mean sandbox?", ""),
        ("version", "`version` is no command; did you mean --version?", ""),
        ("once", "`once` is no command; did you mean --once?", ""),
        ("specs/", "`specs/` is no command; a source is given with -s specs/", ""),
        ("--once bert.yaml", "`bert.yaml` is no command; a source is given with -s bert.yaml", ""),
        ("--aply", "--aply is no flag of `controller`; did you mean --apply?", ""),
        ("--once --zzz", "--zzz is no flag of `controller`", ""),
        ("validate --otput json x", "--otput is no flag of `controller validate`; did you mean --output?", "validate"),
        ("run --apply", "--apply goes with `controller --once`, not with `controller run`", "run"),
        ("run --aply", "--aply is no flag of `controller run`; did you mean --apply?", "run"),
        ("run --once", "--once goes with `controller`, not with `controller run`", "run"),
        ("validate --apply x", "--apply goes with `controller --once`, not with `controller validate`", "validate"),
        ("-s x run", "put --source after `run`", ""),
        ("--owner x validate y", "put --owner after `validate`", ""),
        ("--once validate x", "`validate` has no --once", ""),
        ("--wait run", "`run` has no --wait; it goes with `controller --once`", ""),
        ("-o json validate x", "put --output after `validate`", ""),
        ("--region r sandbox", "`sandbox` has no --region", ""),
        ("--apply", "--apply goes with --once", ""),
        ("--wait", "--wait goes with --once", ""),
        ("-l team=nlp", "--selector goes with --once", ""),
        ("--once --timeout soon", "invalid value for '--timeout': 'soon' is not a valid float", ""),
        (
            "--once -o yaml",
            (
                "invalid value for '-o' / '--output': "
                "'yaml' is not one of 'table', 'json', 'github', 'markdown', 'sarif', 'junit'"
            ),
            "",
        ),
        ("--once -s", "option '-s' requires an argument", ""),
        ("sandbox --port 70000", "invalid value for '--port': 70000 is not in the range 0<=x<=65535", "sandbox"),
        ("validate", "`controller validate` needs PATHS...", "validate"),
        ("render", "`controller render` needs PATHS...", "render"),
        ("demo x", "got unexpected extra argument (x)", "demo"),
        ("--once --region\x1b[2J", "--region\\x1b[2J is no flag of `controller`; did you mean --region?", ""),
    ],
)
def test_what_was_meant(controller, arguments, sentence, verb):
    refused(controller(*arguments.split(" ")), sentence, verb)


def test_a_word_that_means_nothing_gets_the_list(controller):
    refused(controller("frobnicate"), f"`frobnicate` is no command; there are {', '.join(VERBS)}")


def test_a_word_that_is_a_path_is_a_source(controller):
    Path("prod").mkdir()
    refused(controller("prod"), "`prod` is no command; a source is given with -s prod")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--once", "--wait"), "--wait goes with --apply"),
        (("--once", "-l", "nlp"), "-l nlp: `nlp` is no label; write -l team=nlp,tier!=dev"),
        (("--once", "-l", "=nlp"), "-l =nlp: `=nlp` is no label; write -l team=nlp,tier!=dev"),
        (("--once", "-l", "a=b,,c=d"), "-l a=b,,c=d: `` is no label; write -l team=nlp,tier!=dev"),
        (("--once", "--owner", "a b"), "--owner is `a b`: it may hold letters, digits, `_`, `.` and `-` only"),
        (
            ("--once", "--config", "x.yaml"),
            "configuration x.yaml cannot be read: No such file or directory; check --config",
        ),
        (("run", "--workers", "0"), "--workers is 0: it must be at least 1"),
        (("run", "--resync", "0"), "--resync is 0.0: it must be at least 0.1"),
        (("validate", "--port-base", "80", "x"), "--port-base is 80: it must be at least 1024"),
        (("schema", "--write", "a", "--check", "b"), "--write and --check exclude each other"),
    ],
)
def test_values_that_mean_nothing(controller, arguments, sentence):
    outcome = controller(*arguments)
    assert (outcome.code, outcome.out, outcome.err) == (USAGE, "", f"error: {sentence}\n")


@pytest.mark.parametrize("verb", [("--once",), ("run",), ("validate", "x"), ("render", "x")])
def test_variables_and_files_that_mean_nothing(controller, empty_world, verb):
    empty_world.setenv("CONTROLLER_OWNER", "a b")
    Path("controller.yaml").write_text("workers: 0\nownr: x\n")
    outcome = controller(*verb)
    assert outcome.code == USAGE
    for part in (
        "CONTROLLER_OWNER is `a b`",
        "controller.yaml:1:1: workers is `0`: it must be at least 1",
        "controller.yaml:2:1: `ownr` is no setting; did you mean `owner`?",
    ):
        assert part in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_variable_that_is_nearly_a_setting_is_told(controller, empty_world, specs):
    empty_world.setenv("CONTROLLER_WORKRES", "3")
    outcome = controller("validate", specs)
    assert outcome.code == 0
    assert "note: CONTROLLER_WORKRES is no setting; did you mean CONTROLLER_WORKERS?\n" in outcome.err


# Help
# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("help",)])
def test_help_of_the_root(controller, arguments):
    outcome = controller(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    for title in ("Options:", "With --once:", "With --once and the daemon:", "Commands:"):
        assert f"\n{title}\n" in outcome.out
    for verb, does in VERBS.items():
        assert f"  {verb} " in outcome.out
        assert does in outcome.out
    for code in ("0 in sync", "1 runtime", "2 drift", "3 invalid", "4 applied", "64 usage"):
        assert code in outcome.out
    flags = {flag for one in cli.params for flag in one.opts}
    assert all(flag in outcome.out for flag in flags)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_there_and_has_help(controller, verb):
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    assert command.name == verb
    outcome = controller(verb, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: controller {verb} ")
    assert controller("help", verb) == outcome
    assert controller(verb, "-h") == outcome


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_fits_a_terminal(controller, verb):
    outcome = controller(*verb.split(), "--help")
    assert max(len(line) for line in outcome.out.splitlines()) <= 80


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_every_flag_has_help(verb):
    command = cli.get_command(click.Context(cli), verb) if verb else cli
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert all(one.help for one in options)


def test_version(controller):
    outcome = controller("--version")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("controller ")


def test_the_same_as_a_process():
    refused(process("valdiate"), "`valdiate` is no command; did you mean validate?")
    assert process("--version").out.startswith("controller ")
