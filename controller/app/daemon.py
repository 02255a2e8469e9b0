"""The daemon: follow the source, look at everything again and again, and give every workload that needs it to a worker.

Two loops feed one queue. The source loop reads a revision whenever it may have changed and wakes the survey. The
survey looks at all clusters in batches, keeps the status of what is in sync, and queues the rest; a worker then reads
that one key live and acts. So a quiet fleet costs a tenth of a call per service and pass, and a busy workload is
never two workers'.

What goes wrong stays where it goes wrong: an unreadable source leaves the last revision standing, a cluster that
cannot be observed makes its own workloads unknown, a workload that fails is retried by itself with backoff.
Neighbours: `survey`, `reconcile.reconciler`, `runtime`.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from controller.app.once import acted, desired_of
from controller.app.survey import Survey, report_of, survey
from controller.core.desired import Desired, keep_last_good
from controller.core.pass_report import WorkloadReport, settled
from controller.core.plan import Drift
from controller.core.status import transition
from controller.core.workload import Key
from controller.errors import ControllerError
from controller.reconcile.reconciler import Reconciler, Result, outcome
from controller.runtime.queue import WorkQueue
from controller.runtime.workers import Next, Workers
from controller.settings import Settings
from controller.sources.snapshot import Snapshot, Source

CHANGED: Final = 0
"""Priority of a workload whose spec has changed."""
RESYNC: Final = -100
"""Priority of what a survey found."""
RECONCILE_TIMEOUT: Final = 300.0
"""Seconds for one look and its writes; rollouts are watched by looking again, not by waiting."""
SOURCE_RETRY: Final = 10.0
"""Seconds until an unreadable source is read again."""


@dataclass(slots=True)
class Daemon:
    """Keeps one account and region in line with one source until it is stopped."""

    source: Source
    reconciler: Reconciler
    settings: Settings
    log: Any
    jitter: Callable[[], float] = random.random
    desired: Desired = field(default_factory=Desired)
    reports: dict[Key, WorkloadReport] = field(default_factory=dict)
    """How every workload stood when it was last looked at."""
    _queue: WorkQueue[Key] = field(init=False)
    _survey_now: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _revision: str | None = None
    _clusters: set[str] = field(default_factory=set)
    _owned: int = 0

    def __post_init__(self) -> None:
        self._queue = WorkQueue(self.jitter)
        self._clusters = set(self.settings.clusters)

    async def run(self) -> None:
        """Run until `stop`. What is being written then is finished first."""
        workers = Workers(
            self._queue, self._reconcile, self._crashed, count=self.settings.workers, timeout=RECONCILE_TIMEOUT
        )
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(loop) for loop in (self._follow_source(), self._resync())]
            working = group.create_task(workers.run())
            await self._stopping.wait()
            self.log.info("stopping", in_flight=len(self._queue))
            for task in following:
                task.cancel()
            self._queue.shut_down()
            await working

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin to stop; `run` returns when the work in flight is done."""
        self._stopping.set()

    # Source
    # ------------------------------------------------------------------------------------------------------------

    async def _follow_source(self) -> None:
        while True:
            try:
                async for _ in self.source.changes():
                    await self._read_source()
            except (ControllerError, OSError) as error:
                self.log.warning("source not followed", source=self.source.uri, error=str(error))
            await asyncio.sleep(SOURCE_RETRY)

    async def _read_source(self) -> None:
        """Take over a new revision; on any trouble the last one stands."""
        try:
            found = await self.source.snapshot()
        except (ControllerError, OSError) as error:
            self.log.warning("source unreadable", source=self.source.uri, error=str(error), standing=self._revision)
            return
        if found.revision == self._revision:
            return
        before = self.desired
        self.desired = keep_last_good(before, desired_of(found, self.settings))
        self._revision = found.revision
        self._clusters |= {key.cluster for key in self.desired.rendered}
        self._tell_source(found)
        for key, rendered in self.desired.rendered.items():
            old = before.rendered.get(key)
            if old is not None and old.digest != rendered.digest:
                self._queue.add(key, priority=CHANGED)
        self._survey_now.set()

    def _tell_source(self, found: Snapshot) -> None:
        self.log.info(
            "source changed",
            source=found.uri,
            revision=found.revision,
            files=len(found.files),
            workloads=len(self.desired.rendered),
            last_good=sorted(str(key) for key in self.desired.last_good),
        )
        for diagnostic in self.desired.diagnostics:
            log = self.log.error if diagnostic.is_error else self.log.warning
            log("spec finding", at=str(diagnostic.at), code=str(diagnostic.code), message=diagnostic.message)

    # Survey
    # ------------------------------------------------------------------------------------------------------------

    async def _resync(self) -> None:
        """Look at everything when the source has changed, and at the latest after the resync interval."""
        while True:
            try:
                async with asyncio.timeout(self.settings.resync * (0.9 + 0.2 * self.jitter())):
                    await self._survey_now.wait()
            except TimeoutError:
                pass
            self._survey_now.clear()
            if self._revision is not None:
                await self._survey()

    async def _survey(self) -> None:
        desired = self.desired
        try:
            seen = await survey(
                desired,
                self.reconciler.ecs,
                self.reconciler.clock,
                owner=self.settings.owner,
                clusters=sorted(self._clusters),
            )
        except Exception as error:  # noqa: BLE001 - the boundary: a survey that breaks must not end the daemon
            self._crashed(None, error)
            return
        self._owned = seen.owned
        for cluster, failure in seen.failed.items():
            self.log.error("cluster not observed", cluster=cluster, reason=failure.reason, error=str(failure))
        self._take(seen)

    def _take(self, seen: Survey) -> None:
        """Keep what was seen and queue what needs a worker."""
        for key in self.reports.keys() - seen.reports.keys():
            if key not in self.desired.rendered:
                del self.reports[key]
        for key, report in seen.reports.items():
            if report.error is None and (report.plan.steps or not settled(report)):
                self._queue.add(key, priority=RESYNC)
            self._keep(report)

    # Workloads
    # ---------------------------------------------------------------------------------------------------------

    async def _reconcile(self, key: Key) -> Next:
        rendered = self.desired.rendered.get(key)
        if rendered is not None:
            result = await self.reconciler.converge(rendered, ready=self._ready())
            self._tell(key, result)
            base = report_of(
                rendered,
                result.plan,
                result.health,
                live=result.live,
                error=result.error,
                last_good=key in self.desired.last_good,
            )
            self._keep(acted(base, result))
        elif key in self.desired.invalid:
            return Next()
        else:
            result = await self.reconciler.remove(key, owned=self._owned, source=self.desired.health)
            self._tell(key, result)
        if result.done and key in self.desired.rendered:
            self._wake_dependents(key)
        wanted = outcome(result)
        return Next(after=wanted.after, failed=wanted.backoff)

    def _ready(self) -> Mapping[str, bool]:
        return {str(key): settled(report) for key, report in self.reports.items()}

    def _wake_dependents(self, key: Key) -> None:
        for other, rendered in self.desired.rendered.items():
            if str(key) in rendered.workload.document.spec.reconcile.depends_on:
                self._queue.add(other, priority=CHANGED)

    def _keep(self, report: WorkloadReport) -> None:
        """Keep a report, with the times at which its conditions turned, and say so if one did."""
        before = self.reports.get(report.key)
        old = before.conditions if before else {}
        new = transition(old, report.conditions, self.reconciler.clock.now())
        self.reports[report.key] = replace(report, conditions=new)
        for kind, condition in new.items():
            previous = old.get(kind)
            if previous is None or previous.status is not condition.status:
                self.log.info(
                    "condition",
                    workload=str(report.key),
                    type=str(kind),
                    status=str(condition.status),
                    reason=str(condition.reason),
                    message=condition.message,
                )

    def _tell(self, key: Key, result: Result) -> None:
        for change in result.plan.changes if result.done else ():
            self.log.warning(
                "drift healed" if result.error is None else "drift",
                workload=str(key),
                field=change.field,
                live=change.live,
                spec=change.spec,
                effect=change.effect,
            )
        if result.error is not None:
            self.log.warning("reconcile failed", workload=str(key), reason=result.error.reason, error=str(result.error))
        elif result.done and result.plan.drift is Drift.ORPHANED:
            self.log.warning("deleted", workload=str(key))

    def _crashed(self, key: Key | None, error: Exception) -> None:
        self.log.error("crashed", workload=str(key) if key else None, exc_info=error)
