"""Reading one's own writes: what ECS must show before an observation is believed.

For a while after CreateService, UpdateService or DeleteService, DescribeServices may answer the state before, even a
deleted incarnation of the same name. Planning on that would create twice or undo what is under way. So each write
leaves an expectation: what was there before it and what its own answer said. An observation that still shows the former
where the write has changed it is called stale and looked at again a little later. After two minutes, or once somebody
else is known to have written later, reality is believed as it is. Kept in memory only: after a restart the worst case
is one write that changes nothing. Sources: terraform-provider-aws #24565, Kubernetes KEP-5647. Neighbours: `act` (what
was written), `reconciler`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from controller.core.live import LiveService, Observation
from controller.core.workload import Key

HORIZON: Final = timedelta(minutes=2)
"""How long an expectation holds. Terraform retries its reads as long."""
RECHECK: Final = 2.0
LONGEST_RECHECK: Final = 15.0
"""Seconds until a stale key is looked at again: as long as has passed since the write, within these."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a plan has changed of one service, by the answers to its writes."""

    before: LiveService | None
    after: LiveService
    members: frozenset[str] = frozenset()
    """Members of the service that were sent, tags included."""


@dataclass(frozen=True, slots=True)
class _Expectation:
    written: Written
    since: datetime


@dataclass(slots=True)
class Expectations:
    """The last answered writes of each key, for two minutes."""

    _by_key: dict[Key, _Expectation] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._by_key)

    def expect(self, key: Key, written: Written, now: datetime) -> None:
        """Remember what was written to a key."""
        self._by_key = {other: one for other, one in self._by_key.items() if now < one.since + HORIZON}
        self._by_key[key] = _Expectation(written, now)

    def overtaken(self, key: Key, at: datetime) -> None:
        """Somebody else has written to a service at `at`, by CloudTrail's word (whole seconds, cut off). Where that is
        certainly after our own write, the state from before it may be what they have made of it: without this an edit
        that brings back the former value would pass for an old answer."""
        expectation = self._by_key.get(key)
        if expectation is not None and at > expectation.since:
            del self._by_key[key]

    def patience(self, key: Key, observation: Observation, now: datetime) -> float | None:
        """Seconds until the key is worth another look, where the observation is older than our last write; None where
        it can be believed."""
        expectation = self._by_key.get(key)
        if expectation is None:
            return None
        age = now - expectation.since
        written = expectation.written
        if age >= HORIZON or not _older(written, observation.service) or _given_up(written, observation):
            del self._by_key[key]
            return None
        return min(max(age.total_seconds(), RECHECK), LONGEST_RECHECK)


def _older(written: Written, seen: LiveService | None) -> bool:
    after = written.after
    if after.status != "ACTIVE":
        return seen is not None and seen.status == "ACTIVE" and seen.created_at <= after.created_at
    if seen is None or seen.created_at < after.created_at:
        return True
    if seen.created_at > after.created_at or seen.status != "ACTIVE":
        return False
    return _before_its_deployment(after, seen) or (_unchanged(written, seen) and not _superseded(after, seen))


def _given_up(written: Written, observation: Observation) -> bool:
    """Whether ECS has rolled the write back. The service is then as it was before it, but that is no old news."""
    rollout = observation.rollout
    return rollout is not None and rollout.failed and rollout.target == written.after.task_definition


def _before_its_deployment(after: LiveService, seen: LiveService) -> bool:
    """Whether the deployment that the write answered is not there yet. A later one tells that it was."""
    primary = after.primary.get("id")
    known = {deployment.get("id") for deployment in seen.deployments}
    later = seen.primary.get("createdAt", 0) > after.primary.get("createdAt", 0)
    return primary is not None and primary not in known and not later


def _superseded(after: LiveService, seen: LiveService) -> bool:
    """Whether the deployment that the write answered is there and no longer the PRIMARY one: it is being rolled back,
    or somebody has changed the service since."""
    primary = after.primary.get("id")
    return primary != seen.primary.get("id") and primary in {one.get("id") for one in seen.deployments}


def _unchanged(written: Written, seen: LiveService) -> bool:
    """Whether something that the write has changed is as it was before."""
    if written.before is None:
        return False
    for member in written.members:
        before, after = _value(written.before, member), _value(written.after, member)
        if after is not None and before != after and _value(seen, member) == before:
            return True
    return False


def _value(service: LiveService, member: str) -> Any:
    """A member of the wire; tags have no order."""
    return service.tags if member == "tags" else service.wire.get(member)
