"""Where the controller keeps what it may lose: copies of repositories and history, below the user's own folders.

Neighbours: `compose` opens what is named here.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_NAME: Final = "ecs-gaudi-controller"


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder for copies that can be made anew. Source: XDG Base Directory Specification."""
    return _below(environment, "XDG_CACHE_HOME", ".cache")


def state(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder for history."""
    return _below(environment, "XDG_STATE_HOME", ".local/state")


def _below(environment: Mapping[str, str], variable: str, otherwise: str) -> Path:
    """A relative path in the variable counts as none, as the specification wants it."""
    named = Path(environment.get(variable, ""))
    home = Path(environment["HOME"]) if environment.get("HOME") else Path("/tmp")  # noqa: S108 - a container without HOME
    return (named if named.is_absolute() else home / otherwise) / _NAME
