"""Laws of the whole: the dry run tells the truth, two writers agree, and what is true stays true."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import pytest

from controller.app.once import Order, look
from controller.aws.api import AnswerError, NoAnswerError
from controller.core.ownership import OWNER
from controller.core.pass_report import PassReport
from controller.core.plan import (
    CreateService,
    DeleteService,
    DeregisterTaskDefinition,
    EnsureTaskDefinition,
    ScaleToZero,
    Step,
    TagService,
    TagTaskDefinition,
    UpdateService,
)
from controller.settings import Settings
from tests.app.running import Clock, Cloud, Log, Specs, cloud, fleet, now, running, spec

pytestmark = pytest.mark.looptime


# The dry run tells the truth
# ----------------------------------------------------------------------------------------------------------------------


def operations(steps: tuple[Step, ...]) -> list[str]:
    """The calls that steps are."""
    found: list[str] = []
    for step in steps:
        match step:
            case EnsureTaskDefinition():
                found.append("RegisterTaskDefinition")
            case CreateService():
                found.append("CreateService")
            case UpdateService() | ScaleToZero():
                found.append("UpdateService")
            case TagService(put=put, remove=remove):
                found += ["TagResource"] * bool(put) + ["UntagResource"] * bool(remove)
            case TagTaskDefinition():
                found.append("TagResource")
            case DeregisterTaskDefinition():
                found.append("DeregisterTaskDefinition")
            case DeleteService():
                found.append("DeleteService")
            case _:
                assert_never(step)
    return found


def about(operation: str, params: Mapping[str, Any]) -> str:
    """The workload that a write is about."""
    name = params.get("serviceName") or params.get("service") or params.get("family")
    if name is None:
        name = str(params.get("resourceArn", params.get("taskDefinition"))).rpartition("/")[2]
    return str(name).partition(":")[0]


def told(report: PassReport) -> dict[str, list[str]]:
    """Workload → the writes that the dry run announces."""
    return {one.key.name: operations(one.plan.steps) for one in report.workloads if one.plan.steps}


def announced(report: PassReport) -> dict[str, list[Mapping[str, Any]]]:
    """Workload → requests that the dry run shows, of the steps that have one."""
    kinds = (EnsureTaskDefinition, CreateService)
    return {
        one.key.name: [step.request for step in one.plan.steps if isinstance(step, kinds)] for one in report.workloads
    }


def edit_counts(on: Cloud, files: dict[str, bytes]) -> None:
    on.hand("UpdateService", service="a", desiredCount=3, propagateTags="SERVICE", enableECSManagedTags=True)


def edit_tags(on: Cloud, files: dict[str, bytes]) -> None:
    arn = on.service("a")["serviceArn"]
    on.hand("UntagResource", resourceArn=arn, tagKeys=["dl1.ecs/digest"])
    on.hand("TagResource", resourceArn=arn, tags=[{"key": "dl1.ecs/source", "value": "x"}])


def edit_task_definition(on: Cloud, files: dict[str, bytes]) -> None:
    container = {"name": "app", "image": "example.com/other:1", "memory": 512}
    on.hand("RegisterTaskDefinition", family="a", containerDefinitions=[container])
    on.hand("UpdateService", service="a", taskDefinition="a:2")


def create(on: Cloud, files: dict[str, bytes]) -> None:
    files |= fleet("new", "newer")


def create_on_an_equal_revision(on: Cloud, files: dict[str, bytes]) -> None:
    create(on, files)
    container = {"name": "app", "image": "example.com/new:1", "cpu": 256, "memory": 512}
    on.hand("RegisterTaskDefinition", family="new", containerDefinitions=[container], requiresCompatibilities=["EC2"])


def change(on: Cloud, files: dict[str, bytes]) -> None:
    files |= fleet("a", tag="2", replicas=2)


def change_back(on: Cloud, files: dict[str, bytes]) -> None:
    edit_task_definition(on, files)
    edit_counts(on, files)


def delete(on: Cloud, files: dict[str, bytes]) -> None:
    del files["a.yaml"]


def let_go(on: Cloud, files: dict[str, bytes]) -> None:
    del files["orphan.yaml"]


def adopt(on: Cloud, files: dict[str, bytes]) -> None:
    container = {"name": "app", "image": "example.com/theirs:1", "memory": 512}
    on.hand("RegisterTaskDefinition", family="theirs", containerDefinitions=[container])
    on.hand("CreateService", serviceName="theirs", taskDefinition="theirs", desiredCount=1)
    files |= fleet("theirs", reconcile="adopt: true")


def hands_off(on: Cloud, files: dict[str, bytes]) -> None:
    files["a.yaml"] = spec("a", replicas=2, reconcile="mode: notify")
    files["b.yaml"] = spec("b", replicas=2, reconcile="mode: 'off'")
    files["c.yaml"] = spec("c", tag="2", reconcile="suspend: {reason: x, until: 2030-01-01T00:00:00Z}")
    arn = on.service("orphan")["serviceArn"]
    on.hand("TagResource", resourceArn=arn, tags=[{"key": OWNER, "value": "another"}])


def everything(on: Cloud, files: dict[str, bytes]) -> None:
    edit_counts(on, files)
    create(on, files)
    adopt(on, files)
    files |= fleet("b", tag="2")
    del files["c.yaml"]


CHANGES: list[Callable[[Cloud, dict[str, bytes]], None]] = [
    edit_counts,
    edit_tags,
    edit_task_definition,
    create,
    create_on_an_equal_revision,
    change,
    change_back,
    delete,
    let_go,
    adopt,
    hands_off,
    everything,
]


@pytest.mark.parametrize("happen", CHANGES, ids=lambda one: one.__name__)
async def test_what_the_dry_run_tells_is_what_the_daemon_writes(
    happen: Callable[[Cloud, dict[str, bytes]], None],
) -> None:
    on, source = cloud(), Specs({**fleet("a", "b", "c", "keep"), **fleet("orphan", reconcile="onDelete: orphan")})
    async with running(on, source) as one:
        await one.converged()
    happen(on, source.files)

    since = now()
    settings = Settings(clusters=("default",), delete_after=0.0)
    report = await look(source, on.reader(), Clock(), settings, order=Order())
    assert on.writes(since=since) == {}, "a dry run writes nothing"

    await asyncio.sleep(1)
    since = now()
    async with running(on, source, delete_after=0.0) as one:
        await one.rest(300)
        written: dict[str, list[str]] = {}
        requests: dict[str, list[Mapping[str, Any]]] = {}
        for at, operation, params in on.calls:
            if at >= since and operation in on.writes(since=since):
                written.setdefault(about(operation, params), []).append(operation)
                if operation in ("RegisterTaskDefinition", "CreateService"):
                    shown = {name: value for name, value in params.items() if name != "taskDefinition"}
                    requests.setdefault(about(operation, params), []).append(shown)
    assert written == told(report)
    assert requests == {name: found for name, found in announced(report).items() if found}


@pytest.mark.parametrize("happen", CHANGES, ids=lambda one: one.__name__)
async def test_after_it_the_dry_run_has_nothing_more_to_tell(
    happen: Callable[[Cloud, dict[str, bytes]], None],
) -> None:
    on, source = cloud(), Specs({**fleet("a", "b", "c", "keep"), **fleet("orphan", reconcile="onDelete: orphan")})
    settings = Settings(clusters=("default",), delete_after=0.0)
    async with running(on, source) as one:
        await one.converged()
        happen(on, source.files)
        one.source.commit()
        await one.rest(600)
    assert told(await look(source, on.reader(), Clock(), settings, order=Order())) == {}


# Two writers agree
# ----------------------------------------------------------------------------------------------------------------------


@dataclass
class Interleaved:
    """Lets calls of several daemons take turns by chance."""

    chance: random.Random

    def __call__(self, operation: str, params: Mapping[str, Any]) -> float:
        return self.chance.choice([0.0, 0.0, 0.1, 0.5, 2.0])


LIVES: list[Callable[[Cloud, dict[str, bytes]], None]] = [create, change, edit_counts, delete, adopt, everything]


@pytest.mark.parametrize("happen", LIVES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(more, marks=pytest.mark.slow) for more in range(2, 12))])
async def test_two_daemons_on_one_fleet_agree_and_make_nothing_twice(
    happen: Callable[[Cloud, dict[str, bytes]], None], seed: int
) -> None:
    """Without a lease: both hold the same revision, so all that either does is what the other would have done."""
    on = cloud()
    files = {**fleet("a", "b", "c", "keep"), **fleet("orphan", reconcile="onDelete: orphan")}
    async with running(on, Specs(dict(files))) as one:
        await one.converged()
    happen(on, files)
    since, before = now(), Counter(on.writes())
    on.before = Interleaved(random.Random(seed))
    settings = {"delete_after": 0.0, "resync": 30.0}
    async with (
        running(on, Specs(dict(files)), **settings) as left,
        running(on, Specs(dict(files)), **settings) as right,
    ):
        await left.rest(400)
        assert left.ready(), left.reports
        assert right.ready(), right.reports
        quiet = now()
        await left.rest(600)
        assert on.writes(since=quiet) == {}, "no ping-pong"
    written = on.writes(since=since)
    running_now = {arn.rpartition("/")[2] for arn in on.hand("ListServices")["serviceArns"]}
    assert running_now == {name.removesuffix(".yaml") for name in files} | {"orphan"}
    for family in ("a", "new", "theirs"):
        revisions = on.hand("ListTaskDefinitions", familyPrefix=family)["taskDefinitionArns"]
        assert len(revisions) <= 3, "at most one equal revision of each content more"
    assert written["RegisterTaskDefinition"] <= 2 * 5
    assert before["CreateService"] == 5


async def test_a_second_owner_touches_nothing_of_the_first() -> None:
    on = cloud()
    async with running(on, Specs(fleet("a", "b"))) as one:
        await one.converged()
        since = now()
        source = Specs(fleet("a", tag="9"))
        async with running(on, source, owner="second") as other:
            await one.rest(900)
            assert on.writes(since=since) == {}
            assert [str(reason) for reason in other.holds("a")] == ["OwnedByAnother"]
            assert one.ready()


# What is true stays true
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(more, marks=pytest.mark.slow) for more in range(3, 30))])
async def test_when_trouble_ends_everything_converges_and_stays(seed: int) -> None:
    """Refusals, lost answers and delays by chance for half an hour of changes; then quiet."""
    chance = random.Random(seed)
    on, source = cloud(), Specs(fleet("a", "b", "c"))

    def trouble(operation: str, params: Mapping[str, Any]) -> float:
        if chance.random() < 0.15:
            code = chance.choice(["ThrottlingException", "ServerException", "AccessDeniedException"])
            raise AnswerError(operation, code=code, message="trouble", status=400)
        return chance.choice([0.0, 0.0, 3.0])

    def loss(operation: str, params: Mapping[str, Any]) -> None:
        if chance.random() < 0.1:
            raise NoAnswerError(operation, "connection reset", sent=True)

    async with running(on, source, delete_after=0.0, resync=20.0) as one:
        on.before, on.after = trouble, loss
        for _ in range(6):
            await one.rest(300)
            happen = chance.choice([
                lambda: source.commit(fleet(chance.choice("abc"), tag=str(chance.randrange(9)))),
                lambda: source.commit(fleet("d", replicas=chance.randrange(3))),
                lambda: edit_counts(on, {}),
            ])  # fmt: skip
            happen()
        on.before = on.after = None
        await one.rest(60)  # the last edit is noticed
        await one.converged(limit=1800)
        quiet = now()
        await one.rest(1200)
        assert on.writes(since=quiet) == {}
        assert one.ready()
    for name in source.files:
        family = name.removesuffix(".yaml")
        assert len(on.hand("ListServices")["serviceArns"]) == len(source.files)
        assert on.service(family)["runningCount"] == on.service(family)["desiredCount"]


async def test_the_log_of_a_quiet_fleet_is_quiet() -> None:
    on = cloud()
    async with running(on, Specs(fleet("a", "b"))) as one:
        await one.converged()
        await one.rest(130)
        log: Log = one.log
        said = len(log.said)
        await one.rest(7200)
        assert log.said[said:] == []
