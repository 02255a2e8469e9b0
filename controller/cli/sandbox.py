"""`controller sandbox`: the embedded AWS for any AWS client."""

import asyncio
import signal
from typing import Any

import click

from controller.cli import options


@click.command("sandbox", context_settings=options.CONTEXT)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Loopback port.  [default: a free one]")
@click.option("--speed", type=click.FloatRange(0.1, 10_000), default=1.0, show_default=True, help="Seconds per second.")
@click.option("--throttle", is_flag=True, help="Throttle as AWS does, with its published bucket sizes.")
def command(**flags: Any) -> None:
    """Serve an embedded AWS until Ctrl-C; its address is the first line of stdout.

    ECS is simulated, with a cluster `default` of two dl1.24xlarge and two m5.2xlarge; everything else is moto's
    (pip install 'ecs-gaudi-controller[sandbox]'). Use it with AWS_ENDPOINT_URL and any credentials. Images whose tag
    begins with `broken` or `missing` cannot be pulled.
    """
    asyncio.run(_serve(**flags))


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
        click.echo(server.url)
        click.echo(
            f"sandbox: export AWS_ENDPOINT_URL={server.url} AWS_REGION=us-east-1"
            " AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox",
            err=True,
        )
        await stop.wait()
