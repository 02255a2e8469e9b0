"""Reading spec files for the offline verbs: no credentials, no network, no AWS client."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from controller.cli import output
from controller.core.desired import Desired, desire
from controller.core.diagnostics import Diagnostic
from controller.core.jobs.request import RenderedJob
from controller.core.render import Rendered, Settings
from controller.core.workload import Key
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.sources.files import FilesSource
from controller.sources.snapshot import SUFFIXES


@dataclass(frozen=True, slots=True)
class Specs:
    """Files by the names under which the user can open them, and what they ask for."""

    files: Mapping[str, bytes]
    in_source: Mapping[str, str]
    """Name of a file → its name within the path that was given, as a source would call it."""
    desired: Desired

    def as_sent(self, settings: Settings) -> Mapping[Key, Rendered | RenderedJob]:
        """The valid workloads as the controller sends them with the path as its source: a tag names the file."""
        found = desire({self.in_source[name]: content for name, content in self.files.items()}, settings)
        return found.workloads


def read(paths: Iterable[Path], settings: Settings) -> Specs:
    """Everything below the paths, as one set of specs.

    Raises:
        ControllerError: a path does not exist or cannot be read.
    """
    files: dict[str, bytes] = {}
    in_source: dict[str, str] = {}
    problems: list[Diagnostic] = []
    seen: set[Path] = set()
    taken: set[str] = set()
    for path in paths:
        if not path.exists() and not path.is_symlink():
            advice = "name spec files or folders with spec files"
            raise ControllerError(f"{path} does not exist", reason=Reason.SOURCE_UNREADABLE, advice=advice)
        found = asyncio.run(FilesSource(path).snapshot())
        if not found.files and not found.problems:
            output.note(f"note: {path} holds no {' or '.join(SUFFIXES)} files")
        folder = path if path.is_dir() else path.parent
        for name, content in found.files.items():
            place, shown = folder.resolve() / name, (folder / name).as_posix()
            if place not in seen:
                seen.add(place)
                files[shown] = content
                in_source[shown] = name if name not in taken else shown
                taken.add(in_source[shown])
        problems.extend(
            replace(one, at=replace(one.at, file=(folder / one.at.file).as_posix())) for one in found.problems
        )
    return Specs(files, in_source, desire(files, settings, problems))
