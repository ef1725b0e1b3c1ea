"""One reader of a feed: what it is to be told, up to a budget."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from coscribe.core.units import Units
from coscribe.model import Principal

# What a stalled reader may owe (docs/protocol.md): 256 events or 1 MB, then it is closed.
_MAX_EVENTS = 256
_MAX_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event; `data` is JSON on one line, `position` None for presence, `size` the bytes of the data."""

    event: str
    position: str | None
    data: str
    size: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Measure it once for all who are told."""
        object.__setattr__(self, "size", len(self.data) if self.data.isascii() else len(self.data.encode()))


def _nobody() -> None:
    """Nobody waits for the reader's events."""


class FeedReader:
    """A bounded queue. `wake` is called when there is something to take, or the reader is closed.

    Thousands of them are idle: an empty list takes 56 bytes, a deque 760 and an event with its waiters more.
    """

    __slots__ = ("_asked", "_bytes", "_events", "is_closed", "link_id", "on_close", "principal", "units", "wake")

    def __init__(self, principal: Principal, units: Units, link_id: str | None) -> None:
        self.principal = principal
        self.units = units
        self.link_id = link_id
        self._events: list[FeedEvent] = []
        # So many in front are what it asked for, which does not count against the budget.
        self._asked = 0
        self._bytes = 0
        self.is_closed = False
        self.wake: Callable[[], None] = _nobody
        self.on_close: Callable[[FeedReader], None] | None = None

    def offer(self, event: FeedEvent) -> None:
        """Queue an event, or close where the budget is spent."""
        self._events.append(event)
        self._bytes += event.size
        if len(self._events) - self._asked > _MAX_EVENTS or self._bytes > _MAX_BYTES:
            self.close()
        else:
            self.wake()

    def prepend(self, events: Sequence[FeedEvent]) -> None:
        """Put what the reader asked for in front; it does not count against the budget."""
        self._events[:0] = events
        self._asked += len(events)
        self.wake()

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._events)

    def take(self, most_bytes: int) -> list[FeedEvent]:
        """The next events, about as many bytes of data; one at least where there is one."""
        size = count = 0
        for event in self._events:
            size += event.size
            if count and size > most_bytes:
                break
            count += 1
        taken = self._events[:count]
        del self._events[:count]
        self._bytes -= sum(event.size for event in taken[self._asked :])
        self._asked = max(0, self._asked - count)
        return taken

    async def next(self, timeout_s: float) -> FeedEvent | None:
        """The next event, None after `timeout_s` of silence. Raises StopAsyncIteration once closed."""
        if timeout_s > 0 and not self._events and not self.is_closed:
            ready = asyncio.Event()
            self.wake = ready.set
            try:
                async with asyncio.timeout(timeout_s):
                    await ready.wait()
            except TimeoutError:
                return None
            finally:
                self.wake = _nobody
        if self.is_closed:
            raise StopAsyncIteration
        return self.take(0)[0] if self._events else None

    def close(self) -> None:
        """End the reading; what is queued is dropped, the reader resumes from its position."""
        if not self.is_closed:
            self.is_closed = True
            self._events.clear()
            self.wake()
            if self.on_close is not None:
                self.on_close(self)
