"""What git's words mean when it fails over the network: the one table for that.

git tells programs only that it failed; why is in its English, which has been stable for years and which `LC_ALL=C`
asks for. What no row names may pass by itself. Neighbours: `git_process`.
"""

import re
from collections.abc import Callable
from typing import Final

from controller.errors import ControllerError, Denied, Transient
from controller.reasons import Reason


class BrokenCopyError(Transient):
    """What is here cannot be what git left here, or is held by a process that is dead: it is to be made anew."""


def gist(said: str) -> str:
    """The lines of git's words that say what is wrong, on one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ERROR:"))] or lines
    return " ".join(telling)[:400].strip()


_Make = Callable[[str], ControllerError]


def _transient(message: str) -> ControllerError:
    return Transient(message, reason=Reason.SOURCE_UNREADABLE)


def _broken(message: str) -> ControllerError:
    return BrokenCopyError(message, reason=Reason.SOURCE_UNREADABLE)


def _denied(message: str) -> ControllerError:
    advice = "check the credentials of the source: a token for https, a key and known_hosts for ssh"
    return Denied(message, reason=Reason.ACCESS_DENIED, advice=advice)


def _advised(advice: str) -> _Make:
    return lambda message: ControllerError(message, reason=Reason.SOURCE_UNREADABLE, advice=advice)


TABLE: Final[tuple[tuple[re.Pattern[str], _Make], ...]] = (
    (
        re.compile(
            r"Authentication failed|could not read (?:Username|Password)|Permission denied \("
            r"|Host key verification failed|HTTP Basic: Access denied|returned error: 40[13]"
        ),
        _denied,
    ),
    (
        re.compile(r"dubious ownership"),
        _advised("git reads a local repository only for its owner; run the controller as that user"),
    ),
    (
        re.compile(r"not our ref|unadvertised object"),
        _advised("the server does not give that commit out: it is gone, or only branches and tags can be named"),
    ),
    (
        re.compile(r"does not appear to be a git repository|[Rr]epository .*not found|returned error: 404"),
        _advised("check the address of the repository, and that the credentials may read it"),
    ),
    (
        re.compile(
            r"\.lock': File exists|not a git repository|object file|loose object|bad object|corrupt|unable to read"
            r"|not a valid object|missing (?:blob|tree|commit|object)|shallow file has changed"
        ),
        _broken,
    ),
)
"""What git's words mean. Everything else may pass: a network, a server, a disk."""


def meaning(said: str, message: str) -> ControllerError:
    """What it means that git failed with these words."""
    makes = [make for pattern, make in TABLE if pattern.search(said)]
    return (makes[0] if makes else _transient)(message)
