"""What a running daemon knows, or one look where none runs: the ground of `status` and `get`.

Neighbours: `remote` (asks), `report.status` (the form).
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from controller.cli import logs, options, output
from controller.cli.remote import NobodyThere, ask

if TYPE_CHECKING:
    from controller.settings import Settings

ADDRESS = click.option("--address", help="host:port of a running controller.  [default: the `http` setting]")


def standing(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The `kind: Status` of a daemon, or of one look.

    Raises:
        ControllerError: the daemon that was named does not answer, or the source cannot be read.
    """
    settings = options.settings(dict(flags))
    try:
        return ask(address_of(settings, flags), "/api/v1/status")
    except NobodyThere as nobody:
        if flags["address"]:
            raise
        output.note(f"note: {nobody}; looking once")
        logs.configure(flags["log_format"])
        return asyncio.run(_look(settings))


def address_of(settings: "Settings", flags: Mapping[str, Any]) -> str:
    """Where the daemon is asked.

    Raises:
        NobodyThere: these settings give it no port.
    """
    address = flags["address"] or settings.http
    if address == "off":
        raise NobodyThere("the HTTP port of the controller is off")
    host, _, port = str(address).rpartition(":")
    return f"{host or '127.0.0.1'}:{port}"


async def _look(settings: "Settings") -> dict[str, Any]:
    """The status of one look, in a daemon's form."""
    from controller.app import compose, everywhere
    from controller.app.once import Order
    from controller.report.status import Standing, status_document

    clock = compose.SystemClock()
    report = await everywhere.look(settings, clock, order=Order())
    failed = {cluster: str(error) for cluster, error in report.failed.items()}
    now = clock.now()
    return status_document(Standing(report.uri, report.revision, None, now, now, report.workloads, failed))
