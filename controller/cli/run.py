"""`controller run`: the daemon."""

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any, Final

import click

from controller.cli import logs, options, output
from controller.errors import ControllerError
from controller.reasons import Reason

if TYPE_CHECKING:
    from controller.app.process import Process
    from controller.settings import Settings

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@click.command("run", context_settings=options.CONTEXT)
@options.for_both
@click.option("--resync", type=float, metavar="SECONDS", help="Seconds between two looks at everything.  [default: 60]")
@click.option("--workers", type=int, metavar="NUMBER", help="Workloads that are changed at once.  [default: 8]")
@click.option(
    "--http", metavar="HOST:PORT", help="Serve probes, metrics, state; `off` for none.  [default: 127.0.0.1:8080]"
)
def command(**flags: Any) -> None:
    """Follow the source and keep ECS in line with it until SIGTERM."""
    click.get_current_context().exit(start(**flags))


def start(**flags: Any) -> int:
    """Run until a signal asks to stop."""
    settings = options.settings(flags)
    _there(settings.source)
    logs.configure(flags["log_format"], colour=output.colour(no_color=flags["no_color"], stderr=True))
    asyncio.run(_run(settings))
    return 0


def _there(source: str) -> None:
    """A path that is not there is a slip of whoever starts the daemon: said at once. What cannot be read later is
    waited for."""
    if "://" not in source and not os.path.lexists(source):
        advice = "name a file or a folder with -s; `controller demo` shows how it works without any"
        raise ControllerError(f"source {source} does not exist", reason=Reason.SOURCE_UNREADABLE, advice=advice)


async def _run(settings: "Settings") -> None:
    import structlog

    from controller.app.compose import SystemClock
    from controller.app.process import Process

    log = structlog.get_logger()
    process = Process(settings, log, SystemClock())
    _stop_on_signals(process, log)
    await process.run()


def _stop_on_signals(process: "Process", log: Any) -> None:
    """The first signal begins to stop, the second stops at once."""
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        name = signal.Signals(number).name
        if process.stopping:
            log.warning("stopping at once", signal=name)
            os._exit(128 + number)
        log.info("stop asked for", signal=name)
        process.stop()

    for one in STOP_SIGNALS:
        loop.add_signal_handler(one, stop, one)
