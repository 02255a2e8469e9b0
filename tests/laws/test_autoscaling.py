"""The count has three states: managed, not managed, owned by an autoscaler. The third is found out only where the count
is not the wanted one, and is never fought over.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.aws.ecs import EcsGateway
from controller.core.live import ScalableTarget
from controller.core.plan import Drift, Guards, Plan, TagService, UpdateService, plan
from controller.core.render import Rendered
from controller.core.status import Type, conditions, health
from controller.errors import ControllerError, Denied
from controller.reasons import Reason
from controller.reconcile.observe import complete, observe, snapshot
from controller.sandbox.inprocess import InProcess
from tests.laws.conftest import Hands
from tests.support import SPEC, rendered


@dataclass
class Targets:
    """Application Auto Scaling, as far as it is asked."""

    found: dict[str, ScalableTarget] = field(default_factory=dict)
    error: ControllerError | None = None
    asked: list[tuple[str, list[str]]] = field(default_factory=list)

    async def scalable_targets(self, cluster: str, names: Iterable[str]) -> dict[str, ScalableTarget]:
        asked = list(names)
        self.asked.append((cluster, asked))
        if self.error is not None:
            raise self.error
        return {name: self.found[name] for name in asked if name in self.found}


def gateway(hands: Hands, targets: Targets) -> EcsGateway:
    api = InProcess(hands.simulator, hands.clock, interceptor=hands.recorder)
    return EcsGateway(api, targets)  # type: ignore[arg-type]


async def planned(hands: Hands, one: Rendered, targets: Targets) -> Plan:
    ecs = gateway(hands, targets)
    seen = await observe(ecs, "default", "bert", count=one.count)
    now = datetime.fromtimestamp(hands.clock.now(), UTC)
    return plan(one, await complete(ecs, one, seen), Guards(now=now, owner="controller"))


OWNED = {"bert": ScalableTarget(1, 5)}


@pytest.fixture
async def fleet(hands: Hands) -> Hands:
    await hands.converge(rendered())
    hands.rest()
    return hands


async def test_while_the_count_is_right_nobody_is_asked(fleet: Hands) -> None:
    targets = Targets(OWNED)
    assert (await planned(fleet, rendered(), targets)).drift is Drift.IN_SYNC
    assert targets.asked == []


async def test_a_count_that_an_autoscaler_owns_is_reported_and_left(fleet: Hands) -> None:
    fleet.call("UpdateService", service="bert", desiredCount=3)
    targets = Targets(OWNED)
    found = await planned(fleet, rendered(), targets)
    assert targets.asked == [("default", ["bert"])]
    assert [(change.field, change.live, change.spec) for change in found.changes] == [("service.desiredCount", 3, 1)]
    assert (found.drift, found.steps) == (Drift.BLOCKED, ())
    (hold,) = found.holds
    assert hold.reason is Reason.AUTOSCALED
    assert "1 to 5 tasks" in hold.message
    assert "remove `replicas`" in hold.message
    told = conditions(found, health(None))
    assert told[Type.STALLED].reason is Reason.AUTOSCALED, "time does not resolve it: the spec contradicts itself"


async def test_everything_else_is_healed_and_remembered(fleet: Hands) -> None:
    fleet.call("UpdateService", service="bert", desiredCount=3, propagateTags="SERVICE")
    found = await planned(fleet, rendered(), Targets(OWNED))
    (step,) = found.steps
    assert isinstance(step, UpdateService)
    assert step.members == {"propagateTags": "NONE"}
    changed = rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4"))
    steps = (await planned(fleet, changed, Targets(OWNED))).steps
    assert [type(one).__name__ for one in steps] == ["EnsureTaskDefinition", "UpdateService", "TagService"]
    assert isinstance(steps[-1], TagService)
    assert "dl1.ecs/digest" in steps[-1].put


async def test_without_a_target_the_count_is_managed(fleet: Hands) -> None:
    fleet.call("UpdateService", service="bert", desiredCount=3)
    (step,) = (await planned(fleet, rendered(), Targets())).steps
    assert isinstance(step, UpdateService)
    assert step.members == {"desiredCount": 1}


async def test_an_autoscaler_that_is_suspended_owns_nothing(fleet: Hands) -> None:
    fleet.call("UpdateService", service="bert", desiredCount=3)
    assert (await planned(fleet, rendered(), Targets({"bert": ScalableTarget(1, 5, suspended=True)}))).steps


async def test_where_nobody_can_tell_nothing_is_written(fleet: Hands) -> None:
    fleet.call("UpdateService", service="bert", desiredCount=3, propagateTags="SERVICE")
    refused = Denied("no", reason=Reason.ACCESS_DENIED, advice="grant application-autoscaling:DescribeScalableTargets")
    found = await planned(fleet, rendered(), Targets(error=refused))
    (step,) = found.steps
    assert isinstance(step, UpdateService)
    assert "desiredCount" not in step.members
    (hold,) = found.holds
    assert hold.after is not None
    assert "not known whether an autoscaler owns it: no" in hold.message


@pytest.mark.parametrize("service", ["schedulingStrategy: DAEMON"])
async def test_a_daemon_has_no_count_to_ask_about(hands: Hands, service: str) -> None:
    one = rendered(SPEC.replace("  replicas: 1\n", "") + f"  service: {{{service}}}\n")
    await hands.converge(one)
    targets = Targets(OWNED)
    assert (await planned(hands, one, targets)).drift is Drift.IN_SYNC
    assert (one.count, targets.asked) == (None, [])


async def test_a_count_that_is_not_managed_is_nobodys_business(hands: Hands) -> None:
    one = rendered(SPEC.replace("  replicas: 1\n", ""))
    await hands.converge(one)
    hands.call("UpdateService", service="bert", desiredCount=4)
    targets = Targets(OWNED)
    assert (await planned(hands, one, targets)).drift is Drift.IN_SYNC
    assert targets.asked == []


async def test_a_cluster_is_asked_once_and_only_about_what_differs(hands: Hands) -> None:
    hands.call("RegisterTaskDefinition", family="f", containerDefinitions=[{"name": "c", "image": "i", "memory": 64}])
    names = [f"s{number}" for number in range(25)]
    for name in names:
        hands.call("CreateService", serviceName=name, taskDefinition="f", desiredCount=1)
    targets = Targets({"s7": ScalableTarget(2, 9)})
    ecs = gateway(hands, targets)
    counts: dict[str, int] = dict.fromkeys(names, 1)
    hands.recorder.calls.clear()
    await snapshot(ecs, "arn:aws:ecs:us-east-1:123456789012:cluster/default", names, counts=counts)
    called = [operation for operation, _ in hands.recorder.calls]
    assert targets.asked == []
    assert (called.count("DescribeServices"), called.count("ListServices")) == (3, 1), "the price of a quiet pass"
    for name in ("s7", "s9"):
        hands.call("UpdateService", service=name, desiredCount=3)
    found = await snapshot(ecs, "default", names, counts={**counts, "gone": 1})
    assert targets.asked == [("default", ["s7", "s9"])]
    assert found.observation("s7").scaling == ScalableTarget(2, 9)
    assert found.observation("s9").scaling is None


def test_the_types_fit() -> None:
    """`Targets` stands for `controller.aws.scaling.Scaling`."""
    from controller.aws.scaling import Scaling

    wanted: Any = Scaling.scalable_targets.__annotations__
    assert Targets.scalable_targets.__annotations__.keys() == wanted.keys()
