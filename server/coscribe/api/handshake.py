"""A WebSocket's opening handshake, RFC 6455 section 4.2: from an upgrade request to a line, or to a refusal.

Nobody is let in by uvicorn: it puts the request together again, parses it once more and speaks ASGI for all that
follows, which takes 0.5 ms; somebody's coming as a whole may take 0.25 ms where everybody comes at once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import structlog
from starlette.types import ASGIApp, Message, Scope

from coscribe.api.access_log import tell_socket
from coscribe.api.frames import BINARY, CLOSE, Broken, close_frame, frame, read_head
from coscribe.api.line import Line
from coscribe.core.outbox import is_final
from coscribe.core.protocol import encode_denied
from coscribe.core.session import Session

_log = structlog.get_logger(__name__)

KEY = "coscribe.handshake"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16
_VERSION = b"13"
# RFC 9110, section 5.6.2: what a subprotocol is made of.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET_MOST_BYTES = 8192
# What a client may send before it is let in: its own copy's questions take 1 KB.
_EARLY_MOST_BYTES = 64 * 2**10
# What a client has to answer the close that refuses it.
_ANSWER_WITHIN_S = 10.0


class Handshake(asyncio.Protocol):
    """A connection from its upgrade request until its line takes over.

    `left` hears of its end where none does; `early` are bytes that came behind the request.
    """

    def __init__(
        self, scope: Scope, transport: asyncio.Transport, connections: set[Any], left: Callable[[], None], early: bytes
    ) -> None:
        self._scope = scope
        self._transport = transport
        self._connections = connections
        self.left = left
        self._began_at = time.monotonic()
        self._early = bytearray(early)
        self._is_accepted = self._is_over = self._is_gone = False
        connections.add(self)
        transport.set_protocol(self)

    async def run(self, app: ASGIApp, target: bytes) -> None:
        """Check the request and let the application decide."""
        raw_path, _, query = target.partition(b"?")
        self._scope.update(
            type="websocket",
            scheme="wss" if self._scope["scheme"] == "https" else "ws",
            path=unquote(raw_path.decode("latin-1")),
            raw_path=raw_path,
            query_string=query,
            subprotocols=_listed(self._values(b"sec-websocket-protocol")),
        )
        self._scope["state"][KEY] = self
        if (status := self._wrong()) is not None:
            self.reject(status)
            return
        try:
            await app(self._scope, _never, _nothing)
        except Exception:  # noqa: BLE001 - whatever it was, somebody waits for an answer
            _log.exception("socket_failed", path=self._scope["path"])
            self.refuse(1011, "Something went wrong on the server.")
        if not (self._is_over or self._is_gone):
            self.reject(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _values(self, name: bytes) -> list[bytes]:
        return [value for header, value in self._scope["headers"] if header == name]

    def _wrong(self) -> HTTPStatus | None:
        if self._scope["method"] != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED
        # A body would be read as frames, by us or by a proxy that counts differently.
        has_body = self._values(b"transfer-encoding") or any(int(n) for n in self._values(b"content-length"))
        if self._scope["http_version"] != "1.1" or has_body:
            return HTTPStatus.BAD_REQUEST
        if len(self._scope["raw_path"]) > _TARGET_MOST_BYTES:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        if not all(_TOKEN.fullmatch(protocol) for protocol in self._scope["subprotocols"]):
            return HTTPStatus.BAD_REQUEST
        if self._values(b"sec-websocket-version") != [_VERSION]:
            return HTTPStatus.UPGRADE_REQUIRED
        keys = self._values(b"sec-websocket-key")
        try:
            is_key = len(keys) == 1 and len(base64.b64decode(keys[0].strip(), validate=True)) == _KEY_BYTES
        except binascii.Error:
            is_key = False
        return None if is_key else HTTPStatus.BAD_REQUEST

    # What the application says

    def accept(self, subprotocol: str | None) -> None:
        """Tell the client that it is understood; it may be let in or refused then."""
        [key] = self._values(b"sec-websocket-key")
        answer = base64.b64encode(hashlib.sha1(key.strip() + _GUID, usedforsecurity=False).digest())
        chosen = b"" if subprotocol is None else b"Sec-WebSocket-Protocol: " + subprotocol.encode("latin-1") + b"\r\n"
        self._is_accepted = True
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + answer + b"\r\n" + chosen + b"\r\n"
        )

    def reject(self, status: HTTPStatus) -> None:
        """Answer with an HTTP status: there is no WebSocket."""
        self._end(status.value)
        version = b"Sec-WebSocket-Version: 13\r\n" if status is HTTPStatus.UPGRADE_REQUIRED else b""
        told = status.phrase.encode()
        head = b"HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n%s"
        self._transport.write(head % (status.value, told, len(told), version, told))
        self._transport.close()

    def refuse(self, code: int, reason: str) -> None:
        """End a WebSocket; a final code is preceded by permission denied, the only reason that stock clients show."""
        if self._is_gone:
            return
        if not self._is_accepted:
            self.reject(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        self._end(code)
        denied = frame(BINARY, encode_denied(reason)) if is_final(code) else b""
        self._transport.write(denied + close_frame(code, reason))
        if not self._transport.is_closing():
            self._transport.resume_reading()
            asyncio.get_running_loop().call_later(_ANSWER_WITHIN_S, self._transport.abort)
        self._look_for_close()

    def _end(self, status: int) -> None:
        self._is_over = True
        # What refers to itself would stay until the garbage collector comes by.
        self._scope["state"].pop(KEY, None)
        client = self._scope.get("client")
        tell_socket(self._scope["path"], status, self._began_at, client[0] if client else None)

    def hand_over(self, line: Line, session: Session) -> bool:
        """Let a line take over, with what has come already; False where the client has gone."""
        if self._is_gone or self._transport.is_closing():
            return False
        self._is_over = True
        self._connections.discard(self)
        line.begin(self._transport, session, bytes(self._early), self._connections)
        self._scope["state"].pop(KEY, None)
        return True

    # The connection

    def data_received(self, data: bytes) -> None:
        """Keep what comes for the line; where it was refused, look for the answer."""
        self._early += data
        if self._is_over:
            self._look_for_close()
        elif len(self._early) > _EARLY_MOST_BYTES:
            self._transport.pause_reading()

    def _look_for_close(self) -> None:
        try:
            while (head := read_head(self._early, 0, _EARLY_MOST_BYTES)) and head.end <= len(self._early):
                del self._early[: head.end]
                if head.opcode == CLOSE:
                    self._transport.close()
                    return
        except Broken:
            self._transport.close()

    def shutdown(self) -> None:
        """The server stops; uvicorn calls it."""
        if not self._is_over and self._is_accepted:
            self.refuse(1012, "The server is restarting.")
            self._transport.close()
        elif not self._is_over:
            self.reject(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        del exc
        self._is_gone = True
        self._connections.discard(self)
        self.left()


def _listed(values: Iterable[bytes]) -> list[str]:
    return [part.strip() for value in values for part in value.decode("latin-1").split(",")]


async def _never() -> Message:
    raise RuntimeError("a handshake gives no messages")


async def _nothing(message: Message) -> None:
    raise RuntimeError(f"a handshake takes no messages: {message['type']}")
