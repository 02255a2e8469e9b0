"""Files of a commit, read from git's objects: nothing is ever checked out, so no filter, hook or link does anything.

Names, kinds and sizes are known from the tree before a byte of content is read. Links and submodules are not followed.
Neighbours: `git` (which commit), `names` (which files are specs).
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from controller.core.diagnostics import Diagnostic, Severity
from controller.reasons import Reason
from controller.sources.git_process import Git
from controller.sources.git_words import BrokenCopyError
from controller.sources.names import is_spec, missing, problem, refusals, require_reasonable, too_large
from controller.sources.snapshot import LARGEST_FILE

_LINK: Final = "120000"
_SUBMODULE: Final = "160000"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree."""

    mode: str
    kind: str
    oid: str
    size: int
    """Bytes; 0 for what is no file."""


async def read_tree(git: Git, commit: str, folder: str, uri: str) -> tuple[dict[str, bytes], tuple[Diagnostic, ...]]:
    """The spec files of a folder (or the one file) of a commit, and what is wrong with the others.

    Raises:
        ControllerError: the folder is not there, or holds too much.
    """
    arguments = ("ls-tree", "-r", "-t", "-l", "-z", commit, *(("--", folder) if folder else ()))
    # Not on the event loop: the tree of a large repository takes a while to read.
    listed, refused = await asyncio.to_thread(_listed, await git.ask(*arguments), folder, uri)
    problems: list[Diagnostic] = []
    files: dict[str, Entry] = {}
    for name, entry in listed.items():
        match entry:
            case Entry(kind="tree"):
                pass
            case Entry() if name in refused:
                problems.append(problem(name, refused[name]))
            case Entry(mode=mode) if mode == _LINK:
                problems.append(problem(name, "is a symbolic link, which is not followed in a git source"))
            case Entry(mode=mode) if mode == _SUBMODULE:
                problems.append(problem(name, "is a submodule, which is not read", severity=Severity.WARNING))
            case Entry(size=size) if size > LARGEST_FILE:
                problems.append(too_large(name))
            case _:
                files[name] = entry
    require_reasonable(uri, (entry.size for entry in files.values()))
    return await _contents(git, files), tuple(problems)


def _listed(output: bytes, folder: str, uri: str) -> tuple[dict[str, Entry], dict[str, str]]:
    """Specs, and what cannot be one, by name; and why some names are refused."""
    listed = _below(folder, dict(_entries(output)), uri)
    return listed, refusals(name for name, entry in listed.items() if entry.kind != "tree")


def _below(folder: str, listed: Mapping[str, Entry], uri: str) -> dict[str, Entry]:
    """What of a listing is a spec or cannot be, by its name relative to the source."""
    if folder:
        root = listed.get(folder)
        match root:
            case None:
                raise missing(uri, "does not exist in this commit")
            case Entry(kind="blob", mode=mode) if mode != _LINK:
                return {folder.rpartition("/")[2]: root}
            case Entry(kind="tree"):
                pass
            case _:
                raise missing(uri, "is a symbolic link or a submodule, which is not followed")
    start = f"{folder}/" if folder else ""
    return {
        name.removeprefix(start): entry
        for name, entry in listed.items()
        if name.startswith(start) and (is_spec(name.removeprefix(start)) or entry.mode == _SUBMODULE)
    }


def _entries(output: bytes) -> Iterator[tuple[str, Entry]]:
    """Lines of `ls-tree -l -z`: mode, kind, oid and size, a tab, the name as bytes of whatever encoding."""
    for line in output.split(b"\0"):
        if line:
            facts, _, name = line.partition(b"\t")
            mode, kind, oid, size = facts.decode("ascii").split()
            yield name.decode(errors="surrogateescape"), Entry(mode, kind, oid, int(size) if size.isdigit() else 0)


async def _contents(git: Git, files: Mapping[str, Entry]) -> dict[str, bytes]:
    """Name → content, by one `cat-file --batch`.

    Raises:
        BrokenCopyError: the copy does not hold what its tree names.
    """
    if not files:
        return {}
    wanted = "".join(f"{one.oid}\n" for one in files.values()).encode()
    out = await git.ask("cat-file", "--batch", stdin=wanted)
    found: dict[str, bytes] = {}
    place = 0
    for name, entry in files.items():
        header = f"{entry.oid} blob {entry.size}\n".encode()
        start = place + len(header)
        place = start + entry.size + 1
        if out[start - len(header) : start] != header or out[place - 1 : place] != b"\n":
            message = f"git repository {git.url}: its copy here lacks {entry.oid}"
            raise BrokenCopyError(message, reason=Reason.SOURCE_UNREADABLE)
        found[name] = out[start : place - 1]
    return found
