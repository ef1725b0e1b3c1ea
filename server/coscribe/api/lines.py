"""All lines of a server, WebSockets and event streams.

What is written at the end of a turn, and the beat that notices dead ones.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from coscribe.api.frames import BINARY, frame
from coscribe.api.sse import chunk, event_bytes
from coscribe.core.tally import Tally
from coscribe.rooms.feed_reader import FeedEvent

# A round over a thousand sockets takes 7 ms: others are read in between.
_MOST_AT_ONCE = 200
# So many of the largest messages may be on their way at the same time.
_MOST_MESSAGES = 16
# How often each line is looked after; `keepalive_s` may be shorter.
_BEAT_S = 2.0
_PARTS = 10
# A loop that was late by more than this could not hear anybody: nobody is dead for that.
_LATE_S = 1.0
# Frames that many lines are owed in one turn, in the form in which they are written.
_MOST_WIRES = 256


class Beating(Protocol):
    """A line as it is seen from here."""

    def flush(self) -> None:
        """Write what is owed."""
        ...

    def beat(self, now: float, *, is_late: bool) -> None:
        """Look after the line; `is_late` says that the loop has stood still."""
        ...

    def abort(self) -> None:
        """Cut the line."""
        ...


class Lines:
    """The lines that are open. `start` begins the beat, `close` ends it and every task."""

    def __init__(self, keepalive_s: float, most_message_bytes: int) -> None:
        self.keepalive_s = keepalive_s
        # What all lines together keep of messages that are not whole.
        self.incoming = Tally(_MOST_MESSAGES * most_message_bytes)
        self.beat_s = min(_BEAT_S, keepalive_s / 2)
        self._loop = asyncio.get_running_loop()
        self._due: deque[Beating] = deque()
        self._is_scheduled = False
        self._parts: list[set[Beating]] = [set() for _ in range(_PARTS)]
        self._next = 0
        self._beats_at = self._loop.time()
        # How many parts are still to be spared, since the loop stood still.
        self._late = 0
        self._timer: asyncio.TimerHandle | None = None
        self._wires: dict[bytes, bytes] = {}
        # By identity, which is why the events are kept beside their bytes.
        self._told: dict[int, tuple[FeedEvent, bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._beat()

    def now(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def add(self, line: Beating) -> None:
        """Look after a line from now on."""
        min(self._parts, key=len).add(line)

    def remove(self, line: Beating) -> None:
        """The line has ended."""
        for part in self._parts:
            part.discard(line)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what a line has to wait for; that it failed is written down."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._loop.call_exception_handler({"message": "a line's work failed", "exception": error, "task": task})

    async def close(self) -> None:
        """End the beat and what is waited for."""
        if self._timer is not None:
            self._timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wire(self, message: bytes) -> bytes:
        """A message as a frame; what many lines are told is put together once."""
        found = self._wires.get(message)
        if found is None:
            if len(self._wires) >= _MOST_WIRES:
                self._wires.clear()
            found = self._wires[message] = frame(BINARY, message)
        return found

    def told(self, event: FeedEvent) -> bytes:
        """An event as a chunk of a stream; what many readers are told is put together once."""
        found = self._told.get(id(event))
        if found is None:
            if len(self._told) >= _MOST_WIRES:
                self._told.clear()
            found = self._told[id(event)] = event, chunk(event_bytes(event))
        return found[1]

    def wake(self, line: Beating) -> None:
        """Have a line flushed at the end of this turn of the loop."""
        self._due.append(line)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        for _ in range(min(len(self._due), _MOST_AT_ONCE)):
            line = self._due.popleft()
            try:  # as _isolated does: this runs for each reader of each letter
                line.flush()
            except Exception as error:  # noqa: BLE001 - as there
                self._failed(line, error)
        if self._due:
            self._loop.call_soon(self._flush)
        else:
            self._is_scheduled = False
            self._wires.clear()
            self._told.clear()

    def _isolated(self, line: Beating, work: Callable[[], None]) -> None:
        """One line's failure must not end the rounds of all others; what it was owed may be gone with it."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(line, error)

    def _failed(self, line: Beating, error: Exception) -> None:
        self._loop.call_exception_handler({"message": "a line failed", "exception": error})  # which writes it down
        line.abort()

    def _beat(self) -> None:
        now = self._loop.time()
        if now - self._beats_at > _LATE_S:
            self._late = _PARTS
        is_late = self._late > 0
        self._late -= is_late
        for line in tuple(self._parts[self._next]):
            self._isolated(line, partial(line.beat, now, is_late=is_late))
        self._next = (self._next + 1) % _PARTS
        self._beats_at = now + self.beat_s / _PARTS
        self._timer = self._loop.call_at(self._beats_at, self._beat)
