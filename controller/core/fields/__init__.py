"""The field table: what the controller knows of every ECS member that a spec may write.

One row per member says how lists are told apart, whether order is meaning, what ECS answers when the member is left
out, which spellings mean the same, and (for a service) what a change does and how it is sent. `normalize`, `diff`,
`plan` and the documentation all read this table and nothing else knows a field by name.

A test walks botocore's own shapes and fails for a member that has no row, so that an SDK update cannot slip one past.
"""

from collections.abc import Mapping
from typing import Final

from controller.core.fields.kinds import Field
from controller.core.fields.service import SERVICE_SHAPES
from controller.core.fields.task_definition import TASK_DEFINITION_SHAPES

SHAPES: Final[Mapping[str, Mapping[str, Field]]] = {**TASK_DEFINITION_SHAPES, **SERVICE_SHAPES}
"""Shape name of botocore's model → member → row."""
