"""Jobs in a pass: shown by the dry run, carried out by the other, waited for, and told."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import structlog

from controller.app import once
from controller.app.jobs import BREATH, POLL, Jobs
from controller.core.desired import desire
from controller.core.pass_report import Exit, Verdict
from controller.core.prune import SourceHealth
from controller.core.render import Settings as RenderSettings
from controller.core.status import State, Type
from controller.reconcile.reconciler import Reconciler
from controller.report.document import plan_document
from controller.report.text import plan_text
from controller.settings import Settings
from controller.sources.snapshot import Snapshot
from tests.reconcile.test_jobs import EXAMPLES, Site
from tests.support import desired


class Fixed:
    """A source that says one thing."""

    uri = "specs"

    def __init__(self, *files: str) -> None:
        self.files = {name: (EXAMPLES / name).read_bytes() for name in files}

    async def snapshot(self) -> Snapshot:
        return Snapshot("specs", "sha256:1", self.files)

    async def changes(self):
        yield


def healthy() -> SourceHealth:
    return SourceHealth(complete=True, workloads=1)


def reconciler(site: Site) -> Reconciler:
    return Reconciler(site.controller().ecs, site, site, "controller")


async def test_the_dry_run_shows_every_task_and_starts_none():
    site = Site()
    report = await once.look(Fixed("gang-training.yaml"), reconciler(site).ecs, site, Settings(), order=once.Order())
    (job,) = report.workloads
    steps = [step["action"] for step in plan_document(report)["workloads"][0]["steps"]]
    assert steps == ["EnsureTaskDefinition", "RecordRun", "RunTask", "RunTask"]
    assert (job.kind, job.verdict, report.exit_code) == ("DL1Job", Verdict.CREATE, Exit.DRIFT)
    assert site.tasks() == []
    assert "bert-two-nodes" in plan_text(report)


async def test_a_job_is_run_and_told_complete():
    site, order = Site(), once.Order()
    source: Any = Fixed("hl-smi-job.yaml")
    report = await once.apply(source, reconciler(site), Settings(), order=order)
    (job,) = report.workloads
    assert [type(step).__name__ for step in job.done] == ["EnsureTaskDefinition", "RecordRun", "RunTask"]
    assert job.conditions[Type.COMPLETE].status is State.FALSE
    for _ in range(30):
        site.rest(30)
        report = await once.apply(source, reconciler(site), Settings(), order=order)
    (job,) = report.workloads
    assert job.conditions[Type.COMPLETE].status is State.TRUE
    assert job.conditions[Type.READY].status is State.TRUE
    assert report.exit_code is Exit.DONE


async def test_the_daemons_jobs_get_room_in_order_and_are_left_alone_once_they_are_over():
    text = (EXAMPLES / "hl-smi-job.yaml").read_text(encoding="utf-8").replace("isolation: none", "isolation: hostPorts")
    text = text.replace("command: [hl-smi]", "command: [train]")
    documents = [text.replace("name: ecs-dl1-task-def", f"name: job-{number}") for number in range(3)]
    wanted = desired(*documents)
    assert len(wanted.jobs) == 3, wanted.diagnostics
    site, kept, log = Site(machines=1), {}, structlog.get_logger()
    jobs = Jobs(reconciler(site), lambda: wanted, dict, lambda one, _: kept.update({one.key.name: one}), log, healthy)
    await jobs.once()
    assert len(site.tasks()) == 1
    assert site.tasks()[0]["taskDefinitionArn"].endswith("task-definition/job-0:1")
    assert sorted(kept) == ["job-0", "job-1", "job-2"]
    assert "behind default/job-1" in kept["job-2"].plan.holds[0].message
    before = len(site.interceptor.calls)
    await jobs.once()
    assert not [name for name, params in site.interceptor.calls[before:] if params.get("family") == "job-2"]


async def test_a_job_that_is_over_costs_no_call():
    source, site, log = Fixed("hl-smi-job.yaml"), Site(), structlog.get_logger()
    wanted = desire(source.files, RenderSettings())
    jobs = Jobs(reconciler(site), lambda: wanted, dict, lambda _one, _digest: None, log, healthy)
    for _ in range(30):
        await jobs.once()
        site.rest(30)
    before = len(site.interceptor.calls)
    await jobs.once()
    assert len(site.interceptor.calls) == before


async def test_tasks_of_a_job_whose_spec_is_gone_are_stopped_unless_there_is_a_doubt():
    source, site, log = Fixed("gang-training.yaml"), Site(), structlog.get_logger()
    whole, held = desire(source.files, RenderSettings()), [SourceHealth(complete=False, workloads=1)]
    now = [whole]
    jobs = Jobs(reconciler(site), lambda: now[0], dict, lambda _one, _digest: None, log, lambda: held[0])
    await jobs.once()
    assert len(site.tasks()) == 2
    now[0] = replace(whole, jobs={})
    await jobs.once()
    assert len(site.tasks()) == 2
    held[0] = healthy()
    await jobs.once()
    site.rest(300)
    assert site.tasks() == []


@pytest.mark.looptime
async def test_what_is_heard_of_a_task_brings_the_next_look_forward_and_many_of_it_bring_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, log, looks = Fixed("hl-smi-job.yaml"), structlog.get_logger(), list[float]()
    wanted, clock = desire(source.files, RenderSettings()), asyncio.get_running_loop().time
    jobs = Jobs(reconciler(Site()), lambda: wanted, dict, lambda _one, _digest: None, log, healthy)

    async def look(_: Jobs) -> None:
        looks.append(round(clock() - began, 3))
        await asyncio.sleep(0.5)
        if len(looks) == 3:
            jobs.wake()  # while it looks: what it has seen may be older

    monkeypatch.setattr(Jobs, "once", look)
    began = clock()
    running = asyncio.create_task(jobs.run())
    await asyncio.sleep(1)
    for _ in range(20):
        jobs.wake()
    await asyncio.sleep(30)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert (BREATH, POLL) == (2, 10)
    assert looks == [0, 2.5, 13, 15.5, 26]
