"""What UpdateService is told: the whole of a member, defaults that were flipped spelled out, others' values kept."""

from typing import Any

import pytest

from controller.core.fields.service import SERVICE_MEMBERS, Sent
from controller.core.update import update_members
from tests.laws.conftest import Hands
from tests.support import SPEC, rendered

BREAKER = {"enable": True, "rollback": True}
LIVE_BREAKER = {
    **BREAKER, "resetOnHealthyTask": True, "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
}  # fmt: skip
CONFIGURATION = {
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
    "deploymentCircuitBreaker": {**LIVE_BREAKER, "enable": False, "rollback": False},
    "alarms": {"alarmNames": [], "enable": False, "rollback": False},
}


def told(name: str, wanted: Any, live: Any) -> Any:
    return update_members([name], {} if wanted is None else {name: wanted}, {name: live})[name]


@pytest.mark.parametrize(
    ("wanted", "flipped", "expected"),
    [
        # Only what was declared
        ({"maximumPercent": 100}, {"maximumPercent": 200}, {"maximumPercent": 100}),
        # A default that was flipped is named, because leaving it out might keep it
        ({"maximumPercent": 200}, {"bakeTimeInMinutes": 5}, {"maximumPercent": 200, "bakeTimeInMinutes": 0}),
        ({"maximumPercent": 200}, {"strategy": "LINEAR"}, {"maximumPercent": 200, "strategy": "ROLLING"}),
        # Whole, where ECS takes it only whole
        (
            {"maximumPercent": 200},
            {"alarms": {"alarmNames": ["a"], "enable": True, "rollback": True}},
            {"maximumPercent": 200, "alarms": {"alarmNames": [], "enable": False, "rollback": False}},
        ),
        (
            {"deploymentCircuitBreaker": BREAKER},
            {"deploymentCircuitBreaker": {
                **LIVE_BREAKER, "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 9},
            }},
            {"deploymentCircuitBreaker": {
                **BREAKER, "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
            }},
        ),
        ({"maximumPercent": 200}, {"lifecycleHooks": [{"hookTargetArn": "f"}]},
         {"maximumPercent": 200, "lifecycleHooks": []}),
        # What says nothing with this strategy is not told
        ({"maximumPercent": 200}, {"canaryConfiguration": {"canaryPercent": 9.0}}, {"maximumPercent": 200}),
        ({"strategy": "CANARY"}, {"strategy": "CANARY", "canaryConfiguration": {
            "canaryPercent": 9.0, "canaryBakeTimeInMinutes": 10}},
         {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}}),
    ],
)  # fmt: skip
def test_a_deployment_configuration(wanted: dict[str, Any], flipped: dict[str, Any], expected: dict[str, Any]) -> None:
    assert told("deploymentConfiguration", wanted, {**CONFIGURATION, **flipped}) == expected


def test_security_groups_that_the_spec_leaves_to_others_stay() -> None:
    live = {"awsvpcConfiguration": {"subnets": ["a"], "securityGroups": ["vpc"], "assignPublicIp": "ENABLED"}}
    assert told("networkConfiguration", {"awsvpcConfiguration": {"subnets": ["b"]}}, live) == {
        "awsvpcConfiguration": {"subnets": ["b"], "securityGroups": ["vpc"], "assignPublicIp": "DISABLED"}
    }


def test_what_a_volume_got_from_its_type_stays() -> None:
    live = [{"name": "v", "managedEBSVolume": {"roleArn": "r", "sizeInGiB": 5, "iops": 3000, "encrypted": True}}]
    wanted = [{"name": "v", "managedEBSVolume": {"roleArn": "r", "sizeInGiB": 9}}, {"name": "w"}]
    assert told("volumeConfigurations", wanted, live) == [
        {"name": "v", "managedEBSVolume": {"roleArn": "r", "sizeInGiB": 9, "iops": 3000, "encrypted": True}},
        {"name": "w"},
    ]


def balancer(first: str, second: str, rule: str = "r") -> dict[str, Any]:
    return {
        "containerName": "c", "containerPort": 80, "targetGroupArn": first,
        "advancedConfiguration": {"alternateTargetGroupArn": second, "productionListenerRule": rule},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [
        (balancer("blue", "green", "new"), balancer("green", "blue"), balancer("green", "blue", "new")),
        (balancer("blue", "green", "new"), balancer("blue", "green"), balancer("blue", "green", "new")),
        (balancer("blue", "green"), balancer("green", "red"), balancer("blue", "green")),
    ],
)
def test_target_groups_stay_where_the_last_deployment_left_them(
    wanted: dict[str, Any], live: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Told in the order of the spec, ECS would deploy into the group that serves. Source: Terraform #45678."""
    assert told("loadBalancers", [wanted], [live]) == [expected]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("placementConstraints", []),
        ("placementStrategy", []),
        ("loadBalancers", []),
        ("serviceRegistries", []),
        ("capacityProviderStrategy", []),
        ("volumeConfigurations", []),
        ("vpcLatticeConfigurations", []),
        ("gatewayConnectors", []),
        ("serviceConnectConfiguration", {"enabled": False}),
        ("monitoring", {"metricConfigurations": []}),
        ("networkConfiguration", {}),
        ("propagateTags", "NONE"),
        ("enableExecuteCommand", False),
        ("enableECSManagedTags", False),
        ("healthCheckGracePeriodSeconds", 0),
    ],
)
def test_how_a_member_is_taken_away(name: str, expected: Any) -> None:
    assert told(name, None, "something") == expected


def test_every_member_that_can_be_left_out_says_how_it_is_taken_away() -> None:
    always_said = {"desiredCount", "availabilityZoneRebalancing", "deploymentConfiguration", "platformVersion"}
    silent = {n for n, m in SERVICE_MEMBERS.items() if m.sent in (Sent.UPDATE, Sent.FORCED) and m.cleared is None}
    assert silent == always_said, "said by the renderer, or left to others where the spec says nothing"


PROVIDERS = "capacityProviderStrategy: [{capacityProvider: FARGATE_SPOT, weight: 1}]"
FARGATE = (
    SPEC.replace("  gaudi: {cards: 8}\n", "")
    .replace('cpu: "90000"', "cpu: 1024\n    networkMode: awsvpc\n    requiresCompatibilities: [FARGATE]")
    .replace("700000", "2048")
)
NETWORK = "networkConfiguration: {awsvpcConfiguration: {subnets: [s]}}"


async def test_a_service_comes_back_from_providers_to_its_launch_type_without_being_replaced(hands: Hands) -> None:
    one = rendered(f"{FARGATE}  service: {{launchType: FARGATE, {NETWORK}}}\n")
    await hands.converge(one)
    hands.rest()
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    hands.call("UpdateService", service="bert", capacityProviderStrategy=strategy, forceNewDeployment=True)
    planned = await hands.plan(one)
    assert [(change.field, change.live, change.spec, change.effect) for change in planned.changes] == [
        ("service.launchType", None, "FARGATE", "forced new deployment, rolls 1 task")
    ]
    (step,) = planned.steps
    assert (step.members, step.force_new_deployment) == ({"capacityProviderStrategy": []}, True)  # type: ignore[union-attr]
    await hands.act(one, planned)
    assert (await hands.plan(one)).changes == ()


async def test_providers_are_forced_and_only_they(hands: Hands) -> None:
    await hands.converge(rendered(f"{FARGATE}  service: {{launchType: FARGATE, {NETWORK}}}\n"))
    hands.rest()
    wanted = rendered(f"{FARGATE}  service: {{{PROVIDERS}, {NETWORK}}}\n")
    planned = await hands.plan(wanted)
    update = planned.steps[0]
    assert set(update.members) == {"capacityProviderStrategy"}  # type: ignore[union-attr]
    assert update.force_new_deployment  # type: ignore[union-attr]
    assert {change.effect for change in planned.changes} == {"forced new deployment, rolls 1 task"}
    await hands.act(wanted, planned)
    assert (await hands.plan(wanted)).changes == ()
    other = rendered(f"{FARGATE}  service: {{{PROVIDERS}, propagateTags: SERVICE, {NETWORK}}}\n")
    assert not (await hands.plan(other)).steps[0].force_new_deployment  # type: ignore[union-attr]


@pytest.fixture
def hands() -> Hands:
    return Hands()
