"""The lease in an event loop: getting, keeping, losing and giving it back, under virtual time."""

import asyncio
import itertools
import random

import pytest

from controller.aws.api import AnswerError
from controller.aws.lease.candidate import REMEMBERED, Candidate
from controller.aws.lease.fence import Fenced
from controller.aws.lease.lease import Lease, LeaseLost, boottime, candidate
from controller.aws.lease.record import NOBODY, Record, Stored, shard
from controller.aws.lease.terms import LeaseSettings, Terms
from controller.errors import Denied, Stalled, Transient
from controller.reasons import Reason
from tests.aws.leases import MemoryStore

pytestmark = pytest.mark.looptime

TERMS = Terms()
VERSIONS = itertools.count(1)


def now():
    return asyncio.get_running_loop().time()


class Network:
    """The way of one process to a store: delays, errors, lost answers."""

    def __init__(self, store, *, delay=0.02):
        self.store = store
        self.delay = delay
        self.script = []
        self.calls = []

    async def read(self):
        return await self._go("read", lambda: self.store.stored)

    async def write(self, write):
        return await self._go("release" if write.new.holder == NOBODY else "write", lambda: self.store.apply(write))

    async def _go(self, kind, action):
        self.calls.append((kind, now()))
        fate = self.script.pop(0) if self.script else None
        if isinstance(fate, Exception):
            raise fate
        await asyncio.sleep(self.delay)
        answer = action()
        if fate == "lost":
            await asyncio.sleep(1000)
        return answer


class Notes:
    """A watcher that writes down what it is told, and when."""

    def __init__(self):
        self.said = []

    def __getattr__(self, name):
        return lambda *args: self.said.append((name, *args))

    @property
    def names(self):
        return [name for name, *_ in self.said]


class Clock:
    """The loop's time, and jumps of it."""

    def __init__(self):
        self.ahead = 0.0

    def __call__(self):
        return now() + self.ahead


def lease_of(store, name="a", *, delay=0.02, terms=TERMS):
    one = Candidate(name, terms, lambda: f"v{next(VERSIONS)}", info=f"host {name}")
    return Lease(Network(store, delay=delay), one, lambda: 0.5, Clock(), Notes())


# Getting it
# ----------------------------------------------------------------------------------------------------------------


async def test_a_free_lease_is_taken_at_once():
    store = MemoryStore()
    lease = lease_of(store)
    with pytest.raises(LeaseLost):
        lease.check()
    await lease.acquire()
    lease.check()
    assert lease.held
    assert now() == pytest.approx(0.04)
    assert store.stored.record == Record("a", store.stored.tag, 15.0, 0, "host a")
    assert lease.watcher.said == [("acquired", 0)]


@pytest.mark.parametrize("like", ["dynamodb", "s3"])
async def test_one_that_was_given_back_is_taken_at_once(like):
    store = MemoryStore(like)
    first, second = lease_of(store), lease_of(store, "b")
    await first.acquire()
    await first.release()
    assert not first.held
    began = now()
    await second.acquire()
    assert now() - began < 0.1
    assert second.watcher.said == [("acquired", 1)]


@pytest.mark.parametrize("like", ["dynamodb", "s3"])
async def test_a_standby_takes_over_from_a_dead_holder_within_30_seconds(like):
    store = MemoryStore(like)
    holder, standby = lease_of(store), lease_of(store, "b")
    await holder.acquire()
    waiting = asyncio.create_task(standby.acquire())
    keeping = asyncio.create_task(holder.keep())
    await asyncio.sleep(60)
    assert not waiting.done()
    assert standby.watcher.said == [("waiting", "a")]
    keeping.cancel()
    died = now()
    await waiting
    assert TERMS.duration <= now() - died + TERMS.retry * 1.2
    assert now() - died <= 30
    assert not holder.held
    assert standby.candidate.transitions == 1


async def test_the_longer_duration_counts_where_two_are_configured():
    store = MemoryStore()
    slow, fast = lease_of(store, terms=Terms(duration=60, deadline=50, retry=5)), lease_of(store, "b")
    await slow.acquire()
    await fast.acquire()
    assert 60 <= now() <= 64


async def test_of_many_candidates_one_gets_it():
    store = MemoryStore()
    leases = [lease_of(store, str(number)) for number in range(5)]
    tasks = [asyncio.create_task(lease.acquire()) for lease in leases]
    await asyncio.sleep(1)
    assert [lease.held for lease in leases].count(True) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_store_that_fails_is_asked_again():
    lease = lease_of(MemoryStore())
    lease.store.script = [Transient("no route", reason=Reason.UNREACHABLE), "lost"]
    await lease.acquire()
    assert lease.watcher.names == ["failed", "waiting", "failed", "acquired"]
    assert lease.watcher.said[2][1].reason is Reason.TIMED_OUT


@pytest.mark.parametrize("error", [Denied("no"), Stalled("no such table")])
async def test_a_store_that_can_never_work_is_an_error_at_once(error):
    lease = lease_of(MemoryStore())
    lease.store.script = [error]
    with pytest.raises(type(error)):
        await lease.acquire()


async def test_a_claim_whose_answer_was_lost_is_recognised():
    store = MemoryStore()
    lease = lease_of(store)
    lease.store.script = [None, "lost"]
    await lease.acquire()
    writes = [at for kind, at in lease.store.calls if kind == "write"]
    assert len(writes) == 1
    assert lease.candidate.until == pytest.approx(writes[0] + TERMS.deadline)  # and not from when it was found
    assert store.stored.record.transitions == 0


async def test_a_claim_of_long_ago_is_renewed_before_it_counts():
    store = MemoryStore()
    lease = lease_of(store)
    lease.store.script = [None, "lost", Transient("cut"), Transient("cut")]
    lease.store.delay = 4.9
    await lease.acquire()
    assert lease.held
    kinds = [kind for kind, _ in lease.store.calls]
    assert kinds[-2:] == ["read", "write"]
    assert lease.candidate.until == pytest.approx(lease.store.calls[-1][1] + TERMS.deadline)


async def test_nothing_is_remembered_without_end():
    one = lease_of(MemoryStore()).candidate
    for number in range(100):
        one.claim(float(number))
    assert len(one._sent) == REMEMBERED


# Keeping it
# ----------------------------------------------------------------------------------------------------------------


async def test_a_holder_renews_every_two_seconds_and_keeps_it_for_days():
    store = MemoryStore()
    lease = lease_of(store)
    await lease.acquire()
    keeping = asyncio.create_task(lease.keep())
    for _ in range(500):
        await asyncio.sleep(7.3)
        lease.check()
    keeping.cancel()
    assert len(lease.store.calls) == pytest.approx(500 * 7.3 / (TERMS.retry * 1.1 + 0.02), rel=0.01)
    assert store.stored.record.transitions == 0


async def test_a_renewal_whose_answer_was_lost_did_succeed():
    store = MemoryStore()
    lease = lease_of(store)
    await lease.acquire()
    keeping = asyncio.create_task(lease.keep())
    lease.store.script = ["lost"]
    await asyncio.sleep(30)
    assert lease.held
    assert not keeping.done()
    assert lease.watcher.names == ["acquired", "failed"]
    keeping.cancel()


async def test_validity_counts_from_before_the_request():
    lease = lease_of(MemoryStore(), delay=2.0)
    await lease.acquire()
    sent = lease.store.calls[-1][1]
    assert now() == sent + 2
    await asyncio.sleep(sent + TERMS.deadline - 0.01 - now())
    lease.check()
    await asyncio.sleep(0.01)
    with pytest.raises(LeaseLost) as caught:
        lease.check()
    assert caught.value.reason is Reason.LEASE_LOST


async def test_a_holder_that_cannot_renew_stops_at_the_deadline():
    lease = lease_of(MemoryStore())
    await lease.acquire()
    sent = lease.store.calls[-1][1]
    lease.store.script = [Transient("cut", reason=Reason.UNREACHABLE)] * 100
    with pytest.raises(LeaseLost, match="not renewed within 10 s"):
        await lease.keep()
    assert now() == pytest.approx(sent + TERMS.deadline)
    assert not lease.held
    assert lease.watcher.names[-1] == "lost"


async def test_a_request_that_hangs_does_not_cost_the_lease():
    lease = lease_of(MemoryStore())
    await lease.acquire()
    lease.store.script = ["lost"]
    keeping = asyncio.create_task(lease.keep())
    for _ in range(100):
        await asyncio.sleep(0.5)
        lease.check()
    keeping.cancel()


async def test_who_was_overtaken_knows_by_the_next_renewal():
    store = MemoryStore()
    lease = lease_of(store)
    await lease.acquire()
    store.stored = Stored(Record("b", "theirs", 15.0, 1), "theirs")
    with pytest.raises(LeaseLost, match="b has it"):
        await lease.keep()
    assert now() < 3
    assert not lease.held


async def test_a_lease_that_somebody_deleted_is_lost():
    store = MemoryStore()
    lease = lease_of(store)
    await lease.acquire()
    store.stored = None
    with pytest.raises(LeaseLost, match="somebody has it"):
        await lease.keep()


async def test_a_loop_that_was_blocked_may_not_write_when_it_wakes():
    """A long computation, a machine that was suspended: the clock went on and nothing was renewed."""
    lease = lease_of(MemoryStore())
    await lease.acquire()
    keeping = asyncio.create_task(lease.keep())
    await asyncio.sleep(5)
    lease.check()
    lease.clock.ahead += 11
    with pytest.raises(LeaseLost):
        lease.check()
    calls = len(lease.store.calls)
    with pytest.raises(LeaseLost, match="not renewed"):
        await keeping
    assert len(lease.store.calls) == calls


def test_the_clock_goes_on_while_the_machine_sleeps():
    first = boottime()
    assert boottime() >= first > 0


def test_no_two_processes_have_one_name():
    first, second = candidate(TERMS), candidate(TERMS)
    assert first.name != second.name
    assert first.new_version() != first.new_version()
    assert "process" in first.info


# Working under it
# ----------------------------------------------------------------------------------------------------------------


async def test_work_is_done_while_it_is_held_and_it_is_given_back_last():
    store = MemoryStore()
    lease = lease_of(store)
    seen = []

    async def work():
        await asyncio.sleep(60)
        lease.check()
        seen.append(store.stored.record.holder)
        return 7

    assert await lease.during(work) == 7
    assert seen == ["a"]
    assert store.stored.record.holder == NOBODY
    assert lease.watcher.names == ["acquired", "released"]
    with pytest.raises(LeaseLost):
        lease.check()


async def test_work_is_cancelled_when_the_lease_is_lost():
    store = MemoryStore()
    lease = lease_of(store)
    stopped = []

    async def work():
        store.stored = Stored(Record("b", "theirs", 15.0, 1), "theirs")
        try:
            await asyncio.sleep(1000)
        finally:
            stopped.append(now())

    with pytest.raises(LeaseLost):
        await lease.during(work)
    assert stopped[0] < 3
    assert store.stored.record.holder == "b"


async def test_an_error_of_the_work_is_the_works_own_and_the_lease_is_given_back():
    store = MemoryStore()
    lease = lease_of(store)

    async def work():
        await asyncio.sleep(3)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await lease.during(work)
    assert store.stored.record.holder == NOBODY


async def test_a_cancelled_holder_gives_it_back():
    store = MemoryStore()
    lease = lease_of(store)
    running = asyncio.create_task(lease.during(lambda: asyncio.sleep(1000)))
    await asyncio.sleep(5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert store.stored.record.holder == NOBODY


async def test_a_cancelled_standby_leaves_the_lease_alone():
    store = MemoryStore()
    holder, standby = lease_of(store), lease_of(store, "b")
    await holder.acquire()
    waiting = asyncio.create_task(standby.during(lambda: asyncio.sleep(1000)))
    await asyncio.sleep(5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert store.stored.record.holder == "a"
    assert {kind for kind, _ in standby.store.calls} == {"read"}


async def test_it_is_given_back_also_where_the_last_renewal_was_broken_off_before_its_answer():
    store = MemoryStore()
    lease = lease_of(store)

    async def work():
        lease.store.script = ["lost"]
        await asyncio.sleep(3)  # the renewal has happened, and its answer is still on its way

    await lease.during(work)
    assert store.stored.record.holder == NOBODY
    assert [kind for kind, _ in lease.store.calls[-3:]] == ["write", "release", "release"]
    assert lease.watcher.names[-1] == "released"


async def test_what_another_has_taken_is_not_called_given_back():
    store = MemoryStore()
    lease = lease_of(store)

    async def work():
        store.stored = Stored(Record("b", "v", 15.0), "v")

    await lease.during(work)
    assert store.stored.record.holder == "b"
    assert "released" not in lease.watcher.names


async def test_a_release_that_fails_is_told_and_hurts_nobody():
    lease = lease_of(MemoryStore())
    await lease.acquire()
    lease.store.script = [Transient("cut")]
    await lease.release()
    assert not lease.held
    assert lease.watcher.names == ["acquired", "failed"]
    await lease.release()
    assert lease.watcher.names == ["acquired", "failed"]


async def test_fifty_holders_die_at_random_and_no_two_ever_write():
    """kill -9 of the holder, again and again: there is always one writer soon, and never two."""
    store, chance = MemoryStore(), random.Random(7)
    writes, names = [], itertools.count(1)

    async def controller(lease):
        async def work():
            while True:
                lease.check()
                writes.append((now(), lease.candidate.name))
                await asyncio.sleep(0.1)

        await lease.during(work)

    def born():
        lease = lease_of(store, f"p{next(names)}")
        return asyncio.create_task(controller(lease)), lease

    async def holder(alive):
        while not any(lease.held for _, lease in alive):  # noqa: ASYNC110 - a lease says nothing when it is held
            await asyncio.sleep(0.1)

    alive = [born(), born()]
    died, gaps = [], []
    for _ in range(50):
        await asyncio.sleep(chance.uniform(1, 60))
        await asyncio.wait_for(holder(alive), 30)
        (victim,) = [pair for pair in alive if pair[1].held]
        victim[1].store.script = [Transient("dead")] * 1000  # it cannot even give the lease back
        died.append(now())
        victim[0].cancel()
        await asyncio.gather(victim[0], return_exceptions=True)
        alive.remove(victim)
        alive.append(born())
    await asyncio.sleep(60)
    for moment in died:
        gaps.append(min(at for at, _ in writes if at > moment) - moment)
    assert max(gaps) <= 30
    order = [name for name, _ in itertools.groupby(name for _, name in sorted(writes))]
    assert len(order) == len(set(order)) == 51  # each wrote in one stretch
    for task, _ in alive:
        task.cancel()
    await asyncio.gather(*(task for task, _ in alive), return_exceptions=True)


# The fence
# ----------------------------------------------------------------------------------------------------------------


class Sent:
    def __init__(self):
        self.calls = []

    async def call(self, operation, params):
        self.calls.append(operation)
        if operation == "DeleteService":
            raise AnswerError(operation, code="x", message="y")
        return {}


async def test_without_the_lease_reads_pass_and_writes_do_not():
    lease, api = lease_of(MemoryStore()), Sent()
    fenced = Fenced(api, lease.check)
    await fenced.call("DescribeServices", {})
    for operation in ("CreateService", "UpdateService", "DeleteService", "RegisterTaskDefinition", "TagResource"):
        with pytest.raises(LeaseLost) as caught:
            await fenced.call(operation, {})
        assert isinstance(caught.value, Transient)
    await lease.acquire()
    await fenced.call("UpdateService", {})
    with pytest.raises(AnswerError):
        await fenced.call("DeleteService", {})
    assert api.calls == ["DescribeServices", "UpdateService", "DeleteService"]


# Terms
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({"duration": 10, "deadline": 10}, "longer than the deadline"),
        ({"duration": 10, "deadline": 12}, "longer than the deadline"),
        ({"deadline": 2.4}, "1.2 times the retry"),
        ({"duration": 0}, "greater than 0"),
        ({"retry": -1}, "greater than 0"),
        ({"duration": 3600}, "less than or equal to 600"),
    ],
)
def test_terms_that_protect_nobody_are_refused(times, words):
    with pytest.raises(ValueError, match=words):
        Terms(**times)


def test_terms_of_flux_are_fine():
    assert Terms(duration=35, deadline=30, retry=5).patience == 15
    assert Terms(deadline=2.5).patience == 1.25


@pytest.mark.parametrize("store", ["dynamodb://leases", "s3://my-bucket", "s3://my-bucket/a/b"])
def test_stores_that_there_are(store):
    assert LeaseSettings(store=store).duration == 15


@pytest.mark.parametrize("store", ["leases", "redis://x", "dynamodb://", "dynamodb://a/b", "s3://UPPER", "s3://"])
def test_stores_that_there_are_not(store):
    with pytest.raises(ValueError, match="store"):
        LeaseSettings(store=store)


def test_each_account_and_region_has_a_lease_of_its_own():
    assert shard("controller", "123456789012", "us-west-2") == "controller/123456789012/us-west-2"
