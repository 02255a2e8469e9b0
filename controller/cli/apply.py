"""`controller apply`: carry out a plan that was saved with `--once --out`, if it still is what would be done.

Exit codes are those of `--once`: 0 done, 1 error, 2 the plan is stale (nothing was written) or something of it is left,
3 the source has an invalid spec too, 4 not healthy in time. Neighbours: `app.planfile`, `once` (prints the result).
"""

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.cli import forms, logs, options, output
from controller.errors import ControllerError, Usage

if TYPE_CHECKING:
    from controller.app.planfile import Stale
    from controller.core.pass_report import PassReport
    from controller.report.saved_plan import SavedPlan
    from controller.settings import Settings

STALE = 2


@click.command("apply", context_settings=options.CONTEXT)
@click.argument("plan", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--wait", is_flag=True, help="Follow the rollouts to their end.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Seconds that --wait waits.  [default: 900]")
@options.output("table", "json", *forms.FORMS)
@click.option("-v", "--verbose", is_flag=True, help="List workloads that are in sync, too.")
@options.for_both
def command(**flags: Any) -> None:
    """Carry out a plan that was saved with `--once --out PLAN`, exactly that or nothing.

    The source, the selector and --force are those of the plan. Exits with 2 where the plan is stale: then it says
    what has changed, and nothing was written.
    """
    uri = ""
    try:
        from controller.app import planfile

        saved = planfile.read(flags["plan"])
        uri = saved.uri
        settings = _settings(flags, saved)
        colour = output.colour(no_color=flags["no_color"], stderr=True)
        logs.configure(flags["log_format"], level=logging.WARNING, colour=colour)
        result = asyncio.run(_apply(settings, saved, wait=flags["wait"]))
    except ControllerError as error:
        if flags["output"] == "json":
            from controller.report.document import failed_plan

            output.document(failed_plan(uri, error))
        elif flags["output"] in forms.FORMS:
            output.data(forms.of_failure(flags["output"], "plan", uri, error))
        raise
    click.get_current_context().exit(_told(result, flags, settings))


def _settings(flags: dict[str, Any], saved: "SavedPlan") -> "Settings":
    """The settings, with the plan's source where none is named. One that is named may bring a password with it."""
    loaded = options.loaded(flags)
    if loaded.origins["source"] != "default":
        return loaded.settings
    return loaded.settings.model_copy(update={"source": saved.uri})


async def _apply(settings: "Settings", saved: "SavedPlan", *, wait: bool) -> "PassReport | Stale":
    from controller.app import compose, planfile
    from controller.app.once import Order
    from controller.cli.once import Watch, selector

    try:
        select = selector(saved.selector)
    except Usage as error:
        raise ControllerError(f"the plan's selector cannot be used: {error}") from error
    order = Order(wait=wait, force=saved.force, select=select, watch=Watch().show)
    asked = planfile.Asked(order, saved.selector)
    return await planfile.apply(settings, compose.SystemClock(), compose.log_recorder(), saved, asked=asked)


def _told(result: "PassReport | Stale", flags: dict[str, Any], settings: "Settings") -> int:
    from controller.app.planfile import Stale
    from controller.cli.once import show

    if not isinstance(result, Stale):
        show(result, settings.source, form=flags["output"], no_color=flags["no_color"], verbose=flags["verbose"])
        return int(result.exit_code)
    _tell_stale(result, flags["output"], settings.source)
    return STALE


def _tell_stale(stale: "Stale", form: str, uri: str) -> None:
    from controller.core.redact import redact
    from controller.reasons import Reason

    sentences = [str(redact(str(one))) for one in stale.differences]
    count = f"{len(sentences)} difference{'' if len(sentences) == 1 else 's'}"
    summary = f"the plan is stale, nothing is written: {count}; make it anew with `controller --once --out`"
    if form == "json":
        from controller.report.document import API_VERSION

        changed = [{"path": list(one.path), "planned": one.planned, "now": one.now} for one in stale.differences]
        output.document({"apiVersion": API_VERSION, "kind": "StalePlan", "differences": redact(changed)})
    elif form in forms.FORMS:
        error = ControllerError("; ".join([summary, *sentences]), reason=Reason.PLAN_STALE)
        output.data(forms.of_failure(form, "plan", uri, error, code=STALE))
    else:
        output.data("\n".join(["plan: stale, nothing is written", *(f"    {one}" for one in sentences)]))
    output.note(f"error: {summary}")
