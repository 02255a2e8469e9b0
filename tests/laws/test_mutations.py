"""For every leaf of the field table: changing it live is reported at its path with its effect, and healed by one write.

Twice, where both can be: once against a spec that declares the leaf, once against one that says nothing of it, so that
a default that flips is drift too. Somebody else does the changing, through ECS's own API as far as it goes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from controller.core.applied import Cause
from controller.core.fields.kinds import UNMANAGED
from controller.core.fields.service import SERVICE_MEMBERS, Answered, Sent
from controller.core.plan import Drift, UpdateService
from controller.core.render import Rendered
from controller.reasons import Reason
from controller.sandbox.wire import clone
from tests.laws.conftest import Hands
from tests.laws.leaves import SERVICE, TASK, Leaf, leaves, row_at, without
from tests.support import desired

AROUND_TASK: Mapping[str, Any] = {
    "memory": "1000",
    "executionRoleArn": "exec",
    "taskRoleArn": "task",
    "volumes": [{"name": "v"}, {"name": "w"}],
    "containerDefinitions": [
        {"name": "c", "image": "i:1", "memory": 50, "portMappings": [{"containerPort": 80}, {"containerPort": 81}]},
        {"name": "a", "image": "i:1", "memory": 50},
        {"name": "d", "image": "i:1", "memory": 50, "essential": False},
        {"name": "b", "image": "i:1", "memory": 50, "essential": False},
    ],
}
TWO_WITH_PORTS: Mapping[str, Any] = {
    **AROUND_TASK,
    "containerDefinitions": [
        {**one, "portMappings": [{"containerPort": 80}]} for one in AROUND_TASK["containerDefinitions"]
    ],
}
FARGATE: Mapping[str, Any] = {
    **AROUND_TASK, "networkMode": "awsvpc", "cpu": "512", "memory": "1024", "requiresCompatibilities": ["FARGATE"],
}  # fmt: skip
AWSVPC: Mapping[str, Any] = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}}
BALANCED: Mapping[str, Any] = {"loadBalancers": [{"targetGroupArn": "tg/1", "containerName": "c", "containerPort": 80}]}
STILL: Mapping[str, Any] = {"availabilityZoneRebalancing": "DISABLED"}


def deploying(**configuration: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return AROUND_TASK, {**STILL, "deploymentConfiguration": configuration}


AROUND: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "networkConfiguration": ({**AROUND_TASK, "networkMode": "awsvpc"}, AWSVPC),
    "platformVersion": (FARGATE, {**AWSVPC, "launchType": "FARGATE"}),
    "capacityProviderStrategy": (FARGATE, AWSVPC),
    "healthCheckGracePeriodSeconds": (AROUND_TASK, BALANCED),
    "loadBalancers.containerName": (TWO_WITH_PORTS, {}),
    "placementStrategy": (AROUND_TASK, STILL),
    "launchType": (AROUND_TASK, STILL),
    "deploymentConfiguration": deploying(),
    "deploymentConfiguration.maximumPercent": deploying(minimumHealthyPercent=0),
    "deploymentConfiguration.linearConfiguration": deploying(strategy="LINEAR"),
    "deploymentConfiguration.canaryConfiguration": deploying(strategy="CANARY"),
    "volumeConfigurations": (
        {**AROUND_TASK, "volumes": [*AROUND_TASK["volumes"], {"name": "e", "configuredAtLaunch": True}]}, {},
    ),
}  # fmt: skip
"""Leaf (the longest prefix wins) → what must be around it: the task definition and the service."""

OTHER_KEY = {"containerDefinitions.portMappings.containerPortRange": ("containerPort",)}
"""Members that cannot stand beside a leaf."""

CONSEQUENCES = {
    "networkMode": r"taskDefinition\.containerDefinitions\[.\]\.portMappings\[8. tcp\]\.hostPort",
    "containerDefinitions.linuxParameters.maxSwap": r".*swappiness",
}
"""Leaf → what else differs with it, because its default follows: a port is dynamic under bridge and not under host."""

ALWAYS_SAID = (
    "availabilityZoneRebalancing",
    "deploymentConfiguration.maximumPercent",
    "deploymentConfiguration.minimumHealthyPercent",
    "deploymentConfiguration.deploymentCircuitBreaker.enable",
    "deploymentConfiguration.deploymentCircuitBreaker.rollback",
)
"""What the renderer says where the spec does not."""
NEVER_LEFT_OUT = (
    *ALWAYS_SAID,
    "containerDefinitions.portMappings.containerPortRange",
    "serviceConnectConfiguration.containerConfigurations.logLevel",
)
"""Also members of unions: without them nothing is left."""
WHOLES_NEVER_LEFT_OUT = (
    "containerDefinitions",
    "deploymentConfiguration",
    "deploymentConfiguration.deploymentCircuitBreaker",
    "deploymentController",
    "networkConfiguration",
    "networkConfiguration.awsvpcConfiguration",
)

NOT_SEEN = {
    "family": "the family is where a revision lives; another one is another revision, and no edit of this one",
    "tags.key": "tags of a task definition are no content; they have a test of their own",
    "tags.value": "as above",
}
IDENTITY = {name for name, member in SERVICE_MEMBERS.items() if member.sent is Sent.IDENTITY}
UNANSWERED = {name for name, member in SERVICE_MEMBERS.items() if member.answered is Answered.NOWHERE}


def around(leaf: Leaf) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if leaf.root == TASK:
        return AROUND_TASK, {}
    prefixes = [prefix for prefix in AROUND if str(leaf) == prefix or str(leaf).startswith(f"{prefix}.")]
    return AROUND[max(prefixes, key=len)] if prefixes else (AROUND_TASK, {})


def wires(leaf: Leaf, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The task definition and the service with this value of the leaf."""
    task, service = (clone(dict(one)) for one in around(leaf))
    if leaf.root == SERVICE:
        return task, leaf.wire(value, around=service)
    return _without_other_keys(leaf, leaf.wire(value, around=task)), service


def _without_other_keys(leaf: Leaf, task: dict[str, Any]) -> dict[str, Any]:
    for name in OTHER_KEY.get(str(leaf), ()):
        for mapping in task["containerDefinitions"][0]["portMappings"]:
            mapping.pop(name, None)
    return task


def spec(task: Mapping[str, Any], service: Mapping[str, Any], **reconcile: Any) -> Rendered:
    document = {
        "apiVersion": "dl1.ecs/v1alpha1", "kind": "DL1Service", "metadata": {"name": "bert"},
        "spec": {
            "cluster": "default", "taskDefinition": task, "service": service, "reconcile": reconcile,
            **({} if "desiredCount" in service or service.get("schedulingStrategy") == "DAEMON" else {"replicas": 1}),
        },
    }  # fmt: skip
    found = desired(json.dumps(document))
    assert not [one.message for one in found.diagnostics if one.is_error]
    (one,) = found.rendered.values()
    return one


def cases(root: str) -> Iterator[Any]:
    """Each leaf with (declared value or None, value that somebody sets live)."""
    for leaf in _seen(root):
        first, second = leaf.values
        if second is not None:
            yield pytest.param(leaf, first, second, id=f"{leaf}")
            yield pytest.param(leaf, second, first, id=f"{leaf}-back")
        left_out = not leaf.required and not str(leaf).startswith(NEVER_LEFT_OUT)
        if left_out and leaf.row.default != UNMANAGED and leaf.flipped is not None:
            yield pytest.param(leaf, None, leaf.flipped, id=f"{leaf}-undeclared")


def _seen(root: str) -> Iterator[Leaf]:
    for leaf in leaves(root):
        if root == TASK and str(leaf) not in NOT_SEEN:
            yield leaf
        if root == SERVICE and leaf.members[0] not in IDENTITY | UNANSWERED | {"tags"}:
            yield leaf


def wholes(root: str) -> Iterator[Any]:
    """Each structure and list that a spec may leave out, with the first leaf in it: (leaf, members that lead to it)."""
    seen: set[tuple[str, ...]] = set()
    for leaf in _seen(root):
        for length in range(1, len(leaf.members)):
            members = leaf.members[:length]
            row, required = row_at(root, members)
            name = ".".join(members)
            known = members in seen or required or row.default == UNMANAGED or name in WHOLES_NEVER_LEFT_OUT
            if not known and leaf.flipped is not None:
                seen.add(members)
                yield pytest.param(leaf, length, id=name)


async def assert_reported_and_healed(
    hands: Hands, one: Rendered, path: re.Pattern[str], effect: str, *, follows: str = "(?!)"
) -> None:
    planned = await hands.plan(one)
    told = {change.field: change for change in planned.changes}
    assert any(path.fullmatch(field) for field in told), "not reported"
    assert all(path.fullmatch(field) or re.fullmatch(follows, field) for field in told), (path.pattern, list(told))
    assert {change.effect for change in planned.changes} == {effect}
    assert {change.cause for change in planned.changes} == {Cause.LIVE}
    assert not planned.unknown
    (step,) = planned.steps
    assert isinstance(step, UpdateService)
    hands.recorder.calls.clear()
    await hands.act(one, planned)
    assert hands.recorder.writes == ["UpdateService"]
    again = await hands.plan(one)
    assert (again.drift, again.changes, again.steps) == (Drift.IN_SYNC, (), ())


async def converged(one: Rendered) -> Hands:
    hands = Hands()
    await hands.converge(one)
    assert (await hands.plan(one)).drift is Drift.IN_SYNC
    hands.rest()
    return hands


def edit_task(hands: Hands, task: Mapping[str, Any]) -> None:
    """Somebody registers another revision and brings it out."""
    arn = hands.call("RegisterTaskDefinition", **{**task, "family": "bert"})["taskDefinition"]["taskDefinitionArn"]
    hands.call("UpdateService", service="bert", taskDefinition=arn)


def edit_service(hands: Hands, service: Mapping[str, Any], member: str) -> str:
    """Somebody updates one member; the effect that taking it back must be reported with."""
    edit: dict[str, Any] = {member: service[member]}
    if SERVICE_MEMBERS[member].sent is Sent.FORCED:
        edit["forceNewDeployment"] = True
    hands.call("UpdateService", service="bert", **edit)
    tasks = hands.call("DescribeServices", services=["bert"])["services"][0]["desiredCount"]
    effect = str(SERVICE_MEMBERS[member].effect)
    return effect + (f", rolls {tasks} task{'s' if tasks != 1 else ''}" if "new deployment" in effect else "")


ROLLS = "new revision, rolls 1 task"
SERVICE_CASES = list(cases(SERVICE))
UPDATABLE = [case for case in SERVICE_CASES if SERVICE_MEMBERS[case.values[0].members[0]].sent is not Sent.NEVER]
CREATE_ONLY = [case for case in SERVICE_CASES if SERVICE_MEMBERS[case.values[0].members[0]].sent is Sent.NEVER]


def path_of(leaf: Leaf, declared: Any) -> re.Pattern[str]:
    return leaf.path(absent_from=max(len(leaf.members) - 3, 0) if declared is None else None)


@pytest.mark.parametrize(("leaf", "declared", "by_hand"), list(cases(TASK)))
async def test_a_leaf_of_a_task_definition(leaf: Leaf, declared: Any, by_hand: Any) -> None:
    one = spec(*wires(leaf, declared))
    hands = await converged(one)
    edit_task(hands, wires(leaf, by_hand)[0])
    follows = CONSEQUENCES.get(str(leaf), "(?!)")
    await assert_reported_and_healed(hands, one, path_of(leaf, declared), ROLLS, follows=follows)


@pytest.mark.parametrize(("leaf", "length"), list(wholes(TASK)))
async def test_a_part_of_a_task_definition_of_which_the_spec_says_nothing(leaf: Leaf, length: int) -> None:
    task, service = wires(leaf, leaf.flipped)
    one = spec(without(clone(task), leaf.members[:length]), service)
    hands = await converged(one)
    edit_task(hands, task)
    await assert_reported_and_healed(hands, one, leaf.above(length), ROLLS)


@pytest.mark.parametrize(("leaf", "declared", "by_hand"), UPDATABLE)
async def test_a_leaf_of_a_service(leaf: Leaf, declared: Any, by_hand: Any) -> None:
    one = spec(*wires(leaf, declared))
    hands = await converged(one)
    effect = edit_service(hands, wires(leaf, by_hand)[1], leaf.members[0])
    await assert_reported_and_healed(hands, one, path_of(leaf, declared), effect)


@pytest.mark.parametrize(("leaf", "length"), list(wholes(SERVICE)))
async def test_a_part_of_a_service_of_which_the_spec_says_nothing(leaf: Leaf, length: int) -> None:
    task, service = wires(leaf, leaf.flipped)
    one = spec(task, without(clone(service), leaf.members[:length]))
    hands = await converged(one)
    effect = edit_service(hands, service, leaf.members[0])
    await assert_reported_and_healed(hands, one, leaf.above(length), effect)


# What only a new service can have ------------------------------------------------------------------------------------


def made_otherwise(hands: Hands, **members: Any) -> None:
    """As if somebody had created the service with other members than it can be updated to."""
    world = hands.simulator.world
    (arn,) = world.services
    service = world.services[arn]
    daemon = members.get("schedulingStrategy", "REPLICA") == "DAEMON"
    world.services[arn] = replace(service, members={**service.members, **members}, daemon=daemon)


@pytest.mark.parametrize(("leaf", "declared", "by_hand"), CREATE_ONLY)
async def test_a_leaf_that_only_a_new_service_can_have(leaf: Leaf, declared: Any, by_hand: Any) -> None:
    task, service = wires(leaf, declared)
    one = spec(task, service)
    hands = await converged(one)
    made_otherwise(hands, **{leaf.members[0]: by_hand})
    planned = await hands.plan(one)
    told = {change.field: change.effect for change in planned.changes}
    assert told[f"service.{leaf}"] == "REPLACES the service"
    assert (planned.steps, [hold.reason for hold in planned.holds]) == ((), [Reason.REPLACE_REQUIRED])

    allowed = spec(task, service, replace=True)
    hands.recorder.calls.clear()
    await hands.converge(allowed)
    assert [write for write in hands.recorder.writes if write != "UpdateService"] == ["DeleteService"]
    waiting = await hands.plan(allowed)
    assert [hold.reason for hold in waiting.holds] == [Reason.DRAINING]
    hands.rest()
    await hands.converge(allowed)
    assert hands.recorder.writes[-1] == "CreateService"
    assert "RegisterTaskDefinition" not in hands.recorder.writes
    assert (await hands.plan(allowed)).drift is Drift.IN_SYNC


def test_every_leaf_is_mutated_or_excused() -> None:
    """Nothing of the table is left out by accident."""
    mutated = {str(case.values[0]) for root in (TASK, SERVICE) for case in cases(root)}
    excused = set(NOT_SEEN) | {
        # One value only, or none of ours: see their own tests
        *("taskDefinition", "clientToken", "cluster", "serviceName", "role", "deploymentController.type"),
        *("tags.key", "tags.value"),
    }
    every = {str(leaf) for root in (TASK, SERVICE) for leaf in leaves(root)}
    unanswered = {name for name in every if name.split(".")[0] in UNANSWERED}
    single = {str(leaf) for root in (TASK, SERVICE) for leaf in leaves(root) if leaf.values[1] is None}
    assert every - mutated - excused - unanswered <= single
    assert {"clientToken", "gatewayConnectors", "monitoring", "role"} == UNANSWERED
    assert {"placementStrategy.type", "placementConstraints.type"} <= single
