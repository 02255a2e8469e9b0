"""The queue against a model without heaps, under any sequence of operations, and with real workers under any timing."""

import asyncio
from collections import defaultdict

import looptime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.runtime.queue import ShutDownError, WorkQueue
from controller.runtime.workers import Next, Workers

KEYS = st.sampled_from("abcd")
DELAYS = st.sampled_from([-1.0, 0.0, 1.0, 5.0, 5.5, 60.0])
PRIORITIES = st.sampled_from([-100, 0, 100])


class QueueMachine(RuleBasedStateMachine):
    """Model: key → [time, priority, place in the line or None]."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=looptime.new_event_loop)
        self.queue = WorkQueue(lambda: 1.0)
        self.model = {}
        self.held = set()
        self.failures = defaultdict(int)
        self.places = 0
        self.closed = False

    def teardown(self):
        self.runner.close()

    def drive(self, function, *args, **kwargs):
        async def call():
            result = function(*args, **kwargs)
            return await result if asyncio.iscoroutine(result) else result

        return self.runner.run(call())

    @property
    def now(self):
        return self.runner.get_loop().time()

    def line_up(self, key):
        self.places += 1
        self.model[key][2] = self.places

    def ripen(self):
        ripe = [key for key, (at, _, place) in self.model.items() if place is None and at <= self.now]
        for key in sorted((key for key in ripe if key not in self.held), key=lambda key: self.model[key][0]):
            self.line_up(key)

    def model_add(self, key, after, priority):
        self.ripen()
        at = self.now + max(after, 0.0)
        old = self.model.pop(key, None)
        self.model[key] = [at, priority, None]
        if old is not None:
            self.model[key] = [min(at, old[0]), max(priority, old[1]), None]
            if self.model[key][:2] == old[:2]:
                self.model[key] = old
        if self.model[key][0] <= self.now and key not in self.held and self.model[key][2] is None:
            self.line_up(key)

    @precondition(lambda self: not self.closed)
    @rule(key=KEYS, after=DELAYS, priority=PRIORITIES)
    def add(self, key, after, priority):
        self.drive(self.queue.add, key, after=after, priority=priority)
        self.model_add(key, after, priority)

    @precondition(lambda self: not self.closed)
    @rule(key=KEYS, priority=PRIORITIES)
    def fail(self, key, priority):
        delay = self.drive(self.queue.add_after_failure, key, priority=priority)
        assert delay == min(2.0 ** self.failures[key], 600.0)
        self.failures[key] += 1
        self.model_add(key, delay, priority)

    @rule(key=KEYS)
    def forget(self, key):
        self.drive(self.queue.forget, key)
        self.failures.pop(key, None)

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.5, 30.0]))
    def wait(self, seconds):
        self.drive(asyncio.sleep, seconds)

    @precondition(lambda self: not self.closed)
    @rule()
    def take(self):
        async def take():
            try:
                async with asyncio.timeout(1e-6):
                    return await self.queue.get()
            except TimeoutError:
                return None

        self.ripen()
        line = [(-priority, place, key) for key, (_, priority, place) in self.model.items() if place is not None]
        found = self.runner.run(take())
        if not line:
            assert found is None
            return
        priority, _, key = min(line)
        assert found == (key, -priority)
        del self.model[key]
        self.held.add(key)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def done(self, data):
        key = data.draw(st.sampled_from(sorted(self.held)))
        self.drive(self.queue.done, key)
        self.held.remove(key)
        self.ripen()

    @precondition(lambda self: len(self.model) > 2)
    @rule()
    def shut_down(self):
        self.drive(self.queue.shut_down)
        self.drive(self.queue.add, "new")
        self.closed = True
        with pytest.raises(ShutDownError):
            self.runner.run(self.queue.get())

    @invariant()
    def same_keys(self):
        assert len(self.queue) == len(self.model)
        assert all(key in self.queue for key in self.model)
        assert self.queue.held == self.held


QueueMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None, derandomize=True)
TestQueueMachine = QueueMachine.TestCase


SCHEDULES = st.lists(
    st.tuples(KEYS, st.integers(0, 40), st.sampled_from([0, 0, 3, 10]), PRIORITIES), min_size=1, max_size=25
)
"""(key, tenth of a second at which it is added, delay, priority)."""


@settings(max_examples=150, deadline=None, derandomize=True)
@given(schedule=SCHEDULES, workers=st.integers(1, 3), durations=st.lists(st.integers(0, 9), min_size=8, max_size=8))
def test_every_addition_is_followed_by_a_run_that_starts_after_it(schedule, workers, durations):
    runs, running, problems, added = defaultdict(list), set(), [], []

    async def reconcile(key):
        loop = asyncio.get_running_loop()
        if key in running:
            problems.append(f"{key} twice at once")
        running.add(key)
        number = len(runs[key])
        runs[key].append(loop.time())
        await asyncio.sleep(durations[(ord(key) + number) % len(durations)] / 10)
        running.discard(key)
        if durations[number % len(durations)] == 9:
            raise RuntimeError("poisoned")
        return Next(after=7.0) if number == 1 else Next()

    async def play():
        loop = asyncio.get_running_loop()
        queue = WorkQueue(lambda: 0.5)
        pool = Workers(queue, reconcile, lambda key, error: None, count=workers, timeout=100)
        working = asyncio.create_task(pool.run())
        for key, at, after, priority in sorted(schedule, key=lambda entry: entry[1]):
            await asyncio.sleep(at / 10 - loop.time())
            queue.add(key, after=after, priority=priority)
            added.append((key, loop.time(), after))
        await asyncio.sleep(100)
        queue.shut_down()
        await working

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(play())
    assert not problems
    for key, at, after in added:
        later = [start for start in runs[key] if start >= at]
        assert later, f"{key}, added at {at}, was never run after"
        assert min(later) <= at + after + 30
