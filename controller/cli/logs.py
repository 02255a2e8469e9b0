"""Logs: lines for people on a terminal, JSON lines for machines, on stderr in both cases.

Texts from specs and from AWS are escaped, so that none can forge a line or command a terminal.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from controller.core.quoting import escaped


def configure(form: str, *, level: int = logging.INFO, colour: bool = False) -> None:
    """Set structlog up for the process. `form` is auto, json or console; auto is console on a terminal only."""
    stream: TextIO | None = sys.stderr  # None where it is closed: nobody wants logs
    console = form == "console" or (form == "auto" and stream is not None and stream.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=colour, exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _escape,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console, key="ts"),
    ]
    if not console:
        processors.extend((structlog.processors.format_exc_info, _in_order))
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream) if stream is not None else structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _in_order(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor: when, how bad and what first, as the eye looks for them."""
    first = {name: event.pop(name) for name in ("ts", "level", "event") if name in event}
    return {**first, **event}


def _escape(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor: every text on one line and printable."""
    return {name: _plain(value) for name, value in event.items()}


def _plain(value: Any) -> Any:
    match value:
        case str():
            return escaped(value)
        case list() | tuple():
            return [_plain(member) for member in value]
        case dict():
            return {_plain(name): _plain(member) for name, member in value.items()}
        case _:
            return value
