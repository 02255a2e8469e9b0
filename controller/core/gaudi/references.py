"""`dlc://pytorch/1.11.0?synapseai=1.5.0`: an image of AWS Deep Learning Containers by what is in it.

Resolved from the shipped catalogue to the registry of the target's region, so that one spec works in every region and a
tag that never was is refused before anything pulls it. `synapseai` may be left out where the version says it. Further
parameters: `region` (pull from there), `python`, `os`, `example=true`. Neighbours: `catalogue`, `render` (calls this).
"""

from dataclasses import dataclass
from typing import Final

from controller.core.ecs.read import did_you_mean
from controller.core.gaudi.catalogue import Published, accounts, address, images, listed, nearest
from controller.core.gaudi.image import Framework
from controller.core.gaudi.version import Version
from controller.core.quoting import quote

SCHEME: Final = "dlc://"
_PARAMETERS: Final = ("synapseai", "region", "python", "os", "example")
_NAMES: Final = {"pytorch": Framework.PYTORCH, "tensorflow": Framework.TENSORFLOW}


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a reference stands for."""

    address: str
    why: str


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a reference stands for nothing."""

    message: str
    hint: str | None = None


def resolve(reference: str, region: str | None) -> Resolved | Unresolved:
    """The address of a `dlc://` reference for a cluster in this region; None is an unknown one."""
    body, _, query = reference.removeprefix(SCHEME).partition("?")
    name, slash, version = body.partition("/")
    given = dict(part.partition("=")[::2] for part in query.split("&") if part)
    framework = _NAMES.get(name)
    wrong = _malformed(reference, framework, version if slash else "", given)
    if wrong is not None:
        return wrong
    assert framework is not None
    chosen = _choose(reference, framework, version, given)
    if isinstance(chosen, Unresolved):
        return chosen
    return _address(reference, chosen, given.get("region"), region)


def _malformed(reference: str, framework: Framework | None, version: str, given: dict[str, str]) -> Unresolved | None:
    form = "write dlc://pytorch/1.11.0?synapseai=1.5.0"
    if framework is None:
        name = reference.removeprefix(SCHEME).partition("/")[0]
        return Unresolved(f"{quote(reference)} names no framework", did_you_mean(name, _NAMES) or form)
    unknown = next((name for name in given if name not in _PARAMETERS), None)
    if unknown is not None:
        hint = did_you_mean(unknown, _PARAMETERS) or f"known are {', '.join(_PARAMETERS)}"
        return Unresolved(f"{quote(reference)} has the unknown parameter {quote(unknown)}", hint)
    if Version.read(version) is None:
        return Unresolved(f"{quote(reference)} names no version of {framework.spelled}", form)
    if "synapseai" in given and Version.read(given["synapseai"]) is None:
        return Unresolved(f"{quote(given['synapseai'])} is no SynapseAI version", "write it as 1.5.0")
    if given.get("example", "false") not in ("true", "false"):
        return Unresolved(f"example is {quote(given['example'])}", "it is true or false")
    return None


def _choose(reference: str, framework: Framework, version: str, given: dict[str, str]) -> Published | Unresolved:
    """The one image that a well-formed reference names."""
    synapseai = Version.read(given["synapseai"]) if "synapseai" in given else None
    among = [one for one in images() if one.listed is None] if given.get("example") == "true" else listed()
    found = [
        one
        for one in among
        if one.framework is framework
        and one.version == version
        and synapseai in (None, one.synapseai)
        and given.get("python") in (None, one.python)
        and given.get("os") in (None, one.os)
    ]
    if not found:
        close = nearest(version, synapseai, framework)
        return Unresolved(f"AWS never published {quote(reference)}", f"the nearest that it did is {close.reference}")
    if len(found) > 1:
        choices = " or ".join(f"synapseai={one.synapseai}" for one in found)
        return Unresolved(f"{quote(reference)} names {len(found)} images", f"say which: {choices}")
    return found[0]


def _address(reference: str, image: Published, pinned: str | None, region: str | None) -> Resolved | Unresolved:
    wanted = pinned or region
    if wanted is None:
        message = f"{quote(reference)} stands for another address in each region, and the region is not known"
        return Unresolved(message, "set AWS_REGION or --region, name the cluster by its ARN, or add region= to it")
    found = address(image, wanted)
    if found is None:
        hint = did_you_mean(wanted, accounts()) or "add region= of one that has, for example region=us-west-2"
        return Unresolved(
            f"AWS has no registry of Deep Learning Containers in {quote(wanted)} that is known here", hint
        )
    origin = "the reference says so" if pinned else "the cluster is there"
    return Resolved(
        found,
        f"{reference} is {image.framework.spelled} {image.version} with SynapseAI {image.synapseai}"
        f" ({image.os}, {image.python}) in the registry of {wanted}, because {origin}",
    )
