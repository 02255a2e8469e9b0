"""`controller status`: how everything stands, in one screen. Neighbours: `standing` (asks), `report.status` (draws)."""

from datetime import UTC, datetime
from typing import Any

import click

from controller.cli import options, output
from controller.cli.standing import ADDRESS, standing


@click.command("status", context_settings=options.CONTEXT)
@ADDRESS
@options.for_both
@options.output("table", "json")
def command(**flags: Any) -> None:
    """Show how everything stands: the source, the last pass, every workload."""
    from controller.report.status import status_text

    document = standing(flags)
    if flags["output"] == "json":
        output.document(document)
        return
    output.data(status_text(document, now=datetime.now(UTC)))
