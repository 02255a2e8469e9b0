"""The daemon against a simulated ECS in virtual time: what it makes true, and what it leaves alone."""

import asyncio
from typing import Any

import pytest

from controller.aws.api import AnswerError
from controller.core.diagnostics import Code, Diagnostic, Span
from controller.core.plan import Drift
from controller.core.status import Type
from controller.core.workload import Key
from controller.reasons import Reason
from controller.sandbox.faults import Faults
from tests.app.running import Specs, Unfound, cloud, daemon_of, fleet, now, running, spec

pytestmark = pytest.mark.looptime


# The main job
# ----------------------------------------------------------------------------------------------------------------------


async def test_specs_become_services_and_then_nothing_is_written_any_more() -> None:
    async with running(cloud(), Specs(fleet("bert", "gpt"))) as one:
        await one.converged()
        assert one.cloud.writes() == {"RegisterTaskDefinition": 2, "CreateService": 2}
        assert [one.cloud.service(name)["runningCount"] for name in ("bert", "gpt")] == [1, 1]
        since = now()
        await one.rest(3600)
        assert one.cloud.writes(since=since) == {}
        assert one.ready()


async def test_a_live_edit_is_reported_and_healed_at_the_next_look() -> None:
    async with running(cloud(), Specs(fleet("bert")), resync=60.0) as one:
        await one.converged()
        await one.rest(300)
        one.cloud.hand("UpdateService", service="bert", desiredCount=3)
        took = await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 1)
        assert took <= 66 + 1
        (drift,) = one.log.of("drift")
        assert (drift["field"], drift["live"], drift["spec"]) == ("service.desiredCount", 3, 1)
        (healed,) = one.log.of("drift healed")
        assert healed["field"] == "service.desiredCount"
        await one.converged()


async def test_a_change_of_the_spec_is_brought_out_at_once_and_is_no_drift() -> None:
    async with running(cloud(), Specs(fleet("bert", "gpt")), resync=3600.0) as one:
        await one.converged()
        one.source.commit(fleet("bert", tag="2"))
        took = await one.until(lambda: one.cloud.service("bert")["taskDefinition"].endswith(":2"))
        assert took <= 5
        await one.converged()
        assert one.log.of("drift") == one.log.of("drift healed") == []
        assert {change["field"] for change in one.log.of("change applied")} == {
            "taskDefinition.containerDefinitions[app].image"
        }
        assert one.cloud.service("gpt")["taskDefinition"].endswith(":1")


async def test_a_change_and_its_way_back_need_no_third_revision() -> None:
    async with running(cloud(), Specs(fleet("bert"))) as one:
        await one.converged()
        for tag in ("2", "1"):
            one.source.commit(fleet("bert", tag=tag))
            await one.rest(1)
            await one.converged()
        assert one.cloud.service("bert")["taskDefinition"].endswith(":1")
        assert one.cloud.writes()["RegisterTaskDefinition"] == 2


async def test_what_something_is_heard_of_is_looked_at_at_once_and_in_batches() -> None:
    async with running(cloud(), Specs(fleet("bert", "gpt")), resync=3600.0) as one:
        await one.converged()
        await one.rest(300)
        one.cloud.hand("UpdateService", service="bert", desiredCount=3)
        one.daemon.wake(Key("default", "bert"))
        took = await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 1, step=0.1)
        assert took <= 1
        await one.rest(300)
        since = now()
        for _ in range(100):
            one.daemon.wake(Key("default", "bert"))
            one.daemon.wake(Key("default", "gpt"))
            await asyncio.sleep(0.01)
        await one.rest(2)
        assert one.cloud.count(since=since)["DescribeServices"] <= 4


async def test_what_is_heard_of_nobody_is_nothing() -> None:
    source = Specs()
    source.breaks(Unfound())
    async with running(cloud(), source) as one:
        one.daemon.wake(Key("default", "bert"))
        await one.rest(30)
        source.breaks(None)
        one.source.commit(fleet("bert"))
        await one.converged()
        since = now()
        one.daemon.wake(Key("default", "stranger"))
        one.daemon.wake(Key("nowhere", "stranger"))
        await one.rest(30)
        assert one.cloud.writes(since=since) == {}
        assert one.ready()


# The source
# ----------------------------------------------------------------------------------------------------------------------

TYPO = spec("bert", tag="2").replace(b"image", b"imagee")


async def test_a_bad_commit_keeps_the_last_good_version_which_goes_on_being_kept_in_line() -> None:
    async with running(cloud(), Specs(fleet("bert", "gpt"))) as one:
        await one.converged()
        one.source.commit({"bert.yaml": TYPO, "gpt.yaml": spec("gpt", tag="2")})
        await one.rest(1)
        await one.converged("gpt")
        assert one.cloud.service("gpt")["taskDefinition"].endswith(":2"), "the good half of the commit is applied"
        assert one.report("bert").last_good
        one.cloud.hand("UpdateService", service="bert", desiredCount=3)
        await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 1)
        assert one.cloud.service("bert")["taskDefinition"].endswith(":1")
        one.source.commit(fleet("bert", tag="3"))
        await one.rest(1)
        await one.converged()
        assert not one.report("bert").last_good


async def test_a_source_that_vanishes_changes_nothing() -> None:
    async with running(cloud(), Specs(fleet("bert", "gpt"))) as one:
        await one.converged()
        since = now()
        one.source.breaks(Unfound())
        await one.rest(1800)
        assert one.cloud.writes(since=since) == {}
        assert one.daemon.following.stale == "source memory does not exist"
        assert len(one.log.of("source unreadable")) == 1, "said once"
        one.cloud.hand("UpdateService", service="bert", desiredCount=3)
        await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 1)
        one.source.files.clear()
        one.source.commit(fleet("bert", tag="2"))
        one.source.breaks(None)
        await one.until(lambda: one.cloud.service("bert")["taskDefinition"].endswith(":2"))
        assert one.daemon.following.stale is None


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), RuntimeError("a bug")])
async def test_whatever_goes_wrong_with_the_source_the_daemon_lives(error: Exception) -> None:
    async with running(cloud(), Specs(fleet("bert")), crashes=True) as one:
        await one.converged()
        one.source.breaks(error)
        await one.rest(120)
        one.cloud.hand("UpdateService", service="bert", desiredCount=3)
        await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 1)
        one.source.breaks(None)
        one.source.commit(fleet("bert", tag="2"))
        await one.until(lambda: one.cloud.service("bert")["taskDefinition"].endswith(":2"))


async def test_nothing_is_touched_before_the_source_was_read() -> None:
    before = cloud()
    async with running(before, Specs(fleet("bert"))) as one:
        await one.converged()
    since = now()
    source = Specs()
    source.breaks(Unfound())
    async with running(before, source) as one:
        await one.rest(600)
        assert one.cloud.count(since=since) == {}


async def test_the_same_content_with_other_problems_is_another_revision() -> None:
    """A file that can be read no more holds deletions; when it is deleted itself, nothing holds them any more."""
    async with running(cloud(), Specs(fleet("bert", "gpt", "keep")), delete_after=0.0) as one:
        await one.converged()
        one.source.has_problems(Diagnostic(Code.UNREADABLE_FILE, "cannot be read", Span("gpt.yaml", 1, 1)))
        one.source.commit(None, "gpt")
        await one.rest(300)
        assert one.cloud.statuses("gpt") == ["ACTIVE"]
        assert one.report("gpt").last_good
        one.source.has_problems()
        await one.until(lambda: one.cloud.statuses("gpt") == ["INACTIVE"], limit=300)


# Deletions
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_service_whose_spec_is_gone_is_deleted_once_the_revision_has_stood() -> None:
    async with running(cloud(), Specs(fleet("bert", "gpt"))) as one:
        await one.converged()
        one.source.commit(None, "bert")
        since = now()
        await one.rest(9)
        assert one.cloud.writes(since=since) == {}
        assert one.holds("bert") == [Reason.DELETE_HELD]
        await one.until(lambda: one.cloud.statuses("bert") == ["INACTIVE"], limit=120)
        assert one.cloud.writes(since=since) == {"UpdateService": 1, "DeleteService": 1}
        await one.until(lambda: Key("default", "bert") not in one.reports, limit=30)
        assert one.cloud.statuses("gpt") == ["ACTIVE"]
        assert [facts["workload"] for facts in one.log.of("deleted")] == ["default/bert"]


async def test_a_spec_that_comes_back_at_once_was_never_gone() -> None:
    """As a checkout shows it: files go and come again while it lasts."""
    async with running(cloud(), Specs(fleet("bert", "gpt"))) as one:
        await one.converged()
        since = now()
        for _ in range(10):
            one.source.commit(None, "bert")
            await one.rest(5)
            one.source.commit(fleet("bert"))
            await one.rest(5)
        await one.rest(600)
        assert one.cloud.writes(since=since) == {}


async def test_an_empty_source_deletes_nothing() -> None:
    async with running(cloud(), Specs(fleet("bert", "gpt"))) as one:
        await one.converged()
        since = now()
        one.source.commit(None, "bert", "gpt")
        await one.rest(3600)
        assert one.cloud.writes(since=since) == {}
        assert one.holds("bert") == [Reason.DELETE_HELD]


async def test_a_broken_neighbour_holds_every_deletion() -> None:
    async with running(cloud(), Specs(fleet("bert", "gpt"))) as one:
        await one.converged()
        one.source.commit({"typo.yaml": b"apiVersion: dl1.ecs/v1alpha1\nkind: DL1Servce\n"}, "bert")
        await one.rest(600)
        assert one.cloud.statuses("bert") == ["ACTIVE"]
        one.source.commit(None, "typo")
        await one.until(lambda: one.cloud.statuses("bert") == ["INACTIVE"])


NAMES = tuple(f"s{number:02}" for number in range(20))


async def test_a_pass_deletes_a_tenth_however_often_the_source_changes() -> None:
    async with running(cloud(), Specs(fleet(*NAMES, replicas=0)), resync=60.0, delete_after=0.0) as one:
        await one.converged()
        since = now()
        one.source.commit(None, *NAMES[:6])
        for number in range(10):
            await one.rest(4)
            one.source.commit(fleet("other", tag=str(number), replicas=0))
        assert one.cloud.writes(since=since)["DeleteService"] == 2
        await one.until(lambda: set(one.cloud.statuses(*NAMES[:6])) == {"INACTIVE"}, limit=300)
        begun = [at for at, operation, _ in one.cloud.calls if operation == "DeleteService"]
        assert all(later - earlier >= 55 for earlier, later in zip(begun, begun[2:], strict=False))
        assert set(one.cloud.statuses(*NAMES[6:])) == {"ACTIVE"}


async def test_the_share_of_a_pass_is_a_setting() -> None:
    async with running(cloud(), Specs(fleet(*NAMES, replicas=0)), delete_share=50, delete_after=0.0) as one:
        await one.converged()
        since = now()
        one.source.commit(None, *NAMES[:10])
        await one.until(lambda: set(one.cloud.statuses(*NAMES[:10])) == {"INACTIVE"}, limit=50)
        assert one.cloud.writes(since=since)["DeleteService"] == 10


async def test_with_a_share_of_nothing_nothing_is_deleted() -> None:
    async with running(cloud(), Specs(fleet("bert", "gpt")), delete_share=0) as one:
        await one.converged()
        one.source.commit(None, "bert")
        await one.rest(3600)
        assert one.cloud.statuses("bert") == ["ACTIVE"]


async def test_a_revision_that_loses_most_of_the_fleet_waits_for_a_word() -> None:
    before = cloud()
    source = Specs(fleet(*NAMES, replicas=0))
    async with running(before, source) as one:
        await one.converged()
        since = now()
        one.source.commit(None, *NAMES[:11])
        await one.rest(3600)
        assert one.cloud.writes(since=since) == {}
        (hold,) = one.report("s00").plan.holds
        revision = one.daemon.following.found.revision
        assert hold.message.endswith(f"CONTROLLER_CONFIRM_DELETIONS={revision}")
        assert one.report("s00").conditions[Type.STALLED].reason is Reason.DELETE_HELD
    async with running(before, source, confirm_deletions=revision) as one:
        await one.until(lambda: set(one.cloud.statuses(*NAMES[:11])) == {"INACTIVE"}, limit=1800)
        assert set(one.cloud.statuses(*NAMES[11:])) == {"ACTIVE"}


async def test_on_delete_orphan_lets_the_service_go() -> None:
    async with running(cloud(), Specs(fleet("bert", "gpt", reconcile="onDelete: orphan"))) as one:
        await one.converged()
        one.cloud.hand(
            "TagResource", resourceArn=one.cloud.service("bert")["serviceArn"], tags=[{"key": "team", "value": "nlp"}]
        )
        one.source.commit(None, "bert")
        await one.until(lambda: "dl1.ecs/owner" not in one.cloud.tags("bert"), limit=60)
        await one.rest(300)
        assert one.cloud.statuses("bert") == ["ACTIVE"]
        assert one.cloud.service("bert")["runningCount"] == 1
        assert one.cloud.tags("bert") == {"team": "nlp"}
        assert Key("default", "bert") not in one.reports


SUSPENDED = "suspend: {reason: debugging, until: 2027-01-15T10:00:00Z}"
"""Two hours after the simulated world begins."""


async def test_a_suspension_holds_every_write_and_outlives_its_spec() -> None:
    before = cloud()
    source = Specs(fleet("bert", "gpt"))
    async with running(before, source) as one:
        await one.converged()
        one.source.commit({"bert.yaml": spec("bert", tag="2", reconcile=SUSPENDED)})
        await one.rest(300)
        assert one.cloud.service("bert")["taskDefinition"].endswith(":1")
        assert one.holds("bert") == [Reason.SUSPENDED]
        assert one.cloud.tags("bert")["dl1.ecs/suspended-until"] == "2027-01-15T10:00:00+00:00"
        one.cloud.hand("UpdateService", service="bert", desiredCount=3)
        since = now()
        await one.rest(300)
        one.source.commit(None, "bert")
        await one.rest(300)
        assert one.cloud.writes(since=since) == {}
        assert one.holds("bert") == [Reason.SUSPENDED]
    async with running(before, source) as one:  # which knows nothing but what the service says
        await one.rest(600)
        assert one.cloud.statuses("bert") == ["ACTIVE"]
        await one.until(lambda: one.cloud.statuses("bert") == ["INACTIVE"], limit=7200)
        assert now() > 7200


async def test_a_suspension_that_is_lifted_leaves_no_trace() -> None:
    async with running(cloud(), Specs(fleet("bert"))) as one:
        await one.converged()
        one.source.commit(fleet("bert", reconcile=SUSPENDED))
        await one.until(lambda: "dl1.ecs/suspended-until" in one.cloud.tags("bert"), limit=90)
        one.source.commit(fleet("bert"))
        await one.until(lambda: "dl1.ecs/suspended-until" not in one.cloud.tags("bert"), limit=90)
        await one.converged()


async def test_what_is_deleted_while_our_eyes_are_shut_is_not_deleted_twice() -> None:
    async with running(cloud(faults=Faults(lag=45.0)), Specs(fleet("bert", "gpt")), delete_after=0.0) as one:
        await one.converged()
        since = now()
        one.source.commit(None, "bert")
        await one.until(lambda: Key("default", "bert") not in one.reports, limit=600)
        assert one.cloud.writes(since=since) == {"UpdateService": 1, "DeleteService": 1}


async def test_a_cluster_that_is_gone_is_forgotten_once_nobody_names_it() -> None:
    async with running(cloud(), Specs(fleet("bert"))) as one:
        one.cloud.hand("CreateCluster", clusterName="second")
        one.source.commit({"gpt.yaml": spec("gpt", cluster="second", replicas=0)})
        await one.until(lambda: one.cloud.service("gpt", "second")["status"] == "ACTIVE", limit=90)
        one.source.commit(None, "gpt")
        await one.until(lambda: one.cloud.service("gpt", "second")["status"] == "INACTIVE", limit=90)
        one.cloud.hand("DeleteCluster", cluster="second")
        await one.rest(200)
        assert one.daemon.failed == {}
        since = now()
        await one.rest(200)
        assert {params["cluster"] for at, _, params in one.cloud.calls if at > since} == {"default"}


# One for all and all for one
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_cluster_that_cannot_be_observed_blinds_only_its_own_workloads() -> None:
    async with running(cloud(), Specs(fleet("bert")), clusters=("default", "nowhere")) as one:
        await one.converged()
        assert set(one.daemon.failed) == {"nowhere"}
        assert one.daemon.passed is None
        one.source.commit({"gpt.yaml": spec("gpt", cluster="nowhere")})
        await one.until(lambda: Key("nowhere", "gpt") in one.reports)
        assert one.reports[Key("nowhere", "gpt")].plan.drift is Drift.UNKNOWN
        assert one.ready("bert")
        assert len(one.log.of("cluster not observed")) == 1, "said once"


async def test_a_workload_on_which_our_code_stumbles_stops_no_other() -> None:
    def stumble(operation: str, params: Any) -> None:
        if "bad" in str(params.get("family", params.get("familyPrefix", ""))):
            raise RuntimeError("a bug")

    async with running(cloud(), Specs(fleet("bad", "bert", "gpt")), crashes=True) as one:
        one.cloud.before = stumble
        await one.converged("bert", "gpt")
        one.cloud.hand("UpdateService", service="bert", desiredCount=3)
        await one.until(lambda: one.cloud.service("bert")["desiredCount"] == 1)
        assert "a bug" in str(one.report("bad").error)
        one.cloud.before = None
        await one.converged("bad", limit=900)


async def test_a_key_that_crashes_again_and_again_backs_off_alone() -> None:
    crashes: list[float] = []

    def stumble(operation: str, params: Any) -> None:
        if operation == "CreateService" and params["serviceName"] == "bad":
            crashes.append(now())
            raise RuntimeError("a bug")

    async with running(cloud(), Specs(fleet("bad", "bert")), crashes=True) as one:
        one.cloud.before = stumble
        await one.converged("bert")
        await one.rest(3600)
        assert 10 <= len(crashes) <= 22
        assert crashes[-1] - crashes[-2] > 100, "the resync does not cut the backoff short"


async def test_a_refused_call_is_tried_again_slowly_and_a_transient_one_with_backoff() -> None:
    tries: dict[str, list[float]] = {"denied": [], "busy": []}
    codes = {"denied": "AccessDeniedException", "busy": "ServerException"}

    def refuse(operation: str, params: Any) -> None:
        name = str(params.get("serviceName", ""))
        if operation == "CreateService" and name in codes:
            tries[name].append(now())
            raise AnswerError(operation, code=codes[name], message="no", status=400)

    async with running(cloud(), Specs(fleet("denied", "busy"))) as one:
        one.cloud.before = refuse
        await one.rest(3600)
        assert one.reason("denied") is Reason.ACCESS_DENIED
        assert 11 <= len(tries["denied"]) <= 13, "every five minutes"
        assert 10 <= len(tries["busy"]) <= 22, "1 s, 2 s, 4 s … 10 min, half of each"
        assert one.cloud.writes()["RegisterTaskDefinition"] == 2
        one.cloud.before = None
        await one.converged(limit=700)


async def test_what_ecs_has_refused_is_tried_again_only_when_something_has_changed() -> None:
    tries: list[float] = []

    def refuse(operation: str, params: Any) -> None:
        if operation == "UpdateService":
            tries.append(now())
            raise AnswerError(operation, code="InvalidParameterException", message="The count is odd.")

    async with running(cloud(), Specs(fleet("bert")), resync=60.0) as one:
        await one.converged()
        one.cloud.before = refuse
        one.source.commit(fleet("bert", replicas=2))
        await one.rest(1800)
        assert len(tries) == 1
        assert one.report("bert").conditions[Type.STALLED].reason is Reason.REJECTED_BY_ECS
        one.cloud.hand("UpdateService", service="bert", enableECSManagedTags=True)
        await one.rest(1800)
        assert len(tries) == 2, "the live state has changed"
        one.source.commit(fleet("bert", replicas=3))
        await one.rest(1800)
        assert len(tries) == 3, "the spec has changed"
        await one.rest(3600)
        assert len(tries) == 4, "what was missing may be there by now"
        one.cloud.before = None
        await one.converged(limit=7200)


# Stopping
# ----------------------------------------------------------------------------------------------------------------------


async def test_an_idle_daemon_stops_at_once() -> None:
    async with running(cloud(), Specs(fleet("bert"))) as one:
        await one.converged()
        one.daemon.stop()
        began = now()
        await one.task
        assert now() - began < 5


async def test_it_stops_before_it_has_read_anything() -> None:
    daemon = daemon_of(cloud(), Specs())
    daemon.stop()
    await daemon.run()


async def test_what_is_being_written_is_finished_and_nothing_more_is_begun() -> None:
    async with running(cloud(), Specs(fleet(*NAMES, replicas=0)), workers=2) as one:
        one.cloud.before = lambda operation, _: 3.0 if operation == "CreateService" else 0.0
        await one.until(lambda: one.cloud.count()["CreateService"] == 2, step=0.1)
        began = now()
        one.daemon.stop()
        await one.task
        assert now() - began < 5
        assert one.cloud.writes()["CreateService"] == 2
        assert len(one.cloud.hand("ListServices")["serviceArns"]) == 2


async def test_what_does_not_end_is_given_up_in_time() -> None:
    async with running(cloud(), Specs(fleet("bert"))) as one:
        one.cloud.before = lambda operation, _: 200.0 if operation == "CreateService" else 0.0
        await one.until(lambda: one.cloud.count()["CreateService"] == 1)
        began = now()
        one.daemon.stop()
        await one.task
        assert now() - began <= 25
        assert one.log.of("stopping in the middle") == [{"workloads": ["default/bert"]}]


@pytest.mark.parametrize("moment", range(14))
async def test_a_daemon_that_is_cancelled_at_any_call_leaves_nothing_half(moment: int) -> None:
    """At the first calls of a creation, a change and a deletion; the next one finishes it and makes nothing twice."""
    on, source = cloud(), Specs(fleet("bert", "gpt"))
    async with running(on, source, delete_after=0.0) as one:
        await one.converged()
    source.commit({"new.yaml": spec("new"), "bert.yaml": spec("bert", tag="2")}, "gpt")
    since, seen = now(), 0
    daemon = daemon_of(on, source, delete_after=0.0)
    task = asyncio.ensure_future(daemon.run())

    def cancel(_: str, __: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == moment + 1:
            task.cancel()

    on.before = cancel
    with pytest.raises(asyncio.CancelledError):
        await task
    on.before = None
    async with running(on, source, delete_after=0.0) as one:
        await one.until(lambda: one.cloud.statuses("gpt") == ["INACTIVE"], limit=600)
        await one.converged()
        await one.rest(300)
        assert len(one.cloud.hand("ListTaskDefinitions", familyPrefix="bert")["taskDefinitionArns"]) == 2
        assert len(one.cloud.hand("ListTaskDefinitions", familyPrefix="new")["taskDefinitionArns"]) == 1
        assert one.cloud.service("bert")["taskDefinition"].endswith(":2")
        assert one.cloud.count(since=since)["DeleteService"] <= 2
