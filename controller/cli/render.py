"""`controller render`: the exact ECS requests, and why each addition stands in them. Offline.

The requests are printed as they would be sent, secrets in plain text included: that is what the verb is for, and the
reader has the specs. Findings on stderr and `--explain` show none.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.cli import options, output
from controller.errors import ControllerError

if TYPE_CHECKING:
    from controller.core.jobs.request import RenderedJob
    from controller.core.render import Rendered


@click.command("render", context_settings=options.CONTEXT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.output("json")
@click.option("--explain", is_flag=True, help="Print every addition with its reason instead of the requests.")
@options.for_rendering
def command(**flags: Any) -> None:
    """Print the RegisterTaskDefinition, CreateService and RunTask requests of spec files.

    They are exactly what would be sent, so a secret that a spec holds in plain text is in them. Exit codes: 0 all
    rendered, 1 a path cannot be read, 3 something is invalid (the rest is rendered).
    """
    try:
        code = _render(**flags)
    except ControllerError:
        if not flags["explain"]:
            from controller.report.document import rendered_document

            output.document(rendered_document(()))
        raise
    click.get_current_context().exit(code)


def _render(**flags: Any) -> int:
    from controller.cli.specs import read
    from controller.report.document import rendered_document
    from controller.report.frame import frames

    settings = options.rendering(flags)
    specs = read(flags["paths"], settings)
    found = specs.desired.diagnostics
    if found:
        colour = output.colour(no_color=flags["no_color"], stderr=True)
        output.note(frames(found, specs.files, colour=colour))
    if flags["explain"]:
        if specs.desired.workloads:
            output.data("\n".join(_explained(specs.desired.workloads.values())))
    else:
        output.document(rendered_document(specs.as_sent(settings).values()))
    return 3 if any(one.is_error for one in found) else 0


def _explained(workloads: "Iterable[Rendered | RenderedJob]") -> Iterator[str]:
    """Every value that the user did not write, why it is there, and which line asked for it."""
    from controller.core.path import show
    from controller.report.text import clean

    for number, one in enumerate(workloads):
        if number:
            yield ""
        yield clean(f"{one.workload.key}  ({one.workload.at.file}:{one.workload.at.line})")
        for reason in one.reasons:
            yield f"  {show(reason.path)}"
            yield clean(f"      {reason.why}  [{one.workload.origin(reason.origin)}]")
