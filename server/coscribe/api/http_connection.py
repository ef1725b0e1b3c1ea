"""Uvicorn's protocols with what hostile peers make necessary.

- An application may take a connection over behind the head of its response. Through uvicorn nobody can cut a reader
  that does not read: it would hold memory, and the server's stop, for as long as it likes.
- The head of a request has a size and a time: uvicorn has no bound for either.
- A WebSocket is no matter of uvicorn's.
"""

from __future__ import annotations

import sys
import weakref
from asyncio import TimerHandle
from asyncio.transports import Transport
from collections.abc import Callable
from typing import cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from coscribe.api.handshake import Handshake

_KEY = "coscribe.connection"

# Cookies, a token and whatever proxies add stay below a tenth of it; nginx allows 32 KB.
HEAD_MOST_BYTES = 64 * 2**10
# From the connection, or the first byte of a later request, to the end of the head.
HEAD_WITHIN_S = 10.0

_TOO_LONG = b"The head of the request is too long."
_HEAD_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(_TOO_LONG), _TOO_LONG)
)


class OwnHttp(HttpToolsProtocol):
    """Pass this class to uvicorn as `http`."""

    _data = b""
    _head_bytes = 0
    _in_head = True
    _head_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """A connection is made: its first request has to come."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._data = data
        super().data_received(data)
        self._data = b""
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MOST_BYTES:
                self.transport.write(_HEAD_TOO_LONG)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins: its scope learns whose it is."""
        super().on_message_begin()
        self.scope["state"][_KEY] = weakref.ref(self)
        if not self._in_head:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is here, an upgrade's too."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to a handshake of ours."""
        self.connections.discard(self)
        is_waiting = self.cycle is not None and not self.cycle.response_complete
        if is_waiting or self.flow.write_paused:
            # The answer to an earlier request would go into the WebSocket, or fill its buffer without its knowledge.
            self.transport.abort()
            return
        upgrade = sys.exception()  # uvicorn has caught it; it says how much of the data was the head
        early = self._data[upgrade.args[0] :] if upgrade is not None else b""
        handshake = Handshake(cast(Scope, self.scope), self.transport, self.connections, self.leaving(), early)
        task = self.loop.create_task(handshake.run(self.app, self.url))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
        self._forget_parser()

    def is_busy(self, scope: Scope) -> bool:
        """Whether the connection can not be given away in the middle of the answer to this request."""
        return self.cycle.scope is not scope or self._in_head or self.flow.write_paused

    def give_away(self) -> Transport | None:
        """Give the connection to somebody who writes the rest of the answer and closes it; None where it is gone."""
        self.cycle.disconnected = True  # what the application may still say goes nowhere
        if self.transport.is_closing():
            return None
        self.connections.discard(self)
        self._stop_timer()
        self._forget_parser()
        return self.transport

    def _forget_parser(self) -> None:
        # It and this refer to each other, and would stay until the garbage collector comes by.
        self.parser = None  # type: ignore[assignment]

    def leaving(self) -> Callable[[], None]:
        """What is to be called when the connection has ended after it was upgraded; it must not keep this in memory."""
        return lambda: None

    def _expect_head(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self._head_timer = self.loop.call_later(HEAD_WITHIN_S, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()


def connection_of(scope: Scope) -> OwnHttp:
    """The connection on which a request has come."""
    connection = scope["state"][_KEY]()
    if not isinstance(connection, OwnHttp):
        raise TypeError("the request has come on a connection of another class")
    return connection
