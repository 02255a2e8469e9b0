"""Many jobs on few machines: no card is used twice, machines hardly ever wait for a job, and the order of the queue is
kept. Time is virtual, and what a call costs is not counted: only cards and the queue's own pauses make it long.
"""

import pytest
import structlog

from controller.app.jobs import POLL, Jobs
from controller.core.desired import Desired, desire
from controller.core.jobs.plan import LONGEST_WAIT_FOR_ROOM
from controller.core.pass_report import WorkloadReport
from controller.core.prune import SourceHealth
from controller.core.render import Settings
from controller.core.status import HealthState
from controller.reconcile.reconciler import Reconciler
from tests.reconcile.test_jobs import Site

SPEC = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Job
metadata: {{name: job-{number:03}}}
spec:
  cluster: default
  gaudi: {{cards: 8}}
  taskDefinition:
    containerDefinitions:
      - {{name: train, image: "example.com/train:1", cpu: 1024, memory: 4096, command: [train]}}
"""
LASTS = 300.0
"""Seconds that a training takes."""
OVERHEAD = 40.0
"""Seconds of pulling, starting, stopping, and until the daemon looks."""


def wanted(jobs: int) -> Desired:
    text = "---".join(SPEC.format(number=number) for number in range(jobs))
    found = desire({"jobs.yaml": text.encode()}, Settings())
    assert len(found.jobs) == jobs, found.diagnostics
    return found


async def work(jobs: int, machines: int) -> tuple[list[str], float]:
    """Looks until all is over: names of jobs in the order in which RunTask was asked, and the seconds that it took."""
    site, specs, over = Site(machines=machines), wanted(jobs), set[str]()
    site.simulator.finishes("*", after=LASTS)

    def keep(report: WorkloadReport, _digest: str) -> None:
        if report.health.state is HealthState.HEALTHY:
            over.add(report.key.name)

    healthy = SourceHealth(complete=True, workloads=jobs)
    reconciler = Reconciler(site.controller().ecs, site, site, "controller")
    daemon = Jobs(reconciler, lambda: specs, dict, keep, structlog.get_logger(), lambda: healthy)
    began = site.clock.now()
    while len(over) < jobs:
        assert site.clock.now() - began < at_most(jobs, machines), f"{jobs - len(over)} jobs are not over"
        await daemon.once()
        site.rest(POLL)
        assert all(len(tasks) <= 1 for tasks in site.simulator.world.tasks_on.values()), "cards that two hold"
    asked = [str(params["taskDefinition"]) for name, params in site.interceptor.calls if name == "RunTask"]
    return [one.partition(":")[0] for one in asked], site.clock.now() - began


def at_most(jobs: int, machines: int) -> float:
    """Seconds that machines need which are never idle but for what a task takes to begin and to end, and for the wait
    of whoever is the next."""
    return -(-jobs // machines) * (LASTS + OVERHEAD + LONGEST_WAIT_FOR_ROOM)


async def check(jobs: int, machines: int) -> None:
    asked, seconds = await work(jobs, machines)
    assert list(dict.fromkeys(asked)) == [f"job-{number:03}" for number in range(jobs)], "first come, first served"
    assert asked == sorted(asked), "nobody asks while somebody before him waits for room"
    assert seconds >= -(-jobs // machines) * LASTS


async def test_twenty_jobs_on_four_machines() -> None:
    await check(20, 4)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_five_hundred_jobs_on_forty_machines() -> None:
    await check(500, 40)
