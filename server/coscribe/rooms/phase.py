"""The life of a room, as one machine."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, auto


class Phase(StrEnum):
    """Where a room is in its life."""

    # The registry reads it from the log; nobody is in it.
    LOADING = auto()
    LIVE = auto()
    # The log cannot be written: people go on, nothing is acked (rule D8).
    DEGRADED = auto()
    # The server stops: nobody may write any more, what was accepted is being saved.
    DRAINING = auto()
    CLOSED = auto()


_NEXT: Mapping[Phase, frozenset[Phase]] = {
    Phase.LOADING: frozenset({Phase.LIVE, Phase.CLOSED}),
    Phase.LIVE: frozenset({Phase.DEGRADED, Phase.DRAINING, Phase.CLOSED}),
    Phase.DEGRADED: frozenset({Phase.LIVE, Phase.DRAINING, Phase.CLOSED}),
    Phase.DRAINING: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
}


class Life:
    """One room's life."""

    __slots__ = ("is_open", "phase")

    def __init__(self, phase: Phase = Phase.LOADING) -> None:
        self._enter(phase)

    def turn(self, phase: Phase) -> bool:
        """Enter a phase; False, and nothing happens, where the present one does not lead there."""
        if phase not in _NEXT[self.phase]:
            return False
        self._enter(phase)
        return True

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        # Whether people and scripts may write; every frame asks.
        self.is_open = phase in (Phase.LIVE, Phase.DEGRADED)
