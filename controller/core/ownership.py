"""Whose a live service is, said by tags on the service itself.

ECS sets tags atomically at create, so a crash cannot lose them, and everybody can read them. A service without our
owner tag is not ours; a service with another's is never touched. Tags of others stay as they are. Neighbours:
`render` writes these, `plan` reads them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

PREFIX: Final = "dl1.ecs/"
OWNER: Final = f"{PREFIX}owner"
DIGEST: Final = f"{PREFIX}digest"
GENERATION: Final = f"{PREFIX}generation"
SOURCE: Final = f"{PREFIX}source"
ON_DELETE: Final = f"{PREFIX}on-delete"
SUSPENDED: Final = f"{PREFIX}suspended-until"
LABELS: Final = f"{PREFIX}labels/"

REMEMBERED: Final = frozenset({ON_DELETE, SUSPENDED})
"""Keys that say what becomes of the service once its spec is gone and can say it no more."""
BOOKKEEPING: Final = frozenset({OWNER, DIGEST, GENERATION, SOURCE}) | REMEMBERED
"""Keys that say who manages what, not what was asked for: they are kept right, but they are no drift of a user's
field."""

FOREIGN_STACK: Final = ("aws:cloudformation:stack-id", "aws:cloudformation:stack-name", "ecs:service:stackId")
"""Tags by which AWS's own deployment services claim a service. Source: CloudFormation user guide, resource tags."""

_NOT_A_TAG_CHARACTER: Final = re.compile(r"[^\w .:/=+\-@]", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Ownership:
    """What a service's tags say about who manages it and what was last applied."""

    owner: str | None
    digest: str | None
    generation: int
    orphan_on_delete: bool
    foreign: str | None
    suspended_until: datetime | None = None
    """Until when its spec, as long as there was one, forbade every change."""

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "Ownership":
        """Read the tags of a service. A generation that is no number counts as 0: somebody has edited it."""
        generation = tags.get(GENERATION, "0")
        return cls(
            owner=tags.get(OWNER),
            digest=tags.get(DIGEST),
            generation=int(generation) if generation.isascii() and generation.isdigit() else 0,
            orphan_on_delete=tags.get(ON_DELETE) == "orphan",
            foreign=next((tags[key] for key in FOREIGN_STACK if key in tags), None),
            suspended_until=_time(tags[SUSPENDED]) if SUSPENDED in tags else None,
        )


def _time(text: str) -> datetime:
    """The moment that a tag names. What somebody has made unreadable never comes: a doubt holds, it does not delete."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def tag_value(text: str) -> str:
    """The text as a tag value: characters that ECS refuses become `_`, at most 256 characters, the end kept.

    Source: API model, shape TagValue.
    """
    return _NOT_A_TAG_CHARACTER.sub("_", text)[-256:]
