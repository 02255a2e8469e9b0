"""The controller as a process: every account and region, one HTTP port, one journal, one wake-up queue, and its end.

Starts: the port first, so that probes are answered, then the shards. Ends: at the first signal every shard finishes
what it is writing and gives its lease back, then the last entries of the journal are written, then the port closes. A
lost lease, or a shard that cannot work at all, ends the whole process with an error: its supervisor starts it again.
Neighbours: `shard`, `http`, `recording`, `heartbeat`; `cli.run` owns the signals.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import controller
from controller.app import compose
from controller.app.collector import collect_seldom
from controller.app.heartbeat import Heartbeat
from controller.app.http import serving
from controller.app.recording import Recording
from controller.app.shard import Shard, open_shard
from controller.app.waking import waking
from controller.aws.limits import Limits
from controller.core.journal import Entry
from controller.core.pass_report import WorkloadReport
from controller.core.quoting import brief
from controller.errors import ControllerError, Transient
from controller.reconcile.ports import Clock
from controller.report.metrics import Metrics, Reading
from controller.report.status import Standing
from controller.settings import Settings


@dataclass(slots=True)
class Process:
    """One running controller."""

    settings: Settings
    log: Any
    clock: Clock
    metrics: Metrics = field(init=False)
    shards: Sequence[Shard] = ()
    url: str | None = None
    """Where it serves; None where it does not."""
    _heartbeat: Heartbeat = field(init=False)
    _recording: Recording | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.metrics = Metrics(controller.__version__, workers=self.settings.workers)
        self._heartbeat = Heartbeat(self.metrics.lagged)

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Begin to stop; `run` returns when everything has ended."""
        self._stop.set()

    async def run(self) -> None:
        """Run until `stop`.

        Raises:
            ControllerError: nothing can listen at the address, an account cannot be worked in, or a lease was lost.
        """
        collect_seldom()
        async with AsyncExitStack() as stack:
            journal = await stack.enter_async_context(compose.open_journal(self.settings, self.clock))
            recording = self._recording = Recording(self.log, journal, self.clock)
            if self.settings.http != "off":
                self.url = await stack.enter_async_context(serving(self, self.settings.http))
            try:
                await self._live(recording)
            except ExceptionGroup as failures:
                raise _first(failures) from failures

    async def _live(self, recording: Recording) -> None:
        """Open the shards and let them work until `stop`. The heart beats from the beginning: STS may take a minute to
        answer, and nobody is to be killed for waiting."""
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(self._heartbeat.run()), group.create_task(recording.run())]
            working = group.create_task(self._open_and_work(recording))
            await self._stop.wait()
            if not self.shards:  # nothing is written yet
                working.cancel()
            await asyncio.wait([working])
            recording.info("controller stopped")
            for one in background:
                one.cancel()

    async def _open_and_work(self, recording: Recording) -> None:
        async with AsyncExitStack() as stack:
            self.shards = await self._open(stack, recording)
            recording.info(
                "controller started",
                version=controller.__version__,
                source=self.shards[0].daemon.source.uri,
                owner=self.settings.owner,
                serving=self.url,
            )
            await self._work(recording)

    async def _open(self, stack: AsyncExitStack, recording: Recording) -> list[Shard]:
        limits = Limits(self.settings.api_share)
        shards: list[Shard] = []
        for opened in await stack.enter_async_context(compose.sessions_of(self.settings)):
            place, session = opened
            if isinstance(session, ControllerError):
                if place.target is not None or not self.settings.targets or isinstance(session, Transient):
                    raise session
                # Where everything has a target, the controller's own account needs no region and no credentials. A
                # spec without a target is still told why nothing comes of it.
                recording.warning("only targets are served", reason=session.reason, error=str(session))
            shard = open_shard(opened, limits=limits, log=recording, clock=self.clock, metrics=self.metrics)
            shards.append(await stack.enter_async_context(shard))
        return shards

    async def _work(self, recording: Recording) -> None:
        """Let the shards work until `stop`, and what they are writing then be written."""
        async with asyncio.TaskGroup() as group:
            background = []
            if self.settings.queue is not None:
                background.append(group.create_task(waking(self.settings, self.shards, recording)))
            working = [group.create_task(shard.run()) for shard in self.shards]
            await self._stop.wait()
            for shard, task in zip(self.shards, working, strict=True):
                shard.daemon.stop()
                if not shard.leading:
                    task.cancel()
            await asyncio.wait(working)
            for one in background:
                one.cancel()

    # What can be seen of it (`http.Window`)
    # --------------------------------------------------------------------------------------------------------------

    def alive(self) -> bool:
        """See `Window`."""
        return self._heartbeat.alive()

    def checks(self) -> Mapping[str, bool]:
        """See `Window`. A standby is ready: it can take over."""
        found = {"started": bool(self.shards)}
        for shard in self.shards:
            name = f" ({shard.place.name})" if shard.place.name else ""
            found[f"source was read{name}"] = not shard.leading or shard.daemon.following.found is not None
        return found

    def metrics_text(self) -> bytes:
        """See `Window`."""
        daemons = [shard.daemon for shard in self.shards]
        depth: dict[int, int] = {}
        for daemon in daemons:
            for priority, count in daemon.queue.depth().items():
                depth[priority] = depth.get(priority, 0) + count
        reading = Reading(
            workloads=self._workloads(),
            depth=depth,
            oldest=max((daemon.queue.oldest() for daemon in daemons), default=0.0),
            in_hand=[seconds for daemon in daemons for seconds in daemon.queue.in_hand()],
            passed=min((daemon.passed for daemon in daemons if daemon.passed is not None), default=None),
            fetched=min((one.following.fetched for one in daemons if one.following.fetched is not None), default=None),
            stale=any(daemon.following.stale is not None for daemon in daemons),
            invalid=sum(one.is_error for one in daemons[0].desired.diagnostics) if daemons else 0,
        )
        return self.metrics.text(reading)

    def standing(self) -> Standing:
        """See `Window`."""
        daemons = [shard.daemon for shard in self.shards]
        # A standby has read nothing: what the others have read is the revision.
        first = next((one.following for one in sorted(daemons, key=lambda one: one.following.found is None)), None)
        failed = {
            f"{shard.place.name}:{cluster}" if shard.place.name else cluster: str(error)
            for shard in self.shards
            for cluster, error in shard.daemon.failed.items()
        }
        return Standing(
            uri=first.source.uri if first is not None else "",
            revision=first.found.revision if first is not None and first.found is not None else None,
            stale=brief(first.stale) if first is not None and first.stale else None,
            fetched=first.fetched if first is not None else None,
            passed=min((daemon.passed for daemon in daemons if daemon.passed is not None), default=None),
            workloads=self._workloads(),
            clusters_failed=failed,
            fleets={
                f"{shard.place.name}:{cluster}" if shard.place.name else cluster: one
                for shard in self.shards
                for cluster, one in shard.daemon.inspection.found.items()
            },
        )

    async def recent(self, workload: str | None, *, most: int) -> list[Entry]:
        """See `Window`."""
        return await self._recording.recent(workload, most=most) if self._recording is not None else []

    def _workloads(self) -> tuple[WorkloadReport, ...]:
        found = [report for shard in self.shards for report in shard.daemon.reports.values()]
        return tuple(sorted(found, key=lambda one: one.key))


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first, out of as many groups as it was wrapped in."""
    found: BaseException = failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
