"""Everything of AWS that is not ECS, by moto's own server: imported and started when first needed.

moto is an extra of this package; without it the HTTP front answers 501 and says what to install. Its server listens on
a free loopback port in a thread of its own; stopping it leaves neither thread nor socket. Neighbours: `server`.
"""

import threading
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

INSTALL = "pip install 'ecs-gaudi-controller[sandbox]'"


class MotoMissing(Exception):
    """moto is not installed."""

    def __init__(self) -> None:
        super().__init__(f"this request is not for ECS, and moto, which answers those, is not installed: {INSTALL}")


@dataclass(frozen=True, slots=True)
class MotoServer:
    """A running moto."""

    url: str
    server: Any
    thread: threading.Thread

    def stop(self) -> None:
        """Stop serving and wait for the thread."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def start() -> MotoServer:
    """Import and start moto, empty; takes about a second, so not on an event loop.

    moto keeps its state per process: a second server of the same process begins by emptying the first one.

    Raises:
        MotoMissing: the extra is not installed.
    """
    try:
        from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - an extra, and slow to import
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )
        from werkzeug.serving import make_server  # noqa: PLC0415 - comes with moto
    except ImportError as error:
        raise MotoMissing from error

    class Quiet(MotoRequestHandler):
        def send_response(self, code: int, message: str | None = None) -> None:
            """Without Python's own Server and Date: moto sends both, and aiohttp refuses an answer with two."""
            self.send_response_only(code, message)

        def log_request(self, *_: Any, **__: Any) -> None:
            """One line per request on stderr helps nobody here."""

    server = make_server(
        "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True, request_handler=Quiet
    )
    thread = threading.Thread(target=server.serve_forever, name="moto", daemon=True)
    thread.start()
    _reset(server.server_port)
    return MotoServer(f"http://127.0.0.1:{server.server_port}", server, thread)


def _reset(port: int) -> None:
    """Forget what an earlier server of this process left."""
    connection = HTTPConnection("127.0.0.1", port)
    try:
        connection.request("POST", "/moto-api/reset")
        connection.getresponse().read()
    finally:
        connection.close()
