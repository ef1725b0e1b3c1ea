"""The reading half of a line: bytes to whole messages, held back where too much comes or something is to be waited for.

Sans-I/O but for the transport that is paused; RFC 6455's frames are told apart in frames.py.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from enum import Enum, auto
from typing import NamedTuple

from coscribe.api.frames import BINARY, CLOSE, Broken, Frame, Unfinished, payload_of, read_head, short_messages
from coscribe.api.lines import Lines
from coscribe.api.pace import Pace
from coscribe.api.telling import MOST_EXTRA, MOST_FRAMES, tell
from coscribe.api.writing import Writing
from coscribe.core.session import Session
from coscribe.rooms.sessions import Sessions


class State(Enum):
    """Where a line is in its life."""

    OPEN = auto()
    # Our close is on its way; of what comes only its answer counts.
    CLOSING = auto()
    # Nothing that comes is read any more.
    DEAF = auto()


class Read(NamedTuple):
    """How far a read came: where the rest begins, and how many bytes its first frame takes (0: it is whole).

    `whole` messages came to their end; `cost` counts all frames, in ordinary messages.
    """

    pos: int
    need: int
    whole: int
    cost: float


class Reading(Writing):
    """What a line does with what comes."""

    __slots__ = (
        "_heard_at",
        "_hold",
        "_kept_bytes",
        "_most_bytes",
        "_pace",
        "_session",
        "_sessions",
        "_state",
        "_unfinished",
    )

    def __init__(self, lines: Lines, sessions: Sessions, pace: Pace, most_bytes: int) -> None:
        super().__init__(lines)
        self._sessions = sessions
        self._pace = pace
        self._most_bytes = most_bytes
        self._session: Session
        self._state = State.OPEN
        self._unfinished: Unfinished | None = None
        # Why nothing is read: a timer, or True while a large update of the session is on its way.
        self._hold: asyncio.TimerHandle | bool = False
        self._heard_at = 0.0
        self._kept_bytes = 0

    @abstractmethod
    def _take_control(self, found: Frame) -> None:
        """Take a ping, a pong or a close."""

    @abstractmethod
    def _fail(self, code: int, reason: str) -> None:
        """End a connection that breaks the protocol."""

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._heard_at = self._lines.now()
        if self._state is State.DEAF:
            return
        unfinished = self._unfinished
        if unfinished is None and not self._hold:
            self._read(data)
        else:
            unfinished = self._unfinished = unfinished or Unfinished(self._heard_at)
            unfinished.came_bytes += len(data)
            unfinished.rest += data
            if not self._hold and len(unfinished.rest) >= unfinished.need:
                self._read(unfinished.take_rest())
        if self._kept_bytes or self._unfinished is not None:
            self._count_kept()

    def _count_kept(self) -> None:
        """Count what waits for its message to be whole: a hundred lines with half of 16 MB each have no place."""
        kept = self._unfinished.kept_bytes if self._unfinished is not None else 0
        self._lines.incoming.bytes += kept - self._kept_bytes
        self._kept_bytes = kept
        if kept and self._lines.incoming.is_full:
            self._fail(1013, "The server has no room for more large messages; try again in a moment.")

    def _read(self, data: bytes) -> None:
        """Read whole frames, a few hundred at most, and keep the rest."""
        try:
            read = self._read_frames(data)
        except Broken as error:
            self._fail(error.code, str(error))
            return
        is_left = read.pos < len(data)
        self._keep(data[read.pos :] if is_left else b"", read)
        wait_s = self._pace.spend(read.pos, read.cost)
        if self._pace.is_flooded:
            self._session.outbox.close(1013, "You have been sending too much for too long.")
        elif self._sessions.weighs(self._session.id):
            self._hold = True
            self._pause()
            self._lines.spawn(self._settle())
        elif wait_s or (is_left and not read.need):
            self._pause()
            self._hold = asyncio.get_running_loop().call_later(wait_s, self._go_on)
        elif self._state is State.OPEN and self._sessions.gather(self.read_on):
            self._pause()

    def _read_frames(self, data: bytes) -> Read:
        pos = need = frames = whole = 0
        extra = 0.0
        most = min(self._sessions.most_of_slice(MOST_FRAMES), self._pace.messages_left())
        while pos < len(data) and frames < most and extra <= MOST_EXTRA and self._state is not State.DEAF:
            is_fragmented = self._unfinished is not None and self._unfinished.is_fragmented
            messages, until = ([], pos) if is_fragmented else short_messages(data, pos, most - frames)
            if messages:
                taken, more = self._tell(messages)
                pos = until if taken == len(messages) else short_messages(data, pos, taken)[1]
                frames, whole, extra = frames + taken, whole + taken, extra + more
            else:
                until, message = self._frame_at(data, pos)
                if until > len(data):
                    need = until - pos
                    break
                pos = until
                frames += 1
                if message is not None:
                    whole += 1
                    extra += self._tell([message])[1]
            if self._sessions.weighs(self._session.id):
                break
        return Read(pos, need, whole, frames + extra)

    def _tell(self, messages: list[bytes]) -> tuple[int, float]:
        """Give the room messages; what comes behind our close counts for nothing."""
        return tell(self._sessions, self._session, messages) if self._state is State.OPEN else (len(messages), 0.0)

    def _frame_at(self, data: bytes, pos: int) -> tuple[int, bytes | None]:
        """Where a frame ends, beyond the data where it is not whole; and the message that it ends, if it does."""
        unfinished = self._unfinished
        head = read_head(data, pos, self._most_bytes - (unfinished.size if unfinished is not None else 0))
        if head is None or head.end > len(data):
            return len(data) + 1 if head is None else head.end, None
        return head.end, self._take(Frame(head.opcode, payload_of(data, head), head.is_final))

    def _take(self, found: Frame) -> bytes | None:
        """Take a frame that is no short message; gives the message that it ends."""
        if found.opcode >= CLOSE:
            self._take_control(found)
            return None
        if found.opcode == BINARY and found.is_final and not (self._unfinished and self._unfinished.is_fragmented):
            return found.payload
        self._unfinished = self._unfinished or Unfinished(self._lines.now())
        whole = self._unfinished.take(found)
        if whole is None or whole.opcode == BINARY:
            return None if whole is None else whole.payload
        try:
            whole.payload.decode()
        except UnicodeDecodeError:
            raise Broken(1007, "A text message is no UTF-8.") from None
        self._take_text(whole.payload)
        return None

    def _take_text(self, payload: bytes) -> None:
        """Take a text message, which this protocol does not have."""
        del payload
        self._session.outbox.close(4400, "Only binary messages are understood.")

    def _keep(self, rest: bytes, read: Read) -> None:
        """Keep what is not read; a message that ended does not count against the time of the next."""
        unfinished = self._unfinished
        if not rest and (unfinished is None or not unfinished.is_fragmented):
            self._unfinished = None
            return
        if unfinished is None:
            unfinished = self._unfinished = Unfinished(self._lines.now())
        if read.whole:
            unfinished.began_at, unfinished.came_bytes = self._lines.now(), 0
        unfinished.rest += rest
        unfinished.need = read.need

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    async def _settle(self) -> None:
        """Read on once the session's large update has come to its end: the next frame may build on it."""
        await self._sessions.settled(self._session)
        self._go_on()

    def _go_on(self) -> None:
        """Read on: what waits here first."""
        transport, unfinished = self._transport, self._unfinished
        if transport is None or transport.is_closing() or not self._hold:
            return
        if self._sessions.is_behind:
            self._hold = True
            self._sessions.hold_back(self._go_on)
            return
        self._hold = False
        self._heard_at = self._lines.now()
        if unfinished is not None and self._state is not State.DEAF:
            unfinished.began_at = self._heard_at
            if len(unfinished.rest) >= max(unfinished.need, 1):
                self._read(unfinished.take_rest())
        if not self._hold and not transport.is_closing():
            transport.resume_reading()

    def read_on(self) -> None:
        """Read again, after it was held back until the next tick."""
        if self._transport is not None and not (self._hold or self._transport.is_closing()):
            self._transport.resume_reading()

    def _unhold(self) -> None:
        """Read on, but only what ends the line."""
        if isinstance(self._hold, asyncio.TimerHandle):
            self._hold.cancel()
        if self._hold and self._transport is not None and not self._transport.is_closing():
            self._hold = False
            self._transport.resume_reading()
