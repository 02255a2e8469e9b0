"""Which cards a container sees: every value that the container runtime mistakes is named with its symptom."""

import pytest

from controller.core.gaudi.cards import CardSet, Naming
from controller.core.gaudi.visibility import check, is_smoke, sets
from controller.core.path import show
from tests.support import SPEC, findings, rendered


def container(name="train", *, devices=None, modules=None, **members):
    values = {"HABANA_VISIBLE_DEVICES": devices, "HABANA_VISIBLE_MODULES": modules}
    environment = [{"name": key, "value": value} for key, value in values.items() if value is not None]
    return {"name": name, "environment": environment, **members}


def found(*containers, holder=None):
    register = {"containerDefinitions": list(containers)}
    return [(str(one.severity), show(one.path), one.message) for one in check(register, holder=holder)]


def errors(*containers, holder=None):
    return [message for severity, _, message in found(*containers, holder=holder) if severity == "error"]


@pytest.mark.parametrize(
    ("devices", "says"),
    [
        ("0, 1", "device value must be a number"),
        (" all", "device value must be a number"),
        ("ALL", "starts without a card"),
        ("All", "starts without a card"),
        ("none", "lacks its `--device`"),
        ("8", "8 is dropped without a word"),
        ("0,8,9", "8, 9 is dropped without a word"),
        ("0-3", "no list of card numbers"),
        ("0,1,", "no list of card numbers"),
        ("00", "no list of card numbers"),
        ("0,0", "named twice"),
        ("all,0", "no list of card numbers"),
        ("0;1", "no list of card numbers"),
    ],
)
def test_a_bad_list_of_devices_is_refused_with_its_symptom(devices, says):
    (message,) = errors(container(devices=devices))
    assert says in message
    assert message.startswith("HABANA_VISIBLE_DEVICES")


@pytest.mark.parametrize(
    ("modules", "says"),
    [("0, 1", "blank"), ("all", "no list of module ids"), ("8", "dropped"), ("1,1", "named twice")],
)
def test_a_bad_list_of_modules_is_refused(modules, says):
    (message,) = errors(container(devices="all", modules=modules))
    assert says in message


@pytest.mark.parametrize("devices", ["all", "0", "0,1", "3,2,1,0", "0,1,2,3,4,5,6,7"])
def test_nothing_is_said_of_a_good_list(devices):
    assert found(container(devices=devices)) == []


def test_an_empty_value_is_for_those_that_need_no_card():
    assert errors(container(devices="")) == []
    assert "no card is mounted" in errors(container(devices=""), holder="train")[0]


def test_counts_and_groups_that_habana_does_not_recommend_are_warned_about():
    ((severity, path, message),) = found(container(devices="0,1,2"))
    assert (severity, path) == (
        "warning",
        "taskDefinition.containerDefinitions[train].environment[HABANA_VISIBLE_DEVICES]",
    )
    assert "1, 2, 4 or 8" in message
    ((severity, _, message),) = found(container(devices="all", modules="1,2"))
    assert (severity, "no group of 2" in message) == ("warning", True)
    assert found(container(devices="all", modules="4,5,6,7")) == []


def test_modules_alone_choose_nothing_on_the_runtime_of_dl1():
    ((severity, _, message),) = found(container(modules="0,1"))
    assert severity == "warning"
    assert "gets all cards" in message


def test_both_variables_must_agree():
    assert "names 2 cards and HABANA_VISIBLE_MODULES 4" in errors(container(devices="0,1", modules="0,1,2,3"))[0]
    ((severity, _, message),) = found(container(devices="0,1", modules="0,1"))
    assert severity == "warning"
    assert "an index is not the module of its number" in message


def test_what_chooses_cards_is_no_secret():
    one = container(secrets=[{"name": "HABANA_VISIBLE_DEVICES", "valueFrom": "x"}])
    ((severity, path, message),) = found(one)
    assert (severity, path.rpartition(".")[2]) == ("error", "secrets[HABANA_VISIBLE_DEVICES]")
    assert "cannot be a secret" in message


def test_two_containers_of_a_task_share_no_card():
    assert (
        "synStatus=20 [Device already acquired]"
        in errors(container("a", devices="0,1"), container("b", devices="1,2"))[0]
    )
    assert errors(container("a", devices="all"), container("b", devices="all"))
    assert found(container("a", devices="0,1"), container("b", devices="2,3")) == []


def test_an_index_and_a_module_may_be_one_card():
    """index → module maps differ by host: {0:5, 1:4, …} in Habana's pages, {0:0, 1:4, 2:1, …} in optimum-habana."""
    ((severity, _, message),) = found(container("a", devices="0,1"), container("b", devices="all", modules="2,3"))
    assert severity == "warning"
    assert "may use the same card" in message


def test_a_smoke_test_opens_no_card():
    smoke = container("smoke", devices="all", command=["hl-smi"])
    assert errors(container("train", devices="all"), smoke) == []
    assert list(sets({"containerDefinitions": [smoke]})) == []


@pytest.mark.parametrize(
    ("entry_point", "command", "smoke"),
    [
        (["sh", "-c"], ["hl-smi"], True),
        (None, ["hl-smi", "-Q", "index", "-f", "csv,noheader"], True),
        (["/bin/bash", "-c"], ["hl-smi -Q index -f csv,noheader | wc -l"], True),
        (["sh", "-c"], ['test "$(hl-smi -Q index -f csv,noheader | wc -l)" -eq 8'], True),
        (["sh", "-c"], ['test "$(hl-smi; python3 train.py)" -eq 8'], False),
        (["sh", "-c"], ["hl-smi $(python3 train.py)"], False),
        (["sh", "-c"], ["hl-smi && python3 train.py"], False),
        (["sh", "-c"], ["hl-smi; python3 train.py"], False),
        (None, ["python3", "hl-smi"], False),
        (None, None, False),
    ],
)
def test_what_only_asks_the_driver(entry_point, command, smoke):
    assert is_smoke({"entryPoint": entry_point, "command": command}) is smoke


def test_a_container_beside_the_cards_that_says_nothing_gets_them_all():
    (one,) = found(container("train", devices="0"), container("log"))
    assert one[:2] == ("warning", "taskDefinition.containerDefinitions[log]")
    assert "mounts all eight cards into it" in one[2]
    assert found(container("train", devices="0"), container("log", devices="")) == []
    assert found(container("web"), container("log")) == []


@pytest.mark.parametrize(
    ("environment", "naming", "cards"),
    [
        ({"HABANA_VISIBLE_DEVICES": "all"}, Naming.WHOLE, range(8)),
        ({"HABANA_VISIBLE_DEVICES": "all", "HABANA_VISIBLE_MODULES": "4,5"}, Naming.MODULES, (4, 5)),
        ({"HABANA_VISIBLE_MODULES": "4,5"}, Naming.MODULES, (4, 5)),
        ({"HABANA_VISIBLE_DEVICES": "2,1"}, Naming.DEVICES, (1, 2)),
        ({"HABANA_VISIBLE_DEVICES": "1,9"}, Naming.DEVICES, (1,)),
    ],
)
def test_what_a_process_opens(environment, naming, cards):
    assert CardSet.seen(environment) == CardSet(naming, tuple(cards))


@pytest.mark.parametrize(
    "environment",
    [{}, {"HABANA_VISIBLE_DEVICES": ""}, {"HABANA_VISIBLE_DEVICES": "none"}, {"HABANA_VISIBLE_DEVICES": "8"}],
)
def test_what_a_process_does_not_open(environment):
    assert CardSet.seen(environment) is None


# In a spec ----------------------------------------------------------------------------------------------------------


def test_a_bad_value_in_a_spec_is_found_where_it_stands():
    text = SPEC.replace("{LR: 1e-3}", '{HABANA_VISIBLE_DEVICES: "0, 1"}')
    ((code, message, line),) = findings(text)
    assert (code, line) == ("bad-value", 16)
    assert "device value must be a number" in message


def test_a_bad_value_without_a_gaudi_section_too():
    text = SPEC.replace("{LR: 1e-3}", "{HABANA_VISIBLE_DEVICES: ALL}").replace("  gaudi: {cards: 8}\n", "")
    assert [code for code, _, _ in findings(text)] == ["bad-value"]


def test_another_order_is_no_contradiction():
    text = SPEC.replace("{LR: 1e-3}", '{HABANA_VISIBLE_DEVICES: "1,0"}').replace("{cards: 8}", "{devices: [0, 1]}")
    first = rendered(text).register["containerDefinitions"][0]["environment"][0]
    assert first == {"name": "HABANA_VISIBLE_DEVICES", "value": "1,0"}


def test_warnings_stop_nothing():
    text = SPEC.replace(
        "containerDefinitions:\n", "containerDefinitions:\n      - {name: l, image: l, essential: false}\n"
    )
    assert rendered(text)
    assert any("mounts all eight cards" in message for _, message, _ in findings(text))
