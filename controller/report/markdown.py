"""A plan or a validation as a comment on a pull request: what happens first, each workload folded, the end honest.

The first line is a comment that nobody sees and that stays the same for the same source, so that a job finds the
comment of its last run and replaces it. A comment holds 65 536 characters at most: workloads that do not fit lose their
diff, then their lines, and what is left out at the end is counted. Whatever somebody else wrote stands in code, fenced
by more backticks than it holds, or as escaped text of a `<code>` element: there GitHub neither reads HTML nor calls
people. Source: GitHub Flavored Markdown, "Fenced code blocks". Neighbours: `text` and `frame` (the same for terminals),
`unified` (the diffs).
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from controller.core.diagnostics import Diagnostic
from controller.core.pass_report import PassReport, Verdict, WorkloadReport
from controller.core.redact import redact
from controller.errors import ControllerError
from controller.report.frame import frames
from controller.report.text import change_lines, clean, failures, headline, summary
from controller.report.unified import unified

LIMIT: Final = 65_000
"""Bytes of a comment as UTF-8. GitHub takes 65 536 characters."""
RESERVE: Final = 500
"""Bytes that are kept for saying what was left out."""
MOST_ERRORS: Final = 50
"""Errors that are listed; what is left out is counted."""

_ORDER: Final[Mapping[Verdict | None, int]] = {
    Verdict.DELETE: 0,
    Verdict.BLOCKED: 1,
    Verdict.UPDATE: 2,
    Verdict.CREATE: 3,
    Verdict.INVALID: 4,
    None: 5,
    Verdict.IN_SYNC: 6,
}
_MARKS: Final[Mapping[Verdict | None, str]] = {
    Verdict.CREATE: "🟢",
    Verdict.UPDATE: "🟡",
    Verdict.DELETE: "🔴",
    Verdict.BLOCKED: "✋",
    Verdict.INVALID: "❌",
    Verdict.IN_SYNC: "✅",
    None: "❓",
}
_BACKTICKS: Final = re.compile("`+")
_SPECIAL: Final = re.compile(r"""[&<>"'`*_~|!@#\[\]\\]""")


def plan_markdown(report: PassReport) -> str:
    """What a pass found, and what it would do or did."""
    mode = "applied" if report.applied else "dry run, nothing is written"
    head = [
        _marker("plan", report.uri),
        f"### controller {summary(report)}",
        f"Source {_code(str(redact(report.uri)))} at {_code(report.revision)}; {mode}.",
        *_errors(failures(report)),
        *_findings(report.diagnostics, report.files),
    ]
    told = sorted(
        (one for one in report.workloads if _is_told(one)), key=lambda one: (_ORDER[one.verdict], str(one.key))
    )
    return _fitted(head, [_workload(one) for one in told], "workload")


def validation_markdown(source: str, found: Sequence[Diagnostic], files: Mapping[str, bytes], *, counts: str) -> str:
    """What is wrong with specs. `source` names what was validated, `counts` is the line that sums it up."""
    head = [_marker("validation", source), f"### controller: {counts}"]
    return _fitted(head, [[block] for block in _findings(found, files)], "file")


def failure_markdown(kind: str, source: str, error: ControllerError) -> str:
    """A run that ended before there was anything to tell."""
    return "\n\n".join([_marker(kind, source), "### controller: failed", *_errors([clean(str(redact(str(error))))])])


def _marker(kind: str, source: str) -> str:
    """The same for every run over one source: how a comment is found again."""
    name = hashlib.sha256(str(redact(source)).encode(errors="surrogatepass")).hexdigest()[:8]
    return f"<!-- controller:{kind}:{name} -->"


def _is_told(one: WorkloadReport) -> bool:
    return one.verdict not in (Verdict.IN_SYNC, Verdict.INVALID) or bool(one.done) or one.error is not None


def _errors(sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    left = len(sentences) - MOST_ERRORS
    shown = [*sentences[:MOST_ERRORS], *([f"and {left} more"] if left > 0 else [])]
    return ["**What went wrong**", _fenced("text", shown)]


def _findings(found: Sequence[Diagnostic], files: Mapping[str, bytes]) -> list[str]:
    """A block for each file with findings."""
    of_file: defaultdict[str, list[Diagnostic]] = defaultdict(list)
    for one in found:
        of_file[one.at.file].append(one)
    blocks: list[str] = []
    for name, here in of_file.items():
        errors = sum(one.is_error for one in here)
        left = len(here) - MOST_ERRORS
        lines = frames(here[:MOST_ERRORS], files).rstrip("\n").split("\n")
        lines += [f"and {left} more"] if left > 0 else []
        counts = f"{errors} error{'' if errors == 1 else 's'}, {len(here) - errors} warning"
        counts += "" if len(here) - errors == 1 else "s"
        blocks.append(_details(f"{'❌' if errors else '⚠️'} {_element(name)} {counts}", [_fenced("text", lines)]))
    return blocks


def _workload(one: WorkloadReport) -> list[str]:
    """A workload in several forms, each shorter than the one before."""
    title = f"{_MARKS[one.verdict]} {_element(str(one.key))} {_element(headline(one) or str(one.plan.drift))}"
    lines = change_lines(one.plan.changes)
    lines += [f"{hold.reason}: {clean(str(redact(hold.message)))}" for hold in one.plan.holds]
    short = [_fenced("text", lines)] if lines else []
    diff = unified(one).rstrip("\n")
    forms = [_details(title, [*short, _fenced("diff", diff.split("\n"))])] if diff else []
    return [*forms, *([_details(title, short)] if short else []), f"- {title}"]


def _fitted(head: Sequence[str], blocks: Sequence[Sequence[str]], noun: str) -> str:
    """As much as a comment holds: each block in the longest of its forms that leaves room for the shortest forms of all
    that follow, and the number of those that have no room at all."""
    kept: list[str] = []
    size, dropped = 0, 0
    for block in head:
        size, dropped = _added(kept, size, block, dropped)
    shortest = [_bytes(forms[-1]) for forms in blocks]
    later = sum(shortest)
    for number, forms in enumerate(blocks):
        later -= shortest[number]
        room = LIMIT - RESERVE - size
        form = next((one for one in forms if _bytes(one) + later <= room), forms[-1])
        if _bytes(form) > room:
            dropped += len(blocks) - number
            break
        size, dropped = _added(kept, size, form, dropped)
    if dropped:
        plural = "" if dropped == 1 else "s"
        kept.append(f"_{dropped} more {noun}{plural} did not fit into a comment; the job's log has everything._")
    return _joined(kept)


def _added(kept: list[str], size: int, block: str, dropped: int) -> tuple[int, int]:
    if size + _bytes(block) > LIMIT - RESERVE:
        return size, dropped + 1
    kept.append(block)
    return size + _bytes(block), dropped


def _joined(blocks: Sequence[str]) -> str:
    """Blocks with blank lines between them; items of one list stay together."""
    text = blocks[0] if blocks else ""
    for before, block in pairwise(blocks):
        together = before.startswith("- ") and block.startswith("- ")
        text += f"{chr(10) if together else chr(10) * 2}{block}"
    return text


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass")) + 2


def _details(title: str, blocks: Iterable[str]) -> str:
    body = "\n\n".join(blocks)
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def _fenced(language: str, lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    fence = "`" * max(3, _longest(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _code(text: str) -> str:
    """The text as code within a line of Markdown."""
    shown = clean(text)
    fence = "`" * (_longest(shown) + 1)
    edge = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{edge}{shown}{edge}{fence}"


def _element(text: str) -> str:
    """The text as code within HTML. Markdown's own marks are spelled out too, because a line that begins with something
    else than an HTML block is read as Markdown."""
    return f"<code>{_SPECIAL.sub(_reference, clean(text))}</code>"


def _reference(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


def _longest(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
