"""The CreateService request of a workload: what the user wrote, and the two things that are always said.

`deploymentConfiguration` and `availabilityZoneRebalancing` are explicit in every request, because their defaults
depend on when and how a service was created, and because ECS's defaults (100/200) leave a service that fills its
instances waiting for ever at the first change. Neighbours: `rollout` has the arithmetic, `render` calls this.
"""

import copy
from collections.abc import Mapping
from typing import Any, Final

from controller.core.draft import GAUDI, Draft
from controller.core.fields.service import is_daemon
from controller.core.path import Path
from controller.core.rollout import Percentages, without_spare_room

REPLICAS_AT_CREATE: Final = 1
"""What CreateService is told where `replicas` is absent: ECS insists on a number, and nobody else has given one yet."""


def service_request(draft: Draft) -> tuple[dict[str, Any], frozenset[str]]:
    """The CreateService request without tags, and which of its members are only for creation."""
    spec = draft.workload.service_spec
    written = copy.deepcopy(draft.workload.service)
    count = spec.replicas if spec.replicas is not None else written.pop("desiredCount", None)
    written.pop("desiredCount", None)
    create: dict[str, Any] = {
        "cluster": spec.cluster,
        "serviceName": draft.workload.key.name,
        "taskDefinition": draft.register["family"],
    }
    unmanaged: frozenset[str] = frozenset()
    if not is_daemon(written):
        create["desiredCount"] = REPLICAS_AT_CREATE if count is None else count
        if count is None:
            unmanaged = frozenset({"desiredCount"})
            draft.reason(
                ("service", "desiredCount"),
                "ECS insists on a count at creation; `replicas` is absent, so the count is never touched afterwards",
                ("spec",),
            )
    for name in ("cluster", "serviceName"):
        written.pop(name, None)
    written["deploymentConfiguration"] = _deployment_configuration(draft, written, count)
    if "availabilityZoneRebalancing" not in written:
        written["availabilityZoneRebalancing"] = _rebalancing(draft, written)
    return {**create, **dict(sorted(written.items()))}, unmanaged


def _deployment_configuration(draft: Draft, written: Mapping[str, Any], count: int | None) -> dict[str, Any]:
    config: dict[str, Any] = dict(written.get("deploymentConfiguration") or {})
    path: Path = ("service", "deploymentConfiguration")
    rolling = config.get("strategy", "ROLLING") == "ROLLING"
    percentages, why = _percentages(draft, config, written, count)
    for name, value in (
        ("maximumPercent", percentages.maximum),
        ("minimumHealthyPercent", percentages.minimum),
    ):
        if name not in config:
            config[name] = value
            draft.reason((*path, name), why, GAUDI if draft.has_gaudi else ("spec",))
    if rolling and not is_daemon(written) and "deploymentCircuitBreaker" not in config and "alarms" not in config:
        config["deploymentCircuitBreaker"] = {"enable": True, "rollback": True}
        why = "a revision that cannot start is rolled back by ECS instead of being retried for ever"
        draft.reason((*path, "deploymentCircuitBreaker"), why, ("spec",))
    return dict(sorted(config.items()))


def _percentages(
    draft: Draft, config: Mapping[str, Any], written: Mapping[str, Any], count: int | None
) -> tuple[Percentages, str]:
    if is_daemon(written):
        return Percentages(0, 100), "ECS's own values for a daemon: one task per instance, replaced in place"
    maximum = config.get("maximumPercent")
    room = maximum is not None and Percentages(0, maximum).starts_first(count or 1)
    if draft.has_gaudi and not room and config.get("strategy", "ROLLING") == "ROLLING":
        return (
            without_spare_room(count),
            "cards are not shared, so a new task fits only where an old one has left: stop first, one at a time",
        )
    return Percentages(100, 200), "ECS's own values, said so that a change of its defaults changes nothing"


def _rebalancing(draft: Draft, written: Mapping[str, Any]) -> str:
    path: Path = ("service", "availabilityZoneRebalancing")
    if draft.has_gaudi:
        why = "rebalancing stops running tasks to move them, and needs spare instances that a DL1 fleet does not have"
        draft.reason(path, why, GAUDI)
        return "DISABLED"
    draft.reason(path, "said, because ECS's default depends on when and how the service was created", ("spec",))
    return "ENABLED" if _can_move_between_zones(written) and not _pins_zone(draft, written) else "DISABLED"


def _can_move_between_zones(written: Mapping[str, Any]) -> bool:
    """What ECS can rebalance at all: no daemons, no servers outside of AWS, no Classic Load Balancers, and only where a
    task may be started before another stops. Source: ECS developer guide, "Availability Zone rebalancing"."""
    classic = any("loadBalancerName" in balancer for balancer in written.get("loadBalancers", ()))
    outside = written.get("launchType") == "EXTERNAL"
    return not is_daemon(written) and not outside and not classic and _maximum(written) > 100


def _maximum(written: Mapping[str, Any]) -> int:
    return int(written["deploymentConfiguration"]["maximumPercent"])


def _pins_zone(draft: Draft, written: Mapping[str, Any]) -> bool:
    """Whether a constraint names a zone or a strategy packs first: ECS refuses to rebalance such a service too."""
    constraints = [*written.get("placementConstraints", ()), *draft.register.get("placementConstraints", ())]
    first = next(
        iter(written.get("placementStrategy", ())), {"type": "spread", "field": "attribute:ecs.availability-zone"}
    )
    by_zone = first.get("type") == "spread" and "availability-zone" in str(first.get("field", ""))
    return not by_zone or any("ecs.availability-zone" in str(one.get("expression", "")) for one in constraints)
