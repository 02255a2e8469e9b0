"""Every fault at every call of every scenario, against the undisturbed run.

Asserted each time: the same end state, as many creations and deletions, every service owned, and the sandbox's own
consistency after every call. One fault never costs a second revision; two can, because RegisterTaskDefinition has no
token: a lost reply and then a stale list look like no registration at all. Pairs of faults run at night; a slice of
them, spread evenly, runs every time.
"""

import itertools
from collections.abc import Iterator, Mapping

import pytest

from tests.faults.scenarios import SCENARIOS, prepared
from tests.faults.world import End, Fault, World, revisions

PAIRED = ("create", "spec change", "delete")
SLICE = 151
"""Of the pairs every 151st runs each time: a prime, so that it walks through all kinds and calls."""


def undisturbed(name: str) -> tuple[World, End]:
    world = prepared(name).fork({})
    return world, End.of(world, world.run())


def check(name: str, faults: Mapping[int, Fault], *, clean: World, wanted: End) -> None:
    world = prepared(name).fork(faults)
    end = End.of(world, world.run())
    assert end == wanted, (name, faults)
    assert revisions(world) <= revisions(clean) + len(faults) // 2, (name, faults)
    assert all(service["owned"] for service in end.services.values()), (name, faults)


def singles(name: str) -> Iterator[dict[int, Fault]]:
    world, _ = undisturbed(name)
    for number in range(len(world.calls)):
        for fault in Fault:
            yield {number: fault}


def pairs(name: str) -> Iterator[dict[int, Fault]]:
    world, _ = undisturbed(name)
    # A fault makes the run longer: the second one may hit a call that the undisturbed run does not have.
    numbers = range(len(world.calls) + 6)
    for first, second in itertools.combinations(numbers, 2):
        for one, other in itertools.product(Fault, repeat=2):
            yield {first: one, second: other}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_undisturbed_run_arrives(name: str) -> None:
    world, end = undisturbed(name)
    assert end.in_sync
    assert world.writes > 0
    again = world.fork({})
    again.run()
    assert again.writes == 0, "and stays there"


@pytest.mark.parametrize("name", SCENARIOS)
def test_one_fault_anywhere_changes_nothing_in_the_end(name: str) -> None:
    clean, wanted = undisturbed(name)
    for faults in singles(name):
        check(name, faults, clean=clean, wanted=wanted)


@pytest.mark.parametrize("name", PAIRED)
def test_two_faults_change_nothing_in_the_end(name: str) -> None:
    clean, wanted = undisturbed(name)
    for faults in itertools.islice(pairs(name), 0, None, SLICE):
        check(name, faults, clean=clean, wanted=wanted)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", PAIRED)
def test_all_pairs_of_faults_change_nothing_in_the_end(name: str) -> None:
    clean, wanted = undisturbed(name)
    for faults in pairs(name):
        check(name, faults, clean=clean, wanted=wanted)
