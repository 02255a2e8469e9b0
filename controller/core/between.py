"""Rules between the documents of one revision: one document per service, dependencies that exist and form no circle.

A document that is invalid by itself still claims its service: two documents for one service are wrong whichever of them
can be read. A dependency that may be described by a document that nobody can read is only a warning, so that one bad
document stops no other. All of it takes linear time. Neighbours: `parse` calls this, `crosscheck` has the rules within
one document.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, TypeGuard

from controller.core.diagnostics import Code, Diagnostic, Severity, Span
from controller.core.ecs.read import did_you_mean
from controller.core.nodes import Node, Scalar, find
from controller.core.path import Path
from controller.core.quoting import brief
from controller.core.scalars import is_null
from controller.core.spec import CLUSTER, NAME
from controller.core.workload import Key, Workload

_DEPENDS_ON: Final[Path] = ("spec", "reconcile", "dependsOn")
_MOST_LISTED: Final = 6
"""Places or workloads that one message lists."""
_MOST_GUESSES: Final = 20
"""Unknown dependencies of a revision for which a known one is looked for, and..."""
_MOST_CANDIDATES: Final = 1000
"""...known ones among which it is looked for: comparing names is slow, 40 ms for each of the former."""
_LONGEST_NAME: Final = 512
"""Characters of the longest name or ARN that can be meant seriously."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A document that says that it describes this service, and where it says so. Only a valid one has a workload."""

    key: Key
    at: Span
    workload: Workload | None = None
    ours: bool = True
    """It is of a kind that is read here. Others claim nothing for themselves, but what they name is not forgotten."""


def claim_of(root: Node, workload: Workload | None, *, ours: bool = True) -> Claim | None:
    """The service that a document claims, as far as it can be read; also of one that is invalid otherwise.

    A text that cannot be a name is no identity: the document may be about any service.
    """
    cluster = _written(root, "spec", "cluster")
    name = _written(root, "spec", "service", "serviceName") or _written(root, "metadata", "name")
    target = _written(root, "spec", "target")
    if not _is(cluster, CLUSTER) or not _is(name, NAME):
        return None
    if target is not None and not _is(target, NAME):
        return None
    key = Key(cluster.text.rpartition("/")[2], name.text, target.text if target is not None else None)
    return Claim(key, name.span, workload, ours)


def _written(root: Node, *path: str) -> Node | None:
    """A member that has a value."""
    node = find(root, path)
    return None if node is None or is_null(node) else node


def _is(node: Node | None, pattern: str) -> TypeGuard[Scalar]:
    if not isinstance(node, Scalar) or len(node.text) > _LONGEST_NAME:
        return False
    return re.fullmatch(pattern, node.text) is not None


def between(claims: Iterable[Claim], *, all_readable: bool) -> tuple[list[Workload], list[Diagnostic]]:
    """The workloads that can stand beside all others, and why the rest cannot.

    `all_readable` tells whether every document could be read far enough to know its key.
    """
    by_key: defaultdict[Key, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_key[claim.key].append(claim)
    problems: list[Diagnostic] = []
    standing: dict[Key, Workload] = {}
    for key, named in by_key.items():
        same = [claim for claim in named if claim.ours]
        if len(same) > 1:
            problems.extend(_duplicates(key, same))
        elif same and same[0].workload is not None:
            standing[key] = same[0].workload
    guesses = _Guesses(by_key.keys())
    for key, workload in list(standing.items()):
        missing = _missing(workload, guesses, severity=Severity.ERROR if all_readable else Severity.WARNING)
        problems.extend(missing)
        if any(one.is_error for one in missing):
            del standing[key]
    for circle in _circles(standing):
        problems.extend(_told(circle, standing))
        for key in circle:
            del standing[key]
    return list(standing.values()), problems


def _duplicates(key: Key, same: list[Claim]) -> Iterator[Diagnostic]:
    for claim in same:
        others = _listed([str(other.at) for other in same if other is not claim])
        message = f"workload {key} is described {'twice' if len(same) == 2 else f'{len(same)} times'}, also at {others}"
        hint = "keep one of them, or give them different names"
        yield Diagnostic(Code.DUPLICATE_TARGET, message, claim.at, hint=hint)


def _listed(texts: list[str]) -> str:
    rest = len(texts) - _MOST_LISTED
    return ", ".join(texts) if rest <= 0 else f"{', '.join(texts[:_MOST_LISTED])} and {rest} more"


@dataclass(slots=True)
class _Guesses:
    """What an unknown dependency may have been meant to be. There are only so many guesses in a revision."""

    known: AbstractSet[Key]
    _left: int = _MOST_GUESSES

    def hint(self, name: str) -> str | None:
        if self._left == 0:
            return None
        self._left -= 1
        candidates = itertools.islice(self.known, _MOST_CANDIDATES)
        return did_you_mean(name, sorted(f"{key.cluster}/{key.name}" for key in candidates))


def _missing(workload: Workload, guesses: _Guesses, *, severity: Severity) -> list[Diagnostic]:
    """Dependencies that no document describes; a warning where some documents cannot be read."""
    missing: list[Diagnostic] = []
    for index, name in enumerate(workload.document.spec.reconcile.depends_on):
        if _dependency(workload, name) in guesses.known:
            continue
        message = f"dependsOn names {brief(name)}, but no document describes it"
        if severity is Severity.WARNING:
            message += "; it may be one of those that cannot be read"
        at = workload.origin((*_DEPENDS_ON, index))
        missing.append(Diagnostic(Code.UNKNOWN_DEPENDENCY, message, at, hint=guesses.hint(name), severity=severity))
    return missing


def _circles(workloads: Mapping[Key, Workload]) -> list[list[Key]]:
    """Circles of dependencies: a workload stands in at most one of them, and without all of them none is left.

    A walk in depth that takes every circle out as soon as it closes, so each dependency is followed once.
    """
    circles: list[list[Key]] = []
    done: set[Key] = set()
    for start in sorted(workloads):
        way: dict[Key, Iterator[Key]] = {}
        ahead = start if start not in done else None
        while ahead is not None:
            if ahead in way:
                circles.append(_since(ahead, way))
                done.update(circles[-1])
                for key in circles[-1]:
                    del way[key]
            elif ahead not in done:
                way[ahead] = iter(_dependencies(workloads[ahead], workloads.keys()))
            ahead = _next(way, done)
    return circles


def _since(start: Key, way: dict[Key, Iterator[Key]]) -> list[Key]:
    """The end of the way, from one of its members on. Read backwards: the way may be long and its end short."""
    end: list[Key] = []
    for key in reversed(way):
        end.append(key)
        if key == start:
            break
    return end[::-1]


def _next(way: dict[Key, Iterator[Key]], done: set[Key]) -> Key | None:
    """The next dependency to follow from the end of the way; what has none left is done."""
    while way:
        last = next(reversed(way))
        for key in way[last]:
            if key not in done:
                return key
        done.add(last)
        del way[last]
    return None


def _told(circle: list[Key], workloads: Mapping[Key, Workload]) -> Iterator[Diagnostic]:
    """A finding for each member, which begins with it: at the dependency that leads on."""
    for turn, key in enumerate(circle):
        following = [circle[(turn + step) % len(circle)] for step in range(min(len(circle), _MOST_LISTED))]
        shown = [*map(str, following), *(["…"] if len(circle) > _MOST_LISTED else []), str(key)]
        message = f"dependsOn goes round in a circle: {' → '.join(shown)}"
        leads_to = circle[(turn + 1) % len(circle)]
        names = workloads[key].document.spec.reconcile.depends_on
        index = next(at for at, name in enumerate(names) if _dependency(workloads[key], name) == leads_to)
        at = workloads[key].origin((*_DEPENDS_ON, index))
        yield Diagnostic(Code.DEPENDENCY_CYCLE, message, at, hint="take one of these dependencies out")


def _dependencies(workload: Workload, among: AbstractSet[Key]) -> list[Key]:
    found = (_dependency(workload, name) for name in workload.document.spec.reconcile.depends_on)
    return [key for key in found if key in among]


def _dependency(workload: Workload, name: str) -> Key:
    """The workload that a dependency names: in the same target."""
    cluster, _, service = name.partition("/")
    return Key(cluster, service, workload.key.target)
