"""A task definition while it is being completed: additions go in, contradictions come out.

The user's value stays wherever it can work. Neighbours: `gaudi.requirements` proposes the additions, `render` owns the
draft, `service_request` gives its reasons to it too.
"""

import copy
from dataclasses import dataclass
from typing import Any, Final

from controller.core.diagnostics import Code, Diagnostic
from controller.core.fields.spelling import expression
from controller.core.gaudi.cards import canonical_environment
from controller.core.gaudi.requirements import Addition
from controller.core.path import Item, Path, show
from controller.core.workload import Workload

GAUDI: Final[Path] = ("spec", "gaudi")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a value stands in a request that the user did not write. `origin` is the place in the spec that asked for
    it."""

    path: Path
    why: str
    origin: Path


@dataclass(slots=True)
class Draft:
    """The task definition while it is being completed, with what was added and what cannot be."""

    workload: Workload
    register: dict[str, Any]
    reasons: list[Reason]
    problems: list[Diagnostic]
    holder: str | None = None
    """The container that gets the cards."""

    @property
    def has_gaudi(self) -> bool:
        return self.workload.document.spec.gaudi is not None

    def container(self, name: str) -> dict[str, Any]:
        """The container definition of this name."""
        found: dict[str, Any] = next(one for one in self.register["containerDefinitions"] if one.get("name") == name)
        return found

    def reason(self, path: Path, why: str, origin: Path) -> None:
        self.reasons.append(Reason(path, why, origin))

    def problem(self, code: Code, message: str, origin: Path, *, hint: str | None = None) -> None:
        self.problems.append(Diagnostic(code, message, self.workload.origin(origin), hint=hint))

    def add(self, addition: Addition) -> None:
        """Carry out one addition, unless the user already has it or has decided otherwise."""
        parent, name = self._place(addition.path)
        if addition.listed:
            self._add_to_list(parent.setdefault(name, []), addition)
        elif name not in parent:
            parent[name] = copy.deepcopy(addition.value)
            self.reason(("taskDefinition", *addition.path), addition.why, GAUDI)
        elif parent[name] != addition.value:
            self._differs(addition, addition.path, parent[name])
        if parent.get(name) == []:
            del parent[name]

    def _place(self, path: Path) -> tuple[dict[str, Any], str]:
        """The structure that holds the last segment, created on the way where it is missing."""
        here: Any = self.register
        for at, segment in enumerate(path[:-1]):
            match segment:
                case str() if not isinstance(path[at + 1], Item):
                    here = here.setdefault(segment, {})
                case str():
                    here = here.setdefault(segment, [])
                case Item(key):
                    here = next(member for member in here if member.get("name") == key)
                case int():
                    here = here[segment]
        return here, str(path[-1])

    def _add_to_list(self, members: list[Any], addition: Addition) -> None:
        key = _identity(addition.value)
        path: Path = (*addition.path, Item(key))
        same = next((member for member in members if _identity(member) == key), None)
        if same is None:
            if key in self._dropped(addition.path):
                return
            members.append(copy.deepcopy(addition.value))
            self.reason(("taskDefinition", *path), addition.why, GAUDI)
        elif isinstance(same, dict) and {**addition.value, **_plain(same)} != {**_plain(same), **addition.value}:
            self._differs(addition, path, same)

    def _dropped(self, path: Path) -> tuple[str, ...]:
        """Capabilities that the user takes away on purpose."""
        if path[-2:] != ("capabilities", "add"):
            return ()
        capabilities, _ = self._place(path)
        return tuple(capabilities.get("drop", ()))

    def _differs(self, addition: Addition, path: Path, written: Any) -> None:
        """The user has another value: theirs stays where it can work, otherwise both are named."""
        if not addition.must:
            return
        self.problem(
            Code.CONTRADICTION,
            f"{show(('taskDefinition', *path))} is {_brief(written)}, but `gaudi` needs {_brief(addition.value)}",
            ("spec", "taskDefinition", *path),
            hint=f"{addition.why}; remove your value, or change `gaudi` ({self.workload.origin(GAUDI)})",
        )


def _plain(member: dict[str, Any]) -> dict[str, Any]:
    """A member with the usual spelling of its value, so that `1,0` is no contradiction to `0,1`."""
    if "value" not in member:
        return member
    return {**member, "value": canonical_environment(str(member.get("name")), member["value"])}


def _identity(member: Any) -> str:
    """What makes two members of an unordered list the same one: name, host port, device, constraint or the text
    itself."""
    if not isinstance(member, dict):
        return str(member)
    if "hostPath" in member:
        return str(member["hostPath"])
    if "containerPort" in member:
        return f"{member['containerPort']} {member.get('protocol', 'tcp')}"
    if "expression" in member:
        return f"{member.get('type', 'memberOf')} {expression(member['expression'])}"
    return str(member.get("name"))


def _brief(value: Any) -> str:
    match value:
        case {"name": _, "value": text}:
            return f"`{text}`"
        case dict():
            return ", ".join(f"{name} {_brief(member)}" for name, member in value.items())
        case list():
            return f"[{', '.join(str(member) for member in value)}]"
        case bool():
            return str(value).lower()
        case _:
            return f"`{value}`"
