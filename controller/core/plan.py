"""What to do about it: changes and guards in, ordered steps out.

A plan names digests, never ARNs, and holds for any state that an interrupted pass can leave behind:

    for every live state, spec and k:   plan(apply(live, plan[:k])) == plan[k:]

So a crash between two steps costs nothing: the next pass plans the rest. It holds because each step makes true
something that planning looks at before it proposes the step: a registered revision is found among the candidates, an
updated service no longer differs, the tags come last and say what was applied. One exception, harmless by
idempotence: members that ECS never answers (`monitoring`) are sent again until the tag that remembers them is written.

Guards only ever take steps away. Whatever stops a step is a hold with a reason, so that nothing is silently left
undone. Neighbours: `compare` finds the changes, `steps` has the words, `guards` the holds, `prune` plans deletions,
`reconcile` carries steps out, `status` tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from controller.core.applied import HISTORY, Applied, history_tag
from controller.core.compare import Comparison, compare, revision_tags, same_content
from controller.core.fields.service import SERVICE_MEMBERS, Sent
from controller.core.guards import DRAINING_POLL, autoscaled, guarded, refusal, replacement, rolled_back
from controller.core.live import LiveService, Observation, Revision, UnknownUse
from controller.core.ownership import DIGEST, GENERATION, OWNER, REMEMBERED
from controller.core.render import Rendered, client_token
from controller.core.service_tags import bookkeeping_differences
from controller.core.spec import Mode
from controller.core.steps import (
    CreateService,
    DeleteService,
    DeregisterTaskDefinition,
    Drift,
    EnsureTaskDefinition,
    Guards,
    Hold,
    Plan,
    ScaleToZero,
    Step,
    TagService,
    TagTaskDefinition,
    UpdateService,
    deletion,
)
from controller.reasons import Reason

__all__ = [
    "DRAINING_POLL",
    "CreateService",
    "DeleteService",
    "DeregisterTaskDefinition",
    "Drift",
    "EnsureTaskDefinition",
    "Guards",
    "Hold",
    "Plan",
    "ScaleToZero",
    "Step",
    "TagService",
    "TagTaskDefinition",
    "UpdateService",
    "plan",
]


def plan(rendered: Rendered, observation: Observation, guards: Guards) -> Plan:
    """The steps that make a workload true, and what keeps them back."""
    reconcile = rendered.workload.service_spec.reconcile
    if reconcile.mode is Mode.OFF:
        return Plan(rendered.workload.key, Drift.UNKNOWN, holds=(Hold(Reason.RECONCILE_OFF, "reconcile.mode is off"),))
    live = observation.service
    if live is None:
        return guarded(_create(rendered, observation), reconcile, guards, remembered=())
    if live.draining:
        message = f"service {live.name} was deleted and still drains; ECS refuses the name until its tasks have stopped"
        return Plan(rendered.workload.key, Drift.BLOCKED, holds=(Hold(Reason.DRAINING, message, DRAINING_POLL),))
    comparison = compare(rendered, live, observation, by=partial(guards.callers, rendered.workload.key))
    foreign = refusal(live, guards.owner, adopt=reconcile.adopt)
    if foreign:
        return _compared(rendered, comparison, Drift.BLOCKED, holds=(foreign,))
    replacing = replacement(comparison, allowed=reconcile.replace)
    if replacing and not reconcile.replace:
        return _compared(rendered, comparison, Drift.BLOCKED, holds=(replacing,))
    if replacing:
        steps = (*_taking_over(rendered, live, guards.owner), *deletion(rendered.workload.key, live))
        full = _compared(rendered, comparison, Drift.DRIFTED, steps=steps, holds=(replacing,))
    else:
        full = _converge(rendered, observation, live, comparison, guards)
    remembered = _remembered(rendered, live, guards.owner) if reconcile.mode is Mode.ENFORCE else ()
    return guarded(full, reconcile, guards, remembered=remembered)


def _create(rendered: Rendered, observation: Observation) -> Plan:
    key = rendered.workload.key
    name = rendered.canonical.digest
    revision = _revision(rendered, rendered.register, name, observation, [])
    request = {n: value for n, value in rendered.create.items() if n not in ("taskDefinition", "clientToken")}
    token = client_token(rendered.workload, rendered.digest, previous=observation.previous)
    create = CreateService(key, name, {**request, "clientToken": token})
    return Plan(key, Drift.MISSING, steps=(*revision.steps, create), revisions=revision.known)


def _converge(
    rendered: Rendered, observation: Observation, live: LiveService, comparison: Comparison, guards: Guards
) -> Plan:
    holds: list[Hold] = []
    update = dict(comparison.update)
    scaling = autoscaled(live, observation.scaling) if "desiredCount" in update else None
    if scaling:
        holds.append(scaling)
        del update["desiredCount"]
    revision = _in_use(rendered, observation, comparison)
    if comparison.task_definition_differs:
        patterns = [rule.path for rule in rendered.workload.service_spec.reconcile.ignore]
        revision = _revision(rendered, comparison.register, comparison.digest, observation, patterns)
    back = None
    if comparison.task_definition_differs and not guards.force:
        back = rolled_back(observation, revision.known.get(comparison.digest), live)
    if back:
        holds.append(back)
        revision = _Revision()
    steps = [*_taking_over(rendered, live, guards.owner), *revision.steps]
    if update or revision.deploy:
        forced = any(SERVICE_MEMBERS[name].sent is Sent.FORCED for name in update)
        deployed = comparison.digest if revision.deploy else None
        steps.append(UpdateService(rendered.workload.key, update, deployed, force_new_deployment=forced))
    last = _last(rendered, observation, live, comparison, applied=back is None)
    steps += last
    if isinstance(observation.superfluous, UnknownUse) and last:
        holds.append(Hold(Reason.ACCESS_DENIED, f"old revisions are not retired: {observation.superfluous.message}"))
    drift = Drift.DRIFTED if steps or comparison.changes else Drift.IN_SYNC
    full = _compared(rendered, comparison, Drift.BLOCKED if holds and not steps else drift, tuple(steps), tuple(holds))
    return replace(full, revisions=revision.known)


def _taking_over(rendered: Rendered, live: LiveService, owner: str) -> tuple[Step, ...]:
    """An adopted service is ours before anything else is done to it."""
    return (TagService(rendered.workload.key, put={OWNER: owner}),) if live.ownership.owner is None else ()


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


# Task definitions
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Revision:
    """How the wanted task definition comes to be."""

    steps: tuple[Step, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    """Digest → ARN where it exists already."""
    deploy: bool = False
    """Whether the service is to be told."""


def _revision(
    rendered: Rendered, register: Mapping[str, Any], name: str, observation: Observation, patterns: list[str]
) -> _Revision:
    """A revision that already is what would be registered, its tags put right, or a new one."""
    equal = _equal(register, observation)
    if equal is None:
        return _Revision((EnsureTaskDefinition(rendered.family, name, register),), deploy=True)
    return _Revision(_tagged(rendered, name, equal, patterns), {name: equal.arn}, deploy=True)


def _equal(register: Mapping[str, Any], observation: Observation) -> Revision | None:
    """The newest ACTIVE revision that already is what would be registered."""
    usable = (one for one in observation.candidates if one.active)
    return next((one for one in usable if same_content(register, one)), None)


def _in_use(rendered: Rendered, observation: Observation, comparison: Comparison) -> _Revision:
    """The revision that the service uses, which has the right content."""
    revision = observation.revision
    if revision is None:
        return _Revision()
    patterns = [rule.path for rule in rendered.workload.service_spec.reconcile.ignore]
    steps = _tagged(rendered, comparison.digest, revision, patterns)
    return _Revision(steps, {comparison.digest: revision.arn} if steps else {})


def _tagged(rendered: Rendered, name: str, revision: Revision, patterns: list[str]) -> tuple[Step, ...]:
    put = revision_tags(rendered, revision, patterns)
    return (TagTaskDefinition(rendered.family, name, put),) if put else ()


# Tags
# ---------------------------------------------------------------------------------------------------------------


def _last(
    rendered: Rendered, observation: Observation, live: LiveService, comparison: Comparison, *, applied: bool
) -> tuple[Step, ...]:
    """The last steps: the user's tags, and what says that this spec was applied. Where old revisions are retired, that
    comes after, so that a refusal keeps nothing else back; the history then closes the plan."""
    key = rendered.workload.key
    put, remove = dict(comparison.tags.put), list(comparison.tags.remove)
    wrong = set(bookkeeping_differences(rendered, live)) - {OWNER}
    if not applied:
        wrong -= {DIGEST, HISTORY}
    for name in sorted(wrong):
        if name == HISTORY:
            put[name] = history_tag(rendered.tags[HISTORY], Applied.of(live.tags).revisions)
        elif name in rendered.tags:
            put[name] = rendered.tags[name]
        else:
            remove.append(name)
    if DIGEST in wrong:
        put[GENERATION] = str(live.ownership.generation + 1)
    superfluous = observation.superfluous
    if not applied or HISTORY not in wrong or not superfluous or isinstance(superfluous, UnknownUse):
        return (TagService(key, put, tuple(remove)),) if put or remove else ()
    history = {HISTORY: put.pop(HISTORY)}
    first = (TagService(key, put, tuple(remove)),) if put or remove else ()
    retired = (DeregisterTaskDefinition(rendered.family, number) for number in superfluous)
    return (*first, *retired, TagService(key, history))


def _remembered(rendered: Rendered, live: LiveService, owner: str) -> tuple[Step, ...]:
    """What a held workload is told all the same: what becomes of it once its spec is gone and can say it no more."""
    if live.ownership.owner != owner:
        return ()
    wrong = sorted(key for key in REMEMBERED if live.tags.get(key) != rendered.tags.get(key))
    put = {key: rendered.tags[key] for key in wrong if key in rendered.tags}
    remove = tuple(key for key in wrong if key not in rendered.tags)
    return (TagService(rendered.workload.key, put, remove),) if wrong else ()
