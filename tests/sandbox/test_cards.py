"""Gaudi cards: who gets them, and how it ends for the others."""

import pytest

from controller.sandbox.cards import claim
from controller.sandbox.images import ImageRule, Images, Runs

ON_DL1 = [{"type": "memberOf", "expression": "attribute:ecs.instance-type == dl1.24xlarge"}]


def gaudi(ecs, family, *, devices="all", modules=None, **members):
    environment = [{"name": "HABANA_VISIBLE_DEVICES", "value": devices}]
    if modules is not None:
        environment.append({"name": "HABANA_VISIBLE_MODULES", "value": modules})
    container = {"environment": environment, "memory": 1024} | members.pop("container", {})
    return ecs.register(family, container=container, placementConstraints=ON_DL1, **members)


def on(ecs, index, definition, **params):
    """Start the task on one of the two DL1."""
    dl1 = sorted(
        i["containerInstanceArn"] for i in ecs.instances() if ecs.kind(i["containerInstanceArn"]) == "dl1.24xlarge"
    )
    return ecs("StartTask", taskDefinition=definition, containerInstances=[dl1[index]], **params)["tasks"][0]["taskArn"]


@pytest.mark.parametrize(
    ("devices", "modules", "cards"),
    [
        ("all", None, set(range(8))),
        ("0,2,5", None, {0, 2, 5}),
        ("all", "0,1,2,3", {0, 1, 2, 3}),
        ("0,1,2,3", "2,3", {2, 3}),
        ("8,9", None, set()),
        ("ALL", None, set()),
        ("none", None, set()),
        ("", None, set()),
        (None, "0,1", set()),
    ],
)
def test_what_a_container_wants(devices, modules, cards):
    pairs = (("HABANA_VISIBLE_DEVICES", devices), ("HABANA_VISIBLE_MODULES", modules))
    environment = [{"name": name, "value": value} for name, value in pairs if value is not None]
    assert claim({"environment": environment}, cards=8).cards == cards


def test_the_later_of_two_dies(ecs):
    gaudi(ecs, "a")
    gaudi(ecs, "b", devices="3")
    first = on(ecs, 0, "a")
    ecs.wait(60)
    second = on(ecs, 0, "b")
    ecs.wait(60)
    assert ecs.task(first)["lastStatus"] == "RUNNING"
    task = ecs.task(second)
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "EssentialContainerExited")
    assert task["containers"][0]["exitCode"] == 1
    assert "synStatus=20 [Device already acquired]" in task["containers"][0]["reason"]
    assert "startedAt" in task
    third = on(ecs, 1, "b")
    ecs.wait(60)
    assert ecs.task(third)["lastStatus"] == "RUNNING"


def test_disjoint_sets_live_together(ecs):
    gaudi(ecs, "low", modules="0,1,2,3")
    gaudi(ecs, "high", devices="4,5,6,7")
    arns = [on(ecs, 0, "low"), on(ecs, 0, "high")]
    ecs.wait(60)
    assert [ecs.task(arn)["lastStatus"] for arn in arns] == ["RUNNING", "RUNNING"]


def test_a_card_is_held_until_its_task_has_stopped(make_ecs):
    ecs = make_ecs(images=Images((ImageRule("*:slow", Runs(stop=25)),)))
    gaudi(ecs, "slow", image="repo/app:slow")
    gaudi(ecs, "next")
    first = on(ecs, 0, "slow")
    ecs.wait(60)
    ecs("StopTask", task=first)
    early = on(ecs, 0, "next")
    ecs.wait(26)  # pulled and running, while the first is STOPPING
    late = on(ecs, 0, "next")
    ecs.wait(60)
    assert [ecs.task(arn)["lastStatus"] for arn in (first, early, late)] == ["STOPPED", "STOPPED", "RUNNING"]


def test_an_underdeclared_rollout_collides(ecs):
    """The seed's 1024 MiB: ECS places the new task beside the old one, which holds all cards."""
    gaudi(ecs, "a")
    ecs.create("web", "a", count=2, placementConstraints=[{"type": "distinctInstance"}])
    ecs.steady("web")
    gaudi(ecs, "a", image="repo/app:2")
    ecs.create("other", "a", count=1)
    ecs.wait(600)
    assert ecs.service("other")["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    stopped = ecs.tasks("other", desiredStatus="STOPPED")
    assert stopped
    assert all("synStatus=20" in task["containers"][0]["reason"] for task in stopped)


def test_card_ports_prevent_the_collision(ecs):
    ports = {"portMappings": [{"containerPort": 18100 + n, "hostPort": 18100 + n} for n in range(8)]}
    gaudi(ecs, "a", networkMode="host", container=ports)
    ecs.create("web", "a", count=3)
    ecs.wait(600)
    assert ecs.service("web")["runningCount"] == 2
    assert ecs.tasks("web", desiredStatus="STOPPED") == []
    assert any("is already using a port required by your task" in message for message in ecs.messages("web"))


def test_two_containers_of_one_task_collide_too(ecs):
    environment = [{"name": "HABANA_VISIBLE_DEVICES", "value": "0,1"}]
    ecs(
        "RegisterTaskDefinition",
        family="twins",
        placementConstraints=ON_DL1,
        containerDefinitions=[
            {"name": name, "image": "repo/app:1", "memory": 64, "environment": environment} for name in ("x", "y")
        ],
    )
    arn = ecs("RunTask", taskDefinition="twins")["tasks"][0]["taskArn"]
    ecs.wait(60)
    codes = sorted(container.get("exitCode", 0) for container in ecs.task(arn)["containers"])
    assert codes == [1, 143]


def test_no_cards_no_gaudi(ecs):
    ecs.register(container={"environment": [{"name": "HABANA_VISIBLE_DEVICES", "value": "all"}]})
    m5 = next(i["containerInstanceArn"] for i in ecs.instances() if ecs.kind(i["containerInstanceArn"]) == "m5.2xlarge")
    arn = ecs("StartTask", taskDefinition="app", containerInstances=[m5])["tasks"][0]["taskArn"]
    ecs.wait(60)
    container = ecs.task(arn)["containers"][0]
    assert (container["exitCode"], "Device acquire failed" in container["reason"]) == (1, True)


def test_hl_smi_runs_beside_a_job(ecs):
    gaudi(ecs, "job")
    gaudi(ecs, "smoke", container={"command": ["hl-smi"]})
    job = on(ecs, 0, "job")
    ecs.wait(60)
    smoke = on(ecs, 0, "smoke")
    ecs.wait(60)
    assert ecs.task(smoke)["containers"][0]["exitCode"] == 0
    assert ecs.task(job)["lastStatus"] == "RUNNING"


def test_what_counts_the_cards_ends_with_1_where_one_is_missing(ecs):
    count = 'test "$(hl-smi -Q index -f csv,noheader | wc -l)" -eq {}'
    for name, wanted, code in (("eight", 8, 0), ("seven", 7, 1)):
        gaudi(ecs, name, container={"entryPoint": ["sh", "-c"], "command": [count.format(wanted)]})
        smoke = on(ecs, 0, name)
        ecs.wait(60)
        assert ecs.task(smoke)["containers"][0]["exitCode"] == code


def test_a_list_with_blanks_cannot_be_created(ecs):
    gaudi(ecs, "blank", devices="0, 1")
    arn = on(ecs, 0, "blank")
    ecs.wait(60)
    task = ecs.task(arn)
    assert task["stopCode"] == "TaskFailedToStart"
    assert "device value must be a number" in task["stoppedReason"]


def test_overrides_choose_cards_per_task(ecs):
    gaudi(ecs, "a")
    arns = []
    for devices in ("0,1", "2,3"):
        override = {"name": "app", "environment": [{"name": "HABANA_VISIBLE_DEVICES", "value": devices}]}
        arns.append(on(ecs, 0, "a", overrides={"containerOverrides": [override]}))
    ecs.wait(60)
    assert [ecs.task(arn)["lastStatus"] for arn in arns] == ["RUNNING", "RUNNING"]
