"""The life of tasks, and the calls that start, find and stop them."""

import pytest

from controller.sandbox.images import CannotPull, Exits, ImageRule, Images, Runs


@pytest.fixture
def ecs(make_ecs):
    ecs = make_ecs(
        images=Images(
            (
                ImageRule("*:job", Exits(after=60, code=0)),
                ImageRule("*:oom", Exits(after=5, code=137, reason="OutOfMemoryError: Container killed")),
                ImageRule("*:stubborn", Runs(stop=600)),
                ImageRule("*:denied", CannotPull("pull access denied")),
            )
        )
    )
    ecs.register()
    return ecs


def run(ecs, **params):
    return ecs("RunTask", **({"taskDefinition": "app"} | params))


def states(ecs, arn, limit=600):
    """Every lastStatus of a task until it does not change any longer."""
    seen = [ecs.task(arn)["lastStatus"]]
    end = ecs.now + limit
    while (due := ecs.simulator.next_due()) is not None and due <= end:
        ecs.wait(due - ecs.now)
        status = ecs.task(arn)["lastStatus"]
        if status != seen[-1]:
            seen.append(status)
    return seen


def test_a_job_from_start_to_end(ecs):
    ecs.register("job", image="repo/app:job")
    arn = run(ecs, taskDefinition="job", startedBy="job/1", group="job:1")["tasks"][0]["taskArn"]
    assert states(ecs, arn) == ["PENDING", "RUNNING", "DEACTIVATING", "STOPPING", "STOPPED"]
    task = ecs.task(arn)
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert task["containers"][0]["exitCode"] == 0
    moments = [
        "createdAt",
        "pullStartedAt",
        "pullStoppedAt",
        "startedAt",
        "stoppingAt",
        "executionStoppedAt",
        "stoppedAt",
    ]
    times = [task[name] for name in moments]
    assert times == sorted(times)
    assert (task["startedBy"], task["group"], task["desiredStatus"]) == ("job/1", "job:1", "STOPPED")
    ecs.wait(3700)
    assert ecs("DescribeTasks", tasks=[arn])["failures"] == [{"arn": arn, "reason": "MISSING"}]


def test_awsvpc_tasks_attach_and_detach(ecs):
    ecs.register("vpc", networkMode="awsvpc")
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    arn = run(ecs, taskDefinition="vpc", networkConfiguration=network)["tasks"][0]["taskArn"]
    seen = states(ecs, arn, limit=60)
    assert ecs.task(arn)["attachments"][0]["status"] == "ATTACHED"
    ecs("StopTask", task=arn)
    seen += states(ecs, arn)
    assert seen == [
        "PROVISIONING",
        "PENDING",
        "RUNNING",
        "DEACTIVATING",
        "STOPPING",
        "DEPROVISIONING",
        "STOPPED",
    ]
    assert "networkMode" in ecs.refused("RunTask", taskDefinition="vpc").message


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("repo/app:broken-1", "manifest unknown"),
        ("repo/app:missing", "manifest unknown"),
        ("repo/app:denied", "denied"),
    ],
)
def test_images_that_cannot_be_pulled(ecs, image, text):
    ecs.register("bad", image=image)
    arn = run(ecs, taskDefinition="bad")["tasks"][0]["taskArn"]
    ecs.wait(60)
    task = ecs.task(arn)
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert text in task["stoppedReason"]
    assert task["containers"][0]["reason"] == task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]
    assert "startedAt" not in task


def test_a_container_can_die_of_memory(ecs):
    ecs.register("oom", image="repo/app:oom")
    arn = run(ecs, taskDefinition="oom")["tasks"][0]["taskArn"]
    ecs.wait(120)
    container = ecs.task(arn)["containers"][0]
    assert (container["exitCode"], container["reason"]) == (137, "OutOfMemoryError: Container killed")


def test_what_a_task_does_can_hang_on_its_command_its_variables_and_who_started_it(ecs):
    """A job of which one rank fails in its first attempt, and the whole of it succeeds in its second."""
    ecs.register("train", container={"command": ["train.py"]})
    ecs.simulator.finishes("repo/*", after=100, command="train.py")
    ecs.simulator.finishes("repo/*", after=30, exit_code=7, started_by="job-0-*", environment={"RANK": "1"})

    def rank(number, started_by):
        variables = [{"name": "RANK", "value": str(number)}]
        overrides = {"containerOverrides": [{"name": "app", "environment": variables}]}
        return run(ecs, taskDefinition="train", startedBy=started_by, overrides=overrides)["tasks"][0]["taskArn"]

    tasks = [rank(0, "job-0-0"), rank(1, "job-0-1"), rank(1, "job-1-1")]
    other = run(ecs)["tasks"][0]["taskArn"]
    ecs.wait(300)
    assert [ecs.task(arn)["containers"][0]["exitCode"] for arn in tasks] == [0, 7, 0]
    assert ecs.task(other)["lastStatus"] == "RUNNING"


def test_a_spot_interruption_stops_what_runs_there_and_says_so(ecs):
    arn = run(ecs)["tasks"][0]["taskArn"]
    ecs.wait(60)
    instance = ecs.task(arn)["containerInstanceArn"]
    ecs.simulator.interrupt_instance(instance, ecs.now)
    ecs.wait(60)
    task = ecs.task(arn)
    assert (task["lastStatus"], task["stopCode"], task["containers"][0]["exitCode"]) == (
        *("STOPPED", "SpotInterruption"),
        143,
    )
    elsewhere = {task["containerInstanceArn"] for task in run(ecs, count=10)["tasks"]}
    assert instance not in elsewhere
    ecs.simulator.terminate_instance(instance, ecs.now)
    assert instance not in ecs("ListContainerInstances")["containerInstanceArns"]


def test_a_side_container_may_end_by_itself(ecs):
    ecs(
        "RegisterTaskDefinition",
        family="pair",
        containerDefinitions=[
            {"name": "main", "image": "repo/app:1", "memory": 64},
            {"name": "init", "image": "repo/app:job", "memory": 64, "essential": False},
        ],
    )
    arn = run(ecs, taskDefinition="pair")["tasks"][0]["taskArn"]
    ecs.wait(300)
    task = ecs.task(arn)
    statuses = {container["name"]: container["lastStatus"] for container in task["containers"]}
    assert (task["lastStatus"], statuses) == ("RUNNING", {"main": "RUNNING", "init": "STOPPED"})


def test_stop_is_sigterm_then_sigkill(ecs):
    ecs.register("stubborn", image="repo/app:stubborn", container={"stopTimeout": 90})
    arn = run(ecs, taskDefinition="stubborn")["tasks"][0]["taskArn"]
    ecs.wait(60)
    task = ecs("StopTask", task=arn, reason="too slow")["task"]
    assert (task["desiredStatus"], task["lastStatus"]) == ("STOPPED", "DEACTIVATING")
    ecs.until(lambda: ecs.task(arn)["lastStatus"] == "STOPPED")
    task = ecs.task(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "too slow")
    assert (task["containers"][0]["exitCode"], task["stoppedAt"] - task["stoppingAt"]) == (
        137,
        92,
    )  # 1 s DEACTIVATING, 90 s, 1 s until it is known
    other = run(ecs)["tasks"][0]["taskArn"]
    ecs.wait(60)
    ecs("StopTask", task=other.rpartition("/")[2])
    ecs.wait(60)
    assert ecs.task(other)["containers"][0]["exitCode"] == 143


def test_a_task_that_has_not_started_stops_without_exit_code(ecs):
    arn = run(ecs, tags=[{"key": "a", "value": "b"}])["tasks"][0]["taskArn"]
    assert ecs("ListTagsForResource", resourceArn=arn)["tags"] == [{"key": "a", "value": "b"}]
    ecs("StopTask", task=arn)
    assert ecs("ListTagsForResource", resourceArn=arn)["tags"] == []
    ecs.wait(5)
    task = ecs.task(arn)
    assert (task["lastStatus"], "exitCode" in task["containers"][0]) == ("STOPPED", False)
    assert ecs.refused("StopTask", task="0" * 32).message == "The referenced task was not found."


def test_client_tokens_replay(ecs):
    first = run(ecs, count=2, clientToken="t")
    ecs.wait(30)
    again = run(ecs, count=2, clientToken="t")
    assert [t["taskArn"] for t in again["tasks"]] == [t["taskArn"] for t in first["tasks"]]
    error = ecs.refused("RunTask", taskDefinition="app", count=3, clientToken="t")
    assert error.code == "ConflictException"
    assert error.members == {"resourceIds": [t["taskArn"] for t in first["tasks"]]}
    assert len(ecs("ListTasks")["taskArns"]) == 2
    for task in first["tasks"]:
        ecs("StopTask", task=task["taskArn"])
    ecs.wait(60)
    brief = run(ecs, count=2, clientToken="t")["tasks"]
    assert [set(task) for task in brief] == [{"taskArn", "lastStatus", "desiredStatus"}] * 2
    ecs.wait(3700)
    fresh = run(ecs, count=2, clientToken="t")
    assert {t["taskArn"] for t in fresh["tasks"]}.isdisjoint(t["taskArn"] for t in first["tasks"])


def test_a_replayed_failure_stays_a_failure(ecs):
    ecs.register("huge", container={"memory": 900_000})
    first = run(ecs, taskDefinition="huge", clientToken="t")
    assert first["tasks"] == []
    assert run(ecs, taskDefinition="huge", clientToken="t") == first


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"count": 0}, "Count"),
        ({"count": 11}, "Count"),
        ({"propagateTags": "SERVICE"}, "propagateTags"),
        ({"startedBy": "a b"}, "startedBy"),
        ({"group": "g" * 256}, "group"),
        ({"overrides": {"containerOverrides": [{"name": "nope"}]}}, "Override for container named nope"),
        ({"overrides": {"containerOverrides": [{"name": "app", "command": ["x" * 9000]}]}}, "8192"),
        ({"clientToken": "x" * 65}, "token"),
        ({"launchType": "FARGATE"}, "FARGATE"),
        ({"placementStrategy": [{"type": "spread"}]}, "spread"),
        ({"enableExecuteCommand": True}, "taskRoleArn"),
        ({"tags": [{"key": "k" * 129, "value": ""}]}, "tag key"),
    ],
)
def test_run_task_refuses(ecs, params, text):
    assert text in ecs.refused("RunTask", taskDefinition="app", **params).message


def test_overrides_reach_the_container(ecs):
    override = {"containerOverrides": [{"name": "app", "command": ["hl-smi"]}], "cpu": "2048", "memory": "4096"}
    task = run(ecs, overrides=override)["tasks"][0]
    assert (task["cpu"], task["memory"]) == ("2048", "4096")
    assert task["overrides"]["containerOverrides"] == override["containerOverrides"]
    ecs.wait(120)
    assert ecs.task(task["taskArn"])["containers"][0]["exitCode"] == 0


def test_list_filters(ecs):
    ecs.create("web", count=2)
    ecs.steady("web")
    job = run(ecs, startedBy="me")["tasks"][0]
    ecs.wait(60)
    assert len(ecs("ListTasks")["taskArns"]) == 3
    assert len(ecs("ListTasks", serviceName="web")["taskArns"]) == 2
    assert ecs("ListTasks", startedBy="me")["taskArns"] == [job["taskArn"]]
    assert len(ecs("ListTasks", family="app")["taskArns"]) == 3
    assert ecs("ListTasks", family="ap")["taskArns"] == []
    assert job["taskArn"] in ecs("ListTasks", containerInstance=job["containerInstanceArn"])["taskArns"]
    assert len(ecs("ListTasks", launchType="EC2", maxResults=2)["taskArns"]) == 2
    assert "only filter" in ecs.refused("ListTasks", startedBy="me", desiredStatus="STOPPED").message
    assert ecs.refused("ListTasks", serviceName="no").code == "ServiceNotFoundException"
    ecs("StopTask", task=job["taskArn"])
    assert ecs("ListTasks", desiredStatus="STOPPED")["taskArns"] == [job["taskArn"]]
    assert ecs("ListTasks", startedBy="me")["taskArns"] == []


def test_describe_tasks_limits(ecs):
    assert "more than 100" in ecs.refused("DescribeTasks", tasks=["t"] * 101).message
    assert "empty" in ecs.refused("DescribeTasks", tasks=[]).message


def test_tags_are_propagated_and_managed(ecs):
    ecs.register("tagged", tags=[{"key": "from", "value": "definition"}])
    ecs.create(
        "web",
        "tagged",
        propagateTags="TASK_DEFINITION",
        enableECSManagedTags=True,
        tags=[{"key": "from", "value": "service"}],
    )
    ecs.wait(10)
    arn = ecs("ListTasks", serviceName="web")["taskArns"][0]
    tags = {t["key"]: t["value"] for t in ecs("DescribeTasks", tasks=[arn], include=["TAGS"])["tasks"][0]["tags"]}
    assert tags == {"from": "definition", "aws:ecs:clusterName": "default", "aws:ecs:serviceName": "web"}


def test_fargate_tasks_need_no_instance(ecs):
    ecs.register("fg", networkMode="awsvpc", cpu="256", memory="512", requiresCompatibilities=["FARGATE"])
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    service = ecs.create("web", "fg", launchType="FARGATE", networkConfiguration=network)
    assert (service["platformVersion"], service["launchType"]) == ("LATEST", "FARGATE")
    ecs.steady("web")
    task = ecs.tasks("web")[0]
    assert (task["launchType"], "containerInstanceArn" in task) == ("FARGATE", False)
