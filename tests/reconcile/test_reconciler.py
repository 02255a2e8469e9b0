"""One key from end to end on a simulated ECS: look, decide, act, tell; and what is left alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.aws.api import AnswerError, NoAnswerError
from controller.aws.ecs import EcsGateway
from controller.core.applied import Cause
from controller.core.ownership import OWNER
from controller.core.plan import Drift, Hold, Plan, ScaleToZero, UpdateService
from controller.core.prune import SourceHealth
from controller.core.render import Rendered
from controller.core.status import Health, HealthState, State, Type
from controller.core.workload import Key
from controller.errors import Ambiguous, ControllerError, Denied, Stalled, Transient, Waiting
from controller.reasons import Reason
from controller.reconcile.reconciler import DENIED_RETRY, Reconciler, Requeue, Result, outcome
from controller.reconcile.rollouts import Rollouts
from controller.sandbox.clocks import ManualClock
from controller.sandbox.consistency import check
from controller.sandbox.faults import Faults
from controller.sandbox.inprocess import InProcess
from controller.sandbox.simulator import Simulator
from tests.app.running import WRITES
from tests.support import desired, rendered

KEY = Key("default", "bert")
HEALTHY = SourceHealth(complete=True, workloads=1)

SPEC = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: bert}}
spec:
  cluster: default
  replicas: {replicas}
  taskDefinition:
    requiresCompatibilities: [EC2]
    containerDefinitions:
      - {{name: app, image: "example.com/bert:{tag}", cpu: 256, memory: 512}}
  service: {{{service}}}
  reconcile: {{{reconcile}}}
"""


def bert(*, tag: str = "1", replicas: int = 1, service: str = "", reconcile: str = "") -> Rendered:
    return rendered(SPEC.format(tag=tag, replicas=replicas, service=service, reconcile=reconcile))


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Bench:
    """A simulator, and the reconciler of the moment on it."""

    simulator: Simulator = field(default_factory=lambda: Simulator(now=1_800_000_000.0))
    at: ManualClock = field(default_factory=ManualClock)
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    noted: list[dict[str, Any]] = field(default_factory=list)
    before_call: Callable[[int, str], None] = lambda _number, _operation: None
    after_call: Callable[[int, str], None] = lambda _number, _operation: None
    reconciler: Reconciler = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new process that knows nothing."""
        ecs = EcsGateway(InProcess(self.simulator, self.at, interceptor=self))
        self.reconciler = Reconciler(ecs, self, self, "controller")

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at.now(), UTC)

    def record(self, event: str, **facts: Any) -> None:
        self.noted.append({"event": event, **facts})

    async def before(self, operation: str, params: Mapping[str, Any]) -> None:
        self.calls.append((operation, params))
        self.before_call(len(self.calls) - 1, operation)

    async def after(self, operation: str, params: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        check(self.simulator.world)
        self.after_call(len(self.calls) - 1, operation)
        return answer

    def hand(self, operation: str, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.simulator.call(operation, params, self.at.now())
        return answer

    def rest(self, seconds: float = 600.0) -> None:
        self.at.advance(seconds)
        self.simulator.advance(self.at.now())

    @property
    def service(self) -> dict[str, Any]:
        found = self.hand("DescribeServices", services=["bert"], include=["TAGS"])["services"]
        return found[0] if found else {"status": "MISSING", "tags": []}

    @property
    def tags(self) -> dict[str, str]:
        return {tag["key"]: tag["value"] for tag in self.service.get("tags", ())}

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]

    @property
    def writes(self) -> list[str]:
        return [operation for operation in self.operations if operation.startswith(WRITES)]

    async def converge(self, wanted: Rendered, **more: Any) -> Result:
        return await self.reconciler.converge(wanted, **{"ready": {}, **more})

    async def remove(self, source: SourceHealth = HEALTHY) -> Result:
        return await self.reconciler.remove(KEY, source=source)

    async def converged(self, wanted: Rendered) -> None:
        await self.converge(wanted)
        self.rest()
        self.calls.clear()


@pytest.fixture
def bench() -> Bench:
    return Bench()


# What comes next
# ----------------------------------------------------------------------------------------------------------------------

WELL, ROLLING = Health(HealthState.HEALTHY, ""), Health(HealthState.PROGRESSING, "")


def held(*afters: float | None, reason: Reason = Reason.DEPENDENCY_NOT_READY) -> Plan:
    return Plan(KEY, Drift.BLOCKED, holds=tuple(Hold(reason, "", after) for after in afters))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Result(Plan(KEY, Drift.IN_SYNC), WELL), Requeue()),
        (Result(Plan(KEY, Drift.IN_SYNC), ROLLING), Requeue(watch=True)),
        (Result(Plan(KEY, Drift.DRIFTED), WELL, done=(ScaleToZero(KEY),)), Requeue(watch=True)),
        (Result(held(None), WELL), Requeue()),
        (Result(held(30.0), WELL), Requeue(after=30.0)),
        (Result(held(None, 30.0, 10.0), WELL), Requeue(after=10.0)),
        (Result(held(0.0), WELL), Requeue(after=1.0)),
        (Result(held(10.0, reason=Reason.DRAINING), ROLLING), Requeue(watch=True)),
        (
            Result(Plan(KEY, Drift.DRIFTED), WELL, error=Waiting("", after=7.0, reason=Reason.DRAINING)),
            Requeue(after=7.0),
        ),
        (
            Result(Plan(KEY, Drift.DRIFTED), WELL, error=Stalled("", reason=Reason.REJECTED_BY_ECS)),
            Requeue(terminal=True),
        ),
        (
            Result(Plan(KEY, Drift.DRIFTED), WELL, error=Denied("", reason=Reason.ACCESS_DENIED)),
            Requeue(after=DENIED_RETRY, refused=True),
        ),
        (Result(Plan(KEY, Drift.DRIFTED), WELL, error=Transient("")), Requeue(backoff=True)),
        (Result(Plan(KEY, Drift.DRIFTED), WELL, error=Ambiguous("")), Requeue(backoff=True)),
        (Result(Plan(KEY, Drift.DRIFTED), WELL, error=ControllerError("")), Requeue(backoff=True)),
        (Result(held(5.0), ROLLING, error=Transient("")), Requeue(backoff=True)),
    ],
)
def test_what_comes_next(result: Result, expected: Requeue) -> None:
    assert outcome(result) == expected


# Making it true
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_creation_and_then_nothing(bench: Bench) -> None:
    result = await bench.converge(bert())
    assert [type(step).__name__ for step in result.done] == ["EnsureTaskDefinition", "CreateService"]
    assert bench.writes == ["RegisterTaskDefinition", "CreateService"]
    assert [(note["event"], note["step"]) for note in bench.noted] == [
        ("step done", "EnsureTaskDefinition"),
        ("step done", "CreateService"),
    ]
    assert result.settled.drift is Drift.IN_SYNC
    assert result.conditions[Type.RECONCILING].reason is Reason.PROGRESSING
    bench.rest()
    bench.calls.clear()
    again = await bench.converge(bert())
    assert (again.plan.drift, again.done, again.health.state) == (Drift.IN_SYNC, (), HealthState.HEALTHY)
    assert bench.operations == ["DescribeServices"]


async def test_what_was_made_true_and_who_had_moved(bench: Bench) -> None:
    await bench.converged(bert())
    bench.hand("UpdateService", service="bert", desiredCount=4)
    for wanted, cause in ((bert(), Cause.LIVE), (bert(replicas=2), Cause.SPEC)):
        (made,) = (await bench.converge(wanted)).made_true
        assert (made.field, made.cause) == ("service.desiredCount", cause)


async def test_what_is_held_was_not_made_true(bench: Bench) -> None:
    await bench.converged(bert())
    until = (bench.now() + timedelta(hours=2)).isoformat()
    suspended = await bench.converge(bert(replicas=2, reconcile=f"suspend: {{reason: x, until: '{until}'}}"))
    assert (len(suspended.done), suspended.made_true) == (1, ())
    await bench.converge(bert(tag="broken-2"))
    bench.rest(7200)
    held_in_part = await bench.converge(bert(tag="broken-2", replicas=3))
    assert [hold.reason for hold in held_in_part.plan.holds] == [Reason.ROLLED_BACK]
    assert [one.field for one in held_in_part.made_true] == ["service.desiredCount"]


async def test_a_failure_has_made_nothing_true(bench: Bench) -> None:
    await bench.converged(bert())

    def refuse(_: int, operation: str) -> None:
        if operation == "UpdateService":
            raise AnswerError(operation, code="ThrottlingException", message="Rate exceeded")

    bench.before_call = refuse
    assert (await bench.converge(bert(tag="2"))).made_true == ()


LIVES: dict[str, Callable[[Bench], Rendered | None]] = {
    "create": lambda _: bert(),
    "change": lambda _: bert(tag="2", replicas=3, service="tags: [{key: cost, value: a}]"),
    "heal": lambda bench: (bench.hand("UpdateService", service="bert", desiredCount=4), bert())[1],
    "delete": lambda _: None,
}


async def begun(name: str) -> tuple[Bench, Rendered | None]:
    bench = Bench()
    if name != "create":
        await bench.converged(bert())
    return bench, LIVES[name](bench)


async def carried_out(bench: Bench, wanted: Rendered | None) -> Result:
    return await bench.remove() if wanted is None else await bench.converge(wanted)


@pytest.mark.parametrize("name", LIVES)
async def test_the_key_is_read_live_before_every_write(name: str) -> None:
    bench, wanted = await begun(name)
    await carried_out(bench, wanted)
    first = next(number for number, operation in enumerate(bench.operations) if operation.startswith(WRITES))
    live = [params for operation, params in bench.calls[:first] if operation == "DescribeServices"]
    assert [(params["services"], params["include"]) for params in live] == [(["bert"], ["TAGS"])]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", LIVES)
async def test_a_crash_at_any_call_costs_nothing(name: str, when: str) -> None:
    clean, wanted = await begun(name)
    await carried_out(clean, wanted)
    clean.rest()
    for moment in range(len(clean.calls)):
        bench, wanted = await begun(name)

        def crash(number: int, _: str, *, moment: int = moment) -> None:
            if number == moment:
                raise Crash

        if when == "before":
            bench.before_call = crash
        else:
            bench.after_call = crash
        with pytest.raises((Crash, BaseExceptionGroup)):
            await carried_out(bench, wanted)
        bench.before_call = bench.after_call = lambda _number, _operation: None
        bench.restart()
        await carried_out(bench, wanted)
        bench.rest()
        again = await carried_out(bench, wanted)
        assert again.done == ()
        keep = ("status", "desiredCount", "runningCount", "taskDefinition", "deploymentConfiguration")
        assert [bench.service.get(one) for one in keep] == [clean.service.get(one) for one in keep]
        assert bench.tags == clean.tags
        revisions = [len(one.hand("ListTaskDefinitions")["taskDefinitionArns"]) for one in (bench, clean)]
        assert revisions[0] == revisions[1]


@pytest.mark.parametrize("name", LIVES)
async def test_a_lost_answer_is_looked_at_and_nothing_is_done_twice(name: str) -> None:
    clean, wanted = await begun(name)
    await carried_out(clean, wanted)
    writes = [number for number, operation in enumerate(clean.operations) if operation.startswith(WRITES)]
    for moment in writes:
        bench, wanted = await begun(name)

        def lose(number: int, operation: str, *, moment: int = moment) -> None:
            if number == moment:
                raise NoAnswerError(operation, "connection reset", sent=True)

        bench.after_call = lose
        result = await carried_out(bench, wanted)
        assert isinstance(result.error, Ambiguous)
        assert outcome(result) == Requeue(backoff=True)
        assert result.conditions[Type.RECONCILING].reason is Reason.OUTCOME_UNKNOWN
        await carried_out(bench, wanted)
        assert sorted(bench.writes) == sorted(clean.writes)


async def test_a_failing_step_ends_the_plan_and_says_so(bench: Bench) -> None:
    def refuse(_: int, operation: str) -> None:
        if operation == "CreateService":
            raise AnswerError(operation, code="InvalidParameterException", message="no")

    bench.before_call = refuse
    result = await bench.converge(bert())
    assert isinstance(result.error, Stalled)
    assert [type(step).__name__ for step in result.done] == ["EnsureTaskDefinition"]
    assert result.settled.drift is Drift.MISSING
    assert [type(step).__name__ for step in result.settled.steps] == ["CreateService"]
    assert result.conditions[Type.STALLED].reason is Reason.REJECTED_BY_ECS


@pytest.mark.parametrize("operation", ["DescribeServices", "DescribeTaskDefinition", "ListTaskDefinitions"])
async def test_what_cannot_be_observed_is_unknown_and_not_missing(bench: Bench, operation: str) -> None:
    await bench.converged(bert())
    bench.restart()

    def lose(_: int, called: str) -> None:
        if called == operation:
            raise NoAnswerError(called, "timeout", sent=True)

    bench.before_call = lose
    result = await bench.converge(bert(tag="2"))
    assert (result.plan.drift, bench.writes) == (Drift.UNKNOWN, [])
    assert result.conditions[Type.IN_SYNC].status is State.UNKNOWN
    assert outcome(result) == Requeue(backoff=True)
    if operation == "DescribeServices":
        assert (await bench.remove()).plan.drift is Drift.UNKNOWN
        assert bench.writes == []


# Reads that lag
# ----------------------------------------------------------------------------------------------------------------------


async def test_an_observation_older_than_our_write_is_waited_out(bench: Bench) -> None:
    bench.simulator.set_faults(Faults(lag=30.0))
    await bench.converge(bert())
    bench.calls.clear()
    bench.at.advance(10.0)
    result = await bench.converge(bert())
    assert result.stale
    assert outcome(result) == Requeue(after=10.0)
    assert bench.operations == ["DescribeServices"]
    bench.at.advance(25.0)
    assert not (await bench.converge(bert())).stale


async def test_a_process_that_has_forgotten_its_writes_makes_nothing_twice(bench: Bench) -> None:
    bench.simulator.set_faults(Faults(lag=30.0))
    await bench.converge(bert())
    bench.restart()
    await bench.converge(bert())
    bench.rest()
    assert len(bench.hand("ListServices")["serviceArns"]) == 1
    assert len(bench.hand("ListTaskDefinitions")["taskDefinitionArns"]) <= 2, "registering has no token"
    tokens = {params["clientToken"] for operation, params in bench.calls if operation == "CreateService"}
    assert len(tokens) == 1
    assert (await bench.converge(bert())).plan.drift is Drift.IN_SYNC


async def test_a_deletion_that_is_not_shown_yet_is_not_repeated(bench: Bench) -> None:
    await bench.converged(bert())
    bench.simulator.set_faults(Faults(lag=30.0))
    await bench.remove()
    bench.at.advance(5.0)
    result = await bench.remove()
    assert result.stale
    assert bench.writes == ["UpdateService", "DeleteService"]


# What is left alone
# ----------------------------------------------------------------------------------------------------------------------


def foreign(bench: Bench, **tags: str) -> None:
    """A service that was there before us."""
    bench.hand("RegisterTaskDefinition", family="bert", containerDefinitions=[
        {"name": "app", "image": "example.com/theirs:1", "memory": 512}
    ])  # fmt: skip
    listed = {"tags": [{"key": key, "value": value} for key, value in tags.items()]} if tags else {}
    bench.hand("CreateService", serviceName="bert", taskDefinition="bert", desiredCount=1, **listed)
    bench.rest()


@pytest.mark.parametrize(
    ("tags", "reason"),
    [({}, Reason.NOT_OWNED), ({"cost": "a"}, Reason.NOT_OWNED), ({OWNER: "another"}, Reason.OWNED_BY_ANOTHER)],
)
async def test_what_is_not_ours_is_not_touched(bench: Bench, tags: dict[str, str], reason: Reason) -> None:
    foreign(bench, **tags)
    result = await bench.converge(bert())
    assert (bench.writes, [hold.reason for hold in result.plan.holds]) == ([], [reason])
    assert result.conditions[Type.OWNED].reason is reason
    assert outcome(result) == Requeue()
    removed = await bench.remove()
    assert (bench.writes, [hold.reason for hold in removed.plan.holds]) == ([], [Reason.NOT_OWNED])


async def test_adoption_takes_over_and_keeps_foreign_tags(bench: Bench) -> None:
    foreign(bench, cost="a")
    result = await bench.converge(bert(reconcile="adopt: true"))
    assert result.error is None
    assert bench.writes[0] == "TagResource", "it is ours before anything of it is changed"
    assert bench.tags["cost"] == "a"
    assert bench.tags[OWNER] == "controller"
    bench.rest()
    assert (await bench.converge(bert(reconcile="adopt: true"))).plan.drift is Drift.IN_SYNC


async def test_adoption_takes_nothing_from_another_owner(bench: Bench) -> None:
    foreign(bench, **{OWNER: "another"})
    await bench.converge(bert(reconcile="adopt: true"))
    assert bench.writes == []


@pytest.mark.parametrize(
    ("reconcile", "reason", "drift"),
    [("mode: notify", Reason.NOTIFY_ONLY, Drift.DRIFTED), ("mode: 'off'", Reason.RECONCILE_OFF, Drift.UNKNOWN)],
)
async def test_modes_that_do_not_write(bench: Bench, reconcile: str, reason: Reason, drift: Drift) -> None:
    await bench.converged(bert())
    result = await bench.converge(bert(replicas=2, tag="2", reconcile=reconcile))
    assert (bench.writes, result.plan.drift) == ([], drift)
    assert [hold.reason for hold in result.plan.holds] == [reason]
    assert bool(result.plan.changes) is (drift is Drift.DRIFTED), "notify reports what it does not write"


async def test_a_suspension_writes_nothing_but_itself(bench: Bench) -> None:
    until = (bench.now() + timedelta(hours=2)).isoformat()
    suspended = bert(replicas=2, reconcile=f"suspend: {{reason: x, until: '{until}'}}")
    assert (await bench.converge(suspended)).done == (), "what does not exist is not created"
    await bench.converged(bert())
    result = await bench.converge(suspended)
    assert bench.writes == ["TagResource"]
    assert bench.service["desiredCount"] == 1
    assert [hold.reason for hold in result.plan.holds] == [Reason.SUSPENDED]
    assert result.conditions[Type.SUSPENDED].status is State.TRUE
    assert (await bench.converge(suspended)).done == ()
    assert bench.writes == ["TagResource"]
    held_back = await bench.remove()
    assert [hold.reason for hold in held_back.plan.holds] == [Reason.SUSPENDED]
    bench.rest(7200)
    assert isinstance((await bench.converge(suspended)).done[0], UpdateService)
    assert (await bench.remove()).done


async def test_a_suspended_service_of_somebody_else_is_not_even_tagged(bench: Bench) -> None:
    foreign(bench, **{OWNER: "another"})
    until = (bench.now() + timedelta(hours=2)).isoformat()
    await bench.converge(bert(reconcile=f"suspend: {{reason: x, until: '{until}'}}"))
    assert bench.writes == []


async def test_what_it_depends_on_must_be_well(bench: Bench) -> None:
    dependent, other = (
        SPEC.format(tag="1", replicas=1, service="", reconcile=reconcile)
        for reconcile in ("dependsOn: [default/a]", "")
    )
    wanted = desired(dependent, other.replace("name: bert", "name: a")).rendered[KEY]
    for ready in ({}, {"default/a": False}):
        result = await bench.converge(wanted, ready=ready)
        assert [hold.reason for hold in result.plan.holds] == [Reason.DEPENDENCY_NOT_READY]
    assert bench.writes == []
    assert (await bench.converge(wanted, ready={"default/a": True})).done


async def test_a_rollback_is_remembered_and_force_forgets_it(bench: Bench) -> None:
    await bench.converged(bert())
    broken = bert(tag="broken-2")
    await bench.converge(broken)
    bench.rest(7200)
    assert bench.service["taskDefinition"].endswith(":1")
    bench.restart()
    bench.calls.clear()
    result = await bench.converge(broken)
    assert (bench.writes, [hold.reason for hold in result.plan.holds]) == ([], [Reason.ROLLED_BACK])
    assert result.conditions[Type.STALLED].reason is Reason.ROLLED_BACK
    await bench.converge(broken, force=True)
    assert "UpdateService" in bench.writes


async def test_what_becomes_of_it_is_remembered_although_its_rollout_is_held(bench: Bench) -> None:
    await bench.converged(bert())
    await bench.converge(bert(tag="broken-2"))
    bench.rest(7200)
    await bench.converge(bert(tag="broken-2", reconcile="onDelete: orphan"))
    assert bench.tags["dl1.ecs/on-delete"] == "orphan"
    assert [type(step).__name__ for step in (await bench.remove()).done] == ["TagService"]
    assert bench.service["status"] == "ACTIVE"


async def test_a_rollout_too_many_is_not_begun(bench: Bench) -> None:
    await bench.converged(bert())
    rollouts = Rollouts(1)
    rollouts.saw(Key("default", "other"), ROLLING)
    result = await bench.converge(bert(tag="2"), rollouts=rollouts)
    assert (bench.writes, [hold.reason for hold in result.plan.holds]) == ([], [Reason.TOO_MANY_ROLLOUTS])
    assert result.plan.changes
    rollouts.saw(Key("default", "other"), WELL)
    assert (await bench.converge(bert(tag="2"), rollouts=rollouts)).done
    assert not rollouts.may_begin(Key("default", "other")), "it counts as rolling out"


async def test_a_deployment_past_its_deadline(bench: Bench) -> None:
    nowhere = "placementConstraints: [{type: memberOf, expression: 'attribute:ecs.instance-type == p5.48xlarge'}]"
    await bench.converge(bert(service=nowhere))
    bench.rest(601)
    assert (await bench.converge(bert(service=nowhere))).health.state is HealthState.PROGRESSING
    late = await bench.converge(bert(service=nowhere), deadline=600.0)
    assert late.health.reason is Reason.DEADLINE_EXCEEDED
    assert "was unable to place a task" in late.conditions[Type.STALLED].message


# Removing
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_removal_scales_down_deletes_and_ends_inactive(bench: Bench) -> None:
    await bench.converged(bert(replicas=2))
    result = await bench.remove()
    assert bench.writes == ["UpdateService", "DeleteService"]
    assert (outcome(result), bench.service["status"]) == (Requeue(watch=True), "DRAINING")
    draining = await bench.remove()
    assert [hold.reason for hold in draining.plan.holds] == [Reason.DRAINING]
    assert (draining.health.state, outcome(draining)) == (HealthState.PROGRESSING, Requeue(watch=True))
    bench.rest()
    gone = await bench.remove()
    assert (gone.plan.drift, gone.live, outcome(gone)) == (Drift.IN_SYNC, None, Requeue())
    assert bench.writes == ["UpdateService", "DeleteService"]


async def test_a_name_that_drains_is_waited_for_and_created_anew(bench: Bench) -> None:
    await bench.converged(bert())
    await bench.remove()
    blocked = await bench.converge(bert())
    assert [hold.reason for hold in blocked.plan.holds] == [Reason.DRAINING]
    bench.rest()
    bench.calls.clear()
    await bench.converge(bert())
    assert bench.writes == ["CreateService"], "the revision is there already"
    bench.rest()
    assert (await bench.converge(bert())).plan.drift is Drift.IN_SYNC


@pytest.mark.parametrize(
    "source", [replace(HEALTHY, complete=False), replace(HEALTHY, workloads=0), replace(HEALTHY, young=3.0)]
)
async def test_a_doubtful_source_removes_nothing(bench: Bench, source: SourceHealth) -> None:
    await bench.converged(bert())
    result = await bench.remove(source)
    assert (bench.writes, [hold.reason for hold in result.plan.holds]) == ([], [Reason.DELETE_HELD])


async def test_what_somebody_has_taken_over_meanwhile_stays(bench: Bench) -> None:
    await bench.converged(bert())
    arn = bench.service["serviceArn"]
    bench.hand("TagResource", resourceArn=arn, tags=[{"key": OWNER, "value": "another"}])
    result = await bench.remove()
    assert (bench.writes, [hold.reason for hold in result.plan.holds]) == ([], [Reason.NOT_OWNED])


async def test_a_deployment_under_way_delays_the_deletion(bench: Bench) -> None:
    await bench.converged(bert())
    await bench.converge(bert(tag="2"))
    bench.at.advance(8.0)
    result = await bench.remove()
    assert isinstance(result.error, Waiting)
    assert [type(step).__name__ for step in result.done] == ["ScaleToZero"]
    bench.rest()
    assert [type(step).__name__ for step in (await bench.remove()).done] == ["DeleteService"]
