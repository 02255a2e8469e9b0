"""A spec in which the places of the expected findings are marked: `⟦replica⟧: 1`."""

import re
import textwrap

from controller.core.diagnostics import LINE_BREAK, Diagnostic

_MARK = re.compile("[⟦⟧]")


def unmarked(text: str) -> tuple[str, list[tuple[int, int, int]]]:
    """The text without its marks, and the places (line, column, length) between them, in order."""
    places: list[tuple[int, int, int]] = []
    plain = ""
    for piece, mark in zip(_MARK.split(text), [*_MARK.findall(text), ""], strict=True):
        if mark != "⟦":
            lines = LINE_BREAK.split(plain)
            if mark:
                places.append((len(lines), len(lines[-1]) + 1, max(len(piece), 1)))
        plain += piece
    return plain, places


def spec(text: str) -> str:
    """A whole document around the members of its spec."""
    head = "apiVersion: dl1.ecs/v1alpha1\nkind: DL1Service\nmetadata: {name: bert}\nspec:\n"
    return head + textwrap.indent(textwrap.dedent(text).strip("\n") + "\n", "  ")


def place(one: Diagnostic) -> tuple[int, int, int]:
    """Where a finding points: line, column, length."""
    return one.at.line, one.at.column, one.at.length
