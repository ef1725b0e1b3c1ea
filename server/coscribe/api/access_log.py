"""One log event for a request or a socket, two for an event stream, without queries and the secrets of links."""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = structlog.get_logger(__name__)

# Probes and files come all day and say nothing, and so do the requests of a session, twenty a second of each who types;
# they are written down only when something is wrong with them.
_QUIET = ("/assets/", "/health/", "/frames/", "/poll/")


def tell_socket(path: str, status: int, began_at: float, client: str | None) -> None:
    """Write a socket down that has ended, or was refused; `status` is its close code or the HTTP status."""
    seconds = round(time.monotonic() - began_at, 4)
    _log.info("socket", method="WS", path=path, status=status, seconds=seconds, client=client)


def tell_stream(path: str, began_at: float, client: str | None) -> None:
    """Write an event stream down that has ended; as a request it was written down when it began."""
    _log.info("stream", method="GET", path=path, seconds=round(time.monotonic() - began_at, 4), client=client)


class AccessLog:
    """Writes down method, path, status and seconds when a response has ended, or is an event stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def watching(message: Message) -> None:
            nonlocal status
            status = _status(message) or status
            await send(message)

        started = time.monotonic()
        try:
            await self._app(scope, receive, watching)
        finally:
            _write(scope, status, time.monotonic() - started)


def _status(message: Message) -> int:
    """The HTTP status that a message carries, 0 when it carries none."""
    return int(message["status"]) if message["type"] == "http.response.start" else 0


def _write(scope: Scope, status: int, seconds: float) -> None:
    path = scope["path"]
    if status < 400 and path.startswith(_QUIET):
        return
    client = scope.get("client")
    _log.info(
        "request",
        method=scope["method"],
        path=path,
        status=status,
        seconds=round(seconds, 4),
        client=client[0] if client else None,
    )
