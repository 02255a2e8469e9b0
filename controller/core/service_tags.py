"""Tags of a service: which are ours to keep, and what is to be put and taken away.

Ours are the keys that the spec declares, the labels, and the bookkeeping. A key that the spec has declared before and
does so no longer is taken away, because the record in the tags knows it by its hash; every other key is somebody
else's and stays as it is. Neighbours: `ownership` (the keys), `applied` (the record), `compare` (shows the changes),
`plan` (puts the bookkeeping last).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.core.applied import HISTORY, RECORD, Applied, key_hash
from controller.core.ignore import covers
from controller.core.live import LiveService
from controller.core.ownership import BOOKKEEPING, GENERATION, LABELS, PREFIX
from controller.core.path import Item
from controller.core.render import Rendered

OUR_OWN: Final = BOOKKEEPING | RECORD
"""Keys that no user has asked for."""


@dataclass(frozen=True, slots=True)
class TagChanges:
    """Tags to set and to take away."""

    put: dict[str, str]
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.remove)


def tag_changes(rendered: Rendered, live: LiveService, patterns: list[str]) -> TagChanges:
    """Tags of the user that are not as they should be; bookkeeping follows the service, so `plan` adds it last."""
    tags, recorded = live.tags, Applied.of(live.tags).keys

    def ignored(key: str) -> bool:
        return any(covers(pattern, ("service", "tags", Item(key))) for pattern in patterns)

    def was_ours(key: str) -> bool:
        return key.startswith(LABELS) or (not key.startswith((PREFIX, "aws:")) and key_hash(key) in recorded)

    return TagChanges(
        put={
            key: value
            for key, value in rendered.tags.items()
            if key not in OUR_OWN and tags.get(key) != value and not ignored(key)
        },
        remove=tuple(sorted(key for key in tags if key not in rendered.tags and was_ours(key) and not ignored(key))),
    )


def bookkeeping_differences(rendered: Rendered, live: LiveService) -> tuple[str, ...]:
    """Bookkeeping tags that are not as they should be after the workload was applied.

    The generation only counts on; of the history only its first entry says what is wanted now.
    """
    tags, wanted = live.tags, rendered.tags
    differing = {key for key in OUR_OWN - {GENERATION, HISTORY} if tags.get(key) != wanted.get(key)}
    if _first(tags, HISTORY) != _first(wanted, HISTORY):
        differing.add(HISTORY)
    return tuple(sorted(differing))


def _first(tags: Mapping[str, str], key: str) -> str | None:
    return next(iter(tags.get(key, "").split()), None)
