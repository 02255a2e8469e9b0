"""Rendering a spec that is not written yet, to see what would become of it.

Neighbours: `document` and `recognition` try specs, `core.render` says what they ask for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.core.diagnostics import Span
from controller.core.normalize import NOT_MANAGED, Canonical
from controller.core.render import Rendered, Settings, render
from controller.core.spec import DL1Service, Gaudi
from controller.core.workload import Key, Workload

_UNWRITTEN = Span("", 1, 1)


@dataclass(frozen=True, slots=True)
class Trial:
    """A spec in the making."""

    document: DL1Service
    settings: Settings

    def task_definition(self, members: Mapping[str, Any], gaudi: Gaudi | None) -> dict[str, Canonical] | None:
        """The canonical task definition of the spec with these members; None where they contradict each other."""
        rendered = self.but(task_definition=dict(members), gaudi=gaudi).rendered
        return None if rendered is None else rendered.canonical.task_definition

    def service(self, members: Mapping[str, Any]) -> dict[str, Canonical] | None:
        """The canonical service of the spec with these members, without its count; None as above."""
        rendered = self.but(service=dict(members)).rendered
        return None if rendered is None else {**rendered.canonical.service, "desiredCount": NOT_MANAGED}

    def but(self, **members: Any) -> "Trial":
        """The spec with other values for some members."""
        spec = self.document.spec.model_copy(update=members)
        return replace(self, document=self.document.model_copy(update={"spec": spec}))

    @property
    def rendered(self) -> Rendered | None:
        """The requests; None where something of the spec contradicts something else."""
        key = Key(self.document.spec.cluster.rpartition("/")[2], self.document.metadata.name)
        return render(Workload(key, self.document, _UNWRITTEN), self.settings).rendered
