"""Which characters of a spec file may not be shown: the values of secrets, wherever they stand and however written.

As far as a file is YAML its own structure tells: every text below a telling name (block texts and texts of several
lines too), the `value` of an item whose `name` is telling in whatever order they stand, the word after `--token`, what
an alias brings to such a place. ARNs are shown, and in `secrets` also paths of parameters. `unread_secrets` looks at
what that leaves: comments, texts of several lines, and all lines of a file in which something is wrong as YAML. What
has the shape of a secret is hidden under any name.
Neighbours: `redact` (names and shapes), `report.frame` (draws the lines).
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from enum import Enum, auto
from typing import Final

from controller.core.diagnostics import Places
from controller.core.nodes import Mapping, Node, Scalar, Sequence
from controller.core.redact import (
    REFERENCES,
    SECRET_NAME,
    announced_spans,
    is_telling_flag,
    secret_spans,
    shape_spans,
)
from controller.core.unread_secrets import Range, by_lines
from controller.core.yaml import Stream, read

_NAMES: Final = frozenset({"name", "key"})
_SMALL: Final = 3
"""Members of an item that is no more than a name and what it stands for; a misspelt `value` is still that."""


def secret_ranges(content: bytes) -> list[Range]:
    """The ranges of characters that must be hidden, in order and without overlaps.

    Characters are counted in the text without its byte order mark, what is no UTF-8 as one each.
    """
    places = Places("", content.decode("utf-8", errors="replace").removeprefix("\ufeff"))
    stream = read("", content)
    found = [*shape_spans(places.text)]
    shown: dict[Range, str] = {}
    for document in stream.documents:
        # A document that is a text may be the rest of anything.
        start = _Place.SECRET if isinstance(document.root, Scalar) else _Place.ANY
        for scalar, place in _scalars(document.root, start):
            at = places.range(scalar.span)
            if place.hides(scalar.text):
                found.append(at)
            else:
                shown[at] = scalar.text
    known = {start for start, _ in shown}  # what the line before such a text seems to say, the structure knows better
    found.extend(at for at in announced_spans(places.text) if at[0] not in known)
    found.extend(at for at, text in shown.items() if _says_more(text, places.text[slice(*at)]))
    found.extend(by_lines(places, known=_known_lines(places, stream, shown)))
    return list(_merged(sorted(found)))


def _known_lines(places: Places, stream: Stream, shown: Iterable[Range]) -> AbstractSet[int]:
    """The lines that the structure of the file explains: none of a broken file, and not the inside of a text."""
    if not stream.whole or not all(document.clean for document in stream.documents):
        return frozenset()
    unknown = {line for start, end in shown for line in _lines_between(places, start, end)}
    return frozenset(range(1, places.lines + 1)) - unknown


def _lines_between(places: Places, start: int, end: int) -> range:
    """The lines of a text that has several."""
    first, last = places.at(start).line, places.at(end - 1).line
    return range(first, last + 1) if last > first else range(0)


def _says_more(text: str, source: str) -> bool:
    """Whether a text holds a secret that cannot be seen as one in the file: over several lines, or in escapes."""
    return text not in source and len(list(secret_spans(text))) > len(list(secret_spans(source)))


def _merged(found: list[Range]) -> Iterator[Range]:
    reach = 0
    for begin, end in found:
        start = max(begin, reach)
        if start < end:
            yield start, end
            reach = end


class _Place(Enum):
    """What is known of the place where a value stands."""

    ANY = auto()
    SECRET = auto()
    REFERENCE = auto()
    """It says where a secret is kept."""

    def hides(self, text: str) -> bool:
        """Whether a text may not be shown here."""
        if self is _Place.ANY or not text or text.startswith("arn:"):
            return False
        return self is _Place.SECRET or not text.startswith("/")


def _scalars(node: Node, place: _Place) -> Iterator[tuple[Scalar, _Place]]:
    """All texts of a value. What an alias stands for is where it was written."""
    match node:
        case Scalar():
            yield node, place
        case Sequence(items):
            flagged = False
            for item in items:
                yield from _scalars(item, _Place.SECRET if flagged else place)
                flagged = isinstance(item, Scalar) and is_telling_flag(item.text)
        case Mapping(entries):
            named = _is_named_telling(node)
            for entry in entries:
                stands_for_name = named and _is_value(node, entry.key.text)
                yield from _scalars(entry.value, _Place.SECRET if stands_for_name else _member(entry.key.text, place))


def _is_named_telling(node: Mapping) -> bool:
    """Whether a mapping is an item with a telling name, `{name: HF_TOKEN, …}`, or one whose name nobody knows yet."""
    names = [node.get(name) for name in _NAMES]
    if any(isinstance(name, Scalar) and SECRET_NAME.search(name.text) is not None for name in names):
        return True
    return len(node.entries) == 1 and node.entries[0].key.text.lower() == "value"


def _is_value(node: Mapping, key: str) -> bool:
    """Whether a member is what the item's name stands for."""
    if key.lower() == "value":
        return True
    small = len(node.entries) <= _SMALL and isinstance(node.get(key), Scalar)
    return small and key not in _NAMES and key not in REFERENCES


def _member(key: str, place: _Place) -> _Place:
    """What is known of the place of a member by its key and by what it stands in."""
    if place is _Place.SECRET:
        return place
    if key in REFERENCES:
        return _Place.REFERENCE
    if place is _Place.REFERENCE:
        return _Place.ANY if key in _NAMES else place
    return _Place.SECRET if SECRET_NAME.search(key) else _Place.ANY
