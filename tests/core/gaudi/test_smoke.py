"""The smoke test of an instance: AWS's own task, and what its end proves."""

import pytest

from controller.core.gaudi.cards import DEFAULT_PORT_BASE
from controller.core.gaudi.demand import demand_of, host_ports
from controller.core.gaudi.fleet import Fleet
from controller.core.gaudi.instances import instance_of
from controller.core.gaudi.ports import token_ports
from controller.core.gaudi.smoke import (
    CONTAINER,
    GROUP,
    Due,
    attempt_of,
    definition,
    due,
    image,
    pinned,
    proof,
    token,
)
from controller.core.gaudi.verification import (
    LONGEST,
    LONGEST_PAUSE,
    Believe,
    Failed,
    Run,
    Stop,
    Wait,
    following,
    pause,
)
from controller.core.gaudi.version import Version
from controller.core.gaudi.visibility import is_smoke
from controller.core.placement import evaluate
from controller.core.tasks import Task
from controller.reasons import Reason
from tests.core.gaudi.test_fleet import task, wire


def fleet(*instances, tasks=()):
    return Fleet(tuple(map(instance_of, instances)), tuple(tasks))


def names(found):
    return [(one.instance.short, str(one.version)) for one in found]


def test_which_instances_have_to_prove_their_cards():
    found = due(
        fleet(
            wire("i-new", habana__synapseai="1.11.0"),
            wire("i-proved", habana__synapseai="1.11.0", habana__verified="1.11.0"),
            wire("i-upgraded", habana__synapseai="1.12.0", habana__verified="1.11.0"),
            wire("i-unknown"),
            wire("i-draining", habana__synapseai="1.11.0", status="DRAINING"),
            wire("i-away", habana__synapseai="1.11.0", connected=False),
            wire("i-other", kind="m5.2xlarge", habana__synapseai="1.11.0"),
        )
    )
    assert names(found) == [("i-new", "1.11.0"), ("i-upgraded", "1.12.0")]


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("1.1.0", "1.1.0/ubuntu20.04/habanalabs/tensorflow-installer-tf-cpu-2.6.0:1.1.0-614"),
        ("1.11.0", "1.11.0/ubuntu20.04/habanalabs/tensorflow-installer-tf-cpu-2.12.1:1.11.0-587"),
        ("1.18.0", "1.18.0/ubuntu22.04/habanalabs/pytorch-installer-2.4.0:1.18.0-524"),
        ("1.4.7", "1.4.1/ubuntu20.04/habanalabs/tensorflow-installer-tf-cpu-2.8.0:1.4.1-11"),
    ],
)
def test_the_image_is_of_the_drivers_release(version, name):
    """For 1.1.0 it is the image that AWS's page names."""
    assert image(Version.read(version)) == f"vault.habana.ai/gaudi-docker/{name}"


def test_there_is_no_test_for_a_release_that_nobody_knows():
    assert image(Version(9, 9)) is None
    assert definition(Version(9, 9), port_base=DEFAULT_PORT_BASE) is None
    own = definition(Version(9, 9), port_base=DEFAULT_PORT_BASE, image_of="example.com/gaudi:{synapseai}")
    assert own["containerDefinitions"][0]["image"] == "example.com/gaudi:9.9.0"


def test_the_task_opens_no_card_and_holds_the_ports_of_all():
    one = definition(Version(1, 11), port_base=18_200)
    assert one["family"] == "dl1-smoke-test-1-11"
    assert is_smoke(one["containerDefinitions"][0])
    assert {port.port for port in host_ports(one)} == set(token_ports(18_200))
    assert demand_of(one).cards == ()


def test_the_task_goes_to_its_instance_only():
    instance = instance_of(wire("i-0123"))
    request = pinned(Due(instance, Version(1, 11)), attempt=3)
    expression = request["placementConstraints"][0]["expression"]
    assert evaluate(expression, instance.facts())
    assert not evaluate(expression, instance_of(wire("i-0456")).facts())
    assert request["group"] == GROUP
    assert attempt_of(request["startedBy"]) == 3
    assert [attempt_of(text) for text in ("somebody", "dl1-smoke-test/x", "")] == [1, 1, 1]


def test_the_token_is_another_one_after_each_test_and_each_refusal_and_on_each_instance():
    one, other = (Due(instance_of(wire(name)), Version(1, 11)) for name in ("i-1", "i-2"))
    tokens = [
        token(one, previous=None, refused=0),
        token(one, previous=None, refused=1),
        token(one, previous="arn:t", refused=0),
        token(other, previous=None, refused=0),
        token(Due(one.instance, Version(1, 12)), previous=None, refused=0),
    ]
    assert len(set(tokens)) == 5
    assert token(Due(one.instance, Version(1, 11, 3)), previous=None, refused=0) == tokens[0]
    assert all(0 < len(text) <= 64 for text in tokens)


def stopped(code=None, **members):
    containers = [{"name": CONTAINER} | ({} if code is None else {"exitCode": code})]
    return task("t", "i-1", group=GROUP, status="STOPPED", desired="STOPPED") | {"containers": containers} | members


def test_eight_cards_are_a_proof():
    found = proof(stopped(0), Version(1, 11))
    assert (found.passed, found.reason) == (True, Reason.HEALTHY)
    assert found.attribute == {
        "name": "habana.verified",
        "value": "1.11.0",
        "targetType": "container-instance",
        "targetId": found.instance,
    }


def test_fewer_are_a_broken_instance():
    """Setup_and_Install #1: the host shows fewer than eight cards."""
    found = proof(stopped(1), Version(1, 11))
    assert (found.passed, found.reason, found.attribute) == (False, Reason.CARD_BROKEN, None)
    assert "drain the instance" in found.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CannotStartContainerError: Unknown runtime specified habana", Reason.RUNTIME_MISSING),
        ("CannotPullContainerError: manifest unknown", Reason.IMAGE_NOT_FOUND),
        ("something new", Reason.CANNOT_START),
    ],
)
def test_a_test_that_never_ran_says_why(text, reason):
    found = proof(stopped(stopCode="TaskFailedToStart", stoppedReason=text), Version(1, 11))
    assert (found.passed, found.reason) == (False, reason)


def test_what_runs_proves_nothing():
    assert proof(task("t", "i-1", group=GROUP), Version(1, 11)) is None


def test_what_nobody_can_explain_is_told_as_ecs_tells_it():
    found = proof(stopped(143, stopCode="UserInitiated", stoppedReason="Task stopped by user"), Version(1, 11))
    assert (found.passed, found.message) == (False, "it ended before it could count: Task stopped by user")


# What comes next -----------------------------------------------------------------------------------------------------

NOW = 1_700_010_000.0
NEW = Due(instance_of(wire("i-1", habana__synapseai="1.11.0")), Version(1, 11))


def a_test(name="t", code=None, *, at=NOW - 60, attempt=1, where="i-1", group=GROUP, **members):
    over = code is not None or "stopCode" in members
    one = task(name, where, group=group, status="STOPPED" if over else "RUNNING") | members
    one |= {"createdAt": at, "startedBy": f"dl1-smoke-test/{attempt}"}
    one |= {"containers": [{"name": CONTAINER} | ({} if code is None else {"exitCode": code})]}
    return Task(one | ({"stoppedAt": at} if over else {}))


def then(*tasks, one=NEW, **more):
    return following(one, tasks, now=NOW, port_base=DEFAULT_PORT_BASE, **more)


def test_a_new_instance_is_tested_unless_somebody_has_its_cards():
    assert then() == Run(1, None)
    busy = wire("i-1", habana__synapseai="1.11.0")
    busy["remainingResources"][2] = {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22", "18103"]}
    assert isinstance(then(one=Due(instance_of(busy), Version(1, 11))), Wait)


def test_tests_of_others_are_no_tests_of_this_instance():
    assert then(a_test(code=1, where="i-2"), a_test(code=1, group="family:dl1-smoke-test-1-11")) == Run(1, None)


def test_an_instance_is_tested_once_at_a_time():
    assert isinstance(then(a_test()), Wait)
    assert isinstance(then(a_test(desiredStatus="STOPPED", at=0)), Wait)


def test_what_does_not_come_to_its_end_is_stopped():
    assert isinstance(then(a_test(at=NOW - LONGEST + 1)), Wait)
    assert then(a_test(at=NOW - LONGEST - 1)) == Stop(a_test().arn)


def test_a_proof_is_believed_once():
    passed = a_test(code=0)
    found = then(passed)
    assert isinstance(found, Believe)
    assert found.task == passed.arn
    assert then(passed, believed={passed.arn}) == Run(2, passed.arn)


def test_a_test_that_failed_is_repeated_with_longer_and_longer_pauses_that_ecs_remembers():
    failed = a_test(code=1, attempt=2, at=NOW - 60)
    found = then(a_test("older", code=1, attempt=1, at=NOW - 900), failed)
    assert isinstance(found, Failed)
    assert (found.attempt, found.again_at) == (2, NOW - 60 + 600)
    late = a_test(code=1, attempt=2, at=NOW - 601)
    assert then(late) == Run(3, late.arn)
    assert [pause(attempt) for attempt in (1, 2, 3, 4, 100_000)] == [300, 600, 1200, 2400, 2400]
    assert LONGEST_PAUSE + 60 < 3600
