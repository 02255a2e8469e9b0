"""`controller fleet`: eight cards of each DL1, who holds them, and what is amiss; as a table and as JSON."""

import json
from pathlib import Path

from controller.sandbox.fleet import M5_2XLARGE, Machine
from tests.cli.conftest import spec


def test_an_idle_fleet_costs_money(controller, aws, specs: Path):
    (specs / "bert.yaml").write_text(spec())
    done = controller("fleet")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == (
        "cluster default: 2 DL1 instances, 2 others; $26.22 an hour, $26.22 of it for cards without a task"
    )
    assert lines[2].split() == [
        "INSTANCE",
        "ZONE",
        "STATE",
        "SYNAPSEAI",
        "VERIFIED",
        "CARDS",
        "0-7",
        "CPU",
        "FREE",
        "MEMORY",
        "FREE",
    ]
    assert all("········" in line for line in lines[3:5])
    assert "no task uses a card: $13.11 an hour for nothing" in done.out


def test_the_cards_and_who_holds_them(controller, aws, specs: Path):
    (specs / "a.yaml").write_text(spec("whole"))
    (specs / "b.yaml").write_text(spec("half", gaudi="{modules: [4, 5, 6, 7]}"))
    assert controller("--once", "--apply").code == 0
    aws.rest(300)
    done = controller("fleet")
    drawn = {
        word for line in done.out.splitlines() for word in line.split() if len(word) == 8 and set(word) <= set("ab·")
    }
    assert drawn in ({"aaaaaaaa", "····bbbb"}, {"····aaaa", "bbbbbbbb"})
    assert "service:whole" in done.out
    assert "service:half" in done.out
    document = json.loads(controller("fleet", "-o", "json").out)
    (cluster,) = document["clusters"]
    assert (document["kind"], cluster["cluster"], cluster["otherInstances"]) == ("Fleet", "default", 2)
    free = sorted(one["free"] for one in cluster["instances"])
    assert free == [[], [0, 1, 2, 3]]
    held = [[card[0]["group"] if card else None for card in one["cards"]] for one in cluster["instances"]]
    assert sorted(held, key=str) == sorted([["service:whole"] * 8, [None] * 4 + ["service:half"] * 4], key=str)


def register_stray(aws):
    """A task definition that names all cards and holds none of their ports."""
    aws.call(
        "RegisterTaskDefinition",
        family="stray",
        containerDefinitions=[
            {
                "name": "c",
                "image": "example.com/stray:1",
                "memory": 128,
                "environment": [{"name": "HABANA_VISIBLE_DEVICES", "value": "all"}],
            }
        ],
    )


def test_a_task_without_tokens_on_a_taken_card_is_an_alarm(controller, aws, specs: Path):
    register_stray(aws)
    dl1 = "attribute:ecs.instance-type == dl1.24xlarge"
    for _ in range(2):
        (arn, *_) = aws.call("ListContainerInstances", filter=dl1)["containerInstanceArns"]
        aws.call("StartTask", taskDefinition="stray", containerInstances=[arn])
    looks = []
    for _ in range(6):  # the second one dies of it, as it does on a real instance
        aws.rest(5)
        looks.append(controller("fleet", "--cluster", "default").out)
    alarms = [text for text in looks if "!!!!!!!!" in text]
    assert alarms
    assert "card 0 is named by family:stray" in alarms[0]


def test_everything_that_is_known_of_an_instance(controller, aws, specs: Path):
    (specs / "a.yaml").write_text(spec("half", gaudi="{modules: [0, 1, 2, 3]}"))
    (specs / "b.yaml").write_text(spec("one", gaudi="{modules: [4]}"))
    arns = aws.call("ListContainerInstances", filter="attribute:ecs.instance-type == dl1.24xlarge")
    for other in arns["containerInstanceArns"][1:]:
        aws.call("UpdateContainerInstancesState", containerInstances=[other], status="DRAINING")
    mine = {"name": "habana.verified", "value": "1.6.0", "targetId": arns["containerInstanceArns"][0]}
    aws.call("PutAttributes", attributes=[mine])
    assert controller("--once", "--apply").code == 0
    aws.rest(300)
    (cluster,) = json.loads(controller("fleet", "-o", "json").out)["clusters"]
    (one,) = [each for each in cluster["instances"] if each["status"] == "ACTIVE"]
    assert (one["type"], one["synapseai"], one["verified"]) == ("dl1.24xlarge", "1.6.0", "1.6.0")
    assert one["attributes"] == {"habana.verified": "1.6.0"}
    assert (one["free"], one["stranded"], one["freeGroups"]) == ([5, 6, 7], [5], {"2": [[6, 7]], "4": [], "8": []})
    assert (one["usdPerHour"], one["usdPerHourUnused"]) == (13.11, 4.92)
    assert set(range(18100, 18105)) <= set(one["portsTaken"])
    assert one["cpuFree"] <= one["cpu"]
    assert one["memoryFree"] < one["memory"]
    told = [each["message"] for each in cluster["findings"] if each["about"] == one["instance"]]
    assert "cards 5, 6, 7 are used by no task: $4.92 an hour; card 5 is in no pair that is free" in told


def test_a_task_with_cards_where_none_are_is_told_also_where_there_is_no_dl1(controller, aws, specs: Path):
    """ECS looks at constraints when it places a task and never again."""
    aws.call("CreateCluster", clusterName="web")
    aws.server.region().add_instance(Machine(M5_2XLARGE, cluster="web"), aws.clock.now())
    register_stray(aws)
    aws.call("RunTask", cluster="web", taskDefinition="stray")
    done = controller("fleet", "--cluster", "web")
    assert "0 DL1 instances, 1 other; no task with Gaudi cards can be placed" in done.out
    assert "task of family:stray wants all eight cards on" in done.out
    (cluster,) = json.loads(controller("fleet", "--cluster", "web", "-o", "json").out)["clusters"]
    (one,) = cluster["misplaced"]
    assert (one["group"], one["type"]) == ("family:stray", "m5.2xlarge")


def test_a_cluster_without_dl1_says_what_that_means(controller, aws, specs: Path):
    aws.call("CreateCluster", clusterName="web")
    done = controller("fleet", "--cluster", "web")
    assert done.out == "cluster web: 0 DL1 instances; no task with Gaudi cards can be placed\n"


def test_a_cluster_that_is_not_there_and_none_at_all(controller, aws, specs: Path):
    done = controller("fleet", "--cluster", "nowhere")
    assert (done.code, done.out) == (1, "")
    assert "there is no cluster nowhere; check --cluster and the region" in done.err
    done = controller("fleet")
    assert (done.code, done.out) == (64, "")
    assert "no cluster is named; name one with --cluster, or specs with -s" in done.err
