"""What would be refused, never run or never roll is said before anything is sent."""

import pytest

from tests.support import SPEC, findings, rendered


def task(text: str) -> str:
    return SPEC.replace("  taskDefinition:\n", f"  taskDefinition:\n    {text}\n")


def service(text: str) -> str:
    return f"{SPEC}  service: {{{text}}}\n"


def inside(text: str) -> str:
    return SPEC.replace("        image: example.com/bert:1\n", f"        image: example.com/bert:1\n        {text}\n")


SIDECAR = "{name: log, image: i, essential: false, portMappings: [{containerPort: 81}]}"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (SPEC.replace('    memory: "700000"\n', ""), "policy", "has no memory"),
        (inside("memory: 10\n        memoryReservation: 20"), "policy", "below memoryReservation"),
        (inside("essential: false").replace("{cards: 8}", "{cards: 8, container: train}"), "policy", "is essential"),
        (SPEC.replace("example.com/bert:1", "dlc://pytorch/1.11.0"), "bad-value", "the region is not known"),
        (inside("portMappings: [{containerPort: 80, hostPort: 81}]"), "policy", "differs from containerPort"),
        (
            inside("portMappings: [{containerPort: 80}, {containerPort: 80, protocol: udp}, {containerPort: 81}]")
            .replace("- name: train", f"- {SIDECAR}\n      - name: train"),
            "contradiction",
            "host port 81 is used twice",
        ),
        (service("networkConfiguration: {awsvpcConfiguration: {subnets: [a]}}"), "policy", "is for networkMode awsvpc"),
        (
            task("networkMode: awsvpc").replace("{cards: 8}", "{cards: 8, isolation: none}"),
            "policy",
            "needs service.networkConfiguration",
        ),
        (task("placementConstraints: [{type: memberOf, expression: '((('}]"), "policy", "is no placement expression"),
        (
            task("placementConstraints: [{type: memberOf, expression: 'attribute:ecs.instance-type == m5.large'}]"),
            "contradiction",
            "excludes dl1.24xlarge",
        ),
        (
            task(
                "placementConstraints: [{type: memberOf, expression: 'attribute:a == b and"
                " attribute:ecs.os-type == windows'}]"
            ),
            "contradiction",
            "excludes dl1.24xlarge",
        ),
        (service("placementConstraints: [{type: distinctInstance, expression: x}]"), "policy", "takes no expression"),
        (
            service("deploymentConfiguration: {minimumHealthyPercent: 100, maximumPercent: 100}"),
            "rollout-cannot-start",
            "may neither stop one (1 must stay) nor start one (at most 1)",
        ),
        (service("deploymentConfiguration: {minimumHealthyPercent: 50, maximumPercent: 100}"),
         "rollout-cannot-start", "1 must stay"),
        (service("availabilityZoneRebalancing: ENABLED"), "policy", "needs maximumPercent over 100"),
        (service("deploymentController: {type: CODE_DEPLOY}"), "policy", "leaves the service to somebody else"),
        (service("launchType: FARGATE"), "contradiction", "has no Gaudi cards"),
        (service("capacityProviderStrategy: [{capacityProvider: FARGATE_SPOT}]"), "contradiction", "no Gaudi cards"),
        (
            service("launchType: EC2, capacityProviderStrategy: [{capacityProvider: x}]"),
            "contradiction",
            "exclude each other",
        ),
        (SPEC.replace('"90000"', '"98305"'), "out-of-range", "more than a dl1.24xlarge can give"),
        (SPEC.replace('"700000"', '"786432"'), "out-of-range", "more than a dl1.24xlarge can give"),
        (inside("resourceRequirements: [{type: GPU, value: 1}]"), "policy", "registers no GPU"),
        (task("inferenceAccelerators: [{deviceName: a, deviceType: b}]"), "policy", "Elastic Inference"),
        (inside("systemControls: [{namespace: net.core.somaxconn, value: 1}]"), "policy", "networkMode is host"),
        (inside("systemControls: [{namespace: kernel.shmmax, value: 1}]"), "policy", "ipcMode is host"),
        (service("tags: [{key: dl1.ecs/owner, value: me}]"), "policy", "written by this controller only"),
        (service("tags: [{key: 'aws:x', value: me}]"), "policy", "written by AWS only"),
    ],
)  # fmt: skip
def test_refused(text: str, code: str, says: str) -> None:
    found = findings(text)
    assert any(one == code and says in message for one, message, _ in found), found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (service("deploymentConfiguration: {maximumPercent: 200}"), "needs free cards for 1 more"),
        (SPEC.replace("LR: 1e-3", "API_KEY: abcdefgh-12345"), "looks like a secret in plain text"),
    ],
)
def test_warned_but_valid(text: str, says: str) -> None:
    assert rendered(text)
    assert any(says in message for _, message, _ in findings(text))
    assert all("abcdefgh" not in message for _, message, _ in findings(text))


@pytest.mark.parametrize(
    "text",
    [
        SPEC,
        service("schedulingStrategy: DAEMON").replace("  replicas: 1\n", ""),
        SPEC.replace("LR: 1e-3", "SECRET_ARN: arn:aws:secretsmanager:us-east-1:1:secret:x"),
        service("placementConstraints: [{type: distinctInstance}]"),
        task("placementConstraints: [{type: memberOf, expression: 'attribute:ecs.instance-type =~ dl1.*'}]"),
        service("placementConstraints: [{type: memberOf, expression: 'attribute:habana.pool == a'}]"),
        service("placementConstraints: [{type: memberOf, expression: 'runningTasksCount < 3'}]"),
    ],
)
def test_not_a_word_about_what_is_well(text: str) -> None:
    assert findings(text) == []


def test_an_attribute_that_we_do_not_know_excludes_nothing() -> None:
    """Clusters have attributes of their own, and a DL1 may carry any of them."""
    text = service('placementConstraints: [{type: memberOf, expression: "attribute:rack == 7"}]')
    assert findings(text) == []
    elsewhere = text.replace("== 7", "== 7 and attribute:ecs.os-type == windows")
    assert [code for code, _, _ in findings(elsewhere)] == ["contradiction"]
