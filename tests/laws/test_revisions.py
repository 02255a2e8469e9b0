"""Revisions of a family: equal content is found again however old it is, old ones go only when asked, and none goes
that is in use, is somebody else's, or is what a rollback would go back to.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from controller.aws.api import AnswerError
from controller.aws.ecs import EcsGateway
from controller.core.plan import (
    DeregisterTaskDefinition,
    Drift,
    EnsureTaskDefinition,
    Guards,
    Plan,
    TagService,
    TagTaskDefinition,
    UpdateService,
    plan,
)
from controller.core.render import Rendered
from controller.reasons import Reason
from controller.reconcile.observe import complete, observe
from controller.sandbox.inprocess import InProcess
from tests.laws.conftest import Hands
from tests.support import SPEC, rendered


def spec(number: int, *, keep: int | None = None, tags: str = "", task: str = "") -> Rendered:
    """The spec with an image of this number."""
    text = SPEC.replace("bert:1", f"bert:{number}").replace(
        "  taskDefinition:\n", f"  taskDefinition:\n    {tags}\n    {task}\n"
    )
    return rendered(text + (f"  reconcile: {{keepRevisions: {keep}}}\n" if keep else ""))


async def bring_out(hands: Hands, *specs: Rendered) -> None:
    for one in specs:
        await hands.converge(one)
        hands.rest()


def active(hands: Hands) -> list[int]:
    arns = hands.call("ListTaskDefinitions", familyPrefix="bert")["taskDefinitionArns"]
    return [int(arn.rpartition(":")[2]) for arn in arns]


def retired(planned: Plan) -> list[int]:
    return [step.revision for step in planned.steps if isinstance(step, DeregisterTaskDefinition)]


# Found again ---------------------------------------------------------------------------------------------------------


async def test_equal_content_is_found_behind_the_newest_twenty(hands: Hands) -> None:
    await bring_out(hands, spec(1), spec(2))
    for number in range(30):
        hands.call("RegisterTaskDefinition", **spec(100 + number).register)
    hands.recorder.calls.clear()
    planned = await hands.plan(spec(1))
    assert not any(isinstance(step, EnsureTaskDefinition) for step in planned.steps)
    assert [arn.rpartition("/")[2] for arn in planned.revisions.values()] == ["bert:1"]


async def test_content_that_was_never_there_is_not_searched_for(hands: Hands) -> None:
    await bring_out(hands, spec(1), spec(2))
    for number in range(60):
        hands.call("RegisterTaskDefinition", **spec(100 + number).register)
    hands.recorder.calls.clear()
    planned = await hands.plan(spec(3))
    assert isinstance(planned.steps[0], EnsureTaskDefinition)
    described = sum(operation == "DescribeTaskDefinition" for operation, _ in hands.recorder.calls)
    assert described <= 21, "to register one costs less of the account's throttle than to read them all"


# Retired when asked --------------------------------------------------------------------------------------------------


async def test_nothing_is_retired_unasked(hands: Hands) -> None:
    await bring_out(hands, *(spec(number) for number in range(1, 6)))
    assert active(hands) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("keep", "left"), [(1, [4, 5]), (2, [4, 5]), (3, [3, 4, 5]), (9, [1, 2, 3, 4, 5])])
async def test_the_newest_stay_and_the_one_before_always(hands: Hands, keep: int, left: list[int]) -> None:
    await bring_out(hands, *(spec(number, keep=keep) for number in range(1, 6)))
    assert active(hands) == left
    hands.recorder.calls.clear()
    planned = await hands.plan(spec(5, keep=keep))
    assert (planned.drift, planned.steps) == (Drift.IN_SYNC, ())
    reads = {operation for operation, _ in hands.recorder.calls}
    assert reads == {"DescribeServices", "DescribeTaskDefinition"}, "in sync, nobody asks for revisions"


async def test_it_comes_last_and_the_history_closes_the_plan(hands: Hands) -> None:
    await bring_out(hands, *(spec(number, keep=1) for number in (1, 2, 3)))
    planned = await hands.plan(spec(4, keep=1))
    ensure, update, tags, gone, closing = planned.steps
    assert isinstance(ensure, EnsureTaskDefinition)
    assert isinstance(update, UpdateService)
    assert isinstance(tags, TagService)
    assert gone == DeregisterTaskDefinition("bert", 2)
    assert isinstance(closing, TagService)
    assert "dl1.ecs/digest" in tags.put
    assert set(closing.put) == {"dl1.ecs/history"}


async def test_what_we_have_not_registered_stays(hands: Hands) -> None:
    await bring_out(hands, spec(1), spec(2))
    theirs = {**spec(50).register, "tags": [{"key": "dl1.ecs/owner", "value": "another"}]}
    hands.call("RegisterTaskDefinition", **theirs)
    hands.call("RegisterTaskDefinition", **spec(51).register)
    await bring_out(hands, *(spec(number, keep=1) for number in (3, 4, 5, 6)))
    assert active(hands) == [1, 2, 3, 4, 7, 8], "1 and 2 are older than the wish, 3 and 4 are somebody else's"


async def test_a_revision_that_a_service_of_another_cluster_uses_stays(hands: Hands) -> None:
    await bring_out(hands, spec(1, keep=1))
    hands.call("CreateCluster", clusterName="other")
    hands.call("CreateService", cluster="other", serviceName="x", taskDefinition="bert:1", desiredCount=0)
    await bring_out(hands, *(spec(number, keep=1) for number in (2, 3, 4)))
    assert active(hands) == [1, 3, 4]


async def test_a_revision_that_a_task_uses_stays(hands: Hands) -> None:
    await bring_out(hands, spec(1, keep=1))
    hands.call("RunTask", taskDefinition="bert:1", count=1)
    await bring_out(hands, *(spec(number, keep=1) for number in (2, 3, 4)))
    assert active(hands) == [1, 3, 4]


async def test_what_ecs_rolled_back_retires_nothing(hands: Hands) -> None:
    await bring_out(hands, *(spec(number, keep=1) for number in (1, 2)))
    bad = rendered(SPEC.replace("bert:1", "bert:broken") + "  reconcile: {keepRevisions: 1}\n")
    await bring_out(hands, bad)
    hands.rest(3600)
    planned = await hands.plan(bad)
    assert [str(hold.reason) for hold in planned.holds] == ["RolledBack"]
    assert retired(planned) == []
    assert {2, 3} <= set(active(hands)), "the bad one is remembered by its revision, the good one runs"


# Tags of revisions ---------------------------------------------------------------------------------------------------


async def test_declared_tags_of_a_revision_are_kept_without_a_new_one(hands: Hands) -> None:
    one = spec(1, tags="tags: [{key: team, value: nlp}]")
    await bring_out(hands, one)
    arn = hands.call("DescribeServices", services=["bert"])["services"][0]["taskDefinition"]
    hands.call("TagResource", resourceArn=arn, tags=[{"key": "team", "value": "x"}, {"key": "theirs", "value": "y"}])
    planned = await hands.plan(one)
    (step,) = planned.steps
    assert isinstance(step, TagTaskDefinition)
    (change,) = planned.changes
    assert (change.field, change.live, change.spec, change.effect) == (
        "taskDefinition.tags[team]", "x", "nlp", "no restart",
    )  # fmt: skip
    await hands.act(one, planned)
    assert (await hands.plan(one)).drift is Drift.IN_SYNC
    tags = hands.call("ListTagsForResource", resourceArn=arn)["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {"team": "nlp", "theirs": "y"}
    assert active(hands) == [1]


async def test_a_spec_that_says_other_tags_needs_no_new_revision(hands: Hands) -> None:
    await bring_out(hands, spec(1))
    tagged = spec(1, tags="tags: [{key: team, value: nlp}]")
    planned = await hands.plan(tagged)
    assert [type(step).__name__ for step in planned.steps] == ["TagTaskDefinition", "TagService"]
    await hands.act(tagged, planned)
    assert (await hands.plan(tagged)).drift is Drift.IN_SYNC


async def test_our_mark_is_never_put_on_somebody_elses_revision(hands: Hands) -> None:
    await bring_out(hands, spec(1))
    planned = await hands.plan(spec(1, keep=1))
    assert not any(isinstance(step, TagTaskDefinition) for step in planned.steps)


async def test_a_retired_revision_under_a_service_is_replaced_by_an_equal_one(hands: Hands) -> None:
    one = spec(1)
    await bring_out(hands, one)
    hands.call("DeregisterTaskDefinition", taskDefinition="bert:1")
    planned = await hands.plan(one)
    assert [type(step).__name__ for step in planned.steps] == ["EnsureTaskDefinition", "UpdateService"]
    await hands.act(one, planned)
    assert (await hands.plan(one)).drift is Drift.IN_SYNC


# Tags of services ----------------------------------------------------------------------------------------------------


def tagged(tags: str) -> Rendered:
    return rendered(f"{SPEC}  service: {{tags: [{tags}]}}\n")


def tags_of(hands: Hands) -> dict[str, Any]:
    service = hands.call("DescribeServices", services=["bert"], include=["TAGS"])["services"][0]
    return {tag["key"]: tag["value"] for tag in service["tags"] if not tag["key"].startswith("dl1.ecs/")}


async def test_a_tag_that_the_spec_declares_no_more_is_taken_away_and_others_stay(hands: Hands) -> None:
    await bring_out(hands, tagged("{key: a, value: '1'}, {key: b, value: '2'}"))
    arn = hands.call("DescribeServices", services=["bert"])["services"][0]["serviceArn"]
    hands.call("TagResource", resourceArn=arn, tags=[{"key": "theirs", "value": "y"}])
    after = tagged("{key: b, value: '3'}")
    planned = await hands.plan(after)
    assert {change.field: (change.live, change.spec) for change in planned.changes} == {
        "service.tags[a]": ("1", None),
        "service.tags[b]": ("2", "3"),
    }
    await hands.act(after, planned)
    assert tags_of(hands) == {"b": "3", "theirs": "y"}
    assert (await hands.plan(after)).drift is Drift.IN_SYNC
    await hands.converge(rendered())
    assert tags_of(hands) == {"theirs": "y"}
    assert (await hands.plan(rendered())).steps == ()


# Where nobody may look ------------------------------------------------------------------------------------------------


class Refusing:
    """Says no to one operation."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.refused = 0

    async def before(self, operation: str, params: Any) -> None:
        if operation == self.operation:
            self.refused += 1
            raise AnswerError(operation, code="AccessDeniedException", message="not authorized")

    async def after(self, operation: str, params: Any, answer: dict[str, Any]) -> dict[str, Any]:
        return answer


async def test_without_the_permission_to_look_nothing_is_retired_and_everything_else_goes_on(hands: Hands) -> None:
    await bring_out(hands, *(spec(number, keep=1) for number in (1, 2, 3)))
    refusing = Refusing("ListClusters")
    ecs = EcsGateway(InProcess(hands.simulator, hands.clock, interceptor=refusing))
    wanted = spec(4, keep=1)
    seen = await complete(ecs, wanted, await observe(ecs, "default", "bert"))
    planned = plan(wanted, seen, Guards(now=datetime.fromtimestamp(hands.clock.now(), UTC), owner="controller"))
    assert [type(step).__name__ for step in planned.steps] == ["EnsureTaskDefinition", "UpdateService", "TagService"]
    (hold,) = planned.holds
    assert hold.reason is Reason.ACCESS_DENIED
    assert "old revisions are not retired" in hold.message
    assert refusing.refused == 1


async def test_what_is_only_reported_is_not_searched_for_old_revisions(hands: Hands) -> None:
    await bring_out(hands, *(spec(number, keep=1) for number in (1, 2, 3)))
    hands.recorder.calls.clear()
    text = SPEC.replace("bert:1", "bert:4") + "  reconcile: {keepRevisions: 1, mode: notify}\n"
    await hands.plan(rendered(text))
    assert "ListClusters" not in [operation for operation, _ in hands.recorder.calls]
