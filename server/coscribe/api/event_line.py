"""The connection of an event stream from its head on: a reader's events to bytes.

It is the connection's asyncio protocol itself: a response that runs for hours through the framework keeps five tasks
and all that FastAPI made for the request, and each event takes three switches of tasks for each reader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from coscribe.api.lines import Lines
from coscribe.api.sse import KEEPALIVE, LAST, PREAMBLE
from coscribe.api.writing import WRITE_BYTES, Writing
from coscribe.rooms.feed_reader import FeedEvent

# A reader whose connection takes nothing for this long is cut (threat: it never reads); it resumes when it is back.
STALL_S = 20.0
# What a reader gets to take the last bytes when the server stops, which may last 5 s as a whole.
_STOP_WITHIN_S = 1.0
# Nobody who reads events has anything to say on the same connection.
_MOST_HEARD_BYTES = 64 * 2**10


def _nobody() -> None:
    """Nobody takes the events any more."""


class Source(Protocol):
    """Where the events come from; `wake` is called when there are some, or it is closed."""

    wake: Callable[[], None]

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        ...

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to take."""
        ...

    def take(self, most_bytes: int) -> list[FeedEvent]:
        """The next events."""
        ...


class EventLine(Writing):
    """One event stream. `ended` is called once, when the connection is gone."""

    __slots__ = ("_ended", "_heard_bytes", "_is_over", "_source")

    def __init__(self, lines: Lines, source: Source, ended: Callable[[], None]) -> None:
        super().__init__(lines)
        self._source = source
        self._ended = ended
        self._heard_bytes = 0
        self._is_over = False

    def begin(self, transport: asyncio.Transport, connections: set[Any]) -> None:
        """Take a connection over behind the head of its response."""
        self._take_over(transport, connections)
        transport.write(PREAMBLE)
        self._source.wake = self.wake
        self.wake()
        if not transport.is_closing():
            transport.resume_reading()

    def flush(self) -> None:
        """Write what the source has, as much as the reader takes."""
        self._is_due = False
        transport, source = self._transport, self._source
        if transport is None or self._is_over:
            return
        if source.is_closed:
            self._end()
        elif self._unsent is None:
            events = source.take(WRITE_BYTES)
            if events:
                self._sent_at = self._lines.now()
                told = self._lines.told
                transport.write(told(events[0]) if len(events) == 1 else b"".join(map(told, events)))
            if source.is_waiting and self._unsent is None:
                self.wake()

    def beat(self, now: float, *, is_late: bool) -> None:
        """Give a sign of life, and cut who takes nothing, of the last bytes too."""
        transport = self._transport
        if transport is None:
            return
        if is_late:
            self._moved_at = now
        if self._unsent is None and not self._is_over:
            if now - self._sent_at > self._lines.keepalive_s - self._lines.beat_s:
                self._sent_at = now
                transport.write(KEEPALIVE)
        elif not self._has_moved(now, transport) and now - self._moved_at > STALL_S:
            transport.abort()

    def _end(self) -> None:
        """End the response in good order, as soon as its reader has taken what it was sent."""
        if self._transport is not None and not self._is_over:
            self._is_over, self._moved_at = True, self._lines.now()
            self._transport.write(LAST)
            self._transport.close()

    def shutdown(self) -> None:
        """End the stream since the server stops; uvicorn calls it."""
        self._end()
        if self._transport is not None:
            asyncio.get_running_loop().call_later(_STOP_WITHIN_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        """What a reader says does not matter, as long as it is little."""
        self._heard_bytes += len(data)
        if self._heard_bytes > _MOST_HEARD_BYTES:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        del exc
        self._let_go()
        self._source.wake = _nobody  # who would refer to this, and this to it
        self._ended()
