"""`controller demo`: see it work, without an account."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from controller.cli import options, output
from controller.errors import ControllerError, leaves


@click.command("demo", context_settings=options.CONTEXT)
def command() -> None:
    """Play the daemon against an embedded AWS: create, heal, roll back, refuse. No account, under 30 seconds."""
    with _by_itself():
        from controller.sandbox.demo import play

        try:
            asyncio.run(play(output.data))
        except* (ControllerError, OSError) as failures:
            for sentence in dict.fromkeys(map(str, leaves(failures))):
                output.note(f"error: the demo failed: {sentence}")
            click.get_current_context().exit(1)


@contextmanager
def _by_itself() -> Iterator[None]:
    """An environment that leads to the embedded AWS and nowhere else: the user's profile, certificates and proxies are
    for the real one, and a broken profile or a proxy that does not know this machine would stop the demo."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        os.environ[name] = os.devnull
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
