"""Variables that break the software in the image, by SynapseAI version, and names that nearly are Habana's."""

import pytest

from controller.core.gaudi.cards import CardSet, Naming
from controller.core.gaudi.environment import check
from controller.core.gaudi.lookalikes import KNOWN, meant
from controller.core.gaudi.version import Version
from controller.core.path import show
from tests.support import SPEC, findings

EIGHT = CardSet(Naming.WHOLE, tuple(range(8)))
ONE = CardSet(Naming.MODULES, (3,))


def found(environment, *, synapseai="1.11.0", cards=EIGHT, efa=False, **members):
    container = {
        "name": "train",
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
        **members,
    }
    version = Version.read(synapseai) if synapseai else None
    return [
        (str(one.severity), show(one.path[3:]), one.message)
        for one in check(container, cards=cards, synapseai=version, efa=efa)
    ]


@pytest.mark.parametrize("version", ["1.9.0", "1.11.0", "1.22.0"])
def test_from_1_9_on_over_ofi_forces_the_slow_way(version):
    ((severity, path, message),) = found({"HCCL_OVER_OFI": "1"}, synapseai=version)
    assert (severity, path) == ("warning", "environment[HCCL_OVER_OFI]")
    assert "the slow way through the host's memory" in message


@pytest.mark.parametrize("version", ["1.5.0", "1.7.1", "1.8.0", None])
def test_before_1_9_it_is_right(version):
    assert found({"HCCL_OVER_OFI": "1"}, synapseai=version) == []


@pytest.mark.parametrize("name", ["HCCL_GAUDI_DIRECT", "HCCL_PEER_DIRECT"])
@pytest.mark.parametrize("version", ["1.5.0", "1.11.0", None])
def test_direct_without_ofi_ends_the_process(name, version):
    ((severity, path, message),) = found({name: "1"}, synapseai=version)
    assert (severity, path) == ("error", f"environment[{name}]")
    assert "std::terminate" in message


def test_direct_with_ofi_has_no_way_back():
    ((severity, _, message),) = found({"HCCL_GAUDI_DIRECT": "1", "HCCL_OVER_OFI": "1"})
    assert severity == "warning"
    assert "hcclLibfabricError" in message
    ((_, _, message),) = found({"HCCL_GAUDI_DIRECT": "1", "HCCL_OVER_OFI": "1"}, synapseai="1.7.0")
    assert "came with 1.8" in message


def test_what_is_off_is_off():
    assert found({"HCCL_GAUDI_DIRECT": "0", "HCCL_OVER_OFI": "0", "HCCL_OVER_TCP": "false"}) == []


def test_tcp_is_for_1_7_and_older():
    assert found({"HCCL_OVER_TCP": "1"}, synapseai="1.7.1") == []
    ((severity, _, message),) = found({"HCCL_OVER_TCP": "1"}, synapseai="1.8.0")
    assert severity == "warning"
    assert "is for SynapseAI 1.7 and older" in message
    assert any("two ways" in one[2] for one in found({"HCCL_OVER_TCP": "1", "HCCL_OVER_OFI": "1"}, synapseai="1.7.0"))


def test_several_interfaces_need_a_word():
    ((severity, path, message),) = found({}, efa=True)
    assert (severity, path) == ("warning", "")
    assert "HCCL_SOCKET_IFNAME is not set" in message
    assert found({"HCCL_SOCKET_IFNAME": "ens32"}, efa=True) == []


@pytest.mark.parametrize("name", ["LD_LIBRARY_PATH", "GC_KERNEL_PATH", "OPAL_PREFIX"])
def test_variables_of_the_image_are_replaced_not_added_to(name):
    ((severity, path, message),) = found({name: "/opt/mine"})
    assert (severity, path) == ("warning", f"environment[{name}]")
    assert "replaces the image's own value" in message


@pytest.mark.parametrize("value", ["/opt/mine:$LD_LIBRARY_PATH", "${LD_LIBRARY_PATH}:/opt/mine"])
def test_nobody_expands_a_dollar(value):
    ((severity, _, message),) = found({"LD_LIBRARY_PATH": value})
    assert severity == "error"
    assert "nobody expands the `$`" in message


def test_one_ranks_module_for_all_ranks():
    """optimum-habana #1089, #1108: an inherited HLS_MODULE_ID ends in `device not found`."""
    ((severity, _, message),) = found({"HLS_MODULE_ID": "3"})
    assert (severity, "device not found" in message) == ("error", True)
    assert found({"HLS_MODULE_ID": "3"}, cards=ONE) == []
    ((_, _, message),) = found({"HLS_MODULE_ID": "0,1"}, cards=ONE)
    assert "one module id" in message


def test_nvidias_variables_choose_nothing():
    ((severity, _, message),) = found({"NVIDIA_VISIBLE_DEVICES": "all"})
    assert (severity, "Gaudi does not read it" in message) == ("warning", True)


def test_a_smoke_test_may_set_what_it_likes():
    assert found({"HCCL_GAUDI_DIRECT": "1", "LD_LIBRARY_PATH": "$X"}, command=["hl-smi"]) == []


# Look-alikes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("HABANA_VISIBLE_DEVICE", "HABANA_VISIBLE_DEVICES"),
        ("HABANA_VISIBLE_DEVICES_X", "HABANA_VISIBLE_DEVICES"),
        ("HABANA_VISIBLE_DEVICES2", "HABANA_VISIBLE_DEVICES"),
        ("HABANA_VISIBEL_DEVICES", "HABANA_VISIBLE_DEVICES"),
        ("habana_visible_devices", "HABANA_VISIBLE_DEVICES"),
        ("HABANAVISIBLEDEVICES", "HABANA_VISIBLE_DEVICES"),
        ("HABANA_VISIBLE_MODULE", "HABANA_VISIBLE_MODULES"),
        ("HABANA-VISIBLE-MODULES", "HABANA_VISIBLE_MODULES"),
        ("HCCL_OVER_OF1", "HCCL_OVER_OFI"),
        ("PT_HPU_LAZYMODE", "PT_HPU_LAZY_MODE"),
    ],
)
def test_what_a_name_was_meant_to_be(name, known):
    assert meant(name) == known


@pytest.mark.parametrize(
    "name", [*KNOWN, "HL_VISIBLE_DEVICES", "LR", "", "CUDA_VISIBLE_DEVICES", "MASTER_PORT", "HABANA_LOGS_DIR"]
)
def test_what_is_another_name(name):
    assert meant(name) is None


def test_a_misspelt_selector_is_an_error_any_other_a_warning():
    ((severity, path, message),) = found({"HABANA_VISIBLE_DEVICES_X": "0"})
    assert (severity, path) == ("error", "environment[HABANA_VISIBLE_DEVICES_X]")
    assert "takes names that begin with HABANA_VISIBLE_DEVICES" in message
    ((severity, _, message),) = found({"PT_HPU_LAZYMODE": "1"})
    assert (severity, "nothing reads it" in message) == ("warning", True)


def test_a_misspelt_selector_is_found_in_a_spec():
    text = SPEC.replace("{LR: 1e-3}", '{HABANA_VISIBLE_DEVICE: "0"}')
    assert [(code, line) for code, _, line in findings(text)] == [("bad-value", 16)]


# The task as a whole ------------------------------------------------------------------------------------------------


def test_seed_memory_is_for_hl_smi_only():
    """AWS's example gives its task 1024 MiB, which is enough for what it runs."""
    text = SPEC.replace('"700000"', '"1024"')
    ((code, message, line),) = findings(text)
    assert (code, line) == ("policy", 12)
    assert "enough for hl-smi only" in message
    assert "exit 137" in message
    assert (
        findings(text.replace("image: example.com/bert:1", "image: example.com/bert:1\n        command: [hl-smi]"))
        == []
    )


def test_a_container_limit_counts_too():
    text = SPEC.replace("image: example.com/bert:1", "image: example.com/bert:1\n        memory: 512")
    assert any("enough for hl-smi only" in message for _, message, _ in findings(text))


def test_efa_without_a_known_version_and_with_some_cards():
    found_ = [message for _, message, _ in findings(SPEC.replace("{cards: 8}", "{cards: 4, efa: true}"))]
    assert any("all eight cards of each" in message for message in found_)
    assert any("SynapseAI version of the image is not in its name" in message for message in found_)
    text = SPEC.replace("{cards: 8}", "{cards: 8, efa: true, synapseai: 1.11.0}")
    assert ["HCCL_SOCKET_IFNAME" in message for _, message, _ in findings(text)] == [True]
