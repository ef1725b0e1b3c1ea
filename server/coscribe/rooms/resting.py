"""Documents that alone cannot be stored, and how long each of them rests."""

from __future__ import annotations

import asyncio

_FIRST_PAUSE_S = 0.1
# Tried again in ever longer pauses, up to this one.
_LAST_PAUSE_S = 30.0


class Resting:
    """The documents, by id, until each is stored."""

    def __init__(self) -> None:
        # How long each rests, and until when by the loop's clock.
        self._pauses: dict[str, tuple[float, float]] = {}

    def __contains__(self, document_id: str) -> bool:
        """Whether it could not be stored when it was tried last."""
        return document_id in self._pauses

    def is_resting(self, document_id: str) -> bool:
        """Whether it is to wait before it is tried again."""
        _, until = self._pauses.get(document_id, (0.0, 0.0))
        return until > asyncio.get_running_loop().time()

    def rest(self, document_id: str) -> float:
        """Note that it could not be stored; gives how long it is to wait: not at all for the first time."""
        now = asyncio.get_running_loop().time()
        pause_s = self._pauses.get(document_id, (0.0, 0.0))[0]
        if not pause_s:
            self._pauses[document_id] = (_FIRST_PAUSE_S, now)
            return 0.0
        pause_s = min(pause_s * 2, _LAST_PAUSE_S)
        self._pauses[document_id] = (pause_s, now + pause_s)
        return pause_s

    def end(self, document_id: str) -> None:
        """It was answered for otherwise."""
        self._pauses.pop(document_id, None)
