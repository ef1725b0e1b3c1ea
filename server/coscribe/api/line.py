"""The line of one WebSocket from its handshake on: bytes to messages for a room, a session's outbox to bytes.

It is the connection's asyncio protocol itself: through ASGI a message costs three switches of tasks and an object of
the framework each way, 60 us, and an idle socket 31 KB.

Whoever sends too much is read more slowly; whoever reads too slowly has an outbox with an end (rule D7); whoever gives
no sign of life, takes nothing, or never comes to the end of a message is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from coscribe.api.frames import BINARY, CLOSE, PING, PONG, Frame, check_close, close_frame, frame
from coscribe.api.lines import Lines
from coscribe.api.pace import Pace
from coscribe.api.reading import Reading, State
from coscribe.api.writing import WRITE_BYTES
from coscribe.core.outbox import Closing, Outbox, is_final
from coscribe.core.protocol import KEEPALIVE, encode_denied
from coscribe.core.session import Session
from coscribe.rooms.sessions import Sessions

# Without a sign of life for so long a line is asked for one, and then cut: 30 s after it died, at the latest.
_ASK_AFTER_S, _DEAD_AFTER_S = 13.0, 27.0
# A line that takes nothing for so long is cut.
_STALL_S = 30.0
# A message may take so long, and a second more for each of these bytes that have come: half the upload of a slow phone.
_MESSAGE_WITHIN_S = 10.0
_MESSAGE_BYTES_PER_S = 4 * 2**10
# What the other side has to answer a close, and to read one that ends the line.
_CLOSE_WITHIN_S = 10.0
_FAIL_WITHIN_S = 2.0


class Line(Reading):
    """One WebSocket in one room. `ended` is called once, when the connection is gone, with its close code."""

    __slots__ = ("_code", "_ended", "_pong")

    def __init__(
        self, lines: Lines, sessions: Sessions, pace: Pace, most_bytes: int, ended: Callable[[int], None]
    ) -> None:
        super().__init__(lines, sessions, pace, most_bytes)
        self._ended = ended
        # The newest ping that is to be answered once the line takes more (RFC 6455, 5.5.3).
        self._pong: bytes | None = None
        self._code = 1006

    def begin(self, transport: asyncio.Transport, session: Session, early: bytes, connections: set[Any]) -> None:
        """Take a connection over, with what has come on it already; `connections` are those that uvicorn shuts down."""
        self._session = session
        session.outbox.wake = self.wake
        self._heard_at = self._lines.now()
        self._take_over(transport, connections)
        self.wake()
        if not transport.is_closing():
            transport.resume_reading()
            self.data_received(early)

    # What the room says

    def flush(self) -> None:
        """Write what the outbox holds, as much as the line takes."""
        self._is_due = False
        transport, outbox, closing = self._transport, self._session.outbox, self._session.outbox.closing
        if transport is None or self._state is not State.OPEN:
            return
        if closing is not None and (self._unsent is not None or closing.is_at_once):
            outbox.take()  # who lost access reads no more, and who reads nothing is not waited for
            self._close(closing)
        elif self._unsent is None:
            self._write(transport, outbox)

    def _write(self, transport: asyncio.Transport, outbox: Outbox) -> None:
        messages = outbox.take(WRITE_BYTES)
        if messages:
            self._sent_at = self._lines.now()
            wire = self._lines.wire
            transport.write(wire(messages[0]) if len(messages) == 1 else b"".join(map(wire, messages)))
        if outbox.is_waiting:
            self.wake()
        elif outbox.closing is not None:
            self._close(outbox.closing)
        elif outbox.is_stale and self._unsent is None:
            self._sessions.drained(self._session)

    def _close(self, closing: Closing) -> None:
        """End the conversation; a final code is preceded by permission denied, the only reason stock clients show."""
        denied = self._denied(closing.reason) if is_final(closing.code) else b""
        self._end(denied, closing.code, closing.reason)

    def _denied(self, reason: str) -> bytes:
        return frame(BINARY, encode_denied(reason))

    def _sign(self) -> bytes:
        return frame(BINARY, KEEPALIVE)

    def _end(self, last: bytes, code: int, reason: str) -> None:
        if self._transport is None or self._state is not State.OPEN:
            return
        self._state, self._code = State.CLOSING, code
        self._unhold()
        self._transport.write(last + close_frame(code, reason))
        asyncio.get_running_loop().call_later(_CLOSE_WITHIN_S, self._transport.abort)

    # What the other side says

    def _take_control(self, found: Frame) -> None:
        if found.opcode == PING:
            if self._unsent is not None:
                self._pong = found.payload
            elif self._state is State.OPEN and self._transport is not None:
                self._transport.write(frame(PONG, found.payload))
        elif found.opcode == CLOSE:
            check_close(found.payload)
            self._answer_close(found.payload)

    def _answer_close(self, payload: bytes) -> None:
        if self._transport is None:
            return
        if self._state is State.OPEN:
            self._code = int.from_bytes(payload[:2], "big") if payload else 1005
            self._transport.write(frame(CLOSE, payload[:2]))
        self._state = State.DEAF
        self._unhold()
        self._transport.close()  # which waits until all is taken that was sent
        asyncio.get_running_loop().call_later(_CLOSE_WITHIN_S, self._transport.abort)

    def _fail(self, code: int, reason: str) -> None:
        """End a connection that breaks the protocol."""
        self._end(b"", code, reason)
        self._hang_up()

    def _hang_up(self) -> None:
        """Say no more, and read to nobody until the other side has closed.

        Closing with bytes unread would reset the connection: who was typing would lose what he was sent last, the
        close frame too.
        """
        self._state, self._unfinished = State.DEAF, None
        transport = self._transport
        if transport is None:
            return
        try:
            if transport.can_write_eof():
                transport.write_eof()
                transport.resume_reading()
            else:
                transport.close()
        except OSError:  # it is gone; asyncio's own transport says so here
            transport.abort()
        asyncio.get_running_loop().call_later(_FAIL_WITHIN_S, transport.abort)

    def resume_writing(self) -> None:
        """The other side has taken what it was sent."""
        super().resume_writing()
        # No ping could be sent meanwhile: it is asked for now.
        self._heard_at = max(self._heard_at, self._lines.now() - _ASK_AFTER_S)
        if self._pong is not None and self._transport is not None and self._state is State.OPEN:
            self._transport.write(frame(PONG, self._pong))
        self._pong = None

    # The beat

    def beat(self, now: float, *, is_late: bool) -> None:
        """Ask for a sign of life, give one, and cut what gives none."""
        transport = self._transport
        if transport is None or self._state is not State.OPEN:
            return
        if is_late:  # we heard nobody ourselves
            self._heard_at = max(self._heard_at, now - _ASK_AFTER_S)
            self._moved_at = now
            if self._unfinished is not None:
                self._unfinished.began_at = now
        if self._is_dead(now, transport):
            transport.abort()
        elif self._is_dripping(now):
            self._fail(1008, "The message took too long.")
        else:
            self._give_sign(now, transport)

    def _is_dead(self, now: float, transport: asyncio.Transport) -> bool:
        if not self._hold and now - self._heard_at > _DEAD_AFTER_S:
            return True
        if self._unsent is None:
            return False
        if self._has_moved(now, transport):
            self._heard_at = now  # who takes what he is sent lives
        return now - self._moved_at > _STALL_S

    def _is_dripping(self, now: float) -> bool:
        unfinished = self._unfinished
        if unfinished is None or self._hold:
            return False
        return now - unfinished.began_at > _MESSAGE_WITHIN_S + unfinished.came_bytes / _MESSAGE_BYTES_PER_S

    def _give_sign(self, now: float, transport: asyncio.Transport) -> None:
        if self._unsent is not None:
            return
        sign = frame(PING, b"") if now - self._heard_at > _ASK_AFTER_S else b""
        if now - self._sent_at > self._lines.keepalive_s - self._lines.beat_s:
            sign += self._sign()
            self._sent_at = now
        if sign:
            transport.write(sign)

    # The end

    def shutdown(self) -> None:
        """End the line since the server stops; uvicorn calls it."""
        if self._state is State.OPEN:
            self.flush()
            self._end(b"", 1012, "The server is restarting.")
        self._hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        del exc
        self._unfinished = None
        self._count_kept()
        if isinstance(self._hold, asyncio.TimerHandle):
            self._hold.cancel()
        self._let_go()
        self._ended(self._code)
