"""Task definition revisions that were read before. Their content never changes, so one read of each serves.

What nobody has asked for in an hour is forgotten: a fleet that gets new images every day would otherwise keep all of
its history in memory. What is in use is asked for in every pass and stays. Neighbours: `ecs`.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from controller.core.live import Revision

IDLE: Final = 3600.0
"""Seconds without a question after which a revision is forgotten."""


@dataclass(slots=True)
class KnownRevisions:
    """Revisions by ARN. `now` is any clock that does not go back, in seconds."""

    _known: OrderedDict[str, tuple[float, Revision]] = field(default_factory=OrderedDict)
    """In the order in which they were last asked for."""

    def __len__(self) -> int:
        return len(self._known)

    def get(self, arn: str, now: float) -> Revision | None:
        """The revision, if it is known."""
        known = self._known.get(arn)
        if known is None:
            return None
        self.put(arn, known[1], now)
        return known[1]

    def put(self, arn: str, revision: Revision, now: float) -> None:
        """Remember a revision, and forget what is idle."""
        self._known[arn] = (now, revision)
        self._known.move_to_end(arn)
        while next(iter(self._known.values()))[0] < now - IDLE:
            self._known.popitem(last=False)
