"""`controller check`: whether the controller could work here. Neighbours: `app.check` (asks)."""

import asyncio
from typing import Any

import click

from controller.cli import logs, options, output


@click.command("check", context_settings=options.CONTEXT)
@options.for_both
@options.output("table", "json")
def command(**flags: Any) -> None:
    """Try credentials, permissions, clusters and DL1 capacity; changes nothing. Exits with 1 where something fails."""
    from controller.app.check import Verdict, check
    from controller.report.text import clean, table

    settings = options.settings(flags)
    logs.configure(flags["log_format"])
    rows = asyncio.run(check(settings))
    failed = any(row.verdict is Verdict.FAILED for row in rows)
    if flags["output"] == "json":
        checks = [{"name": row.name, "verdict": str(row.verdict), "detail": row.detail} for row in rows]
        output.document({"apiVersion": "controller/v1", "kind": "Check", "checks": checks})
    else:
        marks = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.FAILED: "✗", Verdict.UNKNOWN: "?"}
        output.data("\n".join(table([[marks[row.verdict], clean(row.name), clean(row.detail)] for row in rows])))
    click.get_current_context().exit(1 if failed else 0)
