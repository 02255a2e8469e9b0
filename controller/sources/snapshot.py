"""What a source answers: the files of one revision.

Neighbours: `files` (and later S3 and git) make them, `controller.app` hands them to the core.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from controller.core.diagnostics import Diagnostic
from controller.core.objects import StoredObject

SUFFIXES: Final = (".yaml", ".yml")
"""Files of a folder that are specs. A file that is named itself may be called anything."""

LARGEST_FILE: Final = 1024 * 1024
"""Bytes of a spec file. What is larger is not read at all."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision of a source, whole."""

    uri: str
    revision: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Path relative to the source → content."""
    problems: tuple[Diagnostic, ...] = ()
    """Files that could not be read, one finding each. They make the revision incomplete, but no other file invalid."""
    objects: Mapping[str, StoredObject] = field(default_factory=dict)
    """Of a bucket: path → the object that was read, by which the revision can be read again."""


class Source(Protocol):
    """Where specs come from."""

    @property
    def uri(self) -> str:
        """The source as the user named it."""
        ...

    async def snapshot(self) -> Snapshot:
        """The current revision.

        Raises:
            ControllerError: the source cannot be read; what it said before still holds.
        """
        ...

    def changes(self) -> AsyncIterator[None]:
        """Yields at once and then whenever the source may have changed; a poll is the floor.

        Whoever reads a snapshot after each misses nothing: watching has begun before the first one.
        """
        ...


def content_revision(files: Mapping[str, bytes]) -> str:
    """A name for the content: equal files, equal name."""
    total = hashlib.sha256()
    for path, content in sorted(files.items()):
        total.update(f"{path}\0{len(content)}\0".encode())
        total.update(content)
    return f"sha256:{total.hexdigest()[:16]}"
