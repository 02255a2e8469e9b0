"""Every sort of bad input: its code, the place it points to, its words and its advice.

The cases stand in `tests/data/bad_specs`, as a user would write them, each finding below the line that it is about.
"""

import itertools
import re
import textwrap
from pathlib import Path

import pytest

from controller.core.diagnostics import Severity
from controller.core.parse import parse
from tests.core.marked import place, spec, unmarked

CLUSTER = "cluster: c\n"
TASK = "taskDefinition: {containerDefinitions: [{name: a, image: b}]}\n"

AROUND = {
    "documents": lambda text: text,
    "members_of_ours": lambda text: spec(("" if text.lstrip("⟦").startswith("cluster") else CLUSTER) + TASK + text),
    "task_definitions": lambda text: spec(f"{CLUSTER}taskDefinition:\n{textwrap.indent(text, '  ')}"),
    "services": lambda text: spec(f"{CLUSTER}{TASK}service: {text}"),
    "contradictions": lambda text: spec(f"{CLUSTER}{TASK}{text}"),
    "yaml": lambda text: spec(text if "taskDefinition" in text else text + TASK),
}
"""File of cases → the document around what it spells out."""

_NOTE = re.compile(r"(?P<again>!?)! (?P<code>[a-z0-9-]+): (?P<message>.+?)(?: -- (?P<hint>.+))?")


def cases():
    for name, around in AROUND.items():
        text = (Path(__file__).parents[1] / "data" / "bad_specs" / f"{name}.txt").read_text(encoding="utf-8")
        for case in text.split("\n=== ")[1:]:
            title, _, body = case.partition("\n")
            yield pytest.param(around, body.strip("\n").split("\n"), id=f"{name}: {title}")


CASES = list(cases())


@pytest.mark.parametrize(("around", "lines"), CASES)
def test_bad_input_is_told_where_it_stands(around, lines):
    notes = [_NOTE.fullmatch(line) for line in lines if line.startswith("!")]
    text = "".join(f"{line}\n" for line in lines if not line.startswith("!"))
    plain, places = unmarked(around(text))
    parsed = parse({"f.yaml": plain.encode()})
    told = [(str(one.code), one.message, one.hint) for one in parsed.diagnostics]
    assert told == [(note["code"], note["message"], note["hint"]) for note in notes]
    pointed = [place(one) for one in parsed.diagnostics]
    assert [at for at, note in zip(pointed, notes, strict=True) if not note["again"]] == places
    assert all(
        before == at for (before, at), note in zip(itertools.pairwise(pointed), notes[1:], strict=True) if note["again"]
    )
    assert {(one.at.file, one.severity) for one in parsed.diagnostics} == {("f.yaml", Severity.ERROR)}
    assert parsed.workloads == ()


def test_there_are_cases_for_every_code_that_parsing_one_document_gives():
    told = {note for param in CASES for line in param.values[1] for note in re.findall(r"^!!? ([a-z0-9-]+):", line)}
    assert told == {
        *("unknown-kind", "unknown-field", "wrong-type", "missing-field", "bad-enum", "bad-value", "out-of-range"),
        *(
            "contradiction",
            "duplicate-item",
            "duplicate-key",
            "explicit-tag",
            "recursive-alias",
            "bad-merge",
            "bad-key",
            "yaml-syntax",
        ),
    }
