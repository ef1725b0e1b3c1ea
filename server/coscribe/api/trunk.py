"""What the documents of one Hocuspocus socket are owed, put together behind their addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from coscribe.api.stay import Stay
from coscribe.core import hocuspocus
from coscribe.core.hocuspocus import HocuspocusSession
from coscribe.core.outbox import Closing, is_final

# What may come for a document before its token has, and while it is opened.
_EARLY_MOST_BYTES = 64 * 2**10
_EARLY_OVERHEAD = 100
# What may wait to be sent beside what the documents are owed; who reads nothing is let go.
_OWN_MOST_BYTES = 64 * 2**10
# Ended by what was sent: all other ends are told as a denial, upon which an application looks for another way in.
_CLOSED = frozenset((4400, 4413))


def _unheard() -> None:
    """Nobody takes anything yet."""


class Channel:
    """One address: its stay once its caller has come in, and what came before that."""

    __slots__ = ("early", "early_bytes", "entering", "prefix", "stay", "timer")

    def __init__(self, address: bytes) -> None:
        self.prefix = hocuspocus.prefix_of(address)
        self.stay: Stay | None = None
        self.early: list[hocuspocus.Addressed] = []
        self.early_bytes = 0
        self.entering: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def session(self) -> HocuspocusSession | None:
        """The session, once there is one."""
        return cast(HocuspocusSession, self.stay.session) if self.stay is not None else None

    def keep(self, found: hocuspocus.Addressed) -> bool:
        """Keep a message until there is a session; False where that is too much."""
        self.early.append(found)
        self.early_bytes += len(found.message) + _EARLY_OVERHEAD
        return self.early_bytes <= _EARLY_MOST_BYTES

    def stop_waiting(self) -> None:
        """The token has come."""
        if self.timer is not None:
            self.timer.cancel()

    def leave(self, code: int) -> None:
        """Give everything back."""
        self.stop_waiting()
        if self.entering is not None:
            self.entering.cancel()
        stay, self.stay = self.stay, None
        if stay is not None:
            stay.leave()
            stay.tell_end("hocuspocus", code)


class Trunk:
    """What the documents of a socket are owed together, as a line sees an outbox."""

    __slots__ = ("_channels", "_ended", "_own", "_own_bytes", "closing", "wake")

    def __init__(self, channels: dict[bytes, Channel], ended: Callable[[bytes], object]) -> None:
        self._channels = channels
        self._ended = ended
        # What is said about documents that are not open, and that one is.
        self._own: list[bytes] = []
        self._own_bytes = 0
        self.closing: Closing | None = None
        self.wake: Callable[[], None] = _unheard

    def say(self, frame: bytes) -> None:
        """Send a frame in front of what the documents are owed."""
        self._own.append(frame)
        self._own_bytes += len(frame)
        if self._own_bytes > _OWN_MOST_BYTES:
            self.close(1013, "You are not reading what is sent.")
        self.wake()

    def answer_ping(self) -> None:
        """Send one answer, however many ask for it meanwhile."""
        if hocuspocus.PONG not in self._own:
            self.say(hocuspocus.PONG)

    def close(self, code: int, reason: str) -> None:
        """End the socket once what is queued was sent."""
        self.closing = self.closing or Closing(code, reason)
        self.wake()

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._own) or any(
            session.outbox.is_waiting or session.outbox.closing is not None for session in self._sessions
        )

    @property
    def is_stale(self) -> bool:
        """Whether a document's session was left without something that others typed."""
        return any(session.outbox.is_stale for session in self._sessions)

    @property
    def _sessions(self) -> list[HocuspocusSession]:
        return [session for channel in self._channels.values() if (session := channel.session) is not None]

    def take(self, most_bytes: int | None = None) -> list[bytes]:
        """The next frames: about so many bytes of each document."""
        frames, self._own, self._own_bytes = self._own, [], 0
        for address, channel in tuple(self._channels.items()):
            session = channel.session
            if session is None:
                continue
            closing = session.outbox.closing
            if closing is not None and closing.is_at_once:
                session.outbox.take()
            for message in session.outbox.take(most_bytes):
                session.sending(message)
                frames.append(channel.prefix + message)
            if closing is not None and not session.outbox.is_waiting:
                frames += self._end(address, channel, closing)
        return frames

    def _end(self, address: bytes, channel: Channel, closing: Closing) -> list[bytes]:
        """A document's conversation is over: for ever, or until the socket comes back."""
        self._ended(address)
        channel.leave(closing.code)
        if not is_final(closing.code):
            self.close(closing.code, closing.reason)
            return []
        told = hocuspocus.encode_close if closing.code in _CLOSED else hocuspocus.encode_denied
        return [channel.prefix + told(closing.reason)]
