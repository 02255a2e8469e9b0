"""`controller --once`: one pass, dry unless `--apply`.

With `-o json` stdout holds one document whatever happens: what stops the pass is in its `errors`, and on stderr as
always.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import click

from controller.cli import logs, options, output
from controller.errors import ControllerError

if TYPE_CHECKING:
    from controller.core.pass_report import PassReport
    from controller.core.workload import Workload
    from controller.settings import Settings


def start(**flags: Any) -> int:
    """Do the pass, print it, answer the exit code."""
    if flags["wait"] and not flags["apply"]:
        raise click.UsageError("--wait goes with --apply")
    select = selector(flags["selector"])
    uri = flags["source"] or ""
    try:
        settings = options.settings(flags)
        uri = settings.source
        report = _done(settings, flags, select)
    except ControllerError as error:
        if flags["output"] == "json":
            from controller.report.document import failed_plan

            output.document(failed_plan(uri, error))
        raise
    show(report, form=flags["output"], no_color=flags["no_color"], verbose=flags["verbose"])
    return int(report.exit_code)


def _done(settings: "Settings", flags: dict[str, Any], select: Any) -> "PassReport":
    from controller.app.once import Order

    colour = output.colour(no_color=flags["no_color"], stderr=True)
    logs.configure(flags["log_format"], level=logging.WARNING, colour=colour)
    order = Order(wait=flags["wait"], force=flags["force"], select=select)
    return asyncio.run(_pass(settings, order, apply=flags["apply"]))


async def _pass(settings: "Settings", order: Any, *, apply: bool) -> "PassReport":
    from controller.app import compose, once
    from controller.reconcile.reconciler import Reconciler

    source, clock = compose.open_source(settings.source), compose.SystemClock()
    if not apply:
        async with compose.reader(settings) as ecs:
            return await once.look(source, ecs, clock, settings, order=order)
    async with compose.gateway(settings) as writing:
        reconciler = Reconciler(writing, clock, compose.log_recorder(), settings.owner)
        return await once.apply(source, reconciler, settings, order=order)


def show(report: "PassReport", *, form: str, no_color: bool, verbose: bool) -> None:
    """The plan to stdout; findings and errors to stderr, each sentence once."""
    from controller.core.redact import redact
    from controller.report.document import plan_document
    from controller.report.frame import frames
    from controller.report.text import clean, plan_text

    if form == "json":
        output.document(plan_document(report))
        return
    if report.diagnostics:
        output.note(frames(report.diagnostics, report.files, colour=output.colour(no_color=no_color, stderr=True)))
    output.data(plan_text(report, colour=output.colour(no_color=no_color), verbose=verbose).rstrip("\n"))
    for sentence in dict.fromkeys(str(one.error) for one in report.workloads if one.error is not None):
        output.note(f"error: {clean(redact(sentence))}")


def selector(text: str | None) -> "Any":
    """`team=nlp,tier=prod` → whether a workload has all these labels."""
    if text is None:
        return lambda _: True
    wanted: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or not name:
            raise click.UsageError(f"-l {text}: `{part.strip()}` is no label=value")
        wanted[name] = value

    def select(workload: "Workload") -> bool:
        labels = workload.document.metadata.labels
        return all(labels.get(name) == value for name, value in wanted.items())

    return select
