"""When a room asks again for what it had no room for."""

from __future__ import annotations

import asyncio

from coscribe.core.exchange import Exchange

# It may be other rooms that were full, and other rooms' commits or ends that make room: nobody tells this one.
_LOOK_EVERY_S = 1.0


class Asking:
    """A timer that runs only while something was turned away. `watch` is called after whatever may have been."""

    __slots__ = ("_exchange", "_is_over", "_timer")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Ask at once if there is room, else look again."""
        if self._timer is None and not self._is_over and not self._exchange.ask_again():
            self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY_S, self._look)

    def stop(self) -> None:
        """The room is over."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        self.watch()
