"""Reports that are not made again: whoever remembers says exactly what whoever looks anew says."""

import asyncio
import copy
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.app import survey as module
from controller.app.known import KnownReports, fingerprint
from controller.app.once import desired_of
from controller.app.survey import Survey, Terms, survey
from controller.aws.ecs import EcsReader
from controller.core.desired import Desired
from controller.core.live import LiveService
from controller.core.ownership import OWNER
from controller.core.pass_report import settled
from controller.core.plan import Drift
from controller.core.workload import Key
from controller.settings import Settings
from controller.sources.snapshot import Snapshot
from tests.app.running import Clock, Cloud, Specs, cloud, fleet, running, spec

NAMES = ("plain", "waits", "held", "keeps", "shrugs", "told")
UNTIL = datetime.fromtimestamp(1_900_000_000, UTC)


def files(*, until: datetime = UNTIL) -> dict[str, bytes]:
    """A spec for each way in which a report could depend on something else."""
    suspended = f"suspend: {{reason: test, until: {until.isoformat()}}}"
    reconcile = {
        "waits": "dependsOn: [default/plain]",
        "held": suspended,
        "keeps": "keepRevisions: 2",
        "shrugs": "ignore: [{path: service.desiredCount, reason: theirs}]",
        "told": "mode: notify",
    }
    return {f"{name}.yaml": spec(name, reconcile=reconcile.get(name, "")) for name in NAMES}


def desired(found: dict[str, bytes]) -> Desired:
    return desired_of(Snapshot("memory", "r1", found), Settings())


async def converged() -> Cloud:
    """All of them at work, before anything is suspended or only told of."""
    on = cloud()
    early = {name: b for name, b in files(until=datetime.fromtimestamp(0, UTC)).items() if name != "told.yaml"}
    async with running(on, Specs(early | fleet("told"))) as one:
        await one.converged()
    return on


@dataclass
class Two:
    """Somebody who remembers, and somebody who does not."""

    on: Cloud
    reader: EcsReader
    wanted: Desired
    terms: Terms
    files: dict[str, bytes]
    known: KnownReports = field(default_factory=KnownReports)
    made: int = 0
    """Workloads that were planned by the one who remembers, in the last look."""

    async def look(self, only: Iterable[str] | None = None) -> Survey:
        """Both look; both must say the same."""
        keys = None if only is None else {Key("default", name) for name in only}
        before = _Counted.plans
        mine = await survey(self.wanted, self.reader, Clock(), terms=self.terms, only=keys, known=self.known)
        self.made = _Counted.plans - before
        anew = await survey(self.wanted, self.reader, Clock(), terms=self.terms, only=keys)
        assert mine == anew
        assert list(mine.reports) == list(anew.reports)
        return mine

    def commit(self, changes: dict[str, bytes]) -> None:
        self.files = self.files | changes
        self.wanted = desired(self.files)


class _Counted:
    plans = 0


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = module.plan

    def plan(*arguments: Any) -> Any:
        _Counted.plans += 1
        return plain(*arguments)

    monkeypatch.setattr(module, "plan", plan)


async def two() -> Two:
    on = await converged()
    return Two(on, on.reader(), desired(files()), Terms(owner="controller"), files())


@pytest.mark.looptime
async def test_what_has_not_changed_is_not_planned_again() -> None:
    both = await two()
    await both.look()
    assert both.made >= len(NAMES)
    seen = await both.look()
    assert {str(key) for key, report in seen.reports.items() if settled(report)} >= {"default/plain", "default/keeps"}
    assert both.made < len(NAMES)
    both.on.hand("UpdateService", service="plain", desiredCount=3)
    before = both.made
    seen = await both.look()
    assert seen.reports[Key("default", "plain")].plan.drift is Drift.DRIFTED
    assert both.made == before + 1


@pytest.mark.looptime
async def test_a_workload_that_is_gone_is_forgotten() -> None:
    both = await two()
    await both.look()
    assert Key("default", "plain") in both.known
    both.files.pop("plain.yaml")
    both.commit({})
    await both.look()
    assert Key("default", "plain") not in both.known


def mutated(value: Any) -> Iterator[Any]:
    """The value with one leaf or one member changed, each in turn."""
    match value:
        case dict():
            for name in value:
                yield {key: one for key, one in value.items() if key != name}
                yield from ({**value, name: other} for other in mutated(value[name]))
            yield {**value, "brandNew": 1}
        case list():
            for index, one in enumerate(value):
                yield value[:index] + value[index + 1 :]
                yield from ([*value[:index], other, *value[index + 1 :]] for other in mutated(one))
        case bool():
            yield not value
            yield int(value)
        case int() | float():
            yield value + 1
        case str():
            yield f"{value}x"
        case _:
            yield 0


@pytest.mark.looptime
async def test_nothing_that_ecs_answers_can_change_unseen() -> None:
    """Every leaf and every member of a service's answer, changed and taken away."""
    on = await converged()
    wire = on.service("plain")
    wire.pop("events")
    mutations = list(mutated(wire))
    assert len(mutations) > 100
    original = fingerprint(LiveService(wire))
    assert fingerprint(LiveService(copy.deepcopy(wire))) == original
    assert all(fingerprint(LiveService(other)) != original for other in mutations)


@dataclass
class Answers:
    """A reader that answers one service otherwise than ECS does."""

    reader: EcsReader
    told: dict[str, Any] | None = None

    async def services(self, cluster: str, names: Iterable[str]) -> dict[str, LiveService]:
        found = await self.reader.services(cluster, names)
        return found if self.told is None else {**found, "plain": LiveService(self.told)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)


@pytest.mark.looptime
async def test_every_change_of_a_service_is_reported_as_by_somebody_who_sees_it_for_the_first_time() -> None:
    both = await two()
    answers: Any = Answers(both.reader)
    both.reader = answers
    await both.look()
    wire = both.on.service("plain")
    identity = ("serviceName", "serviceArn", "taskDefinition", "clusterArn")
    for other in mutated(wire):
        if all(other.get(name) == wire[name] for name in identity) and isinstance(other.get("status"), str):
            try:
                LiveService(other).ownership, LiveService(other).deployments, LiveService(other).desired
            except (KeyError, TypeError, ValueError):
                continue
            answers.told = other
            await both.look(only=["plain"])
    answers.told = None
    await both.look()
    assert both.made < len(NAMES), "and what has come back to what it was is known again after one look"


async def drift(both: Two, name: str) -> None:
    both.on.hand("UpdateService", service=name, desiredCount=2)


async def heal(both: Two, name: str) -> None:
    both.on.hand("UpdateService", service=name, desiredCount=1)


async def other_revision(both: Two, name: str) -> None:
    container = {"name": "app", "image": "elsewhere:2", "cpu": 256, "memory": 512}
    both.on.hand(
        "RegisterTaskDefinition", family=name, containerDefinitions=[container], requiresCompatibilities=["EC2"]
    )
    both.on.hand("UpdateService", service=name, taskDefinition=name)


async def first_revision(both: Two, name: str) -> None:
    both.on.hand("UpdateService", service=name, taskDefinition=f"{name}:1")


async def other_owner(both: Two, name: str) -> None:
    arn = both.on.service(name)["serviceArn"]
    both.on.hand("TagResource", resourceArn=arn, tags=[{"key": OWNER, "value": "somebody"}])


async def our_owner(both: Two, name: str) -> None:
    arn = both.on.service(name)["serviceArn"]
    both.on.hand("TagResource", resourceArn=arn, tags=[{"key": OWNER, "value": "controller"}])


async def foreign_tag(both: Two, name: str) -> None:
    arn = both.on.service(name)["serviceArn"]
    both.on.hand("TagResource", resourceArn=arn, tags=[{"key": "cost", "value": "1"}])


async def tag_lost(both: Two, name: str) -> None:
    arn = both.on.service(name)["serviceArn"]
    both.on.hand("UntagResource", resourceArn=arn, tagKeys=["dl1.ecs/digest"])


async def rendered_anew(both: Two, name: str) -> None:
    both.commit({})


async def spec_changed(both: Two, name: str) -> None:
    both.commit({f"{name}.yaml": spec(name, replicas=2)})


async def spec_back(both: Two, name: str) -> None:
    both.commit({f"{name}.yaml": files()[f"{name}.yaml"]})


async def spec_gone(both: Two, name: str) -> None:
    both.files = {path: content for path, content in both.files.items() if path != f"{name}.yaml"}
    both.commit({})


async def time_passes(both: Two, name: str) -> None:
    await asyncio.sleep(45)


async def suspension_ends(both: Two, name: str) -> None:
    now = Clock().now()
    both.commit({f"{name}.yaml": spec(name, reconcile=f"suspend: {{reason: t, until: {_in(now, 30)}}}")})
    await both.look()
    await asyncio.sleep(40)


async def forced(both: Two, name: str) -> None:
    both.terms = replace(both.terms, force=not both.terms.force)


async def owner_is_another(both: Two, name: str) -> None:
    both.terms = replace(both.terms, owner="another" if both.terms.owner == "controller" else "controller")


async def deadline(both: Two, name: str) -> None:
    both.terms = replace(both.terms, deadline=None if both.terms.deadline else 1.0)


async def last_good(both: Two, name: str) -> None:
    key = Key("default", name)
    kept = both.wanted.last_good ^ {key} if key in both.wanted.rendered else both.wanted.last_good
    both.wanted = replace(both.wanted, last_good=kept)


def _in(now: datetime, seconds: int) -> str:
    return (now + timedelta(seconds=seconds)).isoformat()


HAPPENINGS = (
    *(drift, heal, other_revision, first_revision, other_owner, our_owner, foreign_tag, tag_lost, rendered_anew),
    *(spec_changed, spec_back, spec_gone, time_passes, suspension_ends, forced, owner_is_another, deadline, last_good),
)


FEW, MANY = range(12), range(12, 100)


@pytest.mark.looptime
@pytest.mark.parametrize("seed", [*FEW, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MANY)])
async def test_to_remember_and_to_look_anew_say_the_same_whatever_happens(seed: int) -> None:
    dice = random.Random(seed)
    both = await two()
    await both.look()
    for _ in range(15):
        happens, name = dice.choice(HAPPENINGS), dice.choice(NAMES)
        await happens(both, name)
        await both.look(only=[one for one in NAMES if f"{one}.yaml" in both.files])
        await both.look()
