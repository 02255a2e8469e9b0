"""A file or a folder of spec files.

Symlinks may point around inside the folder (as Kubernetes mounts do) but not out of it; special files and files over
the limit are refused; each of these is a finding about that file alone. Hidden files and folders are left out. What is
read is one state: a folder that changes while it is read is read again, because half of a commit looks like deletions.

The daemon follows changes by the operating system's notifications and polls as a floor, because network file systems
send none. A folder that is swapped as a whole (a symlink that points elsewhere, a folder made anew) takes its watch
with it, so what the path leads to is looked at twice a second too. Neighbours: `snapshot` (what is answered).
"""

import asyncio
import os
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from watchfiles import Change, awatch

from controller.core.diagnostics import Code, Diagnostic, Span
from controller.errors import ControllerError, Transient
from controller.reasons import Reason
from controller.sources.snapshot import LARGEST_FILE, SUFFIXES, Snapshot, content_revision

POLL: Final = 10.0
"""Seconds after which a folder is looked at even if nothing was notified."""
LOOK_MS: Final = 500
"""Milliseconds between two looks at what the path leads to."""
QUIET_MS: Final = 50
GATHER_MS: Final = 400
"""Milliseconds of quiet after which changes are told, and the most for which they are gathered: an editor writes a file
in several steps, and a checkout writes many."""
READINGS: Final = 4
"""How often a folder that changes under the reader is read before that is an error."""
PAUSE: Final = 0.1
"""Seconds between two of them, in the thread that reads."""

_Signature: TypeAlias = tuple[int, ...]


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
        clock = asyncio.get_running_loop().time
        while True:
            place = _place(self.path)
            async with aclosing(self._looks()) as looks:
                look = asyncio.ensure_future(anext(looks))
                try:
                    await asyncio.sleep(0)  # lets the watch begin before the caller reads
                    yield
                    told = clock()
                    while True:
                        changes = await look
                        if (Change.deleted, str(self.path)) in changes or _place(self.path) != place:
                            break
                        look = asyncio.ensure_future(anext(looks))
                        if _of_interest(changes, self.uri) or clock() - told >= self.poll:
                            yield
                            told = clock()
                finally:
                    look.cancel()
                    await asyncio.wait([look])

    async def _looks(self) -> AsyncGenerator[Iterable[tuple[Change, str]], None]:
        """What was notified, at once where there is something, and nothing every LOOK_MS milliseconds otherwise."""
        folder = self.path.is_dir()
        try:
            async with aclosing(
                awatch(
                    *([self.path] if folder else _folders_of(self.path)),
                    watch_filter=None,
                    debounce=GATHER_MS,
                    step=QUIET_MS,
                    rust_timeout=LOOK_MS,
                    yield_on_timeout=True,
                    recursive=folder,
                )
            ) as watch:
                async for changes in watch:
                    yield changes
        except FileNotFoundError:
            while True:
                await asyncio.sleep(LOOK_MS / 1000)
                yield ()

    def _snapshot(self) -> Snapshot:
        for reading in range(READINGS):
            if reading:
                time.sleep(PAUSE)
            listing = self._listing()
            files, problems = _read_all(listing)
            if self._listing() == listing:
                return Snapshot(self.uri, content_revision(files), files, problems)
        message = f"source {self.uri} changes all the time while it is read"
        raise Transient(message, reason=Reason.SOURCE_UNREADABLE, advice="write it elsewhere and move it into place")

    def _listing(self) -> "_Listing":
        """The spec files that are there now.

        Raises:
            ControllerError: the path does not exist or a folder cannot be listed.
        """
        try:
            root = Path(os.path.realpath(self.path))
            if self.path.is_dir():
                listing = _Listing(root)
                listing.add_folder(self.path, "", above=frozenset({root}))
                return listing
            if not os.path.lexists(self.path):
                message = f"source {self.uri} does not exist"
                raise ControllerError(message, reason=Reason.SOURCE_UNREADABLE, advice="check -s / --source")
            listing = _Listing(root.parent)
            listing.add_file(self.path, self.path.name)
        except OSError as error:
            message = f"source {self.uri} cannot be listed: {error.strerror or error}"
            raise ControllerError(message, reason=Reason.SOURCE_UNREADABLE) from error
        return listing


@dataclass(slots=True)
class _Listing:
    """Spec files by their names relative to the source, with what tells one state of them from another."""

    root: Path
    files: dict[str, tuple[Path, _Signature]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Name → why it is not even opened."""

    def add_folder(self, folder: Path, prefix: str, *, above: frozenset[Path]) -> None:
        """List a folder and those in it. `above` are the real paths of the folders on the way to it."""
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            if entry.name.startswith("."):
                continue
            name, path = f"{prefix}{entry.name}", Path(entry.path)
            if _is_folder(entry):
                self._add_inner(path, name, above=above, link=entry.is_symlink())
            elif entry.name.endswith(SUFFIXES):
                self.add_file(path, name)
            elif entry.is_symlink() and not path.suffix and not path.exists():
                self.refused[_shown(name)] = "is a symbolic link to nothing"

    def add_file(self, path: Path, name: str) -> None:
        """List one file."""
        if _shown(name) != name:
            self.refused[_shown(name)] = "has a name that is not UTF-8"
        else:
            self.files[name] = (path, _signature(path))

    def _add_inner(self, path: Path, name: str, *, above: frozenset[Path], link: bool) -> None:
        real = Path(os.path.realpath(path))
        if not link:
            self.add_folder(path, f"{name}/", above=above | {real})
        elif not real.is_relative_to(self.root):
            self.refused[_shown(name)] = "is a symbolic link out of the source, which is not followed"
        elif real in above:
            self.refused[_shown(name)] = "is a symbolic link to a folder that it is in"
        else:
            self.add_folder(path, f"{name}/", above=above | {real})


class _RefusedError(Exception):
    """A file that is not read on purpose."""

    def __init__(self, message: str, code: Code = Code.UNREADABLE_FILE) -> None:
        super().__init__(message)
        self.code = code


def _read_all(listing: _Listing) -> tuple[dict[str, bytes], tuple[Diagnostic, ...]]:
    """The contents of the listed files, and a finding for each that has none."""
    files: dict[str, bytes] = {}
    problems = {name: (Code.UNREADABLE_FILE, why) for name, why in listing.refused.items()}
    for name, (path, _) in listing.files.items():
        try:
            files[name] = _read(path, listing.root)
        except _RefusedError as refused:
            problems[name] = (refused.code, str(refused))
        except OSError as error:
            problems[name] = (Code.UNREADABLE_FILE, f"cannot be read: {error.strerror or error}")
    return files, tuple(Diagnostic(code, why, Span(name, 1, 1)) for name, (code, why) in sorted(problems.items()))


def _read(path: Path, root: Path) -> bytes:
    """The content of a regular file inside the root, at most the limit."""
    resolved = Path(os.path.realpath(path, strict=True))
    if not resolved.is_relative_to(root):
        raise _RefusedError("is a symbolic link out of the source, which is not followed")
    descriptor = os.open(resolved, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _RefusedError("is no regular file")
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        message = f"is larger than {LARGEST_FILE} bytes, the most that is read"
        raise _RefusedError(message, Code.FILE_TOO_LARGE)
    return content


def _folders_of(file: Path) -> list[Path]:
    """Where a change of a file shows: its folder, and that of the file which it may be a link to."""
    return sorted({file.parent, Path(os.path.realpath(file)).parent})


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a symlink that leads round in a circle: reading it says so


def _signature(path: Path) -> _Signature:
    """What changes whenever a file is written or replaced, also behind symlinks."""
    try:
        found = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _place(path: Path) -> _Signature | None:
    """Which file or folder the path leads to; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _of_interest(changes: Iterable[tuple[Change, str]], root: str) -> bool:
    """Whether some change is not one inside of git's own folder, which a fetch alone fills."""
    return any(f"{os.sep}.git{os.sep}" not in f"{path[len(root) :]}{os.sep}" for _, path in changes)


def _shown(name: str) -> str:
    """The name as it may be printed: file names are bytes, and not all of them are text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
