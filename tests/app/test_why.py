"""Why tasks die, as the daemon tells it: the symptoms of public threads played on the simulated ECS."""

from typing import Any

import pytest

from controller.aws.api import AnswerError
from controller.core.status import HealthState, State, Type
from controller.core.workload import Key
from controller.reasons import Reason
from controller.report.document import workload_document
from controller.report.status import workload_text
from controller.sandbox.images import CannotPull, Exits, ImageRule, Images
from tests.app.running import Clock, Running, Specs, cloud, fleet, now, running

pytestmark = pytest.mark.looptime

NO_BREAKER = "deploymentConfiguration: {deploymentCircuitBreaker: {enable: false, rollback: false}}"


def world(behaviour: Any) -> Any:
    """A world in which the images of revision `bad` behave so."""
    return cloud(images=Images(rules=(ImageRule("*:bad", behaviour),)))


def dies(code: int, reason: str | None = None) -> Exits:
    return Exits(after=3.0, code=code, reason=reason)


def why(one: Running) -> Reason | None:
    report = one.reports.get(Key("default", "bert"))
    return report.why.reason if report is not None and report.why is not None else None


def stalled(one: Running) -> bool:
    report = one.reports.get(Key("default", "bert"))
    return report is not None and Type.STALLED in report.conditions


def reads(one: Running, *, since: float = 0.0) -> int:
    count = one.cloud.count(since=since)
    return count["ListTasks"] + count["DescribeTasks"]


@pytest.mark.parametrize(
    ("behaviour", "reason", "says"),
    [
        # tgi-gaudi #54, #93
        (dies(1, "synStatus=20 [Device already acquired]. Device acquire failed."), Reason.CARD_TAKEN, "hostPorts"),
        # optimum-habana #288
        (dies(1, "RuntimeError: Device acquire failed."), Reason.DRIVER_MISMATCH, "major and minor"),
        # optimum-habana #1611
        (dies(1, "synStatus=26 [Generic failure]"), Reason.CARD_BROKEN, "Drain the instance"),
        # Setup_and_Install #1
        (dies(1, "habanalabs hl1: Device is NOT usable (CPU-CP timeout)"), Reason.CARD_BROKEN, "Drain the instance"),
        # GenAIExamples #137
        (dies(1, "habanalabs driver is not loaded or no AIPs available"), Reason.DRIVER_MISSING, "Load the habanalabs"),
        # optimum-habana #1089, #1108
        (dies(1, "RuntimeError: device not found"), Reason.NO_CARD_VISIBLE, "HLS_MODULE_ID"),
        # aws-ofi-nccl #879
        (dies(1, "fi_getinfo: -61 (No data available)"), Reason.EFA_NOT_VISIBLE, "gaudi.efa: true"),
        # Model-References #28, #7
        (dies(1, "Unknown runtime specified habana"), Reason.RUNTIME_MISSING, "daemon.json"),
        # GenAIExamples #739
        (dies(1, "exposing interfaces: failed creating temporary link on host"), Reason.CARD_TAKEN, "its own set"),
        # habana-container-runtime: `0, 1`
        (dies(1, "device value must be a number"), Reason.BAD_VISIBILITY, "without blanks"),
        (dies(137, "OutOfMemoryError: Container killed due to memory usage"), Reason.OUT_OF_MEMORY, "Raise the memory"),
        (CannotPull("manifest unknown: Requested image not found"), Reason.IMAGE_NOT_FOUND, "Correct the image"),
        (CannotPull("pull access denied, no basic auth"), Reason.IMAGE_DENIED, "execution role"),
        (CannotPull("toomanyrequests: rate limit"), Reason.PULL_LIMITED, "Wait"),
        (dies(0), Reason.RESTART_LOOP, "kind: DL1Job"),
    ],
)
async def test_what_killed_the_tasks_of_a_rollout_is_told_with_what_to_do_next(
    behaviour: Any, reason: Reason, says: str
) -> None:
    async with running(world(behaviour), Specs(fleet("bert", tag="bad", service=NO_BREAKER))) as one:
        await one.until(lambda: why(one) is reason)
        healthy = one.report("bert").conditions[Type.HEALTHY]
        assert healthy.status is not State.TRUE
        assert healthy.reason in (reason, Reason.DEADLINE_EXCEEDED)
        assert says in healthy.message
        (told,) = [facts for facts in one.log.of("tasks die") if facts["reason"] == str(reason)]
        assert (told["workload"], says in told["action"]) == ("default/bert", True)
        document = workload_document(one.report("bert"))
        assert (document["why"]["reason"], says in document["why"]["action"]) == (str(reason), True)
        drawn = workload_text(document, now=Clock().now())
        assert f"tasks die: {reason} (" in drawn
        assert document["why"]["action"] in drawn


async def test_what_no_next_try_mends_stands_still_at_once_and_does_not_wait_for_the_deadline() -> None:
    broken = Specs(fleet("bert", tag="bad", service=NO_BREAKER))
    async with running(world(CannotPull("manifest unknown")), broken, timeout=3600.0) as one:
        took = await one.until(lambda: stalled(one), limit=900)
        assert took < 900
        assert one.reason("bert", Type.STALLED) is Reason.IMAGE_NOT_FOUND
        assert one.report("bert").health.state is HealthState.DEGRADED
        one.source.commit(fleet("bert", tag="2", service=NO_BREAKER))
        await one.converged()
        assert one.report("bert").why is None


@pytest.mark.parametrize(
    "behaviour", [CannotPull("toomanyrequests: rate limit"), dies(1, "Connection refused by peer")]
)
async def test_what_may_pass_is_waited_for_until_the_deadline(behaviour: Any) -> None:
    broken = Specs(fleet("bert", tag="bad", service=NO_BREAKER))
    async with running(world(behaviour), broken, timeout=1200.0) as one:
        await one.rest(1100)
        assert one.report("bert").health.state is HealthState.PROGRESSING
        assert one.report("bert").why is not None
        await one.until(lambda: stalled(one), limit=300)
        assert one.reason("bert", Type.STALLED) is Reason.DEADLINE_EXCEEDED


async def test_with_a_circuit_breaker_ecs_gives_up_and_the_hold_says_why_for_as_long_as_it_lasts() -> None:
    async with running(world(CannotPull("manifest unknown")), Specs(fleet("bert"))) as one:
        await one.converged()
        one.source.commit(fleet("bert", tag="bad"))
        await one.until(lambda: one.holds("bert") == [Reason.ROLLED_BACK], limit=3600)
        await one.until(lambda: one.report("bert").health.state is HealthState.HEALTHY, limit=600)
        await one.rest(7200)  # ECS forgets a stopped task after an hour
        stalled = one.report("bert").conditions[Type.STALLED]
        assert stalled.reason is Reason.ROLLED_BACK
        assert "manifest unknown" in stalled.message
        assert "Correct the image" in stalled.message
        since = now()
        await one.rest(3600)
        assert reads(one, since=since) == 0, "the same question is not asked twice"


async def test_what_is_well_or_has_just_begun_is_not_asked() -> None:
    names = ("a", "b", "c")
    async with running(cloud(), Specs(fleet(*names))) as one:
        await one.converged()
        one.source.commit(fleet(*names, tag="2"))
        await one.rest(5)
        await one.converged()
        await one.rest(600)
        assert reads(one) == 0


async def test_a_rollout_that_lasts_is_not_asked_more_than_twice_a_minute() -> None:
    broken = Specs(fleet("bert", tag="bad", service=NO_BREAKER))
    async with running(world(CannotPull("toomanyrequests")), broken, timeout=7200.0) as one:
        await one.rest(60)
        since = now()
        await one.rest(1200)
        assert 0 < reads(one, since=since) <= 2 * 2 * 20


async def test_what_may_not_be_read_is_said_and_hides_nothing_else() -> None:
    on = world(CannotPull("manifest unknown"))

    def refuse(operation: str, _params: Any) -> None:
        if operation == "ListTasks":
            raise AnswerError(operation, code="AccessDeniedException", message="not authorized", status=403)

    on.before = refuse
    async with running(on, Specs(fleet("bert", tag="bad", service=NO_BREAKER))) as one:
        await one.rest(5)
        await one.until(lambda: "could not be read" in one.report("bert").health.message, limit=300)
        assert one.report("bert").health.state is HealthState.PROGRESSING
        assert one.reason("bert") is Reason.PROGRESSING
