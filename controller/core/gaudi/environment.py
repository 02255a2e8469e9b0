"""Variables of a container that uses cards: what breaks the software in the image, and what does nothing.

Decides about values that a user writes; what the controller adds is `requirements`'. Sources stand at each rule; the
images' own variables are those of HabanaAI/Setup_and_Install's Dockerfiles. Neighbours: `visibility` (the variables
that choose cards), `scaleout` (HCCL between instances), `policy` (prints).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from controller.core.diagnostics import Code, Severity
from controller.core.gaudi import lookalikes, scaleout
from controller.core.gaudi.cards import CARDS_PER_INSTANCE, VISIBLE_DEVICES, CardSet
from controller.core.gaudi.finding import Finding, warning
from controller.core.gaudi.version import Version
from controller.core.gaudi.visibility import is_smoke, variables
from controller.core.path import Item, Path
from controller.core.quoting import brief, quote

OF_THE_IMAGE: Final[Mapping[str, str]] = {
    "LD_LIBRARY_PATH": "the libraries of SynapseAI, Open MPI and EFA are found by it",
    "GC_KERNEL_PATH": "the graph compiler finds its kernels by it",
    "HABANA_PLUGINS_LIB_PATH": "the plugins of SynapseAI are found by it",
    "HABANA_SCAL_BIN_PATH": "the firmware of the scheduler is found by it",
    "MPI_ROOT": "Open MPI is found by it",
    "OPAL_PREFIX": "Open MPI finds itself by it",
}
"""Variables that Habana's images set → what for. ECS replaces a variable, it cannot add to one."""

_MODULE_OF_RANK: Final = "HLS_MODULE_ID"
_MODULES: Final = frozenset(map(str, range(CARDS_PER_INSTANCE)))


def check(
    container: Mapping[str, Any], *, cards: CardSet | None, synapseai: Version | None, efa: bool = False
) -> Iterator[Finding]:
    """Everything about the variables of one container that uses cards, those that choose them apart."""
    name = str(container.get("name"))
    environment = variables(container)
    yield from names(container)
    for variable in environment:
        if variable in lookalikes.NVIDIA:
            yield warning(_at(name, variable), f"{variable} chooses NVIDIA's cards; Gaudi does not read it")
    if is_smoke(container):
        return
    for variable, what_for in OF_THE_IMAGE.items():
        if variable in environment:
            yield _of_the_image(_at(name, variable), variable, environment[variable], what_for)
    for found in scaleout.spoiled(environment, synapseai, efa=efa):
        there = found.variable in environment
        path = _at(name, found.variable) if there else ("taskDefinition", "containerDefinitions", Item(name))
        yield Finding(path, found.message, found.hint, found.severity)
    if _MODULE_OF_RANK in environment:
        yield from _rank(_at(name, _MODULE_OF_RANK), environment[_MODULE_OF_RANK], cards)


def names(container: Mapping[str, Any]) -> Iterator[Finding]:
    """Variables that are nearly one that Habana's software reads."""
    where = {
        "environment": [str(one.get("name")) for one in container.get("environment", ())],
        "secrets": [str(one.get("name")) for one in container.get("secrets", ())],
    }
    for member, found in where.items():
        for name in found:
            known = lookalikes.meant(name)
            if known is None:
                continue
            path: Path = (
                "taskDefinition",
                "containerDefinitions",
                Item(str(container.get("name"))),
                member,
                Item(name),
            )
            chooses = known in lookalikes.SELECTORS
            message = f"{brief(name)} is not {known}" + (
                f", but the container runtime takes names that begin with {VISIBLE_DEVICES} for it"
                if name.startswith(VISIBLE_DEVICES)
                else ", and nothing reads it"
            )
            severity = Severity.ERROR if chooses else Severity.WARNING
            yield Finding(path, message, f"did you mean `{known}`?", severity, Code.BAD_VALUE)


def _at(container: str, variable: str) -> Path:
    return ("taskDefinition", "containerDefinitions", Item(container), "environment", Item(variable))


def _of_the_image(path: Path, variable: str, value: str, what_for: str) -> Finding:
    """Source: ECS API, KeyValuePair: the value goes to docker as it is."""
    hint = "set it in the image, or in the command: sh -c 'export …; exec …'"
    if "$" in value:
        message = (
            f"{variable} is {quote(value)}: nobody expands the `$`, and the image's own value is gone ({what_for})"
        )
        return Finding(path, message, hint, code=Code.BAD_VALUE)
    return warning(path, f"{variable} replaces the image's own value, to which nothing is added: {what_for}", hint)


def _rank(path: Path, value: str, cards: CardSet | None) -> Iterator[Finding]:
    """One module for one process. Source: huggingface/optimum-habana #1089, #1108."""
    if value not in _MODULES:
        message = f"{_MODULE_OF_RANK} is {quote(value)}: it is one module id from 0 to 7"
        yield Finding(path, message, code=Code.BAD_VALUE)
    elif cards is not None and len(cards.cards) > 1:
        message = (
            f"{_MODULE_OF_RANK} is one rank's module; set for the container, all {len(cards.cards)} ranks want {value}"
        )
        yield Finding(path, f"{message} (`device not found`)", "let the launcher set it, or leave it out")
