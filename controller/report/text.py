"""The plan for people: one line per field, what differs, where it is written, what it does.

A pure function of the report; colour only when asked for. Text from specs and from AWS is escaped, so that nothing in
it can move the cursor or forge a line. Neighbours: `document` (the same as JSON), `frame` (spec errors).
"""

import hashlib
import itertools
import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

from controller.core.applied import Cause
from controller.core.changes import Change
from controller.core.pass_report import PassReport, Verdict, WorkloadReport, settled
from controller.core.path import show
from controller.core.plan import CreateService, DeleteService, Drift, Hold, ScaleToZero, Step
from controller.core.quoting import escaped
from controller.core.redact import redact
from controller.core.status import HealthState

LONGEST_VALUE: Final = 60
"""Characters of a value; what is longer is cut in the middle and carries a digest of the whole."""
TITLE: Final = 40
"""Columns of a workload's name in the plan."""
WIDEST_COLUMN: Final = 72
"""Columns up to which the changes of a workload are aligned."""
DIGEST: Final = 8
"""Hexadecimal digits of the digest of a value that is cut."""
KEPT_BEFORE: Final = 12
"""Characters that stay of what two long texts have in common, so that the eye finds the place."""

_COLOURS: Final = {"+": "32", "~": "33", "-": "31", "!": "35", "=": "2", "?": "31", "dim": "2", "bold": "1"}
_MARKS: Final = {
    Verdict.CREATE: "+",
    Verdict.UPDATE: "~",
    Verdict.DELETE: "-",
    Verdict.BLOCKED: "!",
    Verdict.INVALID: "!",
    Verdict.IN_SYNC: "=",
    None: "?",
}


def plan_text(report: PassReport, *, colour: bool = False, verbose: bool = False) -> str:
    """The plan as lines. Workloads that are in sync are counted, and listed only if `verbose`.

    What went wrong at run time is named here by its reason; `failures` has the sentences.
    """
    paint = _Paint(colour)
    mode = "applied" if report.applied else "DRY RUN, nothing is written"
    lines = [f"source  {clean(redact(report.uri))} @ {clean(report.revision)}    {paint('bold', mode)}"]
    for workload in report.workloads:
        if verbose or workload.verdict is not Verdict.IN_SYNC or workload.done or workload.last_good or workload.error:
            lines.extend(_workload(workload, paint))
    lines.append(summary(report))
    return "\n".join(lines) + "\n"


def summary(report: PassReport) -> str:
    """What would be done, or was done, as one line of counts."""
    return _applied(report) if report.applied else _planned(report)


def failures(report: PassReport) -> list[str]:
    """What went wrong at run time and what to do about it, each sentence once, with what it is about."""
    about: dict[str, list[str]] = {}
    for cluster, error in report.failed.items():
        about.setdefault(str(error), []).append(f"cluster {cluster}")
    for workload in report.workloads:
        if workload.error is not None and workload.key.cluster not in report.failed:
            about.setdefault(str(workload.error), []).append(str(workload.key))
    for workload in report.workloads if report.unhealthy else ():
        if workload.verdict not in (Verdict.INVALID, Verdict.DELETE, None) and not settled(workload):
            about.setdefault(f"not healthy in time: {_note(workload)}", []).append(str(workload.key))
    return [clean(redact(f"{_named(names)}: {sentence}")) for sentence, names in about.items()]


def progress(workloads: Sequence[WorkloadReport]) -> dict[str, str]:
    """Workload → how it stands at this moment of a rollout, as one line."""
    return {
        str(one.key): clean(redact(f"{one.key}  {one.error.reason if one.error else one.health.state}: {_news(one)}"))
        for one in workloads
    }


def _news(workload: WorkloadReport) -> str:
    return _note(workload) or workload.health.message


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def status_text(workloads: Sequence[WorkloadReport], *, colour: bool = False) -> str:
    """The state of every workload as a table: spec, drift, health, tasks, cards."""
    paint = _Paint(colour)
    rows = [("WORKLOAD", "SPEC", "DRIFT", "HEALTH", "RUN", "CARDS", "NOTE")]
    rows.extend(
        (
            clean(str(one.key)),
            "Invalid" if one.last_good or one.plan.drift is Drift.INVALID else "Accepted",
            _drift(one),
            str(one.health.state),
            f"{one.tasks[0]}/{one.tasks[1]}" if one.tasks else "-",
            str(one.cards) if one.cards else "-",
            clean(_note(one)),
        )
        for one in workloads
    )
    lines = table(rows)
    lines[0] = paint("dim", lines[0])
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Sequence[str]], *, widest: int | None = None) -> list[str]:
    """Rows as aligned lines, the last column not padded. A cell wider than `widest` columns moves its own row only."""
    cells = [[columns(cell) for cell in row] for row in rows]
    widths = [
        max((one for one in column if widest is None or one <= widest), default=0)
        for column in list(zip(*cells, strict=True))[:-1]
    ]
    return [
        "  ".join([*(padded(cell, width) for cell, width in zip(row[:-1], widths, strict=True)), row[-1]]).rstrip()
        for row in rows
    ]


def padded(text: str, width: int) -> str:
    """The text with spaces up to a width in terminal columns."""
    return text + " " * max(width - columns(text), 0)


def columns(text: str) -> int:
    """Terminal columns of a text: East Asian characters take two, marks that join their neighbour none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clean(text: str) -> str:
    """The text with control characters spelled out, so that it stays one line and cannot command a terminal."""
    return escaped(text)


def value(shown: Any) -> str:
    """A value on one line: text plain, everything else as JSON; a long one cut, with a digest of the whole, so that a
    change in the part that is left out shows."""
    return _cut(_whole(shown))


def both(live: Any, spec: Any) -> str:
    """Two values beside each other. What long texts have in common at their beginning is cut."""
    if isinstance(live, str) and isinstance(spec, str):
        alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(live, spec, strict=False))
        same = sum(1 for _ in alike) - KEPT_BEFORE
        if same > 0 and max(len(live), len(spec)) > LONGEST_VALUE:
            return f"…{_cut(clean(live[same:]))} → …{_cut(clean(spec[same:]))}"
    return f"{value(live)} → {value(spec)}"


def _whole(shown: Any) -> str:
    if shown is None:
        return "(absent)"
    if isinstance(shown, str):
        return clean(shown) or '""'
    return clean(json.dumps(shown, ensure_ascii=False, sort_keys=True))


def _cut(text: str) -> str:
    if len(text) <= LONGEST_VALUE:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST]
    half = (LONGEST_VALUE - 1) // 2
    return f"{text[:half]}…{text[-half:]} (sha256:{digest})"


class _Paint:
    """Colours a piece of text, or leaves it."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if self._colour else text


def _workload(workload: WorkloadReport, paint: _Paint) -> Iterable[str]:
    mark = _MARKS[workload.verdict]
    title, story = f"{mark} {clean(str(workload.key))}", headline(workload)
    yield f"{paint(mark, padded(title, TITLE))}  {story}" if story else paint(mark, title)
    yield from (f"    {line}" for line in _changes(workload.plan.changes, paint))
    for unknown in workload.plan.unknown:
        yield paint("dim", f"    {clean(show(unknown.path))} {unknown.why}; shown, not compared")
    for hold in workload.plan.holds:
        yield f"    {paint('!', hold.reason)}: {clean(redact(hold.message))}"


def headline(workload: WorkloadReport) -> str:
    """How a workload stands and what is to be done about it, in one clause."""
    parts: list[str] = []
    plan = workload.plan
    if workload.done:
        parts.append(f"done: {_steps(workload.done)}")
    if plan.changes:
        parts.append(f"{len(plan.changes)} fields differ" if len(plan.changes) > 1 else "1 field differs")
    if plan.steps:
        parts.append(_steps(plan.steps))
    if workload.verdict is Verdict.CREATE and workload.cards:
        parts.append(f"{workload.cards} cards" if workload.cards > 1 else "1 card")
    if plan.ignored:
        parts.append(f"{plan.ignored} ignored")
    if workload.last_good:
        parts.append("the newest document is invalid, the last good one stands")
    if workload.error is not None:
        parts.append(f"{'not observed' if plan.drift is Drift.UNKNOWN else 'failed'}: {workload.error.reason}")
    elif not plan.steps and not plan.holds:
        parts.append(_drift(workload))
        if plan.drift is not Drift.INVALID:
            parts.append(str(workload.health.state))
    return ", ".join(parts)


def _steps(steps: Sequence[Step]) -> str:
    """What the steps do, in one clause."""
    names = {
        "EnsureTaskDefinition": "new revision",
        "TagTaskDefinition": "tag the revision",
        "CreateService": "create",
        "UpdateService": "update",
        "TagService": "tag",
        "ScaleToZero": "scale to 0",
        "DeleteService": "delete",
        "DeregisterTaskDefinition": "retire old revisions",
        "RecordRun": "write down the run",
        "RunTask": "run",
        "StopTask": "stop tasks",
    }
    told = [names[type(step).__name__] for step in steps]
    return " + ".join(dict.fromkeys(told))


def change_lines(changes: Sequence[Change]) -> list[str]:
    """The changes as aligned lines: field, both values, where it is written, what it does, who has moved."""
    return _changes(changes, _Paint(False))


def _changes(changes: Sequence[Change], paint: _Paint) -> list[str]:
    if not changes:
        return []
    rows = [
        (
            clean(change.field),
            both(change.live, change.spec),
            f"{clean(change.origin.file)}:{change.origin.line}",
            change.effect,
            _who(change),
        )
        for change in changes
    ]
    return [paint("~", line) for line in table(rows, widest=WIDEST_COLUMN)]


def _who(change: Change) -> str:
    """Whose move made the difference, as far as that is known."""
    live = f"changed live by {clean(change.by)}" if change.by else str(Cause.LIVE)
    match change.cause:
        case Cause.SPEC:
            return str(Cause.SPEC)
        case Cause.LIVE:
            return live
        case Cause.BOTH:
            return f"{Cause.SPEC}, and {live}"
        case Cause.UNKNOWN:
            return live if change.by else ""


def _planned(report: PassReport) -> str:
    """What would be done, as one line."""
    counts = report.summary
    parts = [
        f"{counts[Verdict.CREATE]} to create",
        f"{counts[Verdict.UPDATE]} to update",
        f"{counts[Verdict.DELETE]} to delete",
    ]
    return f"plan: {', '.join([*parts, *_rest(report)])}"


def _applied(report: PassReport) -> str:
    """What was done and what is left, as one line."""
    kinds = [{type(step) for step in workload.done} for workload in report.workloads]
    created = sum(CreateService in done for done in kinds)
    deleted = sum(bool({ScaleToZero, DeleteService} & done) for done in kinds)
    updated = sum(map(bool, kinds)) - created - deleted
    parts = [f"{created} created", f"{updated} updated", f"{deleted} deleted"]
    left = sum(report.summary[verdict] for verdict in (Verdict.CREATE, Verdict.UPDATE, Verdict.DELETE))
    rolling = sum(
        workload.verdict is Verdict.IN_SYNC and workload.health.state is HealthState.PROGRESSING
        for workload in report.workloads
    )
    return "".join(
        (
            f"applied: {', '.join([*parts, *([f'{left} left to do'] if left else []), *_rest(report)])}",
            f", {rolling} still rolling out (--wait follows them)" if rolling and not report.unhealthy else "",
        )
    )


def _rest(report: PassReport) -> list[str]:
    """How many need somebody, where there are any, and how many need nothing."""
    counts = report.summary
    failing = [workload for workload in report.workloads if workload.error is not None]
    unseen = sum(workload.plan.drift is Drift.UNKNOWN for workload in failing)
    parts = {
        "blocked": counts[Verdict.BLOCKED],
        "invalid": counts[Verdict.INVALID],
        "failed": len(failing) - unseen,
        "not observed": unseen,
    }
    return [*(f"{count} {word}" for word, count in parts.items() if count), f"{counts[Verdict.IN_SYNC]} in sync"]


def _drift(workload: WorkloadReport) -> str:
    count = len(workload.plan.changes)
    return f"{workload.plan.drift} {count}" if count else str(workload.plan.drift)


def _note(workload: WorkloadReport) -> str:
    if workload.error is not None:
        return f"{workload.error.reason}: {workload.error.message}"
    hold: Hold | None = next(iter(workload.plan.holds), None)
    if hold is not None:
        return f"{hold.reason}: {hold.message}"
    if workload.last_good:
        return "the newest document is invalid, the last good one stands"
    return "" if workload.health.state == "Healthy" else workload.health.message
