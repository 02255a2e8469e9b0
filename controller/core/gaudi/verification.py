"""What comes next about an instance that has to prove its cards: test, wait, believe the proof, or say what is wrong.

Everything follows from what ECS knows, so any controller can take over at any moment: running tests are listed, ended
ones are kept by ECS for an hour, the attempt stands in `startedBy`. A test that failed is repeated with pauses that
stay under that hour. A draining instance is not tested. Neighbours: `smoke` (the task, and what its end proves); who
asks ECS and acts is `app.smoke`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.core.gaudi.ports import token_ports
from controller.core.gaudi.smoke import GROUP, Due, Proof, attempt_of, proof
from controller.core.tasks import Task

LONGEST: Final = 1800.0
"""Seconds that a test may take: an image of some 8 GB is pulled first."""
FIRST_PAUSE: Final = 300.0
LONGEST_PAUSE: Final = 2400.0
"""Seconds between a failed test and the next one: twice as long each time, and under the hour for which ECS remembers a
stopped task, so that the attempts can be counted."""


@dataclass(frozen=True, slots=True)
class Run:
    """Run a test."""

    attempt: int
    previous: str | None
    """ARN of the test before it, as far as ECS remembers one."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again later; `why` is half a sentence about the instance."""

    why: str


@dataclass(frozen=True, slots=True)
class Believe:
    """The test has passed: let the instance say so."""

    task: str
    """ARN of the test."""
    proof: Proof


@dataclass(frozen=True, slots=True)
class Failed:
    """The test has failed, and the next one comes later."""

    proof: Proof
    attempt: int
    again_at: float
    """Epoch seconds."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The test does not come to its end."""

    task: str


Next: TypeAlias = Run | Wait | Believe | Failed | Stop


def following(
    one: Due, tasks: Iterable[Task], *, now: float, port_base: int, believed: Collection[str] = frozenset()
) -> Next:
    """What comes next about an instance.

    `tasks` are those of the test's family in the cluster, running and ended; `believed` the ARNs of tests whose proof
    was already put on an instance: where it is not there any more, somebody wants it proved anew.
    """
    mine = sorted(
        (task for task in tasks if task.group == GROUP and task.instance == one.instance.arn),
        key=lambda task: task.created_at,
    )
    open_ = [task for task in mine if not task.stopped]
    if open_:
        hangs = next((task for task in open_ if not task.ending and now - task.created_at > LONGEST), None)
        return Stop(hangs.arn) if hangs is not None else Wait("is being tested")
    if not mine:
        return _tested(one, Run(1, None), port_base)
    newest = mine[-1]
    attempt = attempt_of(newest.started_by)
    found = proof(newest.wire, one.version)
    if found is not None and found.passed and newest.arn not in believed:
        return Believe(newest.arn, found)
    if found is not None and not found.passed:
        again = (newest.stopped_at or newest.created_at) + pause(attempt)
        if now < again:
            return Failed(found, attempt, again)
    return _tested(one, Run(attempt + 1, newest.arn), port_base)


def pause(attempt: int) -> float:
    """Seconds between the end of a failed attempt and the next one."""
    return float(min(FIRST_PAUSE * 2 ** (min(attempt, 9) - 1), LONGEST_PAUSE))


def _tested(one: Due, test: Run, port_base: int) -> Next:
    taken = one.instance.remaining.tcp.intersection(token_ports(port_base))
    return Wait("is tested as soon as no task holds its cards") if taken else test
