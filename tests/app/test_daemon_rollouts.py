"""Rollouts under the daemon: watched in batches, a few at once, with a deadline, in order; and reads that lag."""

import pytest

from controller.core.status import HealthState, Type
from controller.reasons import Reason
from controller.sandbox.faults import Faults
from tests.app.running import Running, Specs, cloud, fleet, now, running, spec

pytestmark = pytest.mark.looptime

NAMES = tuple(f"s{number:02}" for number in range(12))


def rolling(one: Running, *names: str) -> int:
    """Services of which ECS brings out something."""
    services = (one.cloud.service(name) for name in names)
    return sum(service["deployments"][0]["rolloutState"] == "IN_PROGRESS" for service in services)


# Watched
# ----------------------------------------------------------------------------------------------------------------------


async def test_what_rolls_out_is_looked_at_in_batches_and_holds_no_worker() -> None:
    async with running(cloud(), Specs(fleet(*NAMES)), resync=3600.0, workers=2) as one:
        await one.until(lambda: len(one.reports) == 12 and one.cloud.count()["CreateService"] == 12, limit=30)
        since = now()
        await one.rest(30)
        looks = [
            params["services"] for at, name, params in one.cloud.calls if at > since and name == "DescribeServices"
        ]
        assert [len(names) for names in looks] == [10, 2] * 3
        assert one.daemon.queue.held == frozenset()
        await one.converged(limit=300)
        await one.rest(130)
        since = now()
        await one.rest(300)
        assert one.cloud.count(since=since) == {}, "nothing is left to watch"


async def test_progress_is_told_while_it_lasts() -> None:
    async with running(cloud(), Specs(fleet("bert", replicas=4))) as one:
        await one.rest(2)
        assert one.report("bert").health.state is HealthState.PROGRESSING
        assert one.reason("bert") is Reason.PROGRESSING
        assert "0 of 4 tasks run" in one.report("bert").conditions[Type.READY].message
        await one.converged()
        assert "4 of 4 tasks run" in one.report("bert").conditions[Type.READY].message


# A few at once
# ----------------------------------------------------------------------------------------------------------------------


async def test_only_so_many_services_of_a_cluster_roll_out_at_once_and_all_do() -> None:
    async with running(cloud(), Specs(fleet(*NAMES[:7])), max_concurrent_rollouts=2) as one:
        await one.converged()
        one.source.commit(fleet(*NAMES[:7], tag="2"))
        most = 0
        while not all(one.cloud.service(name)["taskDefinition"].endswith(":2") for name in NAMES[:7]):
            await one.rest(1)
            most = max(most, rolling(one, *NAMES[:7]))
            assert now() < 7200
        assert most == 2
        await one.converged()
        assert one.cloud.writes()["UpdateService"] == 7


async def test_who_waits_for_a_turn_says_so_and_costs_no_calls() -> None:
    async with running(cloud(), Specs(fleet(*NAMES[:5])), max_concurrent_rollouts=1, resync=3600.0) as one:
        await one.converged()
        one.source.commit(fleet(*NAMES[:5], tag="2"))
        await one.rest(5)
        waiting = [name for name in NAMES[:5] if one.holds(name) == [Reason.TOO_MANY_ROLLOUTS]]
        assert len(waiting) == 4
        assert one.reason(waiting[0]) is Reason.TOO_MANY_ROLLOUTS
        since = now()
        await one.rest(8)
        assert one.cloud.count(since=since)["DescribeServices"] <= 1


async def test_a_new_service_waits_for_nobody() -> None:
    async with running(cloud(), Specs(fleet("bert")), max_concurrent_rollouts=1) as one:
        await one.converged()
        one.source.commit({**fleet("bert", tag="2"), **fleet(*NAMES[:4])})
        await one.until(lambda: one.cloud.statuses(*NAMES[:4]) == ["ACTIVE"] * 4, limit=10)


async def test_a_rollout_that_somebody_else_has_begun_takes_a_place() -> None:
    async with running(cloud(), Specs(fleet("a", "b")), max_concurrent_rollouts=1, resync=30.0) as one:
        await one.converged()
        one.cloud.hand("UpdateService", service="b", forceNewDeployment=True)
        await one.until(lambda: one.report("b").health.state is HealthState.PROGRESSING, limit=60)
        one.source.commit(fleet("a", tag="2"))
        await one.rest(2)
        assert one.holds("a") == [Reason.TOO_MANY_ROLLOUTS]
        await one.converged()
        assert one.cloud.service("a")["taskDefinition"].endswith(":2")


async def test_what_is_past_its_deadline_takes_nobodys_place() -> None:
    breaker = "deploymentConfiguration: {deploymentCircuitBreaker: {enable: false, rollback: false}}"
    specs = fleet("bad", "good", service=breaker)
    async with running(cloud(), Specs(specs), max_concurrent_rollouts=1, timeout=300.0) as one:
        await one.converged()
        nowhere = "placementConstraints: [{type: memberOf, expression: 'attribute:ecs.instance-type == p5.48xlarge'}]"
        one.source.commit(fleet("bad", tag="2", service=f"{breaker}, {nowhere}"))
        await one.rest(20)
        one.source.commit(fleet("good", tag="2", service=breaker))
        await one.rest(200)
        assert one.cloud.service("good")["taskDefinition"].endswith(":1")
        await one.until(lambda: one.ready("good"), limit=600)
        assert one.cloud.service("good")["taskDefinition"].endswith(":2")
        assert one.reason("bad") is Reason.DEADLINE_EXCEEDED


# Deadlines and rollbacks
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_rollout_that_finds_no_place_is_degraded_after_its_deadline_and_says_why() -> None:
    nowhere = "placementConstraints: [{type: memberOf, expression: 'attribute:ecs.instance-type == p5.48xlarge'}]"
    async with running(cloud(), Specs(fleet("bert", service=nowhere)), timeout=600.0) as one:
        await one.rest(300)
        assert one.report("bert").health.state is HealthState.PROGRESSING
        assert "was unable to place a task" in one.report("bert").health.message
        await one.until(lambda: one.report("bert").health.reason is Reason.DEADLINE_EXCEEDED, limit=400)
        stalled = one.report("bert").conditions[Type.STALLED]
        assert stalled.reason is Reason.DEADLINE_EXCEEDED
        assert "was unable to place a task" in stalled.message
        await one.rest(300)
        assert "was unable to place a task" in one.report("bert").health.message


async def test_what_ecs_rolls_back_is_not_tried_again_until_the_spec_changes() -> None:
    async with running(cloud(), Specs(fleet("bert"))) as one:
        await one.converged()
        one.source.commit(fleet("bert", tag="broken-2"))
        await one.until(lambda: one.holds("bert") == [Reason.ROLLED_BACK], limit=3600)
        await one.until(lambda: one.report("bert").health.state is HealthState.HEALTHY, limit=600)
        since = now()
        await one.rest(7200)
        assert one.cloud.writes(since=since) == {}
        assert one.reason("bert") is Reason.ROLLED_BACK
        one.source.commit(fleet("bert", tag="3"))
        await one.rest(1)
        await one.converged()


async def test_a_rollback_is_remembered_by_a_daemon_that_did_not_see_it() -> None:
    on, source = cloud(), Specs(fleet("bert"))
    async with running(on, source) as one:
        await one.converged()
        one.source.commit(fleet("bert", tag="broken-2"))
        await one.until(lambda: one.cloud.service("bert")["taskDefinition"].endswith(":2"))
    async with running(on, source) as one:
        since = now()
        await one.until(lambda: one.cloud.service("bert")["taskDefinition"].endswith(":1"), limit=3600)
        await one.rest(3600)
        assert one.cloud.writes(since=since) == {}


# In order
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_workload_waits_for_what_it_depends_on() -> None:
    specs = {"b.yaml": spec("b", reconcile="dependsOn: [default/a]"), **fleet("a")}
    async with running(cloud(), Specs(specs)) as one:
        await one.until(lambda: one.cloud.statuses("a") == ["ACTIVE"])
        await one.rest(5)
        assert one.cloud.service("b")["status"] == "MISSING"
        assert one.holds("b") == [Reason.DEPENDENCY_NOT_READY]
        await one.until(lambda: one.ready("a"))
        took = await one.until(lambda: one.cloud.service("b")["status"] == "ACTIVE")
        assert took <= 2, "it is woken"
        await one.converged()


async def test_a_dependency_is_ready_only_on_the_same_revision() -> None:
    """Both change in one commit: the dependent one waits, although the other was ready a moment ago."""

    def both(tag: str) -> dict[str, bytes]:
        return {"b.yaml": spec("b", tag=tag, reconcile="dependsOn: [default/a]"), **fleet("a", tag=tag)}

    async with running(cloud(), Specs(both("1"))) as one:
        await one.converged()
        one.source.commit(both("2"))
        while not one.cloud.service("b")["taskDefinition"].endswith(":2"):
            assert now() < 7200
            done = one.cloud.service("a")["deployments"][0]["rolloutState"] == "COMPLETED"
            ended = one.cloud.service("a")["taskDefinition"].endswith(":2") and done
            await one.rest(1)
        assert ended, "a was done before b began"
        await one.converged()


# Reads that lag
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [5.0, 30.0, 90.0])
async def test_old_reads_make_nothing_twice_and_no_news(lag: float) -> None:
    async with running(cloud(faults=Faults(lag=lag)), Specs(fleet("bert", "gpt")), resync=20.0) as one:
        await one.converged()
        await one.rest(2 * lag)
        assert one.cloud.writes() == {"RegisterTaskDefinition": 2, "CreateService": 2}
        one.source.commit(fleet("bert", tag="2", replicas=2))
        await one.rest(1)
        await one.converged()
        since = now()
        await one.rest(600)
        assert one.cloud.writes() == {
            "RegisterTaskDefinition": 3,
            "CreateService": 2,
            "UpdateService": 1,
            "TagResource": 1,
        }
        assert one.cloud.writes(since=since) == {}
        in_sync = [facts["status"] for facts in one.log.of("condition") if facts["type"] == "InSync"]
        assert in_sync.count("True") <= 3, "it does not go back and forth"


async def test_a_live_edit_right_after_our_own_write_is_healed_too() -> None:
    async with running(cloud(), Specs(fleet("bert")), resync=20.0) as one:
        await one.converged()
        one.source.commit(fleet("bert", replicas=2))
        await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 2)
        one.cloud.hand("UpdateService", service="bert", desiredCount=5)
        await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 2, limit=60)
        one.cloud.hand("UpdateService", service="bert", desiredCount=1)  # what was before our write
        await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 2, limit=150)
