"""A look at the machines now and then: tasks where no cards are, cards that two tasks name or none, the smoke gate.

A pass over services tells nothing of where their tasks are, and it is to stay as cheap as it is; so the machines of the
clusters that have DL1 workloads are looked at by a loop of its own, every few minutes (`fleetInterval`), some five
calls a cluster. Where a gate is, new instances are looked for once a minute and tests are watched. It decides nothing
about services: what it finds is told with the workload, in the status and in the log. Neighbours: `daemon` (runs it),
`smoke` (the gate), `core.gaudi.fleet` (what is found).
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from controller.app.smoke import SmokeGate, Unverified
from controller.aws.limits import Priority, priority
from controller.core.desired import Desired
from controller.core.gaudi.collisions import with_live
from controller.core.gaudi.fleet import Fleet
from controller.core.gaudi.smoke import GROUP
from controller.core.workload import Key
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.reconcile.ports import Clock
from controller.report.fleet import Inspected

JOINING: Final = 60.0
"""Seconds between two looks for new instances, where there is a gate."""
TESTING: Final = 15.0
"""Seconds between two looks while a test runs."""
IDLE: Final = 1800.0
"""Seconds for which no task has used a card of an instance before it is told once."""


class Fleets(Protocol):
    """Who reads fleets."""

    async def fleet(self, cluster: str) -> Fleet:
        """The container instances of a cluster and the tasks on them."""
        ...


@dataclass(frozen=True, slots=True)
class _Alarm:
    """What somebody should know at once."""

    about: str
    message: str
    reason: str | None = None


@dataclass(slots=True)
class Inspection:
    """Looks at the machines of one account and region."""

    ecs: Fleets
    clock: Clock
    log: Any
    interval: float
    """Seconds between two looks; 0 is: none, unless there is a gate."""
    gate: SmokeGate | None
    desired: Callable[[], Desired]
    named: tuple[str, ...]
    """Clusters that the settings name."""
    misplaced: Callable[[str, Mapping[Key, str]], None]
    """Is told, for a cluster, which workloads have tasks where no cards are, and what to say of it."""
    found: dict[str, Inspected] = field(default_factory=dict)
    """By name of the cluster."""
    _idle: dict[str, dict[str, float]] = field(default_factory=dict)
    """Cluster → ARN of an instance → since when no task was seen to use a card of it."""
    _told: set[tuple[str, str, str]] = field(default_factory=set)
    """Cluster, what it is about, and the reason or the words."""

    async def run(self) -> None:
        """Look, again and again, until cancelled."""
        pause = TESTING if self.gate is not None else self.interval
        while pause > 0:
            await asyncio.sleep(pause)
            with priority(Priority.RESYNC):
                tested = await self.look()
            often = min(self.interval or JOINING, JOINING) if self.gate is not None else self.interval
            pause = TESTING if tested else often

    async def look(self) -> bool:
        """Look at every cluster once; whether a test is under way somewhere."""
        clusters, tested = self._clusters(), False
        for name in self.found.keys() - clusters.keys():
            del self.found[name]
        for name, address in clusters.items():
            try:
                fleet = await self.ecs.fleet(address)
                unverified = await self.gate.look(address, fleet) if self.gate is not None else ()
                self._take(name, fleet, unverified)
            except ControllerError as error:
                self._unread(name, error)
                continue
            except Exception as error:  # noqa: BLE001 - the boundary: a look that breaks must not end the daemon
                self._crashed(error)
                continue
            tested = tested or any(one.reason is None for one in unverified)
        return tested

    def _clusters(self) -> dict[str, str]:
        """Name → address of the clusters that have workloads with cards, and with a gate of those that are named."""
        named = self.named if self.gate is not None else ()
        return {one.rpartition("/")[2]: one for one in named} | {
            key.cluster: str(one.create["cluster"])
            for key, one in self.desired().rendered.items()
            if one.workload.document.spec.gaudi is not None
        }

    def _take(self, cluster: str, fleet: Fleet, unverified: tuple[Unverified, ...]) -> None:
        misplaced = self._misplaced(cluster, fleet)
        self.misplaced(cluster, misplaced)
        alarms = [_Alarm(str(key), message, str(Reason.MISPLACED)) for key, message in misplaced.items()]
        alarms += [_Alarm(one.instance, one.message, str(one.reason)) for one in unverified if one.reason is not None]
        for one in fleet.occupancies:
            names = {" and ".join(sorted({task.group for task in tasks})) for tasks in one.contested.values()}
            alarms += [_Alarm(one.instance.short, f"two tasks name one card: {name}") for name in sorted(names)]
        alarms += self._idling(cluster, fleet)
        self._tell(cluster, alarms, testing={one.instance for one in unverified if one.reason is None})
        told = [(one.about, one.message) for one in alarms] + list(self._in_the_way(cluster, fleet))
        waits = [(one.instance, one.message) for one in unverified if one.reason is None]
        self.found[cluster] = Inspected(
            instances=len(fleet.dl1),
            usd_per_hour=round(fleet.usd_per_hour, 2),
            usd_per_hour_unused=round(fleet.usd_per_hour_unused, 2),
            findings=tuple(dict.fromkeys([*fleet.remarks(), *told, *waits])),
        )

    def _misplaced(self, cluster: str, fleet: Fleet) -> dict[Key, str]:
        """Workloads with cards that have tasks on an instance without. ECS looks at constraints when it places a task
        and never again, so what was there before them stays."""
        others = {one.arn: one for one in fleet.instances if not one.is_dl1}
        found: dict[Key, list[str]] = {}
        for key, one in self.desired().rendered.items():
            if key.cluster != cluster or one.workload.document.spec.gaudi is None:
                continue
            for task in fleet.tasks:
                if task.service == key.name and task.instance in others and not task.ending:
                    where = others[task.instance]
                    found.setdefault(key, []).append(f"{task.short} on {where.short} ({where.type})")
        return {key: _misplaced(places) for key, places in found.items()}

    def _in_the_way(self, cluster: str, fleet: Fleet) -> Iterator[tuple[str, str]]:
        """Tasks that nobody here manages, and that a workload may meet on a card when it is next placed."""
        wanted = {key: one for key, one in self.desired().rendered.items() if key.cluster == cluster}
        ours = {GROUP, *(f"service:{key.name}" for key in wanted)}
        strangers = [task for task in fleet.tasks if task.group not in ours]
        for key, one in wanted.items():
            yield from ((str(key), found.message) for found in with_live(one, strangers))

    def _idling(self, cluster: str, fleet: Fleet) -> list["_Alarm"]:
        """Instances of which no card was used for long, by what was seen of them."""
        now, before = self.clock.now().timestamp(), self._idle.get(cluster, {})
        idle = [one for one in fleet.occupancies if one.idle]
        self._idle[cluster] = since = {one.instance.arn: before.get(one.instance.arn, now) for one in idle}
        return [
            _Alarm(
                one.instance.short,
                f"no task has used a card of it for half an hour: ${one.usd_per_hour:.2f} an hour",
            )
            for one in idle
            if now - since[one.instance.arn] >= IDLE
        ]

    def _tell(self, cluster: str, alarms: list["_Alarm"], *, testing: set[str]) -> None:
        """Say what is new of what somebody should know. A reason that stays is no news although its words change, nor
        one that comes back after another test."""
        now = {(cluster, one.about, one.reason or one.message): one for one in alarms}
        for mark in now.keys() - self._told:
            one = now[mark]
            self.log.warning("machines", cluster=cluster, about=one.about, message=one.message, reason=one.reason)
        stays = {mark for mark in self._told if mark[0] != cluster or mark[1] in testing}
        self._told = stays | now.keys()

    def _crashed(self, error: Exception) -> None:
        self.log.error("crashed", workload=None, exc_info=error)

    def _unread(self, cluster: str, error: ControllerError) -> None:
        before = self.found.get(cluster)
        if before is None or before.unread is None:
            self.log.warning("machines not read", cluster=cluster, reason=error.reason, error=str(error))
        known = before or Inspected(0, 0.0, 0.0, ())
        self.found[cluster] = Inspected(
            known.instances, known.usd_per_hour, known.usd_per_hour_unused, known.findings, unread=str(error)
        )


def _misplaced(places: list[str]) -> str:
    shown = ", ".join(places[:3]) + (" and more" if len(places) > 3 else "")
    count = f"{len(places)} task{'s' if len(places) != 1 else ''}"
    return (
        f"{count} where no Gaudi cards are: {shown}. Stop {'it' if len(places) == 1 else 'them'}, and ECS places anew"
        " by the constraints of today"
    )
