"""What all outboxes of a process hold together: where that is too much, the largest give up what others typed (D7)."""

from __future__ import annotations

from typing import Protocol

from coscribe.core.tally import Tally

# After too much was held, this share of the limit may stay, so that the next frame does not look at all outboxes again.
_KEPT = 0.8


class Buffer(Protocol):
    """An outbox as seen from here."""

    @property
    def held_bytes(self) -> int:
        """What is queued and may be dropped, with its overhead."""
        ...

    def shed(self) -> None:
        """Drop it and turn stale: one diff makes it good."""
        ...


class Buffers(Tally):
    """The outboxes that are open, and what they hold."""

    __slots__ = ("_open", "sheds", "stales")

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._open: set[Buffer] = set()
        # How often a session turned stale, and how often that was because all together held too much.
        self.stales = 0
        self.sheds = 0

    def open(self, buffer: Buffer) -> None:
        """A session begins."""
        self._open.add(buffer)

    def close(self, buffer: Buffer) -> None:
        """A session has ended; what its outbox still held is gone with it."""
        self._open.discard(buffer)

    def relieve(self) -> None:
        """Turn sessions stale, those that owe most first, until enough is free."""
        for buffer in sorted(self._open, key=lambda buffer: buffer.held_bytes, reverse=True):
            if self.bytes <= self.limit * _KEPT:
                return
            buffer.shed()
            self.sheds += 1
