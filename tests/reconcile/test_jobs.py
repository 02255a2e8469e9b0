"""Jobs on the simulated ECS: the examples run to their end, and a controller that dies after any call loses nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.aws.ecs import EcsGateway
from controller.aws.tasks import TaskGateway
from controller.core.desired import desire
from controller.core.jobs.record import Phase
from controller.core.render import Settings
from controller.reasons import Reason
from controller.reconcile.jobs import JobReconciler, observe_job
from controller.sandbox.clocks import ManualClock
from controller.sandbox.consistency import check
from controller.sandbox.fleet import DL1, Machine
from controller.sandbox.inprocess import Ec2InProcess, InProcess
from controller.sandbox.simulator import Options, Simulator

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"


class Killed(BaseException):
    """The process is no more."""


class Interceptor:
    """Counts calls, and kills at one of them: before it is sent or when its answer comes."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.kill: tuple[int, str] | None = None

    async def before(self, operation: str, params: Mapping[str, Any]) -> None:
        self.calls.append((operation, params))
        if self.kill == (len(self.calls), "before"):
            raise Killed

    async def after(self, operation: str, params: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if self.kill == (len(self.calls), "after"):
            raise Killed
        return answer


class Site:
    """A simulated ECS and controllers that come and go."""

    def __init__(self, machines: int = 4) -> None:
        fleet = tuple(Machine(DL1, "a") for _ in range(machines))
        self.simulator = Simulator(now=1_800_000_000.0, options=Options(fleet=fleet))
        self.clock, self.interceptor = ManualClock(), Interceptor()
        self.told: list[str] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)

    def record(self, event: str, **facts: Any) -> None:
        self.told.append(event)

    def controller(self) -> JobReconciler:
        api = InProcess(self.simulator, self.clock, interceptor=self.interceptor)
        ec2 = Ec2InProcess(self.simulator, self.clock)
        return JobReconciler(EcsGateway(api, None, ec2), TaskGateway(api, ec2), self, self)

    def rest(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.simulator.advance(self.clock.now())
        check(self.simulator.world)

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.simulator.call("ListTasks", {"desiredStatus": status}, self.clock.now())["taskArns"]
        if not arns:
            return []
        return self.simulator.call("DescribeTasks", {"tasks": arns}, self.clock.now())["tasks"]


def job_of(file: str, **changes: str):
    text = (EXAMPLES / file).read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(f"{old}:", f"{new}\n  {old}:", 1)
    (job,) = desire({file: text.encode()}, Settings()).jobs.values()
    return job


async def test_the_seeds_example_is_planned_run_and_complete():
    site, job = Site(), job_of("hl-smi-job.yaml")
    first = await site.controller().converge(job)
    assert [type(step).__name__ for step in first.done] == ["EnsureTaskDefinition", "RecordRun", "RunTask"]
    assert first.error is None
    for _ in range(60):
        site.rest(30)
        await site.controller().converge(job)
    (record,) = (await observe_job(site.controller().ecs, site.controller().tasks, job)).records(job)
    assert (record.phase, record.succeeded, record.attempt) == (Phase.COMPLETE, 1, 1)
    before = len(site.interceptor.calls)
    site.rest(86_400)
    last = await site.controller().converge(job)
    assert (last.done, last.plan.steps) == ((), ())
    writes = [
        name for name, _ in site.interceptor.calls[before:] if name.startswith(("Run", "Register", "Tag", "Stop"))
    ]
    assert writes == []


async def test_a_gang_is_told_where_rank_0_is():
    site, job = Site(), job_of("gang-training.yaml")
    result = await site.controller().converge(job)
    assert result.error is None, result.error
    first, second = sorted(site.tasks(), key=lambda task: task["startedBy"])
    assert first["containerInstanceArn"] != second["containerInstanceArn"]
    told = {one["name"]: one["value"] for one in second["overrides"]["containerOverrides"][0]["environment"]}
    assert (told["RANK"], told["WORLD_SIZE"], told["MASTER_PORT"]) == ("1", "2", "29500")
    assert told["MASTER_ADDR"].count(".") == 3
    assert told["HCCL_COMM_ID"] == f"{told['MASTER_ADDR']}:29501"


async def test_a_gang_that_fits_in_part_does_not_run():
    site, job = Site(machines=1), job_of("gang-training.yaml")
    result = await site.controller().converge(job)
    assert [type(step).__name__ for step in result.done][-2:] == ["RecordRun", "StopTask"]
    site.rest(300)
    assert site.tasks() == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_any_call_a_gang_runs_once(when: str):
    job = job_of("gang-training.yaml")
    whole = Site()
    await whole.controller().converge(job)
    for index in range(1, len(whole.interceptor.calls) + 1):
        site = Site()
        site.interceptor.kill = (index, when)
        with pytest.raises(Killed):
            await site.controller().converge(job)
        site.interceptor.kill = None
        for _ in range(3):
            result = await site.controller().converge(job)
            assert result.error is None, result.error
            site.rest(5)
        names = [task["startedBy"].rpartition("/")[2] for task in site.tasks()]
        assert sorted(names) == ["0", "1"], index
        assert site.tasks("STOPPED") == []


@pytest.mark.parametrize(("owner", "waits"), [("controller", True), ("somebody-else", False)])
async def test_what_was_a_service_runs_as_a_job_only_when_the_service_is_gone(owner: str, *, waits: bool) -> None:
    site, job = Site(), job_of("hl-smi-job.yaml")
    api = InProcess(site.simulator, site.clock)
    await api.call("RegisterTaskDefinition", {**job.register, "family": "before"})
    tags = [{"key": "dl1.ecs/owner", "value": owner}]
    service = {"cluster": job.cluster, "service": job.key.name}
    create = {"cluster": job.cluster, "serviceName": job.key.name, "taskDefinition": "before", "desiredCount": 0}
    await api.call("CreateService", {**create, "tags": tags})
    first = await site.controller().converge(job)
    started = [operation for operation, _ in site.interceptor.calls if operation == "RunTask"]
    assert bool(started) is not waits
    assert [hold.reason for hold in first.plan.holds] == ([Reason.DRAINING] if waits else [])
    await api.call("DeleteService", {**service, "force": True})
    site.rest(600)
    await site.controller().converge(job)
    assert [operation for operation, _ in site.interceptor.calls if operation == "RunTask"] == ["RunTask"]
