"""Guards of a plan: whatever stops a step says why, and nothing else is stopped."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.core.applied import MEMBERS
from controller.core.live import LiveService, Observation, Revision, Rollout
from controller.core.plan import Drift, EnsureTaskDefinition, Guards, Plan, TagService, UpdateService, plan
from controller.core.render import Rendered
from controller.reasons import Reason
from tests.support import SPEC, rendered

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GUARDS = Guards(now=NOW, owner="controller")
ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/bert:"


def revision(one: Rendered, number: int = 1, **changes: Any) -> Revision:
    return Revision({**one.register, **changes, "taskDefinitionArn": f"{ARN}{number}", "revision": number})


def live(one: Rendered, *, tags: dict[str, str] | None = None, **changes: Any) -> LiveService:
    """The service as it would be after `one` was applied, with changes."""
    return LiveService({
        **one.service,
        "serviceName": "bert",
        "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/default/bert",
        "status": "ACTIVE",
        "taskDefinition": f"{ARN}1",
        "tags": [{"key": key, "value": value} for key, value in (one.tags if tags is None else tags).items()],
        **changes,
    })  # fmt: skip


def seen(one: Rendered, service: LiveService | None = None, **more: Any) -> Observation:
    return Observation(service=service or live(one), revision=revision(one), **more)


def reasons(planned: Plan) -> list[Reason]:
    return [hold.reason for hold in planned.holds]


def with_reconcile(text: str) -> Rendered:
    return rendered(f"{SPEC}  reconcile: {{{text}}}\n")


def test_in_sync() -> None:
    one = rendered()
    planned = plan(one, seen(one), GUARDS)
    assert (planned.drift, planned.steps, planned.holds, planned.changes) == (Drift.IN_SYNC, (), (), ())


def test_a_change_says_path_values_origin_and_effect() -> None:
    one = rendered()
    changed = rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4").replace("replicas: 1", "replicas: 2"))
    planned = plan(changed, seen(one, live(one, desiredCount=1)), GUARDS)
    told = {change.field: (change.live, change.spec, change.origin.line, change.effect) for change in planned.changes}
    assert told["taskDefinition.containerDefinitions[train].environment[LR]"] == (
        "1e-3", "1e-4", 16, "new revision, rolls 1 task",
    )  # fmt: skip
    assert told["service.desiredCount"] == (1, 2, 8, "no restart")
    assert told["service.deploymentConfiguration.minimumHealthyPercent"] == (0, 50, 9, "applies at the next deployment")


def test_what_gaudi_adds_has_the_line_that_asked_for_it() -> None:
    one = rendered()
    planned = plan(one, replace(seen(one), revision=revision(one, ipcMode="task")), GUARDS)
    (change,) = planned.changes
    assert (change.field, change.origin.line) == ("taskDefinition.ipcMode", 9)


def test_secrets_do_not_leave_the_comparison() -> None:
    secret = SPEC.replace("LR: 1e-3", "HF_TOKEN: hunter2-hunter2")
    planned = plan(rendered(secret), seen(rendered()), GUARDS)
    assert "hunter2" not in repr(planned.changes)
    assert any("••••" in str(change.spec) for change in planned.changes)


@pytest.mark.parametrize(
    ("tags", "changes", "reason"),
    [
        ({}, {}, Reason.NOT_OWNED),
        ({"dl1.ecs/owner": "somebody"}, {}, Reason.OWNED_BY_ANOTHER),
        ({"aws:cloudformation:stack-name": "s"}, {}, Reason.FOREIGN_CONTROLLER),
        ({"dl1.ecs/owner": "controller"}, {"deploymentController": {"type": "CODE_DEPLOY"}}, Reason.FOREIGN_CONTROLLER),
        ({"dl1.ecs/owner": "controller"}, {"resourceManagementType": "ECS"}, Reason.FOREIGN_CONTROLLER),
    ],
)
def test_what_is_not_ours_is_never_touched(tags: dict[str, str], changes: dict[str, Any], reason: Reason) -> None:
    one = rendered()
    planned = plan(one, seen(one, live(one, tags=tags, desiredCount=7, **changes)), GUARDS)
    assert (planned.drift, planned.steps, reasons(planned)) == (Drift.BLOCKED, (), [reason])
    assert any(change.field == "service.desiredCount" for change in planned.changes), "but it is shown"


@pytest.mark.parametrize("tags", [{"dl1.ecs/owner": "somebody"}, {"aws:cloudformation:stack-name": "s"}])
def test_adopt_takes_only_what_nobody_owns(tags: dict[str, str]) -> None:
    one = with_reconcile("adopt: true")
    assert plan(one, seen(one, live(one, tags=tags)), GUARDS).steps == ()
    first, *_ = plan(one, seen(one, live(one, tags={})), GUARDS).steps
    assert first == TagService(one.workload.key, put={"dl1.ecs/owner": "controller"})


def test_a_change_that_needs_a_new_service_is_refused_whole() -> None:
    one = rendered(SPEC + "  service: {launchType: EC2}\n")
    planned = plan(one, seen(one, live(one, launchType="EXTERNAL", desiredCount=3)), GUARDS)
    assert (planned.steps, reasons(planned)) == ((), [Reason.REPLACE_REQUIRED])
    assert {change.effect for change in planned.changes} == {"REPLACES the service", "no restart"}


@pytest.mark.parametrize(
    ("text", "drift", "reason"),
    [
        ("mode: notify", Drift.DRIFTED, Reason.NOTIFY_ONLY),
        ("mode: off", Drift.UNKNOWN, Reason.RECONCILE_OFF),
        ("suspend: {reason: busy, until: 2026-11-24T12:00:01Z}", Drift.DRIFTED, Reason.SUSPENDED),
        ("dependsOn: [default/other]", Drift.BLOCKED, Reason.DEPENDENCY_NOT_READY),
    ],
)
def test_what_holds_every_step(text: str, drift: Drift, reason: Reason) -> None:
    other = SPEC.replace("name: bert", "name: other")
    from tests.support import desired

    found = desired(f"{SPEC}  reconcile: {{{text}}}\n", other)
    one = next(one for key, one in found.rendered.items() if key.name == "bert")
    planned = plan(one, seen(one, live(one, desiredCount=7)), GUARDS)
    assert (planned.drift, planned.steps, reasons(planned)) == (drift, (), [reason])


def test_holds_end() -> None:
    one = with_reconcile("suspend: {reason: busy, until: 2026-11-24T11:59:59Z}")
    assert plan(one, seen(one, live(one, desiredCount=7)), GUARDS).steps
    paused = with_reconcile("suspend: {reason: busy, until: 2026-11-24T12:30:00Z}")
    (hold,) = plan(paused, seen(paused, live(paused, desiredCount=7)), GUARDS).holds
    assert hold.after == timedelta(minutes=30).total_seconds()
    assert "busy" in hold.message


def test_nothing_is_held_where_nothing_is_to_be_done() -> None:
    one = with_reconcile("mode: notify")
    planned = plan(one, seen(one), GUARDS)
    assert (planned.drift, planned.holds) == (Drift.IN_SYNC, ())


def test_a_draining_name_is_waited_for() -> None:
    one = rendered()
    planned = plan(one, seen(one, live(one, status="DRAINING")), GUARDS)
    assert (planned.drift, planned.steps, reasons(planned)) == (Drift.BLOCKED, (), [Reason.DRAINING])
    assert planned.holds[0].after is not None


def test_equal_content_of_an_old_revision_is_reused() -> None:
    one = rendered()
    changed = rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4"))
    observation = seen(one, candidates=(revision(one, 9, cpu="1"), revision(changed, 3)))
    planned = plan(changed, observation, GUARDS)
    assert not any(isinstance(step, EnsureTaskDefinition) for step in planned.steps)
    assert list(planned.revisions.values()) == [f"{ARN}3"]


def test_an_inactive_revision_is_not_reused() -> None:
    one = rendered()
    changed = rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4"))
    observation = seen(one, candidates=(revision(changed, 3, status="INACTIVE"),))
    assert isinstance(plan(changed, observation, GUARDS).steps[0], EnsureTaskDefinition)


@pytest.mark.parametrize("status", ["ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"])
def test_what_ecs_rolled_back_is_not_tried_again(status: str) -> None:
    one = rendered()
    bad = rendered(SPEC.replace("bert:1", "bert:2").replace("replicas: 1", "replicas: 2"))
    rollout = Rollout(arn="d", status=status, target=f"{ARN}2", reason="circuit breaker")
    observation = seen(one, live(one, desiredCount=1), candidates=(revision(bad, 2),), rollout=rollout)
    planned = plan(bad, observation, GUARDS)
    assert reasons(planned) == [Reason.ROLLED_BACK]
    step, tag = planned.steps
    assert isinstance(step, UpdateService)
    assert step.digest is None, "the count is healed, the revision is left"
    assert isinstance(tag, TagService)
    assert set(tag.put) == {MEMBERS}, "what was applied is remembered, but not that all of it was"
    forced = plan(bad, observation, replace(GUARDS, force=True))
    assert not forced.holds
    fixed = rendered(SPEC.replace("bert:1", "bert:3"))
    assert not plan(fixed, replace(observation, candidates=()), GUARDS).holds


def test_a_rollout_of_something_else_holds_nothing() -> None:
    one = rendered()
    wanted = rendered(SPEC.replace("bert:1", "bert:2"))
    rollout = Rollout(arn="d", status="ROLLBACK_SUCCESSFUL", target=f"{ARN}7")
    assert not plan(wanted, seen(one, candidates=(revision(wanted, 2),), rollout=rollout), GUARDS).holds


def test_a_spec_that_is_gone_back_to_after_a_rollback_is_recorded() -> None:
    one = rendered()
    tags = one.tags | {"dl1.ecs/digest": "another", "dl1.ecs/generation": "4"}
    (step,) = plan(one, seen(one, live(one, tags=tags)), GUARDS).steps
    assert step == TagService(
        one.workload.key, put={"dl1.ecs/digest": one.digest, "dl1.ecs/generation": "5"}, remove=()
    )


def test_ignored_fields_are_neither_reported_nor_written() -> None:
    rules = (
        "ignore: [{path: service.deploymentConfiguration.maximumPercent, reason: x},"
        " {path: service.desiredCount, reason: y},"
        " {path: 'taskDefinition.containerDefinitions[train].environment[LR]', reason: z}]"
    )
    one = with_reconcile(rules)
    config = {**one.create["deploymentConfiguration"], "maximumPercent": 150, "minimumHealthyPercent": 10}
    train = one.register["containerDefinitions"][0]
    environment = [{**v, "value": "9"} if v["name"] == "LR" else v for v in train["environment"]]
    edited = revision(one, containerDefinitions=[{**train, "environment": environment, "image": "other"}])
    planned = plan(one, Observation(live(one, desiredCount=9, deploymentConfiguration=config), edited), GUARDS)
    assert {change.field for change in planned.changes} == {
        "service.deploymentConfiguration.minimumHealthyPercent",
        "taskDefinition.containerDefinitions[train].image",
    }
    assert planned.ignored == 3
    ensure, update = planned.steps
    assert isinstance(ensure, EnsureTaskDefinition)
    assert isinstance(update, UpdateService)
    assert update.members["deploymentConfiguration"]["maximumPercent"] == 150
    assert update.members["deploymentConfiguration"]["minimumHealthyPercent"] == 0
    assert "desiredCount" not in update.members
    variables = ensure.request["containerDefinitions"][0]["environment"]
    assert {v["name"]: v["value"] for v in variables}["LR"] == "9"


MONITORED = SPEC + "  service: {monitoring: {metricConfigurations: [{metricNames: [a], resolutionSeconds: 20}]}}\n"


def test_members_that_ecs_never_answers_are_sent_when_they_have_changed() -> None:
    one = rendered(MONITORED)
    assert plan(one, seen(one), GUARDS).steps == ()
    changed = rendered(MONITORED.replace("20", "60"))
    update, tag = plan(changed, seen(one), GUARDS).steps
    assert isinstance(update, UpdateService)
    assert update.members == {"monitoring": changed.create["monitoring"]}
    assert isinstance(tag, TagService)
    other = rendered(MONITORED.replace("LR: 1e-3", "LR: 1e-4"))
    sent = next(step for step in plan(other, seen(one), GUARDS).steps if isinstance(step, UpdateService))
    assert sent.members == {}, "what has not changed is not sent, although the spec has"


def test_members_that_ecs_never_answers_are_taken_away_when_they_are_declared_no_more() -> None:
    before, after = rendered(MONITORED), rendered()
    update, tag = plan(after, seen(before), GUARDS).steps
    assert isinstance(update, UpdateService)
    assert update.members == {"monitoring": {"metricConfigurations": []}}
    tags = before.tags | tag.put  # type: ignore[union-attr]
    assert plan(after, seen(after, live(after, tags=tags)), GUARDS).steps == ()


def test_members_that_ecs_never_answers_are_sent_where_nothing_is_remembered() -> None:
    one = rendered(MONITORED)
    nothing = {"dl1.ecs/owner": "controller"}
    update, *_ = plan(one, seen(one, live(one, tags=nothing)), GUARDS).steps
    assert isinstance(update, UpdateService)
    assert set(update.members) == {"monitoring"}


def test_a_field_that_ecs_adds_tomorrow_is_information() -> None:
    one = rendered()
    planned = plan(one, seen(one, live(one, quantum={"on": True})), GUARDS)
    assert planned.drift is Drift.IN_SYNC
    assert [unknown.path for unknown in planned.unknown] == [("service", "quantum")]
