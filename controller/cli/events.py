"""`controller events`: what has happened, from a running daemon or from its journal.

Neighbours: `remote` (asks), `report.status` (draws).
"""

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from controller.cli import logs, options, output
from controller.cli.remote import NobodyThere, ask
from controller.cli.standing import ADDRESS, address_of

if TYPE_CHECKING:
    from controller.settings import Settings


@click.command("events", context_settings=options.CONTEXT)
@click.argument("workload", required=False, metavar="[CLUSTER/NAME]")
@ADDRESS
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Newest events.")
@options.for_both
@options.output("table", "json")
def command(workload: str | None, limit: int, **flags: Any) -> None:
    """Show what has happened, newest last: transitions, steps, healed drift, new revisions."""
    from controller.report.status import events_text

    settings = options.settings(flags)
    query = {"limit": str(limit), **({"workload": workload} if workload else {})}
    try:
        document = ask(address_of(settings, flags), f"/api/v1/events?{urlencode(query)}")
    except NobodyThere:
        if flags["address"]:
            raise
        logs.configure(flags["log_format"])
        document = asyncio.run(_journal(settings, workload, limit))
    if flags["output"] == "json":
        output.document(document)
    elif document["events"]:
        output.data(events_text(document))
    else:
        output.note(f"no events{f' of {workload}' if workload else ''}")


async def _journal(settings: "Settings", workload: str | None, limit: int) -> dict[str, Any]:
    from controller.app import compose
    from controller.report.status import events_document

    async with compose.open_journal(settings, compose.SystemClock()) as journal:
        return events_document(await journal.recent(workload, most=limit))
