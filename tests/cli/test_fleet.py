"""`controller fleet`: eight cards of each DL1, who holds them, and what is amiss; as a table and as JSON."""

import json
from pathlib import Path

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


def test_a_task_without_tokens_on_a_taken_card_is_an_alarm(controller, aws, specs: Path):
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
