"""The forms of output that programs of others read: annotations, comments, code scanning, test reports.

Each is made of the same report as the table, answers with the same exit code, and is written also where the command
ends before there is a report. Neighbours: `report.github`, `report.markdown`, `report.sarif`, `report.junit`.
"""

import os
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from controller.errors import ControllerError

if TYPE_CHECKING:
    from controller.cli.specs import Specs
    from controller.core.pass_report import PassReport
    from controller.report.findings import Finding

FORMS: Final = ("github", "markdown", "sarif", "junit")


def of_pass(form: str, report: "PassReport", source: str) -> str:
    """A pass in one of the forms. `source` is the source as the user named it."""
    from controller.core.pass_report import Verdict
    from controller.report.findings import of_pass as findings_of
    from controller.report.frame import frames
    from controller.report.markdown import plan_markdown
    from controller.report.text import plan_text, summary

    if form == "markdown":
        return plan_markdown(report)
    log = "\n".join(part for part in (frames(report.diagnostics, report.files), plan_text(report)) if part)
    passed = [
        (one.at.file if one.at is not None else None, str(one.key))
        for one in report.workloads
        if one.verdict is Verdict.IN_SYNC and one.error is None
    ]
    return _made(
        form,
        findings_of(report),
        run="plan",
        log=log,
        summary=summary(report),
        passed=passed,
        code=int(report.exit_code),
        prefix=folder_of(source),
    )


def of_specs(form: str, specs: "Specs", paths: "tuple[Path, ...]", summary: str) -> str:
    """A validation in one of the forms. Its files are named as the user can open them."""
    from controller.report.findings import of_specs as findings_of
    from controller.report.frame import frames
    from controller.report.markdown import validation_markdown

    desired = specs.desired
    found = desired.diagnostics
    if form == "markdown":
        return validation_markdown(_named(paths), found, specs.files, counts=summary)
    passed = [(one.workload.file, str(key)) for key, one in desired.workloads.items()]
    code = 3 if any(one.is_error for one in found) else 0
    log = frames(found, specs.files)
    return _made(form, findings_of(found), run="validation", log=log, summary=summary, passed=passed, code=code)


def of_failure(form: str, kind: str, source: str, error: ControllerError, *, code: int = 1) -> str:
    """A command of this kind (`plan`, `validation`) that ended with an error."""
    from controller.report.findings import of_error
    from controller.report.markdown import failure_markdown

    if form == "markdown":
        return failure_markdown(kind, source, error)
    return _made(form, [of_error(error)], run=kind, log="", summary=f"{kind}: failed", passed=[], code=code)


def _made(
    form: str,
    found: "list[Finding]",
    *,
    run: str,
    log: str,
    summary: str,
    passed: Sequence[tuple[str | None, str]],
    code: int,
    prefix: str = "",
) -> str:
    import controller
    from controller.report.document import as_json
    from controller.report.github import github_text
    from controller.report.junit import junit_text
    from controller.report.sarif import sarif_document

    match form:
        case "github":
            return github_text(found, log=log, summary=summary, prefix=prefix)
        case "junit":
            return junit_text(found, name=f"controller {run}", passed=passed, prefix=prefix)
        case _:
            version = controller.__version__
            return as_json(sarif_document(found, run=run, version=version, exit_code=code, prefix=prefix))


def folder_of(source: str) -> str:
    """The folder of the repository that a source's files are relative to: of a path the way from here, of a git source
    its folder, of a bucket nothing."""
    from controller.sources.uri import GitLocation, S3Location, locate

    try:
        location = locate(source)
    except ControllerError:
        return ""
    match location:
        case S3Location():
            return ""
        case GitLocation(folder=folder):
            return posixpath.dirname(folder) if folder.endswith((".yaml", ".yml")) else folder
        case Path():
            folder_path = location if location.is_dir() else location.parent
            here = os.path.relpath(folder_path)
            shown = folder_path.absolute() if here.startswith(os.pardir) else Path(here)
            return "" if shown == Path() else shown.as_posix()


def _named(paths: "tuple[Path, ...]") -> str:
    return " ".join(sorted(path.as_posix() for path in paths))
