"""The daemon: follow the source, look at everything again and again, and give every workload that needs it to a worker.

Three loops feed one queue of services. The source loop reads a revision whenever it may have changed and wakes the
survey. The survey looks at all clusters in batches, keeps the status of what is in sync, and queues what needs a
hand. The watch looks at what rolls out or drains, in batches too, every ten seconds until it is done: no worker waits
for a rollout. A worker takes one key, reads it live and acts. So a quiet fleet costs a tenth of a call per service
and pass, a busy workload is never two workers', and nothing is written on the word of an old observation. Two more
loops stand beside them: jobs, which are done one after the other, and now and then a look at the machines.

What goes wrong stays where it goes wrong: an unreadable source leaves the last revision standing, a cluster that
cannot be observed makes its own workloads unknown, a workload that fails is retried by itself with backoff.
Neighbours: `following`, `workloads`, `clusters`, `attempts`, `touched`, `deletions`, `dependents`, `survey`, `jobs`,
`inspection`, `reconcile.reconciler`, `runtime`.
"""

import asyncio
import random
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from controller.app.attempts import Attempts
from controller.app.clusters import Clusters
from controller.app.deletions import Deletions
from controller.app.dependents import Dependents
from controller.app.following import Aside, Following, in_a_thread
from controller.app.inspection import Inspection
from controller.app.jobs import Jobs
from controller.app.known import KnownReports
from controller.app.once import acted, terms_of
from controller.app.smoke import SmokeGate
from controller.app.survey import EVENTS, Survey, Terms, survey
from controller.app.touched import Touched
from controller.app.workloads import Workloads
from controller.aws.client import with_events
from controller.aws.limits import Priority, priority
from controller.core.callers import Callers, Write
from controller.core.desired import Desired
from controller.core.live import Observation
from controller.core.pass_report import WorkloadReport
from controller.core.service_report import orphan_report, report_of
from controller.core.status import conditions
from controller.core.stopped import explained, inquiry
from controller.core.workload import Key
from controller.errors import ControllerError
from controller.reconcile.reconciler import Reconciler, Result, outcome
from controller.reconcile.rollouts import Rollouts
from controller.reconcile.verdicts import Verdicts
from controller.runtime.instruments import Instruments, Silent
from controller.runtime.queue import WorkQueue
from controller.runtime.workers import Next, Workers
from controller.settings import Settings
from controller.sources.snapshot import Source

CHANGED: Final = 0
"""Priority of a workload whose spec has changed."""
RESYNC: Final = -100
"""Priority of what a survey found."""
RECONCILE_TIMEOUT: Final = 300.0
"""Seconds for one look and its writes; rollouts are watched by looking again, not by waiting."""
WATCH: Final = 10.0
"""Seconds between two looks at what rolls out or drains."""
BREATH: Final = 0.5
"""Seconds between two looks at what something was heard of: a hundred events are one look."""
TAKEN_AT_ONCE: Final = 50
"""Reports of a look that are taken over before others get their turn: about a millisecond."""
DRAIN: Final = 15.0
"""Seconds that the work in flight is given to end when the daemon stops; ECS kills after 30 unless told otherwise."""


@dataclass(slots=True)
class Daemon:
    """Keeps one account and region in line with one source until it is stopped."""

    source: Source
    reconciler: Reconciler
    settings: Settings
    log: Any
    jitter: Callable[[], float] = random.random
    aside: Aside = in_a_thread
    """Where a revision is parsed and rendered."""
    target: str | None = None
    """The account and region, as specs name it."""
    instruments: Instruments = field(default_factory=Silent)
    """Told of everything that happens to keys."""
    passes: Callable[[float], None] = lambda _seconds: None
    """Told how long each look at everything took."""
    gate: SmokeGate | None = None
    """Makes new DL1 instances show their cards."""
    following: Following = field(init=False)
    inspection: Inspection = field(init=False)
    clusters: Clusters = field(init=False)
    workloads: Workloads = field(init=False)
    queue: WorkQueue[Key] = field(init=False)
    jobs: Jobs = field(init=False)
    _rollouts: Rollouts = field(init=False)
    _survey_now: asyncio.Event = field(default_factory=asyncio.Event)
    _watch_now: asyncio.Event = field(default_factory=asyncio.Event)
    _woken: set[Key] = field(default_factory=set)
    """Workloads of which something was heard since the last look at them."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _attempts: Attempts = field(default_factory=Attempts)
    _known: KnownReports = field(default_factory=KnownReports)
    _verdicts: Verdicts = field(default_factory=Verdicts)
    _dependents: Dependents = field(default_factory=Dependents)
    _deletions: Deletions = field(init=False)
    _touched: Touched = field(init=False)

    def __post_init__(self) -> None:
        clock = self.reconciler.clock
        self._touched = Touched(Callers(), clock.now())
        self.following = Following(
            self.source, self.settings, clock, self.log, self._changed, self.aside, target=self.target
        )
        self.workloads = Workloads(clock, self.log)
        self.inspection = Inspection(
            self.reconciler.ecs,
            clock,
            self.log,
            self.settings.fleet_interval,
            self.gate,
            lambda: self.desired,
            self.settings.clusters,
            self.workloads.place,
        )
        self.queue = WorkQueue(self.jitter, self.instruments)
        self.jobs = Jobs(
            self.reconciler, lambda: self.desired, self._ready, self._keep, self.log, self.following.health
        )
        self._deletions = Deletions(self.settings.resync)
        self._rollouts = Rollouts(self.settings.max_concurrent_rollouts)
        self.clusters = Clusters.of(self.settings.clusters, self.log)

    @property
    def desired(self) -> Desired:
        """What is wanted now."""
        return self.following.desired

    @property
    def passed(self) -> datetime | None:
        """When every cluster was last observed."""
        return self.clusters.passed

    @property
    def failed(self) -> Mapping[str, ControllerError]:
        """Clusters that could not be observed in the last pass."""
        return self.clusters.failed

    @property
    def reports(self) -> Mapping[Key, WorkloadReport]:
        """How every workload stood when it was last looked at."""
        return self.workloads.reports

    async def run(self) -> None:
        """Run until `stop`. What is being written then is finished first, for as long as there is time."""
        workers = Workers(
            self.queue, self._reconcile, self._crashed, count=self.settings.workers, timeout=RECONCILE_TIMEOUT
        )
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(loop) for loop in self._loops()]
            working = group.create_task(workers.run())
            await self._stopping.wait()
            self.log.info("stopping", in_flight=len(self.queue.held))
            for task in loops:
                task.cancel()
            self.queue.shut_down()
            await asyncio.wait([working], timeout=DRAIN)
            if not working.done():
                self.log.warning("stopping in the middle", workloads=sorted(map(str, self.queue.held)))
                working.cancel()

    def _loops(self) -> tuple[Coroutine[Any, Any, None], ...]:
        return (self.following.run(), self._resync(), self._watch(), self.inspection.run(), self.jobs.run())

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin to stop; `run` returns when the work in flight is done."""
        self._stopping.set()

    def _changed(self, before: Desired, after: Desired) -> None:
        """The source has a new revision."""
        self.clusters.named(after)
        self._deletions.revoke()
        self._dependents = Dependents.of(after)
        for key, rendered in after.rendered.items():
            old = before.rendered.get(key)
            if old is not None and old.digest != rendered.digest:
                self._attempts.forget(key)
                self.queue.forget(key)
                self.queue.add(key, priority=CHANGED)
        self._survey_now.set()

    # Looking
    # ------------------------------------------------------------------------------------------------------------

    async def _resync(self) -> None:
        """Look at everything when the source has changed, and at the latest after the resync interval."""
        pause = self._pause()
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._survey_now.wait()
            except TimeoutError:
                pass
            self._survey_now.clear()
            if self.following.found is not None:
                with priority(Priority.RESYNC):
                    await self._look()
            pause = self._pause()

    def _pause(self) -> float:
        """Seconds until the next look at everything: earlier where a deletion waits for its time."""
        ends = self._deletions.ends(self.reports.values())
        whole = self.settings.resync * (0.9 + 0.2 * self.jitter())
        return max(min([whole, *ends]), min(whole, 1.0))

    async def _watch(self) -> None:
        """Look at what is under way, again and again until it is done."""
        while True:
            try:
                async with asyncio.timeout(WATCH):
                    await self._watch_now.wait()
            except TimeoutError:
                pass
            woken = self._watch_now.is_set()
            self._watch_now.clear()
            now = asyncio.get_running_loop().time()
            keys = (self.workloads.moving() | self._touched.watched(now) | self._woken) - self.queue.held
            keys -= self.desired.jobs.keys()
            self._woken &= self.queue.held  # what a worker has in hand is looked at when it is done
            if keys and self.following.found is not None:
                with priority(Priority.ROLLOUT):
                    await self._look(only=keys)
            if woken:
                await asyncio.sleep(BREATH)

    async def _look(self, only: Collection[Key] | None = None) -> None:
        """Look at everything, or `only` at some, and take over what was seen."""
        desired, began = self.desired, asyncio.get_running_loop().time()
        try:
            ecs, clock = self.reconciler.ecs, self.reconciler.clock
            terms = self._terms()
            seen = await survey(desired, ecs, clock, terms=terms, only=only, known=self._known, verdicts=self._verdicts)
            if only is None:
                self.passes(asyncio.get_running_loop().time() - began)
                self._take_all(seen, current=desired is self.desired)
            await self._take(seen, desired, began)
        except Exception as error:  # noqa: BLE001 - the boundary: a look that breaks must not end the daemon
            self._crashed(None, error)

    def _terms(self) -> Terms:
        found = self.following.found
        assert found is not None
        return replace(
            terms_of(self.settings, found, self.desired, target=self.target),
            clusters=self.clusters.names(),
            callers=self._touched.caller,
            ready=self._ready(),
            so_far=self._deletions.so_far(asyncio.get_running_loop().time()),
            source=self.following.health(),
            stale=self.reconciler.is_stale,
        )

    def wake(self, key: Key) -> None:
        """Something was heard of a workload: look at it now."""
        self._woken.add(key)
        self._watch_now.set()

    def heard(self, write: Write) -> None:
        """Somebody has written to a service."""
        self._touched.callers = self._touched.callers.remember(write)
        self.reconciler.expectations.overtaken(write.key, write.caller.at)

    def _take_all(self, seen: Survey, *, current: bool) -> None:
        """Keep what only a look at everything tells. `current`: the source has not changed meanwhile."""
        self.clusters.took(seen, self.desired, self.reconciler.clock.now())
        self._forget(key for key in self.reports if key not in seen.reports and self._is_unwanted(key))
        self._deletions.found(seen.reports.values() if current else ())

    async def _take(self, seen: Survey, desired: Desired, began: float) -> None:
        """Keep what was seen and queue what needs a worker. The loop gets its turn now and then: a lease and probes
        live on it too."""
        self._forget(seen.gone)
        for number, (key, report) in enumerate(seen.reports.items(), start=1):
            if number % TAKEN_AT_ONCE == 0:
                await asyncio.sleep(0)
            # What a worker has seen meanwhile is newer, and what is older than our own last write is no news.
            if key in seen.stale or key in self.queue.held or self._touched.since(key, began):
                continue
            self._rollouts.saw(key, report.health)
            told = self._attempts.recall(self._rollouts.in_turn(report))
            self._keep(told, desired.digest_of(key))
            self._queue_up(told)
        for key in self._rollouts.next():
            self.queue.add(key, priority=RESYNC)

    def _is_unwanted(self, key: Key) -> bool:
        """Whether no spec names a workload and its cluster was looked at."""
        return key not in self.desired.workloads and self.clusters.observed(key)

    def _forget(self, keys: Iterable[Key]) -> None:
        """These are no more."""
        for key in list(keys):
            self.workloads.drop(key)
            self._attempts.forget(key)
            self._touched.forget(key)

    def _queue_up(self, report: WorkloadReport) -> None:
        """Queue a workload that was seen to need a hand, unless that very hand was just given in vain."""
        key, now = report.key, asyncio.get_running_loop().time()
        if not report.plan.steps:
            self._attempts.forget(key)
            return
        if self._attempts.in_vain(report, waiting=key in self.queue, now=now):
            return
        if key in self._deletions:
            self._deletions.begin(key, now)
        self.queue.add(key, priority=RESYNC)

    # Workloads
    # ---------------------------------------------------------------------------------------------------------

    async def _reconcile(self, key: Key) -> Next:
        with with_events(EVENTS):
            result = await self._result(key)
        if result is None:
            return Next()
        now = asyncio.get_running_loop().time()
        self._touched.looked(key, now)
        if not result.stale:
            self._keep_result(key, result)
        if result.done:
            self._touched.wrote(key, self.reconciler.clock.now())
        wanted = outcome(result)
        if wanted.watch:
            self._touched.watch(key, now)
        left = result.plan.steps[len(result.done) :]
        if result.error is not None and left:
            self._attempts.failed(key, left, result.error, at=now)
        else:
            self._attempts.forget(key)
        self.workloads.tell(key, result)
        return Next(wanted.after, failed=wanted.backoff, terminal=wanted.terminal, refused=wanted.refused)

    async def _result(self, key: Key) -> Result | None:
        """What came of a key; None where nothing is to be done about it, or nothing yet."""
        rendered = self.desired.rendered.get(key)
        if rendered is not None:
            return await self.reconciler.converge(
                rendered,
                ready=self._ready(),
                deadline=self.settings.timeout,
                rollouts=self._rollouts,
                callers=self._touched.caller,
            )
        if key in self._deletions:
            return await self.reconciler.remove(key, source=self.following.health())
        return None

    def _keep_result(self, key: Key, result: Result) -> None:
        desired = self.desired
        rendered = desired.rendered.get(key)
        if rendered is not None:
            last_good = key in desired.last_good
            base = report_of(
                rendered, result.plan, result.health, live=result.live, error=result.error, last_good=last_good
            )
            done = acted(base, result)
            asked = inquiry(done, Observation(service=result.live), self.reconciler.clock.now())
            self._keep(explained(done, result.live, self._verdicts.recall(key, asked)), rendered.digest)
        elif result.live is None or (result.error is None and result.live.ownership.owner is None):
            self._forget([key])  # deleted, or let go
        else:
            base = orphan_report(result.plan, result.live)
            told = conditions(result.plan, result.health, result.error)
            self._keep(replace(base, conditions=told, done=result.done, error=result.error), None)

    def _keep(self, report: WorkloadReport, digest: str | None) -> None:
        """Keep a report, with the digest of the spec that it is of."""
        if self.workloads.keep(report, digest):
            for key in self._dependents.waiting(report.key, self.reports):
                self.queue.add(key, priority=CHANGED)

    def _ready(self) -> Mapping[str, bool]:
        return self.workloads.ready({key: one.digest for key, one in self.desired.workloads.items()})

    def _crashed(self, key: Key | None, error: Exception) -> None:
        if key is not None and key in self.reports:
            left, now = self.reports[key].plan.steps, asyncio.get_running_loop().time()
            self._attempts.failed(key, left, None, at=now)
        self.log.error("crashed", workload=str(key) if key else None, exc_info=error)
