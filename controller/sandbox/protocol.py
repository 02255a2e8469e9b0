"""AWS JSON 1.1 on the wire: which operation a request means, in which region, and how answers and errors look.

The target names the operation (`AmazonEC2ContainerServiceV20141113.DescribeServices`), the credential scope of the
Authorization header the region; the signature itself is not checked. Neighbours: `transport`, `server`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.sandbox.errors import EcsError
from controller.sandbox.wire import Wire

TARGET = "AmazonEC2ContainerServiceV20141113."
CONTENT_TYPE = "application/x-amz-json-1.1"
DEFAULT_REGION = "us-east-1"
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/")


@dataclass(frozen=True, slots=True)
class Request:
    """One ECS call as it came in."""

    operation: str
    region: str
    params: Wire


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as it goes out."""

    status: int
    headers: dict[str, str]
    body: bytes


def is_ecs(headers: Mapping[str, str]) -> bool:
    """Whether a request is for ECS; header names are looked up in the mapping's own way."""
    return headers.get("X-Amz-Target", "").startswith(TARGET)


def region_of(authorization: str) -> str:
    """The region that the request was signed for; unsigned requests mean us-east-1."""
    found = _SCOPE.search(authorization)
    return found[1] if found else DEFAULT_REGION


def read(*, target: str, authorization: str, body: bytes) -> Request:
    """Understand a request. `null` members count as absent, as AWS reads them.

    Raises:
        EcsError: SerializationException for a body that is no JSON object.
    """
    try:
        params = json.loads(body or b"{}")
    except ValueError as error:
        raise EcsError("SerializationException", "The request body is not JSON.") from error
    if not isinstance(params, dict):
        raise EcsError("SerializationException", "The request body is not a JSON object.")
    return Request(target.removeprefix(TARGET), region_of(authorization), _without_nulls(params))


def answer(result: Wire, *, request_id: str) -> Reply:
    """A result on the wire."""
    return Reply(200, _headers(request_id), json.dumps(result).encode())


def refusal(error: EcsError, *, request_id: str) -> Reply:
    """An error on the wire: `__type`, `message` and its modelled members."""
    body = {"__type": error.code, "message": error.message, **error.members}
    return Reply(error.status, _headers(request_id), json.dumps(body).encode())


def _headers(request_id: str) -> dict[str, str]:
    return {"Content-Type": CONTENT_TYPE, "x-amzn-RequestId": request_id}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(element) for element in value if element is not None]
    return value
