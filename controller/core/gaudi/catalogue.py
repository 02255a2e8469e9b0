"""The shipped catalogues: images that were published, registries by region, Habana's releases, the DL1 itself.

Decides nothing; it reads the files in `data/`, whose sources stand beside them, and finds what is nearest to a version
that does not exist. Neighbours: `references` and `image_rules` (images), `drivers` and `occupancy` (instances).
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

from controller.core.gaudi.image import Framework
from controller.core.gaudi.version import Version


@dataclass(frozen=True, slots=True)
class Published:
    """One image of AWS Deep Learning Containers."""

    framework: Framework
    version: str
    synapseai: Version
    python: str
    os: str
    tag: str
    listed: tuple[date, date] | None
    """First and last day on AWS's list; None for the variants with examples, which were released and never listed."""
    region: str
    """Of the address that was listed."""

    @property
    def repository(self) -> str:
        """Name of the ECR repository."""
        return f"{self.framework}-training-habana"

    @property
    def reference(self) -> str:
        """How a spec names it."""
        return f"dlc://{self.framework}/{self.version}?synapseai={self.synapseai}"


@dataclass(frozen=True, slots=True)
class Release:
    """One release of Habana's own images."""

    synapseai: Version
    build: int
    tensorflow: tuple[str, ...]
    pytorch: str | None
    os: tuple[str, ...]

    def versions(self, framework: Framework) -> tuple[str, ...]:
        """The versions of a framework that were published."""
        if framework is Framework.TENSORFLOW:
            return self.tensorflow
        return (self.pytorch,) if self.pytorch else ()


@functools.cache
def images() -> tuple[Published, ...]:
    """Every image that AWS has published, the variants with examples included."""
    return tuple(
        Published(
            framework=Framework(one["framework"]),
            version=one["version"],
            synapseai=_version(one["synapseai"]),
            python=one["python"],
            os=one["os"],
            tag=one["tag"],
            listed=(date.fromisoformat(one["listed"][0]), date.fromisoformat(one["listed"][1]))
            if one["listed"]
            else None,
            region=one["region"],
        )
        for one in _data("dlc_images.json")["images"]
    )


def listed() -> tuple[Published, ...]:
    """The ten images that stood on AWS's list."""
    return tuple(one for one in images() if one.listed is not None)


@functools.cache
def accounts() -> Mapping[str, str]:
    """Region → account of its registry of Deep Learning Containers."""
    found: Mapping[str, str] = _data("ecr_accounts.json")["accounts"]
    return found


@functools.cache
def releases() -> Mapping[Version, Release]:
    """Habana's releases by version, oldest first."""
    found = (
        Release(
            synapseai=_version(one["synapseai"]),
            build=one["build"],
            tensorflow=tuple(one["tensorflow"]),
            pytorch=one["pytorch"],
            os=tuple(one["os"]),
        )
        for one in _data("vault_releases.json")["releases"]
    )
    return {one.synapseai: one for one in found}


@dataclass(frozen=True, slots=True)
class Dl1:
    """What is known of the instance type."""

    instance_type: str
    cards: int
    usd_per_hour: float
    """On demand in us-east-1."""
    hugepages_mib: tuple[int, ...]
    """Memory that drivers set aside as hugepages, by their defaults over the years."""
    amis: Mapping[str, Version]
    """Habana base AMIs that AWS has paired with a SynapseAI version."""


@functools.cache
def dl1() -> Dl1:
    """The one instance type with Gaudi cards of the first generation."""
    data = _data("dl1.json")
    instance = data["instance"]
    return Dl1(
        instance_type=instance["instance_type"],
        cards=instance["cards"],
        usd_per_hour=instance["usd_per_hour"],
        hugepages_mib=tuple(one["mib"] for one in data["hugepages"]),
        amis={ami: _version(version) for ami, version in data["amis"].items()},
    )


def address(image: Published, region: str) -> str | None:
    """The address of an image in the registry of a region; None where AWS has no registry of these containers.

    Source: AWS's list ("account varies by region"); China has a domain of its own.
    """
    account = accounts().get(region)
    return account and f"{account}.dkr.ecr.{region}.{domain(region)}/{image.repository}:{image.tag}"


def domain(region: str) -> str:
    """The domain of AWS's endpoints in a region."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def nearest(version: str, synapseai: Version | None, framework: Framework | None) -> Published:
    """The listed image whose versions are closest; the newest one where nothing is asked for."""
    among = [one for one in listed() if framework in (None, one.framework)]

    def far(one: Published) -> tuple[Any, ...]:
        asked, has = Version.read(version), Version.read(one.version)
        by_framework = asked.distance(has) if asked and has else ()
        by_synapseai = synapseai.distance(one.synapseai) if synapseai else ()
        age = (-one.synapseai.major, -one.synapseai.minor, -one.synapseai.patch)
        return by_framework, by_synapseai, age

    return min(among, key=far)


def _version(text: str) -> Version:
    found = Version.read(text)
    assert found is not None, text
    return found


def _data(name: str) -> dict[str, Any]:
    text = resources.files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
