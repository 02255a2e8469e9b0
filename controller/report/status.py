"""The state of a running controller as JSON, and back from it: what its HTTP port answers and the verbs print.

Neighbours: `document` (a workload's form), `text` (the same for people), `app.http` serves these.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.core.journal import Entry
from controller.core.pass_report import WorkloadReport
from controller.core.redact import redact
from controller.report.document import API_VERSION, workload_document


@dataclass(frozen=True, slots=True)
class Standing:
    """How a daemon stands."""

    uri: str
    revision: str | None
    """The revision that is being kept; None until one was read."""
    stale: str | None
    """Why the source cannot be read at present; None where it can."""
    fetched: datetime | None
    """When the source was last read."""
    passed: datetime | None
    """When every cluster was last observed."""
    workloads: tuple[WorkloadReport, ...]
    clusters_failed: Mapping[str, str]
    """Clusters that could not be observed, and why."""


def status_document(standing: Standing) -> dict[str, Any]:
    """`kind: Status`."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Status",
        "source": {
            "uri": redact(standing.uri),
            "revision": standing.revision,
            "stale": redact(standing.stale),
            "lastFetch": _time(standing.fetched),
        },
        "lastPass": _time(standing.passed),
        "clustersFailed": {cluster: redact(why) for cluster, why in standing.clusters_failed.items()},
        "workloads": [
            {**workload_document(one), "tasks": _tasks(one), "cards": one.cards, "lastGood": one.last_good}
            for one in standing.workloads
        ],
    }


def events_document(entries: Iterable[Entry]) -> dict[str, Any]:
    """`kind: Events`, oldest first."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Events",
        "events": [
            {
                "at": one.at.isoformat(),
                "event": one.event,
                "severity": one.severity,
                "workload": one.workload,
                "facts": redact(dict(one.facts)),
            }
            for one in entries
        ],
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _tasks(one: WorkloadReport) -> dict[str, int] | None:
    return {"running": one.tasks[0], "desired": one.tasks[1]} if one.tasks else None
