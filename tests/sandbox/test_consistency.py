"""The checker finds what it is for: each law, broken by hand."""

from dataclasses import replace

import pytest

from controller.sandbox.consistency import Impossible, check
from controller.sandbox.world import Rollout, StopCode, TaskStatus


def first(table):
    return next(iter(table.values()))


def change_task(**fields):
    def seed(world):
        task = next(task for task in world.tasks.values() if task.status is TaskStatus.RUNNING)
        world.tasks[task.arn] = replace(task, **fields)

    return seed


def change_service(**fields):
    def seed(world):
        service = first(world.services)
        world.services[service.arn] = replace(service, **fields)

    return seed


def change_instance(**fields):
    def seed(world):
        instance = first(world.instances)
        world.instances[instance.arn] = replace(instance, **fields)

    return seed


def two_on_one_port(world):
    for task in list(world.tasks.values()):
        world.tasks[task.arn] = replace(task, tcp=frozenset({80}), instance=first(world.instances).arn)


def two_primaries(world):
    service = first(world.services)
    world.services[service.arn] = replace(service, deployments=service.deployments * 2)


def rolled_but_not_complete(world):
    service = first(world.services)
    primary = replace(service.deployments[0], rollout=Rollout.IN_PROGRESS)
    world.services[service.arn] = replace(service, deployments=(primary,))


@pytest.mark.parametrize(
    ("seed", "text"),
    [
        (two_on_one_port, "two tasks on one tcp port"),
        (two_primaries, "deployments"),
        (rolled_but_not_complete, "steady, but"),
        (change_task(instance=None), "RUNNING on None"),
        (change_task(started_at=None), "started at None"),
        (change_task(stopped_at=1.0), "stopped at"),
        (change_task(stop_code=StopCode.USER), "stop code"),
        (change_task(status=TaskStatus.STOPPING), "desired RUNNING"),
        (change_task(cards=frozenset({9})), "cards"),
        (change_task(service=None), "not where they say"),
        (change_task(deployment="ecs-svc/0"), "tasks of no deployment"),
        (change_task(created_at=4e9), "backwards"),
        (change_task(task_definition="gone"), "definition is gone"),
        (change_instance(used_cpu=-1), "CPU"),
        (change_instance(used_memory=10**9), "MiB"),
        (change_instance(used_udp=frozenset({53})), "udp"),
        (change_instance(used_tcp=frozenset({22})), "port of the agent"),
        (change_instance(status="ON HOLIDAY"), "HOLIDAY"),
        (change_service(desired=-1), "desired -1"),
        (change_service(deployments=()), "deployments []"),
    ],
)
def test_each_law_bites(ecs, seed, text):
    ecs.register()
    ecs.create(count=4)
    ecs.steady()
    seed(ecs.simulator.world)
    with pytest.raises(Impossible, match=text.replace("[", r"\[").replace("]", r"\]")):
        check(ecs.simulator.world)
