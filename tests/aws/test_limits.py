"""The limiter: its laws under any schedule, beside a reference bucket and the sandbox's; order; cancellation."""

import asyncio
import itertools
from collections import defaultdict
from fractions import Fraction

import looptime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.aws.api import AnswerError, NoAnswerError
from controller.aws.buckets import BUCKET_OF, BUCKETS, UNLISTED, Bucket
from controller.aws.limits import (
    IN_FLIGHT,
    OLDEST_EVERY,
    SLOWEST,
    Limited,
    Limiter,
    Limits,
    Line,
    Priority,
    priority,
)
from controller.aws.retries import Retried
from controller.sandbox import faults
from controller.sandbox.clocks import LoopClock
from controller.sandbox.faults import Faults
from controller.sandbox.inprocess import InProcess
from controller.sandbox.simulator import Options, Simulator

LAW = settings(max_examples=100, deadline=None, derandomize=True)
SMALL = (Bucket("small", 5, 2), Bucket("slow", 4, 1), Bucket("even", 30, 20))
THROTTLE = AnswerError("DescribeServices", code="ThrottlingException", message="Rate exceeded")


def play(coroutine):
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(coroutine)


def now():
    return asyncio.get_running_loop().time()


class Reference:
    """A token bucket by counting, exact: full at the beginning; filled continuously, or once a second."""

    def __init__(self, bucket, *, ticks=None):
        self.burst, self.refill, self.ticks = Fraction(bucket.burst), Fraction(bucket.refill), ticks
        self.tokens, self.at = self.burst, Fraction(0)

    def take(self, at):
        at = Fraction(at)
        if self.ticks is None:
            steps = at - self.at
            self.tokens = min(self.burst, self.tokens + steps * self.refill)
        else:
            for _ in range((at - self.ticks) // 1 - (self.at - self.ticks) // 1):
                self.tokens = min(self.burst, self.tokens + self.refill)
        self.at = at
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


# Sizes
# ----------------------------------------------------------------------------------------------------------------


def test_the_sandbox_read_the_same_table():
    for operation, bucket in BUCKET_OF.items():
        other = faults.BUCKETS.get(faults.BUCKET_OF.get(operation, ""))
        if other is not None:
            assert (bucket.burst, bucket.refill) == (other.burst, other.refill), operation


def test_no_operation_is_in_two_buckets_and_no_quota_in_two_rows():
    operations = [operation for bucket in BUCKETS for operation in bucket.operations]
    codes = [code for bucket in BUCKETS for code in bucket.quotas]
    assert len(operations) == len(set(operations))
    assert len(codes) == len(set(codes))
    assert all(bucket.burst > bucket.refill + 1 for bucket in (*BUCKETS, UNLISTED))


async def test_what_no_row_names_is_called_slowly():
    limiter = Limiter()
    assert limiter.line("StopServiceDeployment").bucket is UNLISTED
    assert limiter.line("DescribeServices") is limiter.line("ListServices")
    assert limiter.line("DescribeServices") is not limiter.line("UpdateService")


async def test_two_targets_of_one_account_and_region_share_a_limiter():
    limits = Limits(share=0.25)
    limiter = limits.of("123456789012", "us-west-2")
    assert limiter is limits.of("123456789012", "us-west-2")
    assert limiter is not limits.of("123456789012", "us-east-1")
    assert limiter.line("ListServices").rate == 5
    assert limits.states()["123456789012", "us-east-1"] == ()


# The laws
# ----------------------------------------------------------------------------------------------------------------


@st.composite
def schedules(draw):
    """Calls as (tenth of a second at which it is wanted, hundredths that the request takes, and the answer, priority).

    Delays repeat in a short pattern, so that fast, slow and mixed runs are all common.
    """
    times = draw(st.lists(st.sampled_from([0, 0, 0, 1, 5, 10, 25, 60]), min_size=8, max_size=60))
    out = draw(st.lists(st.sampled_from([0, 5, 90, 400]), min_size=1, max_size=3))
    back = draw(st.lists(st.sampled_from([0, 5, 90]), min_size=1, max_size=3))
    urgency = draw(st.lists(st.sampled_from(Priority), min_size=1, max_size=3))
    return list(zip(times, *map(itertools.cycle, (out, back, urgency)), strict=False))


def sent_and_arrived(bucket, share, calls):
    """Play calls through a line; the times at which they are sent and those at which they arrive."""
    sent, arrived = [], []

    async def one(line, at, out, back, urgency):
        await asyncio.sleep(at / 10)
        async with line.turn(urgency):
            sent.append(now())
            await asyncio.sleep(out / 100)
            arrived.append(now())
            await asyncio.sleep(back / 100)

    async def run():
        line = Line(bucket, share)
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(one(line, *call))
        return line

    line = play(run())
    assert len(sent) == line.sent == len(calls)
    return sent, arrived, line


@LAW
@given(bucket=st.sampled_from(SMALL), share=st.sampled_from([1.0, 0.5, 0.1]), calls=schedules())
def test_in_no_window_more_than_burst_and_refill(bucket, share, calls):
    sent, _, _ = sent_and_arrived(bucket, share, calls)
    burst, refill = max(bucket.burst * share, 1), bucket.refill * share
    for (i, first), (j, last) in itertools.combinations_with_replacement(enumerate(sent), 2):
        assert j - i + 1 <= burst + refill * (last - first) + 0.01


@LAW
@given(bucket=st.sampled_from(SMALL), calls=schedules(), phase=st.sampled_from([None, 0, 0.3, 0.999]))
def test_a_bucket_that_is_ours_alone_never_runs_dry_however_late_requests_arrive(bucket, calls, phase):
    """At a share of 1, with any delays, whether AWS fills continuously or once a second at any point of the second."""
    _, arrived, _ = sent_and_arrived(bucket, 1.0, calls)
    reference = Reference(bucket, ticks=None if phase is None else Fraction(phase))
    assert all(reference.take(at) for at in sorted(arrived))


@pytest.mark.parametrize("latency", [0.0, 0.08, 1.0])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.05])
@pytest.mark.parametrize("name", ["service-read", "service-modify", "task-definition-modify"])
def test_the_bucket_is_used_while_there_is_work(name, share, latency):
    (bucket,) = [one for one in BUCKETS if one.name == name]
    wanted = round(bucket.burst * share + bucket.refill * share * 60)

    async def one(line):
        async with line.turn(Priority.WRITE):
            await asyncio.sleep(latency)
            return now() - latency

    async def run():
        line = Line(bucket, share)
        return await asyncio.gather(*(one(line) for _ in range(wanted)))

    took = max(play(run()))
    assert wanted >= 0.9 * (bucket.burst * share + bucket.refill * share * took)


class Order:
    """Who should be next, by searching a list."""

    def __init__(self):
        self.waiting, self.given, self.faults = [], 0, []

    def wait(self, name, urgency):
        self.waiting.append((name, urgency))

    def give(self, name):
        self.given += 1
        best = max(urgency for _, urgency in self.waiting)
        oldest = self.given % OLDEST_EVERY == 0
        wanted = self.waiting[0] if oldest else next(one for one in self.waiting if one[1] == best)
        if wanted[0] != name:
            self.faults.append((self.given, name, wanted))
        self.waiting = [one for one in self.waiting if one[0] != name]


@LAW
@given(arrivals=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(Priority)), min_size=1, max_size=50))
def test_the_most_urgent_goes_first_and_every_eighth_token_to_the_oldest(arrivals):
    order = Order()

    async def one(line, number, at, urgency):
        await asyncio.sleep(at / 10 + number / 10_000)
        order.wait(number, urgency)
        async with line.turn(urgency):
            order.give(number)

    async def run():
        line = Line(Bucket("small", 4, 2), 1.0)
        async with asyncio.TaskGroup() as group:
            for number, arrival in enumerate(arrivals):
                group.create_task(one(line, number, *arrival))

    play(run())
    assert order.waiting == []
    assert order.faults == []


def test_the_lowest_priority_is_served_however_many_higher_ones_come():
    """Urgent calls at twice the rate for ever: the resync behind three older ones is served all the same."""

    async def urgent(line):
        async with line.turn(Priority.ROLLOUT):
            pass

    async def flood(line, group):
        while True:
            group.create_task(urgent(line))
            await asyncio.sleep(0.25)

    async def run():
        line = Line(Bucket("small", 4, 2), 1.0)
        async with asyncio.TaskGroup() as group:
            flooding = group.create_task(flood(line, group))
            await asyncio.sleep(3)
            asked, older = line.sent, line.state().waiting
            async with line.turn(Priority.RESYNC):
                flooding.cancel()
            assert older > 0
            assert line.sent - asked <= OLDEST_EVERY * (older + 1)

    play(run())


async def busy(line, urgency, *, seconds=0.0, log=None):
    async with line.turn(urgency):
        if log is not None:
            log.append(now())
        await asyncio.sleep(seconds)


@LAW
@given(
    calls=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from(Priority), st.none() | st.integers(0, 60)),
        min_size=1,
        max_size=40,
    )
)
def test_a_cancelled_caller_takes_nothing_and_holds_nobody_up(calls):
    """Whoever is not cancelled is served as if the cancelled ones had never waited; the bucket fills up again."""
    log, cancelled = [], defaultdict(bool)

    async def run():
        line = Line(Bucket("small", 4, 2), 1.0)

        async def one(number, at, urgency):
            await asyncio.sleep(at / 10)
            await busy(line, urgency, seconds=0.35, log=log)

        tasks = [asyncio.create_task(one(number, at, urgency)) for number, (at, urgency, _) in enumerate(calls)]
        for task, (_, _, until) in zip(tasks, calls, strict=True):
            if until is not None:
                asyncio.get_running_loop().call_at(until / 10, task.cancel)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        for number, result in enumerate(done):
            cancelled[number] = isinstance(result, asyncio.CancelledError)
        await asyncio.sleep(60)
        return line.state(), line.capacity

    state, capacity = play(run())
    assert all(calls[number][2] is not None for number, was in cancelled.items() if was)
    assert (state.sent, state.waiting, state.in_flight, state.tokens) == (len(log), 0, 0, capacity)
    served = [at for at in log if at <= 60]
    assert len(served) == len(log)
    for (i, first), (j, last) in itertools.combinations_with_replacement(enumerate(sorted(log)), 2):
        assert j - i + 1 <= 4 + 2 * (last - first) + 0.01


@pytest.mark.looptime
async def test_a_token_given_in_the_moment_of_cancellation_comes_back():
    line = Line(Bucket("small", 4, 1), 1.0)
    for _ in range(3):
        await busy(line, Priority.WRITE)
    log = []
    first, second = (asyncio.create_task(busy(line, Priority.WRITE, log=log)) for _ in range(2))
    await asyncio.sleep(0.5)
    line._settle()
    line._tokens = 1.1
    line._serve()
    assert line.state().in_flight == 1  # given to the first, which has not run yet
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    given = now()
    await second
    assert log == [given]
    assert (line.state().sent, line.state().in_flight) == (4, 0)


@pytest.mark.looptime
async def test_calls_in_flight_are_bounded_and_their_answers_let_others_in():
    line = Line(Bucket("large", 1000, 100), 1.0)
    tasks = [asyncio.create_task(busy(line, Priority.WRITE, seconds=5)) for _ in range(IN_FLIGHT + 1)]
    await asyncio.sleep(4)
    assert (line.state().in_flight, line.state().waiting) == (IN_FLIGHT, 1)
    await asyncio.gather(*tasks)
    assert now() == 10


# Throttles
# ----------------------------------------------------------------------------------------------------------------


class Script:
    """An `Api` that answers from a list of errors; afterwards it always answers."""

    def __init__(self, *script):
        self.script = list(script)
        self.calls = []

    async def call(self, operation, params):
        self.calls.append((operation, now()))
        if self.script and (error := self.script.pop(0)) is not None:
            raise error
        return {"n": len(self.calls)}


@pytest.mark.looptime
async def test_a_throttle_empties_the_bucket_and_halves_the_rate():
    api = Script(THROTTLE)
    limiter = Limiter(share=1.0)
    limited = Limited(api, limiter)
    with pytest.raises(AnswerError):
        await limited.call("DescribeServices", {})
    (state,) = limiter.states()
    assert (state.bucket, state.tokens, state.rate, state.throttled) == ("service-read", 0.0, 10.0, 1)
    await limited.call("DescribeServices", {})
    assert api.calls[1][1] == pytest.approx(0.1, abs=0.001)


@pytest.mark.looptime
async def test_a_slowed_line_recovers_by_addition():
    line = Line(Bucket("b", 100, 20), 1.0)
    line.slow_down(now())
    rates = []
    for _ in range(7):
        rates.append(line.state().rate)
        await asyncio.sleep(15)
    assert rates == pytest.approx([10, 12.5, 15, 17.5, 20, 20, 20])


@pytest.mark.looptime
async def test_a_waiting_line_uses_what_it_has_recovered():
    line = Line(Bucket("b", 100, 20), 1.0)
    line.slow_down(now())
    log = []
    await asyncio.gather(*(busy(line, Priority.WRITE, log=log) for _ in range(900)))
    assert max(log) == pytest.approx(60, abs=1.5)  # 10 calls a second at first, 20 after a minute: 900 in it


@pytest.mark.looptime
async def test_many_answers_to_one_overload_halve_once():
    line = Line(Bucket("b", 100, 20), 1.0)

    async def throttled():
        async with line.turn(Priority.WRITE) as since:
            await asyncio.sleep(0.1)
            line.slow_down(since)

    await asyncio.gather(*(throttled() for _ in range(20)))
    assert line.state().rate == pytest.approx(10, rel=0.01)
    await throttled()
    assert line.state().rate == pytest.approx(5, rel=0.02)
    for _ in range(20):
        await throttled()
    assert line.state().rate >= 20 * SLOWEST
    assert line.state().throttled == 41


@pytest.mark.parametrize("code", ["LimitExceededException", "ServerException", "ClientException"])
@pytest.mark.looptime
async def test_a_quota_is_no_throttle_and_neither_is_anything_else(code):
    limiter = Limiter()
    with pytest.raises(AnswerError):
        await Limited(Script(AnswerError("x", code=code, message="no")), limiter).call("RegisterTaskDefinition", {})
    (state,) = limiter.states()
    assert (state.throttled, state.rate) == (0, 0.5)


# Retries
# ----------------------------------------------------------------------------------------------------------------

LOST = NoAnswerError("DescribeServices", "reset", sent=True)
UNSENT = NoAnswerError("DescribeServices", "no route", sent=False)
TROUBLE = AnswerError("DescribeServices", code="ServerException", message="our fault", status=500)
QUOTA = AnswerError("DescribeServices", code="LimitExceededException", message="too many")
DENIED = AnswerError("DescribeServices", code="AccessDeniedException", message="no")


@pytest.mark.parametrize(
    ("error", "attempts"), [(LOST, 3), (UNSENT, 3), (TROUBLE, 3), (THROTTLE, 6), (QUOTA, 1), (DENIED, 1)]
)
@pytest.mark.looptime
async def test_each_attempt_of_a_read_takes_a_token(error, attempts):
    api, limiter = Script(*[error] * 20), Limiter()
    with pytest.raises(type(error)):
        await Retried(Limited(api, limiter), lambda: 0.5).call("DescribeServices", {})
    assert len(api.calls) == limiter.line("DescribeServices").sent == attempts


@pytest.mark.parametrize("error", [LOST, UNSENT, TROUBLE, THROTTLE, QUOTA, DENIED])
@pytest.mark.looptime
async def test_a_write_is_sent_once(error):
    api = Script(error)
    with pytest.raises(type(error)):
        await Retried(Limited(api, Limiter()), lambda: 0.5).call("UpdateService", {})
    assert len(api.calls) == 1


@pytest.mark.looptime
async def test_retries_wait_longer_each_time():
    api = Script(LOST, LOST)
    assert await Retried(api, lambda: 0.5).call("DescribeServices", {}) == {"n": 3}
    assert [at for _, at in api.calls] == [0, 0.5, 1.5]


# Who calls
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_the_priority_is_the_callers_and_goes_with_its_tasks():
    api = Script()
    limited = Limited(api, Limiter(buckets={"DescribeServices": Bucket("b", 4, 1)}, share=1.0))
    done = []

    async def call(name):
        await limited.call("DescribeServices", {})
        done.append(name)

    async def survey():
        with priority(Priority.RESYNC):
            async with asyncio.TaskGroup() as group:
                for number in range(2):
                    group.create_task(call(f"resync {number}"))

    async def watch():
        with priority(Priority.ROLLOUT):
            await call("rollout")

    await asyncio.gather(*(call("burst") for _ in range(3)))
    await asyncio.gather(survey(), call("plain"), watch())
    assert done[3:] == ["rollout", "plain", "resync 0", "resync 1"]


# The sandbox
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("latency", [0.0, 0.08, 0.7])
@pytest.mark.looptime
async def test_the_sandbox_never_throttles_us_at_a_share_of_one(latency):
    """AWS's sizes: 300 services and 30 revisions, made while everything is read again and again."""
    simulator = Simulator(
        now=LoopClock().now(), options=Options(faults=Faults(buckets=faults.BUCKETS, latency=latency))
    )
    limiter = Limiter(share=1.0)
    api = Limited(InProcess(simulator, LoopClock()), limiter)
    container = {"name": "app", "image": "repo/app:1", "memory": 128}

    async def create(number):
        await api.call("CreateService", {"serviceName": f"s{number}", "taskDefinition": "family-0", "desiredCount": 0})

    async def register(number):
        await api.call("RegisterTaskDefinition", {"family": f"family-{number}", "containerDefinitions": [container]})

    async def survey():
        with priority(Priority.RESYNC):
            for _ in range(20):
                await asyncio.gather(*(api.call("DescribeServices", {"services": [f"s{n}"]}) for n in range(40)))
                await asyncio.sleep(3)

    await register(0)
    began = now()
    await asyncio.gather(survey(), *(create(number) for number in range(300)), *(register(n) for n in range(1, 31)))
    states = {state.bucket: state for state in limiter.states()}
    assert sum(state.throttled for state in states.values()) == 0
    assert {name: state.sent for name, state in states.items()} == {
        "service-modify": 300,
        "service-read": 800,
        "task-definition-modify": 31,
    }
    assert now() - began < 120
