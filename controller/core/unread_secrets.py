"""What may not be shown of lines that are no YAML any more: a file behind a syntax error.

Nothing is understood there, so rather too much is hidden than too little: all behind a telling key and all lines that
are indented deeper, everything under `value`, the line after `--token`, a text in quotes until its end. Neighbours:
`source_secrets` (the part of the file that can be read).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.core.diagnostics import LINE_BREAK
from controller.core.redact import REFERENCES, SECRET_NAME, is_telling_flag

Range: TypeAlias = tuple[int, int]
"""From one character of a text up to another, which is not in it."""

_KEY: Final = re.compile(r"""(?<![\w.-])(?P<key>[\w.-]{1,256})["']?[ \t]{0,8}:(?=[ \t]|$)[ \t]*""")
_FLAG_LAST: Final = re.compile(r"""(?P<flag>--?[\w-]{1,256})["']?[ \t]{0,8},?[ \t]{0,8}$""")


@dataclass(slots=True)
class _Lines:
    """What the lines before say about the one that comes."""

    deeper_than: int | None = None
    """All lines that are indented deeper belong to a secret."""
    quote: str = ""
    """A secret in quotes is not closed yet."""
    next_line: bool = False
    """A key or a flag stands at the end of a line and its value on the next one."""

    def hidden_from(self, line: str) -> int | None:
        """The column from which a line is hidden; None where all of it may be shown."""
        content = line.lstrip(" \t")
        indent = len(line) - len(content)
        if not content:
            return None
        if self.quote:
            self.quote = "" if self.quote in content else self.quote
            return indent
        if self.deeper_than is not None and indent > self.deeper_than:
            return indent
        self.deeper_than = None
        whole = self.next_line
        self.next_line = False
        start = self._look(line)
        return indent if whole else start

    def _look(self, line: str) -> int | None:
        """Where a secret begins in a line, and what it says about the following ones."""
        flag = _FLAG_LAST.search(line[-300:])
        self.next_line = flag is not None and is_telling_flag(flag["flag"])
        for found in _KEY.finditer(line):
            key = found["key"].lstrip("-")
            if key in REFERENCES or not (SECRET_NAME.search(key) or key.lower() == "value"):
                continue
            self.deeper_than = found.start("key")
            self.next_line = found.end() == len(line)
            first = line[found.end() : found.end() + 1]
            self.quote = first if first in ("'", '"') and first not in line[found.end() + 1 :] else ""
            return found.end()
        return None


def by_lines(text: str, known: int) -> Iterator[Range]:
    """What must be hidden in the lines of a text from the one on in which character `known` stands."""
    if known >= len(text):
        return
    lines = _Lines()
    start = 0
    for end, following in _bounds(text):
        column = lines.hidden_from(text[start:end])
        if column is not None and following > known:
            yield start + column, end
        start = following


def _bounds(text: str) -> Iterator[Range]:
    """For each line where its text ends and where the next one begins."""
    for found in LINE_BREAK.finditer(text):
        yield found.span()
    yield len(text), len(text) + 1
