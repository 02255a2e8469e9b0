"""The smoke test of an instance: AWS's own task, and what its end proves."""

import pytest

from controller.core.gaudi.demand import demand_of, host_ports
from controller.core.gaudi.fleet import Fleet
from controller.core.gaudi.instances import instance_of
from controller.core.gaudi.smoke import CONTAINER, GROUP, Due, definition, due, image, pinned, proof, running
from controller.core.gaudi.tasks import live_task
from controller.core.gaudi.version import Version
from controller.core.gaudi.visibility import is_smoke
from controller.core.placement import evaluate
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


def test_an_instance_is_tested_once_at_a_time():
    test = live_task(task("t", "i-1", group=GROUP), definition(Version(1, 11)))
    one = fleet(wire("i-1", habana__synapseai="1.11.0"), tasks=[test])
    assert names(due(one)) == []
    assert running(one.tasks) == (test,)
    over = live_task(task("t", "i-1", group=GROUP, status="STOPPED", desired="STOPPED"), definition(Version(1, 11)))
    assert names(due(fleet(wire("i-1", habana__synapseai="1.11.0"), tasks=[over]))) == [("i-1", "1.11.0")]


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
    assert definition(Version(9, 9)) is None


def test_the_task_takes_no_card_and_runs_beside_a_job():
    one = definition(Version(1, 11))
    assert one["family"] == "dl1-smoke-test-1-11"
    assert is_smoke(one["containerDefinitions"][0])
    assert list(host_ports(one)) == []
    assert demand_of(one).cards == ()


def test_the_task_goes_to_its_instance_only():
    instance = instance_of(wire("i-0123"))
    request = pinned(Due(instance, Version(1, 11)))
    expression = request["placementConstraints"][0]["expression"]
    assert evaluate(expression, instance.facts())
    assert not evaluate(expression, instance_of(wire("i-0456")).facts())
    assert request["group"] == GROUP


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
