"""Rules of a job's document that one field alone cannot break.

Neighbours: `core.crosscheck` calls `within` beside the rules of services, `core.policy` calls `gang` on what was
rendered.
"""

from collections.abc import Iterator
from typing import Final

from controller.core.diagnostics import Code, Diagnostic, Severity
from controller.core.gaudi.cards import COUNTS
from controller.core.jobs.schedule import Cron, ScheduleError
from controller.core.jobs.spec import SET_BY_US, Concurrency, JobSpec
from controller.core.path import Path
from controller.core.quoting import quote
from controller.core.workload import Workload
from controller.reasons import Reason

_RUN_TASK: Final[Path] = ("spec", "runTask")
_WHY: Final = {
    "count": ("each task is started by a call of its own", "say how many with nodes"),
    "startedBy": ("it is what a job's tasks are found by", "remove it; group is yours"),
    "clientToken": ("it keeps a run that was cut off from being started twice", "remove it"),
    "referenceId": ("ECS reserves it", "remove it"),
    "taskDefinition": ("it is the revision of spec.taskDefinition that is registered", "remove it"),
}
STOP_CODES: Final = (
    *("TaskFailedToStart", "EssentialContainerExited", "UserInitiated", "ServiceSchedulerInitiated"),
    *("SpotInterruption", "TerminationNotice", "InfrastructureHealth"),
)
"""Source: ECS API, Task `stopCode`."""


def within(workload: Workload) -> Iterator[Diagnostic]:
    """Contradictions inside one document."""
    spec = workload.job_spec
    yield from _run_task(workload, spec)
    yield from _schedule(workload, spec)
    yield from _rules(workload, spec)


def _run_task(workload: Workload, spec: JobSpec) -> Iterator[Diagnostic]:
    for name in SET_BY_US:
        if name in spec.run_task:
            why, hint = _WHY[name]
            message = f"runTask.{name} is set by the controller: {why}"
            yield Diagnostic(Code.CONTRADICTION, message, workload.origin((*_RUN_TASK, name)), hint=hint)
    cluster = spec.run_task.get("cluster")
    if cluster is not None and str(cluster) != spec.cluster:
        message = f"runTask.cluster is {quote(str(cluster))}, but spec.cluster is `{spec.cluster}`"
        yield Diagnostic(Code.CONTRADICTION, message, workload.origin((*_RUN_TASK, "cluster")), hint="remove it")
    if spec.run_task.get("propagateTags") == "SERVICE":
        message = "runTask.propagateTags cannot be SERVICE: a job's tasks have none"
        yield Diagnostic(Code.CONTRADICTION, message, workload.origin((*_RUN_TASK, "propagateTags")))


def _schedule(workload: Workload, spec: JobSpec) -> Iterator[Diagnostic]:
    at: Path = ("spec", "schedule")
    if spec.schedule is not None:
        try:
            Cron.read(spec.schedule)
        except ScheduleError as error:
            yield Diagnostic(Code.BAD_VALUE, f"spec.schedule: {error}", workload.origin(at), hint="as in: 0 3 * * 1-5")
        return
    default = JobSpec.model_fields
    for name, written in (
        ("timeZone", spec.time_zone != default["time_zone"].default),
        ("concurrencyPolicy", spec.concurrency_policy is not Concurrency.FORBID),
        ("startingDeadlineSeconds", spec.starting_deadline_seconds is not None),
    ):
        if written:
            message = f"spec.{name} means something only with spec.schedule"
            yield Diagnostic(Code.CONTRADICTION, message, workload.origin(("spec", name)))


def _rules(workload: Workload, spec: JobSpec) -> Iterator[Diagnostic]:
    known = {*STOP_CODES, *(str(reason) for reason in Reason)}
    for number, rule in enumerate(spec.failure_policy.rules):
        at: Path = ("spec", "failurePolicy", "rules", number)
        if (rule.on_exit_codes is None) == (not rule.on_reasons):
            message = f"rule {number + 1} of failurePolicy needs one of onExitCodes and onReasons"
            yield Diagnostic(Code.CONTRADICTION, message, workload.origin(at))
        for index, reason in enumerate(rule.on_reasons):
            if reason not in known:
                message = f"{quote(reason)} is no reason for which a task ends"
                hint = "as OutOfMemory, ImageNotFound, HostLost, or a stopCode of ECS"
                yield Diagnostic(Code.BAD_VALUE, message, workload.origin((*at, "onReasons", index)), hint=hint)


def gang(workload: Workload, mode: str) -> Iterator[Diagnostic]:
    """Several nodes reach each other, and are whole instances: HCCL takes all cards of a host between hosts. `mode` is
    the network mode that was rendered. Source: docs.habana.ai, Scale-Out via Host NIC."""
    spec = workload.job_spec
    if spec.nodes == 1:
        return
    gaudi = spec.gaudi
    if gaudi is not None and len(gaudi.modules or gaudi.devices or ()) not in (0, max(COUNTS)):
        cards = len(gaudi.modules or gaudi.devices or ())
    else:
        cards = gaudi.cards or max(COUNTS) if gaudi is not None else max(COUNTS)
    if cards != max(COUNTS):
        message = f"{spec.nodes} nodes with {cards} cards each: ranks on several instances use whole ones"
        yield Diagnostic(Code.CONTRADICTION, message, workload.origin(("spec", "gaudi")), hint="set gaudi.cards: 8")
    if mode in ("bridge", "none"):
        message = f"networkMode {mode} hides a task from those on other instances, but the job has {spec.nodes} nodes"
        place: Path = ("spec", "taskDefinition", "networkMode")
        yield Diagnostic(Code.CONTRADICTION, message, workload.origin(place), hint="use networkMode: host")
    if gaudi is not None and not gaudi.efa:
        message = f"{spec.nodes} nodes without EFA talk over TCP, which is slow between DL1 instances"
        hint = "set gaudi.efa: true where the instances were launched with EFA interfaces"
        at: Path = ("spec", "nodes")
        yield Diagnostic(Code.POLICY, message, workload.origin(at), hint=hint, severity=Severity.WARNING)
