"""A workload: one valid document, where it stands, and the key that the rest of the house knows it by.

Neighbours: `parse` makes them; `render`, `diff` and the reports read them.
"""

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from controller.core.diagnostics import Diagnostic, Span
from controller.core.jobs.spec import DL1Job, JobSpec
from controller.core.origins import Origins
from controller.core.path import Path
from controller.core.spec import DL1Service, ServiceSpec
from controller.core.yaml import Written, again

Files: TypeAlias = dict[str, bytes]
"""Spec files of one source revision: path relative to the source → content."""


@dataclass(frozen=True, slots=True)
class Key:
    """The identity of a workload: cluster and name, in a target (account and region) where one is named."""

    cluster: str
    name: str
    target: str | None = None

    def __lt__(self, other: "Key") -> bool:
        """The order of reports: by cluster, then name; without a target first."""
        mine, others = ((one.cluster, one.name, one.target or "") for one in (self, other))
        return mine < others

    def __str__(self) -> str:
        return f"{self.target}:{self.in_target}" if self.target else self.in_target

    @property
    def in_target(self) -> str:
        """`cluster/name`: how workloads of one target name each other (`dependsOn`)."""
        return f"{self.cluster}/{self.name}"


def cluster_name(cluster: str) -> str:
    """The name of a cluster that is given by name or ARN."""
    return cluster.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Workload:
    """One valid document."""

    key: Key
    document: DL1Service | DL1Job
    at: Span
    """Where the document begins."""
    written: Written = field(default=Written(""), repr=False)
    """Its text: read again where somebody asks for a place in it, which of most documents nobody does. As a tree with
    positions it would be most of what a spec takes of the memory."""
    index: int = 0
    """Which document of its file it is, from 0."""
    _origins: list[Origins] = field(default_factory=list, init=False, repr=False, compare=False)
    """None, until it was asked for."""

    @property
    def file(self) -> str:
        """Path of the file, relative to the source."""
        return self.at.file

    @property
    def task_definition(self) -> dict[str, Any]:
        """The user's RegisterTaskDefinition members in the wire's form (maps of environment already lists)."""
        return self.document.spec.task_definition

    @property
    def service(self) -> dict[str, Any]:
        """The user's CreateService members in the wire's form; none for a job."""
        return self.document.spec.service if isinstance(self.document, DL1Service) else {}

    @property
    def run_task(self) -> dict[str, Any]:
        """The user's RunTask members in the wire's form; none for a service."""
        return self.document.spec.run_task if isinstance(self.document, DL1Job) else {}

    @property
    def service_spec(self) -> ServiceSpec:
        """The spec of a service: asked for only where a service was rendered."""
        assert isinstance(self.document, DL1Service)
        return self.document.spec

    @property
    def job_spec(self) -> JobSpec:
        """The spec of a job: asked for only where a job was rendered."""
        assert isinstance(self.document, DL1Job)
        return self.document.spec

    def origin(self, path: Path) -> Span:
        """Where a value of the spec stands; `path` starts at the document's root. The nearest parent if it is
        implied."""
        if not self._origins:
            requests = {"taskDefinition": self.task_definition, "service": self.service, "runTask": self.run_task}
            self._origins.append(Origins(again(self.written), requests))
        return self._origins[0].place(path)

    def let_go(self) -> None:
        """Forget what was worked out to find places: nobody is about to ask for more."""
        self._origins.clear()


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a source revision says: the workloads that are valid and everything that is wrong with the rest.

    `broken` holds the keys of invalid documents as far as they can be read, with what is wrong with them,
    `broken_files` the files whose documents cannot be told apart. Whoever deletes must treat every key of those as
    still wanted.
    """

    workloads: tuple[Workload, ...]
    diagnostics: tuple[Diagnostic, ...]
    broken: AbstractMapping[Key, tuple[Diagnostic, ...]] = field(default_factory=dict)
    broken_files: frozenset[str] = frozenset()

    @property
    def complete(self) -> bool:
        """Whether every document of the revision was understood."""
        return not any(diagnostic.is_error for diagnostic in self.diagnostics)
