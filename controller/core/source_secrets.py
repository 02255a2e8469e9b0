"""Which characters of a spec file may not be shown: the values of secrets, wherever they stand and however written.

As far as a file is YAML its own structure tells: every text below a telling name (block texts and texts of several
lines too), the `value` of an item whose `name` is telling in whatever order they stand, the word after `--token`, what
an alias brings to such a place. ARNs are shown, and in `secrets` also paths of parameters. Behind the place where a
file stops being YAML, `unread_secrets` looks at the lines. In both, what has the shape of a secret is hidden under any
name.
Neighbours: `redact` (names and shapes), `report.frame` (draws the lines).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

import yaml

from controller.core.decoding import decode
from controller.core.redact import REFERENCES, SECRET_NAME, is_telling_flag, secret_spans
from controller.core.unread_secrets import Range, by_lines
from controller.core.yaml import DEEPEST

_NAMES: Final = frozenset({"name", "key"})
_SMALL: Final = 3
"""Members of an item that is no more than a name and what it stands for; a misspelt `value` is still that."""


def secret_ranges(content: bytes) -> list[Range]:
    """The ranges of characters that must be hidden, in order and without overlaps.

    Characters are counted in the text without its byte order mark, what is no UTF-8 as one each.
    """
    text = content.decode("utf-8", errors="replace").removeprefix("\ufeff")
    walk = _Walk()
    known = walk.through(decode("", content).text)
    return list(_merged(sorted([*walk.hidden, *by_lines(text, known), *secret_spans(text)])))


def _merged(found: list[Range]) -> Iterator[Range]:
    reach = 0
    for start, end in found:
        if end > reach:
            yield max(start, reach), end
            reach = end


class _Under(Enum):
    """What the place where a text stands says about it."""

    NOTHING = auto()
    SECRET = auto()
    REFERENCE = auto()


@dataclass(frozen=True, slots=True)
class _Text:
    """A scalar: its text and where it stands."""

    text: str
    at: Range

    def hidden(self, under: _Under) -> bool:
        """Whether it may not be shown in such a place."""
        if not self.text or self.text.startswith("arn:") or under is _Under.NOTHING:
            return False
        return under is _Under.SECRET or not self.text.startswith("/")


@dataclass(slots=True, eq=False)
class _Level:
    """A collection that is being read."""

    mapping: bool
    under: _Under
    first: int
    """How many scalars came before it."""
    anchor: str | None = None
    key: str | None = None
    """The key whose value comes next."""
    count: int = 0
    """Members so far."""
    name: str = ""
    """What `name` or `key` says, once it was read."""
    values: list[_Text] = field(default_factory=list)
    """What stands under `value`."""
    others: list[_Text] = field(default_factory=list)
    """Texts directly under its other members."""
    flag: bool = False
    """The word before was a telling flag."""

    def next(self) -> _Under:
        """What the place of the value that comes next says about it."""
        if not self.mapping:
            return _Under.SECRET if self.flag else self.under
        if self.key is None or self.under is _Under.SECRET:
            return self.under
        if self.key in REFERENCES:
            return _Under.REFERENCE
        if self.under is _Under.REFERENCE:
            return _Under.NOTHING if self.key in _NAMES else _Under.REFERENCE
        return _Under.SECRET if SECRET_NAME.search(self.key) else _Under.NOTHING

    def take(self, texts: list[_Text], only: str | None) -> None:
        """A member is complete: its texts, and its one text where it is a scalar."""
        if not self.mapping:
            self.flag = only is not None and is_telling_flag(only)
            return
        if self.key is None:
            self.key = only or ""
            return
        if self.key in _NAMES and only is not None:
            self.name = only
        elif self.key.lower() == "value":
            self.values.extend(texts)
        elif only is not None:
            self.others.extend(texts)
        self.count += 1
        self.key = None

    def revealed(self) -> Iterator[_Text]:
        """What turns out to be secret now that the item's name is known."""
        if self.mapping and SECRET_NAME.search(self.name):
            yield from self.values
            yield from self.others if self.count <= _SMALL else ()


@dataclass(slots=True)
class _Walk:
    """Walks through the events of a file and gathers what must be hidden."""

    hidden: list[Range] = field(default_factory=list)
    _levels: list[_Level] = field(default_factory=list)
    _texts: list[_Text] = field(default_factory=list)
    _anchors: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Anchor → which of the texts it names: from, to."""

    def through(self, text: str) -> int:
        """Read as much as is YAML; answers the character up to which it is."""
        known: int = 0
        try:
            for event in _events(text):
                self._take(event)
                known = max(known, _range(event)[0])
                if len(self._levels) > DEEPEST:
                    return known
        except yaml.YAMLError:
            return known
        return len(text)

    def _take(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._texts.append(_Text(event.value, _range(event)))
                self._name(event.anchor, len(self._texts) - 1)
                self._member(self._texts[-1:], event.value)
            case yaml.AliasEvent():
                first, last = self._anchors.get(str(event.anchor), (0, 0))
                self._member(self._texts[first:last], self._texts[first].text if last - first == 1 else None)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                under = self._levels[-1].next() if self._levels else _Under.NOTHING
                mapping = isinstance(event, yaml.MappingStartEvent)
                self._levels.append(_Level(mapping, under, len(self._texts), event.anchor))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                done = self._levels.pop()
                self.hidden.extend(text.at for text in done.revealed() if text.hidden(_Under.SECRET))
                self._name(done.anchor, done.first)
                if self._levels:
                    self._levels[-1].take(self._texts[done.first :], None)
            case yaml.DocumentStartEvent():
                self._anchors.clear()
            case _:
                pass

    def _member(self, texts: list[_Text], only: str | None) -> None:
        """A scalar, or an alias with all texts that it stands for."""
        if not self._levels:
            return
        level = self._levels[-1]
        is_key = level.mapping and level.key is None
        under = _Under.NOTHING if is_key else level.next()
        self.hidden.extend(text.at for text in texts if text.hidden(under))
        level.take(texts, only)

    def _name(self, anchor: str | None, first: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (first, len(self._texts))


def _events(text: str) -> Iterator[Any]:
    yield from yaml.parse(text, Loader=yaml.CSafeLoader)


def _range(event: Any) -> Range:
    """Where an event's text stands. The stubs say that a mark may be None; a parser's never is."""
    return event.start_mark.index, event.end_mark.index
