"""What the verbs print: data to stdout, everything else to stderr.

A reader that has had enough (`controller render specs | head`) changes neither what is done nor the exit code. Any
other trouble with stdout is an error like every other; trouble with stderr cannot be told to anybody. Neighbours:
`report` makes the texts.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

import click

from controller.errors import ControllerError

INTERRUPTED: Final = 130
"""What the process answers after Ctrl-C: 128 + SIGINT, as shells do."""


def data(text: str) -> None:
    """Lines that somebody may want to read by a program.

    Raises:
        ControllerError: they cannot be written.
    """
    try:
        click.echo(text, file=sys.stdout)
    except BrokenPipeError:
        had_enough()
    except OSError as error:
        _discard(sys.stdout)
        raise ControllerError(f"stdout cannot be written: {error.strerror}") from error


def had_enough() -> None:
    """The reader of stdout has gone: what is still to come goes nowhere."""
    _discard(sys.stdout)


def document(content: Mapping[str, Any]) -> None:
    """A JSON document."""
    from controller.report.document import as_json

    data(as_json(content))


def note(text: str) -> None:
    """Lines for the person in front of the terminal."""
    try:
        click.echo(text, file=sys.stderr)
    except OSError:
        _discard(sys.stderr)


def after_interrupt() -> None:
    """Leave the line on which the terminal has written `^C`."""
    if sys.stderr is not None and sys.stderr.isatty():
        note("")


def colour(*, no_color: bool, stderr: bool = False) -> bool:
    """Whether to print colours: on a terminal that has some, unless asked not to."""
    stream: TextIO | None = sys.stderr if stderr else sys.stdout
    wanted = not no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream is not None and stream.isatty()


def forgiving() -> None:
    """What the terminal's encoding cannot say is spelled out instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _discard(stream: TextIO) -> None:
    """Send what is still to come nowhere, what the stream holds back included."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
