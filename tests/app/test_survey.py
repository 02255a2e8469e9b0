"""One look at everything: what it costs, what it says, and what it cannot be kept from saying."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from controller.app import survey as module
from controller.app.once import desired_of
from controller.app.survey import Survey, Terms, survey
from controller.aws.api import AnswerError
from controller.core.desired import Desired
from controller.core.pass_report import Verdict
from controller.core.plan import Drift
from controller.core.status import HealthState
from controller.core.workload import Key
from controller.errors import Denied
from controller.settings import Settings
from controller.sources.snapshot import Snapshot
from tests.app.running import Clock, Cloud, Specs, cloud, fleet, running, spec

pytestmark = pytest.mark.looptime


def desired(files: dict[str, bytes]) -> Desired:
    return desired_of(Snapshot("memory", "r1", files), Settings())


async def look(on: Cloud, wanted: Desired, only: Collection[Key] | None = None, **terms: Any) -> Survey:
    return await survey(wanted, on.reader(), Clock(), terms=Terms(owner="controller", **terms), only=only)


def keys(*names: str) -> set[Key]:
    return {Key("default", name) for name in names}


async def converged() -> tuple[Cloud, dict[str, bytes]]:
    """Three services that run."""
    on, files = cloud(), fleet("a", "b", "c")
    async with running(on, Specs(dict(files))) as one:
        await one.converged()
    return on, files


# What it costs
# ----------------------------------------------------------------------------------------------------------------------

MANY = 1000


async def test_a_pass_over_a_thousand_services_in_sync() -> None:
    on, files = cloud(), fleet(*(f"s{number:04}" for number in range(MANY)), replicas=0)
    wanted = desired(files)
    for rendered in wanted.rendered.values():
        on.hand("RegisterTaskDefinition", **rendered.register)
        on.simulator.call("CreateService", rendered.create, on.simulator.world.now)
    reader = on.reader()
    terms = Terms(owner="controller", clusters=("default",))
    first = await survey(wanted, reader, Clock(), terms=terms)
    assert {report.verdict for report in first.reports.values()} == {Verdict.IN_SYNC}
    assert len(first.reports) == first.owned == MANY
    assert on.count() == {"ListServices": 10, "DescribeServices": 100, "DescribeTaskDefinition": MANY}
    on.calls.clear()
    second = await survey(wanted, reader, Clock(), terms=terms)
    assert on.count() == {"ListServices": 10, "DescribeServices": 100}
    assert second.reports == first.reports


async def test_a_look_at_some_lists_nothing() -> None:
    on, files = await converged()
    since = len(on.calls)
    seen = await look(on, desired(files), only=keys("a", "c"))
    assert set(seen.reports) == keys("a", "c")
    described = [params["services"] for _, operation, params in on.calls[since:] if operation == "DescribeServices"]
    assert described == [["a", "c"]]
    assert "ListServices" not in {operation for _, operation, _ in on.calls[since:]}


async def test_the_event_loop_gets_its_turn_between_workloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease is renewed on this loop."""
    wanted = desired(fleet(*(f"s{number}" for number in range(100))))
    plain, since_last_turn, longest = module.plan, 0, 0

    def counted(*arguments: Any) -> Any:
        nonlocal since_last_turn, longest
        since_last_turn += 1
        longest = max(longest, since_last_turn)
        return plain(*arguments)

    async def others() -> None:
        nonlocal since_last_turn
        while True:
            since_last_turn = 0
            await asyncio.sleep(0)

    monkeypatch.setattr(module, "plan", counted)
    other = asyncio.ensure_future(others())
    seen = await look(cloud(), wanted)
    other.cancel()
    assert len(seen.reports) == 100
    assert longest <= module.AT_ONCE


# What it says
# ----------------------------------------------------------------------------------------------------------------------


async def test_what_is_there_and_what_is_not() -> None:
    on, files = await converged()
    on.hand("UpdateService", service="b", desiredCount=2)
    del files["c.yaml"]
    seen = await look(on, desired({**files, "d.yaml": spec("d"), "e.yaml": spec("e").replace(b"cpu", b"cpuu")}))
    assert {str(key): str(report.plan.drift) for key, report in seen.reports.items()} == {
        "default/a": "InSync",
        "default/b": "Drifted",
        "default/c": "Orphaned",
        "default/d": "Missing",
        "default/e": "Invalid",
    }
    assert (seen.owned, seen.failed) == (3, {})


async def test_an_orphan_is_planned_in_a_look_at_everything_only() -> None:
    on, files = await converged()
    del files["a.yaml"]
    wanted = desired(files)
    assert (await look(on, wanted)).reports[Key("default", "a")].plan.steps
    assert (await look(on, wanted, only=keys("a"))).reports == {}
    on.hand("UpdateService", service="a", desiredCount=0)
    on.hand("DeleteService", service="a")
    seen = await look(on, wanted, only=keys("a"))
    assert seen.reports[Key("default", "a")].health.state is HealthState.PROGRESSING
    await asyncio.sleep(120)
    seen = await look(on, wanted, only=keys("a", "b"))
    assert (set(seen.reports), seen.gone) == (keys("b"), keys("a"))


async def test_a_workload_waits_for_another_and_sees_it_in_the_same_look() -> None:
    on, files = await converged()
    files["a.yaml"] = spec("a", replicas=2, reconcile="dependsOn: [default/b]")
    wanted = desired(files)
    assert (await look(on, wanted)).reports[Key("default", "a")].plan.steps
    assert not (await look(on, wanted, only=keys("a"))).reports[Key("default", "a")].plan.steps
    ready = {"default/b": True}
    assert (await look(on, wanted, only=keys("a"), ready=ready)).reports[Key("default", "a")].plan.steps
    on.hand("UpdateService", service="b", desiredCount=2)
    assert not (await look(on, wanted)).reports[Key("default", "a")].plan.steps


# What goes wrong
# ----------------------------------------------------------------------------------------------------------------------


async def test_what_cannot_be_had_of_one_workload_hides_no_other() -> None:
    on, files = await converged()

    def refuse(operation: str, params: Any) -> None:
        if "b:" in str(params.get("taskDefinition", "")):
            raise AnswerError(operation, code="AccessDeniedException", message="no")

    on.before = refuse
    seen = await look(on, desired(files))
    drifts = {key.name: report.plan.drift for key, report in seen.reports.items()}
    assert drifts == {"a": Drift.IN_SYNC, "b": Drift.UNKNOWN, "c": Drift.IN_SYNC}
    assert isinstance(seen.reports[Key("default", "b")].error, Denied)
    assert seen.failed == {}


async def test_a_bug_of_ours_at_one_workload_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    on, files = await converged()
    plain = module.plan

    def stumbling(rendered: Any, *more: Any) -> Any:
        if rendered.workload.key.name == "b":
            raise KeyError("deployments")
        return plain(rendered, *more)

    monkeypatch.setattr(module, "plan", stumbling)
    seen = await look(on, desired(files))
    assert (
        str(seen.reports[Key("default", "b")].error) == "a bug: looking at default/b ended with KeyError: 'deployments'"
    )
    assert {report.plan.drift for key, report in seen.reports.items() if key.name != "b"} == {Drift.IN_SYNC}


async def test_a_listing_that_fails_half_way_makes_the_whole_cluster_unknown() -> None:
    on, files = cloud(), fleet(*(f"s{number:03}" for number in range(150)), replicas=0)
    wanted = desired(files)
    for rendered in wanted.rendered.values():
        on.hand("RegisterTaskDefinition", **rendered.register)
        on.simulator.call("CreateService", rendered.create, on.simulator.world.now)

    def lose(operation: str, params: Any) -> None:
        if operation == "ListServices" and "nextToken" in params:
            raise AnswerError(operation, code="ServerException", message="Service Unavailable", status=500)

    on.before = lose
    seen = await look(on, wanted)
    assert {report.plan.drift for report in seen.reports.values()} == {Drift.UNKNOWN}
    assert set(seen.failed) == {"default"}
