"""`controller validate`: is it valid? Offline."""

import json
import time
from pathlib import Path
from typing import Any

import click

from controller.cli import options


@click.command("validate", context_settings=options.CONTEXT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.output("text", "json")
@click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")
def command(*, paths: tuple[Path, ...], output: str, no_color: bool) -> None:
    """Check spec files and folders; needs no credentials and no network."""
    from controller.cli.specs import read
    from controller.core.render import Settings
    from controller.report.document import API_VERSION, diagnostics
    from controller.report.frame import frames

    began = time.perf_counter()
    specs = read(paths, Settings())
    found = specs.desired.diagnostics
    errors = sum(one.is_error for one in found)
    if output == "json":
        document: dict[str, Any] = {
            "apiVersion": API_VERSION,
            "kind": "Validation",
            "valid": [str(key) for key in specs.desired.rendered],
            "errors": diagnostics(found),
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        if found:
            click.echo(frames(found, specs.files, colour=options.colour(no_color=no_color)))
        click.echo(_summary(len(specs.files), len(specs.desired.rendered), errors, len(found) - errors, began))
    click.get_current_context().exit(3 if errors else 0)


def _summary(files: int, valid: int, errors: int, warnings: int, began: float) -> str:
    took = time.perf_counter() - began
    parts = [_count(files, "file"), _count(valid, "valid workload"), _count(errors, "error")]
    if warnings:
        parts.append(_count(warnings, "warning"))
    return f"{', '.join(parts)} in {took:.2f}s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
