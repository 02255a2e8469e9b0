"""Where tasks go, and what is said when they cannot go anywhere."""

import pytest

from controller.sandbox.fleet import DL1, M5_2XLARGE, Machine
from controller.sandbox.images import Images, Runs

ON_DL1 = [{"type": "memberOf", "expression": "attribute:ecs.instance-type == dl1.24xlarge"}]
WHOLE = {"cpu": 98_304, "memory": 700_000}


def reserving(*ports, protocol="tcp"):
    return {"portMappings": [{"containerPort": port, "hostPort": port, "protocol": protocol} for port in ports]}


def hosts(ecs, name="web"):
    return [task["containerInstanceArn"] for task in ecs.tasks(name)]


def run(ecs, definition="app", **params):
    return ecs("RunTask", taskDefinition=definition, **params)


def reasons(answer):
    return sorted(failure["reason"] for failure in answer["failures"])


def test_whole_instance_tasks_land_only_on_dl1(ecs):
    ecs.register(container=WHOLE)
    ecs.create(count=4)
    ecs.wait(300)
    assert sorted(map(ecs.kind, hosts(ecs))) == ["dl1.24xlarge", "dl1.24xlarge"]
    assert len(set(hosts(ecs))) == 2
    assert ecs.service()["pendingCount"] == 0


def test_the_seed_task_definition_runs_where_it_says(ecs):
    """The task definition of AWS's own page on DL1: placement from the task definition, hl-smi exits 0."""
    ecs(
        "RegisterTaskDefinition",
        family="dl-test",
        requiresCompatibilities=["EC2"],
        placementConstraints=[
            {"type": "memberOf", "expression": "attribute:ecs.os-type == linux"},
            {"type": "memberOf", "expression": "attribute:ecs.instance-type == dl1.24xlarge"},
        ],
        networkMode="host",
        cpu="10240",
        memory="1024",
        containerDefinitions=[
            {
                "entryPoint": ["sh", "-c"],
                "command": ["hl-smi"],
                "cpu": 8192,
                "environment": [{"name": "HABANA_VISIBLE_DEVICES", "value": "all"}],
                "image": "vault.habana.ai/gaudi-docker/1.1.0/ubuntu20.04/habanalabs/"
                "tensorflow-installer-tf-cpu-2.6.0:1.1.0-614",
                "essential": True,
                "name": "tensorflow-installer-tf-hpu",
            }
        ],
    )
    answer = run(ecs, "dl-test", count=10)
    assert answer["failures"] == []
    assert {ecs.kind(task["containerInstanceArn"]) for task in answer["tasks"]} == {"dl1.24xlarge"}
    ecs.wait(120)
    for task in answer["tasks"]:
        stopped = ecs.task(task["taskArn"])
        assert (stopped["stopCode"], stopped["containers"][0]["exitCode"]) == ("EssentialContainerExited", 0)


def test_host_ports_are_exclusive_across_services_and_tasks(ecs):
    ecs.register("one", networkMode="host", container=reserving(18100, 18101))
    ecs.register("two", networkMode="host", container=reserving(18101))
    ecs.create("one", "one", count=4)
    ecs.steady("one")
    assert len(set(hosts(ecs, "one"))) == 4
    answer = run(ecs, "two")
    assert reasons(answer) == ["RESOURCE:PORTS"] * 4
    ecs.create("two", "two")
    ecs.wait(60)
    assert any("is already using a port required by your task" in message for message in ecs.messages("two"))
    port = {r["name"]: r for r in ecs.instances()[0]["remainingResources"]}["PORTS"]["stringSetValue"]
    assert {"22", "2375", "2376", "51678", "51679", "18100", "18101"} == set(port)
    ecs.update("one", desiredCount=3)
    assert ecs.steady("two")["runningCount"] == 1


def test_tcp_and_udp_are_different_ports(ecs):
    ecs.register("tcp", networkMode="host", container=reserving(9000))
    ecs.register("udp", networkMode="host", container=reserving(9000, protocol="udp"))
    assert run(ecs, "tcp", count=4)["failures"] == []
    assert run(ecs, "udp", count=4)["failures"] == []
    assert reasons(run(ecs, "udp")) == ["RESOURCE:PORTS"] * 4
    ecs.register("ssh", networkMode="host", container=reserving(22))
    assert reasons(run(ecs, "ssh")) == ["RESOURCE:PORTS"] * 4


def test_at_most_a_hundred_ports(ecs):
    ecs.register("many", networkMode="host", container=reserving(*range(20_000, 20_096)))
    assert reasons(run(ecs, "many")) == ["RESOURCE:PORTS"] * 4


def test_dynamic_ports_of_bridge_tasks_differ(ecs):
    ecs.register(container={"portMappings": [{"containerPort": 80}]})
    only = ecs.instances()[0]["containerInstanceArn"]
    arns = [ecs("StartTask", taskDefinition="app", containerInstances=[only])["tasks"][0]["taskArn"] for _ in range(3)]
    ecs.wait(60)
    ports = {ecs.task(arn)["containers"][0]["networkBindings"][0]["hostPort"] for arn in arns}
    assert ports == {32768, 32769, 32770}


def test_resources_are_given_back_when_the_task_has_stopped(ecs):
    ecs.register(container=WHOLE)
    tasks = run(ecs, count=2)["tasks"]
    assert reasons(run(ecs)) == ["RESOURCE:CPU"] * 4
    ecs.wait(60)
    ecs("StopTask", task=tasks[0]["taskArn"])
    assert reasons(run(ecs)) == ["RESOURCE:CPU"] * 4
    ecs.wait(60)
    assert len(run(ecs)["tasks"]) == 1


def test_required_attributes(ecs):
    ecs.register(container={"logConfiguration": {"logDriver": "splunk"}})
    assert reasons(run(ecs)) == ["ATTRIBUTE"] * 4
    ecs.create()
    ecs.wait(60)
    assert any("is missing an attribute required by your task" in message for message in ecs.messages())


def test_member_of_is_satisfied_only_by_certainty(ecs):
    ecs.register()
    unknown = [{"type": "memberOf", "expression": "attribute:stack != prod"}]
    assert set(reasons(run(ecs, placementConstraints=unknown))) == {"MemberOf placement constraint unsatisfied."}
    arn = ecs.instances()[0]["containerInstanceArn"]
    ecs("PutAttributes", attributes=[{"name": "stack", "value": "dev", "targetId": arn}])
    assert [t["containerInstanceArn"] for t in run(ecs, placementConstraints=unknown)["tasks"]] == [arn]


def test_the_closest_match_has_the_fewest_obstacles(ecs):
    ecs.register(container={"cpu": 98_304, "memory": 900_000}, placementConstraints=ON_DL1)
    ecs.create()
    ecs.wait(60)
    message = ecs.messages()[-1]
    named = message.partition("container-instance ")[2].partition(")")[0]
    dl1 = {
        i["containerInstanceArn"].rpartition("/")[2]
        for i in ecs.instances()
        if ecs.kind(i["containerInstanceArn"]) == "dl1.24xlarge"
    }
    assert named in dl1
    assert message == (
        "was unable to place a task because no container instance met all of its requirements. The closest matching "
        f"(container-instance {named}) has insufficient memory available. For more information, see the "
        "Troubleshooting section of the Amazon ECS Developer Guide."
    )


def test_no_instances_at_all(make_ecs):
    ecs = make_ecs(fleet=())
    ecs.register()
    assert ecs.refused("RunTask", taskDefinition="app").message == "No Container Instances were found in your cluster."
    ecs.create()
    ecs.wait(60)
    assert "Reason: No Container Instances were found in your cluster." in ecs.messages()[-1]
    ecs.simulator.add_instance(Machine(M5_2XLARGE), ecs.now)
    assert ecs.steady()["runningCount"] == 1


def test_distinct_instance_looks_at_the_desired_status(ecs):
    ecs.register()
    ecs.create(count=6, placementConstraints=[{"type": "distinctInstance"}])
    ecs.wait(300)
    assert (len(hosts(ecs)), len(set(hosts(ecs)))) == (4, 4)
    assert 'encountered error "DistinctInstance placement constraint unsatisfied."' in ecs.messages()[-1]


def test_a_stopping_task_does_not_block_a_distinct_one(make_ecs):
    ecs = make_ecs(fleet=(Machine(M5_2XLARGE),), images=Images(otherwise=Runs(stop=25)))
    ecs.register()
    distinct = [{"type": "distinctInstance"}]
    first = run(ecs, placementConstraints=distinct)["tasks"][0]["taskArn"]
    ecs.wait(60)
    assert run(ecs, placementConstraints=distinct)["tasks"] == []
    ecs("StopTask", task=first)
    assert len(run(ecs, placementConstraints=distinct)["tasks"]) == 1
    assert ecs.task(first)["lastStatus"] == "DEACTIVATING"


def test_distinct_instance_counts_the_group_of_standalone_tasks(ecs):
    ecs.register()
    distinct = [{"type": "distinctInstance"}]
    answer = run(ecs, count=5, group="job:1", placementConstraints=distinct)
    assert len({task["containerInstanceArn"] for task in answer["tasks"]}) == 4
    assert reasons(answer) == ["DistinctInstance placement constraint unsatisfied."] * 4
    assert len(run(ecs, count=4, group="job:2", placementConstraints=distinct)["tasks"]) == 4


def test_not_beside_another_group(ecs):
    ecs.register()
    apart = [{"type": "memberOf", "expression": "not(task:group == service:web)"}]
    ecs.create(count=3, placementConstraints=[{"type": "distinctInstance"}])
    ecs.steady()
    answer = run(ecs, count=2, placementConstraints=apart)
    assert {task["containerInstanceArn"] for task in answer["tasks"]}.isdisjoint(hosts(ecs))


def test_a_service_spreads_over_zones_by_itself(ecs):
    ecs.register(placementConstraints=ON_DL1)
    ecs.create(count=2)
    ecs.steady()
    assert {task["availabilityZone"] for task in ecs.tasks()} == {"us-east-1a", "us-east-1b"}


@pytest.mark.parametrize("field", ["cpu", "memory"])
def test_binpack_fills_the_fullest(ecs, field):
    ecs.register(container={"cpu": 100})
    answer = run(ecs, count=6, placementStrategy=[{"type": "binpack", "field": field}])
    assert len({task["containerInstanceArn"] for task in answer["tasks"]}) == 1
    assert ecs.kind(answer["tasks"][0]["containerInstanceArn"]) == "m5.2xlarge"


def test_spread_by_attribute_then_binpack(ecs):
    ecs.register(container={"cpu": 100})
    strategies = [
        {"type": "spread", "field": "attribute:ecs.instance-type"},
        {"type": "binpack", "field": "memory"},
    ]
    answer = run(ecs, count=4, placementStrategy=strategies)
    kinds = [ecs.kind(task["containerInstanceArn"]) for task in answer["tasks"]]
    assert sorted(kinds) == ["dl1.24xlarge", "dl1.24xlarge", "m5.2xlarge", "m5.2xlarge"]
    assert len({task["containerInstanceArn"] for task in answer["tasks"]}) == 2


def test_random_is_spread_and_repeatable(make_ecs):
    def chosen():
        ecs = make_ecs()
        ecs.register()
        answer = run(ecs, count=10, placementStrategy=[{"type": "random"}])
        return [task["containerInstanceArn"] for task in answer["tasks"]]

    assert chosen() == chosen()
    assert len(set(chosen())) > 1


def test_disconnected_agents_take_nothing(ecs):
    ecs.register(placementConstraints=ON_DL1, container=WHOLE)
    dl1 = [i["containerInstanceArn"] for i in ecs.instances() if ecs.kind(i["containerInstanceArn"]) == "dl1.24xlarge"]
    ecs.simulator.set_agent(dl1[0], connected=False, now=ecs.now)
    answer = run(ecs, count=2)
    assert [task["containerInstanceArn"] for task in answer["tasks"]] == [dl1[1]]
    assert {f["arn"]: f["reason"] for f in answer["failures"]}[dl1[0]] == "AGENT"
    ecs.create()
    ecs.wait(60)
    assert ecs.service()["runningCount"] == 0
    assert 'encountered error "AGENT"' in ecs.messages()[-1]
    ecs.simulator.set_agent(dl1[0], connected=True, now=ecs.now)
    assert ecs.steady()["runningCount"] == 1


def test_draining_instances_take_nothing_but_keep_standalone_tasks(ecs):
    ecs.register(container=WHOLE)
    task = run(ecs)["tasks"][0]
    ecs("UpdateContainerInstancesState", containerInstances=[task["containerInstanceArn"]], status="DRAINING")
    ecs.wait(600)
    assert ecs.task(task["taskArn"])["lastStatus"] == "RUNNING"
    assert task["containerInstanceArn"] not in [f["arn"] for f in run(ecs, count=2)["failures"]]


def test_start_task_ignores_constraints_but_not_resources(ecs):
    ecs.register(placementConstraints=ON_DL1, container={"memory": 20_000})
    m5 = next(i["containerInstanceArn"] for i in ecs.instances() if ecs.kind(i["containerInstanceArn"]) == "m5.2xlarge")
    answer = ecs("StartTask", taskDefinition="app", containerInstances=[m5, m5[:-2] + "zz"])
    assert len(answer["tasks"]) == 1
    assert reasons(answer) == ["MISSING"]
    assert reasons(ecs("StartTask", taskDefinition="app", containerInstances=[m5])) == ["RESOURCE:MEMORY"]


def test_a_fleet_of_ones_own(make_ecs):
    ecs = make_ecs(fleet=(Machine(DL1, "c", cluster="train"),))
    ecs.register(container=WHOLE)
    assert "No Container Instances" in ecs.refused("RunTask", taskDefinition="app").message
    assert len(run(ecs, cluster="train")["tasks"]) == 1
