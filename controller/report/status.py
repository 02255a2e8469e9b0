"""The state of a running controller as JSON, and from it the tables that people read.

A daemon answers the JSON over its HTTP port and a verb that finds no daemon makes the same JSON of one look, so the
tables are drawn from it and from nothing else. Neighbours: `document` (a workload's form), `text` (tables), `app.http`
(serves these), `cli.status` (prints them).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from controller.core.journal import Entry
from controller.core.pass_report import WorkloadReport
from controller.core.redact import redact
from controller.core.status import State, Type
from controller.reasons import Reason
from controller.report.document import API_VERSION, workload_document
from controller.report.fleet import Inspected, inspected_document, inspected_text
from controller.report.text import clean, table, value

_STEPS: Final = ((86_400.0, "d"), (3600.0, "h"), (60.0, "m"))


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
    fleets: Mapping[str, Inspected] = field(default_factory=dict)
    """Machines of the clusters that were looked at."""


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
            "conditions": [_source_condition(standing)],
        },
        "lastPass": _time(standing.passed),
        "clustersFailed": {cluster: redact(why) for cluster, why in standing.clusters_failed.items()},
        "fleets": [inspected_document(cluster, one) for cluster, one in sorted(standing.fleets.items())],
        "workloads": [
            {**workload_document(one), "tasks": _tasks(one), "cards": one.cards, "lastGood": one.last_good}
            for one in standing.workloads
        ],
    }


def _source_condition(standing: Standing) -> dict[str, Any]:
    """Whether the source can be read. What it said last stands in either case."""
    if standing.stale is not None:
        found = (State.FALSE, Reason.SOURCE_STALE, redact(standing.stale))
    elif standing.revision is None:
        found = (State.UNKNOWN, Reason.PROGRESSING, "not read yet")
    else:
        found = (State.TRUE, Reason.ACCEPTED, "")
    status, reason, message = found
    return {"type": str(Type.READY), "status": str(status), "reason": str(reason), "message": message}


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


# Tables
# ------------------------------------------------------------------------------------------------------------------


def status_text(document: Mapping[str, Any], *, now: datetime) -> str:
    """A `kind: Status` for people: where the specs come from, what is wrong, and a line for each workload."""
    source = document["source"]
    told = [f"source   {clean(source['uri'])} @ {clean(source['revision'] or 'nothing read yet')}"]
    if source["stale"]:
        told.append(f"         cannot be read since {_ago(source['lastFetch'], now)}: {clean(source['stale'])}")
    passed = document["lastPass"]
    told.append(f"pass     {_ago(passed, now)} ago" if passed else "pass     none yet")
    told.extend(f"cluster  {clean(name)}: {clean(why)}" for name, why in document["clustersFailed"].items())
    told.extend(inspected_text(one) for one in document.get("fleets", ()))
    ready = sum(_ready(one)["status"] == "True" for one in document["workloads"])
    told.append(f"ready    {ready} of {len(document['workloads'])}")
    return (
        "\n".join([*told, "", get_text(document["workloads"], now=now)]) if document["workloads"] else "\n".join(told)
    )


def get_text(workloads: Sequence[Mapping[str, Any]], *, now: datetime, wide: bool = False) -> str:
    """Workloads of a `kind: Status` as a table. `wide` adds the kind and the reason of each condition."""
    rows = [["WORKLOAD", "READY", "SPEC", "DRIFT", "HEALTH", "RUN", "CARDS", "SINCE", "NOTE"]]
    rows.extend(
        [
            clean(one["key"]),
            _ready(one)["status"],
            "Invalid" if one["lastGood"] or one["drift"] == "Invalid" else "Accepted",
            f"{one['drift']} {len(one['changes'])}" if one["changes"] else one["drift"],
            one["health"],
            f"{one['tasks']['running']}/{one['tasks']['desired']}" if one["tasks"] else "-",
            str(one["cards"] or "-"),
            _ago(_ready(one).get("lastTransitionTime"), now),
            clean(_note(one)),
        ]
        for one in workloads
    )
    if wide:
        rows = [
            [*row[:-1], extra, row[-1]]
            for row, extra in zip(rows, ["CONDITIONS", *map(_conditions, workloads)], strict=True)
        ]
    return "\n".join(table(rows))


def workload_text(one: Mapping[str, Any], *, now: datetime) -> str:
    """One workload of a `kind: Status` in full: its conditions, and every field that differs."""
    lines = [f"{one['kind']} {clean(one['key'])}", ""]
    conditions = [["CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"]]
    conditions.extend(
        [
            each["type"],
            each["status"],
            each["reason"],
            _ago(each.get("lastTransitionTime"), now),
            clean(each["message"]),
        ]
        for each in one["conditions"]
    )
    lines.extend(table(conditions))
    if why := one.get("why"):
        again = "the next try may succeed" if why["retryable"] else "no next try will succeed by itself"
        lines += ["", f"tasks die: {why['reason']} ({again})", f"  {clean(why['evidence'])}", f"  {why['action']}"]
    if one["changes"]:
        lines.append("")
        changes = [["FIELD", "LIVE", "SPEC", "WRITTEN AT", "EFFECT"]]
        changes.extend(
            [
                clean(each["path"]),
                value(each["live"]),
                value(each["spec"]),
                clean(f"{each['origin']['file']}:{each['origin']['line']}"),
                each["effect"],
            ]
            for each in one["changes"]
        )
        lines.extend(table(changes))
    return "\n".join(lines)


def events_text(document: Mapping[str, Any]) -> str:
    """A `kind: Events` for people, oldest first."""
    rows = [["AT", "WORKLOAD", "EVENT", "DETAILS"]]
    rows.extend(
        [
            one["at"].replace("+00:00", "Z"),
            clean(one["workload"] or "-"),
            clean(one["event"]),
            clean(", ".join(f"{name}={value(fact)}" for name, fact in one["facts"].items())),
        ]
        for one in document["events"]
    )
    return "\n".join(table(rows))


def _ready(one: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = {"status": "Unknown", "reason": "", "message": ""}
    return next((each for each in one["conditions"] if each["type"] == "Ready"), unknown)


def _note(one: Mapping[str, Any]) -> str:
    """What somebody who reads one line should know: why it is not ready, or that an old version stands in."""
    ready = _ready(one)
    if ready["status"] != "True":
        return f"{ready['reason']}: {ready['message']}" if ready["message"] else str(ready["reason"])
    return "the newest document is invalid, the last good one stands" if one["lastGood"] else ""


def _conditions(one: Mapping[str, Any]) -> str:
    return ",".join(f"{each['type']}={each['reason']}" for each in one["conditions"])


def _ago(at: str | None, now: datetime) -> str:
    """How long ago, in the largest unit that it fills: `3d`, `2h`, `5m`, `12s`."""
    if at is None:
        return "-"
    seconds = max((now - datetime.fromisoformat(at)).total_seconds(), 0.0)
    return next((f"{int(seconds // size)}{unit}" for size, unit in _STEPS if seconds >= size), f"{int(seconds)}s")
