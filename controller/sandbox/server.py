"""The front on a loopback port: any AWS client reaches the sandbox through AWS_ENDPOINT_URL.

ECS requests go to the simulator of the region that they are signed for; everything else goes, unchanged, to moto. Time
is real, times `speed`, unless a clock is handed in. Listens on 127.0.0.1 only: no request is authenticated.
Neighbours: `protocol` (ECS's wire), `moto` (the rest of AWS), `sandbox` (the state).
"""

import asyncio
import io
import logging
import uuid
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, DummyCookieJar, web
from yarl import URL

from controller.sandbox import ec2, logs, moto, protocol
from controller.sandbox.clocks import Clock, RealClock
from controller.sandbox.errors import EcsError
from controller.sandbox.sandbox import Sandbox
from controller.sandbox.simulator import Options, Simulator

HOST = "127.0.0.1"
LARGEST_BODY = 1 << 30
"""Bytes of one request: S3 uploads pass through."""

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_log = logging.getLogger("controller.sandbox")


class Server:
    """`async with serve(...) as server`: `server.url` is the endpoint for all of AWS."""

    def __init__(self, *, port: int, clock: Clock, sandbox: Sandbox, speed: float) -> None:
        self.clock = clock
        self.sandbox = sandbox
        self._port = port
        self._speed = speed
        self._runner: web.AppRunner | None = None
        self._session: ClientSession | None = None
        self._moto: moto.MotoServer | None = None
        self._moto_lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self._port).start()
        except OSError:  # the port is taken: whoever does not get in needs no way out
            await self._runner.cleanup()
            raise
        self._session = ClientSession(auto_decompress=False, cookie_jar=DummyCookieJar())
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()
        if self._moto is not None:
            await asyncio.to_thread(self._moto.stop)

    @property
    def port(self) -> int:
        """The port that it listens on, once entered."""
        return self._port

    @property
    def url(self) -> str:
        """The value for AWS_ENDPOINT_URL."""
        return f"http://{HOST}:{self._port}"

    def region(self, name: str = protocol.DEFAULT_REGION) -> Simulator:
        """The simulator of a region, for what no API can do: terminate a machine, let an image behave differently."""
        return self.sandbox.region(name, self.clock.now())

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if protocol.is_ecs(request.headers):
            reply = await self._ecs(request)
            return web.Response(status=reply.status, headers=reply.headers, body=reply.body)
        if (operation := logs.operation(request.headers)) is not None:
            said = self._said(request, operation, await request.read())
            if said is not None:
                return web.Response(status=said.status, headers=said.headers, body=said.body)
        if ec2.is_ec2(request.headers) and (known := self._machines(request, await request.read())) is not None:
            return known
        return await self._proxy(request)

    def _machines(self, request: web.Request, body: bytes) -> web.Response | None:
        """The answer about machines of the sandbox; None where it is asked about others, which moto may know."""
        simulator = self.region(protocol.region_of(request.headers.get("Authorization", "")))
        simulator.advance(self.clock.now())
        answer = ec2.describe_instances(simulator.world, ec2.asked_for(body))
        if not answer["Reservations"]:
            return None
        return web.Response(body=ec2.on_the_wire(answer, request_id=str(uuid.uuid4())), content_type="text/xml")

    async def _ecs(self, request: web.Request) -> protocol.Reply:
        request_id = str(uuid.uuid4())
        try:
            call = protocol.read(
                target=request.headers["X-Amz-Target"],
                authorization=request.headers.get("Authorization", ""),
                body=await request.read(),
            )
            simulator = self.region(call.region)
            if simulator.world.faults.latency > 0:
                await asyncio.sleep(simulator.world.faults.latency / self._speed)
            return protocol.answer(simulator.call(call.operation, call.params, self.clock.now()), request_id=request_id)
        except EcsError as error:
            return protocol.refusal(error, request_id=request_id)
        except Exception:  # noqa: BLE001 - a bug of the simulator is, for its clients, a failure of the service
            _log.exception("the sandbox failed on %s", request.headers["X-Amz-Target"])
            failure = EcsError("ServerException", "The sandbox failed; its log says why.", status=500)
            return protocol.refusal(failure, request_id=request_id)

    def _said(self, request: web.Request, operation: str, body: bytes) -> protocol.Reply | None:
        """What the sandbox's own containers have written; None where it is asked about other logs."""
        request_id = str(uuid.uuid4())
        simulator = self.region(protocol.region_of(request.headers.get("Authorization", "")))
        simulator.advance(self.clock.now())
        try:
            call = protocol.read(target=operation, authorization="", body=body)
            if not logs.is_ours(simulator.world, operation, call.params):
                return None
            return protocol.answer(logs.OPERATIONS[operation](simulator.world, call.params), request_id=request_id)
        except EcsError as error:
            return protocol.refusal(error, request_id=request_id)

    async def _proxy(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on to moto and its answer back, byte for byte; moto sees our address as the host."""
        try:
            upstream = await self._upstream()
        except moto.MotoMissing as missing:
            return web.json_response({"__type": "NotImplemented", "message": str(missing)}, status=501)
        if self._session is None:
            return web.json_response({"__type": "ServiceUnavailable", "message": "shutting down"}, status=503)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        body = await request.read()
        async with self._session.request(
            request.method,
            URL(upstream + request.raw_path, encoded=True),
            headers=headers,
            data=io.BytesIO(body) if body else None,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            allow_redirects=False,
        ) as answer:
            content = await answer.read()
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            for name, value in kept:
                response.headers.add(name, value)
            await response.prepare(request)
            if content:
                await response.write(content)
            await response.write_eof()
            return response

    async def _upstream(self) -> str:
        async with self._moto_lock:
            if self._moto is None:
                self._moto = await asyncio.to_thread(moto.start)
            return self._moto.url


def serve(
    *,
    port: int = 0,
    speed: float = 1.0,
    options: Options | None = None,
    clock: Clock | None = None,
    sandbox: Sandbox | None = None,
) -> Server:
    """The sandbox on a loopback port (0: a free one), as an async context manager.

    `speed`: how many simulated seconds pass in a real one; ignored when a clock is given. `options`: what each region
    begins with; ignored when a sandbox is given.
    """
    return Server(
        port=port,
        clock=clock or RealClock(speed=speed),
        sandbox=sandbox or Sandbox(options),
        speed=speed,
    )
