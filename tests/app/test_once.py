"""One pass: dry, applied, waited for; and what the process answers."""

import asyncio
from typing import Any

import pytest

from controller.app.once import Order, apply, look
from controller.aws.api import AnswerError
from controller.core.pass_report import Exit, PassReport, Verdict, WorkloadReport
from controller.core.plan import Drift
from controller.core.status import HealthState, Type
from controller.core.workload import Workload
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.reconcile.reconciler import Reconciler
from controller.sandbox.faults import Faults
from controller.settings import Settings
from tests.app.running import Clock, Cloud, Log, Specs, Unfound, cloud, fleet, now, spec

pytestmark = pytest.mark.looptime
NAMES = tuple(f"s{number:02}" for number in range(20))


def settings(**more: Any) -> Settings:
    return Settings(**{"clusters": ("default",), "timeout": 900.0, **more})


async def dry(on: Cloud, source: Specs, order: Order | None = None, **more: Any) -> PassReport:
    since = len(on.calls)
    report = await look(source, on.reader(), Clock(), settings(**more), order=order or Order())
    assert not [name for _, name, _ in on.calls[since:] if name.startswith(("Create", "Update", "Delete", "Register"))]
    return report


async def applied(on: Cloud, source: Specs, order: Order | None = None, **more: Any) -> PassReport:
    chosen = settings(**more)
    reconciler = Reconciler(on.gateway(), Clock(), Log(), chosen.owner)
    return await apply(source, reconciler, chosen, order=order or Order())


async def waited(on: Cloud, source: Specs, **more: Any) -> PassReport:
    return await applied(on, source, Order(wait=True), **more)


def one(report: PassReport, name: str) -> WorkloadReport:
    return next(found for found in report.workloads if found.key.name == name)


def steps(report: PassReport, name: str) -> list[str]:
    return [type(step).__name__ for step in one(report, name).plan.steps]


def done(report: PassReport, name: str) -> list[str]:
    return [type(step).__name__ for step in one(report, name).done]


# What it does
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_dry_run_shows_the_steps_and_takes_none() -> None:
    on = cloud()
    report = await dry(on, Specs(fleet("a")))
    assert steps(report, "a") == ["EnsureTaskDefinition", "CreateService"]
    assert (report.exit_code, report.applied) == (Exit.DRIFT, False)
    assert report.summary[Verdict.CREATE] == 1
    assert on.writes() == {}


async def test_applying_takes_them_and_does_not_wait() -> None:
    on = cloud()
    report = await applied(on, Specs(fleet("a")))
    assert done(report, "a") == ["EnsureTaskDefinition", "CreateService"]
    assert steps(report, "a") == []
    assert one(report, "a").health.state is HealthState.PROGRESSING
    assert (report.exit_code, report.applied) == (Exit.DONE, True)
    assert now() == 0
    assert (await dry(on, Specs(fleet("a")))).exit_code is Exit.DONE


async def test_waiting_follows_the_rollouts_to_their_end() -> None:
    on = cloud()
    report = await waited(on, Specs(fleet("a", "b")))
    assert report.exit_code is Exit.DONE
    assert {found.health.state for found in report.workloads} == {HealthState.HEALTHY}
    assert done(report, "a") == ["EnsureTaskDefinition", "CreateService"], "of all looks together"
    assert on.writes() == {"RegisterTaskDefinition": 2, "CreateService": 2}
    assert on.count()["ListServices"] == 1, "only what is under way is looked at again"


async def test_waiting_shows_every_look() -> None:
    shown: list[tuple[WorkloadReport, ...]] = []
    await applied(cloud(), Specs(fleet("a")), Order(wait=True, watch=shown.append))
    assert len(shown) > 3
    assert [found[0].health.state for found in (shown[0], shown[-1])] == [HealthState.PROGRESSING, HealthState.HEALTHY]


async def test_what_was_written_is_looked_at_again_before_it_is_believed() -> None:
    on = cloud()
    await waited(on, Specs(fleet("a", replicas=0)))
    source = Specs(fleet("a", replicas=0, service="enableECSManagedTags: true"))
    since = now()
    report = await waited(on, source)
    assert report.exit_code is Exit.DONE
    assert now() > since


async def test_old_reads_while_waiting_make_nothing_twice() -> None:
    on = cloud(faults=Faults(lag=20.0))
    report = await waited(on, Specs(fleet("a")))
    assert report.exit_code is Exit.DONE
    assert on.writes() == {"RegisterTaskDefinition": 1, "CreateService": 1}


# What it answers
# ----------------------------------------------------------------------------------------------------------------------


async def test_in_sync_is_0_drift_is_2() -> None:
    on, source = cloud(), Specs(fleet("a"))
    await waited(on, source)
    assert (await dry(on, source)).exit_code is Exit.DONE
    on.hand("UpdateService", service="a", desiredCount=2)
    report = await dry(on, source)
    assert (report.exit_code, one(report, "a").plan.drift) == (Exit.DRIFT, Drift.DRIFTED)


async def test_an_invalid_document_is_3_and_the_others_are_applied() -> None:
    on = cloud()
    source = Specs({**fleet("a"), "b.yaml": spec("b").replace(b"cpu", b"cpuu")})
    assert (await dry(on, source)).exit_code is Exit.INVALID
    report = await waited(on, source)
    assert report.exit_code is Exit.INVALID
    assert on.statuses("a") == ["ACTIVE"]
    assert one(report, "b").verdict is Verdict.INVALID


async def test_an_error_is_1_and_outranks_everything() -> None:
    on = cloud()
    source = Specs({**fleet("a"), "b.yaml": spec("b").replace(b"cpu", b"cpuu"), "c.yaml": spec("c", cluster="nowhere")})
    report = await dry(on, source)
    assert report.exit_code is Exit.ERROR
    assert report.failed["nowhere"].reason is Reason.CLUSTER_NOT_FOUND


async def test_an_unreadable_source_is_an_error() -> None:
    source = Specs(fleet("a"))
    source.breaks(Unfound())
    with pytest.raises(ControllerError, match="does not exist"):
        await dry(cloud(), source)


async def test_not_healthy_in_time_is_4() -> None:
    nowhere = "placementConstraints: [{type: memberOf, expression: 'attribute:ecs.instance-type == p5.48xlarge'}]"
    report = await waited(cloud(), Specs(fleet("a", service=nowhere)), timeout=120.0)
    assert (report.exit_code, report.unhealthy) == (Exit.UNHEALTHY, True)
    assert 120 <= now() <= 126


async def test_a_rollback_is_4_at_once() -> None:
    on = cloud()
    await waited(on, Specs(fleet("a")))
    report = await waited(on, Specs(fleet("a", tag="broken-2")), timeout=3600.0)
    assert report.exit_code is Exit.UNHEALTHY
    assert one(report, "a").conditions[Type.STALLED].reason is Reason.ROLLED_BACK
    assert now() < 3600


@pytest.mark.parametrize(
    ("reconcile", "reason"),
    [
        ("mode: notify", Reason.NOTIFY_ONLY),
        ("mode: 'off'", Reason.RECONCILE_OFF),
        ("suspend: {reason: x, until: 2030-01-01T00:00:00Z}", Reason.SUSPENDED),
    ],
)
async def test_nobody_waits_for_what_its_user_holds_back(reconcile: str, reason: Reason) -> None:
    on = cloud()
    await waited(on, Specs(fleet("a", "b")))
    since = now()
    source = Specs({**fleet("a", replicas=2, reconcile=reconcile), **fleet("b")})
    report = await waited(on, source)
    assert report.exit_code is Exit.DRIFT
    assert [hold.reason for hold in one(report, "a").plan.holds] == [reason]
    assert now() - since < 30
    assert on.service("a")["desiredCount"] == 1


@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidParameterException"])
async def test_nobody_waits_for_what_was_refused(code: str) -> None:
    on = cloud()
    tries: list[float] = []

    def refuse(operation: str, params: Any) -> None:
        if operation == "CreateService" and params["serviceName"] == "a":
            tries.append(now())
            raise AnswerError(operation, code=code, message="no")

    on.before = refuse
    report = await waited(on, Specs(fleet("a", "b")))
    assert report.exit_code is Exit.ERROR
    assert len(tries) == 1
    assert one(report, "b").health.state is HealthState.HEALTHY


async def test_a_throttle_is_waited_out() -> None:
    on = cloud()

    def throttle(operation: str, params: Any) -> None:
        if operation == "CreateService" and now() < 10:
            raise AnswerError(operation, code="ThrottlingException", message="Rate exceeded")

    on.before = throttle
    assert (await waited(on, Specs(fleet("a")))).exit_code is Exit.DONE


async def test_a_bug_of_ours_at_one_workload_stops_no_other() -> None:
    on = cloud()

    def stumble(operation: str, params: Any) -> None:
        if operation == "CreateService" and params["serviceName"] == "a":
            raise ZeroDivisionError("x")

    on.before = stumble
    report = await applied(on, Specs(fleet("a", "b")))
    assert report.exit_code is Exit.ERROR
    assert str(one(report, "a").error) == "a bug: default/a ended with ZeroDivisionError: x"
    assert on.statuses("b") == ["ACTIVE"]


# Whom it is about
# ----------------------------------------------------------------------------------------------------------------------


async def test_only_what_was_asked_for_is_looked_at_and_changed() -> None:
    on = cloud()

    def only_a(workload: Workload) -> bool:
        return workload.key.name == "a"

    report = await applied(on, Specs(fleet("a", "b")), Order(select=only_a))
    assert [found.key.name for found in report.workloads] == ["a"]
    assert on.statuses("a", "b") == ["ACTIVE", "MISSING"]


async def test_a_pass_over_some_deletes_nothing() -> None:
    on = cloud()
    await waited(on, Specs(fleet("a", "b", "c")))
    report = await applied(on, Specs(fleet("a", "b")), Order(select=lambda workload: workload.key.name == "a"))
    assert on.statuses("c") == ["ACTIVE"]
    assert [found.key.name for found in report.workloads] == ["a"]


async def test_force_tries_a_rolled_back_revision_again() -> None:
    on = cloud()
    await waited(on, Specs(fleet("a")))
    broken = Specs(fleet("a", tag="broken-2"))
    await waited(on, broken, timeout=3600.0)
    assert steps(await dry(on, broken), "a") == []
    assert steps(await dry(on, broken, Order(force=True)), "a")[0] == "UpdateService"


async def test_a_dependent_waits_for_the_other_within_one_pass() -> None:
    on = cloud()
    source = Specs({**fleet("a"), "b.yaml": spec("b", reconcile="dependsOn: [default/a]")})
    report = await applied(on, source)
    assert on.statuses("a", "b") == ["ACTIVE", "MISSING"]
    assert report.exit_code is Exit.DRIFT
    assert (await waited(on, source)).exit_code is Exit.DONE
    assert on.statuses("a", "b") == ["ACTIVE", "ACTIVE"]


# Deletions
# ----------------------------------------------------------------------------------------------------------------------


async def test_one_call_of_the_command_is_one_pass_for_the_share_of_deletions() -> None:
    on = cloud()
    await waited(on, Specs(fleet(*NAMES, replicas=0)))
    report = await waited(on, Specs(fleet(*NAMES[5:], replicas=0)))
    assert on.writes()["DeleteService"] == 2
    assert report.exit_code is Exit.DRIFT
    assert [found.plan.holds[0].reason for found in report.workloads if found.plan.holds] == [Reason.DELETE_HELD] * 3
    await waited(on, Specs(fleet(*NAMES[5:], replicas=0)))
    assert on.writes()["DeleteService"] == 3, "a tenth of eighteen"


async def test_waiting_waits_until_a_deleted_service_is_gone() -> None:
    on = cloud()
    await waited(on, Specs(fleet("a", "b")))
    report = await waited(on, Specs(fleet("b")))
    assert (report.exit_code, on.statuses("a")) == (Exit.DONE, ["INACTIVE"])
    assert [found.key.name for found in report.workloads] == ["b"]


async def test_a_revision_that_loses_most_of_the_fleet_needs_a_word() -> None:
    on = cloud()
    await waited(on, Specs(fleet("a", "b", "c", replicas=0)))
    source = Specs(fleet("a", replicas=0))
    report = await waited(on, source)
    assert report.exit_code is Exit.DRIFT
    assert on.statuses("b", "c") == ["ACTIVE", "ACTIVE"]
    assert f"CONTROLLER_CONFIRM_DELETIONS={report.revision}" in one(report, "b").plan.holds[0].message
    await waited(on, source, confirm_deletions=report.revision, delete_share=100)
    assert on.statuses("b", "c") == ["INACTIVE", "INACTIVE"]


async def test_only_so_many_roll_out_at_once() -> None:
    on = cloud()
    await waited(on, Specs(fleet("a", "b", "c")))
    source = Specs(fleet("a", "b", "c", tag="2"))
    report = await applied(on, source, max_concurrent_rollouts=1)
    assert on.writes()["UpdateService"] == 1
    assert report.exit_code is Exit.DRIFT
    report = await waited(on, source, max_concurrent_rollouts=1)
    assert report.exit_code is Exit.DONE
    assert on.writes()["UpdateService"] == 3


@pytest.mark.parametrize("moment", range(12))
async def test_a_pass_that_is_cancelled_at_any_call_leaves_nothing_half(moment: int) -> None:
    on = cloud()
    await waited(on, Specs(fleet("a", "gone", "keep")))
    source = Specs({**fleet("a", tag="2"), **fleet("keep", "new")})
    task = asyncio.ensure_future(waited(on, source))
    seen = 0

    def cancel(_: str, __: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == moment + 1:
            task.cancel()

    on.before = cancel
    with pytest.raises(asyncio.CancelledError):
        await task
    on.before = None
    assert (await waited(on, source)).exit_code is Exit.DONE
    assert on.statuses("a", "keep", "new", "gone") == ["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE"]
    assert len(on.hand("ListTaskDefinitions", familyPrefix="a")["taskDefinitionArns"]) == 2
