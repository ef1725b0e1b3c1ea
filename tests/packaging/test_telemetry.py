"""Logs: no secret, no forged line, one line an event."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from coscribe.telemetry import MOST_CHARACTERS, configure, without_secrets

SECRET = "kP3vQ9-_xYz0123456789abcdefghijklmnopqrstuv"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(text: str, *, as_json: bool = False, **values: object) -> str:
    stream = io.StringIO()
    configure("info", as_json=as_json, stream=stream)
    structlog.stdlib.get_logger("test").info(text, **values)
    return stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        f"Bearer cst_{SECRET}",
        f"GET /r/csl_{SECRET}/events",
        f"GET /s/{SECRET}",
        f"connected /ws/abc?token={SECRET}&x=1",
        f"?a=1&ticket={SECRET}",
        f"subprotocol coscribe.token.{SECRET}",
        f"cookie: coscribe_session={SECRET}.sig; other=1",
        f"postgresql+asyncpg://coscribe:{SECRET}@db/coscribe",
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["lines", "json"])
def test_a_secret_is_in_no_log(text: str, as_json: bool) -> None:
    assert SECRET[:12] not in logged(text, as_json=as_json)
    assert SECRET[:12] not in logged("event", as_json=as_json, value=text)


def test_what_stands_around_a_secret_stays() -> None:
    assert without_secrets("GET /r/csl_abcdefghij/body?token=x&y=1") == "GET /r/csl_***/body?token=***&y=1"


@pytest.mark.parametrize("bad", ["a\nb", "a\r\nb", "a\x1b[31mb", "a\x00b", "a\u2028b", "a\u202eb", "a\x85b"])
def test_a_name_cannot_forge_a_line(bad: str) -> None:
    for line in (logged(bad), logged("event", name=bad), logged("event", as_json=True, name=bad)):
        assert line.endswith("\n")
        assert len(line.splitlines()) == 1
        assert "\x1b" not in line
        assert "\u202e" not in line


def test_an_event_has_an_end() -> None:
    assert len(logged("x" * 1_000_000)) < MOST_CHARACTERS + 200


def test_a_traceback_is_marked_line_by_line_and_holds_no_secret() -> None:
    stream = io.StringIO()
    configure("info", as_json=False, stream=stream)
    error = ValueError(f"2026-11-23T00:00:00Z info forged\ncst_{SECRET}")
    logging.getLogger("test").error("failed", exc_info=error)
    first, *trace = stream.getvalue().splitlines()
    assert " error   failed [test]" in first
    assert trace
    assert all(line.startswith("  | ") for line in trace)
    assert SECRET not in stream.getvalue()


def test_json_events_are_objects_with_time_level_and_name() -> None:
    event = json.loads(logged("saved", as_json=True, document="d", entries=3))
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "saved", "level": "info", "logger": "test", "document": "d", "entries": 3}


def test_uvicorn_speaks_only_from_warning_upwards() -> None:
    stream = io.StringIO()
    configure("debug", as_json=False, stream=stream)
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.info('"WebSocket /ws/x?token=y" [accepted]')
    assert stream.getvalue() == ""
    uvicorn.warning("Invalid HTTP request received.")
    assert "Invalid HTTP request received." in stream.getvalue()
