"""Bugs that somebody could make, put in on purpose: the sweep must notice each, or it proves nothing."""

import asyncio
from typing import Any

import pytest

from controller.aws.ecs import EcsReader
from controller.aws.lease.lease import Lease
from controller.core import plan
from controller.core.live import Observation
from controller.core.ownership import OWNER
from controller.reconcile import reconciler
from controller.sandbox.inprocess import InProcess
from tests.acceptance.test_two_daemons import who_writes_after_a_stall
from tests.faults.scenarios import prepared
from tests.faults.test_sweep import check, singles, undisturbed
from tests.faults.world import World


def caught(name: str, monkeypatch: pytest.MonkeyPatch, target: object, attribute: str, bug: object) -> bool:
    """Whether some fault of a scenario shows the bug."""
    clean, wanted = undisturbed(name)
    trials = list(singles(name))
    with monkeypatch.context() as patch:
        patch.setattr(target, attribute, bug)
        for faults in ({}, *trials):
            try:
                check(name, faults, clean=clean, wanted=wanted)
            except AssertionError:
                return True
    return False


@pytest.mark.parametrize("name", ["create", "spec change", "live edit"])
def test_a_forgotten_dedupe_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert caught(name, monkeypatch, plan, "_equal", lambda register, observation: None)


def test_a_rollback_that_is_not_remembered_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert caught("rollback", monkeypatch, plan, "rolled_back", lambda observation, wanted, live: None)


def take_over(world: World) -> None:
    """Another controller makes the service its own."""
    service = world.service("bert")
    if service is not None:
        world.call("TagResource", resourceArn=service["serviceArn"], tags=[{"key": OWNER, "value": "another"}])


def live_read(world: World) -> int:
    """The last look at the service before the first write to it."""
    written = world.calls.index("UpdateService")
    return max(number for number in range(written) if world.calls[number] == "DescribeServices")


def wronged(number: int) -> bool:
    """Whether a service that another controller takes over just before a call is written to all the same."""
    world = prepared("delete").fork({}, {number: take_over})
    world.run()
    return world.writes > 0


def test_a_service_that_somebody_takes_over_is_left_alone() -> None:
    clean, _ = undisturbed("delete")
    assert [number for number in range(live_read(clean) + 1) if wronged(number)] == []


def test_a_delete_without_a_live_read_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    clean, _ = undisturbed("delete")
    number = live_read(clean)
    before = prepared("delete").fork({})
    seen = asyncio.run(reconciler.observe(EcsReader(InProcess(before.simulator, before.clock)), "default", "bert"))

    async def remembered(ecs: Any, cluster: str, name: str, *, count: int | None = None) -> Observation:
        """What the survey has seen, instead of what is."""
        return seen

    monkeypatch.setattr(reconciler, "observe", remembered)
    assert wronged(number)


@pytest.mark.looptime
async def test_a_write_without_a_lease_check_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "check", lambda self: None)
    assert await who_writes_after_a_stall(monkeypatch) == ["p1", "p2", "p1"]
