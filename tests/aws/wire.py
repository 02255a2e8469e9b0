"""The real aiobotocore client without a network: a scripted answer for each request, under virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.session import AioSession
from botocore.compat import HTTPHeaders

from controller.aws.api import Api
from controller.aws.client import Connection, connect

CONNECTION = Connection(region="us-west-2", access_key="AKIDEXAMPLE", secret_key="secret")


class Wire:
    """Answers the requests of a session's clients in turn: `(status, body)`, an error to raise, seconds to wait first,
    or a function of the request that gives one of these.

    The last answer is given for ever.
    """

    def __init__(self, *script: Any, headers: Mapping[str, str] | None = None) -> None:
        self.script = list(script)
        self.headers = headers or {}
        self.sent: list[Any] = []
        self.at: list[float] = []

    def attach(self, session: AioSession) -> AioSession:
        session.register("before-send", self._send)
        return session

    async def _send(self, request: Any, **_: Any) -> AioAWSResponse:
        self.sent.append(request)
        self.at.append(asyncio.get_running_loop().time())
        while True:
            found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if callable(found):
                found = found(request)
            if isinstance(found, Exception):
                raise found
            if not isinstance(found, float):
                break
            await asyncio.sleep(found)
        status, body = found
        headers = HTTPHeaders()
        for name, value in {"x-amzn-requestid": "00000000-0000-4000-8000-000000000001", **self.headers}.items():
            headers[name] = value
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return AioAWSResponse(request.url, status, headers, _Body(content))


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        return self._content


@asynccontextmanager
async def wired(wire: Wire, service: str = "ecs", **options: Any) -> AsyncIterator[Api]:
    """An `Api` whose requests the wire answers."""
    async with connect(CONNECTION, service, session=wire.attach(AioSession()), **options) as api:
        yield api


def refusal(code: str, message: str = "because", *, status: int = 400, **members: Any) -> tuple[int, dict[str, Any]]:
    """An error as ECS and DynamoDB send it."""
    return status, {"__type": f"com.amazonaws#{code}", "message": message, **members}
