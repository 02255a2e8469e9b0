"""The fleet: what instances are, which driver they have, who holds their cards, and what it means for a workload."""

import json
from pathlib import Path

import pytest

from controller.core.gaudi.cards import CARDS_PER_INSTANCE, DL1_INSTANCE_TYPE
from controller.core.gaudi.catalogue import dl1
from controller.core.gaudi.drivers import Told, by_ami_name, driver_of, match, same_release, verified
from controller.core.gaudi.fleet import Fleet, assess, fleet_of
from controller.core.gaudi.instances import instance_of, troubles
from controller.core.gaudi.occupancy import occupancy
from controller.core.gaudi.tasks import live_task
from controller.core.gaudi.version import Version
from controller.core.placement import Facts, evaluate
from controller.core.render import Settings
from controller.reasons import Reason
from controller.sandbox.fleet import DL1, M5_2XLARGE, Machine
from tests.core.gaudi.playing import Cluster
from tests.support import SPEC, findings, rendered

RECORDED = Path(__file__).parents[2] / "data" / "recorded" / "sequences" / "cluster_storage"
DLAMI = "Deep Learning AMI Habana PyTorch 1.11.0 SynapseAI 1.5.0 (Ubuntu 20.04) 20220725"


def wire(
    name="i-1", *, kind="dl1.24xlarge", memory=721_840, status="ACTIVE", connected=True, ami="ami-1", **attributes
):
    found = {
        "ecs.instance-type": kind,
        "ecs.os-type": "linux",
        "ecs.availability-zone": "us-west-2a",
        "ecs.ami-id": ami,
    } | {key.replace("__", ".").replace("_", "-"): value for key, value in attributes.items()}
    resources = [
        {"name": "CPU", "type": "INTEGER", "integerValue": 98304},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
        {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22", "51678"]},
        {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []},
    ]
    return {
        "containerInstanceArn": f"arn:aws:ecs:us-west-2:1:container-instance/train/{name}",
        "ec2InstanceId": name,
        "status": status,
        "agentConnected": connected,
        "versionInfo": {"agentVersion": "1.68.2"},
        "attributes": [{"name": key, "value": value} for key, value in found.items()] + [{"name": "ecs.capability.x"}],
        "registeredResources": resources,
        "remainingResources": resources,
        "runningTasksCount": 0,
        "registeredAt": 1_700_000_000.5,
    }


def definition(*, devices=None, modules=None, tokens=(), **members):
    values = {"HABANA_VISIBLE_DEVICES": devices, "HABANA_VISIBLE_MODULES": modules}
    container = {
        "name": "main",
        "memory": 1000,
        "environment": [{"name": name, "value": value} for name, value in values.items() if value is not None],
        "portMappings": [{"containerPort": port, "hostPort": port, "protocol": "tcp"} for port in tokens],
        **members,
    }
    return {"networkMode": "host", "containerDefinitions": [container]}


def task(name="t1", where="i-1", *, group="service:bert", status="RUNNING", desired="RUNNING", of=None):
    return {
        "taskArn": f"arn:aws:ecs:us-west-2:1:task/train/{name}",
        "taskDefinitionArn": of or f"arn:definition/{name}",
        "containerInstanceArn": f"arn:aws:ecs:us-west-2:1:container-instance/train/{where}",
        "group": group,
        "lastStatus": status,
        "desiredStatus": desired,
    }


def cards(*named, where="i-1"):
    """The cards of one instance with tasks that have these definitions."""
    tasks = [live_task(task(f"t{at}", where, group=f"service:s{at}"), one) for at, one in enumerate(named)]
    return occupancy(instance_of(wire(where)), tasks)


# Instances ----------------------------------------------------------------------------------------------------------


def test_an_instance_of_the_wire():
    one = instance_of(wire(habana__synapseai="1.11.0"))
    assert (one.is_dl1, one.usable, one.zone, one.ami, one.short) == (True, True, "us-west-2a", "ami-1", "i-1")
    assert (one.registered.cpu, one.remaining.memory, one.remaining.tcp) == (98304, 721_840, {22, 51678})
    assert one.attributes["ecs.capability.x"] is None
    assert evaluate("attribute:habana.synapseai == 1.11.0 and agentConnected == true", one.facts())
    assert evaluate("task:group == service:bert", one.facts({"service:bert"}))


def test_a_recorded_instance_is_understood_and_is_no_dl1():
    recorded = json.loads((RECORDED / "ecs.DescribeContainerInstances_1.json").read_text())
    (answer,) = recorded["containerInstances"][:1]
    one = instance_of(answer)
    assert one.ec2_id.startswith("i-")
    assert one.registered.cpu > 0
    assert 51678 in one.registered.tcp
    assert not one.is_dl1
    assert troubles(one) == ()


def test_what_is_wrong_with_an_instance():
    assert troubles(instance_of(wire())) == ()
    assert "is DRAINING" in troubles(instance_of(wire(status="DRAINING")))[0]
    assert "agent is disconnected" in troubles(instance_of(wire(connected=False)))[0]
    assert "default runtime" in troubles(instance_of(wire(habana__runtime="runc")))[0]
    assert troubles(instance_of(wire(habana__runtime="default"))) == ()


def test_hugepages_that_ecs_would_promise():
    """karpenter-provider-aws #3315, #3316: hugepages and memory of a dl1.24xlarge are counted twice."""
    (found,) = troubles(instance_of(wire(memory=771_840)))
    assert "registers 771840 MiB, hugepages included (at least 30000 MiB)" in found
    assert "ECS_RESERVED_MEMORY" in found
    assert troubles(instance_of(wire(kind="m5.2xlarge", memory=771_840))) == ()


def test_the_data_and_the_code_name_one_type():
    assert (dl1().instance_type, dl1().cards) == (DL1_INSTANCE_TYPE, CARDS_PER_INSTANCE)


# Drivers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("Deep Learning AMI Habana TensorFlow 2.5.0 SynapseAI 0.15.4 (Ubuntu 18.04) 20220105", "0.15.4"),
        ("AWS Deep Learning AMI Habana TensorFlow 2.7.0 SynapseAI 1.2.0 (Amazon Linux 2) 20220208", "1.2.0"),
        ("Deep Learning AMI Habana PyTorch 1.10.2 SynapseAI 1.4.0 (Ubuntu 20.04) 20220425", "1.4.0"),
        ("ecs-dl1-synapseai-1.11.0-1700000000", "1.11.0"),
        ("AWS Habana Deep Learning Base AMI (Ubuntu 20.04)", None),
        ("al2-habana-dl1-fsx-processor_ecs-1647592931", None),
        ("", None),
    ],
)
def test_the_name_of_an_ami_tells_the_version(name, version):
    found = by_ami_name(name)
    assert (str(found) if found else None) == version


def test_how_a_driver_is_known():
    names = {"ami-1": DLAMI}
    told = driver_of(instance_of(wire()), names)
    assert told is not None
    assert (str(told.version), told.told, told.doubt) == ("1.5.0", Told.AMI_NAME, None)
    said = driver_of(instance_of(wire(habana__synapseai="1.11.0")), names)
    assert said is not None
    assert (str(said.version), said.told) == ("1.11.0", Told.ATTRIBUTE)
    assert said.doubt == "but the name of its AMI says 1.5.0"
    paired = driver_of(instance_of(wire(ami="ami-0d83d7487f322545a")), {})
    assert paired is not None
    assert (str(paired.version), paired.told) == ("1.6.0", Told.AMI_ID)
    assert driver_of(instance_of(wire()), {}) is None
    assert verified(instance_of(wire(habana__verified="1.5.0"))) == Version(1, 5)
    assert verified(instance_of(wire())) is None


def test_driver_and_image_must_be_of_one_release():
    """optimum-habana #288: DLAMI with SynapseAI 1.4.0, image with another: `RuntimeError: Device acquire failed`.
    GenAIExamples #366, GenAIInfra #200: a 1.15 image on a 1.16 driver."""
    instances = [
        instance_of(wire("i-1", habana__synapseai="1.15.1")),
        instance_of(wire("i-2", habana__synapseai="1.16.0")),
    ]
    found = match(Version(1, 15), [*instances, instance_of(wire("i-3"))], {})
    assert (found.fitting, found.unknown) == (("i-1",), ("i-3",))
    assert found.problem == (
        "the image has SynapseAI 1.15.0, and driver and image must have one major.minor: i-2 has 1.16.0 by its"
        " attribute habana.synapseai; i-1 would do (gaudi.requireDriver: true narrows the workload to such)"
    )
    assert match(Version(1, 15), instances[:1], {}).problem is None
    assert "would do" not in str(match(Version(1, 14), instances[:1], {}).problem)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [("1.5.0", True), ("1.5.12", True), ("1.15.0", False), ("1.50.0", False), ("1.4.1", False), (None, False)],
)
def test_the_expression_for_one_release(value, allowed):
    expression = same_release("habana.synapseai", Version(1, 5))
    attributes = {} if value is None else {"habana.synapseai": value}
    assert evaluate(expression, Facts(attributes=attributes)) is allowed


# Cards --------------------------------------------------------------------------------------------------------------


def test_who_holds_which_card():
    one = cards(definition(devices="all", modules="0,1"), definition(devices="4"))
    assert [[t.group for t in holders] for holders in one.holders] == [
        *(["service:s0"], ["service:s0"], [], [], ["service:s1"], [], [], []),
    ]
    assert one.free == {2, 3, 5, 6, 7}
    assert one.groups(2) == ((2, 3), (6, 7))
    assert one.groups(4) == ()
    assert one.groups(8) == ()
    assert one.groups(1) == ((2,), (3,), (5,), (6,), (7,))
    assert one.stranded == {5}
    assert one.by_index
    assert one.usd_per_hour == pytest.approx(13.10904 * 5 / 8)


def test_what_is_told_of_cards():
    assert cards(definition(devices="all")).remarks() == ()
    assert cards().remarks() == ("no task uses a card: $13.11 an hour for nothing",)
    half = cards(definition(devices="all", modules="0,1,2,3"))
    assert half.remarks() == ("cards 4, 5, 6, 7 are used by no task: $6.55 an hour",)
    stranded = cards(definition(devices="all", modules="0"))
    assert stranded.remarks() == (
        "cards 1, 2, 3, 4, 5, 6, 7 are used by no task: $11.47 an hour; card 1 is in no pair that is free",
    )
    scattered = cards(definition(devices="all", modules="0,1"), definition(devices="all", modules="4,5"))
    assert scattered.remarks() == ("cards 2, 3, 6, 7 are used by no task: $6.55 an hour; no four of them are a group",)


def test_two_tasks_on_a_card():
    """tgi-gaudi #54: both say HABANA_VISIBLE_DEVICES=all."""
    one = cards(definition(devices="all"), definition(devices="all", modules="7"))
    assert set(one.contested) == {7}
    assert one.remarks()[0] == "card 7 is named by service:s0 (t0) and service:s1 (t1)"


def test_only_what_runs_there_counts():
    tasks = [
        live_task(task("a", status="STOPPED", desired="STOPPED"), definition(devices="all")),
        live_task(task("b", "i-2"), definition(devices="all")),
        live_task(task("c"), definition(devices="all", command=["hl-smi"])),
    ]
    assert occupancy(instance_of(wire()), tasks).idle
    ending = live_task(task("d", status="STOPPING", desired="STOPPED"), definition(devices="all"))
    assert not occupancy(instance_of(wire()), [ending]).idle


# The fleet ----------------------------------------------------------------------------------------------------------


def fleet(*instances, tasks=(), ami_names=None):
    pairs = list(tasks)
    return fleet_of(
        instances or (wire(),),
        [one for one, _ in pairs],
        {one["taskDefinitionArn"]: of for one, of in pairs},
        ami_names=ami_names,
    )


def test_other_instances_are_never_counted():
    one = fleet(wire("i-1"), wire("i-2", kind="m5.2xlarge"), wire("i-3"))
    assert [found.short for found in one.dl1] == ["i-1", "i-3"]
    assert one.usd_per_hour == pytest.approx(2 * 13.10904)
    assert one.usd_per_hour_unused == pytest.approx(2 * 13.10904)


def test_a_task_with_cards_on_another_type_is_misplaced():
    one = fleet(wire("i-1"), wire("i-2", kind="m5.2xlarge"), tasks=[(task("t1", "i-2"), definition(devices="all"))])
    (remark,) = [text for name, text in one.remarks() if name == "t1"]
    assert remark == "task of service:bert wants all eight cards on i-2, which is m5.2xlarge and has none"


def test_what_is_told_of_a_fleet():
    one = fleet(
        wire("i-1", habana__synapseai="1.5.0", habana__verified="1.4.1"),
        wire("i-2", habana__synapseai="1.6.0"),
        wire("i-3"),
        tasks=[(task("t1", "i-1"), definition(devices="all")), (task("t2", "i-2"), definition(devices="all"))],
        ami_names={"ami-1": "nothing"},
    )
    told = list(one.remarks())
    assert ("i-3", "nothing tells the SynapseAI version of its driver; set habana.synapseai on it") in told
    assert ("i-3", "no task uses a card: $13.11 an hour for nothing") in told
    assert ("i-1", "was verified with SynapseAI 1.4.1, but its driver is 1.5.0") in told
    assert any(name == "cluster" and "of 2 releases (1.5, 1.6)" in text for name, text in told)


def test_a_task_without_its_definition_holds_no_known_card():
    one = fleet_of([wire()], [task()], {})
    assert one.occupancies[0].idle


def test_the_fleet_of_a_simulated_cluster():
    cluster = Cluster.of(Machine(DL1, "a"), Machine(M5_2XLARGE, "a"))
    cluster.apply(rendered(SPEC.replace("{cards: 8}", "{modules: [0, 1, 2, 3]}").replace('"700000"', '"300000"')))
    cluster.wait(120)
    one = Fleet(tuple(cluster.instances()), tuple(cluster.tasks()))
    (found,) = one.occupancies
    assert found.free == {4, 5, 6, 7}
    assert {t.service for t in found.holders[0]} == {"bert"}


# A workload on a fleet ----------------------------------------------------------------------------------------------

DLC = "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-training-habana:1.11.0-hpu-py38-synapseai1.5.0-ubuntu20.04"
TEXT = SPEC.replace("example.com/bert:1", f"{DLC}\n        command: [train]")
HERE = Settings(region="us-west-2")


def test_all_is_well():
    found = assess(rendered(TEXT, settings=HERE), fleet(wire(habana__synapseai="1.5.0")))
    assert (found.hold, found.doubts) == (None, ())


def test_another_driver_blocks_or_warns():
    one = fleet(wire(habana__synapseai="1.6.0"))
    found = assess(rendered(TEXT, settings=HERE), one)
    assert found.hold is not None
    assert found.hold[0] is Reason.DRIVER_MISMATCH
    assert "i-1 has 1.6.0" in found.hold[1]
    warned = assess(rendered(TEXT.replace("{cards: 8}", "{cards: 8, driverPolicy: warn}"), settings=HERE), one)
    assert warned.hold is None
    assert "i-1 has 1.6.0" in warned.doubts[0]


def test_a_mixed_fleet_is_narrowed():
    one = fleet(wire("i-1", habana__synapseai="1.5.0"), wire("i-2", habana__synapseai="1.6.0"))
    assert assess(rendered(TEXT, settings=HERE), one).hold is not None
    narrow = rendered(TEXT.replace("{cards: 8}", "{cards: 8, requireDriver: true}"), settings=HERE)
    expressions = [c["expression"] for c in narrow.register["placementConstraints"]]
    assert expressions[-1] == r"attribute:habana.synapseai =~ 1\.5\..*"
    found = assess(narrow, one)
    assert (found.hold, found.forecast.outcome.value) == (None, "Fits")


def test_verified_instances_only():
    text = TEXT.replace("{cards: 8}", "{cards: 8, requireVerified: true}")
    one = fleet(wire("i-1", habana__synapseai="1.5.0"))
    found = assess(rendered(text, settings=HERE), one)
    assert found.hold is not None
    assert found.hold[0] is Reason.NO_CAPACITY
    proved = fleet(wire("i-1", habana__synapseai="1.5.0", habana__verified="1.5.0"))
    assert assess(rendered(text, settings=HERE), proved).hold is None


def test_what_must_be_known_is_asked_for():
    text = SPEC.replace("{cards: 8}", "{cards: 8, requireVerified: true}")
    ((_, message, line),) = findings(text)
    assert "need the SynapseAI version of the image" in message
    assert line == 15
    assert findings(text.replace("requireVerified: true", "requireVerified: true, synapseai: 1.5.0")) == []


def test_an_image_that_says_nothing_is_not_held_up():
    found = assess(rendered(SPEC), fleet(wire(habana__synapseai="1.6.0")))
    assert (found.drivers, found.hold) == (None, None)


def test_no_room_stall_and_collision_are_reasons():
    text = TEXT.replace("  replicas: 1", "  replicas: 2")
    assert (assess(rendered(text, settings=HERE), fleet()).hold or ("",))[0] is Reason.NO_CAPACITY
    stranger = (task("x", group="family:notebook"), definition(devices="all"))
    found = assess(rendered(TEXT, settings=HERE), fleet(tasks=[stranger]))
    assert found.hold is not None
    assert found.hold[0] is Reason.CARD_TAKEN
    assert any("task x of family:notebook uses all eight cards" in doubt for doubt in found.doubts)


def test_tasks_of_other_services_of_ours_are_no_strangers():
    other = (task("x", group="service:gpt"), definition(devices="all"))
    found = assess(rendered(TEXT, settings=HERE), fleet(tasks=[other]), managed=["service:gpt"])
    assert found.warnings == ()


def test_an_autoscaled_count_is_the_live_one():
    text = TEXT.replace("  replicas: 1\n", "")
    one = fleet(wire("i-1"), wire("i-2"))
    assert assess(rendered(text, settings=HERE), one, desired=2).forecast.outcome.value == "Fits"
    assert assess(rendered(text, settings=HERE), one, desired=3).forecast.blocks
