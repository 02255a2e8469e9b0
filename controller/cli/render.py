"""`controller render`: the exact ECS requests, and why each addition stands in them. Offline."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli import options

if TYPE_CHECKING:
    from controller.core.render import Rendered


@click.command("render", context_settings=options.CONTEXT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.output("json")
@click.option("--explain", is_flag=True, help="Print every addition with its reason instead of the requests.")
@click.option("--owner", default="controller", show_default=True, help="Identity written to managed services.")
@click.option("--port-base", type=int, help="Host port that stands for card 0.  [default: 18100]")
def command(*, paths: tuple[Path, ...], output: str, explain: bool, owner: str, port_base: int | None) -> None:
    """Print the RegisterTaskDefinition and CreateService requests of spec files."""
    from controller.cli.specs import read
    from controller.core.gaudi.cards import DEFAULT_PORT_BASE
    from controller.core.render import Settings
    from controller.report.document import rendered_document
    from controller.report.frame import frames

    specs = read(paths, Settings(owner=owner, port_base=port_base or DEFAULT_PORT_BASE))
    found = specs.desired.diagnostics
    if found:
        click.echo(frames(found, specs.files, colour=options.colour(no_color=False, stderr=True)), err=True)
    workloads = specs.desired.rendered.values()
    if explain:
        click.echo("\n".join(_explained(workloads)))
    elif output == "json":
        click.echo(json.dumps(rendered_document(workloads), indent=2, ensure_ascii=False))
    click.get_current_context().exit(3 if any(one.is_error for one in found) else 0)


def _explained(workloads: "Iterable[Rendered]") -> Iterator[str]:
    """Every value that the user did not write, why it is there, and which line asked for it."""
    from controller.core.path import show
    from controller.report.text import clean

    for number, one in enumerate(workloads):
        if number:
            yield ""
        yield f"{clean(str(one.workload.key))}  ({one.workload.tree.span.file}:{one.workload.tree.span.line})"
        for reason in one.reasons:
            yield f"  {clean(show(reason.path))}"
            yield f"      {reason.why}  [{one.workload.origin(reason.origin)}]"
