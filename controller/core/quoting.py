"""How a message repeats what somebody wrote: on one line, not too long, and without what looks like a secret.

Messages reach logs, pull requests and dashboards, so nothing of the user's text may move a cursor, forge a line or show
a credential. Neighbours: `redact` (what a secret looks like), all that makes diagnostics.
"""

from typing import Final

from controller.core.redact import redact

LONGEST: Final = 60
"""Characters of the user's text that a message repeats."""


def escaped(text: str) -> str:
    """The text with everything unprintable spelled out: control characters, line ends, direction marks."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def brief(text: str) -> str:
    """The text on one line and not too long, as a name is told."""
    shown = escaped(text[: LONGEST + 1])
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def quote(text: str) -> str:
    """The text as a message may repeat it, in backticks."""
    return f"`{brief(str(redact(text[: 4 * LONGEST])))}`"


def _escaped(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
