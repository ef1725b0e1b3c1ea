"""One log event for every request and socket, without queries and without the secrets of links."""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = structlog.get_logger(__name__)

# Probes and files come all day and say nothing; they are written down only when something is wrong with them.
_QUIET = ("/assets/", "/health/")


class AccessLog:
    """Writes down method, path, status and seconds when a response has ended or a socket is closed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] == "lifespan":
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
    """The HTTP status or close code that a message carries, 0 when it carries none."""
    if message["type"] == "http.response.start":
        return int(message["status"])
    if message["type"] == "websocket.close":
        return int(message.get("code", 1000))
    return 0


def _write(scope: Scope, status: int, seconds: float) -> None:
    path = scope["path"]
    if status < 400 and path.startswith(_QUIET):
        return
    client = scope.get("client")
    _log.info(
        "request" if scope["type"] == "http" else "socket",
        method=scope.get("method", "WS"),
        path=path,
        status=status,
        seconds=round(seconds, 4),
        client=client[0] if client else None,
    )
