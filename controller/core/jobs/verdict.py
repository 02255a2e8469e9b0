"""What became of a task of a job, and what an attempt that did not succeed counts as.

Success is said only of a task that ended by itself with every essential container at 0: one that was stopped and ends
with 0, because it handles SIGTERM well, has not done its work. Of several ranks the one that ended first tells the
cause: the others die of its absence. The user's rules come first; then what the end itself says: a lost instance or
what the next try mends counts as nothing, what no try mends fails the job, everything else counts. Sources: ECS API,
Task `stopCode`; Kubernetes, podFailurePolicy. Neighbours: `gaudi.stops` (why a task died), `plan` (what follows).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controller.core.gaudi.stops import Verdict, of_task
from controller.core.jobs.spec import Action, FailurePolicy, FailureRule, Operator
from controller.core.tasks import Task
from controller.reasons import Reason

INTERRUPTIONS: Final = frozenset({"SpotInterruption", "TerminationNotice", "InfrastructureHealth"})
"""Stop codes that are nobody's failure."""
HOPELESS: Final = frozenset({Reason.IMAGE_NOT_FOUND, Reason.COMMAND_NOT_FOUND, Reason.BAD_VISIBILITY})
"""What ends every attempt the same way, until the spec is another."""


class Fate(StrEnum):
    """How a task stands."""

    LIVE = "Live"
    SUCCEEDED = "Succeeded"
    INTERRUPTED = "Interrupted"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an attempt is lost, and what it counts as."""

    reason: Reason
    action: Action
    message: str


def fate_of(task: Task, essential: Iterable[str]) -> Fate:
    """How one task stands. What cannot be seen is no success."""
    if not task.stopped:
        return Fate.LIVE
    codes: Mapping[str, int | None] = {one.name: one.exit_code for one in task.containers}
    names = tuple(essential)
    if task.stop_code == "EssentialContainerExited" and names and all(codes.get(name) == 0 for name in names):
        return Fate.SUCCEEDED
    verdict = of_task(task.wire)
    if task.stop_code in INTERRUPTIONS or (verdict is not None and verdict.reason is Reason.HOST_LOST):
        return Fate.INTERRUPTED
    return Fate.FAILED


def cause_of(lost: Iterable[Task], essential: Iterable[str], policy: FailurePolicy) -> Cause:
    """Why an attempt with these ended tasks is lost, none of which succeeded: the first end decides."""
    names = tuple(essential)
    first = min(lost, key=lambda task: (_ended(task), task.arn))
    verdict = of_task(first.wire)
    reason = verdict.reason if verdict is not None else Reason.KILLED
    message = verdict.evidence if verdict is not None else first.stopped_reason or first.stop_code
    rule = next((one for one in policy.rules if _matches(one, first, reason, names)), None)
    if rule is not None:
        return Cause(reason, rule.action, message)
    return Cause(reason, _default(fate_of(first, names), verdict), message)


def _default(fate: Fate, verdict: Verdict | None) -> Action:
    if fate is Fate.INTERRUPTED or (verdict is not None and verdict.retryable):
        return Action.IGNORE
    return Action.FAIL_JOB if verdict is not None and verdict.reason in HOPELESS else Action.COUNT


def _ended(task: Task) -> float:
    """When its work ended: the stop of the task itself takes longer."""
    for name in ("executionStoppedAt", "stoppingAt", "stoppedAt"):
        if task.wire.get(name) is not None:
            return float(task.wire[name])
    return float("inf")


def _matches(rule: FailureRule, task: Task, reason: Reason, essential: tuple[str, ...]) -> bool:
    wanted = rule.on_exit_codes
    if wanted is None:
        return str(reason) in rule.on_reasons or task.stop_code in rule.on_reasons
    names = (wanted.container,) if wanted.container is not None else essential
    codes = [one.exit_code for one in task.containers if one.name in names]
    return any(code and (code in wanted.values) is (wanted.operator is Operator.IN) for code in codes)
