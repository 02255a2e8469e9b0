"""Whether a written spec means what it was made from: the text goes the whole way of a spec, and is compared.

Parse, render, policy, plan: the same functions as in a pass, over the letters of the file. On the live side the secrets
are hidden by the rule that has hidden them in the spec, so that everything else still must be equal. In sync is a spec
whose plan writes nothing but the tags that say who manages the service. Neighbours: `document` (made the text), `plan`
(is asked), `secrets` (the placeholders).
"""

from dataclasses import dataclass
from datetime import datetime

from controller.core.applied import Cause
from controller.core.changes import Change, change
from controller.core.compare import SERVICE, content
from controller.core.diagnostics import Code, Diagnostic, Span
from controller.core.diff import diff
from controller.core.fields.service import SERVICE_MEMBERS, Answered, Effect
from controller.core.importing.document import Choices, Spec
from controller.core.importing.found import Found
from controller.core.importing.secrets import Hidden, hide
from controller.core.normalize import Unknown, normalize
from controller.core.parse import parse
from controller.core.path import show
from controller.core.plan import plan
from controller.core.policy import check
from controller.core.render import Rendered, render
from controller.core.service_tags import OUR_OWN
from controller.core.steps import Guards, Hold, TagService


@dataclass(frozen=True, slots=True)
class Proof:
    """What planning a written spec against its original says."""

    findings: tuple[Diagnostic, ...]
    """What is wrong with the spec, warnings included; placeholders are told by `placeholders`."""
    placeholders: tuple[tuple[Hidden, Span], ...] = ()
    """What somebody must fill in, and where."""
    differences: tuple[Change, ...] = ()
    """Fields that would be changed."""
    tags: tuple[str, ...] = ()
    """Tags of our own that taking the service over would set or take away."""
    beyond: tuple[str, ...] = ()
    """Steps of the plan that no difference explains."""
    holds: tuple[Hold, ...] = ()
    """What would keep the plan back."""
    unknown: tuple[Unknown, ...] = ()
    """Members that ECS has answered and nobody knows here: a spec cannot say them."""

    @property
    def in_sync(self) -> bool:
        """Whether the spec changes nothing about what runs. Placeholders are no difference."""
        wrong = any(finding.is_error for finding in self.findings)
        return not (wrong or self.differences or self.beyond or self.holds)


def prove(spec: Spec, found: Found, choices: Choices, *, file: str, now: datetime, line: int = 0) -> Proof:
    """Plan a written spec, as the content of a file of this name behind so many lines, against what it was made
    from."""
    parsed = parse({file: ("\n" * line + spec.text).encode(errors="surrogatepass")})
    if not parsed.workloads:
        return Proof(parsed.diagnostics, tuple((one, Span(file, 1, 1)) for one in spec.hidden))
    (workload,) = parsed.workloads
    rendering = render(workload, choices.settings)
    placed = ((one, workload.origin(("spec", *one.path))) for one in spec.hidden)
    placeholders = tuple(sorted(placed, key=lambda one: one[1]))
    if rendering.rendered is None:
        return Proof((*parsed.diagnostics, *rendering.diagnostics), placeholders)
    judged = (*rendering.diagnostics, *check(rendering.rendered, choices.settings))
    findings = (*parsed.diagnostics, *(one for one in judged if one.code is not Code.PLACEHOLDER))
    hidden = found.with_register(hide(found.register, plain=choices.plain)[0])
    if hidden.observation.service is None:
        return Proof(findings, placeholders, differences=_of_task_definitions(rendering.rendered, hidden))
    return _planned(rendering.rendered, hidden, findings, placeholders, owner=choices.settings.owner, now=now)


def _planned(
    rendered: Rendered,
    found: Found,
    findings: tuple[Diagnostic, ...],
    placeholders: tuple[tuple[Hidden, Span], ...],
    *,
    owner: str,
    now: datetime,
) -> Proof:
    planned = plan(rendered, found.observation, Guards(now=now, owner=owner))
    differences = (
        *(one for one in planned.changes if not _is_our_own(one)),
        *_of_what_ecs_never_answers(rendered, found),
    )
    tagging = [step for step in planned.steps if isinstance(step, TagService)]
    others = [type(step).__name__ for step in planned.steps if not isinstance(step, TagService)]
    return Proof(
        findings,
        placeholders,
        differences=differences,
        tags=tuple(sorted({key for step in tagging for key in (*step.put, *step.remove)} & OUR_OWN)),
        beyond=() if differences or not found.answered else tuple(others),
        holds=planned.holds,
        unknown=planned.unknown,
    )


def _of_what_ecs_never_answers(rendered: Rendered, found: Found) -> tuple[Change, ...]:
    """Members that somebody has asked for and that no plan can compare, because of a live service nobody knows them."""
    if found.answered:
        return ()
    asked, wanted = (
        {name: value for name, value in side.items() if SERVICE_MEMBERS[name].answered is Answered.NOWHERE}
        for side in (rendered.canonical.service, normalize(SERVICE, found.service).members)
    )
    differences = diff(asked, wanted, ("service",))
    return tuple(
        change(rendered, one, effect=Effect.NEXT_DEPLOYMENT, tasks=0, cause=Cause.UNKNOWN) for one in differences
    )


def _is_our_own(difference: Change) -> bool:
    return show(difference.path[:2]) == "service.tags" and getattr(difference.path[-1], "key", None) in OUR_OWN


def _of_task_definitions(rendered: Rendered, found: Found) -> tuple[Change, ...]:
    """Without a service only the task definitions can be compared."""
    differences = diff(content(rendered.register).members, content(found.register).members, ("taskDefinition",))
    return tuple(change(rendered, one, effect=Effect.NEW_REVISION, tasks=0, cause=Cause.UNKNOWN) for one in differences)
