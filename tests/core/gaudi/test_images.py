"""Images: references to AWS's containers resolve as published, what never was is refused with the nearest that was."""

from datetime import date
from pathlib import Path

import pytest

from controller.core.gaudi.catalogue import accounts, dl1, images, listed, releases
from controller.core.gaudi.image import Framework
from controller.core.gaudi.image_rules import check
from controller.core.gaudi.references import Resolved, Unresolved, resolve
from controller.core.gaudi.version import Version
from controller.core.path import show
from controller.core.render import Settings
from tests.support import SPEC, container, desired, findings, rendered

LISTED = {
    "tensorflow-training-habana:2.5.0-hpu-py37-synapseai0.15.4-ubuntu18.04": "us-east-1",
    "pytorch-training-habana:1.7.1-hpu-py37-synapseai0.15.4-ubuntu18.04": "us-east-1",
    "tensorflow-training-habana:2.7.0-hpu-py38-synapseai1.2.0-ubuntu20.04": "us-east-1",
    "pytorch-training-habana:1.10.0-hpu-py38-synapseai1.2.0-ubuntu20.04": "us-east-1",
    "tensorflow-training-habana:2.8.0-hpu-py38-synapseai1.3.0-ubuntu20.04": "us-west-2",
    "pytorch-training-habana:1.10.1-hpu-py38-synapseai1.3.0-ubuntu20.04": "us-west-2",
    "tensorflow-training-habana:2.8.0-hpu-py38-synapseai1.4.1-ubuntu20.04": "us-west-2",
    "pytorch-training-habana:1.10.2-hpu-py38-synapseai1.4.1-ubuntu20.04": "us-west-2",
    "tensorflow-training-habana:2.9.1-hpu-py38-synapseai1.5.0-ubuntu20.04": "us-west-2",
    "pytorch-training-habana:1.11.0-hpu-py38-synapseai1.5.0-ubuntu20.04": "us-west-2",
}
"""The ten tags that AWS's list ever had, and the region of each as it was printed there."""

OF_MOST = "763104351884"
ACCOUNTS = {
    **dict.fromkeys(
        (
            *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ap-south-1", "ap-northeast-1", "ap-northeast-2"),
            *("ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2"),
            *("eu-west-3", "eu-north-1", "sa-east-1"),
        ),
        OF_MOST,
    ),
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-south-2": "772153158452",
    "ap-northeast-3": "364406365360",
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "eu-central-2": "380420809688",
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "il-central-1": "780543022126",
    "me-south-1": "217643126080",
    "me-central-1": "914824155844",
    "cn-north-1": "727897471807",
    "cn-northwest-1": "727897471807",
}
"""AWS's table of registry accounts."""

SEED = (
    "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-training-habana:2.7.0-hpu-py38-synapseai1.2.0-ubuntu20.04"
)


def published(tag, region):
    suffix = ".cn" if region.startswith("cn-") else ""
    return f"{ACCOUNTS[region]}.dkr.ecr.{region}.amazonaws.com{suffix}/{tag}"


def reference(tag):
    """`pytorch-training-habana:1.11.0-hpu-py38-synapseai1.5.0-…` → `dlc://pytorch/1.11.0?synapseai=1.5.0`."""
    repository, _, rest = tag.partition(":")
    version, _, _, synapseai, _ = rest.split("-")
    return f"dlc://{repository.partition('-')[0]}/{version}?synapseai={synapseai.removeprefix('synapseai')}"


# The catalogue ------------------------------------------------------------------------------------------------------


def test_the_catalogue_is_aws_list():
    assert {f"{one.repository}:{one.tag}": one.region for one in listed()} == LISTED
    assert accounts() == ACCOUNTS
    assert len(images()) == 20
    assert all(one.tag.endswith("-example") for one in images() if one.listed is None)


def test_habanas_releases():
    assert len(releases()) == 33
    assert list(releases()) == sorted(releases())
    assert releases()[Version(1, 11)].build == 587
    assert dl1().usd_per_hour == pytest.approx(13.10904)
    assert all(version in releases() or version == Version(1, 6) for version in dl1().amis.values())


# References ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", sorted(ACCOUNTS))
@pytest.mark.parametrize("tag", LISTED)
def test_all_ten_resolve_to_the_published_address_in_every_region(tag, region):
    found = resolve(reference(tag), region)
    assert isinstance(found, Resolved)
    assert found.address == published(tag, region)
    assert region in found.why


def test_the_seed_pages_image():
    found = resolve("dlc://tensorflow/2.7.0", "us-east-1")
    assert isinstance(found, Resolved)
    assert found.address == SEED


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("dlc://tensorflow/2.8.0", "names 2 images", "synapseai=1.3.0 or synapseai=1.4.1"),
        ("dlc://pytorch/1.12.0?synapseai=1.6.0", "never published", "dlc://pytorch/1.11.0?synapseai=1.5.0"),
        ("dlc://pytorch/1.10.2?synapseai=1.5.0", "never published", "dlc://pytorch/1.10.2?synapseai=1.4.1"),
        ("dlc://tensorflow/2.6.0", "never published", "dlc://tensorflow/2.7.0?synapseai=1.2.0"),
        ("dlc://pytorch/1.11.0?python=py39", "never published", "dlc://pytorch/1.11.0?synapseai=1.5.0"),
        ("dlc://pytorh/1.11.0", "names no framework", "did you mean `pytorch`?"),
        ("dlc://mxnet/1.8.0", "names no framework", "write dlc://pytorch/1.11.0"),
        ("dlc://pytorch", "names no version of PyTorch", "write dlc://"),
        ("dlc://pytorch/latest", "names no version of PyTorch", "write dlc://"),
        ("dlc://pytorch/1.11.0?synapsai=1.5.0", "unknown parameter `synapsai`", "did you mean `synapseai`?"),
        ("dlc://pytorch/1.11.0?synapseai=new", "`new` is no SynapseAI version", "write it as 1.5.0"),
        ("dlc://pytorch/1.11.0?example=yes", "example is `yes`", "true or false"),
        (
            "dlc://pytorch/1.11.0?region=us-wst-2",
            "no registry of Deep Learning Containers in `us-wst-2`",
            "did you mean",
        ),
        ("dlc://", "names no framework", "write dlc://"),
    ],
)
def test_what_stands_for_nothing(text, message, hint):
    found = resolve(text, "us-west-2")
    assert isinstance(found, Unresolved)
    assert message in found.message
    assert hint in found.hint


def test_the_variant_with_examples():
    found = resolve("dlc://pytorch/1.11.0?example=true", "us-west-2")
    assert isinstance(found, Resolved)
    assert found.address.endswith("synapseai1.5.0-ubuntu20.04-example")


def test_where_the_region_comes_from():
    assert isinstance(resolve("dlc://pytorch/1.11.0", None), Unresolved)
    pinned = resolve("dlc://pytorch/1.11.0?region=eu-west-1", "us-west-2")
    assert isinstance(pinned, Resolved)
    assert ".eu-west-1." in pinned.address
    assert "the reference says so" in pinned.why


# In a spec ----------------------------------------------------------------------------------------------------------

DLC = SPEC.replace("example.com/bert:1", "dlc://pytorch/1.11.0?synapseai=1.5.0\n        command: [python3, train.py]")
HERE = Settings(region="us-west-2")
ADDRESS = published("pytorch-training-habana:1.11.0-hpu-py38-synapseai1.5.0-ubuntu20.04", "us-west-2")


def test_the_rendered_request_has_the_address_and_says_why():
    one = rendered(DLC, settings=HERE)
    assert container(one.register)["image"] == ADDRESS
    (why,) = [r.why for r in one.reasons if show(r.path) == "taskDefinition.containerDefinitions[train].image"]
    assert why == (
        "dlc://pytorch/1.11.0?synapseai=1.5.0 is PyTorch 1.11.0 with SynapseAI 1.5.0 (ubuntu20.04, py38) in the"
        " registry of us-west-2, because the cluster is there"
    )
    assert findings(DLC, settings=HERE) == []


def test_the_image_decides_what_else_is_added():
    one = rendered(DLC.replace("{cards: 8}", "{modules: [0]}"), settings=HERE)
    assert one.register["ipcMode"] == "host"


def test_the_clusters_arn_says_the_region():
    arn = "arn:aws:ecs:eu-central-2:123456789012:cluster/default"
    one = rendered(DLC.replace("cluster: default", f"cluster: {arn}"), settings=HERE)
    assert container(one.register)["image"].startswith("380420809688.dkr.ecr.eu-central-2.amazonaws.com/")


def test_a_target_says_the_region():
    text = DLC.replace("  cluster: default\n", "  cluster: default\n  target: far\n")
    far = Settings(region="us-west-2", targets=frozenset({"far"}), target_regions={"far": "us-east-1"})
    assert ".us-east-1." in container(rendered(text, settings=far).register)["image"]
    unknown = Settings(region="us-west-2", targets=frozenset({"far"}))
    ((code, message, line),) = findings(text, settings=unknown)
    assert (code, line) == ("bad-value", 16)
    assert "the region is not known" in message


def test_an_unknown_region_is_an_error_where_it_matters():
    ((code, message, line),) = findings(DLC)
    assert (code, line) == ("bad-value", 15)
    assert "stands for another address in each region" in message
    assert rendered(DLC.replace("synapseai=1.5.0", "region=us-east-1"))


def test_a_reference_works_without_gaudi_too():
    one = rendered(DLC.replace("  gaudi: {cards: 8}\n", ""), settings=HERE)
    assert container(one.register)["image"] == ADDRESS


def test_two_regions_two_digests():
    other = Settings(region="us-east-1")
    assert rendered(DLC, settings=HERE).digest != rendered(DLC, settings=other).digest


def test_the_spec_and_the_tag_say_one_version():
    text = DLC.replace("{cards: 8}", "{cards: 8, synapseai: 1.11.0}")
    ((code, message, line),) = findings(text, settings=HERE)
    assert (code, line) == ("contradiction", 15)
    assert "SynapseAI 1.5.0 by its tag, but gaudi.synapseai is 1.11.0" in message


# What is wrong with an image ----------------------------------------------------------------------------------------


def found(image, *, region="us-west-2", today=None, **members):
    one = {"name": "train", "image": image, "command": ["train"], **members}
    return [
        (str(f.severity), f.message, f.hint or "")
        for f in check({k: v for k, v in one.items() if v is not None}, region=region, today=today)
    ]


@pytest.mark.parametrize("tag", LISTED)
def test_listed_images_are_well(tag):
    assert found(published(tag, "us-west-2")) == []


@pytest.mark.parametrize(
    ("tag", "nearest"),
    [
        ("pytorch-training-habana:1.12.0-hpu-py38-synapseai1.6.0-ubuntu20.04", "1.11.0-hpu-py38-synapseai1.5.0"),
        ("tensorflow-training-habana:2.7.0-hpu-py38-synapseai1.1.1-ubuntu20.04", "2.7.0-hpu-py38-synapseai1.2.0"),
        ("tensorflow-training-habana:2.8.0-hpu-py38-synapseai1.3.0-ubuntu18.04", "2.8.0-hpu-py38-synapseai1.3.0"),
        ("pytorch-training-habana:latest", "1.11.0-hpu-py38-synapseai1.5.0"),
    ],
)
def test_what_was_never_listed_is_refused_with_the_nearest(tag, nearest):
    ((severity, message, hint),) = found(f"{OF_MOST}.dkr.ecr.us-west-2.amazonaws.com/{tag}")
    assert severity == "error"
    assert message.startswith("AWS never published ")
    assert f"is {nearest}-ubuntu20.04 (dlc://" in hint


def test_there_is_no_image_for_inference():
    ((severity, message, _),) = found(f"{OF_MOST}.dkr.ecr.us-west-2.amazonaws.com/pytorch-inference-habana:1.11.0")
    assert severity == "error"
    assert "for training only" in message


def test_the_account_is_the_regions():
    ((severity, message, hint),) = found(SEED.replace("us-east-1", "af-south-1"), region="af-south-1")
    assert (severity, "626614931356" in message) == ("error", True)
    assert hint.startswith("write 626614931356.dkr.ecr.af-south-1.amazonaws.com/")
    ((severity, message, _),) = found(SEED.replace("us-east-1", "mx-central-1"), region="mx-central-1")
    assert (severity, "no registry" in message) == ("warning", True)
    china = published("pytorch-training-habana:1.11.0-hpu-py38-synapseai1.5.0-ubuntu20.04", "cn-north-1")
    assert found(china, region="cn-north-1") == []
    ((_, message, _),) = found(china.replace(".com.cn", ".com"), region="cn-north-1")
    assert message == "registries of cn-north-1 end in amazonaws.com.cn"


def test_a_mirror_of_ones_own_is_not_judged_by_aws_list():
    assert found("123456789012.dkr.ecr.us-west-2.amazonaws.com/pytorch-training-habana:mine", command=None) == []


def test_support_ends_with_the_list():
    ((severity, message, hint),) = found(SEED, region="us-east-1", today=date(2022, 7, 28))
    assert severity == "warning"
    assert "took this image off its list on 2022-07-28" in message
    assert hint == "the newest is 2.9.1-hpu-py38-synapseai1.5.0-ubuntu20.04"
    assert found(SEED, region="us-east-1", today=date(2022, 7, 27)) == []
    ((_, message, _),) = found(ADDRESS, today=date(2026, 1, 1))
    assert "2023-10-20" in message


def test_support_is_told_in_a_spec_where_the_date_is_known():
    settings = Settings(region="us-west-2", today=date(2026, 1, 1))
    assert ["out of support" in message for _, message, _ in findings(DLC, settings=settings)] == [True]


@pytest.mark.parametrize("members", [{"command": None}, {"command": []}])
def test_without_a_command_it_exits_at_once(members):
    ((severity, message, _),) = found(ADDRESS, **members)
    assert severity == "error"
    assert "exits at once (0) without a terminal" in message


@pytest.mark.parametrize(
    "members", [{"entryPoint": ["sh", "-c", "train"]}, {"interactive": True, "pseudoTerminal": True}]
)
def test_what_keeps_it_running(members):
    assert found(ADDRESS, command=None, **members) == []


def test_over_regions():
    ((severity, message, hint),) = found(ADDRESS, region="us-east-1")
    assert severity == "warning"
    assert "pulled from us-west-2 into us-east-1" in message
    assert "registry of us-east-1" in hint
    assert found(ADDRESS, region=None) == []
    assert len(found("123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1")) == 1


def test_a_user_who_is_not_root():
    ((severity, message, _),) = found(ADDRESS, user="1000")
    assert (severity, "libraries below /root" in message) == ("warning", True)
    assert found(ADDRESS, user="0") == []


def test_a_variant_and_a_digest():
    ((severity, message, _),) = found(ADDRESS + "-example")
    assert (severity, "never on its list" in message) == ("warning", True)
    digest = "@sha256:" + "0" * 64
    ((severity, message, _),) = found(ADDRESS.partition(":")[0] + digest)
    assert (severity, "without a tag" in message) == ("warning", True)
    assert found(ADDRESS + digest) == []


# Habana's own -------------------------------------------------------------------------------------------------------


def vault(synapseai, os="ubuntu22.04", name="pytorch-installer-2.0.1", tag=None):
    return f"vault.habana.ai/gaudi-docker/{synapseai}/{os}/habanalabs/{name}:{tag or 'latest'}"


def test_the_seed_pages_hl_smi_image():
    assert found(vault("1.1.0", "ubuntu20.04", "tensorflow-installer-tf-cpu-2.6.0", "1.1.0-614")) == []


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (vault("1.11.0", tag="1.11.0-587"), None),
        (vault("1.11.0"), None),
        (vault("1.11.0", tag="1.11.0-1"), "build 1 of SynapseAI 1.11.0 is not known"),
        (vault("1.11.0", "ubuntu18.04"), "was not published for ubuntu18.04"),
        (vault("1.11.0", name="pytorch-installer-1.13.1"), "came with PyTorch 2.0.1, not 1.13.1"),
        (vault("1.6.1", "ubuntu20.04", "pytorch-installer-1.12.0"), "no release SynapseAI 1.6.1 that is known"),
        (vault("1.15.0", name="tensorflow-installer-tf-cpu-2.15.0"), "came with TensorFlow none at all"),
        (vault("1.14.0", "amzn2", "pytorch-installer-2.1.1"), "Amazon Linux 2 is not in Habana's support matrix"),
        (vault("1.13.0", "amzn2", "pytorch-installer-2.1.0"), None),
        (vault("1.20.0", name="pytorch-installer-2.6.0"), "1.18.0 is the last that is known to support"),
        (vault("1.99.0"), "1.18.0 is the last that is known to support"),
    ],
)
def test_what_is_doubtful_is_a_warning(image, says):
    warnings = found(image)
    assert all(severity == "warning" for severity, _, _ in warnings)
    assert [says in message for _, message, _ in warnings] == ([True] if says else [])


def test_frameworks_are_spelled_as_their_makers_do():
    assert [one.spelled for one in Framework] == ["PyTorch", "TensorFlow"]


def test_the_data_is_part_of_the_package():
    folder = Path(__file__).parents[3] / "controller" / "core" / "gaudi" / "data"
    assert {file.name for file in folder.iterdir()} == {
        *("README.md", "dl1.json", "dlc_images.json", "ecr_accounts.json", "vault_releases.json"),
    }
    readme = (folder / "README.md").read_text()
    assert all(file.name in readme for file in folder.glob("*.json"))


def test_findings_stand_at_the_image():
    text = SPEC.replace("example.com/bert:1", ADDRESS.replace("1.5.0", "1.5.1"))
    found_ = desired(text, settings=HERE).diagnostics
    assert [(one.at.line, one.is_error) for one in found_] == [(14, True), (15, True)]
