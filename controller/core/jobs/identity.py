"""The name of what would run, and the names of its tasks: all of them follow from the spec, none is made up.

So whoever looks again, after a crash or from another process, arrives at the same names: RunTask with the same token
answers the tasks that it started before, and a task tells by itself which run, attempt and rank it is. What was
written is digested, not what was rendered from it: another version of this controller may render the same spec another
way, and that is no reason to train a second time. Neighbours: `record` is kept under the uid, `state` reads tasks by
these names.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from controller.core.workload import Workload

UID_VERSION: Final = 1
"""Of the digest's form. To raise it is to run every job of every user again."""
UID_DIGITS: Final = 16
"""Hexadecimal digits: 64 bits, because all names have to go into `startedBy`."""
STARTED_BY: Final = "dl1job"
LONGEST_STARTED_BY: Final = 36
"""Characters of RunTask's `startedBy` that every version of ECS takes (its newest takes 128). Source: ECS API."""
MOST_ATTEMPTS: Final = 99_999
"""The attempts of a run that have room in a name; ten weeks of trying every minute for room."""

_TASK: Final = re.compile(rf"{STARTED_BY}/([0-9a-f]{{{UID_DIGITS}}})/([1-9][0-9]{{0,4}})/([0-9]{{1,2}})")


@dataclass(frozen=True, slots=True, order=True)
class TaskId:
    """Which task of which run: what `startedBy` says."""

    uid: str
    attempt: int
    """From 1."""
    rank: int
    """From 0."""

    @property
    def started_by(self) -> str:
        """RunTask's `startedBy`. Unlike tags, which ECS drops when somebody stops a task, it stays."""
        return f"{STARTED_BY}/{self.uid}/{self.attempt}/{self.rank}"

    @property
    def client_token(self) -> str:
        """RunTask's `clientToken`: at most 64 characters. Source: ECS API, "Ensuring idempotency"."""
        return f"{self.uid}-{self.attempt}-{self.rank}"

    @classmethod
    def of(cls, started_by: str) -> "TaskId | None":
        """The task that a `startedBy` names; None where it is nobody's job."""
        found = _TASK.fullmatch(started_by)
        return cls(found[1], int(found[2]), int(found[3])) if found else None


def uid_of(workload: Workload, *, owner: str, scheduled: datetime | None = None) -> str:
    """The name of a run: another one for other work, for another place, and for every scheduled time.

    What only says how often and how long to try (limits, deadlines, policies, labels) is no part of it.
    """
    spec = workload.job_spec
    content = {
        "owner": owner,
        "key": str(workload.key),
        "taskDefinition": spec.task_definition,
        "runTask": spec.run_task,
        "gaudi": spec.gaudi.model_dump(mode="json", exclude_defaults=True) if spec.gaudi else None,
        "nodes": spec.nodes,
        "completions": spec.completions,
        "runId": spec.run_id,
        "scheduled": int(scheduled.timestamp()) if scheduled is not None else None,
    }
    text = json.dumps([UID_VERSION, _canonical(content)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:UID_DIGITS]


def _canonical(value: Any) -> Any:
    """Without what means nothing: absent members, and the order of what has names or keys."""
    match value:
        case dict():
            return {name: _canonical(one) for name, one in value.items() if one not in (None, [], {})}
        case list() | tuple():
            members = [_canonical(one) for one in value]
            named = members and all(isinstance(one, dict) and ("name" in one or "key" in one) for one in members)
            return sorted(members, key=lambda one: json.dumps(one, sort_keys=True)) if named else members
        case _:
            return value
