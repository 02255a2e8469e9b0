"""Any spec that ECS takes: it reads back as what was asked for, in whatever order, and is written once.

Specs are drawn leaf by leaf from the field table, so they reach members and combinations that no example has.
"""

import copy
import json
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from controller.core.fields import SHAPES
from controller.core.fields.kinds import Bag, Keyed, Ordered, Struct
from controller.core.plan import Drift
from controller.core.render import Rendered
from controller.errors import Stalled
from tests.laws.conftest import Hands
from tests.laws.leaves import SERVICE, TASK, Leaf, leaves
from tests.laws.test_mutations import AROUND, AROUND_TASK, IDENTITY, NOT_SEEN, OTHER_KEY
from tests.support import desired

TASK_LEAVES = [leaf for leaf in leaves(TASK) if str(leaf) not in (*NOT_SEEN, *OTHER_KEY)]
SERVICE_LEAVES = [
    leaf
    for leaf in leaves(SERVICE)
    if leaf.members[0] not in IDENTITY and not any(str(leaf).startswith(prefix) for prefix in AROUND)
]


def drawn(candidates: list[Leaf]) -> st.SearchStrategy[list[tuple[Leaf, bool]]]:
    return st.lists(
        st.tuples(st.sampled_from(candidates), st.booleans()), max_size=8, unique_by=lambda one: str(one[0])
    )


def laid_over(around: dict[str, Any], chosen: list[tuple[Leaf, bool]]) -> dict[str, Any]:
    """The request with all of these leaves, each with one of its two values."""
    for leaf, second in chosen:
        value = leaf.values[1] if second and leaf.values[1] is not None else leaf.values[0]
        around = leaf.wire(value, around=around)
    return around


def spec(task: dict[str, Any], service: dict[str, Any]) -> Rendered:
    counted = "desiredCount" in service or service.get("schedulingStrategy") == "DAEMON"
    document = {
        "apiVersion": "dl1.ecs/v1alpha1",
        "kind": "DL1Service",
        "metadata": {"name": "bert"},
        "spec": {
            "cluster": "default", "taskDefinition": task, "service": service, **({} if counted else {"replicas": 1}),
        },
    }  # fmt: skip
    found = desired(json.dumps(document))
    assume(not any(one.is_error for one in found.diagnostics))
    (one,) = found.rendered.values()
    return one


def shuffled(shape: str, wire: dict[str, Any], random: Any) -> dict[str, Any]:
    """The structure with every list in another order whose order is no meaning."""
    result = copy.deepcopy(wire)
    for name, value in result.items():
        row = SHAPES[shape].get(name)
        match row:
            case Struct(shape=inner):
                result[name] = shuffled(inner, value, random)
            case Keyed(shape=inner):
                result[name] = [shuffled(inner, member, random) for member in value]
                random.shuffle(result[name])
            case Ordered(shape=str(inner)):
                result[name] = [shuffled(inner, member, random) for member in value]
            case Bag():
                random.shuffle(value)
            case _:
                pass
    return result


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    task=drawn(TASK_LEAVES),
    service=drawn(SERVICE_LEAVES),
    after=drawn(TASK_LEAVES),
    random=st.randoms(use_true_random=False),
)
async def test_what_is_asked_for_reads_back_and_is_written_once(
    task: list[tuple[Leaf, bool]],
    service: list[tuple[Leaf, bool]],
    after: list[tuple[Leaf, bool]],
    random: Any,
) -> None:
    register, create = laid_over(dict(AROUND_TASK), task), laid_over({}, service)
    one = spec(register, create)
    hands = Hands()
    try:
        await hands.converge(one)
    except Stalled as refused:
        event(f"ECS refuses: {str(refused)[:60]}")
        assume(False)
    hands.rest()
    planned = await hands.plan(one)
    assert (planned.drift, planned.steps, planned.changes, planned.unknown) == (Drift.IN_SYNC, (), (), ())

    # The same in another order is the same, for the report and for what is remembered
    other = spec(shuffled(TASK, register, random), shuffled(SERVICE, create, random))
    assert other.digest == one.digest
    again = await hands.plan(other)
    assert (again.drift, again.steps, again.changes) == (Drift.IN_SYNC, (), ())

    # To another spec and back: the first revision is found again, and nothing is left of the other
    there = spec(laid_over(dict(AROUND_TASK), after), create)
    try:
        await hands.converge(there)
    except Stalled as refused:
        event(f"ECS refuses: {str(refused)[:60]}")
        return
    hands.rest()
    assert (await hands.plan(there)).changes == ()
    await hands.converge(one)
    hands.rest()
    hands.recorder.calls.clear()
    back = await hands.plan(one)
    if not any(str(hold.reason) == "RolledBack" for hold in back.holds):
        assert (back.steps, back.changes) == ((), ())
    assert hands.recorder.writes == []
    revisions = hands.call("ListTaskDefinitions", familyPrefix="bert")["taskDefinitionArns"]
    assert len(revisions) <= 2
