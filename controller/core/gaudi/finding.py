"""What the Gaudi rules find: a place in the requests and what is wrong there.

The rules read requests, not specs, so they say the same of a rendered workload and of a live task definition. `policy`
gives each finding its line.
"""

from dataclasses import dataclass

from controller.core.diagnostics import Code, Severity
from controller.core.path import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `path` begins with `taskDefinition` or `service`."""

    path: Path
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR
    code: Code = Code.POLICY


def warning(path: Path, message: str, hint: str | None = None) -> Finding:
    """A finding that stops nothing."""
    return Finding(path, message, hint, Severity.WARNING)
