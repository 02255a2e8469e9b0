"""`controller validate`: is it valid? Offline: no credentials, no network, no AWS client."""

import time
from pathlib import Path
from typing import Any

import click

from controller.cli import forms, options, output
from controller.errors import ControllerError


@click.command("validate", context_settings=options.CONTEXT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.output("text", "json", *forms.FORMS)
@options.for_rendering
def command(**flags: Any) -> None:
    """Check spec files and folders; needs no credentials and no network.

    Findings and the summary go to stdout. Exit codes: 0 valid, 1 a path cannot be read, 3 something is invalid.
    """
    try:
        code = _validate(**flags)
    except ControllerError as error:
        if flags["output"] == "json":
            from controller.report.document import failed_validation

            output.document(failed_validation(error))
        elif flags["output"] in forms.FORMS:
            output.data(forms.of_failure(flags["output"], "validation", "", error))
        raise
    click.get_current_context().exit(code)


def _validate(**flags: Any) -> int:
    from controller.cli.specs import read
    from controller.report.document import validation_document
    from controller.report.frame import frames

    began = time.perf_counter()
    specs = read(flags["paths"], options.rendering(flags))
    desired = specs.desired
    found = desired.diagnostics
    errors = sum(one.is_error for one in found)
    summary = _summary(len(specs.files), len(desired.workloads), errors, len(found) - errors)
    if flags["output"] == "json":
        output.document(validation_document(desired.workloads, found))
    elif flags["output"] in forms.FORMS:
        output.data(forms.of_specs(flags["output"], specs, flags["paths"], summary))
    else:
        if found:
            output.data(frames(found, specs.files, colour=output.colour(no_color=flags["no_color"])))
        output.data(f"{summary} in {time.perf_counter() - began:.2f}s")
    return 3 if errors else 0


def _summary(files: int, valid: int, errors: int, warnings: int) -> str:
    parts = [_count(files, "file"), _count(valid, "valid workload"), _count(errors, "error")]
    if warnings:
        parts.append(_count(warnings, "warning"))
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
