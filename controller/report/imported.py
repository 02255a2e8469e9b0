"""What came of an import, for the person who asked for it: where each spec comes from, what is left to do, the proof.

Pure text for stderr; the specs themselves go elsewhere. Neighbours: `core.importing.proof` (what is told), `frame`
(findings), `text` (how values are shown).
"""

from collections.abc import Iterable, Iterator

from controller.core.importing.document import Spec
from controller.core.importing.found import Found
from controller.core.importing.proof import Proof
from controller.core.live import ScalableTarget, UnknownScaling
from controller.core.path import show
from controller.report.text import both, clean, table


def imported_text(found: Found, spec: Spec, proof: Proof) -> str:
    """One service: a few lines, each with a word in front that says what it is about."""
    return "\n".join(clean(f"{word:<6} {told}") for word, told in _lines(found, spec, proof))


def _lines(found: Found, spec: Spec, proof: Proof) -> Iterator[tuple[str, str]]:
    cards = ""
    if spec.gaudi is not None:
        said = spec.gaudi.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        cards = f"; gaudi: {', '.join(f'{name} {value}' for name, value in said.items())}"
    left_out = spec.fields - spec.kept
    rest = f", {left_out} go without saying" if left_out > 0 else ""
    yield "read", f"{found.origin}: {spec.fields} values, the spec has {spec.kept}{rest}{cards}"
    match found.observation.scaling:
        case ScalableTarget(minimum=minimum, maximum=maximum) if spec.autoscaled:
            yield "note", f"replicas are left out: Application Auto Scaling moves them, {minimum} to {maximum} tasks"
        case UnknownScaling(message=why):
            yield "note", f"an autoscaler may move the count; then remove `replicas`: {why}"
        case _:
            pass
    for unknown in proof.unknown:
        yield "note", f"{show(unknown.path)} is new to this controller and was left out"
    for one, at in proof.placeholders:
        whose = f" of container {one.container}" if one.container else ""
        what = "say where it is kept" if "secrets" in one.path else "move it to `secrets`, or fill it in"
        yield "todo", f"{at}  {one.name}{whose} looks like a secret and was not copied: {what}"
    moved = any("secrets" in one.path for one, _ in proof.placeholders)
    if moved and not found.register.get("executionRoleArn"):
        yield "note", "`secrets` need an executionRoleArn that may read them, and the task definition has none"
    yield from _verdict(found, proof)


def _verdict(found: Found, proof: Proof) -> Iterator[tuple[str, str]]:
    if proof.in_sync:
        left = len(proof.placeholders)
        but = f", but for {left} placeholder{'s' if left > 1 else ''} to fill in" if left else ""
        yield "check", f"{_in_sync(found, proof)}{but}"
        return
    yield "check", "does NOT plan as in sync:"
    for finding in proof.findings:
        if finding.is_error:
            yield "", f"{finding.at}  {finding.message}"
    rows = [(one.field, both(one.live, one.spec), str(one.origin)) for one in proof.differences]
    yield from (("", line) for line in (table(rows) if rows else ()))
    yield from (("", f"the plan has a step that no difference explains: {step}") for step in proof.beyond)
    yield from (("", hold.message) for hold in proof.holds)


def _in_sync(found: Found, proof: Proof) -> str:
    if found.observation.service is None:
        return "renders as the same task definition"
    if not found.answered:
        return "renders as the same requests"
    if not proof.tags:
        return "plans as in sync"
    tags = f"{len(proof.tags)} tag{'s' if len(proof.tags) > 1 else ''}"
    owner = found.observation.service.ownership.owner
    doing = f"taking it over sets {tags}" if owner is None else f"applying it renews {tags}"
    return f"plans as in sync; {doing} and restarts nothing"


def summary(written: int, in_sync: int, refused: Iterable[object]) -> str:
    """The last line of an import of several services."""
    left = sum(1 for _ in refused)
    parts = [f"{written} imported", f"{in_sync} of them in sync", *([f"{left} refused"] if left else [])]
    return ", ".join(parts)
