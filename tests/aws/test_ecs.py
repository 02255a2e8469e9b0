"""The gateway: batches, whole answers or an error, what is read once, and who can write."""

import asyncio
import inspect
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.aws.api import AnswerError, ApiError, NoAnswerError
from controller.aws.client import is_read
from controller.aws.ecs import CANDIDATES, EcsGateway, EcsReader, together
from controller.aws.limits import IN_FLIGHT, Limited, Limiter, Priority, priority
from controller.errors import Ambiguous, ControllerError, Denied, Stalled, Transient
from controller.reasons import Reason
from controller.reconcile.ports import Ecs, ReadEcs
from controller.sandbox.clocks import LoopClock
from controller.sandbox.inprocess import InProcess
from controller.sandbox.simulator import Simulator

pytestmark = pytest.mark.looptime

CONTAINER = {"name": "app", "image": "app:1", "memory": 100}


class Simulated:
    """A simulated ECS behind the gateway: counts, and lets a test stand in the way."""

    def __init__(self) -> None:
        self.simulator = Simulator(now=LoopClock().epoch)
        self.calls: Counter[str] = Counter()
        self.params: list[tuple[str, Mapping[str, Any]]] = []
        self.at_once = self.most_at_once = 0
        self.before: Callable[[str], None] = lambda _: None
        self.changed: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda _, answer: answer
        self._api = InProcess(self.simulator, LoopClock())

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self.calls[operation] += 1
        self.params.append((operation, params))
        self.at_once += is_read(operation)
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.before(operation)
            await asyncio.sleep(0.01)
            return self.changed(operation, await self._api.call(operation, params))
        finally:
            self.at_once -= is_read(operation)

    def hand(self, operation: str, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.simulator.call(operation, params, self.simulator.world.now)
        return answer

    def register(self, family: str = "app", **members: Any) -> str:
        answer = self.hand("RegisterTaskDefinition", family=family, containerDefinitions=[CONTAINER | members])
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def create(self, *names: str, family: str = "app") -> None:
        for name in names:
            tags = [{"key": "team", "value": name}]
            self.hand("CreateService", serviceName=name, taskDefinition=family, desiredCount=0, tags=tags)


@pytest.fixture
def ecs() -> Simulated:
    return Simulated()


def names(count: int) -> list[str]:
    return [f"s{number:04}" for number in range(count)]


# Services
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "calls"), [(0, 0), (1, 1), (10, 1), (11, 2), (95, 10)])
async def test_services_are_described_by_tens_with_their_tags(ecs: Simulated, count: int, calls: int) -> None:
    ecs.register()
    ecs.create(*names(count))
    found = await EcsReader(ecs).services("default", names(count))
    assert list(found) == names(count)
    assert all(service.tags == {"team": name} for name, service in found.items())
    assert ecs.calls == ({"DescribeServices": calls} if calls else {})


async def test_a_name_that_is_asked_for_twice_is_asked_for_once(ecs: Simulated) -> None:
    ecs.register()
    ecs.create("a")
    assert set(await EcsReader(ecs).services("default", ["a"] * 30)) == {"a"}
    assert ecs.params[0][1]["services"] == ["a"]


async def test_what_is_missing_is_left_out_and_what_is_inactive_is_not(ecs: Simulated) -> None:
    ecs.register()
    ecs.create("gone", "here")
    ecs.hand("DeleteService", service="gone")
    ecs.simulator.advance(ecs.simulator.world.now + 60)
    found = await EcsReader(ecs).services("default", ["gone", "here", "never"])
    assert {name: service.status for name, service in found.items()} == {"gone": "INACTIVE", "here": "ACTIVE"}


@pytest.mark.parametrize(
    "broken",
    [
        lambda answer: answer | {"failures": [{"arn": "x", "reason": "UNAVAILABLE"}], "services": []},
        lambda answer: answer | {"failures": [*answer["failures"], {"arn": "x", "reason": "ODD"}]},
        lambda answer: answer | {"services": answer["services"][1:]},
        lambda _: {},
    ],
    ids=["other reason", "other reason beside", "one too few", "nothing"],
)
async def test_half_an_answer_is_an_error_and_no_service_is_taken_for_missing(ecs: Simulated, broken: Any) -> None:
    ecs.register()
    ecs.create("a", "b")
    ecs.changed = lambda _, answer: broken(answer)
    with pytest.raises(Transient, match="did not answer for all of a, b") as caught:
        await EcsReader(ecs).services("default", ["a", "b"])
    assert caught.value.reason is Reason.SERVER_ERROR


async def test_one_failing_batch_fails_all_and_the_others_are_given_up(ecs: Simulated) -> None:
    ecs.register()
    ecs.create(*names(500))

    def refuse(_: str) -> None:
        if ecs.calls["DescribeServices"] == 3:
            raise AnswerError("DescribeServices", code="AccessDeniedException", message="no")

    ecs.before = refuse
    with pytest.raises(Denied, match="DescribeServices failed"):
        await EcsReader(Limited(ecs, Limiter())).services("default", names(500))
    assert ecs.calls["DescribeServices"] <= IN_FLIGHT + 1, "the batches that waited are not sent any more"
    assert ecs.at_once == 0


async def test_a_big_look_keeps_no_urgent_read_waiting(ecs: Simulated) -> None:
    """Only the limiter bounds what is in flight: a queue of our own before it would know no priorities."""
    ecs.register()
    ecs.create(*names(600))
    reader = EcsReader(Limited(ecs, Limiter()))
    with priority(Priority.RESYNC):
        big = asyncio.create_task(reader.services("default", names(600)))
    await asyncio.sleep(0)
    with priority(Priority.ROLLOUT):
        await reader.services("default", ["s0000"])
    assert ecs.most_at_once == IN_FLIGHT
    assert ecs.calls["DescribeServices"] < 60, "it was answered before all of the others were sent"
    await big


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)])
async def test_names_are_listed_by_hundreds(ecs: Simulated, count: int, calls: int) -> None:
    ecs.register()
    ecs.create(*names(count))
    assert sorted(await EcsReader(ecs).service_names("default")) == names(count)
    assert ecs.calls == {"ListServices": calls}


async def test_a_failing_page_fails_the_listing(ecs: Simulated) -> None:
    ecs.register()
    ecs.create(*names(250))

    def lose(_: str) -> None:
        if ecs.calls["ListServices"] == 2:
            raise NoAnswerError("ListServices", "Connection reset", sent=True)

    ecs.before = lose
    with pytest.raises(Transient, match="ListServices") as caught:
        await EcsReader(ecs).service_names("default")
    assert not isinstance(caught.value, Ambiguous)


async def test_a_page_may_be_small_and_the_last_one_empty() -> None:
    """The API promises no page to be full: `nextToken` alone says whether there is more."""
    pages = [
        {"serviceArns": ["arn:x:service/c/a"], "nextToken": "1"},
        {"serviceArns": [], "nextToken": "2"},
        {"serviceArns": ["arn:x:service/c/b"]},
    ]
    tokens: list[Any] = []

    class Api:
        async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
            tokens.append(params.get("nextToken"))
            return pages[len(tokens) - 1]

    assert await EcsReader(Api()).service_names("c") == ("a", "b")
    assert tokens == [None, "1", "2"]


async def test_a_cluster_that_is_not_there_is_named(ecs: Simulated) -> None:
    with pytest.raises(Stalled) as caught:
        await EcsReader(ecs).service_names("nowhere")
    assert caught.value.reason is Reason.CLUSTER_NOT_FOUND


# Task definitions
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_revision_is_read_once(ecs: Simulated) -> None:
    arns = [ecs.register(), ecs.register(image="app:2")]
    reader = EcsReader(ecs)
    assert set(await reader.revisions([*arns, *arns])) == set(arns)
    assert (await reader.revision(arns[0])).wire["revision"] == 1
    assert set(await reader.revisions(arns)) == set(arns)
    assert ecs.calls == {"DescribeTaskDefinition": 2}


async def test_what_was_registered_needs_no_reading(ecs: Simulated) -> None:
    gateway = EcsGateway(ecs)
    tags = [{"key": "team", "value": "nlp"}]
    made = await gateway.register({"family": "app", "containerDefinitions": [CONTAINER], "tags": tags})
    assert made.tags == {"team": "nlp"}
    assert await gateway.revision(made.arn) == made
    assert ecs.calls == {"RegisterTaskDefinition": 1}


async def test_candidates_are_the_newest_active_revisions_newest_first(ecs: Simulated) -> None:
    arns = [ecs.register(image=f"app:{number}") for number in range(CANDIDATES + 5)]
    ecs.register("app-other")
    ecs.hand("DeregisterTaskDefinition", taskDefinition=arns[-1])
    reader = EcsReader(ecs)
    found = await reader.candidates("app")
    assert [one.arn for one in found] == arns[-2 : -2 - CANDIDATES : -1]
    assert all(one.active for one in found)
    await reader.candidates("app")
    assert ecs.calls == {"ListTaskDefinitions": 2, "DescribeTaskDefinition": CANDIDATES}


async def test_a_family_that_does_not_exist_has_no_candidates(ecs: Simulated) -> None:
    assert await EcsReader(ecs).candidates("nobody") == ()


async def test_two_registrations_of_one_family_are_never_under_way_at_once(ecs: Simulated) -> None:
    under_way: Counter[str] = Counter()
    most: Counter[str] = Counter()
    api = ecs.call

    class Watched:
        async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
            family = str(params["family"])
            under_way[family] += 1
            most[family] = max(most[family], under_way[family])
            most["all"] = max(most["all"], under_way.total())
            try:
                return await api(operation, params)
            finally:
                under_way[family] -= 1

    gateway = EcsGateway(Watched())
    requests = [
        {"family": family, "containerDefinitions": [CONTAINER | {"image": f"app:{number}"}]}
        for number in range(3)
        for family in ("a", "b")
    ]
    made = await together(gateway.register(request) for request in requests)
    assert len({one.arn for one in made}) == 6
    assert most == {"a": 1, "b": 1, "all": 2}
    assert len(gateway._families) == 0, "a family that nobody registers is forgotten"


async def test_a_failed_registration_frees_its_family(ecs: Simulated) -> None:
    gateway = EcsGateway(ecs)
    with pytest.raises(Stalled):
        await gateway.register({"family": "a", "containerDefinitions": []})
    await gateway.register({"family": "a", "containerDefinitions": [CONTAINER]})


# Rollouts
# ----------------------------------------------------------------------------------------------------------------------


def deployed(ecs: Simulated, *arns: str) -> None:
    """The service brings out these revisions, one after the other."""
    for arn in arns:
        ecs.hand("UpdateService", service="web", taskDefinition=arn, desiredCount=0)
        ecs.simulator.advance(ecs.simulator.world.now + 600)


async def test_the_newest_rollout_of_a_revision_is_found_behind_others(ecs: Simulated) -> None:
    arns = [ecs.register(image=f"app:{number}") for number in range(3)]
    ecs.create("web")
    deployed(ecs, arns[0], arns[1], arns[2], arns[0])
    reader = EcsReader(ecs)
    for arn in arns:
        found = await reader.rollout("default", "web", arn)
        assert found is not None
        assert found.target == arn
        assert not found.failed
    assert await reader.rollout("default", "web", ecs.register(image="app:9")) is None


async def test_a_service_without_history_has_no_rollout(ecs: Simulated) -> None:
    """Deployments without a target revision are of before October 2024."""
    ecs.register()
    ecs.create("web")

    def forget(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
        for one in answer.get("serviceDeployments", ()):
            one.pop("targetServiceRevisionArn", None)
        return answer

    ecs.changed = forget
    assert await EcsReader(ecs).rollout("default", "web", "arn") is None
    assert ecs.calls == {"ListServiceDeployments": 1}


# Writes
# ----------------------------------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[EcsGateway], Any]] = {
    "RegisterTaskDefinition": lambda g: g.register({"family": "app", "containerDefinitions": [CONTAINER]}),
    "CreateService": lambda g: g.create({"serviceName": "new", "taskDefinition": "app", "desiredCount": 0}),
    "UpdateService": lambda g: g.update("default", "web", {"desiredCount": 0}),
    "DeleteService": lambda g: g.delete("default", "web"),
    "TagResource": lambda g: g.tag("arn:aws:ecs:us-east-1:123456789012:service/default/web", {"a": "b"}),
    "UntagResource": lambda g: g.untag("arn:aws:ecs:us-east-1:123456789012:service/default/web", ["a"]),
}


@pytest.mark.parametrize("operation", WRITES)
async def test_a_write_is_sent_once_and_its_lost_answer_is_ambiguous(ecs: Simulated, operation: str) -> None:
    ecs.register()
    ecs.create("web")

    def lost(_: str, __: dict[str, Any]) -> dict[str, Any]:
        raise NoAnswerError(operation, "Read timeout", sent=True)

    ecs.changed = lost
    with pytest.raises(Ambiguous) as caught:
        await WRITES[operation](EcsGateway(ecs))
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN
    assert ecs.calls == {operation: 1}


@pytest.mark.parametrize("operation", WRITES)
async def test_a_write_that_never_left_is_no_mystery(ecs: Simulated, operation: str) -> None:
    ecs.register()
    ecs.create("web")

    def unsent(_: str) -> None:
        raise NoAnswerError(operation, "no route", sent=False)

    ecs.before = unsent
    with pytest.raises(Transient) as caught:
        await WRITES[operation](EcsGateway(ecs))
    assert not isinstance(caught.value, Ambiguous)


@pytest.mark.parametrize("operation", WRITES)
async def test_each_write_does_what_it_says(ecs: Simulated, operation: str) -> None:
    ecs.register()
    ecs.create("web")
    await WRITES[operation](EcsGateway(ecs))
    assert ecs.calls == {operation: 1}


async def test_an_update_sends_only_what_it_is_given(ecs: Simulated) -> None:
    ecs.register()
    ecs.create("web")
    live = await EcsGateway(ecs).update("default", "web", {"desiredCount": 0})
    assert live.name == "web"
    assert ecs.params == [("UpdateService", {"cluster": "default", "service": "web", "desiredCount": 0})]


async def test_only_the_tree_of_errors_leaves_this_room(ecs: Simulated) -> None:
    def odd(_: str) -> None:
        raise ApiError("DescribeServices", "odd")

    ecs.before = odd
    with pytest.raises(ControllerError, match="odd"):
        await EcsReader(ecs).services("default", ["a"])


# Who can write
# ----------------------------------------------------------------------------------------------------------------------


def offered(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


WRITING = {"register", "deregister", "create", "update", "delete", "tag", "untag"}


def test_a_reader_offers_reads_only() -> None:
    assert offered(EcsReader) == offered(ReadEcs)
    assert offered(EcsReader).isdisjoint(WRITING)
    assert offered(EcsGateway) - offered(EcsReader) == offered(Ecs) - offered(ReadEcs) == WRITING


async def test_whatever_a_reader_is_asked_it_only_reads(ecs: Simulated) -> None:
    arn = ecs.register()
    ecs.create("web")
    reader = EcsReader(ecs)
    asked: dict[str, Any] = {
        "cluster": "default", "names": ["web"], "service": "web",
        "arn": arn, "arns": [arn], "task_definition": arn, "family": "app", "wanted": lambda _: False,
    }  # fmt: skip
    assert offered(type(reader.tasks)) == {"list_tasks", "describe_tasks", "addresses"}
    for name in sorted(offered(EcsReader) - {"tasks"}):
        method = getattr(reader, name)
        await method(**{one: asked[one] for one in inspect.signature(method).parameters})
    assert ecs.calls
    assert all(is_read(operation) for operation in ecs.calls)


PROOF = """
from controller.reconcile.ports import Ecs, ReadEcs

async def writes(ecs: {port}) -> None:
    await ecs.register({{}})
    await ecs.deregister("")
    await ecs.create({{}})
    await ecs.update("", "", {{}})
    await ecs.delete("", "")
    await ecs.tag("", {{}})
    await ecs.untag("", [])
"""


@pytest.mark.parametrize(("port", "errors"), [("ReadEcs", 7), ("Ecs", 0)])
def test_the_type_checker_proves_it(tmp_path: Any, port: str, errors: int) -> None:
    """The dry run is given a `ReadEcs`: see `app.once.look`."""
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file="]
    done = subprocess.run(
        [*command, "--cache-dir", str(tmp_path), "-c", PROOF.format(port=port)],
        capture_output=True, text=True, check=False, timeout=100, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.count('"ReadEcs" has no attribute') == errors, done.stdout + done.stderr
    assert done.returncode == (1 if errors else 0), done.stdout + done.stderr


# Together
# ----------------------------------------------------------------------------------------------------------------------


async def test_together_answers_in_order_whatever_ends_first() -> None:
    async def after(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    assert await together(after(seconds) for seconds in (3.0, 1.0, 2.0)) == [3.0, 1.0, 2.0]


async def test_the_first_failure_cancels_the_rest_and_is_raised_as_itself() -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def failing() -> None:
        await asyncio.sleep(1)
        raise Transient("no")

    with pytest.raises(Transient, match="no"):
        await together([slow(), failing(), slow()])
    assert ended == ["cancelled", "cancelled"]
