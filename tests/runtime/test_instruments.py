"""What the runtime tells about itself: each happening once, with the event loop's seconds."""

import asyncio

import pytest

from controller.runtime.instruments import Outcome, Silent
from controller.runtime.queue import WorkQueue
from controller.runtime.workers import Next, Workers

pytestmark = pytest.mark.looptime


class Notes(Silent):
    """Instruments that write down what they are told."""

    def __init__(self):
        self.said = []

    def added(self):
        self.said.append("added")

    def retried(self):
        self.said.append("retried")

    def taken(self, waited):
        self.said.append(("taken", waited))

    def worked(self, seconds):
        self.said.append(("worked", seconds))

    def reconciled(self, outcome, *, seconds, terminal):
        self.said.append((outcome, seconds, terminal))

    def panicked(self):
        self.said.append("panicked")

    def timed_out(self):
        self.said.append("timed out")


def queue_with_notes():
    notes = Notes()
    return WorkQueue(lambda: 1.0, notes), notes


async def work(queue, reconcile, *, seconds):
    """Run one worker for a while."""
    workers = Workers(queue, reconcile, lambda key, error: None, count=1, timeout=100.0)
    task = asyncio.create_task(workers.run())
    await asyncio.sleep(seconds)
    queue.shut_down()
    await task


async def test_a_key_that_is_queued_already_is_not_added_again():
    queue, notes = queue_with_notes()
    queue.add("a")
    queue.add("a", priority=5)
    queue.add("b", after=10)
    assert notes.said == ["added", "added"]


async def test_the_wait_counts_from_when_the_key_was_ready():
    queue, notes = queue_with_notes()
    queue.add("a", after=10)
    await asyncio.sleep(25)
    await queue.get()
    assert notes.said == ["added", ("taken", pytest.approx(15))]


async def test_work_is_measured_from_hand_to_hand():
    queue, notes = queue_with_notes()
    queue.add("a")
    await queue.get()
    await asyncio.sleep(7)
    assert queue.in_hand() == (pytest.approx(7),)
    queue.done("a")
    assert queue.in_hand() == ()
    assert notes.said[-1] == ("worked", pytest.approx(7))


async def test_the_depth_counts_what_a_worker_could_take_now():
    queue, _ = queue_with_notes()
    queue.add("ready")
    queue.add("urgent", priority=10)
    queue.add("later", after=60)
    await queue.get()
    queue.add("urgent", priority=10)
    assert dict(queue.depth()) == {0: 1}, "a key in a worker's hand waits for no worker"
    queue.done("urgent")
    assert dict(queue.depth()) == {0: 1, 10: 1}


async def test_the_oldest_key_tells_how_late_the_workers_are():
    queue, _ = queue_with_notes()
    assert queue.oldest() == 0.0
    queue.add("later", after=60)
    assert queue.oldest() == 0.0
    queue.add("now")
    await asyncio.sleep(30)
    assert queue.oldest() == pytest.approx(30)


@pytest.mark.parametrize(
    ("wanted", "outcome", "terminal", "retried"),
    [
        (Next(), Outcome.SUCCESS, False, False),
        (Next(after=5000.0), Outcome.REQUEUE_AFTER, False, False),
        (Next(failed=True), Outcome.ERROR, False, True),
        (Next(terminal=True), Outcome.ERROR, True, False),
        (Next(after=5000.0, refused=True), Outcome.ERROR, False, False),
    ],
)
async def test_how_a_reconciliation_ends(wanted, outcome, terminal, retried):
    queue, notes = queue_with_notes()

    async def reconcile(_):
        await asyncio.sleep(3)
        return wanted

    queue.add("a")
    await work(queue, reconcile, seconds=3.5)
    assert (outcome, pytest.approx(3), terminal) in notes.said
    assert ("retried" in notes.said) is retried


async def test_a_panic_and_a_timeout_are_told_apart_and_both_are_errors():
    queue, notes = queue_with_notes()

    async def reconcile(key):
        if key == "slow":
            await asyncio.sleep(500)
        raise RuntimeError(key)

    queue.add("poison")
    queue.add("slow")
    await work(queue, reconcile, seconds=100.5)
    said = [one for one in notes.said if isinstance(one, str) and one not in ("added", "retried")]
    assert said.count("timed out") == 1
    assert said.count("panicked") >= 1
    assert {one[0] for one in notes.said if one[0] in tuple(Outcome)} == {Outcome.ERROR}
