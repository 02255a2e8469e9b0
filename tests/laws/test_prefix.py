"""The prefix law: after any part of a plan, planning again gives exactly the rest.

It makes a crash between two steps cost nothing, and it contains idempotence: after the whole plan nothing is left.
The states are made by a simulated ECS, not by a model of the plan.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.core.live import LiveService
from controller.core.plan import DeleteService, Drift, Plan, TagService
from controller.core.prune import SourceHealth, plan_orphans
from controller.reconcile.act import Act
from controller.reconcile.observe import observe
from tests.laws.conftest import Hands, roomy
from tests.support import rendered

SPEC = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata:
  name: bert
  labels: {{{labels}}}
spec:
  cluster: default
  {replicas}
  gaudi: {gaudi}
  taskDefinition:
    cpu: "{cpu}"
    memory: "60000"
    {tags}
    containerDefinitions:
      - name: train
        image: example.com/bert:{tag}
        environment: {{LR: {lr}}}
  service: {{{service}}}
  reconcile: {{adopt: {adopt}, onDelete: {on_delete}, replace: true{keep}}}
"""

VALUES: dict[str, list[str]] = {
    "labels": ["", "team: nlp", "team: asr, tier: prod"],
    "replicas": ["replicas: 1", "replicas: 2", "replicas: 0", ""],
    "gaudi": ["{cards: 8}", "{modules: [0, 1, 2, 3]}", "{cards: 8, tuning: minimal, isolation: none}"],
    "cpu": ["4096", "8 vCPU"],
    "tag": ["1", "2"],
    "lr": ["1e-3", "1e-4"],
    "service": [
        "",
        "enableECSManagedTags: true, propagateTags: SERVICE",
        "placementStrategy: [{type: binpack, field: memory}], tags: [{key: cost, value: a}]",
        "deploymentConfiguration: {maximumPercent: 200}, tags: [{key: cost, value: b}]",
        "placementConstraints: [{type: distinctInstance}]",
    ],
    "adopt": ["true"],
    "on_delete": ["delete", "orphan"],
    "tags": ["", "tags: [{key: team, value: a}]", "tags: [{key: team, value: b}, {key: cost, value: c}]"],
    "keep": ["", ", keepRevisions: 1", ", keepRevisions: 2"],
}

EDITS: list[dict[str, Any]] = [
    {"desiredCount": 3},
    {"enableECSManagedTags": True},
    {"propagateTags": "TASK_DEFINITION"},
    {"placementStrategy": [{"type": "spread", "field": "host"}]},
    {"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}]},
    {"deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100}},
    {"healthCheckGracePeriodSeconds": 0},
    {"forceNewDeployment": True},
]

specs = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()})
edits = st.lists(st.sampled_from(EDITS), max_size=3)
tag_edits = st.sampled_from([
    {}, {"put": {"dl1.ecs/digest": "x"}}, {"remove": ["dl1.ecs/source"]}, {"put": {"dl1.ecs/labels/old": "y"}},
    {"put": {"dl1.ecs/on-delete": "orphan"}}, {"put": {"dl1.ecs/generation": "seven"}}, {"put": {"foreign": "kept"}},
])  # fmt: skip


def of(values: dict[str, str]) -> Any:
    return rendered(SPEC.format(**values))


def steps(plan: Plan) -> tuple[Any, ...]:
    return plan.steps


async def assert_prefix_law(hands: Hands, wanted: Any) -> None:
    whole = await hands.plan(wanted)
    for k in range(len(whole.steps) + 1):
        part = hands.copy()
        await part.act(wanted, whole, whole.steps[:k])
        again = await part.plan(wanted)
        assert steps(again) == whole.steps[k:], f"after {k} of {len(whole.steps)} steps"
        if k == len(whole.steps):
            assert again.drift is Drift.IN_SYNC
            assert again.changes == ()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=specs, edits=edits, tags=tag_edits, after=specs, rest=st.booleans())
async def test_a_change_of_spec_on_a_service_that_was_edited(
    before: dict[str, str], edits: list[dict[str, Any]], tags: dict[str, Any], after: dict[str, str], rest: bool
) -> None:
    hands = Hands()
    await hands.converge(of(before))
    if rest:
        hands.rest()
    for edit in edits:
        hands.call("UpdateService", service="bert", **edit)
    arn = hands.call("DescribeServices", services=["bert"])["services"][0]["serviceArn"]
    if "put" in tags:
        put = [{"key": key, "value": value} for key, value in tags["put"].items()]
        hands.call("TagResource", resourceArn=arn, tags=put)
    if "remove" in tags:
        hands.call("UntagResource", resourceArn=arn, tagKeys=tags["remove"])
    await assert_prefix_law(hands, of(after))


@settings(max_examples=30, deadline=None)
@given(wanted=specs, revisions=st.lists(specs, max_size=2))
async def test_a_creation_with_and_without_an_equal_revision(
    wanted: dict[str, str], revisions: list[dict[str, str]]
) -> None:
    hands = Hands()
    for other in revisions:
        hands.call("RegisterTaskDefinition", **of(other).register)
    await assert_prefix_law(hands, of(wanted))


@settings(max_examples=30, deadline=None)
@given(theirs=specs, ours=specs)
async def test_an_adoption(theirs: dict[str, str], ours: dict[str, str]) -> None:
    hands = Hands()
    foreign = of(theirs)
    hands.call("RegisterTaskDefinition", **foreign.register)
    create = {name: value for name, value in foreign.create.items() if name != "tags"}
    hands.call("CreateService", **create, tags=[{"key": "team", "value": "theirs"}])
    wanted = of(ours)
    await assert_prefix_law(hands, wanted)
    await hands.converge(wanted)
    service = LiveService(hands.call("DescribeServices", services=["bert"], include=["TAGS"])["services"][0])
    assert service.tags["team"] == "theirs"


@settings(max_examples=30, deadline=None)
@given(history=st.lists(specs, min_size=2, max_size=5), after=specs, by_hand=st.booleans())
async def test_revisions_are_retired_and_found_again(
    history: list[dict[str, str]], after: dict[str, str], by_hand: bool
) -> None:
    hands = roomy()
    for before in history:
        await hands.converge(of(before))
        hands.rest()
    if by_hand:
        other = hands.call("RegisterTaskDefinition", **of({**after, "cpu": "8192"}).register)["taskDefinition"]
        hands.call("UpdateService", service="bert", taskDefinition=other["taskDefinitionArn"])
    await assert_prefix_law(hands, of(after))


@settings(max_examples=20, deadline=None)
@given(before=specs, after=specs, adopted=st.booleans())
async def test_a_replacement(before: dict[str, str], after: dict[str, str], adopted: bool) -> None:
    """What only a new service can have: scaled to zero, deleted; the rest waits until it is gone."""
    hands = Hands()
    await hands.converge(of(before))
    world = hands.simulator.world
    (arn,) = world.services
    service = world.services[arn]
    tags = {key: value for key, value in service.tags.items() if not adopted}
    world.services[arn] = replace(service, members={**service.members, "launchType": "EXTERNAL"}, tags=tags)
    wanted = of({**after, "service": "launchType: EC2"})
    whole = await hands.plan(wanted)
    assert isinstance(whole.steps[-1], DeleteService)
    assert isinstance(whole.steps[0], TagService) is adopted, "nothing is deleted that does not carry our tag"
    for k in range(len(whole.steps) + 1):
        part = hands.copy()
        await part.act(wanted, whole, whole.steps[:k])
        assert steps(await part.plan(wanted)) == whole.steps[k:]
    await hands.act(wanted, whole)
    hands.rest()
    await assert_prefix_law(hands, wanted)


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("on_delete", ["delete", "orphan"])
async def test_a_deletion(hands: Hands, running: bool, on_delete: str) -> None:
    values = {name: choices[0] for name, choices in VALUES.items()} | {"on_delete": on_delete}
    wanted = of(values)
    await hands.converge(wanted)
    if running:
        hands.rest()
    healthy = SourceHealth(complete=True, workloads=1)
    key = wanted.workload.key

    async def planned(on: Hands) -> Plan | None:
        live = (await observe(on.ecs, "default", "bert")).service
        if live is None or live.ownership.owner != "controller":
            return None
        return plan_orphans({key: live}, owned=1, source=healthy)[0]

    whole = await planned(hands)
    assert whole is not None
    for k in range(len(whole.steps) + 1):
        part = hands.copy()
        await Act(part.ecs, "default", (await observe(part.ecs, "default", "bert")).service).run(whole.steps[:k])
        again = await planned(part)
        assert (again.steps if again else ()) == whole.steps[k:]
