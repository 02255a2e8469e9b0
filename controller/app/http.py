"""The daemon's HTTP port: probes, metrics, and its state as JSON. It only reads.

`/healthz` says that the event loop turns and nothing more; `/readyz` that the source was read and, where it may, that
clusters were observed. Neither depends on AWS being up or on holding a lease: a standby is ready. Requests that name
another host than this one are refused, so that no web page can reach a port on the loopback under a name of its own.
Neighbours: `daemon` (what is told), `heartbeat`, `report.metrics`, `report.status`.
"""

import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from aiohttp import web

from controller.core.journal import Entry
from controller.errors import ControllerError, Usage
from controller.report.document import as_json
from controller.report.metrics import CONTENT_TYPE
from controller.report.status import Standing, events_document, status_document

MOST_EVENTS: Final = 1000
LAST_ANSWERS: Final = 1.0
"""Seconds that requests are given when the daemon ends; aiohttp would wait a minute for a slow reader."""
_REFUSED: Final = "this server does not answer to that name\n"


class Window(Protocol):
    """What can be seen of a daemon."""

    def checks(self) -> Mapping[str, bool]:
        """Name of each condition of readiness → whether it holds."""
        ...

    def alive(self) -> bool:
        """Whether the event loop turns."""
        ...

    def metrics_text(self) -> bytes:
        """Everything in Prometheus's text format."""
        ...

    def standing(self) -> Standing:
        """How the daemon stands."""
        ...

    async def recent(self, workload: str | None, *, most: int) -> list[Entry]:
        """The newest entries of the journal, oldest first."""
        ...


@asynccontextmanager
async def serving(window: Window, address: str) -> AsyncIterator[str]:
    """Serve until the context ends; yields the URL. `address` is `host:port`; port 0 takes a free one.

    Raises:
        Usage: the address is none.
        ControllerError: nothing can listen there.
    """
    host, port = _address(address)
    application = _application(window, loopback=_is_loopback(host))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=LAST_ANSWERS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, reuse_address=True).start()
        except OSError as error:
            advice = "choose another address with --http, or `--http off`"
            raise ControllerError(f"cannot listen on {address}: {error.strerror}", advice=advice) from error
        found = runner.addresses[0]
        shown = f"[{found[0]}]" if ":" in found[0] else found[0]
        yield f"http://{shown}:{found[1]}"
    finally:
        await runner.cleanup()


def _application(window: Window, *, loopback: bool) -> web.Application:
    application = web.Application(middlewares=[_only_this_host] if loopback else [])

    async def healthz(_: web.Request) -> web.Response:
        alive = window.alive()
        return web.Response(text="ok\n" if alive else "the event loop is stuck\n", status=200 if alive else 500)

    async def readyz(_: web.Request) -> web.Response:
        checks = window.checks()
        lines = [f"[{'+' if holds else '-'}] {name}" for name, holds in checks.items()]
        return web.Response(text="\n".join(lines) + "\n", status=200 if all(checks.values()) else 500)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=window.metrics_text(), headers={"Content-Type": CONTENT_TYPE})

    async def status(_: web.Request) -> web.Response:
        return _json(status_document(window.standing()))

    async def events(request: web.Request) -> web.Response:
        most = request.query.get("limit", "100")
        if not (most.isascii() and most.isdigit() and 0 < int(most) <= MOST_EVENTS):
            return web.Response(text=f"limit must be a number from 1 to {MOST_EVENTS}\n", status=400)
        try:
            entries = await window.recent(request.query.get("workload"), most=int(most))
        except ControllerError as error:
            return web.Response(text=f"{error}\n", status=503)
        return _json(events_document(entries))

    handlers: dict[str, Callable[[web.Request], Any]] = {
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": metrics,
        "/api/v1/status": status,
        "/api/v1/events": events,
    }
    application.add_routes([web.get(path, handler) for path, handler in handlers.items()])
    return application


def _json(document: Mapping[str, Any]) -> web.Response:
    return web.Response(text=f"{as_json(document)}\n", content_type="application/json")


@web.middleware
async def _only_this_host(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    name = request.host.rpartition(":")[0] if not request.host.endswith("]") and ":" in request.host else request.host
    if not _is_loopback(name.strip("[]")):
        return web.Response(text=_REFUSED, status=403)
    found: web.StreamResponse = await handler(request)
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise Usage(f"`{text}` is no address to listen on", advice="write host:port, as 127.0.0.1:8080")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - `:8080` asks for it
