"""How container images behave: a table from patterns to behaviours, first match wins.

Decides for each container: whether its image can be pulled and in how many seconds, and what its process does then.
The built-in rules come after the caller's own:

    tag begins with `broken` or `missing`   cannot be pulled: CannotPullContainerError … manifest unknown
    command is exactly `hl-smi`             exits 0 after 3 seconds (the smoke test of the AWS page on DL1)
    command counts what `hl-smi` lists      exits after 3 seconds, 0 where the host has as many cards, else 1
    everything else                         is pulled in 20 seconds and runs for ever

Neighbours: `tasks` (plays the behaviour), `cards` (Gaudi failures come on top).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import assert_never

from controller.sandbox.wire import Wire

_COUNTS = re.compile(r'(?:/bin/)?(?:ba)?sh -c test "\$\(hl-smi -Q index -f csv,noheader \| wc -l\)" -eq (\d+)')


@dataclass(frozen=True, slots=True)
class Runs:
    """Is pulled in `pull` seconds and runs until it is told to stop; then it exits 143 after `stop` seconds."""

    pull: float = 20.0
    stop: float = 2.0


@dataclass(frozen=True, slots=True)
class CannotPull:
    """The pull fails after `after` seconds; the task stops with `CannotPullContainerError: {reason}`."""

    reason: str = "manifest unknown: Requested image not found"
    after: float = 5.0


@dataclass(frozen=True, slots=True)
class Exits:
    """Runs for `after` seconds and exits with `code`; `reason` is the container's reason text (`OutOfMemoryError…`)."""

    after: float
    code: int
    pull: float = 20.0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """Runs, but its health check (if the container has one) never passes."""

    pull: float = 20.0
    stop: float = 2.0


Behaviour = Runs | CannotPull | Exits | Unhealthy


@dataclass(frozen=True, slots=True)
class ImageRule:
    """All images that match `pattern` (shell wildcards, case-sensitive) behave so, where the rest matches too."""

    pattern: str
    behaviour: Behaviour
    command: str = "*"
    """Entry point and command, joined by spaces."""
    started_by: str = "*"
    """Who started the task, as RunTask was told; empty where nobody said."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that must match, such as RANK."""

    def covers(self, container: Wire, *, started_by: str) -> bool:
        """Whether it speaks of this container definition."""
        return (
            fnmatchcase(container.get("image", ""), self.pattern)
            and fnmatchcase(" ".join(words(container)), self.command)
            and fnmatchcase(started_by, self.started_by)
            and (not self.environment or self._covers_environment(container))
        )

    def _covers_environment(self, container: Wire) -> bool:
        variables = {one["name"]: one.get("value", "") for one in container.get("environment", ())}
        return all(name in variables and fnmatchcase(variables[name], p) for name, p in self.environment.items())


@dataclass(frozen=True, slots=True)
class Images:
    """The rules of a world: `rules` first, then the built-in ones, then `otherwise`."""

    rules: tuple[ImageRule, ...] = ()
    otherwise: Behaviour = Runs()

    def behaviour(self, container: Wire, *, started_by: str = "", cards: int = 0) -> Behaviour:
        """The behaviour of a container definition (with the task's overrides applied) on a host with so many cards."""
        image: str = container.get("image", "")
        for rule in self.rules:
            if rule.covers(container, started_by=started_by):
                return rule.behaviour
        tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
        if tag.startswith(("broken", "missing")):
            return CannotPull(
                f"pull image manifest has been retried 1 time(s): failed to resolve ref {image}: "
                f"{image}: not found: manifest unknown"
            )
        expected = counted(container)
        if is_smoke_test(container):
            return Exits(after=3.0, code=0 if expected in (None, cards) else 1)
        return self.otherwise


def words(container: Wire) -> list[str]:
    """What the container runs: entry point, then command."""
    return [*(container.get("entryPoint") or []), *(container.get("command") or [])]


def is_smoke_test(container: Wire) -> bool:
    """Whether the container only asks the driver: `hl-smi` uses the control node and never takes a card."""
    asks = (["hl-smi"], ["sh", "-c", "hl-smi"], ["/bin/sh", "-c", "hl-smi"], ["bash", "-c", "hl-smi"])
    return words(container) in asks or counted(container) is not None


def counted(container: Wire) -> int | None:
    """How many lines of `hl-smi` the container expects; None where it counts none."""
    found = _COUNTS.fullmatch(" ".join(words(container)))
    return int(found[1]) if found is not None else None


def pull_seconds(behaviour: Behaviour) -> float:
    """Seconds of the pull, successful or not."""
    match behaviour:
        case Runs() | Exits() | Unhealthy():
            return behaviour.pull
        case CannotPull():
            return behaviour.after
        case _:
            assert_never(behaviour)


def describe() -> str:
    """The built-in rules for people (`controller sandbox --help`)."""
    return (
        "Images whose tag begins with `broken` or `missing` cannot be pulled; a container whose command is exactly "
        "`hl-smi` exits 0 after 3 s, one that counts what it lists exits 1 where cards are missing; every other image "
        "is pulled in 20 s and runs until it is stopped. Two running tasks that name one Gaudi card of an instance "
        "collide: the later one exits 1 with synStatus=20. A Gaudi container on an instance without cards exits 1."
    )
