"""What a session is owed: a bounded queue of frames, and the rule for a reader that falls behind (rule D7).

When the queue is full, what others typed is dropped from it and the session turns stale; what it missed is remembered
as clocks only. Once the line has drained, one diff makes it good. What is addressed to the session alone (acks,
notices, answers) is never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from coscribe.core.buffers import Buffers
from coscribe.core.update import Span

# What a queued frame of a keystroke takes beside its bytes (measured: 109 bytes for 12).
FRAME_OVERHEAD = 100
_AT_ONCE = frozenset((4401, 4403, 4404))
# Stands in the queue in the place of an answer's spans.
_ANSWER = (Span(-1, 0, 0),)


def _unheard() -> None:
    """Nobody takes anything, or not yet."""


def is_final(code: int) -> bool:
    """Whether a close code says that coming back with the same request cannot succeed."""
    return 4400 <= code <= 4499


@dataclass(frozen=True, slots=True)
class Closing:
    """How a session ends: a WebSocket close code and words for the person."""

    code: int
    reason: str

    @property
    def is_at_once(self) -> bool:
        """Whether nothing that is queued is sent any more: the credential, the access or the document is gone."""
        return self.code in _AT_ONCE


class Outbox:
    """Frames on their way to one client. `wake` is called when something is there to be taken.

    `buffers` is what all outboxes together may hold, until `end`; nothing bounds one without but its own limit.
    """

    __slots__ = ("_answered", "_buffers", "_bytes", "_frames", "_limit", "_missing", "closing", "wake")

    def __init__(self, limit_bytes: int, wake: Callable[[], None] = _unheard, buffers: Buffers | None = None) -> None:
        # The spans of what others typed, None for what is addressed to this session, _ANSWER for an answer. A list: an
        # empty deque takes 600 bytes for each idle session.
        self._frames: list[tuple[bytes, Iterable[Span] | None]] = []
        self._limit = limit_bytes
        self._bytes = 0
        self._answered = 0
        self._missing: dict[int, int] | None = None
        self._buffers = buffers
        if buffers is not None:
            buffers.open(self)
        self.wake = wake
        self.closing: Closing | None = None

    @property
    def held_bytes(self) -> int:
        """What is queued beside answers, with its overhead."""
        return self._bytes

    @property
    def is_stale(self) -> bool:
        """Whether frames were dropped and a diff is owed."""
        return self._missing is not None

    def share(self, frame: bytes, spans: Iterable[Span] = ()) -> None:
        """Queue what everybody gets; `spans` are the structs in it, by which a dropped frame is made good."""
        if self.closing is not None:
            return  # who lost access must not go on reading while his line is slow
        if self._missing is not None:
            _miss(self._missing, spans)
            return
        self._append(frame, spans)
        if self._bytes > self._limit:
            self._drop_shared()
        elif self._buffers is not None and self._buffers.is_full:
            self._buffers.relieve()

    def push(self, frame: bytes) -> None:
        """Queue an ack, a notice or a question; a client that reads none of them is let go (1013)."""
        self._append(frame, None)
        if self._bytes > 2 * self._limit:
            self.close(1013, "You are not reading what is sent.")

    def push_answer(self, frames: Iterable[bytes]) -> None:
        """Queue an answer that was asked for, whatever its size: all who join share its bytes.

        Its bytes count apart: who asked for much and takes it slowly is no client that reads nothing.
        """
        for frame in frames:
            self._frames.append((frame, _ANSWER))
            self._answered += len(frame)
        self.wake()

    @property
    def is_full(self) -> bool:
        """Whether answers that were asked for already are waiting, more of them than a session may owe."""
        return self._answered > self._limit

    def owe(self, spans: Iterable[Span]) -> None:
        """Leave an answer to the diff that a stale session gets; `spans` are the structs that it would have held."""
        missing = self._drop_shared() if self._missing is None else self._missing
        _miss(missing, spans)

    def _append(self, frame: bytes, spans: Iterable[Span] | None) -> None:
        self._frames.append((frame, spans))
        self._hold(len(frame) + FRAME_OVERHEAD)
        self.wake()

    def _hold(self, more_bytes: int) -> None:
        self._bytes += more_bytes
        if self._buffers is not None:
            self._buffers.bytes += more_bytes

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._frames)

    def take(self, most_bytes: int | None = None) -> list[bytes]:
        """Take what is queued, in order: all of it, or frames of about so many bytes, one at least."""
        queue, held = self._frames, self._bytes
        if most_bytes is not None and held + self._answered > most_bytes:
            return self._take_some(most_bytes)
        self._frames = []
        if self._buffers is not None:
            self._buffers.bytes -= held
        self._bytes = self._answered = 0
        return [frame for frame, _ in queue]

    def _take_some(self, most_bytes: int) -> list[bytes]:
        frames: list[bytes] = []
        size = held = 0
        for frame, spans in self._frames:
            if frames and size + len(frame) > most_bytes:
                break
            frames.append(frame)
            size += len(frame)
            held += 0 if spans is _ANSWER else len(frame) + FRAME_OVERHEAD
        self._answered -= sum(len(frame) for frame, spans in self._frames[: len(frames)] if spans is _ANSWER)
        self._frames = self._frames[len(frames) :]
        self._hold(-held)
        return frames

    def shed(self) -> None:
        """Turn stale, since all outboxes together hold too much."""
        if self._missing is None:
            self._drop_shared()

    def end(self) -> None:
        """Drop everything: the line is gone, and what comes now counts for nobody."""
        self.take()
        self.wake = _unheard
        if self._buffers is not None:
            self._buffers.close(self)
            self._buffers = None

    def take_missing(self) -> dict[int, int]:
        """Stop being stale; gives the first clock that each client's structs are missing from."""
        missing = self._missing or {}
        self._missing = None
        return missing

    def close(self, code: int, reason: str) -> None:
        """End the session once what is queued was sent; the first reason counts."""
        if self.closing is None:
            self.closing = Closing(code, reason)
        self.wake()

    def _drop_shared(self) -> dict[int, int]:
        if self._buffers is not None:
            self._buffers.stales += 1
        missing: dict[int, int] = {}
        kept: list[tuple[bytes, Iterable[Span] | None]] = []
        dropped = 0
        for frame, spans in self._frames:
            if spans is None or spans is _ANSWER:
                kept.append((frame, spans))
            else:
                dropped += len(frame) + FRAME_OVERHEAD
                _miss(missing, spans)
        self._hold(-dropped)
        self._frames, self._missing = kept, missing
        return missing


def _miss(missing: dict[int, int], spans: Iterable[Span]) -> None:
    for client, start, _ in spans:
        if start < missing.get(client, start + 1):
            missing[client] = start
