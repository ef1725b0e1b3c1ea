"""How much of something all rooms of a process hold together, and how much they may."""

from __future__ import annotations


class Tally:
    """Bytes against a limit; whoever holds some adds them, and takes them off again."""

    __slots__ = ("bytes", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether more is held than may be."""
        return self.bytes > self.limit
