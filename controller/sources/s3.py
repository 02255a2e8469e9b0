"""Specs below an S3 prefix.

A revision is a listing: names and ETags. A listing of several pages is no moment in time (an object that is renamed
between two pages is on neither, and would look like a deletion), so a changed one is believed when it comes out equal
twice in a row. Objects are then read as they were listed: by version where the bucket keeps versions, else only while
their ETag is the same; one that has changed meanwhile has the whole taken again. What is not understood whole is an
error, never a smaller revision. Content is kept by ETag: a listing that has not changed costs no read.

Sizes are known before anything is read. An object that we may not read (its key of KMS, an archive) is a finding about
that file; when none can be read it is an error. Neighbours: `names` (which keys are specs), `polling`, `aws.objects`
(the real `Objects`).
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from controller.core.diagnostics import Diagnostic
from controller.core.objects import StoredObject
from controller.errors import ControllerError, Denied, Stalled, Transient
from controller.reasons import Reason
from controller.sources.names import is_spec, missing, problem, refusals, require_reasonable, too_large
from controller.sources.polling import POLL, WakeUp, polled
from controller.sources.snapshot import LARGEST_FILE, Snapshot
from controller.sources.uri import S3Location

ROUNDS: Final = 4
"""Listings after the first one, until it is given up that two in a row come out equal."""
READS_AT_ONCE: Final = 16

Listing: TypeAlias = Mapping[str, StoredObject]
"""Spec files: name relative to the source → object."""


class Objects(Protocol):
    """A bucket. Both methods raise members of `controller.errors`' tree."""

    async def listing(self, prefix: str, *, versions: bool = False) -> tuple[StoredObject, ...]:
        """All objects whose keys begin with the prefix, whole; with their versions where that is possible."""
        ...

    async def read(self, listed: StoredObject) -> bytes | None:
        """The content of an object as it was listed; None if that is gone."""
        ...


@dataclass(frozen=True, slots=True)
class _Taken:
    """The newest snapshot, and the listing that it is of."""

    state: frozenset[tuple[str, str]]
    snapshot: Snapshot
    whole: bool
    """Whether every object could be read. If not, it is tried again although the listing is the same."""


@dataclass(slots=True)
class S3Source:
    """Specs below a prefix, or one object."""

    location: S3Location
    objects: Objects
    poll: float = POLL
    wake_up: WakeUp | None = None
    jitter: Callable[[], float] = random.random
    _taken: _Taken | None = None
    _contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """(name, ETag) → content."""

    @property
    def uri(self) -> str:
        """See `Source`."""
        return self.location.uri

    def changes(self) -> AsyncIterator[None]:
        """See `Source`."""
        return polled(self.poll, jitter=self.jitter, wake_up=self.wake_up)

    async def snapshot(self) -> Snapshot:
        """See `Source`.

        Raises:
            Transient: S3 did not answer, or the objects changed faster than they could be read.
            ControllerError: the prefix is empty, too large, or may not be read.
        """
        listed = await self._listing()
        if self._taken is not None and self._taken.whole and self._taken.state == _state(listed):
            return self._taken.snapshot
        for _ in range(ROUNDS):
            again = await self._listing(versions=True)
            if _state(again) == _state(listed):
                require_reasonable(self.uri, (one.size for one in again.values() if one.size <= LARGEST_FILE))
                found = await self._take(again)
                if found is not None:
                    self._taken = found
                    return found.snapshot
            listed = again
        message = f"source {self.uri} changed each of the {ROUNDS} times that it was read"
        raise Transient(message, reason=Reason.SOURCE_UNREADABLE, advice="it is read again later")

    async def _listing(self, *, versions: bool = False) -> Listing:
        prefix = self.location.prefix
        found = await self.objects.listing(prefix, versions=versions)
        if self.location.is_object:
            exact = {prefix.rpartition("/")[2]: one for one in found if one.key == prefix}
            if not exact:
                raise missing(self.uri, "does not exist")
            return exact
        if not found:
            raise missing(self.uri, "does not exist: no object's key begins with it")
        specs = {one.key.removeprefix(prefix): one for one in found}
        return {name: one for name, one in specs.items() if is_spec(name)}

    async def _take(self, listed: Listing) -> _Taken | None:
        """The revision that a listing names; None if some object of it is gone by now."""
        refused = {name: problem(name, why) for name, why in refusals(listed).items()}
        refused |= {
            name: too_large(name) for name, one in listed.items() if one.size > LARGEST_FILE and name not in refused
        }
        read = await self._read({name: one for name, one in listed.items() if name not in refused})
        if any(content is None for content in read.values()):
            return None
        files = {name: content for name, content in read.items() if isinstance(content, bytes)}
        unreadable = {name: error for name, error in read.items() if isinstance(error, ControllerError)}
        if unreadable and not files:
            raise next(iter(unreadable.values()))
        self._contents = {(name, listed[name].etag): content for name, content in files.items()}
        problems: list[Diagnostic] = list(refused.values())
        problems.extend(problem(name, f"cannot be read: {error.message}") for name, error in unreadable.items())
        objects = {name: listed[name] for name in files}
        snapshot = Snapshot(self.uri, _revision(listed, unreadable.keys()), files, tuple(problems), objects)
        return _Taken(_state(listed), snapshot, whole=not unreadable)

    async def _read(self, listed: Listing) -> dict[str, bytes | ControllerError | None]:
        """Name → content, or why it may not be read, or None where the listed object is gone."""
        slots = asyncio.Semaphore(READS_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {name: group.create_task(self._content(name, one, slots)) for name, one in listed.items()}
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return {name: task.result() for name, task in tasks.items()}

    async def _content(
        self, name: str, listed: StoredObject, slots: asyncio.Semaphore
    ) -> bytes | ControllerError | None:
        known = self._contents.get((name, listed.etag))
        if known is not None:
            return known
        async with slots:
            try:
                content = await self.objects.read(listed)
            except (Denied, Stalled) as error:
                if error.reason is Reason.NO_CREDENTIALS:
                    raise
                return error
        if content is not None:
            self._contents[name, listed.etag] = content
        return content


def _state(listed: Listing) -> frozenset[tuple[str, str]]:
    return frozenset((name, one.etag) for name, one in listed.items())


def _revision(listed: Listing, unreadable: Collection[str]) -> str:
    """A name for what was read: equal names and ETags, equal revision."""
    total = hashlib.sha256()
    for name, one in sorted(listed.items()):
        etag = "unreadable" if name in unreadable else one.etag
        total.update(f"{name}\0{etag}\0".encode(errors="surrogatepass"))
    return f"sha256:{total.hexdigest()[:16]}"
