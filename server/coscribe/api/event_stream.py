"""A response that is an event stream: once it has begun, its connection is an `EventLine` and no request any more."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from coscribe.api.access_log import tell_stream
from coscribe.api.event_line import EventLine, Source
from coscribe.api.http_connection import OwnHttp, connection_of
from coscribe.api.wiring import Wiring
from coscribe.errors import InvalidInput, Unavailable

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "Vary": "Accept, Cookie, Authorization",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Seat:
    """What a stream has until it ends: where its events come from, and how to give everything back."""

    source: Source
    leave: Callable[[], None]


class EventStream(Response):
    """Tells what the seat's source has; `enter` finds the seat, and its errors become problem responses."""

    def __init__(self, wiring: Wiring, enter: Callable[[], Awaitable[Seat]]) -> None:
        super().__init__(headers={**HEADERS, "Connection": "close"})
        del self.headers["content-length"]
        self._wiring = wiring
        self._enter = enter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the seat, send the head and hand the connection over."""
        del receive
        seat = await self._enter()
        with ExitStack() as stack:
            stack.callback(seat.leave)
            connection = self._connection(scope)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            transport = connection.give_away()
            if transport is None:
                return
            ended = _Ended(seat.leave, connection.leaving(), scope)
            EventLine(self._wiring.lines, seat.source, ended).begin(transport, connection.connections)
            stack.pop_all()  # not to be left now: the line does when it ends

    def _connection(self, scope: Scope) -> OwnHttp:
        if self._wiring.stop.is_set():
            raise Unavailable("The server is stopping.")
        connection = connection_of(scope)
        if connection.is_busy(scope):
            raise InvalidInput("An event stream takes a connection for itself; nothing else may be on its way there.")
        return connection


class _Ended:
    """What is done when a stream's connection is gone."""

    __slots__ = ("_began_at", "_client", "_leave", "_left", "_path")

    def __init__(self, leave: Callable[[], None], left: Callable[[], None], scope: Scope) -> None:
        self._leave = leave
        self._left = left
        self._began_at = time.monotonic()
        self._path: str = scope["path"]
        self._client: str | None = scope["client"][0] if scope.get("client") else None

    def __call__(self) -> None:
        try:
            self._leave()
        finally:
            self._left()
        tell_stream(self._path, self._began_at, self._client)
