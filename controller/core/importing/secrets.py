"""Secrets of a live service stay where they are: a spec gets a placeholder for each, and never its value.

Environment variables become `secrets` with a place that somebody must fill in. In any other text (a flag of a command,
a docker label, an option of a log driver) only the secret is taken out. What looks like one is what reports mask, with
less suspicion in two cases, because here a mistake costs the user work: a reference to a secret, a switch and a short
number under a name that says `token` (`MAX_TOKENS: 512`) are none. Neighbours: `core.redact` (what a secret looks
like), `core.placeholders` (what stands there instead), `proof` (hides them on the live side, too, to compare).
"""

import copy
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.core.path import Item, Path
from controller.core.placeholders import UNKNOWN_PLACE, UNKNOWN_VALUE
from controller.core.redact import REFERENCES, SECRET_NAME, is_telling_flag, secret_spans

_REFERENCE: Final = re.compile(r"\w*:?arn:aws[a-z-]*:")
_SWITCH: Final = re.compile(r"true|false|yes|no|on|off|none", re.IGNORECASE)
_SHORT_NUMBER: Final = re.compile(r"-?\d{1,7}(\.\d{1,7})?")
_TOKEN: Final = re.compile(r"token", re.IGNORECASE)
_NAME_BEFORE: Final = re.compile(r"""([\w.-]{1,128})["']?[ \t]{0,8}[=:, \t][ \t]{0,8}["']?$""")


@dataclass(frozen=True, slots=True)
class Hidden:
    """A secret that was left out: its value is nowhere here."""

    container: str
    name: str
    """The variable, or what the text is called in which the secret stood."""
    path: Path
    """Where its placeholder stands."""


def hide(register: Mapping[str, Any], *, plain: Collection[str] = ()) -> tuple[dict[str, Any], tuple[Hidden, ...]]:
    """A RegisterTaskDefinition request with placeholders for its secrets, and where they stand.

    `plain` names variables that are known to be none. Tags are left alone: everybody who may list resources reads them.
    """
    kept = copy.deepcopy(dict(register))
    hidden: list[Hidden] = []
    for container in kept.get("containerDefinitions", ()):
        hidden.extend(_variables(container, plain))
    hidden.extend(_texts(kept, ("taskDefinition",), name="", container="", plain=plain))
    return kept, tuple(hidden)


def looks_secret(name: str, value: str) -> bool:
    """Whether a text of this name is a secret, or holds one."""
    if not value or _REFERENCE.match(value) or value == UNKNOWN_PLACE:
        return False
    return _is_told(name, value) or any(True for _ in _spans(value))


def _is_told(name: str, value: str) -> bool:
    return SECRET_NAME.search(name) is not None and not _harmless(name, value)


def _variables(container: dict[str, Any], plain: Collection[str]) -> Iterator[Hidden]:
    """Move secrets of the environment to `secrets`."""
    name = str(container.get("name"))
    kept: list[Any] = []
    for variable in container.get("environment") or ():
        key, value = str(variable.get("name")), str(variable.get("value") or "")
        if key in plain or not looks_secret(key, value):
            kept.append(variable)
            continue
        container.setdefault("secrets", []).append({"name": key, "valueFrom": UNKNOWN_PLACE})
        at: Path = ("taskDefinition", "containerDefinitions", Item(name), "secrets", Item(key))
        yield Hidden(name, key, at)
    if "environment" in container:
        container["environment"] = kept
        if not kept:
            del container["environment"]


def _texts(value: Any, path: Path, *, name: str, container: str, plain: Collection[str]) -> Iterator[Hidden]:
    """Take secrets out of all other texts, in place."""
    match value:
        case dict():
            members: Any = [
                (key, key, str(value.get("name") or value.get("key") or key) if key == "value" else key)
                for key in value
                if key not in REFERENCES and key != "tags"
            ]
        case list():
            telling = ["", *(one if isinstance(one, str) and is_telling_flag(one) else "" for one in value)]
            members = [(index, _segment(one, index), telling[index] or name) for index, one in enumerate(value)]
        case _:
            return
    for key, segment, called in members:
        member, here = value[key], (*path, segment)
        if isinstance(member, str):
            if called not in plain and looks_secret(called, member):
                value[key] = _blanked(called, member)
                yield Hidden(container, called, here)
        else:
            inside = str(member.get("name")) if path[1:] == ("containerDefinitions",) else container
            yield from _texts(member, here, name=called, container=inside, plain=plain)


def _segment(member: Any, index: int) -> Item | int:
    name = member.get("name") if isinstance(member, Mapping) else None
    return Item(name) if isinstance(name, str) else index


def _blanked(name: str, text: str) -> str:
    """The text without its secrets; nothing is left of it where its name alone announces one."""
    if _is_told(name, text):
        return UNKNOWN_VALUE
    shown, done = "", 0
    for start, end in sorted(_spans(text)):
        if start >= done:
            shown += text[done:start] + UNKNOWN_VALUE
        done = max(done, end)
    return shown + text[done:]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for start, end in secret_spans(text):
        before = _NAME_BEFORE.search(text[max(start - 160, 0) : start])
        if not _harmless(before[1] if before else "", text[start:end].strip("\"'")):
            yield start, end


def _harmless(name: str, value: str) -> bool:
    """Whether a value cannot be what its name seems to announce."""
    if _SWITCH.fullmatch(value):
        return True
    return _SHORT_NUMBER.fullmatch(value) is not None and SECRET_NAME.search(_TOKEN.sub("", name)) is None
