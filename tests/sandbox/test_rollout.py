"""Rollouts: the band, the circuit breaker, rollback, draining, daemons."""

import pytest

from controller.sandbox.deployments import threshold
from controller.sandbox.fleet import DL1, M5_2XLARGE, Machine
from controller.sandbox.images import CannotPull, Exits, ImageRule, Images, Unhealthy
from controller.sandbox.rollout import Band, band

WHOLE = {"cpu": 98000, "memory": 700000}
"""A container that needs a whole DL1."""


@pytest.mark.parametrize(
    ("desired", "minimum", "maximum", "expected"),
    [
        (4, 100, 200, Band(4, 8)),
        (4, 50, 100, Band(2, 4)),
        (4, 50, 150, Band(2, 6)),
        (3, 50, 150, Band(2, 4)),  # lower rounds up, upper down
        (1, 50, 150, Band(1, 1)),  # deadlock
        (1, 50, 100, Band(1, 1)),  # deadlock
        (1, 0, 100, Band(0, 1)),
        (2, 50, 100, Band(1, 2)),
        (8, 88, 100, Band(8, 8)),  # 7/8 is 87.5 %: 88 % deadlocks …
        (8, 87, 100, Band(7, 8)),  # … 87 % does not
        (5, 100, 100, Band(5, 5)),
        (0, 100, 200, Band(0, 0)),
    ],
)
def test_the_band(desired, minimum, maximum, expected):
    assert band(desired, minimum=minimum, maximum=maximum) == expected


@pytest.mark.parametrize(
    ("configuration", "desired", "expected"),
    [
        ({}, 1, 3),
        ({}, 10, 5),
        ({}, 11, 6),
        ({}, 1000, 200),
        ({"type": "BOUNDED_PERCENT", "value": 10}, 100, 10),
        ({"type": "UNBOUNDED_PERCENT", "value": 10}, 10, 1),
        ({"type": "UNBOUNDED_PERCENT", "value": 50}, 1000, 500),
        ({"type": "COUNT", "value": 2}, 1000, 2),
    ],
)
def test_the_threshold(configuration, desired, expected):
    assert threshold({"thresholdConfiguration": configuration}, desired) == expected


def whole(ecs, image="repo/app:1"):
    return ecs.register(
        image=image,
        container=WHOLE,
        placementConstraints=[{"type": "memberOf", "expression": "attribute:ecs.instance-type == dl1.24xlarge"}],
    )


def rolling(minimum, maximum, **members):
    configuration = {"minimumHealthyPercent": minimum, "maximumPercent": maximum, **members}
    return {"deploymentConfiguration": configuration, "availabilityZoneRebalancing": "DISABLED"}


def watch(ecs, name="web"):
    """Run a rollout to its end; (least healthy running, most running or pending) that was seen."""
    least, most = 10**9, 0

    def complete():
        nonlocal least, most
        service = ecs.service(name)
        least = min(least, service["runningCount"])
        most = max(most, service["runningCount"] + service["pendingCount"])
        return [d["rolloutState"] for d in service["deployments"]] == ["COMPLETED"]

    ecs.until(complete)
    return least, most


def test_a_rollout_tells_its_story(ecs):
    ecs.register()
    created = ecs.create(count=2)
    assert (created["deployments"][0]["desiredCount"], created["runningCount"]) == (2, 0)
    assert created["currentServiceDeployment"].startswith(
        "arn:aws:ecs:us-east-1:123456789012:service-deployment/default/web/"
    )
    service = ecs.steady()
    number = service["deployments"][0]["id"]
    assert service["currentServiceRevisions"][0]["arn"].endswith(number.removeprefix("ecs-svc/"))
    first, *rest = ecs.messages()
    assert first.startswith("has started 2 tasks: (task ")
    assert rest == [f"(deployment {number}) deployment completed.", "has reached a steady state."]
    assert 40 < ecs.now - service["createdAt"] < 120


def test_default_band_starts_all_before_it_stops_any(ecs):
    ecs.register()
    ecs.create(count=3)
    ecs.steady()
    ecs.register(image="repo/app:2")
    ecs.update(taskDefinition="app")
    assert watch(ecs) == (3, 6)
    assert any(message.startswith("has stopped 3 running tasks: (task ") for message in ecs.messages())
    assert {task["taskDefinitionArn"].rpartition(":")[2] for task in ecs.tasks()} == {"2"}


@pytest.mark.parametrize(
    ("count", "minimum", "maximum", "seen"),
    [(4, 50, 100, (2, 4)), (4, 50, 150, (2, 6)), (4, 75, 125, (3, 5)), (2, 0, 100, (0, 2)), (3, 66, 100, (2, 3))],
)
def test_rollouts_use_their_band_and_stay_in_it(ecs, count, minimum, maximum, seen):
    ecs.register()
    ecs.create(count=count, **rolling(minimum, maximum))
    ecs.steady()
    ecs.register(image="repo/app:2")
    ecs.update(taskDefinition="app")
    assert watch(ecs) == seen


def test_a_minimum_that_rounds_up_to_all_moves_nothing(ecs):
    """⌈3 · 67 %⌉ = 3 of at most 3."""
    ecs.register()
    ecs.create(count=3, **rolling(67, 100))
    ecs.steady()
    ecs.register(image="repo/app:2")
    ecs.update(taskDefinition="app")
    ecs.wait(3600)
    assert [d["rolloutState"] for d in ecs.service()["deployments"]] == ["IN_PROGRESS", "COMPLETED"]


def test_the_deadlock_says_what_is_wrong(ecs):
    ecs.register()
    ecs.create(**rolling(50, 100))
    ecs.steady()
    ecs.register(image="repo/app:2")
    ecs.update(taskDefinition="app")
    ecs.wait(4 * 3600)
    service = ecs.service()
    assert [(d["runningCount"], d["rolloutState"]) for d in service["deployments"]] == [
        (0, "IN_PROGRESS"),
        (1, "COMPLETED"),
    ]
    blocked = [message for message in ecs.messages() if "was unable to stop or start tasks" in message]
    assert 2 <= len(blocked) <= 20
    ecs.update(deploymentConfiguration={"minimumHealthyPercent": 0})
    assert ecs.steady()["taskDefinition"].endswith(":2")


def test_whole_instances_cannot_roll_at_the_default_band(ecs):
    whole(ecs)
    ecs.create(count=2)
    ecs.steady()
    whole(ecs, "repo/app:2")
    ecs.update(taskDefinition="app")
    ecs.wait(3600)
    service = ecs.service()
    assert (service["runningCount"], service["deployments"][0]["runningCount"]) == (2, 0)
    assert any("has insufficient CPU units available" in message for message in ecs.messages())


@pytest.mark.parametrize("minimum", [0, 50])
def test_whole_instances_roll_when_old_tasks_may_go_first(ecs, minimum):
    whole(ecs)
    ecs.create(count=2, **rolling(minimum, 100))
    ecs.steady()
    whole(ecs, "repo/app:2")
    ecs.update(taskDefinition="app")
    least, most = watch(ecs)
    assert (least, most) == (0 if minimum == 0 else 1, 2)
    assert {ecs.kind(task["containerInstanceArn"]) for task in ecs.tasks()} == {"dl1.24xlarge"}


def test_all_but_one_of_a_fleet(make_ecs):
    ecs = make_ecs(fleet=tuple(Machine(DL1, "ab"[n % 2]) for n in range(4)))
    whole(ecs)
    ecs.create(count=4, **rolling(75, 100))
    ecs.steady()
    whole(ecs, "repo/app:2")
    ecs.update(taskDefinition="app")
    assert watch(ecs) == (3, 4)


BREAKER = {"enable": True, "rollback": True}


def test_the_breaker_rolls_back(ecs):
    ecs.register()
    ecs.create(count=2, **rolling(100, 200, deploymentCircuitBreaker=BREAKER))
    good = ecs.steady()
    ecs.register(image="repo/app:broken")
    bad = ecs.update(taskDefinition="app")
    assert bad["taskDefinition"].endswith(":2")
    ecs.until(lambda: ecs.service()["taskDefinition"].endswith(":1"))
    service = ecs.service()
    primary, failed = service["deployments"]
    assert (primary["id"], primary["rolloutState"]) == (good["deployments"][0]["id"], "IN_PROGRESS")
    assert primary["rolloutStateReason"] == (
        f"ECS deployment circuit breaker: rolling back to deploymentId {primary['id']}."
    )
    assert (failed["rolloutState"], failed["rolloutStateReason"]) == (
        "FAILED",
        "ECS deployment circuit breaker: tasks failed to start.",
    )
    assert failed["failedTasks"] >= 3
    rolled = ecs("DescribeServiceDeployments", serviceDeploymentArns=[service["currentServiceDeployment"]])
    record = rolled["serviceDeployments"][0]
    assert record["status"] == "ROLLBACK_REQUESTED"
    assert record["rollback"]["serviceRevisionArn"].endswith(primary["id"].removeprefix("ecs-svc/"))
    assert record["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    ecs.steady()
    tail = ecs.messages()[-4:]
    assert tail == [
        f"(deployment {failed['id']}) deployment failed: tasks failed to start.",
        f"rolling back to deployment {primary['id']}.",
        f"(deployment {primary['id']}) deployment completed.",
        "has reached a steady state.",
    ]
    history = ecs("ListServiceDeployments", service="web")["serviceDeployments"]
    assert [entry["status"] for entry in history] == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    assert history[0]["statusReason"] == (
        "Service deployment rolled back because the circuit breaker threshold was exceeded."
    )
    assert ecs.service()["runningCount"] == 2


def test_the_breaker_without_rollback_stalls(ecs):
    ecs.register()
    breaker = {"enable": True, "rollback": False}
    ecs.create(count=1, **rolling(100, 200, deploymentCircuitBreaker=breaker))
    ecs.steady()
    ecs.register(image="repo/app:missing-tag")
    ecs.update(taskDefinition="app")
    ecs.wait(3600)
    service = ecs.service()
    assert service["taskDefinition"].endswith(":2")
    assert [(d["rolloutState"], d["runningCount"]) for d in service["deployments"]] == [("FAILED", 0), ("COMPLETED", 1)]
    history = ecs("ListServiceDeployments", service="web", status=["STOPPED"])["serviceDeployments"]
    assert len(history) == 1
    ecs.update(desiredCount=0)
    ecs.wait(60)
    assert ecs.service()["runningCount"] == 0


def test_the_first_deployment_has_nowhere_to_go(ecs):
    ecs.register(image="repo/app:broken")
    ecs.create(count=1, **rolling(100, 200, deploymentCircuitBreaker=BREAKER))
    ecs.wait(3600)
    history = ecs("ListServiceDeployments", service="web")["serviceDeployments"]
    assert [(entry["status"], entry["statusReason"]) for entry in history] == [
        ("ROLLBACK_FAILED", "No rollback candidate was found to run the rollback.")
    ]
    assert ecs.service()["deployments"][0]["rolloutState"] == "FAILED"
    ecs.register(image="repo/app:fixed")
    ecs.update(taskDefinition="app")
    assert ecs.steady()["runningCount"] == 1


def test_a_failed_rollback_fails(make_ecs):
    ecs = make_ecs()
    ecs.register()
    ecs.create(count=1, **rolling(0, 100, deploymentCircuitBreaker=BREAKER))
    ecs.steady()
    ecs.register(image="repo/app:broken")
    ecs.simulator.set_images(Images(otherwise=Images().behaviour({"image": "x:broken"})))  # nothing pulls any longer
    ecs.update(taskDefinition="app")
    ecs.wait(3600)
    history = ecs("ListServiceDeployments", service="web")["serviceDeployments"]
    assert history[0]["status"] == "ROLLBACK_FAILED"
    assert ecs.service()["deployments"][0]["rolloutState"] == "FAILED"


def test_without_a_breaker_attempts_become_rare(ecs):
    ecs.register(image="repo/app:broken")
    ecs.create(count=1)
    ecs.wait(120)
    early = [event["createdAt"] for event in ecs.service()["events"] if "has started" in event["message"]]
    ecs.wait(24 * 3600)
    service = ecs.service()
    started = [event["createdAt"] for event in reversed(service["events"]) if "has started" in event["message"]]
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert any(message.startswith("is unable to consistently start tasks successfully.") for message in ecs.messages())
    assert len(early) >= 3
    assert 27 * 60 <= started[-1] - started[-2] <= 28 * 60


def test_tasks_that_run_and_then_crash_do_not_trip_the_breaker(make_ecs):
    """Known and documented: only tasks that do not reach RUNNING or are unhealthy count."""
    ecs = make_ecs(images=Images((ImageRule("*:crash", Exits(after=10, code=1)),)))
    ecs.register(image="repo/app:crash")
    ecs.create(count=1, **rolling(100, 200, deploymentCircuitBreaker=BREAKER))
    ecs.wait(3600)
    service = ecs.service()
    assert (service["deployments"][0]["rolloutState"], service["deployments"][0]["failedTasks"]) == ("IN_PROGRESS", 0)
    stopped = ecs.tasks(desiredStatus="STOPPED")
    assert len(stopped) > 10
    assert stopped[0]["stopCode"] == "EssentialContainerExited"


def test_unhealthy_tasks_trip_the_breaker(make_ecs):
    ecs = make_ecs(images=Images((ImageRule("*:sick", Unhealthy()),)))
    check = {"healthCheck": {"command": ["CMD", "true"], "interval": 10, "retries": 2}}
    ecs.register(container=check)
    ecs.create(count=1, **rolling(100, 300, deploymentCircuitBreaker=BREAKER))
    ecs.steady()
    assert [task["healthStatus"] for task in ecs.tasks()] == ["HEALTHY"]
    ecs.register(image="repo/app:sick", container=check)
    ecs.update(taskDefinition="app")
    ecs.until(lambda: "ROLLBACK" in ecs("ListServiceDeployments", service="web")["serviceDeployments"][0]["status"])
    messages = ecs.messages()
    assert sum("failed container health checks." in message for message in messages) == 3
    assert any("Amazon ECS replaced 1 tasks due to an unhealthy status." in message for message in messages)
    reasons = {task["stoppedReason"] for task in ecs.tasks(desiredStatus="STOPPED")}
    assert "Task failed container health checks" in reasons
    ecs.steady()
    assert ecs.service()["taskDefinition"].endswith(":1")


@pytest.mark.parametrize(("resets", "left"), [(True, 0), (False, 2)])
def test_a_healthy_task_resets_the_count(ecs, resets, left):
    flaky = Images((ImageRule("*:flaky", CannotPull("timeout")),))
    ecs.simulator.set_images(flaky)
    ecs.register(image="repo/app:flaky")
    breaker = {**BREAKER, "resetOnHealthyTask": resets}
    ecs.create(count=1, **rolling(100, 200, deploymentCircuitBreaker=breaker))
    ecs.until(lambda: ecs.service()["deployments"][0]["failedTasks"] == 2)
    ecs.simulator.set_images(Images())
    assert ecs.steady()["deployments"][0]["failedTasks"] == left


def test_places_that_cannot_be_found_trip_the_breaker(ecs):
    ecs.register()
    ecs.create(count=1, **rolling(100, 200, deploymentCircuitBreaker=BREAKER))
    ecs.steady()
    ecs.register(container={"memory": 900_000})
    ecs.update(taskDefinition="app")
    ecs.until(lambda: ecs.service()["taskDefinition"].endswith(":1"))
    assert sum("insufficient memory available" in message for message in ecs.messages()) == 3


def test_a_newer_deployment_supersedes(ecs):
    ecs.register()
    ecs.create(count=2)
    ecs.steady()
    ecs.register(image="repo/app:broken")
    ecs.update(taskDefinition="app")
    ecs.wait(20)
    ecs.register(image="repo/app:3")
    service = ecs.update(taskDefinition="app")
    assert [d["status"] for d in service["deployments"]] == ["PRIMARY", "ACTIVE", "ACTIVE"]
    statuses = [e["status"] for e in ecs("ListServiceDeployments", service="web")["serviceDeployments"]]
    assert statuses == ["PENDING", "STOP_REQUESTED", "SUCCESSFUL"]
    ecs.steady()
    statuses = [e["status"] for e in ecs("ListServiceDeployments", service="web")["serviceDeployments"]]
    assert statuses == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]


def test_stopping_a_service_deployment_rolls_back(ecs):
    ecs.register()
    ecs.create(count=1)
    ecs.steady()
    ecs.register(image="repo/app:2")
    arn = ecs.update(taskDefinition="app")["currentServiceDeployment"]
    ecs.wait(10)
    assert ecs("StopServiceDeployment", serviceDeploymentArn=arn) == {"serviceDeploymentArn": arn}
    assert ecs.service()["taskDefinition"].endswith(":1")
    ecs.steady()
    record = ecs("DescribeServiceDeployments", serviceDeploymentArns=[arn])["serviceDeployments"][0]
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert ecs.refused("StopServiceDeployment", serviceDeploymentArn=arn).code == "ConflictException"
    missing = arn[:-3] + "zzz"
    assert (
        ecs.refused("StopServiceDeployment", serviceDeploymentArn=missing).code == "ServiceDeploymentNotFoundException"
    )


def test_aborting_a_service_deployment_stalls_it(ecs):
    ecs.register()
    arn = ecs.create(count=1)["currentServiceDeployment"]
    ecs("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ABORT")
    ecs.wait(100)
    record = ecs("DescribeServiceDeployments", serviceDeploymentArns=[arn])["serviceDeployments"][0]
    assert record["status"] == "STOPPED"
    assert ecs.service()["runningCount"] == 0


def test_service_revisions_say_what_was_deployed(ecs):
    ecs.register(networkMode="awsvpc")
    network = {
        "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}
    }
    service = ecs.create(networkConfiguration=network)
    arn = service["currentServiceRevisions"][0]["arn"]
    revision = ecs("DescribeServiceRevisions", serviceRevisionArns=[arn, arn + "0"])
    assert revision["failures"] == [{"arn": arn + "0", "reason": "MISSING"}]
    entry = revision["serviceRevisions"][0]
    assert entry["taskDefinition"] == service["taskDefinition"]
    assert entry["networkConfiguration"] == network
    assert entry["containerImages"][0]["image"] == "repo/app:1"
    described = ecs("DescribeServiceDeployments", serviceDeploymentArns=[service["currentServiceDeployment"]])
    assert described["serviceDeployments"][0]["targetServiceRevision"]["arn"] == arn


def test_service_deployments_page_and_filter(ecs):
    ecs.register()
    ecs.create(count=0)
    for _ in range(24):
        ecs.wait(60)
        ecs.update(forceNewDeployment=True)
    first = ecs("ListServiceDeployments", service="web")
    assert len(first["serviceDeployments"]) == 20
    second = ecs("ListServiceDeployments", service="web", nextToken=first["nextToken"])
    assert len(second["serviceDeployments"]) == 5
    middle = first["serviceDeployments"][3]["createdAt"]
    late = ecs("ListServiceDeployments", service="web", createdAt={"after": middle})["serviceDeployments"]
    assert len(late) == 4
    assert ecs.refused("ListServiceDeployments", service="no").code == "ServiceNotFoundException"


def test_scaling_in_and_out(ecs):
    ecs.register()
    ecs.create(count=1)
    ecs.steady()
    deployment = ecs.service()["deployments"][0]["id"]
    ecs.update(desiredCount=5)
    assert ecs.steady()["runningCount"] == 5
    ecs.update(desiredCount=2)
    service = ecs.steady()
    assert (service["runningCount"], service["deployments"][0]["id"]) == (2, deployment)
    reasons = {task["stoppedReason"] for task in ecs.tasks(desiredStatus="STOPPED")}
    assert reasons == {f"Scaling activity initiated by (deployment {deployment})"}


def test_a_lost_task_is_replaced(ecs):
    ecs.register()
    ecs.create(count=2)
    ecs.steady()
    ecs("StopTask", task=ecs.tasks()[0]["taskArn"], reason="drill")
    ecs.until(lambda: ecs.service()["runningCount"] < 2)
    assert ecs.steady()["runningCount"] == 2
    assert ecs.tasks(desiredStatus="STOPPED")[0]["stoppedReason"] == "drill"


def test_a_draining_instance_is_emptied_inside_the_band(make_ecs):
    ecs = make_ecs(fleet=(Machine(M5_2XLARGE, "a"), Machine(M5_2XLARGE, "b")))
    ecs.register()
    ecs.create(count=2)
    ecs.steady()
    arn = ecs.instances()[0]["containerInstanceArn"]
    ecs("UpdateContainerInstancesState", containerInstances=[arn], status="DRAINING")
    assert watch(ecs)[0] == 2
    ecs.until(lambda: all(i["runningTasksCount"] in (0, 2) for i in ecs.instances()))
    assert {task["containerInstanceArn"] for task in ecs.tasks()} != {arn}
    assert arn not in {task["containerInstanceArn"] for task in ecs.tasks()}


def test_a_draining_instance_cannot_be_emptied_at_the_wrong_band(make_ecs):
    ecs = make_ecs(fleet=(Machine(M5_2XLARGE, "a"), Machine(M5_2XLARGE, "b")))
    ecs.register()
    ecs.create(count=1, **rolling(50, 100))
    ecs.steady()
    arn = ecs.tasks()[0]["containerInstanceArn"]
    ecs("UpdateContainerInstancesState", containerInstances=[arn], status="DRAINING")
    ecs.wait(3600)
    assert [task["containerInstanceArn"] for task in ecs.tasks()] == [arn]


def test_a_terminated_instance_takes_its_tasks(ecs):
    ecs.register()
    ecs.create(count=4)
    ecs.steady()
    victim = ecs.tasks()[0]["containerInstanceArn"]
    ecs.simulator.terminate_instance(victim, ecs.now)
    lost = ecs.tasks(desiredStatus="STOPPED")
    assert lost
    assert all("terminated" in task["stoppedReason"] and "exitCode" not in task["containers"][0] for task in lost)
    ecs.steady()
    assert victim not in {task["containerInstanceArn"] for task in ecs.tasks()}


def test_daemons_run_once_on_every_matching_instance(ecs):
    constraint = {"type": "memberOf", "expression": "attribute:ecs.instance-type == m5.2xlarge"}
    ecs.register()
    service = ecs.create(schedulingStrategy="DAEMON", placementConstraints=[constraint])
    assert service["deploymentConfiguration"]["maximumPercent"] == 100
    assert service["deploymentConfiguration"]["minimumHealthyPercent"] == 0
    ecs.wait(10)
    service = ecs.steady()
    assert (service["desiredCount"], service["runningCount"]) == (2, 2)
    assert {ecs.kind(task["containerInstanceArn"]) for task in ecs.tasks()} == {"m5.2xlarge"}
    ecs.simulator.add_instance(Machine(M5_2XLARGE, "a"), ecs.now)
    ecs.until(lambda: ecs.service()["runningCount"] == 3)
    drained = ecs.tasks()[0]["containerInstanceArn"]
    ecs("UpdateContainerInstancesState", containerInstances=[drained], status="DRAINING")
    ecs.until(lambda: ecs.service()["runningCount"] == 2)
    ecs.register(image="repo/app:2")
    ecs.update(taskDefinition="app")
    ecs.steady()
    assert {task["taskDefinitionArn"].rpartition(":")[2] for task in ecs.tasks()} == {"2"}
    assert len({task["containerInstanceArn"] for task in ecs.tasks()}) == 2
    error = ecs.refused("UpdateService", service="web", desiredCount=1)
    assert error.message.startswith("The daemon scheduling strategy does not support a desired count")
    ecs("DeleteService", service="web")
    ecs.until(lambda: ecs.service()["status"] == "INACTIVE")


def test_a_daemon_rolls_as_far_as_its_minimum_lets_it(make_ecs):
    ecs = make_ecs(fleet=tuple(Machine(M5_2XLARGE, "ab"[n % 2]) for n in range(4)))
    ecs.register()
    configuration = {"minimumHealthyPercent": 75}
    ecs.create(schedulingStrategy="DAEMON", deploymentConfiguration=configuration)
    ecs.wait(10)
    ecs.steady()
    ecs.register(image="repo/app:2")
    ecs.update(taskDefinition="app")
    assert watch(ecs) == (3, 4)


def test_a_daemon_without_room_says_so(ecs):
    ecs.register(container={"memory": 100_000})
    ecs.create(schedulingStrategy="DAEMON")
    ecs.wait(120)
    service = ecs.service()
    assert (service["desiredCount"], service["runningCount"]) == (4, 2)
    assert any("insufficient memory available" in message for message in ecs.messages())
