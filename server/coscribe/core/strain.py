"""What an update costs a room, so that whoever makes a text expensive pays for it with his own pace.

A letter takes the engine 3 us; in a text of 240,000 fragments, or where many type at one place without hearing each
other, up to 10 ms: the 4,000 messages a second that a socket may send would fill the loop many times over.
"""

from __future__ import annotations

# What an ordinary message may take of the engine: 4,000 a second of one socket are a twelfth of a core.
_ORDINARY_S = 0.000_02
# What a transaction takes whatever is in it, on a machine that does something else too.
_TRANSACTION_S = 0.000_1
# From here on what gathers until a tick would hold everybody up.
_SLOW_S = 0.001
# Of the newest transaction in the mean: a pause of the machine is forgotten after some letters.
_WEIGHT = 0.2
# What a room takes in of one socket, and what it may apply, before others have the loop.
_SLICE_S = 0.004
TURN_S = 0.02


class Strain:
    """The processor time of an update in this room."""

    __slots__ = ("_frame_s", "_mean_s")

    def __init__(self) -> None:
        # Of an update; and of a frame, of which many may have become one update.
        self._mean_s = self._frame_s = 0.0

    @property
    def cost(self) -> float:
        """What a frame with an update counts as, in ordinary messages, 1 at least."""
        return max(1.0, self._frame_s / _ORDINARY_S)

    @property
    def is_slow(self) -> bool:
        """Whether each update is too dear to wait for others, or to go by unweighed."""
        return self._mean_s > _SLOW_S

    def most_of_slice(self, most: int) -> int:
        """How many messages may be read of one socket before others are."""
        return most if self._frame_s * most <= _SLICE_S else max(1, int(_SLICE_S / self._frame_s))

    def most_of_turn(self, most: int) -> int:
        """How many updates go into one transaction."""
        return most if self._mean_s * most <= TURN_S else max(1, int(TURN_S / self._mean_s))

    def note(self, updates: int, seconds: float, frames: int | None = None) -> None:
        """Count a transaction, of so many updates; `frames` is as how many they came, where that is more."""
        own_s = max(0.0, seconds - _TRANSACTION_S)
        self._mean_s += _WEIGHT * (own_s / updates - self._mean_s)
        self._frame_s += _WEIGHT * (own_s / (frames or updates) - self._frame_s)
