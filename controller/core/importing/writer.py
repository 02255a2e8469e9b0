"""Values → YAML as a person would write it, for the parser of this house.

Indented by two, short collections on one line, texts of several lines as blocks. A text is in quotes exactly where the
parser would not read it back as that text: the schema knows where a text is wanted, so `LR: 1e-3` and `cpu: 4096` need
none. PyYAML's emitter knows where YAML's syntax needs quotes; what means nothing to its reader but something to ours is
decided here. Equal values give equal text. Neighbours: `core.yaml` and `core.ecs.read` (which read it back),
`arrangement` (the order of members), `report.unified` (uses it for diffs).
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from yaml.emitter import Emitter, ScalarAnalysis

from controller.core import scalars
from controller.core.decoding import decode
from controller.core.diagnostics import Span
from controller.core.nodes import Scalar

WIDTH: Final = 100
"""Columns that a collection on one line may reach."""
MOST_ON_ONE_LINE: Final = 3
"""Members of a mapping that may stand on one line."""
_COLONS: Final = re.compile(r"[\w./][^,?\[\]{}]*[^,?\[\]{}:]")
"""A text that one line of a collection can hold without quotes, colons included."""
_UNFOLDED: Final = 1_000_000
_NOWHERE: Final = Span("", 1, 1)


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that no schema describes: it is what its own form says, so a text that looks like a number is quoted."""

    value: Any


def write(value: Any, *, comment: str = "", spread: bool = False) -> str:
    """The value as one YAML document, without a `---`; `comment` becomes its first line. Where `spread`, everything has
    a line of its own, so that a change of one thing moves nothing else.

    Takes mappings, lists, texts, numbers, booleans and `Opaque` values. Characters that may not stand in a spec file
    are written as escapes; then all that are not ASCII are.
    """
    text = _emitted(value, allow_unicode=True, spread=spread)
    if decode("", text.encode(errors="surrogatepass")).stop is not None:
        text = _emitted(value, allow_unicode=False, spread=spread)
    head = "".join(char if char.isprintable() else " " for char in comment)
    return f"# {head}\n{text}" if head else text


def _emitted(value: Any, *, allow_unicode: bool, spread: bool) -> str:
    stream = io.StringIO()
    emitter = _Emitter(stream, indent=2, width=_UNFOLDED, allow_unicode=allow_unicode)
    for event in (
        yaml.StreamStartEvent(),
        yaml.DocumentStartEvent(explicit=False),
        *_events(value, depth=0, column=WIDTH if spread else 0),
        yaml.DocumentEndEvent(explicit=False),
        yaml.StreamEndEvent(),
    ):
        emitter.emit(event)
    return stream.getvalue()


def _events(value: Any, *, depth: int, column: int, strict: bool = False) -> Iterator[yaml.Event]:
    """The events of a value that begins at a column. `strict`: nobody but its form says what a scalar is."""
    match value:
        case Opaque(inside):
            yield from _events(inside, depth=depth, column=column, strict=True)
        case Mapping():
            yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=_flows(value, depth, column))
            for name, member in value.items():
                yield _key(str(name))
                yield from _events(member, depth=depth + 1, column=column + 2, strict=strict)
            yield yaml.MappingEndEvent()
        case list() | tuple():
            yield yaml.SequenceStartEvent(None, None, implicit=True, flow_style=_flows(value, depth, column))
            for member in value:
                yield from _events(member, depth=depth + 1, column=column + 2, strict=strict)
            yield yaml.SequenceEndEvent()
        case str():
            yield _scalar(value, style=_style(value, strict=strict))
        case bool():
            yield _scalar(str(value).lower())
        case None:
            yield _scalar("null")
        case int() | float():
            yield _scalar(repr(value))
        case _:
            message = f"{type(value).__name__} is nothing that YAML can hold"
            raise TypeError(message)


def _flows(value: Any, depth: int, column: int) -> bool:
    """Whether a collection stands on one line: below the top, where it is short and holds no more than a list of
    scalars."""
    if not value:
        return True
    length = _length(value, levels=2 if isinstance(value, Mapping) else 1)
    if depth < 2 or length is None or column + length > (WIDTH if isinstance(value, Mapping) else WIDTH - 20):
        return False
    return not isinstance(value, Mapping) or len(value) <= MOST_ON_ONE_LINE


def _length(value: Any, *, levels: int) -> int | None:
    """Characters of a value on one line; None where it cannot stand on one, or is deeper than that."""
    members: list[Any]
    match value:
        case Mapping() if levels == 2:
            members = list(value.values())
        case list() | tuple() if levels:
            members = list(value)
        case Mapping() | list() | tuple() | Opaque():
            return None
        case _:
            text = str(value)
            return None if "\n" in text else len(text)
    lengths = [_length(member, levels=1 if levels == 2 else 0) for member in members]
    names = sum(len(str(name)) + 2 for name in value) if isinstance(value, Mapping) else 0
    return None if None in lengths else names + sum(length + 2 for length in lengths if length is not None)


def _key(name: str) -> yaml.ScalarEvent:
    """A key; the one that merges mappings is quoted where it is only a name."""
    return _scalar(name, style='"' if name == "<<" else None)


def _style(text: str, *, strict: bool) -> str | None:
    if "\n" in text and _is_block(text):
        return "|"
    plain = Scalar(text, plain=True, span=_NOWHERE)
    ambiguous = scalars.is_null(plain) or (strict and scalars.plain_value(plain) != text)
    return '"' if ambiguous else None


def _is_block(text: str) -> bool:
    """Whether a text of several lines can be written as it is, line by line."""
    return (
        bool(text.strip())
        and not text[0].isspace()
        and not text.endswith("\n\n")
        and all(char.isprintable() or char in "\n\t" for char in text)
        and all(line.strip() or not line for line in text.split("\n"))
    )


def _scalar(text: str, *, style: str | None = None) -> yaml.ScalarEvent:
    return yaml.ScalarEvent(None, None, (True, True), text, style=style)


class _Emitter(Emitter):
    """PyYAML's emitter with lists indented under their key, double quotes, and blocks that may hold tabs."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - see the base
        super().increase_indent(flow, False)

    def analyze_scalar(self, scalar: str) -> ScalarAnalysis:
        analysis = super().analyze_scalar(scalar)
        if analysis.allow_block_plain and _COLONS.fullmatch(scalar):
            analysis.allow_flow_plain = True  # PyYAML's own reader stops at them, libyaml does not
        if "\n" in scalar and _is_block(scalar):
            analysis.allow_block = True
        return analysis

    def choose_scalar_style(self) -> str:
        style: str = super().choose_scalar_style()
        value = self.analysis.scalar if self.analysis is not None else ""
        return '"' if style == "'" and not {'"', "\\"} & set(value) else style
