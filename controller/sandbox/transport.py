"""The front behind the real aiobotocore client: answers before a socket would be opened.

Signing, retries, pagination, waiters, timeouts and parsing are the client's own; only the wire is missing. Works under
a virtual-time event loop. An interceptor sees each attempt, retries included. Neighbours: `protocol`, `inprocess`.
"""

import asyncio
from itertools import count
from typing import Any

from aiobotocore.awsrequest import AioAWSResponse
from botocore.compat import HTTPHeaders

from controller.sandbox import protocol
from controller.sandbox.clocks import Clock
from controller.sandbox.errors import EcsError
from controller.sandbox.inprocess import Interceptor
from controller.sandbox.sandbox import Sandbox


class Transport:
    """Answers the ECS requests of aiobotocore clients from a sandbox."""

    def __init__(self, sandbox: Sandbox, clock: Clock, *, interceptor: Interceptor | None = None) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.interceptor = interceptor
        self._numbers = count(1)

    def attach(self, client: Any) -> None:
        """Stand in for the network of an aiobotocore ECS client (or session: anything with `meta.events`)."""
        client.meta.events.register_first("before-send.ecs", self._send, unique_id="controller-sandbox")

    async def _send(self, request: Any, **_: Any) -> AioAWSResponse:
        reply = await self._reply(request)
        headers = HTTPHeaders()
        for name, value in reply.headers.items():
            headers[name] = value
        return AioAWSResponse(request.url, reply.status, headers, _Body(reply.body))

    async def _reply(self, request: Any) -> protocol.Reply:
        request_id = f"00000000-0000-4000-8000-{next(self._numbers):012d}"
        try:
            call = protocol.read(
                target=_text(request.headers.get("X-Amz-Target", "")),
                authorization=_text(request.headers.get("Authorization", "")),
                body=request.body or b"",
            )
            simulator = self.sandbox.region(call.region, self.clock.now())
            if self.interceptor is not None:
                await self.interceptor.before(call.operation, call.params)
            if simulator.world.faults.latency > 0:
                await asyncio.sleep(simulator.world.faults.latency)
            result = simulator.call(call.operation, call.params, self.clock.now())
            if self.interceptor is not None:
                result = await self.interceptor.after(call.operation, call.params, result)
        except EcsError as error:
            return protocol.refusal(error, request_id=request_id)
        return protocol.answer(result, request_id=request_id)


class _Body:
    """The raw body as aiobotocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        return self._content


def _text(header: str | bytes) -> str:
    """A header of a prepared request: botocore keeps some as bytes."""
    return header.decode() if isinstance(header, bytes) else header
