"""`controller fleet`: the DL1 instances, their cards, and who holds them. Neighbours: `app.fleets`, `report.fleet`."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from controller.cli import logs, options, output
from controller.errors import Usage

if TYPE_CHECKING:
    from controller.core.gaudi.fleet import Fleet
    from controller.settings import Settings


@click.command("fleet", context_settings=options.CONTEXT)
@options.for_both
@options.output("table", "json")
def command(**flags: Any) -> None:
    """Show the DL1 instances of the clusters: drivers, the eight cards and who holds them, and what is amiss."""
    from controller.report.fleet import fleet_document, fleet_text

    settings = options.settings(flags)
    logs.configure(flags["log_format"])
    found = asyncio.run(_read(settings))
    if flags["output"] == "json":
        output.document(fleet_document(found))
    else:
        output.data(fleet_text(found))


async def _read(settings: "Settings") -> "list[tuple[str, Fleet]]":
    """The fleets of the clusters that the settings and the specs name, in every account and region.

    Raises:
        Usage: no cluster is named anywhere.
    """
    from controller.app import compose
    from controller.app.fleets import fleets
    from controller.app.once import desired_of
    from controller.aws.limits import Limits
    from controller.core.workload import cluster_name
    from controller.errors import ControllerError

    keys = []
    try:
        async with compose.open_source(settings) as source:
            keys = list(desired_of(await source.snapshot(), settings).rendered)
    except ControllerError:
        if not any(place.settings.clusters for place in compose.places_of(settings)):
            raise  # without specs the clusters that are named otherwise will do
    limits, found = Limits(settings.api_share), []
    for place in compose.places_of(settings):
        named = {cluster_name(one) for one in place.settings.clusters}
        named |= {key.cluster for key in keys if key.target == place.name}
        if not named:
            continue
        where = f"{place.name}:" if place.name else ""
        for cluster, fleet, unknown in await fleets(place, sorted(named), limits):
            found.append((f"{where}{cluster}", fleet))
            if unknown is not None:
                output.note(f"note: drivers are told by attributes only, because {unknown}")
    if not found:
        raise Usage("no cluster is named", advice="name one with --cluster, or specs with -s")
    return found
