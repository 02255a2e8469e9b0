"""`controller sandbox`: the embedded AWS for any AWS client."""

import asyncio
import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import click

from controller.cli import options, output
from controller.errors import ControllerError


@click.command("sandbox", context_settings=options.CONTEXT)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Loopback port.  [default: a free one]")
@click.option(
    "--speed", type=click.FloatRange(0.1, 10_000), default=1.0, show_default=True, help="Its seconds in one of ours."
)
@click.option("--throttle", is_flag=True, help="Throttle as AWS does, with its published bucket sizes.")
def command(**flags: Any) -> None:
    """Serve an embedded AWS until Ctrl-C; its address is the first line of stdout.

    ECS is simulated, with a cluster `default` of two dl1.24xlarge and two m5.2xlarge; everything else is moto's
    (pip install 'ecs-gaudi-controller[sandbox]'). Use it with AWS_ENDPOINT_URL and any credentials. Images whose tag
    begins with `broken` or `missing` cannot be pulled.
    """
    try:
        asyncio.run(_serve(**flags))
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        advice = "leave --port out for a free one"
        raise ControllerError(f"port {flags['port']} cannot be listened on: {why}", advice=advice) from error


async def _serve(*, port: int, speed: float, throttle: bool) -> None:
    from controller.sandbox.faults import BUCKETS, Faults
    from controller.sandbox.server import serve
    from controller.sandbox.simulator import Options

    faults = Faults(buckets=BUCKETS) if throttle else Faults()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)
    async with serve(port=port, speed=speed, options=Options(faults=faults)) as server:
        output.data(server.url)
        for line in _hints(server.url):
            output.note(f"sandbox: {line}")
        await stop.wait()


def _hints(url: str) -> Iterator[str]:
    """What a user has to know to reach it. Boto3 knows AWS_DEFAULT_REGION only, the other clients AWS_REGION."""
    from controller.sandbox.moto import INSTALL

    through = " NO_PROXY=127.0.0.1" if any(name.lower() in ("http_proxy", "all_proxy") for name in os.environ) else ""
    access = "AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox"
    yield f"export AWS_ENDPOINT_URL={url} {access}{through}"
    if find_spec("moto") is None:
        yield f"only ECS is here; S3, SQS and the rest of AWS need moto: {INSTALL}"
