"""Throttle buckets, readers that lag, copies, determinism, unknown operations."""

import json

import pytest

from controller.sandbox.faults import BUCKET_OF, BUCKETS, Faults
from controller.sandbox.simulator import OPERATIONS, Simulator


def test_every_operation_has_a_bucket():
    assert set(OPERATIONS) == set(BUCKET_OF)


@pytest.mark.parametrize(
    ("operation", "params", "burst", "refill"),
    [
        ("DescribeServices", {"services": ["x"]}, 100, 20),
        ("UpdateService", {"service": "x"}, 50, 5),
        ("DeregisterTaskDefinition", {"taskDefinition": "x:1"}, 20, 1),
        ("ListTasks", {}, 100, 20),
        ("RunTask", {"taskDefinition": "x"}, 100, 40),
    ],
)
def test_buckets_have_the_published_sizes(make_ecs, operation, params, burst, refill):
    ecs = make_ecs(faults=Faults(buckets=BUCKETS))
    codes = []

    def call():
        try:
            ecs.simulator.call(operation, params, ecs.now)
        except Exception as error:  # noqa: BLE001 - the code decides
            codes.append(error.code)

    for _ in range(burst):
        call()
    assert "ThrottlingException" not in codes
    error = ecs.refused(operation, **params)
    assert (error.code, error.message, error.status) == ("ThrottlingException", "Rate exceeded", 400)
    ecs.wait(2)
    codes.clear()
    for _ in range(2 * refill + 1):
        call()
    assert codes.count("ThrottlingException") == 1


def test_one_bucket_for_all_its_operations(make_ecs):
    ecs = make_ecs(faults=Faults(buckets=BUCKETS))
    ecs.register()
    for number in range(50):
        ecs.create(f"s{number}", count=0)
    assert ecs.refused("DeleteService", service="s1").code == "ThrottlingException"
    assert ecs.service("s1")["status"] == "ACTIVE"


def test_no_throttling_unless_asked_for(ecs):
    for _ in range(1000):
        ecs.simulator.call("ListServices", {}, ecs.now)


def test_reads_lag_behind_a_create(make_ecs):
    ecs = make_ecs(faults=Faults(lag=10))
    ecs.register()
    ecs.wait(20)
    created = ecs.create()
    assert created["status"] == "ACTIVE"
    assert ecs("DescribeServices", services=["web"])["failures"][0]["reason"] == "MISSING"
    assert ecs("ListServices")["serviceArns"] == []
    ecs.update(desiredCount=2)  # a write sees the truth
    ecs.wait(9)
    assert ecs("DescribeServices", services=["web"])["services"] == []
    ecs.wait(2)
    assert ecs.service()["desiredCount"] == 2
    assert len(ecs("ListServices")["serviceArns"]) == 1


def test_reads_lag_behind_an_update_and_a_delete(make_ecs):
    ecs = make_ecs(faults=Faults(lag=10))
    ecs.register()
    ecs.create(tags=[{"key": "a", "value": "1"}])
    ecs.wait(60)
    ecs.update(desiredCount=3)
    ecs("TagResource", resourceArn=ecs.service()["serviceArn"], tags=[{"key": "a", "value": "2"}])
    ecs.wait(1)
    stale = ecs.service(include=["TAGS"])
    assert (stale["desiredCount"], stale["tags"]) == (1, [{"key": "a", "value": "1"}])
    assert "tags" not in ecs.service()
    ecs.wait(10)
    fresh = ecs.service(include=["TAGS"])
    assert (fresh["desiredCount"], fresh["tags"]) == (3, [{"key": "a", "value": "2"}])
    ecs("DeleteService", service="web", force=True)
    assert ecs.service()["status"] == "ACTIVE"
    assert len(ecs("ListServices")["serviceArns"]) == 1
    ecs.wait(11)
    assert ecs("ListServices")["serviceArns"] == []


def test_a_recreated_service_shows_its_previous_incarnation(make_ecs):
    ecs = make_ecs(faults=Faults(lag=30))
    ecs.register()
    ecs.create(count=0)
    ecs("DeleteService", service="web")
    ecs.wait(100)
    assert ecs.service()["status"] == "INACTIVE"
    ecs.create(count=1)
    assert ecs.service()["status"] == "INACTIVE"
    ecs.wait(31)
    assert ecs.service()["status"] == "ACTIVE"


def test_listings_of_task_definitions_and_tasks_lag(make_ecs):
    ecs = make_ecs(faults=Faults(lag=10))
    arn = ecs.register()
    assert ecs("ListTaskDefinitions")["taskDefinitionArns"] == []
    assert ecs("DescribeTaskDefinition", taskDefinition=arn)["taskDefinition"]["status"] == "ACTIVE"
    task = ecs("RunTask", taskDefinition="app")["tasks"][0]["taskArn"]
    assert ecs("DescribeTasks", tasks=[task])["failures"][0]["reason"] == "MISSING"
    assert ecs("ListTasks")["taskArns"] == []
    ecs.wait(11)
    assert ecs("ListTaskDefinitions")["taskDefinitionArns"] == [arn]
    assert ecs("ListTasks")["taskArns"] == [task]


def test_faults_can_begin_later(ecs):
    ecs.register()
    ecs.simulator.set_faults(Faults(lag=60))
    ecs.create()
    assert ecs("DescribeServices", services=["web"])["services"] == []


def story(ecs):
    ecs.register()
    ecs.create(count=3)
    ecs.wait(30)
    ecs.register(image="repo/app:broken")
    ecs.update(taskDefinition="app")
    ecs.wait(300)
    return json.dumps([ecs.service(), ecs.tasks(), ecs.instances()])


def test_the_same_calls_give_the_same_answers(make_ecs):
    assert story(make_ecs()) == story(make_ecs())
    assert story(make_ecs(seed=1)) != story(make_ecs())


def test_a_copy_goes_its_own_way(make_ecs, ecs):
    ecs.register()
    ecs.create(count=2)
    ecs.wait(10)
    other = make_ecs(ecs.simulator.copy())
    ecs("DeleteService", service="web", force=True)
    ecs.wait(300)
    assert ecs.service()["status"] == "INACTIVE"
    assert other.service()["status"] == "ACTIVE"
    assert other.steady()["runningCount"] == 2


def test_answers_share_nothing_with_the_world(ecs):
    ecs.register()
    answer = ecs.create()
    answer["deploymentConfiguration"]["deploymentCircuitBreaker"]["enable"] = "ruined"
    answer["deployments"].clear()
    described = ecs.service()
    described["placementConstraints"].append("ruined")
    assert ecs.service()["placementConstraints"] == []
    assert ecs.service()["deploymentConfiguration"]["deploymentCircuitBreaker"]["enable"] is False


def test_time_never_goes_back(ecs):
    ecs.register()
    ecs.create()
    ecs.wait(100)
    later = ecs.simulator.call("DescribeServices", {"services": ["web"]}, ecs.now - 90)
    assert later["services"][0]["runningCount"] == 1
    assert ecs.simulator.world.now == ecs.now


def test_nothing_is_due_in_a_quiet_world():
    assert Simulator(now=0.0).next_due() is None


def test_unknown_operations_are_answered_in_kind(ecs):
    assert ecs.refused("DescribeTaskSets", cluster="c", service="s").code == "UnsupportedFeatureException"
    assert ecs.refused("MakeCoffee").code == "UnknownOperationException"
