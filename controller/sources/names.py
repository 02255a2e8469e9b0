"""Which names of a listing are specs, and which of those are refused.

S3 keys and paths of a git tree are any bytes that somebody could write. A name that climbs out of its folder, that a
terminal would obey or that another name equals for the eye is refused; each of these is a finding about that file
alone. Hidden files and folders are left out, as everywhere. Neighbours: `s3`, `git_tree`.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from controller.core.diagnostics import Code, Diagnostic, Severity, Span
from controller.core.quoting import escaped
from controller.errors import ControllerError, Stalled
from controller.reasons import Reason
from controller.sources.snapshot import LARGEST_FILE, SUFFIXES

LONGEST: Final = 1024
"""Bytes of a name. Source: S3, object keys."""
MOST_FILES: Final = 10_000
MOST_BYTES: Final = 64 * 1024 * 1024
"""Spec files of a source, and their bytes together. More is no source of specs but a wrong address."""


def is_spec(name: str) -> bool:
    """Whether a name is a spec's and not hidden."""
    hidden = any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))
    return name.endswith(SUFFIXES) and not hidden


def refusals(names: Iterable[str]) -> dict[str, str]:
    """Name → why it is not read, for those that are not."""
    found: dict[str, str] = {}
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        why = _refusal(name)
        if why is not None:
            found[name] = why
        else:
            alike[unicodedata.normalize("NFC", name)].append(name)
    for group in alike.values():
        if len(group) > 1:
            found |= dict.fromkeys(group, "is not read: another file has the same name in other code points")
    return found


def _refusal(name: str) -> str | None:
    if not name.isprintable():
        return "is not read: its name has characters that cannot be printed"
    if len(name.encode()) > LONGEST:
        return f"is not read: its name is longer than {LONGEST} bytes"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "is not read: its name has a part that is empty, `.` or `..`"
    return None


def problem(
    name: str, message: str, *, code: Code = Code.UNREADABLE_FILE, severity: Severity = Severity.ERROR
) -> Diagnostic:
    """A finding about a file as a whole."""
    return Diagnostic(code, message, Span(escaped(name), 1, 1), severity=severity)


def too_large(name: str) -> Diagnostic:
    """The finding about a file that is over the limit."""
    message = f"is larger than {LARGEST_FILE} bytes, the most that is read"
    return problem(name, message, code=Code.FILE_TOO_LARGE)


def require_reasonable(uri: str, sizes: Iterable[int]) -> None:
    """Refuse to read what is no source of specs.

    Raises:
        ControllerError: there are too many files, or too much in them.
    """
    known = tuple(sizes)
    if len(known) > MOST_FILES or sum(known) > MOST_BYTES:
        message = f"source {uri} holds {len(known)} spec files of {sum(known)} bytes"
        advice = f"at most {MOST_FILES} files and {MOST_BYTES} bytes are read; name a narrower folder or prefix"
        raise Stalled(message, reason=Reason.SOURCE_UNREADABLE, advice=advice)


def missing(uri: str, what: str) -> ControllerError:
    """The error about a source that is not there: never to be taken for one that is empty."""
    return ControllerError(f"source {uri} {what}", reason=Reason.SOURCE_UNREADABLE, advice="check -s / --source")
