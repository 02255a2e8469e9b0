"""Laws of parsing: a mistake is found where it stands, whatever the bytes are, and no secret is told on the way."""

import json
import re
from pathlib import Path
from typing import get_args, get_origin

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from controller.core.diagnostics import LINE_BREAK, Code, Diagnostic, Span
from controller.core.nodes import Mapping, Scalar, Sequence
from controller.core.parse import parse
from controller.core.spec import DL1Service
from controller.core.yaml import read
from controller.report.frame import frames
from tests.core.marked import place

HEAD = "apiVersion: dl1.ecs/v1alpha1\nkind: DL1Service\n"
EVERYTHING = (Path(__file__).parents[1] / "data" / "specs" / "everything.yaml").read_text(encoding="utf-8")
EXAMPLES = sorted((Path(__file__).parents[2] / "deploy" / "examples").glob("*.yaml"))


def texts_of(node, path=()):
    """Every scalar of a document with its path, and every key of its structures."""
    match node:
        case Mapping(entries):
            for entry in entries:
                yield (*path, entry.key.text), entry.key, True
                yield from texts_of(entry.value, (*path, entry.key.text))
        case Sequence(items):
            for index, item in enumerate(items):
                yield from texts_of(item, (*path, index))
        case Scalar():
            yield path, node, False


def spliced(text: str, scalar: Scalar, new: str) -> str:
    lines = LINE_BREAK.split(text)
    at = sum(len(line) + 1 for line in lines[: scalar.span.line - 1]) + scalar.span.column - 1
    return text[:at] + new + text[at + scalar.span.length :].rstrip(" ")


def is_free(path) -> bool:
    """Whether a key is the user's own."""
    return (path[:2] == ("metadata", "labels") and len(path) == 3) or path[-2] in (
        "environment",
        "secrets",
        "options",
        "dockerLabels",
    )


SOURCES = {"everything": EVERYTHING} | {
    f"{file.stem} {document.index}": re.split(r"^---\n", file.read_text(), flags=re.MULTILINE)[document.index]
    for file in EXAMPLES
    for document in read("f", file.read_bytes()).documents
}


EXCLUDED = {("spec", "gaudi", "devices")}
"""Members that cannot stand beside another one that is there."""


def test_everything_has_every_member_of_ours():
    """So that the laws below are about every member; who adds one adds it there."""

    def members(model, path=()):
        for name, field in model.model_fields.items():
            here = (*path, field.alias or name)
            yield here
            inner = next((one for one in (field.annotation, *get_args(field.annotation)) if is_model(one)), None)
            if inner is not None:
                yield from members(inner, (*here, 0) if get_origin(field.annotation) is tuple else here)

    def is_model(one) -> bool:
        return isinstance(one, type) and issubclass(one, BaseModel)

    (document,) = read("f.yaml", EVERYTHING.encode()).documents
    written = {path for path, _, is_key in texts_of(document.root) if is_key}
    assert set(members(DL1Service)) - EXCLUDED <= written


@pytest.mark.parametrize("text", SOURCES.values(), ids=SOURCES.keys())
def test_a_misspelt_key_anywhere_is_found_exactly_there(text):
    assert parse({"f.yaml": text.encode()}).diagnostics == ()
    (document,) = read("f.yaml", text.encode()).documents
    tried = 0
    for path, key, is_key in texts_of(document.root):
        if not is_key or len(path) == 1 or is_free(path):
            continue
        tried += 1
        wrong = f"{key.text}Zz"
        found = parse({"f.yaml": spliced(text, key, wrong).encode()}).diagnostics
        unknown = [one for one in found if one.code is Code.UNKNOWN_FIELD]
        assert [place(one) for one in unknown] == [(key.span.line, key.span.column, len(wrong))], path
        if len(key.text) > 3:
            assert unknown[0].hint == f"did you mean `{key.text}`?", path
        assert {one.code for one in found} <= {Code.UNKNOWN_FIELD, Code.MISSING_FIELD}, path
    assert tried > 5


@pytest.mark.parametrize("text", SOURCES.values(), ids=SOURCES.keys())
def test_a_value_of_the_wrong_type_anywhere_is_found_exactly_there(text):
    (document,) = read("f.yaml", text.encode()).documents
    for path, scalar, is_key in texts_of(document.root):
        if is_key or (scalar.text and text.split("\n")[scalar.span.line - 1][scalar.span.column - 1] in "|>"):
            continue
        found = parse({"f.yaml": spliced(text, scalar, "[[]]").encode()}).diagnostics
        at = {place(one) for one in found if one.code in (Code.WRONG_TYPE, Code.BAD_ENUM, Code.MISSING_FIELD)}
        assert at == {(scalar.span.line, scalar.span.column, 4)}, path


SECRET = "s3cr3tpl4nt"
TELLING = re.compile(rf"{SECRET}|TOKEN|PASSWORD|SECRET|PEM|&t|\*t|value", re.IGNORECASE)
QUIET = [number for number, line in enumerate(EVERYTHING.split("\n")) if not TELLING.search(line)]
"""Lines that neither hold a planted secret nor tell that one is near: where they are torn, it must stay hidden."""

tears = st.lists(
    st.tuples(
        st.sampled_from(QUIET),
        st.integers(0, 80),
        st.sampled_from(
            [
                *"\"'[]{}:#&*!|>%@`,-?\t\x00\x85",
                ": ",
                "- ",
                "\n",
                "\n---\n",
                "\n\t",
                "\r",
                "  ",
                "<<: *base\n",
                "*base",
                "!!str ",
                "é",
                "\ufeff",
                "\u202e",
            ]
        ),
    ),
    max_size=4,
)


def torn(insertions, end: int | None) -> bytes:
    """The spec with junk in its lines, and cut off before the line `end`."""
    lines = EVERYTHING.split("\n")
    for number, at, junk in insertions:
        lines[number] = lines[number][:at] + junk + lines[number][at:]
    return "\n".join(lines[:end]).encode()


@settings(max_examples=100, deadline=None)
@given(tears, st.one_of(st.none(), st.sampled_from(QUIET)))
def test_a_torn_spec_is_told_inside_the_file_and_never_with_a_secret(insertions, end):
    content = torn(insertions, end)
    parsed = parse({"f.yaml": content})
    lines = LINE_BREAK.split(content.decode(errors="replace").removeprefix("\ufeff"))
    for found in parsed.diagnostics:
        assert 1 <= found.at.line <= len(lines)
        assert 1 <= found.at.column <= len(lines[found.at.line - 1]) + 1
        assert SECRET not in found.message + (found.hint or "")
    anywhere = [Diagnostic(Code.POLICY, "", Span("f.yaml", number, 1)) for number in range(1, len(lines) + 1)]
    assert SECRET not in frames([*parsed.diagnostics, *anywhere], {"f.yaml": content})


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@example(HEAD.encode() + b"metadata: {name: ['\\ud800']}\nspec: &a {<<: *a}")
@example(HEAD.encode() + b"metadata: {name: 1e999}\nspec: {replicas: .inf}")
@example(HEAD.encode() + b'"\\0": "\\0"\nmetadata: {labels: {"\\u202e": "\\x1b"}}')
def test_any_bytes_give_workloads_or_findings(content):
    parsed = parse({"f.yaml": content})
    assert not parsed.workloads
    drawn = frames(parsed.diagnostics, {"f.yaml": content})
    assert all(line.isprintable() for line in drawn.split("\n"))


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
        max_leaves=8,
    ),
    st.sampled_from([path for path, _, _ in texts_of(read("f", EVERYTHING.encode()).documents[0].root)]),
)
def test_any_value_anywhere_is_read_or_refused(value, path):
    """JSON is YAML: whatever stands in a place, there are findings or a workload, and never an exception."""
    document = json.loads(json.dumps(plain(read("f", EVERYTHING.encode()).documents[0].root)))
    *parents, last = path
    at = document
    for part in parents:
        at = at[part]
    at[last] = value
    content = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    parsed = parse({"f.yaml": content})
    assert len(parsed.workloads) == (0 if any(one.is_error for one in parsed.diagnostics) else 1)


def plain(node):
    match node:
        case Mapping(entries):
            return {entry.key.text: plain(entry.value) for entry in entries}
        case Sequence(items):
            return [plain(item) for item in items]
        case Scalar(text=text, plain=True) if text in ("true", "false"):
            return text == "true"
        case Scalar(text=text, plain=True) if re.fullmatch(r"-?[0-9]+", text):
            return int(text)
        case Scalar(text=text):
            return text
