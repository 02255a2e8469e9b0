"""`controller demo`: see it work, without an account."""

import asyncio

import click

from controller.cli import options


@click.command("demo", context_settings=options.CONTEXT)
def command() -> None:
    """Play the daemon against an embedded AWS: create, heal, roll back, refuse. No account, under 30 seconds."""
    from controller.errors import ControllerError
    from controller.sandbox.demo import play

    try:
        asyncio.run(play(click.echo))
    except* ControllerError as failures:
        for failure in failures.exceptions:
            click.echo(f"error: the demo failed: {failure}", err=True)
        click.get_current_context().exit(1)
