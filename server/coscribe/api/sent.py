"""What was sent of a session by requests, kept for who did not hear it."""

from __future__ import annotations

from collections import deque

# What was sent is kept up to so many bytes, since nobody says of a stream how far it came. Whoever lost more than a
# stream's connection holds begins anew, which costs him one state vector.
_KEPT_BYTES = 64 * 2**10


class Sent:
    """The last frames, by their numbers."""

    __slots__ = ("_bytes", "_first", "_frames", "_last")

    def __init__(self) -> None:
        # The number of the last that was sent; those that are kept, the first of which has this number; their size.
        self._last = 0
        self._frames: deque[bytes] = deque()
        self._first = 1
        self._bytes = 0

    def keep(self, frame: bytes) -> tuple[int, bytes]:
        """Note a frame that is sent next; gives its number with it."""
        self._frames.append(frame)
        self._bytes += len(frame)
        self._last += 1
        return self._last, frame

    def trim(self) -> None:
        """Drop what is too much; the last one stays however large it is."""
        while self._bytes > _KEPT_BYTES and len(self._frames) > 1:
            self._drop_first()

    def confirm(self, after: int) -> bool:
        """Forget every frame up to the number `after`; False where a later one is not kept any more."""
        if not self._first - 1 <= after <= self._last:
            return False
        while self._first <= after:
            self._drop_first()
        return True

    def numbered(self) -> list[tuple[int, bytes]]:
        """All that are kept, with their numbers."""
        return list(enumerate(self._frames, start=self._first))

    def forget(self) -> None:
        """Drop all of them."""
        self._frames.clear()
        self._bytes, self._first = 0, self._last + 1

    def _drop_first(self) -> None:
        self._bytes -= len(self._frames.popleft())
        self._first += 1
