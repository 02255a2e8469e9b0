"""`controller --once`: one pass, dry unless `--apply`.

With `-o json` stdout holds one document whatever happens: what stops the pass is in its `errors`, and on stderr as
always.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from controller.cli import forms, logs, options, output
from controller.errors import ControllerError, Usage
from controller.reasons import Reason

if TYPE_CHECKING:
    from controller.app.once import Order
    from controller.core.pass_report import PassReport, WorkloadReport
    from controller.core.workload import Workload
    from controller.settings import Settings


def start(**flags: Any) -> int:
    """Do the pass, print it, answer the exit code."""
    uri = flags["source"] or ""
    try:
        order = _order(flags)
        settings = options.settings(flags)
        uri = settings.source
        colour = output.colour(no_color=flags["no_color"], stderr=True)
        logs.configure(flags["log_format"], level=logging.WARNING, colour=colour)
        report = asyncio.run(_pass(settings, order, flags))
    except ControllerError as error:
        _document_of_failure(flags, uri, error)
        raise
    except KeyboardInterrupt:
        advice = "what was sent to AWS stays done; `controller --once` shows what is left" if flags["apply"] else None
        interrupted = ControllerError("interrupted", reason=Reason.INTERRUPTED, advice=advice)
        output.after_interrupt()
        _document_of_failure(flags, uri, interrupted)
        output.note(f"error: {interrupted}")
        raise click.exceptions.Exit(output.INTERRUPTED) from None
    except Exception as error:
        _document_of_failure(flags, uri, ControllerError(f"a bug: {type(error).__name__}: {error}"))
        raise
    show(report, uri, form=flags["output"], no_color=flags["no_color"], verbose=flags["verbose"], full=flags["full"])
    return int(report.exit_code)


def _document_of_failure(flags: dict[str, Any], uri: str, error: ControllerError) -> None:
    if flags["output"] == "json":
        from controller.report.document import failed_plan

        output.document(failed_plan(uri, error))
    elif flags["output"] in forms.FORMS:
        output.data(forms.of_failure(flags["output"], "plan", uri, error))


def _order(flags: dict[str, Any]) -> "Order":
    """What the flags ask of the pass.

    Raises:
        Usage: they contradict each other.
    """
    from controller.app.once import Order

    if flags["wait"] and not flags["apply"]:
        raise Usage("--wait goes with --apply")
    if flags["out"] is not None and flags["apply"]:
        raise Usage("--out saves a plan instead of carrying it out", advice="leave --apply to `controller apply`")
    if flags["full"] and flags["output"] != "table":
        raise Usage("--full goes with -o table")
    return Order(wait=flags["wait"], force=flags["force"], select=selector(flags["selector"]), watch=Watch().show)


async def _pass(settings: "Settings", order: "Order", flags: dict[str, Any]) -> "PassReport":
    from controller.app import compose, everywhere

    clock = compose.SystemClock()
    if flags["apply"]:
        return await everywhere.apply(settings, clock, compose.log_recorder(), order=order)
    if flags["out"] is None:
        return await everywhere.look(settings, clock, order=order)
    from controller.app import planfile

    path = flags["out"]
    report, why_not = await planfile.save(settings, clock, path, asked=planfile.Asked(order, flags["selector"]))
    output.note(f"note: no plan is saved: {why_not}" if why_not else f"note: `controller apply {path}` does this")
    return report


@dataclass(slots=True)
class Watch:
    """What a person sees while `--wait` waits: a line for each workload whenever something about it changes."""

    began: float = field(default_factory=time.monotonic)
    _told: dict[str, str] = field(default_factory=dict)

    def show(self, workloads: "Sequence[WorkloadReport]") -> None:
        """Print what is new."""
        from controller.report.text import progress

        for key, line in progress(workloads).items():
            if self._told.get(key) != line:
                self._told[key] = line
                output.note(f"{time.monotonic() - self.began:6.1f}s  {line}")


def show(report: "PassReport", source: str, *, form: str, no_color: bool, verbose: bool, full: bool = False) -> None:
    """The plan to stdout; findings, errors and notes to stderr, which `github` has on stdout where nothing of it is
    taken for a command."""
    from controller.report.document import plan_document
    from controller.report.frame import frames
    from controller.report.text import failures, plan_text

    if form == "github":
        output.data(forms.of_pass(form, report, source))
        return
    if report.diagnostics:
        output.note(frames(report.diagnostics, report.files, colour=output.colour(no_color=no_color, stderr=True)))
    if not report.workloads and not report.diagnostics:
        output.note(f"note: {_why_nothing(report)}")
    if form == "json":
        output.document(plan_document(report))
    elif form in forms.FORMS:
        output.data(forms.of_pass(form, report, source))
    else:
        output.data(plan_text(report, colour=output.colour(no_color=no_color), verbose=verbose).rstrip("\n"))
        _show_diffs(report, wanted=full, no_color=no_color)
    for sentence in failures(report):
        output.note(f"error: {sentence}")


def _show_diffs(report: "PassReport", *, wanted: bool, no_color: bool) -> None:
    from controller.report.unified import unified_text

    diffs = unified_text(report, colour=output.colour(no_color=no_color)) if wanted else ""
    if diffs:
        output.data("\n" + diffs.rstrip("\n"))


def _why_nothing(report: "PassReport") -> str:
    """Why a pass is about no workload at all: rarely what was meant."""
    from controller.core.quoting import escaped
    from controller.core.redact import redact
    from controller.sources.snapshot import SUFFIXES

    source = escaped(redact(report.uri))
    if not report.files:
        return f"{source} holds no {' or '.join(SUFFIXES)} files"
    if not report.wanted:
        return f"the files of {source} hold no documents"
    return f"{source} holds no workload with these labels (-l)"


def selector(text: str | None) -> "Callable[[Workload], bool]":
    """`team=nlp,tier!=dev` → whether a workload's labels are so.

    Raises:
        Usage: it is no list of such terms.
    """
    terms: list[tuple[str, bool, str]] = []
    for part in text.split(",") if text is not None else ():
        name, equals, value = part.strip().partition("=")
        same = not name.endswith("!")
        name, value = name.removesuffix("!").strip(), value.removeprefix("=" if same else "").strip()
        if not equals or not name or not value:
            raise Usage(f"-l {text}: `{part.strip()}` is no label", advice="write -l team=nlp,tier!=dev")
        terms.append((name, same, value))

    def select(workload: "Workload") -> bool:
        labels = workload.document.metadata.labels
        return all((labels.get(name) == value) is same for name, same, value in terms)

    return select
