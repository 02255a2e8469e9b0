"""Bytes → the text of a spec file, up to the first thing that may not stand in one.

UTF-8 only. Control characters, characters that end a line for libyaml but for no editor, and characters that turn the
direction of writing are refused: a reviewer would not see what the controller reads. Inside double quotes all of them
can be written as escapes. Neighbours: `yaml` (what the text means), `source_secrets` (what of it may be shown).
"""

import re
from dataclasses import dataclass
from typing import Final

from controller.core.diagnostics import Code, Diagnostic, Places, Span

MOST_BYTES: Final = 1024 * 1024
MOST_DIRECTIVES: Final = 100
"""`%TAG` lines of a file: libyaml compares each with all before it, so a megabyte of them takes it seconds."""

_BYTE_ORDER_MARK: Final = "\ufeff"
_DIRECTIVE: Final = re.compile(r"^%TAG", re.MULTILINE)
_FORBIDDEN: Final = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""Sources: YAML 1.2, 5.1 Character Set; U+0085, U+2028 and U+2029 are line ends of YAML 1.1 only; U+202A to U+202E and
U+2066 to U+2069 turn the direction (CVE-2021-42574); U+FEFF is a byte order mark, which may stand at the start only."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text that can be read, and why it ends where it does."""

    text: str
    places: Places
    stop: Diagnostic | None = None
    """What ended the text before the end of the file; None if nothing did."""


def decode(file: str, content: bytes) -> Decoded:
    """The text of a file, without its byte order mark. Raises nothing."""
    if len(content) > MOST_BYTES:
        message = f"the file has {len(content)} bytes; at most {MOST_BYTES} are read"
        stop = Diagnostic(Code.FILE_TOO_LARGE, message, Span(file, 1, 1), hint="split it into several files")
        return Decoded("", Places(file, ""), stop)
    try:
        text = content.decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        text = content[: error.start].decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
        places = Places(file, text)
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        stop = Diagnostic(Code.NOT_UTF8, message, places.at(len(text)), hint="save the file as UTF-8")
        return _readable(text, places, stop)
    return _readable(text, Places(file, text), None)


def _readable(text: str, places: Places, stop: Diagnostic | None) -> Decoded:
    """The text up to the first character or line that libyaml must not see."""
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        message = f"character U+{ord(forbidden[0]):04X} is not allowed here"
        hint = f'remove it, or write it as an escape inside double quotes: "{_escape(forbidden[0])}"'
        stop = Diagnostic(Code.YAML_SYNTAX, message, places.at(forbidden.start()), hint=hint)
        text = text[: forbidden.start()]
    for count, directive in enumerate(_DIRECTIVE.finditer(text), 1):
        if count > MOST_DIRECTIVES:
            message = f"more than {MOST_DIRECTIVES} %TAG lines in one file"
            at = places.at(directive.start())
            hint = "remove them: tags are refused, so no line here needs one"
            return Decoded(text[: directive.start()], places, Diagnostic(Code.YAML_SYNTAX, message, at, hint=hint))
    return Decoded(text, places, stop)


def _escape(char: str) -> str:
    """A character as an escape of a double-quoted YAML text."""
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
