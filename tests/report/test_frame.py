"""Code frames, drawn: the lines, the caret under the right characters, and nothing that may not be shown."""

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.diagnostics import LINE_BREAK, Code, Diagnostic, Places, Severity, Span
from controller.report.frame import WIDEST, frames
from controller.report.text import columns
from tests.core.marked import unmarked


def draw(text: str, *, hint: str | None = "do better", message: str = "it is bad") -> str:
    """The frame of one finding at the mark of a text."""
    plain, ((line, column, length),) = unmarked(text)
    found = Diagnostic(Code.BAD_VALUE, message, Span("f.yaml", line, column, length), hint=hint)
    drawn = frames([found], {"f.yaml": plain.encode()})
    head, rest = drawn.split("\n", 1)
    assert head == f"error[bad-value] {message}"
    return rest


def golden(text: str) -> str:
    """The lines below the head; each of them begins with a space."""
    return textwrap.indent(textwrap.dedent(text).lstrip("\n"), " ")


def test_two_lines_before_and_the_one_that_it_is_about():
    assert draw("a: 1\nb: 2\nc: 3\nd: ⟦four⟧ # comment\ne: 5\n") == golden(
        """
          --> f.yaml:4:4
         2 | b: 2
         3 | c: 3
         4 | d: four # comment
           |    ^^^^ do better
        """
    )


def test_the_first_line_has_none_before_it():
    assert draw("⟦a⟧: 1\n") == golden(
        """
          --> f.yaml:1:1
         1 | a: 1
           | ^ do better
        """
    )


def test_without_a_hint_there_is_only_the_caret():
    assert draw("⟦a⟧: 1", hint=None).endswith(" 1 | a: 1\n   | ^\n")


def test_line_numbers_are_as_wide_as_the_widest():
    lines = "".join(f"l{number}:\n" for number in range(1, 100))
    assert draw(f"{lines}⟦x⟧:\n") == golden(
        """
          --> f.yaml:100:1
          98 | l98:
          99 | l99:
         100 | x:
             | ^ do better
        """
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_those_of_an_editor(end):
    assert draw(f"a: 1{end}{end}b: ⟦two⟧{end}") == golden(
        """
          --> f.yaml:3:4
         1 | a: 1
         2 |
         3 | b: two
           |    ^^^ do better
        """
    )


def test_a_byte_order_mark_is_not_shown():
    found = Diagnostic(Code.BAD_VALUE, "x", Span("f", 1, 1))
    assert frames([found], {"f": b"\xef\xbb\xbfa: 1"}).endswith(" 1 | a: 1\n   | ^\n")


def test_wide_characters_take_two_columns_and_marks_none():
    assert draw("名前: e\u0301 ⟦日本⟧ x\n") == golden(
        f"""
          --> f.yaml:1:8
         1 | 名前: e\u0301 日本 x
           | {" " * 8}^^^^ do better
        """
    )


def test_a_tab_takes_four_columns():
    assert draw("a:\tb\t⟦c\td⟧\n") == golden(
        f"""
          --> f.yaml:1:6
         1 | a:    b    c    d
           | {" " * 11}^^^^^^ do better
        """
    )


def test_what_cannot_be_printed_is_spelled_out():
    assert draw("\x1b[2J \u202e\u200b⟦\x00⟧\x85\u2028é") == golden(
        f"""
          --> f.yaml:1:8
         1 | \\x1b[2J \\u202e\\u200b\\x00\\x85\\u2028é
           | {" " * 20}^^^^ do better
        """
    )


def test_bytes_that_are_no_text_are_shown_as_such():
    found = Diagnostic(Code.NOT_UTF8, "byte 0xff is not UTF-8", Span("f", 1, 4))
    assert frames([found], {"f": b"a: \xff\n"}).endswith(" 1 | a: \ufffd\n   |    ^\n")


@pytest.mark.parametrize("text", ["a: [b⟦⟧\n", "a: [b⟦⟧", "a: [b⟦⟧   \nc: d"])
def test_a_caret_can_stand_at_the_end_of_a_line(text):
    assert draw(text) == golden(
        """
          --> f.yaml:1:6
         1 | a: [b
           |      ^ do better
        """
    )


def test_a_caret_can_stand_after_the_last_line():
    assert draw("a: [b\n⟦⟧") == golden(
        """
          --> f.yaml:2:1
         1 | a: [b
         2 |
           | ^ do better
        """
    )


def test_what_spans_lines_is_underlined_to_the_end_of_its_first():
    assert draw("a: ⟦[b,\n  c]⟧\n") == golden(
        """
          --> f.yaml:1:4
         1 | a: [b,
           |    ^^^ do better
        """
    )


def test_a_long_line_is_cut_around_the_caret():
    drawn = draw(f"{'b' * 300}\nkey: {'x' * 200}⟦here⟧{'y' * 200}\n").split("\n")
    assert drawn[1] == f" 1 | {'b' * 100}…"
    assert drawn[2] == f" 2 | …{'x' * 50}here{'y' * 46}…"
    assert drawn[3] == f"   | {' ' * 51}^^^^ do better"


def test_a_long_line_is_not_cut_before_a_caret_near_its_beginning():
    drawn = draw(f"{'x' * 73}: ⟦y⟧{'z' * 200}\n").split("\n")
    assert drawn[1] == f" 1 | {'x' * 73}: y{'z' * 24}…"
    assert drawn[2] == f"   | {' ' * 75}^ do better"
    drawn = draw(f"{'x' * 74}: ⟦y⟧{'z' * 20}\n").split("\n")
    assert drawn[1] == f" 1 | …{'x' * 48}: y{'z' * 20}"
    assert drawn[2] == f"   | {' ' * 51}^ do better"


def test_a_long_finding_is_underlined_as_far_as_it_is_shown():
    drawn = draw(f"a: ⟦{'x' * 500}⟧\n").split("\n")
    assert drawn[1] == f" 1 | a: {'x' * 97}…"
    assert drawn[2] == f"   |    {'^' * 97} do better"


def test_a_line_of_just_the_widest_is_whole():
    assert f" 1 | a: {'x' * (WIDEST - 3)}\n" in draw(f"⟦a⟧: {'x' * (WIDEST - 3)}\n")


def test_secrets_are_masked_and_the_caret_follows():
    assert draw("a: {HF_TOKEN: hunter2}\nb: {DB_PASSWORD: hunter2hunter2, ⟦LR⟧: 1}\n") == golden(
        f"""
          --> f.yaml:2:34
         1 | a: {{HF_TOKEN: ••••}}
         2 | b: {{DB_PASSWORD: ••••, LR: 1}}
           | {" " * 23}^^ do better
        """
    )
    assert draw("HF_TOKEN: ⟦[hunter2]⟧\n").endswith(" 1 | HF_TOKEN: [••••]\n   |           ^^^^^^ do better\n")
    assert draw("HF_TOKEN: hun⟦t⟧er2\n").endswith(" 1 | HF_TOKEN: ••••\n   |           ^^^^ do better\n")


def test_a_secret_of_many_lines_is_masked_in_each():
    assert draw("HF_TOKEN: |\n  hunter2\n\n  hunter2\nb: ⟦x⟧\n") == golden(
        """
          --> f.yaml:5:4
         3 |
         4 | ••••
         5 | b: x
           |    ^ do better
        """
    )


def test_colour_is_only_around_the_head():
    text = "a: 1\nb: 2\n"
    found = [
        Diagnostic(Code.BAD_VALUE, "m", Span("f", 1, 1)),
        Diagnostic(Code.POLICY, "n", Span("f", 2, 1), severity=Severity.WARNING),
    ]
    plain, coloured = frames(found, {"f": text.encode()}), frames(found, {"f": text.encode()}, colour=True)
    assert coloured == plain.replace("error[bad-value]", "\x1b[31;1merror[bad-value]\x1b[0m").replace(
        "warning[policy]", "\x1b[33;1mwarning[policy]\x1b[0m"
    )


def test_frames_are_separated_by_blank_lines_and_nothing_is_nothing():
    found = [Diagnostic(Code.BAD_VALUE, "m", Span("f", line, 1)) for line in (1, 2)]
    assert frames(found, {"f": b"a:\nb:\n"}) == (
        "error[bad-value] m\n  --> f:1:1\n 1 | a:\n   | ^\n\n"
        "error[bad-value] m\n  --> f:2:1\n 1 | a:\n 2 | b:\n   | ^\n"
    )
    assert frames([], {}) == ""


@pytest.mark.parametrize("line", [0, 3])
def test_a_place_that_the_file_does_not_have_is_told_without_lines(line):
    """A finding of an earlier revision, or about the file as a whole."""
    found = Diagnostic(Code.UNREADABLE_FILE, "m", Span("f", line, 1), hint="do better")
    assert frames([found], {"f": b"a\nb"}) == f"error[unreadable-file] m\n  --> f:{line}:1\n   = do better\n"


@pytest.mark.parametrize("hint", [None, "do better"])
def test_a_file_that_cannot_be_shown_is_named(hint):
    found = Diagnostic(Code.UNREADABLE_FILE, "cannot be read", Span("gone.yaml", 1, 1), hint=hint)
    more = "   = do better\n" if hint else ""
    assert frames([found], {}) == f"error[unreadable-file] cannot be read\n  --> gone.yaml:1:1\n{more}"


def test_messages_hints_and_names_of_files_cannot_command_a_terminal():
    found = Diagnostic(Code.BAD_VALUE, "a\x1b[2J\nb", Span("f\n\x07.yaml", 1, 1), hint="c\rd")
    assert frames([found], {}) == "error[bad-value] a\\x1b[2J\\nb\n  --> f\\n\\x07.yaml:1:1\n   = c\\rd\n"


def test_a_file_is_looked_at_once_however_much_is_wrong_with_it(monkeypatch):
    looked = []
    original = __import__("controller.report.frame", fromlist=["secret_ranges"]).secret_ranges
    monkeypatch.setattr("controller.report.frame.secret_ranges", lambda content: looked.append(1) or original(content))
    found = [Diagnostic(Code.BAD_VALUE, "m", Span("f", 1, 1))] * 50
    assert frames(found, {"f": b"a: 1", "g": b"b"}).count("-->") == 50
    assert looked == [1]


PIECES = [*"ab: \t\r\n'\"{}[]-\x00\x1b\u202e", "é", "名", "\u0301", "𝄞", "TOKEN: x", "a: "]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    st.integers(0, 60),
    st.integers(0, 30),
)
def test_a_caret_stands_under_what_it_is_about(text, start, length):
    """Whatever the line holds: what stands above the caret is what the place says, as far as it is shown."""
    text = text.removeprefix("\ufeff")
    places = Places("f", text)
    span = places.between(start, start + length)
    drawn = frames([Diagnostic(Code.BAD_VALUE, "m", span)], {"f": text.encode()}).split("\n")
    assert all(line.isprintable() for line in drawn)
    line, caret = drawn[-3], drawn[-2]
    gutter = line.index("|") + 2
    before, under = caret[gutter:].count(" "), caret.count("^")
    assert caret[gutter:] == " " * before + "^" * under
    assert under >= 1
    source = LINE_BREAK.split(text)[span.line - 1]
    if line[gutter:] == source:
        begin = span.column - 1
        assert before == columns(source[:begin])
        assert under == max(columns(source[begin : begin + span.length]), 1)
