"""What is remembered of the past: entries of the journal, and the one form in which every backend keeps them.

The journal is history and nothing else: no decision is taken on it, so losing it costs only the answer to "what
happened yesterday?". What decides is read from ECS itself (tags, service deployments). Neighbours: `report.journal` and
`aws.journal` keep entries, `app` makes them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.core.redact import redact


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: a transition of a condition, a step, a healed field, a new revision."""

    at: datetime
    event: str
    """What happened, as the log names it: `condition`, `step done`."""
    workload: str | None = None
    """`cluster/name`, or None where it is about no one workload."""
    severity: str = "info"
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Details, as JSON values. Secrets are masked when an entry becomes text."""


def to_text(entry: Entry) -> str:
    """The entry as one line of JSON."""
    content = {
        "at": entry.at.isoformat(),
        "event": entry.event,
        "workload": entry.workload,
        "severity": entry.severity,
        "facts": redact(json.loads(json.dumps(dict(entry.facts), default=str))),
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def from_text(text: str) -> Entry | None:
    """The entry that a line holds; None where it is none. A journal may be old, foreign or cut off."""
    try:
        content = json.loads(text)
        at = datetime.fromisoformat(content["at"])
        event, workload, severity, facts = (content[name] for name in ("event", "workload", "severity", "facts"))
    except (ValueError, KeyError, TypeError):
        return None
    sound = at.tzinfo is not None and isinstance(event, str) and isinstance(facts, dict)
    return Entry(at, event, workload, str(severity), facts) if sound and isinstance(workload, str | None) else None
