"""A response that is an event stream: it ends when its reader leaves or stalls, its events end, or the server stops.

The framework's own streams keep uvicorn from stopping and never notice a reader that does not read, so this one watches
all of it at once. Format: WHATWG HTML, section 9.2 "Server-sent events".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from coscribe.api.http_connection import cut
from coscribe.api.wiring import Wiring
from coscribe.errors import CoscribeError, Unavailable

# A reader whose connection takes nothing for this long is cut (threat: it never reads); it resumes when it is back.
STALL_S = 20.0
# What a reader gets to take the last bytes when the server stops: stopping as a whole may last 5 s.
_FAREWELL_S = 1.0
# How soon a browser comes back after the stream broke; a restarted server is up again by then.
RETRY_MS = 2000

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "Vary": "Accept, Cookie, Authorization",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}
PREAMBLE = f"retry: {RETRY_MS}\n\n".encode()
KEEPALIVE = b":\n\n"

_log = logging.getLogger(__name__)


def event_bytes(event: str, position: str | None, data: str) -> bytes:
    """One event; `data` is JSON on one line, so no CR or LF in a text can forge another event."""
    identified = f"id: {position}\n" if position is not None else ""
    return f"event: {event}\n{identified}data: {data}\n\n".encode()


class EventStream(Response):
    """Sends what `chunks` yields; nothing before the first chunk, so that its errors become problem responses.

    `place` is held as long as the stream lasts.
    """

    def __init__(
        self, wiring: Wiring, place: AbstractContextManager[None], chunks: AsyncGenerator[bytes, None]
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._wiring = wiring
        self._place = place
        self._chunks = chunks
        self._sending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream from its first chunk to its end."""
        wiring = self._wiring
        async with aclosing(self._chunks) as chunks:
            with self._place:
                first = await anext(chunks)
                if wiring.stop.is_set():
                    raise Unavailable("The server is stopping.")
                pump = asyncio.create_task(self._pump(first, send))
                gone = asyncio.create_task(_disconnected(receive))
                stop = asyncio.create_task(wiring.stop.wait())
                try:
                    await asyncio.wait({pump, gone, stop}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await _cancel(pump, gone, stop)
                if gone.cancelled() and not await self._finish(pump, send):
                    cut(scope)
                    await _disconnected(receive)

    async def _pump(self, first: bytes, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await self._send(first, send, STALL_S)
        try:
            async for chunk in self._chunks:
                await self._send(chunk, send, STALL_S)
        except CoscribeError as error:
            _log.warning("an event stream ended early: %s", error)

    async def _send(self, chunk: bytes, send: Send, most_s: float, *, more: bool = True) -> None:
        self._sending = True
        async with asyncio.timeout(most_s):
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
        self._sending = False

    async def _finish(self, pump: asyncio.Task[None], send: Send) -> bool:
        """End the response in good order; False when its reader does not take even that."""
        failure = None if pump.cancelled() else pump.exception()
        if failure is not None and not isinstance(failure, TimeoutError):
            raise failure
        if self._sending:  # it timed out, or was cancelled, in the middle of a chunk that the reader does not take
            return False
        try:
            await self._send(b"", send, _FAREWELL_S, more=False)
        except TimeoutError:
            return False
        return True


async def _disconnected(receive: Receive) -> None:
    """Return when the reader has left."""
    while (await receive())["type"] != "http.disconnect":
        pass  # the rest of a request's body, which a GET has none of


async def _cancel(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
