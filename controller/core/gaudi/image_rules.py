"""What is wrong with the image of a container: never published, long out of support, started without a command.

AWS's own images are judged by AWS's list, which is complete; Habana's by the releases that are known here, which newer
ones may follow, so a doubt about those is a warning. Sources: aws/deep-learning-containers (`available_images.md`,
Dockerfile.hpu), HabanaAI/Setup_and_Install, Habana's support matrices. Neighbours: `image` (reads the name),
`catalogue`, `rules` (calls this).
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from controller.core.gaudi.catalogue import Published, accounts, domain, images, nearest, releases
from controller.core.gaudi.finding import Finding, warning
from controller.core.gaudi.image import Framework, Image, Maker, understand
from controller.core.gaudi.version import Version
from controller.core.path import Item, Path
from controller.core.quoting import quote

LAST_FOR_GAUDI1: Final = Version(1, 18)
"""The last support matrix that names Gaudi of the first generation, the HL-205 of a DL1."""
LAST_TENSORFLOW: Final = Version(1, 14)
FIRST_WITHOUT_AMAZON_LINUX: Final = Version(1, 14)
"""From here on Habana's support matrix no longer has Amazon Linux 2, though its images go on until 1.18."""
_ROOT: Final = frozenset({"", "0", "root", "0:0", "root:root", "0:root", "root:0"})


def check(container: Mapping[str, Any], *, region: str | None, today: date | None) -> Iterator[Finding]:
    """Everything about the image of one container. `region` is the cluster's, None where it is not known."""
    image = understand(str(container.get("image", "")))
    path: Path = ("taskDefinition", "containerDefinitions", Item(str(container.get("name"))), "image")
    match image.maker:
        case Maker.DLC if image.account in accounts().values():
            yield from _of_aws(path, container, image, today=today)
        case Maker.VAULT:
            yield from _of_habana(path, image)
        case _:
            pass
    if image.synapseai is not None and image.synapseai.release > LAST_FOR_GAUDI1.release:
        message = (
            f"SynapseAI {image.synapseai}: {LAST_FOR_GAUDI1} is the last that is known to support the cards of a DL1"
        )
        yield warning(
            path, message, f"use {LAST_FOR_GAUDI1} or older, or try it with hl-smi and a short training first"
        )
    if image.region is not None and region is not None and image.region != region:
        message = f"the image is pulled from {image.region} into {region}: some 8 GB over regions at every first start"
        yield warning(path, message, f"use the registry of {region}, or a dlc:// reference, which follows the cluster")


def _of_aws(path: Path, container: Mapping[str, Any], image: Image, *, today: date | None) -> Iterator[Finding]:
    name = image.repository.rpartition("/")[2]
    if "inference" in name:
        message = f"{name} does not exist: AWS has published Gaudi images for training only"
        yield Finding(path, message, "the training image serves, too")
        return
    yield from _registry(path, image)
    published = next((one for one in images() if one.repository == name and one.tag == image.tag), None)
    if published is None and image.tag is not None:
        close = nearest(image.framework_version or "", image.synapseai, image.framework)
        message = f"AWS never published {name}:{quote(image.tag).strip('`')}"
        yield Finding(path, message, f"the nearest tag that it did is {close.tag} ({close.reference})")
    elif published is None:
        message = "a Deep Learning Container without a tag: nothing says which SynapseAI is in it"
        yield warning(path, message, "add the tag before the digest, or set gaudi.synapseai")
    else:
        yield from _age(path, published, today)
    terminal = bool(container.get("interactive")) and bool(container.get("pseudoTerminal"))
    if not container.get("command") and not container.get("entryPoint") and not terminal:
        message = (
            "a Deep Learning Container starts a shell, which exits at once (0) without a terminal: the service would"
            " start it again for ever"
        )
        yield Finding(path[:-1], message, "set command: to what the container is for")
    if str(container.get("user", "")) not in _ROOT and image.framework is Framework.PYTORCH:
        message = (
            f"user {quote(str(container['user']))}: this image has libraries below /root, which only root can read"
        )
        yield warning((*path[:-1], "user"), message, "leave user out")


def _registry(path: Path, image: Image) -> Iterator[Finding]:
    """The registry's account must be the one of its region. Source: AWS's table of accounts."""
    region = image.region or ""
    account = accounts().get(region)
    if account is None:
        message = f"AWS has no registry of Deep Learning Containers in {quote(region)} that is known here"
        yield warning(path, message)
    elif account != image.account:
        message = f"the Deep Learning Containers of {region} are in the registry of {account}, not of {image.account}"
        yield Finding(path, message, f"write {account}.dkr.ecr.{region}.{domain(region)}/…, or a dlc:// reference")
    elif f".{domain(region)}/" not in image.repository:
        yield Finding(path, f"registries of {region} end in {domain(region)}")


def _age(path: Path, image: Published, today: date | None) -> Iterator[Finding]:
    if image.listed is None:
        message = f"{image.tag} is AWS's variant with examples, which was released but never on its list"
        yield warning(path, message, f"the listed one is {image.tag.removesuffix('-example')}")
        return
    _, last = image.listed
    if today is not None and today >= last:
        message = f"AWS took this image off its list on {last}: it is out of support, and nobody mends it any longer"
        newest = nearest("", None, image.framework)
        hint = (
            f"the newest is {newest.tag}" if newest.tag != image.tag else "newer ones are Habana's, at vault.habana.ai"
        )
        yield warning(path, message, hint)


def _of_habana(path: Path, image: Image) -> Iterator[Finding]:
    asked = image.synapseai
    assert asked is not None
    assert image.framework is not None
    release = releases().get(asked)
    if release is None:
        if asked < max(releases()):
            message = f"Habana has no release SynapseAI {asked} that is known here"
            close = min(releases(), key=asked.distance)
            yield warning(path, message, f"the nearest is {close}-{releases()[close].build}")
        return
    versions = release.versions(image.framework)
    if image.framework_version is not None and image.framework_version not in versions:
        published = " and ".join(versions) or "none at all"
        ended = image.framework is Framework.TENSORFLOW and release.synapseai.release > LAST_TENSORFLOW.release
        message = (
            f"SynapseAI {release.synapseai} came with {image.framework.spelled} {published},"
            f" not {image.framework_version}"
        )
        yield warning(path, message, f"TensorFlow ended with {LAST_TENSORFLOW}" if ended else None)
    if image.os not in release.os:
        message = f"SynapseAI {release.synapseai} was not published for {image.os}"
        yield warning(path, message, f"published: {', '.join(release.os)}")
    elif image.os == "amzn2" and release.synapseai >= FIRST_WITHOUT_AMAZON_LINUX:
        message = f"Amazon Linux 2 is not in Habana's support matrix from {FIRST_WITHOUT_AMAZON_LINUX} on"
        yield warning(path, message, "use ubuntu22.04")
    if image.build is not None and image.build != release.build:
        message = f"build {image.build} of SynapseAI {release.synapseai} is not known here"
        yield warning(path, message, f"published: {release.synapseai}-{release.build}")
