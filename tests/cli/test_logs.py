"""Logs: JSON lines for machines, lines for people on a terminal; nobody's text forges a line or commands a terminal."""

import io
import json
import sys

import pytest
import structlog

from controller.cli import logs


@pytest.fixture
def logged(monkeypatch):
    """What a form of log makes of what is said."""

    def log(form, say, *, terminal=False, **how):
        stream = io.StringIO()
        stream.isatty = lambda: terminal
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure(form, **how)
        say(structlog.get_logger())
        return stream.getvalue()

    yield log
    structlog.reset_defaults()


def test_json_lines_begin_with_when_how_bad_and_what(logged):
    text = logged("json", lambda log: log.warning("drift healed", workload="train/bert", live=3, spec=None))
    assert text.count("\n") == 1
    line = json.loads(text)
    assert list(line) == ["ts", "level", "event", "workload", "live", "spec"]
    assert line["ts"].endswith("Z")
    assert {**line, "ts": ""} == {
        "ts": "",
        "level": "warning",
        "event": "drift healed",
        "workload": "train/bert",
        "live": 3,
        "spec": None,
    }


@pytest.mark.parametrize(
    ("form", "terminal", "is_json"),
    [("auto", False, True), ("auto", True, False), ("json", True, True), ("console", False, False)],
)
def test_the_form_follows_the_stream_unless_it_is_named(logged, form, terminal, is_json):
    text = logged(form, lambda log: log.info("controller started", version="1"), terminal=terminal)
    assert text.startswith('{"ts": ') == is_json
    assert "controller started" in text
    assert "\x1b" not in text


def test_colours_are_asked_for(logged):
    assert "\x1b[" in logged("console", lambda log: log.info("x"), colour=True)


@pytest.mark.parametrize("form", ["json", "console"])
def test_texts_of_others_stay_in_their_line(logged, form):
    evil = "a\nb\x1b[2J\u202e"
    text = logged(form, lambda log: log.info(evil, message=evil, listed=[evil], inside={evil: (evil,)}))
    assert text.count("\n") == 1
    assert text[:-1].isprintable()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_bug_has_its_traceback(logged, form):
    text = logged(form, lambda log: log.error("crashed", workload="train/bert", exc_info=LookupError("no such thing")))
    assert "LookupError: no such thing" in text
    if form == "json":
        assert text.count("\n") == 1
        assert "LookupError" in json.loads(text)["exception"]


def test_what_is_less_than_the_level_is_not_told(logged):
    assert logged("json", lambda log: log.info("x"), level=30) == ""


def test_a_closed_stream_is_no_trouble(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    logs.configure("auto")
    structlog.get_logger().error("x")
    structlog.reset_defaults()
    assert capsys.readouterr().out == ""
