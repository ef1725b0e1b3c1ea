"""Uvicorn's protocols with what hostile peers make necessary.

- An application may cut a connection whose reader does not read. Closing it the usual way waits for the reader to take
  what is buffered, which never happens: it would hold memory, and the server's stop, for as long as the peer likes.
- The head of a request has a size and a time, a WebSocket message a time: uvicorn has no bound for any of them.
- What a peer makes the server keep costs no more memory than the peer sent: fragments are put together as they come,
  and pings of a peer that reads nothing are answered when it reads.
- Frames that are no message (pings, fragments) cost time too: who sends them in floods is read more slowly.
"""

from __future__ import annotations

from asyncio import TimerHandle
from asyncio.transports import BaseTransport, Transport
from typing import cast

from starlette.types import Scope
from uvicorn._types import ASGIReceiveEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from coscribe.core.rate import Meter, Rate

_KEY = "coscribe.abort"

# Cookies, a token and whatever proxies add stay below a tenth of it; nginx allows 32 KB.
HEAD_MOST_BYTES = 64 * 2**10
# From the connection, or the first byte of a later request, to the end of the head.
HEAD_WITHIN_S = 10.0
# A message may take so long, and a second more for each of these bytes that have come: half the upload of a slow phone.
MESSAGE_WITHIN_S = 10.0
MESSAGE_BYTES_PER_S = 4 * 2**10
# A frame takes 8 us: 4 % of a core. 16 MB in the fragments of a browser (128 KB) are 128 frames.
FRAMES = Rate(per_s=5_000, burst=5_000)
# The transport reads 256 KB at once, which may be 37,000 pings: 0.3 s of everybody's time. This much takes 20 ms.
_SLICE_BYTES = 2**14

_TOO_LONG = b"The head of the request is too long."
_HEAD_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(_TOO_LONG), _TOO_LONG)
)


class CuttableHttp(HttpToolsProtocol):
    """Pass this class to uvicorn as `http`."""

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
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MOST_BYTES:
                self.transport.write(_HEAD_TOO_LONG)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins: its scope learns how to cut the connection."""
        super().on_message_begin()
        self.scope["state"][_KEY] = self.transport.abort
        if not self._in_head:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is here, an upgrade's too."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self._head_timer = self.loop.call_later(HEAD_WITHIN_S, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()


class CuttableWebSocket(WebSocketsSansIOProtocol):
    """Pass this class to uvicorn as `ws`."""

    _pong = b""
    # Bytes of a frame that is not whole yet.
    _unparsed = 0
    _new_frames = 0
    _is_fragmented = False
    _message_timer: TimerHandle | None = None
    _message_began = 0.0
    _message_bytes = 0
    _hold_timer: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """A connection was upgraded: its scope, which is made of `app_state`, learns how to cut it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _KEY: cast(Transport, transport).abort}
        self._fragments = bytearray()
        self._unread = bytearray()
        self._meter = Meter(FRAMES)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_message_timer()
        if self._hold_timer is not None:
            self._hold_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come; many at once are read a slice in a turn of the loop."""
        if self._unread or len(data) > _SLICE_BYTES:
            self._unread += data
            if self._hold_timer is None:
                self._read_slice()
        else:
            self._read(data)

    def _read_slice(self) -> None:
        data = bytes(self._unread[:_SLICE_BYTES])
        del self._unread[:_SLICE_BYTES]
        self._read(data)

    def _read(self, data: bytes) -> None:
        """Read bytes; a message that they begin and do not end has its time."""
        self._unparsed += len(data)
        super().data_received(data)
        if not (self._is_fragmented or self._unparsed > 0):
            self._stop_message_timer()
        elif self._message_timer is None:
            self._begin_message(len(data))
        else:
            self._message_bytes += len(data)
        self._keep_pace()

    async def receive(self) -> ASGIReceiveEvent:
        """The next message; taking it does not end a hold."""
        message = await super().receive()
        if self._hold_timer is not None and not self.transport.is_closing():
            self.transport.pause_reading()
        return message

    def handle_connect(self, event: Request) -> None:
        """The handshake, which uvicorn puts together anew, is no frame."""
        self._unparsed = 0
        super().handle_connect(event)

    def handle_text(self, event: Frame) -> None:
        """A text message begins."""
        self.curr_msg_data_type = "text"
        self._begin_fragments(event)

    def handle_bytes(self, event: Frame) -> None:
        """A binary message begins."""
        self.curr_msg_data_type = "bytes"
        self._begin_fragments(event)

    def handle_cont(self, event: Frame) -> None:
        """A message goes on: a list of its parts would cost fifty times their bytes, and empty ones are without end."""
        self._fragments += event.data
        if event.fin:
            self.frames, self._fragments, self._is_fragmented = [bytes(self._fragments)], bytearray(), False
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        """Hand a message on; text that is no UTF-8 ends the connection (1007) and is not worth a trace in the log."""
        self._stop_message_timer()  # if bytes of a next message have come with it, data_received starts it anew
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:
                self._fail(1007)
                return
        super().send_receive_event_to_app()

    def handle_events(self) -> None:
        """Frames have come."""
        for event in self.conn.events:
            if isinstance(event, Frame):
                self._new_frames += 1
                self._unparsed -= _length(event)
        super().handle_events()

    def handle_ping(self) -> None:
        """Answer a ping; who reads nothing is owed the newest answer only (RFC 6455, 5.5.3)."""
        answer = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(answer)
        else:
            self._pong = answer

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        if self._pong:
            self.transport.write(self._pong)
            self._pong = b""

    def _begin_fragments(self, event: Frame) -> None:
        if event.fin:
            self.frames = [bytes(event.data)]
            self.send_receive_event_to_app()
        else:
            self._fragments, self._is_fragmented = bytearray(event.data), True

    def _begin_message(self, received: int) -> None:
        self._message_began, self._message_bytes = self.loop.time(), received
        self._message_timer = self.loop.call_later(MESSAGE_WITHIN_S, self._look_at_message)

    def _look_at_message(self) -> None:
        self._message_timer = None
        if self.read_paused or self._hold_timer is not None:  # it is us who do not read
            self._begin_message(0)
            return
        due = self._message_began + MESSAGE_WITHIN_S + self._message_bytes / MESSAGE_BYTES_PER_S
        left = due - self.loop.time()
        if left > 0:
            self._message_timer = self.loop.call_later(left, self._look_at_message)
        elif not (self.close_sent or self.transport.is_closing()):
            self._fail(1008, "The message took too long.")

    def _stop_message_timer(self) -> None:
        if self._message_timer is not None:
            self._message_timer.cancel()
            self._message_timer = None

    def _keep_pace(self) -> None:
        """Stop reading for as long as the frames that came are worth, and while a slice is left."""
        wait_s = self._meter.spend(self._new_frames, self.loop.time())
        self._new_frames = 0
        if (wait_s > 0 or self._unread) and self._hold_timer is None and not self.transport.is_closing():
            self.transport.pause_reading()
            self._hold_timer = self.loop.call_later(wait_s, self._end_hold)

    def _end_hold(self) -> None:
        self._hold_timer = None
        if self._unread and not self.transport.is_closing():
            self._read_slice()
        if not (self._hold_timer or self.read_paused or self.transport.is_closing()):
            self.transport.resume_reading()

    def _fail(self, code: int, reason: str = "") -> None:
        self.conn.fail(code, reason)
        self.handle_parser_exception()


def _length(frame: Frame) -> int:
    """The bytes of a client's frame: header, mask and payload."""
    payload = len(frame.data)
    return payload + (6 if payload < 126 else 8 if payload < 2**16 else 14)


def cut(scope: Scope) -> None:
    """Cut the connection of a request or a WebSocket at once; what is still buffered for its reader is lost."""
    scope["state"][_KEY]()
