"""How fast a socket is read. Who sends more is read more slowly, so that TCP holds him back and nothing is lost."""

from __future__ import annotations

import time

from coscribe.config import Settings
from coscribe.core.rate import Meter, Rate
from coscribe.rooms.registry import Watcher

# What may come at once, in seconds of the rate: a page that was offline sends what was typed there.
_BURST_S = 5
# Shorter waits are saved up: a timer for each message would cost more than the message.
_LEAST_WAIT_S = 0.02
# What one socket may have done, in ordinary messages of a millisecond each, before others are served: the bursts of ten
# sockets that made a text expensive held everybody up for 11 s.
_MOST_A_TURN = 8.0
# Who was held back all this time without a pause is no person and no careful script. Below the ping timeout of 20 s and
# its period of 20 s together: he is told so, and does not just vanish behind his own backlog.
_FLOOD_S = 30.0


class Pace:
    """One socket's pace. `shared` is what all sockets of its principal send together."""

    def __init__(self, settings: Settings, shared: Meter | None, watch: Watcher) -> None:
        messages = Rate(settings.max_messages_per_s, settings.max_messages_per_s * _BURST_S)
        size = Rate(settings.max_bytes_per_s, 2 * settings.max_frame_bytes)
        self._messages = Meter(messages)
        self._bytes = Meter(size)
        self._shared = shared
        self._watch = watch
        self._held_since: float | None = None
        self._flooded = False
        self._turn = 0.0

    @property
    def is_flooded(self) -> bool:
        """Whether the socket was held back for so long that it is to be closed."""
        return self._flooded

    def spend(self, size: int, cost: float = 1.0) -> float:
        """Count a message of so many bytes that costs as much as so many ordinary ones.

        Gives the seconds to wait before the next one is read.
        """
        now = time.monotonic()
        own, size_s = self._messages.spend(cost, now), self._bytes.spend(size, now)
        shared = self._shared.spend(cost, now) if self._shared is not None else 0.0
        if not (own or size_s or shared):  # every keystroke comes by here
            self._held_since = None
            return 0.0
        waits = {"max_messages_per_s": own, "max_bytes_per_s": size_s, "max_messages_per_principal_per_s": shared}
        limit = max(waits, key=waits.__getitem__)
        self._note(limit, now)
        return waits[limit] if waits[limit] >= _LEAST_WAIT_S else 0.0

    def ends_turn(self, cost: float) -> bool:
        """Whether others are to be served before the next message, after one of this cost."""
        self._turn += cost
        if self._turn < _MOST_A_TURN:
            return False
        self._turn = 0.0
        return True

    def _note(self, limit: str, now: float) -> None:
        if self._held_since is None:
            self._held_since = now
            self._watch("throttled", limit=limit)
        elif now - self._held_since > _FLOOD_S:
            self._flooded = True
            self._watch("refused", limit=limit)
