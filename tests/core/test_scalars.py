"""What a scalar is: YAML 1.2's core rules, and what to do about what is nearly one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core import scalars
from controller.core.diagnostics import Span
from controller.core.nodes import Entry, Mapping, Scalar, Sequence

AT = Span("f", 1, 1)


def plain(text: str) -> Scalar:
    return Scalar(text, plain=True, span=AT)


def quoted(text: str) -> Scalar:
    return Scalar(text, plain=False, span=AT)


VALUES = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "0": 0,
    "-0": 0,
    "+12": 12,
    "-3": -3,
    "007": 7,
    "0o17": 15,
    "0x1F": 31,
    "0xff": 255,
    "9" * 20: int("9" * 20),
    "1.": 1.0,
    "1.5": 1.5,
    ".5": 0.5,
    "-.5e1": -5.0,
    "1e3": 1000.0,
    "1E-2": 0.01,
}


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_plain_scalars_have_the_types_of_yaml_1_2(text, value):
    read = scalars.plain_value(plain(text))
    assert (type(read), read) == (type(value), value)
    assert scalars.plain_value(quoted(text)) == text, "a quoted one is text"


@pytest.mark.parametrize(
    "text",
    [
        *("nUll", "NIL", "none", "tRUE", "yes", "no", "on", "off", "y", "n", "Yes", "OFF"),
        *("1_000", "0b1", "0o8", "0O7", "0xG", "+0x1", "-0o7", "1:30", "0.1.2", "1e", "e3", ".", "-", "+", "--1"),
        *(".inf", "-.INF", ".nan", "inf", "nan", "1e999", "-1e999", "9" * 65, "1." + "0" * 70, "²", "١٢"),
        *("2026-12-01", "=", "<<", " 1", "1 "),
    ],
)
def test_everything_else_is_text(text):
    assert scalars.plain_value(plain(text)) == text
    assert scalars.whole(plain(text)) is None
    assert scalars.flag(plain(text)) is None


def test_whole_numbers_have_at_most_twenty_characters():
    assert scalars.whole(plain("1" * 20)) == int("1" * 20)
    assert scalars.whole(plain("1" * 21)) is None
    assert scalars.number(plain("1" * 21)) == float("1" * 21)
    assert scalars.number(plain("0." + "1" * 62)) == pytest.approx(1 / 9)
    assert scalars.number(plain("0." + "1" * 63)) is None


@given(st.text(st.sampled_from("0123456789+-.eExXoO_aFn~:"), max_size=8))
def test_a_number_is_what_it_looks_like(text):
    number = scalars.number(plain(text))
    whole = scalars.whole(plain(text))
    assert number is None or math.isfinite(number)
    if whole is not None:
        assert number == whole
        assert type(number) is int
    elif number is not None:
        assert number == float(text)


def test_collections_are_read_inside():
    key = plain("a")
    mapping = Mapping((Entry(key, Sequence((plain("1"), quoted("1"), plain("~")), AT)),), AT)
    assert scalars.plain_value(mapping) == {"a": [1, "1", None]}
    for read in (scalars.flag, scalars.whole, scalars.number, scalars.flag_advice, scalars.number_advice):
        assert read(mapping) is None
    assert not scalars.is_null(mapping)


KINDS = {
    "empty": plain(""),
    "the boolean True": plain("True"),
    "the number 1e3": plain("1e3"),
    "`1_000`": plain("1_000"),
    'the text "1"': quoted("1"),
    'the text ""': quoted(""),
    'the text "a\\nb"': quoted("a\nb"),
    "a list": Sequence((), AT),
    "a mapping": Mapping((), AT),
}


@pytest.mark.parametrize(("words", "node"), KINDS.items())
def test_a_kind_in_words(words, node):
    assert scalars.kind(node) == words


def test_a_kind_shows_no_secret():
    for node in (plain("hunter2"), quoted("hunter2"), plain("4711"), plain("true")):
        assert scalars.kind(node, name="db_password") == "a text that is not shown here"
    token = "ghp_" + "a" * 36
    assert token not in scalars.kind(plain(token)) + scalars.kind(quoted(token))
    assert scalars.kind(quoted("x" * 100)) == f'the text "{"x" * 59}…"'
    assert scalars.kind(Sequence((), AT), name="token") == "a list"


@pytest.mark.parametrize(
    ("node", "advice"),
    [
        (plain("yes"), "write true"),
        (plain("On"), "write true"),
        (quoted("y"), "write true"),
        (plain("NO"), "write false"),
        (plain("off"), "write false"),
        (quoted("n"), "write false"),
        (quoted("true"), "remove the quotes"),
        (quoted("FALSE"), "remove the quotes"),
        (plain("1"), None),
        (quoted("1"), None),
        (quoted("maybe"), None),
    ],
)
def test_advice_about_booleans(node, advice):
    assert scalars.flag_advice(node) == advice


@pytest.mark.parametrize(
    ("node", "advice"),
    [(quoted("1"), "remove the quotes"), (quoted("1.5"), "remove the quotes"), (quoted("x"), None), (plain("x"), None)],
)
def test_advice_about_numbers(node, advice):
    assert scalars.number_advice(node) == advice
