"""`controller check`: whether the controller could work here, asked without changing anything.

Each row says what was tried and what to do where it failed. Reads are tried by making them, about things that do not
exist, in a cluster that is ours to look into: an answer that there is no such thing is a permission that we have.
Writes cannot be tried; IAM is asked to simulate them where it lets us, and otherwise the row says that nobody knows.
Neighbours: `compose` (opens the places), `grants` (asks IAM), `cli.check` (prints the rows).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from controller.app import compose, grants
from controller.app.grants import NOBODY
from controller.app.once import desired_of
from controller.aws.api import AnswerError, Api, ApiError
from controller.aws.errors import classify
from controller.aws.fleet import FleetReader
from controller.aws.limits import Limits
from controller.aws.operations import declared
from controller.aws.permissions import Use, statements
from controller.aws.sessions import Identity, Session
from controller.core.desired import Desired
from controller.core.gaudi.cards import CARDS_PER_INSTANCE, DL1_INSTANCE_TYPE
from controller.core.workload import cluster_name
from controller.errors import ControllerError, Denied
from controller.settings import Settings


class Verdict(StrEnum):
    """What came of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was checked."""

    name: str
    verdict: Verdict
    detail: str


async def check(settings: Settings) -> tuple[Row, ...]:
    """Everything, in the order in which it is needed."""
    rows: list[Row] = []
    wanted = Desired()
    try:
        async with compose.open_source(settings) as source:
            found = await source.snapshot()
        wanted = desired_of(found, settings)
        rows.append(_source_row(found.uri, found.revision, wanted))
    except ControllerError as error:
        rows.append(Row("source", Verdict.FAILED, str(error)))
    limits = Limits(settings.api_share)
    for place in compose.places_of(settings):
        mine = wanted.of(place.name)
        clusters = sorted(
            {cluster_name(one) for one in place.settings.clusters} | {key.cluster for key in mine.workloads}
        )
        if clusters or place.target is not None or not settings.targets:
            rows += await _place(place, clusters, limits)
    return tuple(rows)


def _source_row(uri: str, revision: str, wanted: Desired) -> Row:
    broken = sum(one.is_error for one in wanted.diagnostics)
    count = len(wanted.workloads)
    told = f"{uri} @ {revision}, {count} workload{'' if count == 1 else 's'}"
    if broken:
        return Row("source", Verdict.FAILED, f"{told}, {broken} errors; `controller validate` shows them")
    return Row("source", Verdict.OK if count else Verdict.WARNING, told)


async def _place(place: compose.Place, clusters: Sequence[str], limits: Limits) -> list[Row]:
    where = f" ({place.name})" if place.name else ""
    try:
        async with compose.session(place) as session:
            found = await session.identity()
            await session.verify()
            rows = [Row(f"credentials{where}", Verdict.OK, f"{found.arn} in {session.region}")]
            limiter = limits.of(place.name or "", session.region or "")
            async with session.ecs(limiter, jitter=lambda: 0.0) as api:
                rows += [
                    await _reads(api, found, session.region, clusters, where),
                    await _writes(place, session, found, clusters, where),
                ]
                for cluster in clusters:
                    rows += await _cluster(api, cluster, where)
    except ControllerError as error:
        return [Row(f"credentials{where}", Verdict.FAILED, str(error))]
    return rows


async def _reads(api: Api, identity: Identity, region: str, clusters: Sequence[str], where: str) -> Row:
    """Every read that a pass makes, about nothing. In a cluster of ours: a policy may allow no other."""
    cluster = clusters[0] if clusters else NOBODY
    partition = identity.arn.split(":")[1]
    revision = f"arn:{partition}:ecs:{region}:{identity.account}:service-revision/{cluster}/{NOBODY}/1"
    tries: Mapping[str, Mapping[str, Any]] = {
        "ListServices": {"cluster": cluster},
        "DescribeServices": {"cluster": cluster, "services": [NOBODY]},
        "ListTaskDefinitions": {"familyPrefix": NOBODY},
        "DescribeTaskDefinition": {"taskDefinition": NOBODY},
        "ListServiceDeployments": {"cluster": cluster, "service": NOBODY},
        "DescribeServiceRevisions": {"serviceRevisionArns": [revision]},
        "DescribeClusters": {"clusters": [cluster]},
        "ListContainerInstances": {"cluster": cluster},
        "DescribeContainerInstances": {"cluster": cluster, "containerInstances": [NOBODY]},
    }
    missing: list[str] = []
    for operation, params in tries.items():
        try:
            await api.call(operation, params)
        except ApiError as error:
            meaning = classify(error, write=False)
            if isinstance(meaning, Denied):
                missing.append(f"ecs:{operation}")
            elif not isinstance(error, AnswerError):
                return Row(f"reading{where}", Verdict.FAILED, str(meaning))
    if missing:
        return Row(f"reading{where}", Verdict.FAILED, f"not permitted: {', '.join(missing)}; grant these actions")
    return Row(f"reading{where}", Verdict.OK, f"{len(tries)} ECS actions are permitted")


async def _writes(
    place: compose.Place, session: Session, identity: Identity, clusters: Sequence[str], where: str
) -> Row:
    """What IAM says of the writes, if it lets us ask."""
    name, sent = f"writing{where}", declared()
    needed = statements({Use.CONVERGE}, sent)
    actions = sorted({action for one in needed for action in one.granted(sent)})
    names = grants.names_of(place.home, identity, session.region, clusters)
    try:
        async with session.connect("iam", read_attempts=1) as iam:
            lacking = await grants.missing(iam, grants.principal(identity.arn), needed, names)
    except (ApiError, ControllerError):
        cannot = f"cannot be tried without writing; the controller needs {', '.join(actions)}"
        return Row(name, Verdict.UNKNOWN, f"{cannot}; `controller check --iam` prints the policy")
    if lacking:
        denied = sorted({action for one in lacking for action in one.granted(sent)})
        advice = "`controller check --iam` prints the statements"
        return Row(name, Verdict.FAILED, f"not permitted: {', '.join(denied)}; {advice}")
    return Row(name, Verdict.OK, f"{len(actions)} actions are permitted, by IAM's simulation")


async def _cluster(api: Api, cluster: str, where: str) -> list[Row]:
    name, fleet = f"cluster {cluster}{where}", FleetReader(api)
    try:
        found = await fleet.cluster(cluster)
        if found is None or found.get("status") != "ACTIVE":
            return [Row(name, Verdict.FAILED, "there is no such cluster; create it, or correct spec.cluster")]
        services = found.get("activeServicesCount", 0)
        instances = await fleet.instances(cluster, expression=f"attribute:ecs.instance-type == {DL1_INSTANCE_TYPE}")
    except ControllerError as error:
        return [Row(name, Verdict.FAILED, str(error))]
    return [Row(name, Verdict.OK, f"active, {services} services"), _capacity(instances, cluster, where)]


def _capacity(instances: Iterable[Mapping[str, Any]], cluster: str, where: str) -> Row:
    name = f"DL1 in {cluster}{where}"
    present = [one for one in instances if one.get("status") in ("ACTIVE", "DRAINING")]
    working = [one for one in present if one.get("status") == "ACTIVE" and one.get("agentConnected")]
    if not present:
        return Row(name, Verdict.WARNING, f"no {DL1_INSTANCE_TYPE} is registered, so no task with cards can be placed")
    told = f"{len(working)} of {len(present)} instances take tasks, {len(working) * CARDS_PER_INSTANCE} cards"
    lost = _count(present, lambda one: not one.get("agentConnected"))
    draining = _count(present, lambda one: one.get("status") == "DRAINING")
    why = [f"{lost} without a connected agent"] * bool(lost) + [f"{draining} draining"] * bool(draining)
    return Row(name, Verdict.OK if working else Verdict.WARNING, ", ".join([told, *why]))


def _count(instances: Iterable[Mapping[str, Any]], holds: Callable[[Mapping[str, Any]], bool]) -> int:
    return sum(map(holds, instances))
