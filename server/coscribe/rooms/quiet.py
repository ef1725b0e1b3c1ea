"""When a document is quiet: a second after a commit, and a second after the last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# Quiet enough to derive the title and to compare digests.
_QUIET_S = 1.0


class Quiet:
    """The timer of one room. `paused` is called each second of commits, `rested` when there are no more."""

    def __init__(self, seq: Callable[[], int], paused: Callable[[], None], rested: Callable[[], None]) -> None:
        self._seq = seq
        self._paused = paused
        self._rested = rested
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    def watch(self) -> None:
        """Something was committed."""
        if self._timer is None and not self._is_over:
            self._timer = self._loop.call_later(_QUIET_S, self._look, self._seq())

    def stop(self) -> None:
        """The room is over."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, seq: int) -> None:
        self._timer = None
        self._paused()
        if seq != self._seq():
            self.watch()
        else:
            self._rested()
