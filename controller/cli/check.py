"""`controller check`: whether the controller could work here. Neighbours: `app.check` (asks)."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from controller.cli import logs, options, output

if TYPE_CHECKING:
    from controller.settings import Settings

MORE: Final = ("tasks", "instances", "logs", "self-check", "adopt", "retire-revisions", "notify-sns", "notify-events")
"""Uses of AWS that a policy may be asked for and that neither settings nor specs always tell of."""


@click.command("check", context_settings=options.CONTEXT)
@options.for_both
@options.output("table", "json")
@click.option("--iam", is_flag=True, help="Print the IAM statements that are missing, as a policy.")
@click.option("--use", "uses", metavar="USE", multiple=True, help=f"With --iam: this is used, too: {', '.join(MORE)}.")
def command(**flags: Any) -> None:
    """Try credentials, permissions, clusters and DL1 capacity; changes nothing. Exits with 1 where something fails."""
    from controller.app.check import Verdict, check
    from controller.report.text import clean, table

    settings = options.settings(flags)
    logs.configure(flags["log_format"])
    if flags["uses"] and not flags["iam"]:
        raise click.UsageError("--use says something to --iam only")
    if flags["iam"]:
        click.get_current_context().exit(_iam(settings, flags["uses"], as_json=flags["output"] == "json"))
    rows = asyncio.run(check(settings))
    failed = any(row.verdict is Verdict.FAILED for row in rows)
    if flags["output"] == "json":
        checks = [{"name": row.name, "verdict": str(row.verdict), "detail": row.detail} for row in rows]
        output.document({"apiVersion": "controller/v1", "kind": "Check", "checks": checks})
    else:
        marks = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.FAILED: "✗", Verdict.UNKNOWN: "?"}
        output.data("\n".join(table([[marks[row.verdict], clean(row.name), clean(row.detail)] for row in rows])))
    click.get_current_context().exit(1 if failed else 0)


def _iam(settings: "Settings", uses: Sequence[str], *, as_json: bool) -> int:
    """The missing statements: a policy for each place, and what is known of it on stderr."""
    from controller.app.grants import grants
    from controller.aws.permissions import Use

    wrong = [one for one in uses if one not in MORE]
    if wrong:
        raise click.UsageError(f"`{wrong[0]}` is no use of AWS; write one of {', '.join(MORE)}")
    found = asyncio.run(grants(settings, also=[Use(one) for one in uses]))
    lacking = False
    for one in found:
        count = len(one.policy["Statement"])
        where = f" ({one.place})" if one.place else ""
        if one.unknown is not None:
            output.note(f"{one.principal}{where}: IAM did not say what is missing, so here is all: {one.unknown}")
        elif count:
            lacking = True
            output.note(f"{one.principal}{where}: {count} statement{'' if count == 1 else 's'} missing")
        else:
            output.note(f"{one.principal}{where}: nothing is missing, by IAM's simulation")
        if not as_json:
            output.document(one.policy)
    if as_json:
        places = [
            {"target": one.place, "principal": one.principal, "policy": one.policy, "unknown": one.unknown}
            for one in found
        ]
        output.document({"apiVersion": "controller/v1", "kind": "Permissions", "places": places})
    return 1 if lacking else 0
