"""The table of what a task needs, by what it does with its cards and by SynapseAI version; each with a reason."""

from itertools import product

import pytest

from controller.core.gaudi.image import understand
from controller.core.gaudi.requirements import Circumstances, Situation, requirements, situation
from controller.core.gaudi.scaleout import needed
from controller.core.gaudi.version import Version
from controller.core.path import show
from controller.core.spec import Gaudi
from tests.support import SPEC, container, findings, rendered

SYS_NICE, INIT, MEMLOCK, IPC, OMPI, EFA = "SYS_NICE", "init", "memlock", "ipc", "ompi", "efa"


def names(gaudi, **around):
    """What is added, in short."""
    found = set()
    for one in requirements(gaudi, Circumstances(container="train", port_base=18100, **around)):
        assert one.why
        where = show(one.path)
        short = {
            "capabilities.add": SYS_NICE,
            "initProcessEnabled": INIT,
            "ulimits": MEMLOCK,
            "ipcMode": IPC,
            "devices": EFA,
        }
        found.update(name for end, name in short.items() if where.endswith(end))
        if where.endswith("environment") and one.value["name"].startswith("OMPI_MCA"):
            found.add(OMPI)
    return found


@pytest.mark.parametrize(
    ("gaudi", "around", "row", "needs"),
    [
        (Gaudi(cards=8), {"smoke": True}, Situation.SMOKE, set()),
        (Gaudi(cards=1), {}, Situation.ONE, {SYS_NICE, INIT, MEMLOCK}),
        (Gaudi(cards=1), {"pytorch": True}, Situation.ONE, {SYS_NICE, INIT, MEMLOCK, IPC}),
        (Gaudi(modules=(2, 3)), {}, Situation.SOME, {SYS_NICE, INIT, MEMLOCK, IPC, OMPI}),
        (Gaudi(devices=(4, 5, 6, 7)), {}, Situation.SOME, {SYS_NICE, INIT, MEMLOCK, IPC, OMPI}),
        (Gaudi(cards=8), {}, Situation.WHOLE, {SYS_NICE, INIT, MEMLOCK, IPC, OMPI}),
        (Gaudi(cards=8), {"own_shared_memory": True}, Situation.WHOLE, {SYS_NICE, INIT, MEMLOCK, OMPI}),
        (Gaudi(cards=8, efa=True), {}, Situation.NODES, {SYS_NICE, INIT, MEMLOCK, IPC, OMPI, EFA}),
        (Gaudi(cards=8, efa=True), {"privileged": True}, Situation.NODES, {SYS_NICE, INIT, MEMLOCK, IPC, OMPI}),
        (Gaudi(cards=8, tuning="minimal"), {}, Situation.WHOLE, set()),
        (Gaudi(cards=8, tuning="minimal", efa=True), {}, Situation.NODES, {MEMLOCK, EFA}),
    ],
)  # fmt: skip
def test_the_table(gaudi, around, row, needs):
    assert situation(gaudi, Circumstances(container="train", port_base=18100, **around)) is row
    assert names(gaudi, **around) == needs


@pytest.mark.parametrize(
    ("version", "variables"),
    [
        ("1.5.0", {"HCCL_OVER_OFI": "1"}),
        ("1.7.1", {"HCCL_OVER_OFI": "1"}),
        ("1.8.0", {"HCCL_OVER_OFI": "1"}),
        ("1.9.0", {"RDMAV_FORK_SAFE": "1", "FI_EFA_USE_DEVICE_RDMA": "1"}),
        ("1.18.0", {"RDMAV_FORK_SAFE": "1", "FI_EFA_USE_DEVICE_RDMA": "1"}),
    ],
)
def test_between_instances_the_version_decides(version, variables):
    assert {name: value for name, (value, _) in needed(Version.read(version)).items()} == variables
    text = SPEC.replace("{cards: 8}", f"{{cards: 8, efa: true, synapseai: {version}}}")
    environment = {one["name"]: one["value"] for one in container(rendered(text).register)["environment"]}
    every = {"HCCL_OVER_OFI", "HCCL_OVER_TCP", "RDMAV_FORK_SAFE", "FI_EFA_USE_DEVICE_RDMA"}
    assert {name: environment[name] for name in every & environment.keys()} == variables


def test_the_version_is_read_from_the_tag():
    tag = "pytorch-training-habana:1.11.0-hpu-py38-synapseai1.5.0-ubuntu20.04"
    text = SPEC.replace("{cards: 8}", "{cards: 8, efa: true}").replace("bert:1", tag)
    assert "HCCL_OVER_OFI" in {one["name"] for one in container(rendered(text).register)["environment"]}


def test_the_users_value_stays():
    text = SPEC.replace("{cards: 8}", "{cards: 8, efa: true, synapseai: 1.8.0}")
    text = text.replace("{LR: 1e-3}", "{HCCL_OVER_OFI: 0}")
    environment = {one["name"]: one["value"] for one in container(rendered(text).register)["environment"]}
    assert environment["HCCL_OVER_OFI"] == "0"


def test_bridge_is_no_way_to_other_instances():
    text = SPEC.replace("{cards: 8}", "{cards: 8, efa: true}").replace(
        "  taskDefinition:\n", "  taskDefinition:\n    networkMode: bridge\n"
    )
    ((code, message, _),) = findings(text)
    assert code == "contradiction"
    assert "networkMode" in message


# Names of images ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-training-habana:2.7.0-hpu-py38-synapseai1.2.0-ubuntu20.04",
            "TensorFlow 2.7.0, SynapseAI 1.2.0, Python 3.8, ubuntu20.04",
        ),
        (
            "vault.habana.ai/gaudi-docker/1.1.0/ubuntu20.04/habanalabs/tensorflow-installer-tf-cpu-2.6.0:1.1.0-614",
            "TensorFlow 2.6.0, SynapseAI 1.1.0, ubuntu20.04",
        ),
        (
            "vault.habana.ai/gaudi-docker/1.11.0/amzn2/habanalabs/pytorch-installer-2.0.1:latest",
            "PyTorch 2.0.1, SynapseAI 1.11.0, amzn2",
        ),
        ("vault.habana.ai/gaudi-docker/1.1.0/ubuntu20.04/habanalabs/pytorch-installer:1.1.0-614",
         "PyTorch (version not in the name), SynapseAI 1.1.0, ubuntu20.04"),
        ("localhost:5000/mine/pytorch:1", "localhost:5000/mine/pytorch"),
    ],
)  # fmt: skip
def test_what_a_name_says(name, says):
    assert str(understand(name)) == says


def test_a_copy_of_a_dlc_keeps_its_versions_and_is_not_aws():
    image = understand("registry.example/gaudi:1.11.0-hpu-py38-synapseai1.5.0-ubuntu20.04@sha256:" + "0" * 64)
    assert (str(image.synapseai), image.account, str(image.maker)) == ("1.5.0", None, "somebody else")
    assert image.digest == "sha256:" + "0" * 64


def test_versions_are_numbers():
    read = Version.read
    assert read("1.10.0") > read("1.9.0")
    assert read("1.5") == Version(1, 5, 0)
    assert read("1.5.0").fits(read("1.5.7"))
    assert not read("1.15.0").fits(read("1.16.0"))
    assert [read(text) for text in ("", "1", "a.b.c", "1.2.3.4", "v1.2.3")] == [None] * 5
    for one, other in product(("1.5.0", "1.5.1"), repeat=2):
        assert read(one).release == read(other).release
