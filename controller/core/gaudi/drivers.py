"""The SynapseAI version of an instance's driver, and whether an image can run on it.

ECS does not know it. An instance may say it in an attribute; otherwise the name of its AMI does, which EC2 tells by the
id that ECS knows; for some of Habana's base AMIs only their id is left. Driver and image must have one major.minor:
`RuntimeError: Device acquire failed` is what comes of two (optimum-habana #288, GenAIExamples #366, GenAIInfra #200).
Neighbours: `instances`, `fleet` (asks for each candidate), `spec.Gaudi` (`driverPolicy`, `requireDriver`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controller.core.gaudi.catalogue import dl1
from controller.core.gaudi.instances import SYNAPSEAI_ATTRIBUTE, VERIFIED_ATTRIBUTE, Instance
from controller.core.gaudi.version import Version

AMI_NAME: Final = re.compile(r"synapse ?ai[ _-]?v?(\d+\.\d+(?:\.\d+)?)", re.IGNORECASE)
"""`Deep Learning AMI Habana PyTorch 1.10.2 SynapseAI 1.4.0 (Ubuntu 20.04) 20220425`, `ecs-dl1-synapseai-1.11.0-…`."""


class Told(StrEnum):
    """How a version is known."""

    ATTRIBUTE = "its attribute habana.synapseai"
    AMI_NAME = "the name of its AMI"
    AMI_ID = "its AMI, which AWS has used for that version"


@dataclass(frozen=True, slots=True)
class Driver:
    """The driver of an instance."""

    version: Version
    told: Told
    doubt: str | None = None
    """What speaks against it."""


def driver_of(instance: Instance, ami_names: Mapping[str, str]) -> Driver | None:
    """The driver of an instance; None where nothing tells. `ami_names` maps AMI ids to names, as far as EC2 knows."""
    said = Version.read(instance.attributes.get(SYNAPSEAI_ATTRIBUTE) or "")
    named = by_ami_name(ami_names.get(instance.ami or "", ""))
    if said is not None:
        doubt = f"but the name of its AMI says {named}" if named is not None and not named.fits(said) else None
        return Driver(said, Told.ATTRIBUTE, doubt)
    if named is not None:
        return Driver(named, Told.AMI_NAME)
    paired = dl1().amis.get(instance.ami or "")
    return Driver(paired, Told.AMI_ID) if paired is not None else None


def names_itself(instance: Instance) -> bool:
    """Whether an instance says the version of its driver, so that nobody needs to ask for the name of its AMI."""
    return Version.read(instance.attributes.get(SYNAPSEAI_ATTRIBUTE) or "") is not None


def by_ami_name(name: str) -> Version | None:
    """The version in the name of an AMI."""
    found = AMI_NAME.search(name)
    return Version.read(found[1]) if found else None


def verified(instance: Instance) -> Version | None:
    """The version with which a smoke test has shown all cards of the instance."""
    return Version.read(instance.attributes.get(VERIFIED_ATTRIBUTE) or "")


@dataclass(frozen=True, slots=True)
class Match:
    """How an image goes with the drivers of the instances that may get it."""

    image: Version
    fitting: tuple[str, ...] = ()
    """Instances, by their short names."""
    misfits: tuple[tuple[str, Driver], ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """Why a task may land on a driver that cannot run it, or None."""
        if not self.misfits:
            return None
        listed = ", ".join(f"{name} has {driver.version} by {driver.told}" for name, driver in self.misfits)
        what = f"the image has SynapseAI {self.image}, and driver and image must have one major.minor: {listed}"
        if self.fitting:
            return (
                f"{what}; {', '.join(self.fitting)} would do (gaudi.requireDriver: true narrows the workload to such)"
            )
        return what


def match(image: Version, instances: Iterable[Instance], ami_names: Mapping[str, str]) -> Match:
    """How an image goes with the drivers of these instances."""
    fitting: list[str] = []
    misfits: list[tuple[str, Driver]] = []
    unknown: list[str] = []
    for instance in instances:
        driver = driver_of(instance, ami_names)
        if driver is None:
            unknown.append(instance.short)
        elif image.fits(driver.version):
            fitting.append(instance.short)
        else:
            misfits.append((instance.short, driver))
    return Match(image, tuple(fitting), tuple(misfits), tuple(unknown))


def same_release(attribute: str, version: Version) -> str:
    """The placement expression for instances whose attribute has the version's major.minor.

    The language compares attributes as text, so a pattern is what asks for two numbers of three. Source: cluster query
    language, `=~` takes a java.util.regex pattern.
    """
    return f"attribute:{attribute} =~ {version.major}\\.{version.minor}\\..*"
