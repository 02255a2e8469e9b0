"""An import asks for what is there: whatever was recorded, whatever the model allows, whatever runs in the sandbox.

A spec that was imported renders as the requests that it was made from, planning it writes nothing but our tags, and
importing what it renders as gives the same letters again.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from controller.app.importing import read, written
from controller.core.compare import SERVICE, content
from controller.core.diff import diff
from controller.core.ecs.model import Flag, ListOf, MapOf, Number, Structure, Text, load
from controller.core.fields.service import OUTPUT_ONLY, TASK_DEFINITION_OUTPUT_ONLY
from controller.core.importing.document import Choices, spec_of
from controller.core.importing.exports import Address
from controller.core.importing.found import Found
from controller.core.importing.proof import prove
from controller.core.live import LiveService, Observation, Revision
from controller.core.normalize import normalize
from controller.core.parse import parse
from controller.core.render import Settings, render
from controller.core.steps import Drift, TagService
from tests.laws.conftest import Hands
from tests.laws.test_prefix import edits, of, specs
from tests.support import rendered

RECORDED = Path(__file__).parent.parent / "data" / "recorded"
NOW = datetime(2026, 11, 25, tzinfo=UTC)
FAMILY = {
    "family": "stub",
    "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/stub:1",
    "containerDefinitions": [{"name": "a", "image": "b:1", "memory": 512}],
}


def again(one: Found, text: str) -> Found:
    """What a spec renders as, as if somebody had exported it."""
    (workload,) = parse({"bert.yaml": text.encode()}).workloads
    requests = render(workload, Settings()).rendered
    assert requests is not None
    service = {n: value for n, value in requests.create.items() if n not in ("clientToken", "taskDefinition")}
    tags = [tag for tag in service.pop("tags") if not tag["key"].startswith("dl1.ecs/")]
    if one.observation.service is None:
        seen = Observation(revision=Revision(requests.register, one.observation.revision.tags))
    else:
        revision = Revision(
            {n: v for n, v in requests.register.items() if n != "tags"},
            {tag["key"]: tag.get("value", "") for tag in requests.register.get("tags", ())},
        )
        seen = Observation(service=LiveService({**service, "tags": tags}), revision=revision)
    return Found(one.cluster, one.name, one.origin, seen, answered=one.answered)


def assert_asks_for_what_is_there(one: Found) -> str:
    """The text of the spec."""
    wanted = Choices()
    spec = spec_of(one, wanted)
    proof = prove(spec, one, wanted, file="bert.yaml", now=NOW)
    assert proof.differences == (), spec.text
    assert proof.beyond == ()
    (workload,) = parse({"bert.yaml": spec.text.encode()}).workloads
    requests = render(workload, Settings()).rendered
    assert requests is not None
    if not spec.hidden:
        assert diff(content(requests.register).members, content(one.register).members) == ()
    if one.observation.service is not None:
        asked = {name: value for name, value in requests.service.items() if name != "desiredCount"}
        assert diff(normalize(SERVICE, asked).members, normalize(SERVICE, one.service).members) == ()
    return spec.text


# What ECS has really answered
# --------------------------------------------------------------------------------------------------------------------


def recorded_task_definitions() -> Iterator[Any]:
    for file in sorted(RECORDED.glob("sequences/*/*TaskDefinition_*.json")):
        answer = json.loads(file.read_text())
        if "taskDefinition" in answer:
            tags = {tag["key"]: tag["value"] for tag in answer.get("tags", ())}
            yield pytest.param(Revision(answer["taskDefinition"], tags), id=f"{file.parent.name}-{file.stem}")
    for file in sorted(RECORDED.glob("pairs/*TaskDefinition*.json")):
        yield pytest.param(Revision(json.loads(file.read_text())["live"]), id=file.stem)


def recorded_services() -> Iterator[Any]:
    for file in sorted(RECORDED.glob("sequences/*/*Service*_*.json")):
        answer = json.loads(file.read_text())
        for service in (*answer.get("services", ()), *([answer["service"]] if "service" in answer else ())):
            yield pytest.param(service, id=f"{file.parent.name}-{file.stem}-{service['serviceName']}")
    for file in sorted(RECORDED.glob("pairs/*Service*.json")):
        yield pytest.param(json.loads(file.read_text())["live"], id=file.stem)


def test_there_are_recorded_answers() -> None:
    assert (len(list(recorded_task_definitions())), len(list(recorded_services()))) == (12, 16)


@pytest.mark.parametrize("revision", list(recorded_task_definitions()))
def test_a_recorded_task_definition(revision: Revision) -> None:
    one = Found("c", "n", "c/n", Observation(revision=revision))
    text = assert_asks_for_what_is_there(one)
    if "TODO" not in text:
        assert spec_of(again(one, text), Choices()).text == text


@pytest.mark.parametrize("service", list(recorded_services()))
def test_a_recorded_service(service: dict[str, Any]) -> None:
    mode = {"networkMode": "awsvpc"} if "networkConfiguration" in service else {}
    one = Found(
        *("c", service["serviceName"], "c/n"),
        Observation(service=LiveService(service), revision=Revision({**FAMILY, **mode})),
    )
    text = assert_asks_for_what_is_there(one)
    proof = prove(spec_of(one, Choices()), one, Choices(), file="bert.yaml", now=NOW)
    assert proof.in_sync is (service.get("status") != "DRAINING"), proof
    assert spec_of(again(one, text), Choices()).text == text


# What the model allows
# --------------------------------------------------------------------------------------------------------------------

words = st.text("abcxyz019-_", min_size=1, max_size=8)
odd_texts = st.sampled_from(
    ["", "null", "1.10", "yes", "a: b", "# x", "two\nlines\n", "é", "a,b", "{{ x }}", "~", "- a"]
)


def values(shape: str, *, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a shape of the API."""
    found = load().shapes[shape]
    match found:
        case Structure(document=True):
            return st.dictionaries(words, st.integers(0, 9) | words | odd_texts, max_size=2)
        case Structure(union=True, members=members):
            return st.sampled_from(sorted(members)).flatmap(
                lambda name: values(members[name], depth=depth + 1).map(lambda value: {name: value})
            )
        case Structure(members=members, required=required):
            must = {name: values(members[name], depth=depth + 1) for name in required}
            may = {name: values(member, depth=depth + 1) for name, member in members.items() if name not in required}
            chosen = st.sets(st.sampled_from(sorted(may)), max_size=6 if depth < 3 else 2) if may else st.just(set())
            return chosen.flatmap(
                lambda names: st.fixed_dictionaries({**must, **{name: may[name] for name in sorted(names)}})
            )
        case ListOf(of=of, least=least, most=most):
            return st.lists(values(of, depth=depth + 1), min_size=least, max_size=min(most or 2, 2))
        case MapOf(of=of):
            return st.dictionaries(words, values(of, depth=depth + 1), max_size=2)
        case Text(enum=enum) if enum:
            return st.sampled_from(enum)
        case Text():
            return words if depth < 2 else words | odd_texts
        case Number(whole=True, least=least, most=most):
            return st.integers(max(least or 0, -1), min(most if most is not None else 500, 500))
        case Number():
            return st.sampled_from([0.5, 1.0, 50.0, 99.9])
        case Flag():
            return st.booleans()


def requests(shape: str, left_out: frozenset[str]) -> st.SearchStrategy[dict[str, Any]]:
    return values(shape).map(lambda wire: {name: value for name, value in wire.items() if name not in left_out})


task_definitions = requests("RegisterTaskDefinitionRequest", TASK_DEFINITION_OUTPUT_ONLY | {"tags"})
services = requests(
    "CreateServiceRequest",
    OUTPUT_ONLY | {"tags", "cluster", "serviceName", "clientToken", "taskDefinition", "role", "monitoring"}
    | {"gatewayConnectors", "desiredCount"},
)  # fmt: skip

FILTERED = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@settings(max_examples=60, deadline=None, suppress_health_check=FILTERED)
@given(register=task_definitions, service=services)
def test_every_member_that_the_model_allows_survives(register: dict[str, Any], service: dict[str, Any]) -> None:
    survives(register, service)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(max_examples=1500, deadline=None, suppress_health_check=FILTERED)
@given(register=task_definitions, service=services)
def test_every_member_that_the_model_allows_survives_longer(register: dict[str, Any], service: dict[str, Any]) -> None:
    survives(register, service)


def survives(register: dict[str, Any], service: dict[str, Any]) -> None:
    containers = [{**container, "name": f"{index}"} for index, container in enumerate(register["containerDefinitions"])]
    revision = Revision({**FAMILY, **register, "family": "bert", "containerDefinitions": containers})
    live = LiveService({**service, "serviceName": "bert", "serviceArn": "a", "desiredCount": 1})
    one = Found("c", "bert", "c/bert", Observation(service=live, revision=revision))
    spec = spec_of(one, Choices())
    parsed = parse({"bert.yaml": spec.text.encode()})
    assume(parsed.workloads)  # two members with one key, a name that is none: no spec can say that
    assume(render(parsed.workloads[0], Settings()).rendered is not None)
    text = assert_asks_for_what_is_there(one)
    assert spec_of(again(one, text), Choices()).text == text


# What runs
# --------------------------------------------------------------------------------------------------------------------


async def imported(hands: Hands, name: str = "bert") -> str:
    """The text of the spec of a service of the cluster, proven."""
    found, _ = await read(hands.ecs, Address("default", name), owner="controller")
    (one,) = written(found, Choices(), file=lambda name: f"{name}.yaml", now=NOW)
    assert one.proof.in_sync, (one.spec.text, one.proof)
    return one.spec.text


async def created(hands: Hands, values: dict[str, str]) -> None:
    """Somebody else's service, made of a spec but without any tag of ours."""
    theirs = of(values)
    hands.call("RegisterTaskDefinition", **theirs.register)
    create = {name: value for name, value in theirs.create.items() if name not in ("tags", "clientToken")}
    hands.call("CreateService", **create, tags=[{"key": "team", "value": "theirs"}])


@settings(max_examples=50, deadline=None)
@given(values=specs, by_hand=edits)
async def test_a_foreign_service_is_adopted_without_a_change(
    values: dict[str, str], by_hand: list[dict[str, Any]]
) -> None:
    hands = Hands()
    await created(hands, values)
    hands.rest()
    for edit in by_hand:
        hands.call("UpdateService", service="bert", **edit)
    one = rendered(await imported(hands))
    planned = await hands.plan(one)
    assert {type(step) for step in planned.steps} == {TagService}
    hands.recorder.calls.clear()
    await hands.act(one, planned)
    assert set(hands.recorder.writes) == {"TagResource"}
    assert (await hands.plan(one)).drift is Drift.IN_SYNC
    assert rendered(await imported(hands)).workload.document.spec.reconcile.adopt is False


@settings(max_examples=40, deadline=None)
@given(values=specs, by_hand=edits)
async def test_importing_what_an_import_renders_as_gives_the_same_letters(
    values: dict[str, str], by_hand: list[dict[str, Any]]
) -> None:
    first = Hands()
    await created(first, values)
    for edit in by_hand:
        first.call("UpdateService", service="bert", **edit)
    text = await imported(first)
    one = rendered(text)
    second = Hands()
    second.call("RegisterTaskDefinition", **one.register)
    create = {name: value for name, value in one.create.items() if name not in ("tags", "clientToken")}
    tags = [tag for tag in one.create["tags"] if not tag["key"].startswith("dl1.ecs/")]
    second.call("CreateService", **create, tags=tags)
    assert await imported(second) == text


@settings(max_examples=30, deadline=None)
@given(values=specs)
async def test_a_service_of_ours_gives_back_its_spec(values: dict[str, str]) -> None:
    """Member for member: what the spec says beside its defaults is what the import says."""
    hands = Hands()
    written_ = of(values)
    await hands.converge(written_)
    again_ = rendered(await imported(hands))
    spec, back = written_.workload.document.spec, again_.workload.document.spec
    assert back.gaudi == spec.gaudi
    assert again_.workload.document.metadata == written_.workload.document.metadata
    assert back.reconcile.on_delete == spec.reconcile.on_delete
    assert content(again_.register).members == content(written_.register).members
