"""The folder in which copies of repositories lie, and what is remembered beside them.

The folder belongs to one user and nobody else can write there: git trusts what lies in a repository that it is given.
A copy is used by one process at a time. Which commit was admitted last is a file of its own, so that it outlives the
copy. Neighbours: `git`.
"""

import asyncio
import fcntl
import os
import re
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from controller.errors import ControllerError, Transient
from controller.reasons import Reason

COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""A full commit id, by SHA-1 or SHA-256."""
LOCK_PATIENCE: Final = 60.0
"""Seconds to wait for another process that uses the same copy."""


def remembered(path: Path) -> str | None:
    """The commit that was admitted last, if one was."""
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    return text if COMMIT.fullmatch(text) else None


def remember(path: Path, commit: str) -> None:
    """Remember the commit that was admitted; whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(f"{commit}\n", encoding="ascii")
    draft.replace(path)


def require_private(cache: Path) -> None:
    """Make the folder for copies; a copy that somebody else may write is no copy.

    Raises:
        OSError: it cannot be made.
        ControllerError: others may write there.
    """
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = cache.stat()
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        message = f"others may write to the cache {cache}"
        raise ControllerError(message, reason=Reason.NOT_CONFIGURED, advice="name a folder of your own (mode 0700)")


@asynccontextmanager
async def alone(path: Path) -> AsyncIterator[None]:
    """Hold a lock file against other processes; the system lets go of it when this one dies.

    Raises:
        Transient: somebody else has held it for too long.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = asyncio.get_running_loop().time() + LOCK_PATIENCE
        while not _locked(descriptor):
            if asyncio.get_running_loop().time() >= deadline:
                raise Transient(f"another process holds {path}", reason=Reason.SOURCE_UNREADABLE)
            await asyncio.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
