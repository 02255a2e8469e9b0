"""A search for a run in which two may write: two or three candidates on clocks of their own, over a store with the real
conditions, through a network that delays, loses and reorders, with processes that stall, crash and give up.

The algorithm has no clock and no I/O, so a run is a list of events in true time. "May write" is what `check` asks at
any moment, also in the middle of a stall. Each rule of the algorithm is also taken away once, and the search must then
find such a run: that shows that it bites.
"""

import heapq
import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from controller.aws.lease.candidate import Candidate
from controller.aws.lease.record import Claim, Refused, Renewal
from controller.aws.lease.terms import Terms
from tests.aws.leases import MemoryStore

TERMS = Terms()
CALM = 100.0
"""From here on nothing goes wrong."""
LATEST = 12.0
"""Seconds that a request from before may still be under way: a claim of a process that is gone can arrive by then."""
TAKE_OVER = 30.0
"""Seconds within which there is a holder again once all is calm and nothing is under way."""
END = CALM + LATEST + TAKE_OVER + 20.0


@dataclass(frozen=True)
class Fate:
    """What becomes of one request: seconds to the store and back, or lost on the way there or back."""

    out: float = 0.02
    back: float = 0.02
    lost: str = ""


@dataclass(frozen=True)
class Trouble:
    """What happens to one process at a time: a stall of some seconds, a crash, a shutdown, a network that is cut."""

    at: float
    process: int
    kind: str
    seconds: float


@dataclass(frozen=True)
class Script:
    """One run. Clocks differ in rate, by less than duration/deadline between any two. The fates of requests repeat."""

    like: str
    rates: tuple[float, ...]
    fates: tuple[Fate, ...]
    troubles: tuple[Trouble, ...]


@st.composite
def scripts(draw):
    rates = tuple(draw(st.lists(st.sampled_from([1.0, 0.82, 1.2]), min_size=2, max_size=3)))
    fate = st.builds(
        Fate,
        st.sampled_from([0.02, 0.02, 1.0, 4.9, LATEST]),
        st.sampled_from([0.02, 0.02, 1.0, 4.9]),
        st.sampled_from(["", "", "", "out", "back"]),
    )
    trouble = st.builds(
        Trouble,
        st.integers(0, 90).map(float),
        st.integers(0, len(rates) - 1),
        st.sampled_from(["stall", "stall", "crash", "release", "cut"]),
        st.sampled_from([1.0, 7.0, 9.9, 16.0, 25.0]),
    )
    return Script(
        draw(st.sampled_from(["dynamodb", "s3"])),
        rates,
        tuple(draw(st.lists(fate, min_size=1, max_size=10))),
        tuple(draw(st.lists(trouble, max_size=6))),
    )


class Heard(Candidate):
    """A candidate that a wrong one can be made of: it is told when an answer came."""

    heard = 0.0


@dataclass
class Process:
    """A process as `lease` plays it: look or renew, at most `patience` for an answer, pause, again."""

    number: int
    rate: float
    candidate: Candidate | None = None
    life: int = 0
    """A crash begins another: what was on its way to the old one is nobody's."""
    waits: int = 0
    """The request that it waits for; answers to others are too late."""
    stalled_until: float = 0.0
    cut_until: float = 0.0

    def clock(self, now: float) -> float:
        return 1000.0 * self.number + self.rate * now

    def may_write(self, now: float) -> bool:
        return self.candidate is not None and self.candidate.valid(self.clock(now))


@dataclass
class World:
    script: Script
    kind: type[Candidate] = Heard
    store_kind: type[MemoryStore] = MemoryStore
    now: float = 0.0
    problems: list[str] = field(default_factory=list)
    held_since: list[float] = field(default_factory=list)
    """When somebody began to hold, or renewed."""

    def __post_init__(self):
        self.numbers = itertools.count(1)
        self.events = []
        self.fates = itertools.cycle(self.script.fates)
        self.store = self.store_kind(self.script.like)
        self.processes = [Process(number, rate) for number, rate in enumerate(self.script.rates)]
        for process in self.processes:
            self.start(process, after=0.1 * process.number)
        for trouble in self.script.troubles:
            self.at(trouble.at, lambda trouble=trouble: self.trouble(trouble))

    def run(self):
        while self.events and self.events[0][0] <= END:
            self.now, _, event = heapq.heappop(self.events)
            event()
            self.judge()
        return self

    def at(self, when, event):
        heapq.heappush(self.events, (max(when, self.now), next(self.numbers), event))

    def later(self, process, seconds, event, *, life=None):
        """An event of a process, `seconds` of its own clock from now. A stalled process sees it when it wakes."""
        life = process.life if life is None else life

        def come():
            if process.life != life:
                return
            if self.now < process.stalled_until:
                self.at(process.stalled_until, come)
                return
            event()

        self.at(self.now + seconds / process.rate, come)

    def start(self, process, *, after):
        process.life += 1
        process.candidate = None

        def begin():
            name = f"{process.number}.{process.life}"
            process.candidate = self.kind(name, TERMS, lambda: f"v{next(self.numbers)}")
            self.round(process)

        self.later(process, after, begin)

    def trouble(self, trouble):
        process = self.processes[trouble.process]
        match trouble.kind:
            case "stall":
                process.stalled_until = min(self.now + trouble.seconds, CALM)
            case "cut":
                process.cut_until = min(self.now + trouble.seconds, CALM)
            case "crash":
                self.start(process, after=trouble.seconds)
            case "release" if self.now >= process.stalled_until and process.candidate and process.candidate.holds:
                self.send(process, process.candidate.release(), lambda answer: None)
                self.start(process, after=trouble.seconds)

    # What `lease` does
    # ------------------------------------------------------------------------------------------------------------

    def round(self, process):
        candidate, clock = process.candidate, process.clock(self.now)
        if candidate.valid(clock):
            self.write(process, candidate.renewal(clock))
        elif candidate.holds:
            self.start(process, after=1.0)  # it was not renewed in time: this one ends, another begins
        else:
            self.send(process, None, lambda answer: self.seen(process, answer))

    def seen(self, process, answer):
        candidate, clock = process.candidate, process.clock(self.now)
        if candidate.observe(answer, clock):
            self.write(process, candidate.claim(clock))
        elif candidate.holds and not candidate.valid(clock):
            self.write(process, candidate.renewal(clock))
        else:
            self.pause(process)

    def write(self, process, write):
        def answered(answer):
            if isinstance(answer, Refused):
                process.candidate.refused(answer.standing, process.clock(self.now))
                if isinstance(write, Renewal) and not process.candidate.holds:
                    self.start(process, after=1.0)
                    return
            else:
                process.candidate.heard = process.clock(self.now)
                process.candidate.written(write, answer)
            self.pause(process)

        self.send(process, write, answered)

    def pause(self, process):
        process.waits = next(self.numbers)
        self.later(process, TERMS.retry, lambda: self.round(process))

    def send(self, process, write, answered):
        fate = next(self.fates) if self.now < CALM else Fate()
        number = process.waits = next(self.numbers)
        life = process.life

        def arrive():
            answer = self.store.stored if write is None else self.store.apply(write)
            if fate.lost != "back" and self.now >= process.cut_until:
                self.later(process, fate.back * process.rate, lambda: hear(answer), life=life)

        def hear(answer):
            if process.waits == number:
                answered(answer)

        if fate.lost != "out" and self.now >= process.cut_until:
            self.at(self.now + fate.out, arrive)
        self.later(process, TERMS.patience, lambda: process.waits == number and self.pause(process))

    # The judge
    # ------------------------------------------------------------------------------------------------------------

    def judge(self):
        acting = [process for process in self.processes if process.may_write(self.now)]
        if len(acting) > 1:
            names = ", ".join(process.candidate.name for process in acting)
            self.problems.append(f"at {self.now:.2f} s {names} may all write")
        if acting:
            self.held_since.append(self.now)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(script=scripts())
def test_at_most_one_may_write_and_in_the_end_one_does(script):
    world = World(script).run()
    assert not world.problems
    assert any(CALM <= at <= CALM + LATEST + TAKE_OVER for at in world.held_since)
    assert any(process.may_write(END) for process in world.processes)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=scripts())
def test_at_most_one_may_write_in_many_runs(script):
    world = World(script).run()
    assert not world.problems
    assert any(CALM <= at <= CALM + LATEST + TAKE_OVER for at in world.held_since)


# What each rule is for
# ----------------------------------------------------------------------------------------------------------------


class FromTheAnswer(Heard):
    """Counts validity from when the answer came."""

    def written(self, write, stored):
        super().written(write, stored)
        self._until = self.heard + self.terms.deadline


class Impatient(Heard):
    """Takes over when the holder must have stopped if all clocks were one, not after the duration."""

    def observe(self, stored, now):
        free = super().observe(stored, now)
        return free or (not self.holds and stored is not None and now - self._since >= self.terms.deadline)


class Hasty(Heard):
    """Takes over what it has seen once."""

    def observe(self, stored, now):
        return super().observe(stored, now) or not self.holds


class Endless(Heard):
    """Writes as long as nobody has told it that the lease is gone."""

    def valid(self, now):
        return self.holds


class Unconditional(MemoryStore):
    """Lets a claim overwrite whatever is stored."""

    def allows(self, write):
        return isinstance(write, Claim) or super().allows(write)


@pytest.mark.parametrize(
    ("kind", "store"),
    [
        (FromTheAnswer, MemoryStore),
        (Impatient, MemoryStore),
        (Hasty, MemoryStore),
        (Endless, MemoryStore),
        (Heard, Unconditional),
    ],
)
def test_without_one_of_the_rules_two_may_write(kind, store):
    searching = settings(max_examples=2000, database=None, derandomize=True, phases=[Phase.generate], deadline=None)
    try:
        find(scripts(), lambda script: bool(World(script, kind, store).run().problems), settings=searching)
    except NoSuchExample:
        pytest.fail("no run in which two may write was found")
