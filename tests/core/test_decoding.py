"""Bytes → text: what may stand in a file, to the byte and the character."""

import unicodedata

import pytest

from controller.core.decoding import MOST_BYTES, MOST_DIRECTIVES, decode
from controller.core.diagnostics import Places
from controller.core.yaml import read


def stop(content: bytes):
    decoded = decode("f.yaml", content)
    if decoded.stop is None:
        return None
    return decoded.text, str(decoded.stop.code), str(decoded.stop.at), decoded.stop.message, decoded.stop.hint


def test_a_file_of_a_mebibyte_is_read_and_a_byte_more_is_not():
    assert MOST_BYTES == 1024 * 1024
    content = b"#" * MOST_BYTES
    assert (stop(content), decode("f", content).text) == (None, content.decode())
    assert stop(content + b"#") == (
        "",
        "file-too-large",
        "f.yaml:1:1",
        "the file has 1048577 bytes; at most 1048576 are read",
        "split it into several files",
    )
    two_bytes_each = "é".encode() * (MOST_BYTES // 2)
    assert stop(two_bytes_each) is None, "bytes count, not characters"


@pytest.mark.parametrize(
    ("content", "text", "place", "byte"),
    [
        (b"\xff", "", "1:1", "ff"),
        (b"a\n\xc3\xa9: \xe9\nb", "a\né: ", "2:4", "e9"),
        (b"\xc3", "", "1:1", "c3"),
        (b"ok\n\xed\xa0\x80", "ok\n", "2:1", "ed"),
        (b"\xc0\x80", "", "1:1", "c0"),
        (b"\xf4\x90\x80\x80", "", "1:1", "f4"),
        (b"\xef\xbb\xbfa\xff", "a", "1:2", "ff"),
        ("a".encode("utf-16"), "", "1:1", "ff"),
        ("é".encode("latin-1"), "", "1:1", "e9"),
    ],
)
def test_what_is_no_utf_8_ends_the_text(content, text, place, byte):
    assert stop(content) == (
        text,
        "not-utf8",
        f"f.yaml:{place}",
        f"byte 0x{byte} is not UTF-8",
        "save the file as UTF-8",
    )


ALLOWED_CONTROLS = "\t\n\r"
TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
"""Characters that turn the direction of writing. Source: CVE-2021-42574."""


def test_every_character_that_hides_or_turns_text_is_refused_and_no_other():
    for point in (*range(0x3100), *range(0xD7FB, 0xD800), *range(0xE000, 0xE010), *range(0xFE00, 0x10010), 0x10FFFF):
        char = chr(point)
        control = unicodedata.category(char) in ("Cc", "Zl", "Zp") and char not in ALLOWED_CONTROLS
        refused = control or point in TURNING or point in (0xFEFF, 0xFFFE, 0xFFFF)
        assert (stop(f"a{char}b".encode()) is not None) == refused, hex(point)


@pytest.mark.parametrize(
    ("char", "name", "escape"),
    [
        ("\x00", "U+0000", "\\x00"),
        ("\x1b", "U+001B", "\\x1b"),
        ("\x7f", "U+007F", "\\x7f"),
        ("\x85", "U+0085", "\\x85"),
        ("\u2028", "U+2028", "\\u2028"),
        ("\u202e", "U+202E", "\\u202e"),
        ("\u2066", "U+2066", "\\u2066"),
        ("\ufeff", "U+FEFF", "\\ufeff"),
        ("\uffff", "U+FFFF", "\\uffff"),
    ],
)
def test_a_refused_character_is_named_and_its_escape_is_one_that_works(char, name, escape):
    assert stop(f"a: é{char}\n".encode()) == (
        "a: é",
        "yaml-syntax",
        "f.yaml:1:5",
        f"character {name} is not allowed here",
        f'remove it, or write it as an escape inside double quotes: "{escape}"',
    )
    (document,) = read("f.yaml", f'a: "{escape}"'.encode()).documents
    assert document.root.get("a").text == char


def test_the_first_of_several_reasons_to_stop_is_told():
    assert stop(b"a\x00\xff")[1:3] == ("yaml-syntax", "f.yaml:1:2")
    assert stop(b"a\xff\x00")[1:3] == ("not-utf8", "f.yaml:1:2")
    assert stop(b"\xef\xbb\xbf\xef\xbb\xbfa")[1:3] == ("yaml-syntax", "f.yaml:1:1")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_one_byte_order_mark_is_no_part_of_the_text(mark):
    assert decode("f", f"{mark}a: é".encode()).text == "a: é"


def test_a_hundred_tag_directives_are_read_and_one_more_is_not():
    """libyaml compares each with all before it."""
    directives = [f"%TAG !t{number}! x\n" for number in range(MOST_DIRECTIVES + 1)]
    assert stop("".join(directives[:-1]).encode()) is None
    text, code, place, message, hint = stop("".join(directives).encode())
    assert text == "".join(directives[:-1])
    assert (code, place) == ("yaml-syntax", f"f.yaml:{MOST_DIRECTIVES + 1}:1")
    assert message == "more than 100 %TAG lines in one file"
    assert hint == "remove them: tags are refused, so no line here needs one"
    for broken in (b"\x00", b"\xff"):
        assert stop("".join(directives).encode() + broken)[2] == place, "it comes first"


def test_places_count_lines_and_characters_of_editors():
    places = Places("f", "ab\r\nc\rd\n\né𝄞x")
    assert places.lines == 5
    assert [places.line(number) for number in range(1, 6)] == [(0, 2), (4, 5), (6, 7), (8, 8), (9, 12)]
    assert [str(places.at(offset)) for offset in (0, 1, 2, 4, 6, 8, 9, 11, 12, 99)] == [
        *("f:1:1", "f:1:2", "f:1:3", "f:2:1", "f:3:1", "f:4:1", "f:5:1", "f:5:3", "f:5:4", "f:5:4"),
    ]
    assert {places.at(offset).length for offset in range(14)} == {1}
    span = places.between(0, 7)
    assert (span.length, places.range(span)) == (7, (0, 7))
    assert places.range(places.between(10, 10)) == (10, 11)
    assert places.range(places.between(50, 60)) == (12, 12)
    assert places.between(50, 60).length == 1
    assert (Places("f", "").lines, Places("f", "").line(1)) == (1, (0, 0))
