"""What to do about it: changes and guards in, ordered steps out.

A plan names digests, never ARNs, and holds for any state that an interrupted pass can leave behind:

    for every live state, spec and k:   plan(apply(live, plan[:k])) == plan[k:]

So a crash between two steps costs nothing: the next pass plans the rest. It holds because each step makes true
something that planning looks at before it proposes the step: a registered revision is found among the candidates, an
updated service no longer differs, the tags come last and say what was applied. One exception, harmless by
idempotence: members that ECS never answers (`monitoring`) are sent again until the digest tag is written.

Guards only ever take steps away. Whatever stops a step is a hold with a reason, so that nothing is silently left
undone. Neighbours: `compare` finds the changes, `prune` plans deletions, `reconcile` carries steps out, `status`
tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from controller.core.compare import Change, Comparison, bookkeeping_differences, compare, content, same_content
from controller.core.fields.service import SERVICE_MEMBERS, Sent
from controller.core.live import LiveService, Observation, Revision
from controller.core.normalize import Unknown, digest
from controller.core.ownership import DIGEST, GENERATION, OWNER, REMEMBERED
from controller.core.render import Rendered, client_token
from controller.core.spec import Mode, Reconcile
from controller.core.workload import Key
from controller.reasons import Reason


class Drift(StrEnum):
    """How a workload stands against what is live."""

    IN_SYNC = "InSync"
    DRIFTED = "Drifted"
    MISSING = "Missing"
    ORPHANED = "Orphaned"
    INVALID = "Invalid"
    BLOCKED = "Blocked"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class EnsureTaskDefinition:
    """Register a revision with this content, unless an ACTIVE one exists."""

    family: str
    digest: str
    request: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CreateService:
    """Create the service, tags included, on the revision with this content."""

    key: Key
    digest: str
    request: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class UpdateService:
    """Send only what differs; `digest` where the task definition does."""

    key: Key
    members: Mapping[str, Any] = field(repr=False)
    digest: str | None = None
    force_new_deployment: bool = False


@dataclass(frozen=True, slots=True)
class TagService:
    """Put and remove tags of our own."""

    key: Key
    put: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScaleToZero:
    """Before a deletion: let the tasks stop as their service stops them."""

    key: Key


@dataclass(frozen=True, slots=True)
class DeleteService:
    """Delete the service; it drains and becomes INACTIVE."""

    key: Key


Step: TypeAlias = EnsureTaskDefinition | CreateService | UpdateService | TagService | ScaleToZero | DeleteService


@dataclass(frozen=True, slots=True)
class Hold:
    """Why something that differs is not written. `after` is when to look again (seconds), None is: when something
    changes."""

    reason: Reason
    message: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one key needs."""

    key: Key
    drift: Drift
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    holds: tuple[Hold, ...] = ()
    ignored: int = 0
    unknown: tuple[Unknown, ...] = ()
    revisions: Mapping[str, str] = field(default_factory=dict)
    """Digest → ARN of the registered revision that already has that content: no part of the plan, only its lookup."""

    @property
    def blocked(self) -> bool:
        """Whether something is to be done and a guard keeps all of it back."""
        return bool(self.holds) and not self.steps and self.drift is not Drift.IN_SYNC


@dataclass(frozen=True, slots=True)
class Guards:
    """What planning must know beside spec and live state."""

    now: datetime
    owner: str
    ready: Mapping[str, bool] = field(default_factory=dict)
    """`cluster/name` of other workloads → whether they are in sync and healthy. Absent is: not known, so not ready."""
    force: bool = False
    """The user asked to try a rolled-back revision again."""


DRAINING_POLL = 10.0
"""Seconds until a draining service is looked at again. Tasks stop within their stopTimeout (30 s unless set)."""
DEPENDENCY_POLL = 30.0
"""Seconds until an unready dependency is looked at again. Source: Flux, --requeue-dependency."""
ROLLBACK_POLL = 15.0
"""Seconds until a service that is being rolled back is looked at again."""


def plan(rendered: Rendered, observation: Observation, guards: Guards) -> Plan:
    """The steps that make a workload true, and what keeps them back."""
    reconcile = rendered.workload.document.spec.reconcile
    if reconcile.mode is Mode.OFF:
        return Plan(rendered.workload.key, Drift.UNKNOWN, holds=(Hold(Reason.RECONCILE_OFF, "reconcile.mode is off"),))
    live = observation.service
    if live is None:
        return _guarded(_create(rendered, observation), reconcile, guards, remembered=())
    if live.draining:
        message = f"service {live.name} was deleted and still drains; ECS refuses the name until its tasks have stopped"
        return Plan(rendered.workload.key, Drift.BLOCKED, holds=(Hold(Reason.DRAINING, message, DRAINING_POLL),))
    comparison = compare(rendered, live, observation)
    refusal = _refusal(live, guards.owner, adopt=reconcile.adopt) or _replacement(comparison)
    if refusal:
        return _compared(rendered, comparison, Drift.BLOCKED, holds=(refusal,))
    remembered = _remembered(rendered, live, guards.owner) if reconcile.mode is Mode.ENFORCE else ()
    return _guarded(
        _converge(rendered, observation, live, comparison, guards), reconcile, guards, remembered=remembered
    )


def _create(rendered: Rendered, observation: Observation) -> Plan:
    key = rendered.workload.key
    register = rendered.register
    name = digest(dict(content(register).members))
    equal = _equal(register, observation)
    request = {n: value for n, value in rendered.create.items() if n not in ("taskDefinition", "clientToken")}
    token = client_token(rendered.workload, rendered.digest, previous=observation.previous)
    steps: tuple[Step, ...] = (CreateService(key, name, {**request, "clientToken": token}),)
    if equal is None:
        steps = (EnsureTaskDefinition(rendered.family, name, register), *steps)
    return Plan(key, Drift.MISSING, steps=steps, revisions={name: equal.arn} if equal else {})


def _equal(register: Mapping[str, Any], observation: Observation) -> Revision | None:
    """The newest ACTIVE revision that already is what would be registered."""
    usable = (one for one in observation.candidates if one.active)
    return next((one for one in usable if same_content(register, one)), None)


def _converge(
    rendered: Rendered, observation: Observation, live: LiveService, comparison: Comparison, guards: Guards
) -> Plan:
    key = rendered.workload.key
    steps: list[Step] = []
    holds: list[Hold] = []
    revisions: dict[str, str] = {}
    if live.ownership.owner is None:
        steps.append(TagService(key, put={OWNER: guards.owner}))
    task_definition: str | None = None
    if comparison.task_definition_differs:
        equal = _equal(comparison.register, observation)
        hold = None if guards.force else _rolled_back(observation, equal.arn if equal else None, live)
        if hold:
            holds.append(hold)
        else:
            task_definition = comparison.digest
            if equal is None:
                steps.append(EnsureTaskDefinition(rendered.family, comparison.digest, comparison.register))
            else:
                revisions = {comparison.digest: equal.arn}
    if comparison.update or task_definition:
        forced = any(SERVICE_MEMBERS[name].sent is Sent.FORCED for name in comparison.update)
        steps.append(UpdateService(key, comparison.update, task_definition, force_new_deployment=forced))
    tags = _tags(rendered, live, comparison)
    if holds:
        steps += _remembered(rendered, live, guards.owner)
    elif tags:
        steps.append(tags)
    drift = Drift.DRIFTED if steps or comparison.changes else Drift.IN_SYNC
    full = _compared(rendered, comparison, Drift.BLOCKED if holds and not steps else drift, tuple(steps), tuple(holds))
    return replace(full, revisions=revisions)


def _tags(rendered: Rendered, live: LiveService, comparison: Comparison) -> TagService | None:
    """The last step: the user's tags, and what says that this spec was applied."""
    put = dict(comparison.tags.put)
    remove = list(comparison.tags.remove)
    wrong = set(bookkeeping_differences(rendered, live)) - {OWNER}
    put |= {key: rendered.tags[key] for key in sorted(wrong) if key in rendered.tags}
    if DIGEST in wrong:
        put[GENERATION] = str(live.ownership.generation + 1)
    remove += sorted(key for key in wrong & REMEMBERED if key not in rendered.tags)
    return TagService(rendered.workload.key, put, tuple(remove)) if put or remove else None


def _remembered(rendered: Rendered, live: LiveService, owner: str) -> tuple[Step, ...]:
    """What a held workload is told all the same: what becomes of it once its spec is gone and can say it no more."""
    if live.ownership.owner != owner:
        return ()
    wrong = sorted(key for key in REMEMBERED if live.tags.get(key) != rendered.tags.get(key))
    put = {key: rendered.tags[key] for key in wrong if key in rendered.tags}
    remove = tuple(key for key in wrong if key not in rendered.tags)
    return (TagService(rendered.workload.key, put, remove),) if wrong else ()


def _compared(
    rendered: Rendered,
    comparison: Comparison,
    drift: Drift,
    steps: tuple[Step, ...] = (),
    holds: tuple[Hold, ...] = (),
) -> Plan:
    return Plan(
        rendered.workload.key,
        drift,
        changes=comparison.changes,
        steps=steps,
        holds=holds,
        ignored=comparison.ignored,
        unknown=comparison.unknown,
    )


# Guards
# ----------------------------------------------------------------------------------------------------------------


def _refusal(live: LiveService, owner: str, *, adopt: bool) -> Hold | None:
    """Services that are not ours to touch."""
    ownership = live.ownership
    if live.managed_by is not None:
        return Hold(Reason.FOREIGN_CONTROLLER, f"service {live.name} {live.managed_by}")
    if ownership.owner not in (None, owner):
        return Hold(Reason.OWNED_BY_ANOTHER, f"service {live.name} is owned by controller `{ownership.owner}`")
    if ownership.owner is None and not adopt:
        message = f"service {live.name} exists and nobody owns it; set reconcile.adopt: true to take it over"
        return Hold(Reason.NOT_OWNED, message)
    return None


def _replacement(comparison: Comparison) -> Hold | None:
    if not comparison.replaces:
        return None
    members = ", ".join(comparison.replaces)
    message = f"only a new service can have another {members}; delete it, or change the spec back"
    return Hold(Reason.REPLACE_REQUIRED, message)


def _rolled_back(observation: Observation, wanted: str | None, live: LiveService) -> Hold | None:
    """A revision that ECS gave up on is not tried again until the spec, and so the wanted revision, changes."""
    rollout = observation.rollout
    if rollout is None or not rollout.failed or wanted is None or rollout.target != wanted:
        return None
    why = f" ({rollout.reason.rstrip('.')})" if rollout.reason else ""
    message = (
        f"ECS rolled back {_short(rollout.target)} to {_short(live.task_definition)}{why};"
        " it is not tried again until the spec changes"
    )
    return Hold(Reason.ROLLED_BACK, message, None if rollout.status.startswith("ROLLBACK_S") else ROLLBACK_POLL)


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]


def _guarded(full: Plan, reconcile: Reconcile, guards: Guards, *, remembered: tuple[Step, ...]) -> Plan:
    """The plan without the steps that a guard forbids. A suspension is written to the service itself, so that it holds
    on when the spec that says it goes away."""
    if not full.steps:
        return full
    hold: Hold | None = None
    kept: tuple[Step, ...] = ()
    if reconcile.suspend and reconcile.suspend.active(guards.now):
        until = reconcile.suspend.until
        message = f"suspended until {until.isoformat()}: {reconcile.suspend.reason}"
        hold = Hold(Reason.SUSPENDED, message, (until - guards.now).total_seconds())
        kept = remembered
    elif reconcile.mode is Mode.NOTIFY:
        hold = Hold(Reason.NOTIFY_ONLY, "reconcile.mode is notify: reported, never written")
    elif waits := [name for name in reconcile.depends_on if not guards.ready.get(name, False)]:
        hold = Hold(
            Reason.DEPENDENCY_NOT_READY, f"waits for {', '.join(waits)} to be in sync and healthy", DEPENDENCY_POLL
        )
    if hold is None:
        return full
    drift = Drift.BLOCKED if hold.reason is Reason.DEPENDENCY_NOT_READY else full.drift
    return replace(full, drift=drift, steps=kept, holds=(*full.holds, hold))
