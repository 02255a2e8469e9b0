"""The smoke test of a DL1 instance: AWS's own hl-smi task, made to count the cards, and what its end proves.

hl-smi asks the driver through the control node, so it takes no card; but it holds the host ports of all eight, so that
ECS puts it beside no task that has them, and no second test beside it. Its exit code is documented nowhere, so the task
counts: it ends with 0 only where eight cards answer. Proof is an attribute of the instance,
`habana.verified=<SynapseAI of the driver>`, which lasts until the instance is deregistered and which
`gaudi.requireVerified` asks for. Source: AWS's page on DL1; HabanaAI/Setup_and_Install (IGNodes.py counts likewise).
Neighbours: `verification` (when to run it), `fleet` (which instances there are).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.core.gaudi import stops
from controller.core.gaudi.cards import CARDS_PER_INSTANCE, VISIBLE_DEVICES
from controller.core.gaudi.catalogue import releases
from controller.core.gaudi.drivers import verified
from controller.core.gaudi.fleet import Fleet
from controller.core.gaudi.image import Framework
from controller.core.gaudi.instances import VERIFIED_ATTRIBUTE, Instance
from controller.core.gaudi.ports import token_ports
from controller.core.gaudi.requirements import ON_DL1, ON_LINUX
from controller.core.gaudi.version import Version
from controller.reasons import Reason

FAMILY: Final = "dl1-smoke-test"
GROUP: Final = f"family:{FAMILY}"
CONTAINER: Final = "hl-smi"
COMMAND: Final = f'test "$(hl-smi -Q index -f csv,noheader | wc -l)" -eq {CARDS_PER_INSTANCE}'
_SYSTEMS: Final = ("ubuntu20.04", "ubuntu22.04", "ubuntu18.04", "amzn2")
"""Which of a release's images is taken, the best first."""


@dataclass(frozen=True, slots=True)
class Due:
    """An instance that has to prove its cards, with the driver that it says it has."""

    instance: Instance
    version: Version


def due(fleet: Fleet) -> Iterator[Due]:
    """Instances that have to prove their cards: usable, of a known driver, and not proved with it."""
    for instance in fleet.dl1:
        driver = fleet.driver(instance)
        if driver is None or not instance.usable:
            continue
        proved = verified(instance)
        if proved is None or not proved.fits(driver.version):
            yield Due(instance, driver.version)


def image(version: Version) -> str | None:
    """Habana's image of a driver's release; None where no release of that major.minor is known.

    For 1.1.0 it is the image of AWS's page.
    """
    known = [one for one in releases().values() if one.synapseai.fits(version)]
    release = releases().get(version) or (known[-1] if known else None)
    if release is None:
        return None
    system = next((one for one in _SYSTEMS if one in release.os), release.os[0])
    tensorflow = release.versions(Framework.TENSORFLOW)
    name = f"tensorflow-installer-tf-cpu-{tensorflow[-1]}" if tensorflow else f"pytorch-installer-{release.pytorch}"
    tag = f"{release.synapseai}-{release.build}"
    return f"vault.habana.ai/gaudi-docker/{release.synapseai}/{system}/habanalabs/{name}:{tag}"


def family(version: Version) -> str:
    """The family of the task definitions: one for each release."""
    return f"{FAMILY}-{version.major}-{version.minor}"


def definition(version: Version, *, port_base: int, image_of: str | None = None) -> dict[str, Any] | None:
    """The RegisterTaskDefinition request: the page's task, holding the ports that stand for the eight cards; None
    without an image.

    `image_of` is the image to take instead of Habana's, with `{synapseai}` for the release (`major.minor.patch`).
    """
    found = image_of.replace("{synapseai}", str(version)) if image_of is not None else image(version)
    if found is None:
        return None
    ports = [{"containerPort": port, "hostPort": port, "protocol": "tcp"} for port in token_ports(port_base)]
    return {
        "family": family(version),
        "requiresCompatibilities": ["EC2"],
        "placementConstraints": [{"type": "memberOf", "expression": text} for text in (ON_LINUX, ON_DL1)],
        "networkMode": "host",
        "cpu": "128",
        "memory": "1024",
        "containerDefinitions": [
            {
                "name": CONTAINER,
                "image": found,
                "essential": True,
                "entryPoint": ["sh", "-c"],
                "command": [COMMAND],
                "environment": [{"name": VISIBLE_DEVICES, "value": "all"}],
                "portMappings": ports,
            }
        ],
    }


def pinned(one: Due, *, attempt: int) -> dict[str, Any]:
    """The members of the RunTask request that put the test on its instance and let it be found again.

    `startedBy` carries the attempt: tags are gone when somebody stops a task, and it stays.
    """
    constraint = {"type": "memberOf", "expression": f"ec2InstanceId == {one.instance.ec2_id}"}
    return {
        "group": GROUP,
        "startedBy": f"{FAMILY}/{attempt}",
        "placementConstraints": [constraint],
        "launchType": "EC2",
        "count": 1,
    }


def attempt_of(started_by: str) -> int:
    """The attempt that a `startedBy` tells; 1 where it tells none."""
    number = started_by.removeprefix(f"{FAMILY}/")
    return int(number) if number.isascii() and number.isdigit() else 1


def token(one: Due, *, previous: str | None, refused: int) -> str:
    """The client token of a test: the same until its predecessor on the instance (`previous`, an ARN) has another
    successor, so that a crash neither doubles the test nor loses it. ECS repeats a refusal for the same token too, so
    each refusal (`refused`: how many there were) makes another one."""
    text = "\n".join((one.instance.arn, family(one.version), previous or "", str(refused)))
    return hashlib.sha256(text.encode()).hexdigest()[:36]


@dataclass(frozen=True, slots=True)
class Proof:
    """How a test ended. `attribute` is what the instance may call itself, where it passed."""

    instance: str
    """ARN of the container instance."""
    passed: bool
    reason: Reason
    message: str
    attribute: Mapping[str, str] | None = None


def proof(task: Mapping[str, Any], version: Version) -> Proof | None:
    """What the end of a test proves, `task` being one of DescribeTasks; None while it runs."""
    if task.get("lastStatus") != "STOPPED":
        return None
    arn = str(task.get("containerInstanceArn", ""))
    code = next((one.get("exitCode") for one in task.get("containers", ()) if one.get("name") == CONTAINER), None)
    if code == 0:
        target = {"targetType": "container-instance", "targetId": arn}
        attribute = {"name": VERIFIED_ATTRIBUTE, "value": str(version), **target}
        message = f"hl-smi has shown all {CARDS_PER_INSTANCE} cards"
        return Proof(arn, passed=True, reason=Reason.HEALTHY, message=message, attribute=attribute)
    if code == 1:
        message = f"hl-smi does not show {CARDS_PER_INSTANCE} cards: drain the instance, and replace it"
        return Proof(arn, passed=False, reason=Reason.CARD_BROKEN, message=message)
    why = stops.of_task(task)
    if why is not None:
        return Proof(arn, passed=False, reason=why.reason, message=f"{why.evidence.rstrip('.')}. {why.action}")
    message = f"it ended before it could count: {task.get('stoppedReason') or 'nobody knows why'}"
    return Proof(arn, passed=False, reason=Reason.CANNOT_START, message=message)
