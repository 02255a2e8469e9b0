"""Reading spec files for the offline verbs: no credentials, no network, no AWS client."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from controller.core.desired import Desired, desire
from controller.core.diagnostics import Diagnostic
from controller.core.render import Settings
from controller.sources.files import FilesSource


@dataclass(frozen=True, slots=True)
class Specs:
    """Files by the names under which the user can open them, and what they ask for."""

    files: dict[str, bytes]
    desired: Desired


def read(paths: Iterable[Path], settings: Settings) -> Specs:
    """Everything below the paths, as one set of specs."""
    files: dict[str, bytes] = {}
    problems: list[Diagnostic] = []
    for path in paths:
        found = asyncio.run(FilesSource(path).snapshot())
        folder = path if path.is_dir() else path.parent
        names = {name: (folder / name).as_posix() for name in found.files}
        files |= {names[name]: content for name, content in found.files.items()}
        problems.extend(
            replace(one, at=replace(one.at, file=(folder / one.at.file).as_posix())) for one in found.problems
        )
    return Specs(files, desire(files, settings, problems))
