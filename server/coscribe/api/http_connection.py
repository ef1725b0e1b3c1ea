"""Uvicorn's protocols with one thing more: an application may cut a connection whose reader does not read.

Closing such a connection the usual way waits for the reader to take what is buffered, which never happens: it would
hold memory, and the server's stop, for as long as the peer likes.
"""

from __future__ import annotations

from asyncio.transports import BaseTransport, Transport
from typing import cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_KEY = "coscribe.abort"


class CuttableHttp(HttpToolsProtocol):
    """Pass this class to uvicorn as `http`."""

    def on_message_begin(self) -> None:
        """A request begins: its scope learns how to cut the connection."""
        super().on_message_begin()
        self.scope["state"][_KEY] = self.transport.abort


class CuttableWebSocket(WebSocketsSansIOProtocol):
    """Pass this class to uvicorn as `ws`."""

    def connection_made(self, transport: BaseTransport) -> None:
        """A connection was upgraded: its scope, which is made of `app_state`, learns how to cut it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _KEY: cast(Transport, transport).abort}


def cut(scope: Scope) -> None:
    """Cut the connection of a request or a WebSocket at once; what is still buffered for its reader is lost."""
    scope["state"][_KEY]()
