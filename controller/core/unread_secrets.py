"""What may not be shown of lines that YAML does not explain: comments, texts of several lines, a file that is broken.

Nothing is understood there, so rather too much is hidden than too little: everything behind a telling key, behind
`value` and behind an anchor, with all lines up to the next key beside it; the line after `--token`; a text in quotes
until its end. Neighbours: `source_secrets` (what can be read).
"""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.core.diagnostics import Places
from controller.core.redact import REFERENCES, SECRET_NAME, is_telling_flag

Range: TypeAlias = tuple[int, int]
"""From one character of a text up to another, which is not in it."""

_SPACE: Final = r"[ \t]{0,8}"
_KEY: Final = re.compile(rf"""(?<![\w.-])(?P<key>[\w.-]{{1,256}})["']?{_SPACE}:(?=[ \t]|$)[ \t]*""")
_ANCHOR: Final = re.compile(r"(?<![^\s,\[{])&[^\s,\[\]{}]+[ \t]+(?=[^\s#])")
_FLAG_LAST: Final = re.compile(rf"""(?P<flag>--?[\w-]{{1,256}})["']?{_SPACE},?{_SPACE}$""")
_REFERENCE: Final = re.compile(r"""["']?(?:arn:|/)""")
_NEW_KEY: Final = re.compile(rf"""(?:-[ \t]+)*["']?[A-Za-z_][\w.-]{{0,255}}["']?{_SPACE}:(?=[ \t]|$)""")
_COMMENT: Final = re.compile(r"(?P<indent>[ \t]*)#")


@dataclass(slots=True)
class _Lines:
    """What the lines before say about the one that comes."""

    column: int | None = None
    """Where the key of a secret stands: the lines are its own until another key stands at or before this column."""
    quote: str = ""
    """A secret in quotes is not closed yet."""
    next_line: bool = False
    """A flag stands at the end of a line and its value on the next one."""

    def hidden_from(self, line: str) -> int | None:
        """The column from which a line is hidden; None where all of it may be shown."""
        content = line.lstrip(" \t")
        indent = len(line) - len(content)
        if not content:
            return None
        if self.quote:
            self.quote = "" if self.quote in content else self.quote
            return indent
        if self.column is not None and (indent > self.column or not _NEW_KEY.match(content)):
            return indent
        whole, self.column, self.next_line = self.next_line, None, False
        start = self._look(line)
        if not whole:
            return start
        self.column = indent + 1  # what stands below the line that the flag announced
        return indent

    def _look(self, line: str) -> int | None:
        """Where a secret begins in a line, and what it says about the following ones."""
        flag = _FLAG_LAST.search(line[-300:])
        self.next_line = flag is not None and is_telling_flag(flag["flag"])
        found = next((one for one in _KEY.finditer(line) if _announces(one, line)), None)
        anchor = _ANCHOR.search(line)
        if found is not None and (anchor is None or found.end() <= anchor.end()):
            self.column, start = found.start("key"), found.end()
        elif anchor is not None:
            self.column, start = len(line) - len(line.lstrip(" \t")), anchor.end()
        else:
            return None
        first = line[start : start + 1]
        self.quote = first if first in ("'", '"') and first not in line[start + 1 :] else ""
        return start


def _announces(found: re.Match[str], line: str) -> bool:
    """Whether what stands behind a key must be hidden."""
    key = found["key"].lstrip("-")
    if key == "valueFrom":
        return _REFERENCE.match(line, found.end()) is None
    return key not in REFERENCES and (SECRET_NAME.search(key) is not None or key.lower() == "value")


def by_lines(places: Places, *, known: AbstractSet[int] = frozenset()) -> Iterator[Range]:
    """What must be hidden in the lines of a text; of the lines `known` only in those that are comments."""
    lines = _Lines()
    for number in range(1, places.lines + 1):
        start, end = places.line(number)
        line = places.text[start:end]
        comment = _COMMENT.match(line)
        if comment is not None:
            line = f"{comment['indent']} {line[comment.end() :]}"
        elif number in known:
            lines = _Lines()
            continue
        column = lines.hidden_from(line)
        if column is not None:
            yield start + column, end
