"""The three ways to a DL1 instance: what is in the files, as far as it can be known without one."""

import json
import re
import subprocess
import sys
from pathlib import Path
from string import Template

import hcl2
import pytest
import yaml

from controller.core.gaudi.catalogue import releases
from controller.core.gaudi.drivers import by_ami_name
from controller.core.gaudi.instances import RUNTIME_ATTRIBUTE, SYNAPSEAI_ATTRIBUTE
from controller.core.gaudi.version import Version

INSTANCES = Path(__file__).parents[2] / "deploy" / "instances"
USER_DATA = ("marketplace", "deep-learning-ami", "own-ami")
WITH_SETUP = ("marketplace", "deep-learning-ami")
VALUES = (
    {"cluster": "train", "synapseai": "1.5.0", "hugepages": "15000", "reserved_memory": "38000"},
    {"cluster": "train", "synapseai": "1.11.0", "hugepages": "21000", "reserved_memory": "50000"},
)
"""What README.md says to fill in, by release."""
MOST_USER_DATA = 16_384
"""Bytes that EC2 takes. Source: EC2 user guide, user data."""


def filled(name, values=VALUES[1]):
    """The user data as an instance gets it."""
    text = (INSTANCES / f"{name}.yaml").read_text()
    names = set(re.findall(r"\$\{(\w+)\}", text))
    assert names <= values.keys(), "a placeholder that nobody fills in"
    plain = set(re.findall(r"\$(\w+)", text))
    assert plain.isdisjoint(values), "a variable of the script that envsubst would fill in"
    return Template(text).safe_substitute(values)


def cloud_init(name, values=VALUES[1]):
    """The parsed configuration: path → (content, permissions), and the commands."""
    text = filled(name, values)
    assert text.startswith("#cloud-config\n")
    assert len(text.encode()) < MOST_USER_DATA
    found = yaml.safe_load(text)
    assert found.keys() <= {"write_files", "runcmd"}
    files = {}
    for one in found["write_files"]:
        assert one.keys() <= {"path", "content", "permissions"}
        assert re.fullmatch(r"0[0-7]{3}", one.get("permissions", "0644"))
        assert one["path"].startswith("/")
        files[one["path"]] = one["content"]
    assert all(isinstance(command, list) for command in found["runcmd"])
    return files, found["runcmd"]


def ecs_config(files):
    return dict(line.split("=", 1) for line in files["/etc/ecs/ecs.config"].splitlines())


def shell_problems(script, tmp_path):
    """What shellcheck says of a script; bash reads it in any case."""
    file = tmp_path / "script.sh"
    file.write_text(script)
    subprocess.run(["bash", "-n", str(file)], check=True)
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([str(shellcheck), "-s", "bash", str(file)], check=False, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize("values", VALUES, ids=lambda one: one["synapseai"])
@pytest.mark.parametrize("name", USER_DATA)
def test_the_agent_is_told_what_the_constraints_ask_for(name, values):
    files, _ = cloud_init(name, values)
    config = ecs_config(files)
    assert config["ECS_CLUSTER"] == "train"
    attributes = json.loads(config["ECS_INSTANCE_ATTRIBUTES"])
    assert attributes == {SYNAPSEAI_ATTRIBUTE: values["synapseai"], RUNTIME_ATTRIBUTE: "default"}
    assert json.loads(config["ECS_AVAILABLE_LOGGING_DRIVERS"]) == ["json-file", "awslogs"]


@pytest.mark.parametrize("values", VALUES, ids=lambda one: one["synapseai"])
def test_reserved_memory_covers_the_hugepages_and_fits_16_bits(values):
    """karpenter-provider-aws #3315, #3316. The agent (parse.go) reads a uint16, and takes 0 for what is more."""
    reserved = int(values["reserved_memory"])
    assert int(values["hugepages"]) * 2 < reserved <= 65_535
    readme = (INSTANCES / "README.md").read_text()
    assert all(values[name] in readme for name in ("hugepages", "reserved_memory"))


@pytest.mark.parametrize("name", WITH_SETUP)
def test_docker_runs_everything_with_habana(name):
    """Model-References #28, #7: "Unknown runtime specified habana" """
    files, _ = cloud_init(name)
    daemon = json.loads(files["/etc/docker/daemon.json"])
    assert daemon["default-runtime"] == "habana"
    assert daemon["runtimes"]["habana"]["path"] == "/usr/bin/habana-container-runtime"
    assert daemon["default-ulimits"]["memlock"] == {"Name": "memlock", "Soft": -1, "Hard": -1}


@pytest.mark.parametrize("name", WITH_SETUP)
def test_the_kernel_sets_hugepages_aside(name):
    files, _ = cloud_init(name)
    lines = [line for line in files["/etc/sysctl.d/90-habana.conf"].splitlines() if not line.startswith("#")]
    assert lines == ["vm.nr_hugepages=21000", "kernel.numa_balancing=0"]


@pytest.mark.parametrize("name", WITH_SETUP)
def test_the_setup_is_good_shell(name, tmp_path):
    files, commands = cloud_init(name)
    assert commands == [["/usr/local/sbin/dl1-ecs-setup"]]
    script = files["/usr/local/sbin/dl1-ecs-setup"]
    assert script.startswith("#!/bin/bash\n")
    assert "set -euo pipefail" in script
    assert shell_problems(script, tmp_path) == ""


@pytest.mark.parametrize("name", USER_DATA)
def test_nothing_waits_for_units_that_wait_for_cloud_init(name):
    """ECS developer guide, "Installing the Amazon ECS container agent": without --no-block it deadlocks."""
    files, commands = cloud_init(name)
    lines = [*files.get("/usr/local/sbin/dl1-ecs-setup", "").splitlines(), *(" ".join(command) for command in commands)]
    moving = [line for line in lines if re.search(r"systemctl.*\b(start|restart|enable)\b", line)]
    assert moving
    assert all("--no-block" in line for line in moving)
    assert moving[-1].endswith("ecs.service")


@pytest.mark.parametrize("name", WITH_SETUP)
def test_no_container_gets_cards_unasked(name, tmp_path):
    """The lines that switch the runtime's default off, run on the two forms that its configuration has had."""
    script = cloud_init(name)[0]["/usr/local/sbin/dl1-ecs-setup"]
    (loop,) = re.findall(r"(?ms)^for config in .*?^done$", script)
    first, second, third = (tmp_path / folder for folder in ("one.toml", "two.toml", "three.toml"))
    first.write_text("#visible_devices_all_as_default = true\n[habana-container-cli]\n")
    second.write_text("visible_devices_all_as_default = true\nmount_accelerators = true\n")
    third.write_text("[habana-container-runtime]\n")
    paths = f"for config in {first} {second} {third} {tmp_path}/missing.toml; do"
    runnable = re.sub(r"for config in .*; do", lambda _: paths, loop)
    subprocess.run(["bash", "-euo", "pipefail", "-c", runnable], check=True)
    assert first.read_text() == "visible_devices_all_as_default = false\n[habana-container-cli]\n"
    assert second.read_text() == "visible_devices_all_as_default = false\nmount_accelerators = true\n"
    assert third.read_text() == "visible_devices_all_as_default = false\n[habana-container-runtime]\n"


def test_the_deep_learning_ami_gets_what_it_lacks():
    script = cloud_init("deep-learning-ami")[0]["/usr/local/sbin/dl1-ecs-setup"]
    assert "driver=1.11.0\n" in script
    assert script.index("install_runtime\nfi") < script.index("apt-get install -y docker.io\nfi")
    assert 'amazon-ecs-agent-$region/amazon-ecs-init-latest.amd64.deb"' in script


# Our own AMI --------------------------------------------------------------------------------------------------------


def packer():
    """The template, blocks by their labels."""
    options = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)
    text = (INSTANCES / "packer" / "dl1-ecs.pkr.hcl").read_text()
    return hcl2.loads(text, serialization_options=options)


def variables():
    return {name.strip('"'): body["default"] for one in packer()["variable"] for name, body in one.items()}


def block(found, *labels):
    """One labelled block; the parser keeps the quotes of labels."""
    here = found
    for label in labels:
        here = next(value for key, value in here.items() if key.strip('"') == label)
    return here


def test_the_template_pins_a_release_that_exists():
    """The public pipeline's ECS variant is no JSON for want of a comma, and its driver is not its image's."""
    defaults = variables()
    version = Version.read(defaults["synapseai"])
    release = releases()[version]
    assert defaults["synapseai_build"] == release.build
    assert "ubuntu20.04" in release.os
    assert defaults["hugepages"] == (21_000 if version >= Version(1, 8) else 15_000)


def test_the_name_of_the_ami_tells_its_driver():
    source = block(packer()["source"][0], "amazon-ebs", "dl1")
    name = source["ami_name"].replace("${var.synapseai}", "1.11.0")
    assert by_ami_name(name) == Version(1, 11)
    assert source["tags"]


def test_the_template_hangs_together():
    found = packer()
    assert found["packer"][0]["required_plugins"][0]["amazon"]["source"] == "github.com/hashicorp/amazon"
    source = block(found["source"][0], "amazon-ebs", "dl1")
    assert source["source_ami"] == "${data.amazon-ami.ubuntu.id}"
    assert block(found["data"][0], "amazon-ami", "ubuntu")["owners"] == ["099720109477"]
    assert source["launch_block_device_mappings"][0]["volume_size"] >= 100
    build = found["build"][0]
    assert build["sources"] == ["source.amazon-ebs.dl1"]
    shell = block(build["provisioner"][0], "shell")
    assert shell["script"] == "${path.root}/provision.sh"
    used = set(re.findall(r"\$\{var\.(\w+)\}", json.dumps(found)))
    assert used == variables().keys()
    given = {text.partition("=")[0] for text in shell["environment_vars"]}
    script = (INSTANCES / "packer" / "provision.sh").read_text()
    assert {name for name in given if f"${name}" in script} == given == {"SYNAPSEAI", "BUILD", "HUGEPAGES", "REGION"}


def test_the_provisioner_is_good_shell_and_pins_every_package(tmp_path):
    script = (INSTANCES / "packer" / "provision.sh").read_text()
    assert shell_problems(script, tmp_path) == ""
    assert "version=$SYNAPSEAI-$BUILD" in script
    assert 'apt-get install -y "habanalabs-$package=$version"' in script
    (daemon,) = re.findall(r"(?s)<<'DOCKER'\n(.*?)\nDOCKER\n", script)
    assert json.loads(daemon)["default-runtime"] == "habana"
    assert "apt-mark hold linux-aws" in script
    assert "ECS_CLUSTER" not in script


def test_the_three_routes_are_explained():
    readme = (INSTANCES / "README.md").read_text()
    files = [file.relative_to(INSTANCES).as_posix() for file in INSTANCES.rglob("*") if file.is_file()]
    assert all(name in readme or name.endswith(("README.md", "provision.sh")) for name in files)
