"""A file or a folder of spec files.

Symlinks may point around inside the folder (as Kubernetes mounts do) but not out of it; special files and files over
the limit are refused; each of these is a finding about that file alone. Hidden files and folders are left out. The
daemon follows changes by the operating system's notifications and polls as a floor, because network file systems send
none. Neighbours: `snapshot` (what is answered).
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watchfiles import awatch

from controller.core.diagnostics import Code, Diagnostic, Span
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.sources.snapshot import LARGEST_FILE, SUFFIXES, Snapshot, content_revision

POLL: Final = 10.0
"""Seconds after which a folder is looked at even if nothing was notified."""
SETTLE_MS: Final = 50
"""Milliseconds for which changes are gathered: an editor writes a file in several steps."""


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Specs below a path."""

    path: Path
    poll: float = POLL

    @property
    def uri(self) -> str:
        """The path as the user wrote it."""
        return str(self.path)

    async def snapshot(self) -> Snapshot:
        """See `Source`."""
        return await asyncio.to_thread(self._snapshot)

    async def changes(self) -> AsyncIterator[None]:
        """See `Source`."""
        folder = self.path if self.path.is_dir() else self.path.parent
        timeout = int(self.poll * 1000)
        watching = awatch(folder, debounce=SETTLE_MS, step=SETTLE_MS, rust_timeout=timeout, yield_on_timeout=True)
        async with aclosing(watching) as watch:
            change = asyncio.ensure_future(anext(watch))
            try:
                await asyncio.sleep(0)  # lets the watch begin before the caller reads for the first time
                yield
                while True:
                    await change
                    yield
                    change = asyncio.ensure_future(anext(watch))
            finally:
                change.cancel()
                await asyncio.wait([change])

    def _snapshot(self) -> Snapshot:
        files: dict[str, bytes] = {}
        problems: list[Diagnostic] = []
        for name, path in self._listed():
            try:
                files[name] = _read(path, self._root())
            except _RefusedError as refused:
                problems.append(Diagnostic(refused.code, str(refused), Span(name, 1, 1)))
            except OSError as error:
                message = f"cannot be read: {error.strerror or error}"
                problems.append(Diagnostic(Code.UNREADABLE_FILE, message, Span(name, 1, 1)))
        return Snapshot(self.uri, content_revision(files), files, tuple(problems))

    def _root(self) -> Path:
        return self.path.resolve() if self.path.is_dir() else self.path.resolve().parent

    def _listed(self) -> Iterator[tuple[str, Path]]:
        """Spec files with their names relative to the source, in order.

        Raises:
            ControllerError: the path does not exist or the folder cannot be listed.
        """
        if not self.path.is_dir():
            if not self.path.exists() and not self.path.is_symlink():
                message = f"source {self.uri} does not exist"
                raise ControllerError(message, reason=Reason.SOURCE_UNREADABLE, advice="check -s / --source")
            yield self.path.name, self.path
            return
        found: list[tuple[str, Path]] = []
        try:
            for folder, folders, names in os.walk(self.path, onerror=_raise, followlinks=False):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                here = Path(folder)
                found.extend(
                    ((here / name).relative_to(self.path).as_posix(), here / name)
                    for name in names
                    if name.endswith(SUFFIXES) and not name.startswith(".")
                )
        except OSError as error:
            message = f"source {self.uri} cannot be listed: {error.strerror or error}"
            raise ControllerError(message, reason=Reason.SOURCE_UNREADABLE) from error
        yield from sorted(found)


class _RefusedError(Exception):
    """A file that is not read on purpose."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def _read(path: Path, root: Path) -> bytes:
    """The content of a regular file inside the root, at most the limit."""
    resolved = path.resolve(strict=True)
    if not resolved.is_relative_to(root):
        raise _RefusedError(Code.UNREADABLE_FILE, "is a symbolic link out of the source, which is not followed")
    descriptor = os.open(resolved, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _RefusedError(Code.UNREADABLE_FILE, "is no regular file")
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise _RefusedError(Code.FILE_TOO_LARGE, f"is larger than {LARGEST_FILE} bytes, the most that is read")
    return content


def _raise(error: OSError) -> None:
    raise error
