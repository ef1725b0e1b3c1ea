"""When rooms flush: one clock for the process.

While the server has time, a room flushes in the turn of the loop in which something came: that is as quick as it can
be. Where it has none, all rooms flush at a tick of 2 to 40 ms: what is gathered by it goes through the engine, into the
log and to each reader's socket in one go, which costs a twentieth of doing it for each keystroke.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

# How often the use of the processor is looked at: above the first share the tick grows, below the second it shrinks.
_LOOK_EVERY_S = 0.05
_BUSY, _FREE = 0.75, 0.5
_GROW, _SHRINK = 1.6, 0.7
_FIRST_TICK_S, _LONGEST_TICK_S = 0.002, 0.04
# From this tick on sockets are read once for each: every read takes 7 us, however little it brings.
_GATHER_FROM_S = 0.01
# After so long without a flush the next one is immediate again.
_IDLE_S = 0.5
# A round over hundreds of rooms lets sockets be read in between.
_MOST_AT_ONCE_S = 0.005


class Turns:
    """The flushes that are due, and when they come."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # What is due at the next tick, and what is left of the round that is on its way.
        self._due: deque[Callable[[], None]] = deque()
        self._round: deque[Callable[[], None]] = deque()
        self._reads: list[Callable[[], None]] = []
        self._is_scheduled = False
        # How long a tick takes now, 0 while each turn of the loop is one.
        self.tick_s = 0.0
        self._ran_at = self._looked_at = self._loop.time()
        self._used_s = time.process_time()

    @property
    def is_busy(self) -> bool:
        """Whether the tick is so long that reading, too, is better done once for each."""
        return self.tick_s >= _GATHER_FROM_S

    def ask(self, flush: Callable[[], None], *, at_once: bool = False) -> None:
        """Have `flush` called at the next tick, or behind all sockets that are read in this turn."""
        if at_once:
            self._loop.call_soon(flush)
            return
        self._due.append(flush)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._schedule()

    def _schedule(self) -> None:
        now = self._loop.time()
        if now - self._ran_at > _IDLE_S:
            self.tick_s = 0.0
        wait_s = self._ran_at + self.tick_s - now
        if wait_s > 0 or self._reads:
            self._loop.call_later(max(0.0, wait_s), self._run)
        else:
            self._ran_at = now
            self._look(now)
            self._loop.call_soon(self._begin)

    def before(self, read: Callable[[], None]) -> None:
        """Have `read` called in front of the next round: what it makes come in goes into that round."""
        self._reads.append(read)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._schedule()

    def _run(self) -> None:
        """Begin a round."""
        self._ran_at = self._loop.time()
        self._look(self._ran_at)
        reads, self._reads = self._reads, []
        for read in reads:
            self._call(read)
        # Timers come before sockets in a turn of the loop, and this behind them.
        self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._round, self._due = self._due, self._round
        self._go_on()

    def _go_on(self) -> None:
        began = self._loop.time()
        while self._round:
            self._call(self._round.popleft())
            if self._loop.time() - began > _MOST_AT_ONCE_S:
                break
        if self._round:
            self._loop.call_soon(self._go_on)
        elif self._due or self._reads:
            self._schedule()
        else:
            self._is_scheduled = False

    def _call(self, flush: Callable[[], None]) -> None:
        """One room's failure must not take the turn of all others."""
        try:
            flush()
        except Exception as error:  # noqa: BLE001 - as above; the loop's handler writes it down
            self._loop.call_exception_handler({"message": "a room could not flush", "exception": error})

    def _look(self, now: float) -> None:
        passed_s = now - self._looked_at
        if passed_s < _LOOK_EVERY_S:
            return
        used_s = time.process_time()
        share = (used_s - self._used_s) / passed_s
        self._looked_at, self._used_s = now, used_s
        if share > _BUSY:
            self.tick_s = min(max(self.tick_s * _GROW, _FIRST_TICK_S), _LONGEST_TICK_S)
        elif share < _FREE:
            self.tick_s *= _SHRINK
            if self.tick_s < _FIRST_TICK_S / 2:
                self.tick_s = 0.0
