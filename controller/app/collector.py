"""When Python looks for garbage in cycles: seldom, because we hardly make any and looking stops everything.

A fleet of a thousand services is a million objects that stay. Left as it is, CPython walks all of them whenever a look
has made a quarter as many new ones, a third of a second in which no lease is renewed and no probe answered. What a
look leaves behind has no cycles and is freed by counting references; the rare cycles (exceptions with their frames)
are found young. Neighbours: `process`.
"""

import gc
from typing import Final

THRESHOLDS: Final = (1_000, 10, 10_000)
"""Net new objects before the young are looked through (well under a millisecond), how often that before those that
have survived once (a few milliseconds), and how often that before all: once in a hundred million objects."""


def collect_seldom() -> None:
    """For a process that holds much for long. What is there now, the imported modules, is never looked at again."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
