"""Findings as SARIF 2.1.0, for code scanning: rules with help, results at their lines, fingerprints that outlive edits.

What stands in no file (an orphaned service, an account that cannot be reached) is a notification of the invocation:
code scanning refuses a result without a place. Source: OASIS, SARIF 2.1.0; GitHub documentation, "SARIF support for
code scanning". Neighbours: `findings` (what is told), `rules` (what it means).
"""

import hashlib
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

from controller.report.findings import Finding, Kind
from controller.report.rules import RULES

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT: Final = "%SRCROOT%"
"""The root of the repository, to which places are relative."""
FINGERPRINT: Final = "controller/v1"
MOST: Final = 5000
"""Results that code scanning takes of one run."""

_PLACES: Final = re.compile(r":\d+(:\d+)?\b")
"""Lines and columns in a message: a finding stays the same where it has only moved."""


def sarif_document(
    found: Sequence[Finding], *, run: str, version: str, exit_code: int, prefix: str = ""
) -> dict[str, Any]:
    """One run, named `controller/RUN`. `prefix` is the folder that the names of files are relative to."""
    placed = [one for one in found if one.at is not None and one.kind is not Kind.RUNTIME]
    others = [one for one in found if one.at is None or one.kind is Kind.RUNTIME]
    told, left_out = placed[:MOST], len(placed) - MOST
    notifications = [_notification(one, prefix) for one in others]
    if left_out > 0:
        text = f"{left_out} more results are left out: {MOST} are the most that are read of one run"
        notifications.append({"level": "warning", "message": {"text": text}})
    invocation: dict[str, Any] = {
        "executionSuccessful": exit_code != 1,
        "exitCode": exit_code,
        "toolExecutionNotifications": notifications,
    }
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "controller", "version": version, "rules": list(_rules())}},
                "automationDetails": {"id": f"controller/{run}/"},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
                "invocations": [invocation],
                "results": list(_results(told, prefix)),
            }
        ],
    }


def _rules() -> Iterable[dict[str, Any]]:
    for code, rule in RULES.items():
        yield {
            "id": str(code),
            "shortDescription": {"text": rule.short},
            "fullDescription": {"text": f"{rule.short} {rule.help}"},
            "help": {"text": rule.help, "markdown": rule.help},
        }


def _results(found: Sequence[Finding], prefix: str) -> Iterable[dict[str, Any]]:
    indices = {str(code): number for number, code in enumerate(RULES)}
    seen: Counter[str] = Counter()
    for one in found:
        name = _name(one)
        seen[name] += 1
        yield {
            "ruleId": one.code,
            "ruleIndex": indices[one.code],
            "level": str(one.level),
            "message": {"text": "\n".join(one.lines)},
            "locations": [_location(one, prefix)],
            "partialFingerprints": {FINGERPRINT: f"{name}:{seen[name]}"},
        }


def _name(one: Finding) -> str:
    """The same for the same finding of another revision, wherever it has moved in its file."""
    assert one.at is not None
    what = one.about if one.kind is Kind.WORKLOAD else _PLACES.sub("", one.message)
    return hashlib.sha256("\0".join((one.code, one.at.file, what or "")).encode(errors="surrogatepass")).hexdigest()[
        :32
    ]


def _notification(one: Finding, prefix: str) -> dict[str, Any]:
    told: dict[str, Any] = {"level": str(one.level), "message": {"text": "\n".join(one.lines)}}
    if one.at is not None:
        told["locations"] = [_location(one, prefix)]
    return told


def _location(one: Finding, prefix: str) -> dict[str, Any]:
    assert one.at is not None
    path = posixpath.join(prefix, one.at.file)
    uri = quote(path, errors="replace")
    artifact = {"uri": f"file://{uri}"} if path.startswith("/") else {"uri": uri, "uriBaseId": ROOT}
    region = {"startLine": max(one.at.line, 1), "startColumn": max(one.at.column, 1)}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}
