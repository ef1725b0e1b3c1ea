"""When rooms flush: in the turn of the loop in which something came, or, where the server has no time, at a tick.

A flush at once is as quick as it can be. What is gathered for 2 to 40 ms goes through the engine, into the log and to
each reader's socket in one go, which costs a twentieth of doing it for each keystroke. Each room has its own beat: if
all flushed together, whoever comes last would wait for the work of all others on top of the tick.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

# How often the use of the processor is looked at: above the first share the tick grows, below the second it shrinks.
_LOOK_EVERY_S = 0.05
_BUSY, _FREE = 0.85, 0.7
_GROW, _SHRINK = 1.6, 0.7
_FIRST_TICK_S, _LONGEST_TICK_S = 0.002, 0.04
# From this tick on sockets are read once for each: every read takes 7 us, however little it brings.
_GATHER_FROM_S = 0.01
# After so long without a flush of any room the next one is immediate again.
_IDLE_S = 0.5


class Turns:
    """The tick of all rooms of the process."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        # How long a tick takes now, 0 while each turn of the loop is one.
        self.tick_s = 0.0
        self._looked_at = self.loop.time()
        self._used_s = time.process_time()

    @property
    def is_busy(self) -> bool:
        """Whether the tick is so long that reading, too, is better done once for each."""
        return self.tick_s >= _GATHER_FROM_S

    def look(self, now: float) -> None:
        """Look at the use of the processor, and make the tick longer or shorter; a room flushes."""
        passed_s = now - self._looked_at
        if passed_s < _LOOK_EVERY_S:
            return
        used_s = time.process_time()
        share = (used_s - self._used_s) / passed_s
        self._looked_at, self._used_s = now, used_s
        if passed_s > _IDLE_S and share < _BUSY:
            self.tick_s = 0.0
        elif share > _BUSY:
            self.tick_s = min(max(self.tick_s * _GROW, _FIRST_TICK_S), _LONGEST_TICK_S)
        elif share < _FREE:
            self.tick_s *= _SHRINK
            if self.tick_s < _FIRST_TICK_S / 2:
                self.tick_s = 0.0


class Turn:
    """One room's turn; `flush` is called once for all that asked for it, behind all sockets that were read before.

    Where it says that there is more, it is called again in the next turn of the loop, and nothing is read before.
    """

    __slots__ = ("_flush", "_flushed_at", "_is_asked", "_reads", "is_behind", "turns")

    def __init__(self, turns: Turns, flush: Callable[[], bool]) -> None:
        self.turns = turns
        self._flush = flush
        self._flushed_at = float("-inf")
        self._is_asked = False
        self.is_behind = False
        self._reads: list[Callable[[], None]] = []

    def ask(self, *, at_once: bool = False) -> None:
        """Have the room flushed at its next tick."""
        if self._is_asked:
            return
        self._is_asked = True
        loop, now = self.turns.loop, self.turns.loop.time()
        self.turns.look(now)
        if at_once or self._flushed_at + self.turns.tick_s <= now:
            loop.call_soon(self._read if self._reads else self._run)
        else:
            loop.call_at(self._flushed_at + self.turns.tick_s, self._read)

    def before(self, read: Callable[[], None]) -> None:
        """Have `read` called in front of the next flush: what it makes come in goes into that flush."""
        self._reads.append(read)
        self.ask()

    def _read(self) -> None:
        if not self.is_behind:
            reads, self._reads = self._reads, []
            for read in reads:
                read()
        # In a turn of the loop come timers, what is due soon, and then sockets: behind them is the next turn but one.
        self.turns.loop.call_soon(self.turns.loop.call_soon, self._run)

    def _run(self) -> None:
        self._is_asked = False
        self._flushed_at = self.turns.loop.time()
        was_behind, self.is_behind = self.is_behind, False
        if self._reads and not was_behind:
            self.ask()
        self.is_behind = self._flush()
        if self.is_behind and not self._is_asked:
            self._is_asked = True
            self.turns.loop.call_soon(self._run)
        elif self._reads:
            self.ask()
