"""The errors of ECS: code, text and HTTP status as AWS spells them.

Codes and texts come from botocore's ECS model (the exceptions of each operation), the ECS API reference, and messages
that users quote verbatim in public issues. Neighbours: every room raises them, the fronts put them on the wire.
"""

from collections.abc import Mapping
from typing import Any


class EcsError(Exception):
    """An answer of ECS that is not a result. `members` are modelled members beside the message (`resourceIds`)."""

    def __init__(self, code: str, message: str, *, status: int = 400, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})


def invalid(message: str) -> EcsError:
    """A parameter that cannot be: most refusals of ECS."""
    return EcsError("InvalidParameterException", message)


def client(message: str) -> EcsError:
    """The older of ECS's two general refusals; task definitions answer with it."""
    return EcsError("ClientException", message)


def cluster_not_found() -> EcsError:
    return EcsError("ClusterNotFoundException", "Cluster not found.")


def service_not_found() -> EcsError:
    return EcsError("ServiceNotFoundException", "Service not found.")


def conflict(message: str, *, resources: list[str]) -> EcsError:
    return EcsError("ConflictException", message, members={"resourceIds": resources})


def throttled() -> EcsError:
    return EcsError("ThrottlingException", "Rate exceeded")


def unknown_operation(name: str) -> EcsError:
    """What ECS's front end answers to a target that it does not know."""
    return EcsError("UnknownOperationException", f"The operation {name} is not known")
