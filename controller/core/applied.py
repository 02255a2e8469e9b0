"""What was applied last, as far as tags can remember it, and so who moved a field: the spec, or somebody live.

A tag holds 256 characters, so three tags of a service hold short hashes and no values: one for each service member
that the spec declared, one for each task definition that the service was given, one for each tag key of the user.
That is enough to tell "the spec has changed" from "it was changed live" for every member, to take away what a spec no
longer declares and ECS never answers, and to know when an old revision is worth looking for. It is a memory and no
truth: a hash that is lost or cut off makes a cause unknown, never a write wrong. Neighbours: `ownership` (the keys),
`render` writes the first ones, `compare` and `plan` read and renew them.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from controller.core.normalize import Canonical, Items, NotManaged, digest
from controller.core.ownership import PREFIX

MEMBERS: Final = f"{PREFIX}applied"
HISTORY: Final = f"{PREFIX}history"
KEYS: Final = f"{PREFIX}tag-keys"
RECORD: Final = frozenset({MEMBERS, HISTORY, KEYS})
"""Tags of a service that hold the record."""
LONGEST: Final = 256
"""Characters of a tag value. Source: API model, TagValue."""
_NAME: Final = 3
_VALUE: Final = 5
_REVISION: Final = 6
_KEY: Final = 5
"""Hexadecimal digits of each kind of hash. A test keeps the names of all members apart."""


class Cause(StrEnum):
    """Why a field is not what the spec asks for."""

    SPEC = "spec changed"
    LIVE = "changed live"
    BOTH = "both"
    UNKNOWN = "unknown"
    """There is no record of what was applied before: an adopted service, or tags that somebody has edited."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The record that a service carries. `members` is None where it carries none."""

    members: Mapping[str, str] | None = None
    """Hash of a service member's name → hash of the value that was declared."""
    revisions: tuple[str, ...] = ()
    """Hashes of the task definitions that the service was given, newest first."""
    keys: frozenset[str] = field(default_factory=frozenset)
    """Hashes of the tag keys that the spec declared."""

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "Applied":
        """Read the tags of a service. What is no record of ours is skipped."""
        entries = [entry for entry in tags.get(MEMBERS, "").split() if len(entry) == _NAME + _VALUE]
        return cls(
            members={entry[:_NAME]: entry[_NAME:] for entry in entries} if MEMBERS in tags else None,
            revisions=tuple(tags.get(HISTORY, "").split()),
            keys=frozenset(tags.get(KEYS, "").split()),
        )

    def value(self, name: str) -> str | None:
        """Hash of the value that was declared for a member; None where none was, as far as is recorded."""
        return (self.members or {}).get(_hash(name, _NAME))

    def cause(self, name: str, *, spec: Canonical | None, live: Canonical | None, default: Canonical | None) -> Cause:
        """Who moved a service member. Where it was not declared before, its default was what was asked for."""
        if self.members is None:
            return Cause.UNKNOWN
        before = self.members.get(_hash(name, _NAME), value_hash(default))
        return cause_of(spec_moved=value_hash(spec) != before, live_moved=value_hash(managed(live, spec)) != before)


def cause_of(*, spec_moved: bool, live_moved: bool) -> Cause:
    """The cause of a difference, by who is no longer where both were."""
    match spec_moved, live_moved:
        case True, True:
            return Cause.BOTH
        case True, False:
            return Cause.SPEC
        case False, True:
            return Cause.LIVE
        case _:
            return Cause.UNKNOWN


def members_tag(members: Mapping[str, Canonical]) -> str:
    """The declared members of a service as a tag value."""
    return _joined(f"{_hash(name, _NAME)}{value_hash(value)}" for name, value in sorted(members.items()))


def history_tag(newest: str, before: Iterable[str] = ()) -> str:
    """The task definitions that a service was given, by hash, as a tag value."""
    return _joined((newest, *(other for other in before if other != newest)))


def keys_tag(keys: Iterable[str]) -> str:
    """The user's tag keys as a tag value."""
    return _joined(sorted(key_hash(key) for key in keys))


def revision_hash(content: str) -> str:
    """A task definition's digest, shortened."""
    return content.partition(":")[2][:_REVISION]


def key_hash(key: str) -> str:
    """A tag key, shortened."""
    return _hash(key, _KEY)


def value_hash(value: Canonical | None) -> str:
    """A canonical value, shortened."""
    if value is None or isinstance(value, NotManaged):
        return "-" * _VALUE
    return digest(value).partition(":")[2][:_VALUE]


def managed(live: Any, spec: Any) -> Any:
    """The live value without what the spec leaves to others."""
    match live, spec:
        case Items(there), Items(wanted):
            return Items({key: managed(value, wanted.get(key)) for key, value in there.items()})
        case dict(), dict():
            kept = {name: value for name, value in live.items() if not isinstance(spec.get(name), NotManaged)}
            return {name: managed(value, spec.get(name)) for name, value in kept.items()}
        case _:
            return live


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def _joined(entries: Iterable[str]) -> str:
    """Entries with blanks between them, as many as a tag can hold."""
    text = ""
    for entry in entries:
        longer = f"{text} {entry}" if text else entry
        if len(longer) > LONGEST:
            break
        text = longer
    return text
