"""Why a task died or found no place: reason, whether waiting helps, and the next action in one sentence.

Reads what ECS keeps of a stopped task (`stopCode`, `stoppedReason`, exit codes and reasons of its containers), messages
of service events and of RunTask's failures, and, where the caller has them, lines of its log: real containers say
`synStatus=20` there. What ends because somebody wanted it to is no death. Neighbours: `symptoms` (the table).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.core.gaudi.symptoms import ALL, CARDS, STARTS, Symptom
from controller.core.redact import redact
from controller.reasons import Reason

LOOP: Final = 3
"""Tasks of a service that ended with 0 in a row before it is called a loop."""
LONGEST_EVIDENCE: Final = 300

_ON_PURPOSE: Final = frozenset({"UserInitiated", "ServiceSchedulerInitiated"})
_NOT_STARTED: Final = "TaskFailedToStart"
_SIGNALS: Final = {
    126: (Reason.COMMAND_NOT_FOUND, "Make the command executable: the shell found it and could not run it."),
    127: (Reason.COMMAND_NOT_FOUND, "Correct the command: the image has no such program."),
    134: (Reason.CRASHED, "Look for `terminate called` in the log: HCCL_GAUDI_DIRECT without HCCL_OVER_OFI does this."),
    137: (Reason.KILLED, "Raise the memory if nobody stopped the task; if somebody did, raise stopTimeout."),
    139: (Reason.CRASHED, "Compare the SynapseAI versions of driver and image, then look at the log: it crashed."),
    143: (Reason.KILLED, "Nothing: the process ended on SIGTERM, as it was told to."),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a task."""

    reason: Reason
    retryable: bool
    """Whether ECS's next try may succeed without anybody's doing."""
    action: str
    evidence: str
    """The text or the exit code that tells, masked and cut."""


def of_text(text: str, *, rows: tuple[Symptom, ...] = ALL) -> Verdict | None:
    """The verdict on a message: a service event, a RunTask failure. None where nothing is recognised."""
    found = next((row for row in rows if row.found_in(text)), None)
    return Verdict(found.reason, found.retryable, found.action, _evidence(text)) if found else None


def of_task(task: Mapping[str, Any], *, logs: Iterable[str] = ()) -> Verdict | None:
    """The verdict on a stopped task of DescribeTasks; None where it runs or was stopped on purpose.

    The log tells more than ECS does, then the containers, then the task.
    """
    if task.get("lastStatus") not in (None, "STOPPED") and not task.get("stoppedReason"):
        return None
    containers = list(task.get("containers") or ())
    reasons = [str(one["reason"]) for one in containers if one.get("reason")]
    told = [*reasons, str(task.get("stoppedReason") or ""), str(task.get("stopCode") or "")]
    found = (*(of_text(line, rows=CARDS) for line in logs), *(of_text(text) for text in told))
    recognised = next((one for one in found if one is not None), None)
    if recognised is not None:
        return recognised
    if task.get("stopCode") in _ON_PURPOSE:
        return None
    return _by_exit_code(containers) or _not_started(task)


def of_service(tasks: Iterable[Mapping[str, Any]]) -> Verdict | None:
    """The verdict on a service by its stopped tasks, newest first: a loop where one after the other ended with 0.

    ECS restarts what exits under a service for ever, so a training that is done begins anew, and a container without a
    command starts a shell that ends at once.
    """
    newest = list(tasks)
    verdicts = [of_task(task) for task in newest[:LOOP]]
    if len(newest) >= LOOP and all(one is not None and one.reason is Reason.COMPLETED for one in verdicts):
        action = "Make it a job (kind: DL1Job), or give the container a command that does not end."
        return Verdict(Reason.RESTART_LOOP, False, action, f"the last {LOOP} tasks ended with exit code 0")
    return next((one for one in verdicts if one is not None), None)


def _by_exit_code(containers: Iterable[Mapping[str, Any]]) -> Verdict | None:
    """By the container that failed first in the list; by the one that ended with 0 where none failed."""
    codes = [(str(one.get("name")), int(one["exitCode"])) for one in containers if one.get("exitCode") is not None]
    failed = [(name, code) for name, code in codes if code not in (0, 143)] or [one for one in codes if one[1]]
    if failed:
        name, code = failed[0]
        reason, action = _SIGNALS.get(code, (Reason.CRASHED, "Read the log of the container: its own program failed."))
        return Verdict(reason, False, action, f"container {name} ended with exit code {code}")
    if codes:
        action = "Nothing for a job; a service is for work that does not end."
        return Verdict(Reason.COMPLETED, False, action, f"container {codes[0][0]} ended with exit code 0")
    return None


def _not_started(task: Mapping[str, Any]) -> Verdict | None:
    if task.get("stopCode") != _NOT_STARTED:
        return None
    return Verdict(Reason.CANNOT_START, False, STARTS[-1].action, _evidence(str(task.get("stoppedReason") or "")))


def _evidence(text: str) -> str:
    line = " ".join(str(redact(text)).split())
    return line if len(line) <= LONGEST_EVIDENCE else f"{line[: LONGEST_EVIDENCE - 1]}…"
