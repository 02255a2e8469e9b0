"""What the name of an image says: whose it is, and which framework, SynapseAI, Python and system are in it.

Only the text is read. Habana's own images (`vault.habana.ai`) and AWS's Deep Learning Containers (DLC) carry their
versions in path and tag; a copy of one in a registry of the user's is believed where it keeps the tag. Sources:
aws/deep-learning-containers (its own parser wants `hpu` and `synapseai` in the tag), HabanaAI/Setup_and_Install.
Neighbours: `catalogue` (what exists), `references` (`dlc://`), `image_rules` (what is wrong with one).
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from controller.core.gaudi.version import Version

_REGISTRY: Final = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_DLC_REPOSITORY: Final = re.compile(r"(?P<framework>pytorch|tensorflow)-(?P<job>training|inference)-habana")
_DLC_TAG: Final = re.compile(
    r"(?P<version>\d+\.\d+\.\d+)-hpu-(?P<python>py3\d+)-synapseai(?P<synapseai>\d+\.\d+\.\d+)-(?P<os>[a-z]+[\d.]+)"
    r"(?P<example>-example)?"
)
_VAULT: Final = re.compile(
    r"vault\.habana\.ai/gaudi-docker/(?P<synapseai>\d+\.\d+\.\d+)/(?P<os>[a-z]+[\d.]+)/habanalabs/"
    r"(?:pytorch-installer(?:-(?P<pytorch>\d+\.\d+\.\d+))?|tensorflow-installer-tf-cpu-(?P<tensorflow>\d+\.\d+\.\d+))"
)
_VAULT_TAG: Final = re.compile(r"(?P<synapseai>\d+\.\d+\.\d+)-(?P<build>\d+)")
_PYTHON: Final = re.compile(r"py(\d)(\d+)")


class Maker(StrEnum):
    """Who publishes an image."""

    DLC = "AWS Deep Learning Containers"
    VAULT = "Habana"
    OTHER = "somebody else"


class Framework(StrEnum):
    """What a Gaudi image is for."""

    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"

    @property
    def spelled(self) -> str:
        """As its makers write it."""
        return {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}[self.value]


@dataclass(frozen=True, slots=True)
class Image:
    """An image by its name. What the name does not say is None."""

    maker: Maker
    repository: str
    """Everything before tag and digest."""
    tag: str | None = None
    digest: str | None = None
    account: str | None = None
    """Of an ECR registry."""
    region: str | None = None
    framework: Framework | None = None
    framework_version: str | None = None
    synapseai: Version | None = None
    python: str | None = None
    os: str | None = None
    example: bool = False
    """AWS's variant with example code in it."""
    build: int | None = None
    """Habana's build number."""

    @property
    def pytorch(self) -> bool:
        """Whether the image has PyTorch in it, as far as its name tells."""
        return self.framework is Framework.PYTORCH or "pytorch" in self.repository.lower()

    def __str__(self) -> str:
        """The versions, for a sentence."""
        if self.framework is None:
            return self.repository
        parts = [f"{self.framework.spelled} {self.framework_version or '(version not in the name)'}"]
        parts += [f"SynapseAI {self.synapseai}"] if self.synapseai else []
        python = _PYTHON.fullmatch(self.python or "")
        parts += [f"Python {python[1]}.{python[2]}"] if python else []
        parts += [self.os] if self.os else []
        return ", ".join(parts)


def understand(text: str) -> Image:
    """The image of a container definition, by its name."""
    name, _, digest = text.strip().partition("@")
    place, slash, last = name.rpartition("/")
    short, _, tag = last.partition(":")
    repository = f"{place}{slash}{short}"
    vault = _VAULT.fullmatch(repository)
    if vault:
        return _vault(vault, repository, tag=tag or None, digest=digest or None)
    registry = _REGISTRY.fullmatch(place)
    account, region = (registry["account"], registry["region"]) if registry else (None, None)
    dlc = _DLC_REPOSITORY.fullmatch(short)
    tagged = _DLC_TAG.fullmatch(tag)
    framework = Framework(dlc["framework"]) if dlc else None
    maker = Maker.DLC if dlc and registry else Maker.OTHER
    plain = Image(maker, repository, tag or None, digest or None, account=account, region=region, framework=framework)
    if tagged is None:
        return plain
    return replace(
        plain,
        framework_version=tagged["version"],
        synapseai=Version.read(tagged["synapseai"]),
        python=tagged["python"],
        os=tagged["os"],
        example=tagged["example"] is not None,
    )


def _vault(found: re.Match[str], repository: str, *, tag: str | None, digest: str | None) -> Image:
    pytorch, tensorflow = found["pytorch"], found["tensorflow"]
    build = _VAULT_TAG.fullmatch(tag or "")
    return Image(
        Maker.VAULT,
        repository,
        tag,
        digest,
        framework=Framework.TENSORFLOW if tensorflow else Framework.PYTORCH,
        framework_version=tensorflow or pytorch,
        synapseai=Version.read(found["synapseai"]),
        os=found["os"],
        build=int(build["build"]) if build and build["synapseai"] == found["synapseai"] else None,
    )
