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
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from controller.core.compare import TASK_DEFINITION
from controller.core.fields import SHAPES
from controller.core.fields.kinds import Bag, Keyed, Leaf, Ordered, Struct, TextMap
from controller.core.normalize import item_key
from controller.core.path import Item, Path
from controller.core.placeholders import UNKNOWN_PLACE, UNKNOWN_VALUE
from controller.core.redact import REFERENCES, SECRET_NAME, is_telling_flag, secret_spans

_CONTAINERS: Final = "containerDefinitions"
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
    texts = _Texts(plain)
    texts.structure(TASK_DEFINITION, kept, ("taskDefinition",))
    return kept, (*hidden, *texts.hidden)


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


@dataclass(slots=True)
class _Texts:
    """Takes secrets out of all other texts, in place. Names of the API tell nothing; names that users give do."""

    plain: Collection[str]
    container: str = ""
    hidden: list[Hidden] = field(default_factory=list)

    def structure(self, shape: str, here: dict[str, Any], path: Path) -> None:
        for name, row in SHAPES[shape].items():
            value, at = here.get(name), (*path, name)
            if not value or name in REFERENCES or name == "tags":
                continue
            match row:
                case Struct(shape=inner):
                    self.structure(inner, value, at)
                case Keyed():
                    for member in value:
                        item: Path = (*at, Item(item_key(row, member)))
                        if row.value is not None:
                            self.text(member, row.value, called=item_key(row, member), path=item)
                            continue
                        if name == _CONTAINERS:
                            self.container = item_key(row, member)
                        self.structure(row.shape, member, item)
                case Ordered(shape=str(inner)):
                    for index, member in enumerate(value):
                        self.structure(inner, member, (*at, index))
                case Ordered() | Bag():
                    told = ["", *(one if isinstance(one, str) and is_telling_flag(one) else "" for one in value)]
                    for index in range(len(value)):
                        self.text(value, index, called=told[index], path=at, shown=told[index] or name)
                case TextMap():
                    for key in value:
                        self.text(value, key, called=key, path=(*at, Item(key)))
                case Leaf():
                    self.text(here, name, called="", path=at, shown=name)
                case _:
                    assert_never(row)

    def text(self, parent: Any, key: str | int, *, called: str, path: Path, shown: str = "") -> None:
        """Hide what is secret of one text, which is `called` so by its user."""
        value = parent[key] if isinstance(key, int) else parent.get(key)
        if isinstance(value, str) and called not in self.plain and looks_secret(called, value):
            parent[key] = _blanked(called, value)
            self.hidden.append(Hidden(self.container, shown or called, path))


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
