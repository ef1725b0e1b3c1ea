"""What of one document waits for the disk, in bytes, and how much of it may (rule D8)."""

from __future__ import annotations

from collections.abc import Sequence

from coscribe.core.tally import Tally

# What an accepted keystroke takes until it is durable, beside its bytes (measured: 979 bytes for 12).
ENTRY_OVERHEAD = 900


class Reserve:
    """`payload_bytes` of updates, which take `memory_bytes`; `together` counts those of all rooms."""

    __slots__ = ("_most_bytes", "_together", "memory_bytes", "payload_bytes")

    def __init__(self, most_bytes: int, together: Tally | None) -> None:
        self._most_bytes = most_bytes
        self._together = together
        self.payload_bytes = self.memory_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether more waits than the room, or all of them together, may keep."""
        together = self._together
        return self.memory_bytes > self._most_bytes or (together is not None and together.is_full)

    def hold(self, updates: Sequence[bytes], sign: int = 1) -> None:
        """Count updates that wait for the disk; with -1 those that wait no longer."""
        payload_bytes = sign * sum(map(len, updates))
        self.hold_bytes(payload_bytes, payload_bytes + sign * len(updates) * ENTRY_OVERHEAD)

    def hold_bytes(self, payload_bytes: int, memory_bytes: int) -> None:
        """Count bytes of updates, and what they take."""
        self.payload_bytes += payload_bytes
        self.memory_bytes += memory_bytes
        if self._together is not None:
            self._together.bytes += memory_bytes

    def clear(self) -> None:
        """Nothing waits any more."""
        self.hold_bytes(-self.payload_bytes, -self.memory_bytes)
