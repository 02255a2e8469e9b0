"""The YAML guard: whatever the bytes are, documents or findings come out, with places inside the file, and quickly."""

import pytest
import yaml as pyyaml
from hypothesis import example, given
from hypothesis import strategies as st

from controller.core.decoding import MOST_BYTES
from controller.core.diagnostics import LINE_BREAK, MOST_FINDINGS, Code, Span
from controller.core.nodes import Mapping, Node, Scalar, Sequence
from controller.core.yaml import MOST_DOCUMENTS, MOST_NODES, Written, again, read


def _keys(count: int) -> bytes:
    return b",".join(b"k%d: 1" % number for number in range(count))


BOMBS = {
    "flow lists": b"[" * 200_000,
    "flow mappings": b"{a: " * 100_000,
    "block lists": b"- " * 200_000,
    "complex keys": b"? " * 200_000,
    "explicit key in a list": b"- ? " * 100_000,
    "documents": b"---\na\n" * 100_000,
    "members": b"- a\n" * 250_000,
    "keys": b"".join(b"k%d: v\n" % number for number in range(90_000)),
    "flow members": b"[" + b"a," * 400_000 + b"]",
    "tag directives": b"".join(b"%%TAG !t%d! x\n" % number for number in range(55_000)) + b"---\na: 1\n",
    "anchors": b"- &a b\n" * 150_000,
    "tags": b"- !a b\n" * 150_000,
    "laughs": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)),
    "merged laughs": b"a0: &a0 {x0: 1, y0: 1}\n"
    + b"".join(b"a%d: &a%d {x%d: {<<: *a%d}, y%d: {<<: *a%d}}\n" % (n, n, n, n - 1, n, n - 1) for n in range(1, 40)),
    "one long line": b"a: " + b"x" * 1_000_000,
    "blank": b"\n" * 1_000_000,
    "escapes": b'"' + b"\\x41" * 250_000 + b'"',
    "too large": b"#" * (MOST_BYTES + 1),
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_costs_no_more_than_a_file_that_is_just_not_one(content, monkeypatch):
    """Work is counted, not timed: events that are looked at, and nodes that anybody can reach afterwards."""
    looked_at = 0

    def counted(*args, **kwargs):
        nonlocal looked_at
        for event in original(*args, **kwargs):
            looked_at += 1
            yield event

    original = pyyaml.parse
    monkeypatch.setattr(pyyaml, "parse", counted)
    stream = read("bomb.yaml", content)
    assert stream.documents or stream.diagnostics or not content.strip()
    assert looked_at <= 2 * MOST_NODES + 2 * MOST_DOCUMENTS + 2, "each collection begins and ends, each document too"
    assert sum(1 for document in stream.documents for _ in _all(document.root)) <= MOST_NODES
    assert len(stream.diagnostics) <= MOST_FINDINGS + 2


def _lists(count: int) -> bytes:
    return b"[" * count + b"]" * count


def _nested(count: int) -> bytes:
    return b"{a: " * count + b"x" + b"}" * count


BOUNDS = {
    "values of a list": (b"- a\n" * (MOST_NODES - 1), b"- a\n" * MOST_NODES, Code.TOO_MANY_NODES, "f.yaml:100000:3"),
    "values of a mapping": (
        b"".join(b"k%05d: v\n" % number for number in range(MOST_NODES // 2 - 1)) + b"---\nx",
        b"".join(b"k%05d: v\n" % number for number in range(MOST_NODES // 2)),
        Code.TOO_MANY_NODES,
        "f.yaml:50000:9",
    ),
    "values of many documents": (
        (b"---\n" + b"- a\n" * 999) * 100,
        (b"---\n" + b"- a\n" * 999) * 100 + b"---\na\n",
        Code.TOO_MANY_NODES,
        "f.yaml:100002:1",
    ),
    # The anchored list is 100 nodes, the outer mapping, its two keys and the second list are 4: 999 aliases more.
    "aliases at their full size": (
        b"a: &a [%s]\nb: [%s, %s]\n" % (b",".join([b"x"] * 99), b",".join([b"*a"] * 998), b",".join([b"x"] * 96)),
        b"a: &a [%s]\nb: [%s, %s]\n" % (b",".join([b"x"] * 99), b",".join([b"*a"] * 998), b",".join([b"x"] * 97)),
        Code.TOO_MANY_NODES,
        "f.yaml:2:3192",
    ),
    "aliases of a text": (
        b"- &a x\n- [%s]\n" % b",".join([b"*a"] * 99_997),
        b"- &a x\n- [%s]\n" % b",".join([b"*a"] * 99_998),
        Code.TOO_MANY_NODES,
        None,
    ),
    "a merge key at its full size": (
        b"a: &a {%s}\nb:\n%s" % (_keys(4999), b"- {<<: *a}\n" * 8 + b"- [%s]\n" % b",".join([b"x"] * 9988)),
        b"a: &a {%s}\nb:\n%s" % (_keys(4999), b"- {<<: *a}\n" * 8 + b"- [%s]\n" % b",".join([b"x"] * 9989)),
        Code.TOO_MANY_NODES,
        None,
    ),
    "levels of lists": (_lists(64), _lists(65), Code.TOO_DEEP, "f.yaml:1:65"),
    "levels of mappings": (_nested(64), _nested(65), Code.TOO_DEEP, f"f.yaml:1:{64 * 4 + 1}"),
    "levels of block lists": (b"- " * 64 + b"a", b"- " * 65 + b"a", Code.TOO_DEEP, "f.yaml:1:129"),
    "levels of block mappings": (
        b"".join(b" " * level + b"a:\n" for level in range(64)),
        b"".join(b" " * level + b"a:\n" for level in range(65)),
        Code.TOO_DEEP,
        "f.yaml:65:65",
    ),
    "levels of an alias": (
        b"- &a %s\n- %s*a%s" % (_lists(32), b"[" * 31, b"]" * 31),
        b"- &a %s\n- %s*a%s" % (_lists(32), b"[" * 32, b"]" * 32),
        Code.TOO_DEEP,
        "f.yaml:2:35",
    ),
    "levels of an alias that holds a text": (
        b"- &a %sx%s\n- %s*a%s" % (b"[" * 32, b"]" * 32, b"[" * 31, b"]" * 31),
        b"- &a %sx%s\n- %s*a%s" % (b"[" * 32, b"]" * 32, b"[" * 32, b"]" * 32),
        Code.TOO_DEEP,
        "f.yaml:2:35",
    ),
    "levels around an alias of a text": (
        b"- &a x\n- %s*a%s" % (b"[" * 63, b"]" * 63),
        b"- &a x\n- %s*a%s" % (b"[" * 64, b"]" * 64),
        Code.TOO_DEEP,
        "f.yaml:2:66",
    ),
    "levels of an alias of an alias": (
        b"- &a %s\n- &b %s*a%s\n- %s*b%s" % (_lists(21), b"[" * 21, b"]" * 21, b"[" * 21, b"]" * 21),
        b"- &a %s\n- &b %s*a%s\n- %s*b%s" % (_lists(21), b"[" * 21, b"]" * 21, b"[" * 22, b"]" * 22),
        Code.TOO_DEEP,
        "f.yaml:3:25",
    ),
    "documents": (b"---\na\n" * 1000, b"---\na\n" * 1001, Code.TOO_MANY_DOCUMENTS, "f.yaml:2001:1"),
    "empty documents": (b"---\n" * 1000, b"---\n" * 1001, Code.TOO_MANY_DOCUMENTS, "f.yaml:1001:1"),
}
"""What is just allowed, what is not any more, and where that is told."""


LIMITS = {
    Code.TOO_MANY_NODES: "more than 100000 values in one file, aliases counted as what they stand for",
    Code.TOO_DEEP: "nested deeper than 64 levels, aliases counted as what they stand for",
    Code.TOO_MANY_DOCUMENTS: "more than 1000 documents in one file",
}


@pytest.mark.parametrize(("within", "beyond", "code", "place"), BOUNDS.values(), ids=BOUNDS.keys())
def test_limits_are_exact(within, beyond, code, place):
    stream = read("f.yaml", within)
    assert (stream.whole, stream.diagnostics) == (True, ())
    stream = read("f.yaml", beyond)
    assert not stream.whole
    (found,) = stream.diagnostics
    assert (found.code, found.message) == (code, LIMITS[code])
    assert place is None or str(found.at) == place
    assert found.hint == "split the file, or write less of it with aliases"


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        (b"[" * 200_000, Code.TOO_DEEP, "f.yaml:1:65"),
        (b"- a\n" * 250_000, Code.TOO_MANY_NODES, "f.yaml:100000:3"),
        (b"---\na\n" * 1001, Code.TOO_MANY_DOCUMENTS, "f.yaml:2001:1"),
        (b"#" * (MOST_BYTES + 1), Code.FILE_TOO_LARGE, "f.yaml:1:1"),
        (BOMBS["laughs"], Code.TOO_MANY_NODES, "f.yaml:6:8"),
        (b"a: b\n\xc3\xa9: \xff\n", Code.NOT_UTF8, "f.yaml:2:4"),
        ("a: b\n".encode("utf-16"), Code.NOT_UTF8, "f.yaml:1:1"),
        (b"a: \xed\xa0\x80", Code.NOT_UTF8, "f.yaml:1:4"),
        ("é: \x00".encode(), Code.YAML_SYNTAX, "f.yaml:1:4"),
        ("é: \x1b[2J".encode(), Code.YAML_SYNTAX, "f.yaml:1:4"),
        ("# reviewers see a comment\u2028kind: hidden".encode(), Code.YAML_SYNTAX, "f.yaml:1:26"),
        (b'a: "\\ud800"', Code.YAML_SYNTAX, "f.yaml:1:7"),
        (b"a:\n\tb: c\n", Code.YAML_SYNTAX, "f.yaml:2:1"),
        (b"a: 'x\nb: c\n", Code.YAML_SYNTAX, "f.yaml:1:4"),
        (b"a: {b\nc: d\n", Code.YAML_SYNTAX, "f.yaml:1:4"),
        (b"a: [b\nc: d\n", Code.YAML_SYNTAX, "f.yaml:1:4"),
        (b"a: b: c\n", Code.YAML_SYNTAX, "f.yaml:1:5"),
        (b"a:\n- b\n-c\nd: e\n", Code.YAML_SYNTAX, "f.yaml:3:1"),
        (b"%YAML 2.0\n---\na: 1\n", Code.YAML_SYNTAX, "f.yaml:1:1"),
        (b"%FOO x\n---\na: 1\n", Code.YAML_SYNTAX, "f.yaml:1:5"),
    ],
)
def test_what_stops_a_file_is_named_where_it_stands(content, code, place):
    stream = read("f.yaml", content)
    assert not stream.whole
    assert (stream.diagnostics[-1].code, str(stream.diagnostics[-1].at)) == (code, place)


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("- &a [*a]\n", [(Code.RECURSIVE_ALIAS, 1, 7, 2)]),
        ("- *a\n", [(Code.YAML_SYNTAX, 1, 3, 2)]),
        ("&a x\n---\n[*a]\n", [(Code.YAML_SYNTAX, 3, 2, 2)]),
        (
            "a: !!str 1\nb: !mine {}\nc: !<x> [1]\n",
            [(Code.EXPLICIT_TAG, n, 4, length) for n, length in ((1, 7), (2, 7), (3, 6))],
        ),
        ("a: 1\nb: 2\na: 3\nb: 4\na: 5\n", [(Code.DUPLICATE_KEY, n, 1, 1) for n in (3, 4, 5)]),
        ('a: 1\n"a": 2\n', [(Code.DUPLICATE_KEY, 2, 1, 3)]),
        ("é: {𝄞𝄞: 1, 𝄞𝄞: 2}\n", [(Code.DUPLICATE_KEY, 1, 12, 2)]),
        ("? [a, b]\n: c\n", [(Code.BAD_KEY, 1, 3, 6)]),
        ("? {a: b}\n: c\n", [(Code.BAD_KEY, 1, 3, 6)]),
        ("?\n: c\n", [(Code.BAD_KEY, 1, 2, 1)]),
        ("<<: 1\n", [(Code.BAD_MERGE, 1, 5, 1)]),
        ("a: &a [1]\nb:\n  <<: *a\n", [(Code.BAD_MERGE, 1, 4, 6)]),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}\n", [(Code.DUPLICATE_KEY, 2, 13, 2)]),
    ],
)
def test_what_spoils_a_document_is_reported_whole_and_loses_nothing_else(text, findings):
    stream = read("f.yaml", f"{text}---\nsound: 1\n".encode())
    assert stream.whole
    assert [(one.code, one.at.line, one.at.column, one.at.length) for one in stream.diagnostics] == findings
    *_, spoilt, sound = stream.documents
    assert (spoilt.clean, sound.clean) == (False, True)


def test_documents_before_a_syntax_error_survive_it():
    for broken in (b"b: [\n", b"b: \x00\n", b"b: \xff\n", b"b: 'c\n", b"[" * 100):
        stream = read("f.yaml", b"a: 1\n---\na: 2\n---\n" + broken + b"---\nc: 1\n")
        assert [document.index for document in stream.documents] == [0, 1], broken
        assert not stream.whole


def test_empty_documents_are_counted_and_skipped():
    stream = read("f.yaml", b"# nothing\n---\n---\na: 1\n---\n# still nothing\n---\n~\n")
    assert [(document.index, stream.whole) for document in stream.documents] == [(1, True), (3, True)]
    assert read("f.yaml", b"") == read("f.yaml", b"# only a comment\n") == read("f.yaml", b"\xef\xbb\xbf\n")


def test_scalars_keep_their_text_and_how_they_were_written():
    text = """VER: 1.10
ON: no
0x1F: "null"
equals: =
sum: 1_000
hex: 'é𝄞'
block: |
  two
  lines
empty:
long: %s
""" % ("9" * 4301)
    root = _root(text)
    written = {entry.key.text: (entry.value.text, entry.value.plain) for entry in root.entries}
    assert written == {
        "VER": ("1.10", True),
        "ON": ("no", True),
        "0x1F": ("null", False),
        "equals": ("=", True),
        "sum": ("1_000", True),
        "hex": ("é𝄞", False),
        "block": ("two\nlines\n", False),
        "empty": ("", True),
        "long": ("9" * 4301, True),
    }
    value = root.get("hex")
    assert (value.span.line, value.span.column, value.span.length) == (6, 6, 4)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_those_of_an_editor(end):
    text = end.join(["# é𝄞 a comment", "a: 1", "é𝄞: [x, 𝄞]", ""])
    root = _root(text)
    key = root.key_span("é𝄞")
    last = root.get("é𝄞").items[1]
    assert (key.line, key.column, key.length) == (3, 1, 2)
    assert (last.span.line, last.span.column, last.span.length) == (3, 9, 1)


def test_a_byte_order_mark_is_no_column():
    assert str(_root("\ufeffab: 1").key_span("ab")) == "f.yaml:1:1"


def test_merge_keys_and_aliases_keep_the_place_of_what_was_written():
    root = _root("d: &d {x: 1, y: 2}\ne: &e {y: 3, z: 4}\nf:\n  <<: [*d, *e]\n  x: 0\n'<<': plain key\n")
    merged = root.get("f")
    assert {entry.key.text: (entry.value.text, entry.value.span.line) for entry in merged.entries} == {
        "x": ("0", 5),
        "y": ("2", 1),
        "z": ("4", 2),
    }
    assert root.get("<<").text == "plain key"
    again = _root("a: &a key\n? *a\n: 1\nb: *a\n")
    assert again.key_span("key").line == 2
    assert again.get("b").span.line == 1


def test_an_anchor_may_be_given_again():
    assert [item.text for item in _root("&a [&a x, *a]").items] == ["x", "x"]


def test_aliases_count_as_what_they_stand_for():
    just_enough = b"a: &a [%s]\nb: [%s]\n" % (b",".join([b"x"] * 999), b",".join([b"*a"] * 98))
    assert read("f.yaml", just_enough).whole
    assert not read("f.yaml", just_enough.replace(b"b: [", b"b: [*a,*a,")).whole
    assert 1000 * 98 < MOST_NODES < 1000 * 101


YAMLISH = st.lists(
    st.sampled_from(
        [
            *"ab:-?[]{}&*!|>'\"%@`,#~<= \t\n\r0.\\x",
            *("\u2028", "\x85", "é", "𝄞", "\ufeff", "\x00", "---\n", "<<: ", "...\n", "\n--- ", "%TAG !t! x\n", "|+\n"),
        ]
    ),
    max_size=60,
)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode), YAMLISH.map("".join).map(str.encode)))
@example(b"a: =")
@example(b"? ? ? a")
@example(b"a: \xed\xa0\x80")
@example(b"%YAML 1.1\n%YAML 1.1\n---\n")
@example("\ufeff\ufeffa: *b".encode())
def test_any_bytes_give_documents_or_findings_inside_the_file(content):
    stream = read("f.yaml", content)
    assert stream.whole or stream.diagnostics
    assert read("f.yaml", content) == stream
    for finding in stream.diagnostics:
        _inside(finding.at, content)
    for document in stream.documents:
        for node in _all(document.root):
            _inside(node.span, content)


DOCUMENTS = st.lists(
    st.sampled_from([
        "a: 1\n", "  a: 1\n  b: {c: é𝄞}\n", "a:\n", "a: |+\n  x\n\n\n", "a: >-\n  x\n\n", "a: &x [1, 2]\nb: *x\n",
        "- a\n-\n", "a: &x {b: 1}\nc: {<<: *x}\n", '"a\\u0085": "x\n\n y"\n', "\t{a: 1,\r\n b: [2]}\r\n", "a\n b\n",
        "? a\n: b\n", "# c\n", "", "a: 1\r", "a: *gone\n",
    ]),
    min_size=1,
    max_size=5,
)  # fmt: skip
BETWEEN = st.sampled_from(
    ["---\n", "--- # c\n", "...\n", "...\n# c\n---\n", "...\n%YAML 1.1\n%TAG !t! x\n--- ", "--- ", "... "]
)


@given(DOCUMENTS, st.lists(BETWEEN, min_size=5, max_size=5), st.booleans())
@example(["a\n", "b\n"], ["", "... ", "", "", ""], False)
def test_a_document_is_read_again_from_its_own_text_place_for_place(documents, between, mark):
    content = ("\ufeff" * mark + "".join(f"{a}{b}" for a, b in zip(between, documents, strict=False))).encode()
    for document in read("f.yaml", content).documents:
        assert again(document.written) == document.root


@given(YAMLISH.map("".join).map(str.encode))
def test_whatever_a_document_is_it_is_read_again(content):
    for document in read("f.yaml", content).documents:
        assert again(document.written) == document.root


def test_the_text_of_a_document_is_its_own_lines_and_nothing_of_its_neighbours():
    first, second = read("f.yaml", b"# head\na: 1\n---\n# of b\nb: 2\n...\n# tail\n").documents
    assert first.written == Written("f.yaml", 1, b"a: 1\n")
    assert second.written == Written("f.yaml", 2, b"---\n# of b\nb: 2\n...")


def test_no_text_is_an_empty_mapping():
    assert again(Written("f.yaml", 7)) == Mapping((), Span("f.yaml", 8, 1))


def _inside(span, content):
    lines = LINE_BREAK.split(content.decode("utf-8", errors="replace").removeprefix("\ufeff"))
    assert 1 <= span.line <= len(lines)
    assert 1 <= span.column <= len(lines[span.line - 1]) + 1
    assert span.length >= 1


def _all(node: Node):
    yield node
    match node:
        case Mapping(entries):
            for entry in entries:
                yield entry.key
                yield from _all(entry.value)
        case Sequence(items):
            for item in items:
                yield from _all(item)
        case Scalar():
            pass


def _root(text):
    stream = read("f.yaml", text.encode())
    assert not stream.diagnostics
    (document,) = stream.documents
    return document.root
