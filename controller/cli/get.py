"""`controller get`: workloads as a list, or one in full. Neighbours: `standing` (asks), `report.status` (draws)."""

from datetime import UTC, datetime
from typing import Any

import click

from controller.cli import options, output
from controller.cli.standing import ADDRESS, standing
from controller.errors import ControllerError


@click.command("get", context_settings=options.CONTEXT)
@click.argument("workloads", nargs=-1, metavar="[CLUSTER/NAME]...")
@ADDRESS
@options.for_both
@options.output("table", "wide", "json", "yaml", "name")
def command(workloads: tuple[str, ...], **flags: Any) -> None:
    """List workloads, or show one in full with its conditions and the fields that differ."""
    from controller.report.status import get_text, workload_text

    found, now = _chosen(standing(flags)["workloads"], workloads), datetime.now(UTC)
    match flags["output"]:
        case "json":
            output.document({"apiVersion": "controller/v1", "kind": "List", "items": found})
        case "yaml":
            import yaml

            output.data(yaml.safe_dump_all(found, sort_keys=False, allow_unicode=True).rstrip("\n"))
        case "name":
            output.data("\n".join(one["key"] for one in found))
        case "table" if len(workloads) == 1:
            output.data(workload_text(found[0], now=now))
        case form:
            output.data(get_text(found, now=now, wide=form == "wide"))


def _chosen(workloads: list[dict[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The named workloads, in the order of the names; all where none is named.

    Raises:
        ControllerError: one of them is not there.
    """
    if not names:
        return workloads
    by_key = {one["key"]: one for one in workloads}
    missing = [name for name in names if name not in by_key]
    if missing:
        known = f"workloads: {', '.join(by_key)}" if by_key else "there are no workloads"
        raise ControllerError(f"no workload is called {', '.join(missing)}", advice=known)
    return [by_key[name] for name in names]
