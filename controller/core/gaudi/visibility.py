"""Which cards the containers of a task see: the grammar of the two variables, and what goes wrong with a bad value.

Decides: a value that the runtime of the DL1 era mistakes, drops or dies of is an error, quoted with its symptom; a set
that works and that Habana does not recommend is a warning. Refuses nothing that works. Sources: HabanaAI/
habana-container-runtime at 67e6737 (filterDevicesByENV, the hook), docs.habana.ai "Multiple Workloads on a Single
Docker" and "Multiple Dockers Each with a Single Workload", habanalabs-k8s-device-plugin (Allocate).
Neighbours: `cards` (what a good value means), `lookalikes` (names that nearly are these), `policy` (prints).
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from controller.core.diagnostics import Code, Severity
from controller.core.gaudi.cards import CARDS_PER_INSTANCE, COUNTS, GROUPS, VISIBLE_DEVICES, VISIBLE_MODULES, CardSet
from controller.core.gaudi.finding import Finding, warning
from controller.core.path import Item, Path
from controller.core.quoting import quote

_SHELL: Final = re.compile(r"(/bin/|/usr/bin/)?(ba|da)?sh")
_ASKS: Final = r"(/usr/bin/)?hl-smi(\s[^;&()]*)?"
_SMOKE: Final = re.compile(rf'{_ASKS}|test "\$\({_ASKS}\)" -eq \d')
"""`hl-smi`, with or without a pipe, and a comparison of what it prints."""
_DISCOVER: Final = "see `hl-smi -Q index,module_id -f csv`"


def variables(container: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a container definition."""
    return {str(one.get("name")): str(one.get("value", "")) for one in container.get("environment", ())}


def is_smoke(container: Mapping[str, Any]) -> bool:
    """Whether the container only asks the driver: `hl-smi` uses the control node and never opens a card."""
    words = [str(word) for word in (*(container.get("entryPoint") or ()), *(container.get("command") or ()))]
    if len(words) > 2 and _SHELL.fullmatch(words[0]) and words[1] == "-c":
        words = words[2:3]
    return _SMOKE.fullmatch(" ".join(words)) is not None


def sets(register: Mapping[str, Any]) -> Iterator[tuple[str, CardSet]]:
    """The containers that open cards, each with its set. A smoke test opens none."""
    for container in register.get("containerDefinitions", ()):
        cards = CardSet.seen(variables(container))
        if cards is not None and not is_smoke(container):
            yield str(container.get("name")), cards


def check(register: Mapping[str, Any], *, holder: str | None = None) -> Iterator[Finding]:
    """Everything about visibility in one task definition. `holder` is the container that is to have the cards."""
    containers = [(str(one.get("name")), one) for one in register.get("containerDefinitions", ())]
    for name, container in containers:
        yield from _values(name, container, holder=name == holder)
    yield from _between(dict(sets(register)))
    if holder is not None or any(VISIBLE_DEVICES in variables(container) for _, container in containers):
        yield from _bystanders(containers, holder)


def _at(container: str, variable: str) -> Path:
    return ("taskDefinition", "containerDefinitions", Item(container), "environment", Item(variable))


def _values(name: str, container: Mapping[str, Any], *, holder: bool) -> Iterator[Finding]:
    environment = variables(container)
    devices, modules = environment.get(VISIBLE_DEVICES), environment.get(VISIBLE_MODULES)
    for variable in (VISIBLE_DEVICES, VISIBLE_MODULES):
        if any(secret.get("name") == variable for secret in container.get("secrets", ())):
            path: Path = ("taskDefinition", "containerDefinitions", Item(name), "secrets", Item(variable))
            yield Finding(path, f"{variable} says which cards a container sees and cannot be a secret")
    if devices is not None:
        yield from _value(_at(name, VISIBLE_DEVICES), VISIBLE_DEVICES, devices, holder=holder)
    if modules is not None:
        yield from _value(_at(name, VISIBLE_MODULES), VISIBLE_MODULES, modules, holder=holder)
    if modules is not None and devices is None and not holder:
        message = (
            f"{VISIBLE_MODULES} without {VISIBLE_DEVICES}: the container runtime of the DL1 era reads only the latter,"
            " so the container gets all cards"
        )
        yield warning(_at(name, VISIBLE_MODULES), message, f"set {VISIBLE_DEVICES}: all beside it")
    if devices is not None and modules is not None:
        yield from _agreement(name, devices, modules)


def _value(path: Path, variable: str, value: str, *, holder: bool) -> Iterator[Finding]:
    by_device = variable == VISIBLE_DEVICES
    wanted = "`all` or card numbers as 0,1,2,3" if by_device else "module ids as 0,1,2,3"
    problem = _broken(value, by_device=by_device, holder=holder)
    if problem:
        yield Finding(path, f"{variable} is {quote(value)}: {problem}", f"write {wanted}", code=Code.BAD_VALUE)
        return
    cards = [] if value in ("", "all") else [int(part) for part in value.split(",")]
    if len(set(cards)) != len(cards):
        message = f"{variable} is {quote(value)}: a card is named twice"
        yield Finding(path, message, code=Code.DUPLICATE_ITEM)
    elif cards and len(cards) not in COUNTS:
        message = f"{variable} names {len(cards)} cards, but one job can use 1, 2, 4 or 8"
        yield warning(path, message, "HCCL supports these numbers only; several jobs in one container are not watched")
    elif not by_device and len(cards) in GROUPS and tuple(sorted(cards)) not in GROUPS[len(cards)]:
        groups = " or ".join(",".join(map(str, group)) for group in GROUPS[len(cards)])
        message = f"modules {value} are no group of {len(cards)} that Habana recommends"
        yield warning(path, message, f"use {groups}")


def _broken(value: str, *, by_device: bool, holder: bool) -> str | None:
    """What the runtime makes of a value that is no good, or None."""
    parts = value.split(",")
    if value == "":
        return "no card is mounted into the container that is to use them" if holder else None
    if any(char.isspace() for char in value):
        return (
            "it has a blank, and the container cannot be created (the hook says `device value must be a number`)"
            if by_device
            else "it has a blank, and the framework does not read behind it"
        )
    if by_device and value == "all":
        return None
    if by_device and value.lower() == "all":
        return "the runtime knows `all` in small letters only, so the container starts without a card"
    if by_device and value == "none":
        return "the hook then lacks its `--device` and the container cannot be created; an empty value means no card"
    too_big = [part for part in parts if part.isascii() and part.isdigit() and int(part) >= CARDS_PER_INSTANCE]
    if too_big:
        return f"a DL1 has cards 0 to 7, and {', '.join(too_big)} is dropped without a word"
    if not all(len(part) == 1 and part in "01234567" for part in parts):
        return "that is no list of card numbers" if by_device else "that is no list of module ids"
    return None


def _agreement(name: str, devices: str, modules: str) -> Iterator[Finding]:
    """Indices and module ids are two numberings; where both are lists, they must at least be equally many."""
    listed = [text.split(",") for text in (devices, modules)]
    if devices in ("", "all") or not all(part.isdigit() for parts in listed for part in parts):
        return
    path = _at(name, VISIBLE_MODULES)
    if len(listed[0]) != len(listed[1]):
        message = f"{VISIBLE_DEVICES} names {len(listed[0])} cards and {VISIBLE_MODULES} {len(listed[1])}"
        yield Finding(path, message, f"with {VISIBLE_DEVICES}: all, the modules alone choose", code=Code.CONTRADICTION)
        return
    message = f"device {devices} and module {modules} may be other cards: an index is not the module of its number"
    yield warning(path, message, f"{_DISCOVER}, or use {VISIBLE_DEVICES}: all")


def _between(found: Mapping[str, CardSet]) -> Iterator[Finding]:
    """Two containers of one task that open the same card: the later one dies."""
    for (first, one), (second, other) in itertools.combinations(found.items(), 2):
        if not one.may_share(other):
            continue
        certain = one.naming is other.naming or one.whole_instance or other.whole_instance
        what = f"containers `{first}` ({one}) and `{second}` ({other}) of one task"
        message = (
            f"{what} use the same card; the one that opens it later dies of `synStatus=20 [Device already acquired]`"
            if certain
            else f"{what} may use the same card: an index is not the module of its number"
        )
        severity = Severity.ERROR if certain else Severity.WARNING
        yield Finding(_at(second, VISIBLE_DEVICES), message, _DISCOVER if not certain else None, severity)


def _bystanders(containers: Iterable[tuple[str, Mapping[str, Any]]], holder: str | None) -> Iterator[Finding]:
    """Containers beside the one with the cards that say nothing: the old runtime gives them all eight."""
    for name, container in containers:
        if name != holder and VISIBLE_DEVICES not in variables(container):
            message = (
                f"container `{name}` does not set {VISIBLE_DEVICES}: a container runtime before 1.23 mounts all eight"
                " cards into it"
            )
            hint = (
                f'set {VISIBLE_DEVICES}: "" there, or visible_devices_all_as_default = false on the instances'
                " (deploy/instances does)"
            )
            yield warning(("taskDefinition", "containerDefinitions", Item(name)), message, hint)
