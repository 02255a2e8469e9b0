"""What was applied reads back as what was asked for: no drift and no second write, for any spec."""

from typing import Any

from hypothesis import given, settings

from controller.core.compare import compare
from controller.core.plan import Drift, TagService, UpdateService
from tests.laws.conftest import Hands, roomy
from tests.laws.test_prefix import edits, of, specs
from tests.support import SPEC, rendered


@settings(max_examples=60, deadline=None)
@given(wanted=specs)
async def test_a_created_service_is_in_sync_at_once_and_for_good(wanted: dict[str, str]) -> None:
    hands = Hands()
    one = of(wanted)
    await hands.converge(one)
    for _ in range(3):
        planned = await hands.plan(one)
        assert (planned.drift, planned.steps, planned.changes, planned.unknown) == (Drift.IN_SYNC, (), (), ())
        hands.rest()


@settings(max_examples=60, deadline=None)
@given(wanted=specs, by_hand=edits)
async def test_every_live_edit_is_healed_by_one_write_and_stays_healed(
    wanted: dict[str, str], by_hand: list[dict[str, Any]]
) -> None:
    hands = Hands()
    one = of(wanted)
    await hands.converge(one)
    hands.rest()
    for edit in by_hand:
        hands.call("UpdateService", service="bert", **edit)
    planned = await hands.plan(one)
    assert len(planned.steps) <= 1
    hands.recorder.calls.clear()
    await hands.act(one, planned)
    assert hands.recorder.writes == ["UpdateService"] * len(planned.steps)
    assert (await hands.plan(one)).drift is Drift.IN_SYNC


@settings(max_examples=30, deadline=None)
@given(first=specs, second=specs)
async def test_the_way_to_a_spec_does_not_matter_and_back_is_back(
    first: dict[str, str], second: dict[str, str]
) -> None:
    hands = roomy()
    for wanted in (first, second, first):
        await hands.converge(of(wanted))
        hands.rest()
    direct = roomy()
    await direct.converge(of(first))
    direct.rest()
    states = []
    for one in (hands, direct):
        seen = await one.observe(of(first))
        assert seen.service is not None
        states.append(compare(of(first), seen.service, seen))
    assert [state.changes for state in states] == [(), ()]
    families = hands.call("ListTaskDefinitions", familyPrefix="bert")["taskDefinitionArns"]
    assert len(families) <= 2, "equal content is reused, also an old revision"


async def test_the_tags_that_say_what_was_applied_come_last(hands: Hands) -> None:
    await hands.converge(rendered(SPEC))
    planned = await hands.plan(rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4")))
    assert isinstance(planned.steps[-1], TagService)
    assert {"dl1.ecs/digest", "dl1.ecs/generation"} <= set(planned.steps[-1].put)


async def test_only_what_differs_is_sent(hands: Hands) -> None:
    await hands.converge(rendered(SPEC))
    hands.call("UpdateService", service="bert", desiredCount=2)
    (step,) = (await hands.plan(rendered(SPEC))).steps
    assert isinstance(step, UpdateService)
    assert (step.members, step.digest, step.force_new_deployment) == ({"desiredCount": 1}, None, False)


async def test_a_capacity_provider_strategy_is_sent_with_force(hands: Hands) -> None:
    strategy = "  service: {capacityProviderStrategy: [{capacityProvider: dl1, weight: 1}]}\n"
    await hands.converge(rendered(SPEC))
    (update, _) = (await hands.plan(rendered(SPEC + strategy))).steps
    assert isinstance(update, UpdateService)
    assert update.force_new_deployment
