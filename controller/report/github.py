"""Findings as workflow commands: GitHub draws them at their lines in a pull request. Below them the log for people.

GitHub keeps ten annotations of each level from one step (and fifty from a job) and drops the rest without a word, so
what does not fit is counted in the last one; the log has everything. What somebody else wrote cannot become a command:
in an annotation it is escaped as the runner unescapes it, and in the log commands are off between two lines that hold a
digest of it. Sources: GitHub documentation, "Workflow commands for GitHub Actions"; actions/toolkit, core/command.ts.
Neighbours: `findings` (what is told), `text` and `frame` (the log).
"""

import hashlib
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from controller.report.findings import Finding, Level

MOST: Final = 10
"""Annotations of one level that GitHub keeps of a step."""
LONGEST: Final = 4000
"""Characters of an annotation."""

_COMMANDS: Final = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}


def github_text(found: Sequence[Finding], *, log: str, summary: str, prefix: str = "") -> str:
    """Annotations, then the log in a group that folds, then one line of summary.

    `prefix` is the folder of the repository that the names of files are relative to.
    """
    lines: list[str] = []
    for level in Level:
        of_level = [one for one in found if one.level is level]
        shown = of_level if len(of_level) <= MOST else of_level[: MOST - 1]
        lines += [_annotation(one, prefix) for one in shown]
        if len(of_level) > len(shown):
            left = f"{len(of_level) - len(shown)} more of this kind are in the log of this step"
            lines.append(_command(_COMMANDS[level], {"title": "controller"}, left))
    if log.strip():
        text = log.rstrip("\n")
        lines += ["::group::controller", *_inert(text), "::endgroup::"]
    return "\n".join([*lines, summary])


def _annotation(one: Finding, prefix: str) -> str:
    place: dict[str, str] = {}
    if one.at is not None:
        place = {
            "file": posixpath.join(prefix, one.at.file),
            "line": str(max(one.at.line, 1)),
            "col": str(max(one.at.column, 1)),
        }
    text = "\n".join(one.lines)
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return _command(_COMMANDS[one.level], {**place, "title": f"controller: {one.code}"}, text)


def _command(name: str, properties: Mapping[str, str], message: str) -> str:
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {told}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _inert(text: str) -> Iterable[str]:
    """Lines in which the runner obeys nothing. Nobody can write a text that holds its own digest."""
    token = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return (f"::stop-commands::{token}", text, f"::{token}::")
