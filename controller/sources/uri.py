"""What `-s` may name: a path, an S3 prefix, or a folder of a git repository.

    specs/                                  a file or a folder
    s3://bucket/prefix                      objects below the prefix; or one object, where it ends in .yaml or .yml
    git+https://host/repo.git@ref//folder   also git+ssh and git+file; without @ref the default branch

The grammar of the git form is pip's (`@ref`) with Terraform's `//folder`; an `@` in the path is written %40. What could
be taken for an option, a command or another protocol is refused here, before any program sees it; a password is taken
out of the address at once and is in no text that this module makes. Neighbours: `files`, `s3` and `git` read what is
named.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote

from controller.core.quoting import quote
from controller.errors import Usage
from controller.sources.snapshot import SUFFIXES

PROTOCOLS: Final = ("https", "ssh", "file")
"""How git may reach a repository. Plain http and git:// can be changed on their way."""

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NO_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$|^[-./]")
"""What no name of a branch or tag holds. Source: git-check-ref-format(1); a leading `-` would be an option."""


@dataclass(frozen=True, slots=True)
class S3Location:
    """Objects of a bucket. The prefix is a folder and ends with `/`, unless it is empty or names one object."""

    bucket: str
    prefix: str = ""

    @property
    def is_object(self) -> bool:
        """Whether one object is named, not a folder."""
        return self.prefix.endswith(SUFFIXES)

    @property
    def uri(self) -> str:
        """The location as it is told."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


@dataclass(frozen=True, slots=True)
class GitLocation:
    """A folder, or a file, of a repository at a ref."""

    protocol: str
    address: str
    """What git is called with, after `protocol://`. Without a password."""
    ref: str | None = None
    """A branch, a tag, a full ref (`refs/…`) or a full commit id. None is the default branch."""
    folder: str = ""
    """Relative to the repository's root, without slashes at its ends."""
    credentials: str | None = field(default=None, repr=False)
    """`user:password` for https."""

    @property
    def url(self) -> str:
        """The repository as git names it, without a password."""
        return f"{self.protocol}://{self.address}"

    @property
    def uri(self) -> str:
        """The location as it is told, without a password."""
        ref = f"@{self.ref}" if self.ref else ""
        folder = f"//{self.folder}" if self.folder else ""
        return f"git+{self.url}{ref}{folder}"


Location: TypeAlias = Path | S3Location | GitLocation


def locate(text: str) -> Location:
    """What a `SOURCE` names.

    Raises:
        Usage: it names nothing that could be read. The message holds no password.
    """
    if text.startswith("git+"):
        return _git(text)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Path(text)
    if scheme == "s3":
        return _s3(text, rest)
    advice = "git repositories begin with git+https://, git+ssh:// or git+file://; a folder is named by its path"
    raise Usage(f"source {quote(text)} is of no kind that can be read", advice=advice)


def _s3(text: str, rest: str) -> S3Location:
    bucket, _, prefix = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise Usage(f"source {quote(text)}: {quote(bucket)} is no name of a bucket", advice="s3://bucket/prefix")
    prefix = prefix.rstrip("/")
    if not prefix:
        return S3Location(bucket)
    if not prefix.isprintable() or any(part in ("", ".", "..") for part in prefix.split("/")):
        raise Usage(f"source {quote(text)}: the prefix has a part that is empty, `.`, `..` or not printable")
    return S3Location(bucket, prefix if prefix.endswith(SUFFIXES) else f"{prefix}/")


def _git(text: str) -> GitLocation:
    protocol, separator, rest = text.removeprefix("git+").partition("://")
    if not separator or protocol not in PROTOCOLS:
        advice = "write git+https://…, git+ssh://… or git+file://…"
        raise Usage(f"a git source is reached by {', '.join(PROTOCOLS)} only", advice=advice)
    authority, slash, path = rest.partition("/")
    userinfo, at, host = authority.rpartition("@")
    shown = f"git+{protocol}://{host}/{path}"
    if protocol == "file":
        if at or host not in ("", "localhost"):
            raise Usage("a git source in a file is on no other host", advice="write git+file:///path/of/repository")
    elif not _HOST.fullmatch(host):
        # What was meant is not known, so nothing of it is repeated: it may be a password with a slash in it.
        advice = "write git+ssh://git@host/path: after `host:` comes a port; in a password `/` is %2F and `@` is %40"
        raise Usage(f"a git source begins with git+{protocol}://host/, and this one names no host", advice=advice)
    if not slash or path[:1] in ("", "/") or not path.isprintable() or set(path) & set("?# \\"):
        advice = "write git+https://host/repository.git@ref//folder"
        raise Usage(f"source {quote(shown)} names no repository", advice=advice)
    user, credentials = _identity(userinfo, protocol=protocol, shown=shown) if at else ("", None)
    where, _, folder = path.partition("//")
    repository, has_ref, ref = where.partition("@")
    if has_ref and (ref in ("", "@") or _NO_REF.search(ref)):
        raise Usage(f"source {quote(shown)}: {quote(ref)} is no name of a branch, tag or commit")
    if not repository.strip("/"):
        raise Usage(f"source {quote(shown)} names no repository")
    folder = folder.strip("/")
    if folder and any(part in ("", ".", "..") for part in folder.split("/")):
        raise Usage(f"source {quote(shown)}: the folder has a part that is empty, `.` or `..`")
    return GitLocation(protocol, f"{user}{host}/{repository}", ref or None, folder, credentials)


def _identity(userinfo: str, *, protocol: str, shown: str) -> tuple[str, str | None]:
    """Who asks: what stays in the address, and what git is given apart from it."""
    if protocol == "https":
        user, _, password = userinfo.partition(":")
        return "", f"{unquote(user)}:{unquote(password)}"
    if not _USER.fullmatch(userinfo):
        raise Usage(f"source {quote(shown)}: ssh takes a user name and no password here", advice="use an ssh key")
    return f"{userinfo}@", None
