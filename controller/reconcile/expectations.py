"""Reading one's own writes: what ECS must show before an observation is believed.

For a while after CreateService, UpdateService or DeleteService, DescribeServices may answer the state before, even a
deleted incarnation of the same name. Planning on that would create twice or undo what is under way. So each write
leaves an expectation, taken from its own answer; an observation that is older than it is called stale and looked at
again a little later. After two minutes reality is believed as it is. Kept in memory only: after a restart the worst
case is one write that changes nothing. Sources: terraform-provider-aws #24565, Kubernetes KEP-5647.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from controller.core.live import LiveService, Observation
from controller.core.workload import Key

HORIZON: Final = timedelta(minutes=2)
"""How long an expectation holds. Terraform retries its reads as long."""
RECHECK: Final = 2.0
"""Seconds until a stale key is looked at again."""


@dataclass(frozen=True, slots=True)
class _Expectation:
    written: LiveService
    until: datetime


@dataclass(slots=True)
class Expectations:
    """The last answered write of each key."""

    _by_key: dict[Key, _Expectation] = field(default_factory=dict)

    def expect(self, key: Key, written: LiveService, now: datetime) -> None:
        """Remember the service as a write answered it."""
        self._by_key[key] = _Expectation(written, now + HORIZON)

    def stale(self, key: Key, observation: Observation, now: datetime) -> bool:
        """Whether an observation is older than our last write of the key."""
        expectation = self._by_key.get(key)
        if expectation is None:
            return False
        if now >= expectation.until or not _older(expectation.written, observation.service):
            del self._by_key[key]
            return False
        return True


def _older(written: LiveService, seen: LiveService | None) -> bool:
    if written.status == "ACTIVE":
        if seen is None or seen.created_at < written.created_at:
            return True
        primary = written.primary.get("id")
        ids = {deployment.get("id") for deployment in seen.deployments}
        later = seen.primary.get("createdAt", 0) > written.primary.get("createdAt", 0)
        return seen.created_at == written.created_at and primary is not None and primary not in ids and not later
    return seen is not None and seen.status == "ACTIVE" and seen.created_at == written.created_at
