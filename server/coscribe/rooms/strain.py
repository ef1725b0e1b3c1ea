"""What an update costs a room, so that whoever makes a text expensive pays for it with his own pace.

A letter takes the engine 3 us; in a text of 240,000 fragments, which anybody who may write can make, 10 ms: the 200
messages a second that a socket may send would fill the loop twice over.
"""

from __future__ import annotations

# An ordinary message with all that it entails; beyond it an update counts as several.
_ORDINARY_S = 0.001
# Of the newest turn in the mean: a pause of the machine is forgotten after some letters.
_WEIGHT = 0.2


class Strain:
    """The processor time of an update in this room, as a number of ordinary messages, 1 at least."""

    __slots__ = ("_mean", "_tickets")

    def __init__(self) -> None:
        self._mean = 0.0
        self._tickets = 0

    @property
    def cost(self) -> float:
        """What an update counts as."""
        return max(1.0, self._mean)

    def note(self, tickets: int, seconds: float) -> None:
        """Count a turn in which all updates up to this ticket of the room were applied."""
        updates, self._tickets = tickets - self._tickets, tickets
        if updates > 0:
            self._mean += _WEIGHT * (seconds / _ORDINARY_S / updates - self._mean)
