"""The DL1 instances of a cluster for people and for programs: eight cards each, who holds them, and what is amiss.

Neighbours: `core.gaudi.fleet` (what is told), `text` (tables), `document` (JSON).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.core.gaudi.catalogue import dl1
from controller.core.gaudi.drivers import verified
from controller.core.gaudi.fleet import Fleet
from controller.core.gaudi.instances import Instance
from controller.core.gaudi.occupancy import Occupancy
from controller.core.redact import redact
from controller.report.document import API_VERSION
from controller.report.text import clean, table

_OURS: Final = "habana."
"""Attributes that say something of the cards and their driver."""
_FREE: Final = "·"
_CONTESTED: Final = "!"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a daemon's last look at the machines of a cluster has found."""

    instances: int
    """DL1 instances."""
    usd_per_hour: float
    usd_per_hour_unused: float
    findings: tuple[tuple[str, str], ...]
    """Each with the instance, the task or the workload that it is about."""
    unread: str | None = None
    """Why the machines could not be read since."""


def inspected_document(cluster: str, found: Inspected) -> dict[str, Any]:
    """A cluster's machines in a `kind: Status`."""
    return {
        "cluster": cluster,
        "instances": found.instances,
        "usdPerHour": found.usd_per_hour,
        "usdPerHourUnused": found.usd_per_hour_unused,
        "findings": [{"about": about, "message": redact(message)} for about, message in found.findings],
        "unread": redact(found.unread),
    }


def inspected_text(found: Mapping[str, Any]) -> str:
    """Its line in the status."""
    count = found["instances"]
    if found["unread"] is not None:
        return f"fleet    {clean(found['cluster'])}: cannot be read: {clean(found['unread'])}"
    machines = f"{count} DL1, ${found['usdPerHour']:.2f} an hour, ${found['usdPerHourUnused']:.2f} of it unused"
    told = len(found["findings"])
    more = f"; {told} finding{'' if told == 1 else 's'}, see controller fleet" if told else ""
    return f"fleet    {clean(found['cluster'])}: {machines}{more}"


def fleet_document(clusters: Sequence[tuple[str, Fleet]]) -> dict[str, Any]:
    """`kind: Fleet`."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Fleet",
        "clusters": [
            {
                "cluster": cluster,
                "instances": [_instance(fleet, one) for one in fleet.occupancies],
                "otherInstances": len(fleet.instances) - len(fleet.dl1),
                "usdPerHour": round(fleet.usd_per_hour, 2),
                "usdPerHourUnused": round(fleet.usd_per_hour_unused, 2),
                "misplaced": [
                    {"task": task.short, "group": task.group, "instance": where.short, "type": where.type}
                    for task, where in fleet.misplaced
                ],
                "findings": [{"about": about, "message": message} for about, message in fleet.remarks()],
            }
            for cluster, fleet in clusters
        ],
    }


def fleet_text(clusters: Sequence[tuple[str, Fleet]]) -> str:
    """A block for each cluster: its instances with a letter for each card's holder, the legend, and the findings."""
    return "\n\n".join("\n".join(_cluster(name, fleet)) for name, fleet in clusters)


def _instance(fleet: Fleet, one: Occupancy) -> dict[str, Any]:
    driver, proved = fleet.driver(one.instance), verified(one.instance)
    attributes = sorted(one.instance.attributes.items())
    return {
        "instance": one.instance.short,
        "type": one.instance.type,
        "zone": one.instance.zone,
        "status": one.instance.status,
        "agentConnected": one.instance.connected,
        "agentVersion": one.instance.agent_version,
        "ami": one.instance.ami,
        "amiName": fleet.ami_names.get(one.instance.ami or ""),
        "attributes": {name: value for name, value in attributes if name.startswith(_OURS)},
        "synapseai": str(driver.version) if driver is not None else None,
        "synapseaiBy": str(driver.told) if driver is not None else None,
        "verified": str(proved) if proved is not None else None,
        "cards": [[{"task": task.short, "group": task.group} for task in holders] for holders in one.holders],
        "free": sorted(one.free),
        "freeGroups": {str(size): [list(group) for group in one.groups(size)] for size in (2, 4, 8)},
        "stranded": sorted(one.stranded),
        "usdPerHour": round(dl1().usd_per_hour, 2),
        "usdPerHourUnused": round(one.usd_per_hour, 2),
        "cpu": one.instance.registered.cpu,
        "cpuFree": one.instance.remaining.cpu,
        "memory": one.instance.registered.memory,
        "memoryFree": one.instance.remaining.memory,
        "portsTaken": sorted(one.instance.remaining.tcp),
    }


def _cluster(name: str, fleet: Fleet) -> list[str]:
    others = len(fleet.instances) - len(fleet.dl1)
    count = len(fleet.dl1)
    head = f"cluster {clean(name)}: {count} DL1 instance{'' if count == 1 else 's'}"
    head += f", {others} other{'' if others == 1 else 's'}" if others else ""
    findings = [f"! {clean(about)}: {clean(message)}" for about, message in fleet.remarks()]
    if not count:
        head = f"{head}; no task with Gaudi cards can be placed"
        return [head, *(["", *findings] if findings else [])]
    head += f"; ${fleet.usd_per_hour:.2f} an hour, ${fleet.usd_per_hour_unused:.2f} of it for cards without a task"
    letters = _legend(fleet)
    rows = [["INSTANCE", "ZONE", "STATE", "SYNAPSEAI", "VERIFIED", "CARDS 0-7", "CPU FREE", "MEMORY FREE"]]
    rows.extend(
        [
            clean(one.instance.short),
            clean(one.instance.zone or "-"),
            _state(one.instance),
            _driver(fleet, one.instance),
            str(verified(one.instance) or "-"),
            "".join(_letter(holders, letters) for holders in one.holders),
            str(one.instance.remaining.cpu),
            f"{one.instance.remaining.memory} MiB",
        ]
        for one in fleet.occupancies
    )
    lines = [head, "", *table(rows)]
    if letters:
        lines += ["", *(f"{letter}  {clean(group)}" for group, letter in letters.items())]
    return [*lines, *(["", *findings] if findings else [])]


def _legend(fleet: Fleet) -> dict[str, str]:
    """A letter for each group of tasks that holds cards, in the order of the cards; the 27th and later share `#`."""
    groups = (task.group for one in fleet.occupancies for holders in one.holders for task in holders)
    return {
        group: _LETTERS[number] if number < len(_LETTERS) else "#" for number, group in enumerate(dict.fromkeys(groups))
    }


def _letter(holders: Sequence[Any], letters: dict[str, str]) -> str:
    if not holders:
        return _FREE
    return letters[holders[0].group] if len(holders) == 1 else _CONTESTED


def _state(one: Instance) -> str:
    return one.status if one.connected else f"{one.status}, agent away"


def _driver(fleet: Fleet, one: Instance) -> str:
    driver = fleet.driver(one)
    return str(driver.version) if driver is not None else "-"
