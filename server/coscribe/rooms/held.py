"""A loaded room, and how many hold it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coscribe.errors import Unavailable
from coscribe.rooms.compaction import Tail
from coscribe.rooms.room import Room


class Held:
    """Counts who holds a room; `expiry` is when it is looked at again while nobody does."""

    __slots__ = ("expiry", "holders", "room", "tail")

    def __init__(self, room: Room, tail: Tail) -> None:
        self.room = room
        self.tail = tail
        self.holders = 0
        self.expiry: asyncio.TimerHandle | None = None

    def hold(self) -> None:
        """Keep it."""
        self.holders += 1
        self.stop_clock()

    def expire_after(self, after_s: float, expire: Callable[[Held], None]) -> None:
        """Have it looked at in a while."""
        self.expiry = asyncio.get_running_loop().call_later(after_s, self._expire, expire)

    def _expire(self, expire: Callable[[Held], None]) -> None:
        self.expiry = None
        expire(self)

    def stop_clock(self) -> None:
        """Do not have it looked at any more."""
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None


async def loaded(loading: asyncio.Task[Held]) -> Held:
    """The room that a task loads. Raises Unavailable.

    Shielded: the first to ask may leave before it is there, the others still want it.
    """
    try:
        return await asyncio.shield(loading)
    except asyncio.CancelledError:
        if loading.cancelled():
            raise Unavailable("The server is restarting.") from None
        raise
