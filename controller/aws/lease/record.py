"""What a lease looks like where it is stored, and the two conditional writes that a store must have.

A store decides nothing: it reads, and it writes if a condition holds at the moment of the write. Neighbours: `dynamodb`
and `s3` (stores), `candidate` (says what to write and what the outcome means).
"""

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

NOBODY: Final = ""
"""The holder of a lease that was given back."""


@dataclass(frozen=True, slots=True)
class Record:
    """One lease."""

    holder: str
    version: str
    """New with each write; nothing is read from it but whether it is the same."""
    duration: float
    """Seconds that others are to wait after the last change, as the holder has written them."""
    transitions: int = 0
    """How often the holder has changed."""
    info: str = ""
    """For people: where the holder runs."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as a store has it. `tag` is the store's own mark of this version: what its conditions compare."""

    record: Record
    tag: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Write `new` if nothing is stored, or nobody holds it, or what is stored is still `seen`."""

    new: Record
    seen: Stored | None


@dataclass(frozen=True, slots=True)
class Renewal:
    """Write `new` if what is stored is still `mine`."""

    new: Record
    mine: Stored


Write: TypeAlias = Claim | Renewal


@dataclass(frozen=True, slots=True)
class Refused:
    """The condition did not hold: what stands in the store instead."""

    standing: Stored | None


class Store(Protocol):
    """Where one lease is kept. All methods raise members of `controller.errors`' tree, and are never retried below."""

    async def read(self) -> Stored | None:
        """What is stored now: not what was stored a while ago."""
        ...

    async def write(self, write: Write) -> Stored | Refused:
        """Write under its condition, both in one moment."""
        ...


def shard(owner: str, account: str, region: str) -> str:
    """The name of the lease of an account and region.

    The owner is part of it: two controllers with two names share an account on purpose and do not wait for each other.
    """
    return f"{owner}/{account}/{region}"
