"""Specs of a git repository at a ref, by the git program on a bare copy in a cache.

Each look asks the server what the ref names. What is new is fetched, then admitted, then read; only what was admitted
is ever believed, so a refusal leaves the last good revision standing:

- it is **signed** by somebody who is listed, where a file of allowed signers is given (SSH signatures of the commit or
  of the annotated tag; a tag counts only under its own name; commits before it are not looked at, as with Flux);
- it is **ahead** of what was admitted last: a branch that was rewound or rewritten is refused unless that is allowed,
  because whoever can push could otherwise bring back old specs. The last admitted commit is remembered beside the copy;
  where the cache is lost, the next revision is taken on trust.

The first fetch is one commit deep, later ones bring what came since. A copy that is broken or locked by a process that
was killed is made anew. Neighbours: `uri` (what may be named), `git_process` (how git is called), `git_cache` (where
copies lie), `git_tree` (files).
"""

import asyncio
import hashlib
import random
import re
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controller.errors import ControllerError, Stalled
from controller.reasons import Reason
from controller.sources.git_cache import COMMIT, alone, remember, remembered, require_private
from controller.sources.git_process import Git
from controller.sources.git_tree import read_tree
from controller.sources.git_words import BrokenCopyError
from controller.sources.names import missing
from controller.sources.polling import POLL, WakeUp, polled
from controller.sources.snapshot import Snapshot
from controller.sources.uri import GitLocation

_BRANCH: Final = re.compile(r"ref: refs/heads/[!-~]+")
"""How a server says which branch its HEAD is."""
_GOOD: Final = re.compile(r'^Good "git" signature for (?P<signer>.+) with \S+ key ', re.MULTILINE)
_ONLY_SSH: Final = (
    "gpg.program=false",  # the keys that happen to lie in a home directory vouch for nothing
    "gpg.x509.program=false",
    "gpg.ssh.program=ssh-keygen",
    "gpg.minTrustLevel=fully",
)


@dataclass(frozen=True, slots=True)
class Tip:
    """What a ref names on the server."""

    oid: str
    """A commit, or an annotated tag."""
    name: str = ""
    """The full ref, `refs/heads/main`; empty for a commit that is named by its id."""


@dataclass(slots=True)
class GitSource:
    """Specs of a repository.

    `cache` is a folder for copies, which is made if it is not there. `allowed_signers` is a file as ssh-keygen(1)
    describes it.
    """

    location: GitLocation
    cache: Path
    allowed_signers: Path | None = None
    allow_rewind: bool = False
    poll: float = POLL
    wake_up: WakeUp | None = None
    jitter: Callable[[], float] = random.random
    signer: str | None = None
    """Who signed the newest revision, where that is asked."""
    _git: Git = field(init=False)
    _taken: tuple[Tip, Snapshot] | None = None
    _refused: tuple[Tip, str] | None = None
    """The tip that was found to be rewound, and what was said of it: its history does not change."""

    def __post_init__(self) -> None:
        directory = self.cache / f"{_short(self.location.url)}.git"
        self._git = Git(directory, self.location.url, self.location.credentials)

    @property
    def uri(self) -> str:
        """See `Source`. Without a password."""
        return self.location.uri

    def changes(self) -> AsyncIterator[None]:
        """See `Source`."""
        return polled(self.poll, jitter=self.jitter, wake_up=self.wake_up)

    async def snapshot(self) -> Snapshot:
        """See `Source`. The revision is the commit, as Flux tells it: `main@sha1:…`.

        Raises:
            Transient: the repository could not be reached in time.
            Denied: it does not let us in.
            Stalled: the revision is refused, because of its signature or its history.
        """
        tip = await self._tip()
        if self._taken is not None and self._taken[0] == tip:
            return self._taken[1]
        if self._refused is not None and self._refused[0] == tip:
            raise _rewound(self._refused[1])
        try:
            await asyncio.to_thread(require_private, self.cache)
            async with alone(self._git.directory.with_suffix(".lock")):
                snapshot = await self._mended(tip)
        except OSError as error:
            message = f"the cache {self.cache} cannot be used: {error.strerror or error}"
            raise ControllerError(message, reason=Reason.NOT_CONFIGURED, advice="name another folder for it") from error
        self._taken = (tip, snapshot)
        return snapshot

    async def _mended(self, tip: Tip) -> Snapshot:
        """As `_admitted`; a copy that is broken or locked by the dead is made anew, once."""
        try:
            return await self._admitted(tip, fresh=False)
        except BrokenCopyError:
            if await asyncio.to_thread(self._git.directory.exists):
                await asyncio.to_thread(shutil.rmtree, self._git.directory)
            return await self._admitted(tip, fresh=True)

    async def _tip(self) -> Tip:
        """What the ref names on the server now; a commit id is asked of nobody."""
        ref = self.location.ref
        if ref is not None and COMMIT.fullmatch(ref):
            return Tip(ref)
        names = _names(ref)
        answer = (await self._git.call("ls-remote", "--symref", "--", self._git.url, *names)).decode(errors="replace")
        told = [line.split("\t", 1) for line in answer.splitlines() if "\t" in line]
        found = {name: oid for oid, name in told if name in names and COMMIT.fullmatch(oid)}
        if len(found) > 1:
            message = f"source {self.uri}: {ref} is a branch and a tag"
            advice = f"write refs/heads/{ref} or refs/tags/{ref}"
            raise Stalled(message, reason=Reason.SOURCE_UNREADABLE, advice=advice)
        if not found:
            raise missing(self.uri, f"has no branch, tag or full commit id {ref}" if ref else "has no commit yet")
        ((name, oid),) = found.items()
        default = [one.removeprefix("ref: ") for one, of in told if of == "HEAD" and _BRANCH.fullmatch(one)]
        return Tip(oid, default[0] if name == "HEAD" and default else name)

    async def _admitted(self, tip: Tip, *, fresh: bool) -> Snapshot:
        """Fetch a tip, judge it and read it."""
        last = await asyncio.to_thread(remembered, self._memory)
        commit = await self._fetched(tip, last)
        signer = await self._signer(tip, commit) if self.allowed_signers else None
        if not self.allow_rewind and tip.name and last is not None and not await self._descends(commit, last):
            message = f"source {self.uri} was rewound or rewritten: {commit} does not descend from {last}"
            if not fresh:
                # History that is cut off or damaged looks the same; only a whole and new copy is believed.
                raise BrokenCopyError(message, reason=Reason.SOURCE_REWOUND)
            self._refused = (tip, message)
            raise _rewound(message)
        files, problems = await read_tree(self._git, commit, self.location.folder, self.uri)
        await asyncio.to_thread(remember, self._memory, commit)
        self.signer = signer
        return Snapshot(self.uri, _revision(tip, commit), files, problems)

    @property
    def _seen(self) -> str:
        """Our name in the copy for what was fetched last; it keeps git from tidying that away."""
        return f"refs/controller/{_short(self.location.ref or '')}"

    @property
    def _memory(self) -> Path:
        """Where the commit that was admitted last is remembered, whatever becomes of the copy."""
        return self._git.directory.with_suffix(f".{_short(self.location.ref or '')}.admitted")

    async def _fetched(self, tip: Tip, last: str | None) -> str:
        """Bring a tip here and name its commit."""
        if not await asyncio.to_thread((self._git.directory / "HEAD").exists):
            form = "sha256" if len(tip.oid) == 64 else "sha1"
            await self._git.ask("init", "--bare", "--quiet", "--template=", f"--object-format={form}")
        known = await self._git.run("rev-parse", "--verify", "--quiet", self._seen)
        if known.out.decode().strip() != tip.oid:
            await self._fetch(tip, *(() if last and not self.allow_rewind else ("--depth=1",)))
        commit = (await self._git.ask("rev-parse", "--verify", f"{tip.oid}^{{}}")).decode().strip()
        kind = (await self._git.ask("cat-file", "-t", commit)).decode().strip()
        if kind != "commit":
            raise missing(self.uri, f"names {tip.oid}, which is no commit")
        return commit

    async def _fetch(self, tip: Tip, *how: str) -> None:
        what = ("--quiet", "--no-tags", "--no-write-fetch-head", "--update-shallow")
        await self._git.call("fetch", *what, *how, "--", self._git.url, f"+{tip.oid}:{self._seen}")

    async def _descends(self, commit: str, last: str) -> bool:
        """Whether a commit is the last one or has it among its ancestors, as far as the copy goes."""
        return commit == last or (await self._git.run("merge-base", "--is-ancestor", last, commit)).code == 0

    async def _signer(self, tip: Tip, commit: str) -> str:
        """Who signed the commit or the tag.

        Raises:
            Stalled: nobody that is listed has.
        """
        try:
            return await self._signature("commit", commit)
        except Stalled:
            if tip.oid == commit or not await self._is_named(tip):
                raise
            return await self._signature("tag", tip.oid)

    async def _signature(self, kind: str, oid: str) -> str:
        signers = self.allowed_signers
        assert signers is not None
        if not await asyncio.to_thread(signers.is_file):
            message = f"the file of allowed signers {signers} does not exist"
            raise ControllerError(message, reason=Reason.NOT_CONFIGURED, advice="check its path")
        config = (*_ONLY_SSH, f"gpg.ssh.allowedSignersFile={signers.absolute()}")
        said = await self._git.run(f"verify-{kind}", "--raw", oid, config=config)
        good = _GOOD.search(said.err)
        if said.code == 0 and good is not None:
            return good["signer"]
        match said.err:
            case err if not err or "no signature found" in err:
                why = "is not signed"
            case err if "No principal matched" in err:
                why = f"is signed by a key that is not in {signers.name}"
            case err:
                why = f"has a signature that does not hold ({' '.join(err.split())[:200]})"
        advice = "the last revision stands; only SSH signatures of allowed signers are taken"
        raise Stalled(f"source {self.uri}: {kind} {oid} {why}", reason=Reason.SOURCE_UNVERIFIED, advice=advice)

    async def _is_named(self, tip: Tip) -> bool:
        """Whether the tag object says the name under which it is served: a signed tag of another name proves
        nothing."""
        header = (await self._git.ask("cat-file", "tag", tip.oid)).partition(b"\n\n")[0]
        return f"tag {tip.name.removeprefix('refs/tags/')}".encode() in header.split(b"\n")


def _rewound(message: str) -> Stalled:
    advice = "the last revision stands; bring the branch forward again, or allow rewinding"
    return Stalled(message, reason=Reason.SOURCE_REWOUND, advice=advice)


def _names(ref: str | None) -> tuple[str, ...]:
    """Full refs that a ref may mean."""
    if ref is None:
        return ("HEAD",)
    return (ref,) if ref.startswith("refs/") else (f"refs/heads/{ref}", f"refs/tags/{ref}")


def _revision(tip: Tip, commit: str) -> str:
    name = re.sub(r"^refs/(?:heads|tags)/", "", tip.name)
    form = "sha256" if len(commit) == 64 else "sha1"
    return f"{name}@{form}:{commit}" if name else f"{form}:{commit}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
