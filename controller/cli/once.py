"""`controller --once`: one pass, dry unless `--apply`."""

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import click

from controller.cli import logs, options

if TYPE_CHECKING:
    from controller.core.pass_report import PassReport
    from controller.core.workload import Workload
    from controller.settings import Settings


def start(**flags: Any) -> int:
    """Do the pass, print it, answer the exit code."""
    if flags["wait"] and not flags["apply"]:
        raise click.UsageError("--wait goes with --apply")
    select = selector(flags["selector"])
    found = options.settings(flags)
    logs.configure(
        flags["log_format"], level=logging.WARNING, colour=options.colour(no_color=flags["no_color"], stderr=True)
    )
    from controller.app.once import Order

    order = Order(wait=flags["wait"], force=flags["force"], select=select)
    report = asyncio.run(_pass(found, order, apply=flags["apply"]))
    show(report, output=flags["output"], no_color=flags["no_color"], verbose=flags["verbose"])
    return int(report.exit_code)


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


def show(report: "PassReport", *, output: str, no_color: bool, verbose: bool) -> None:
    """The plan to stdout; findings and errors to stderr, each sentence once."""
    from controller.report.document import plan_document
    from controller.report.frame import frames
    from controller.report.text import plan_text

    if output == "json":
        click.echo(json.dumps(plan_document(report), indent=2, ensure_ascii=False))
        return
    if report.diagnostics:
        found = frames(report.diagnostics, report.files, colour=options.colour(no_color=no_color, stderr=True))
        click.echo(found, err=True)
    click.echo(plan_text(report, colour=options.colour(no_color=no_color), verbose=verbose), nl=False)
    for sentence in dict.fromkeys(str(one.error) for one in report.workloads if one.error is not None):
        click.echo(f"error: {sentence}", err=True)


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
