"""Jobs in a pass: shown by the dry run, carried out by the other, waited for, and told."""

from typing import Any

from controller.app import once
from controller.core.pass_report import Exit, Verdict
from controller.core.status import State, Type
from controller.reconcile.reconciler import Reconciler
from controller.report.document import plan_document
from controller.report.text import plan_text
from controller.settings import Settings
from controller.sources.snapshot import Snapshot
from tests.reconcile.test_jobs import EXAMPLES, Site


class Fixed:
    """A source that says one thing."""

    uri = "specs"

    def __init__(self, *files: str) -> None:
        self.files = {name: (EXAMPLES / name).read_bytes() for name in files}

    async def snapshot(self) -> Snapshot:
        return Snapshot("specs", "sha256:1", self.files)

    async def changes(self):
        yield


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
