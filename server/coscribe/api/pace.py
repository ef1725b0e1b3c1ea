"""How fast a socket is read. Who sends more is read more slowly, so that TCP holds him back and nothing is lost."""

from __future__ import annotations

import time

from coscribe.config import Settings
from coscribe.core.rate import NEVER, Meter, Rate
from coscribe.rooms.troubles import Watcher

# What may come at once, in seconds of the rate: a page that was offline sends what was typed there.
_BURST_S = 5
# Shorter waits are saved up: a timer for each message would cost more than the message.
_LEAST_WAIT_S = 0.02
# Who was held back all this time without a pause is no person and no careful script. Below the ping timeout of 20 s and
# its period of 20 s together: he is told so, and does not just vanish behind his own backlog.
_FLOOD_S = 30.0


class Rates:
    """The rates that all sockets of a server share."""

    def __init__(self, settings: Settings) -> None:
        self.messages = Rate(settings.max_messages_per_s, settings.max_messages_per_s * _BURST_S)
        self.bytes = Rate(settings.max_bytes_per_s, 2 * settings.max_frame_bytes)


class Pace:
    """One socket's pace. `shared` is what all sockets of its principal send together."""

    __slots__ = ("_bytes_at", "_flooded", "_held_since", "_messages_at", "_rates", "_shared", "_watch")

    def __init__(self, rates: Rates, shared: Meter | None, watch: Watcher) -> None:
        self._rates = rates
        # When what was sent is made good again: two meters of its own took a tenth of an idle socket's memory.
        self._messages_at = self._bytes_at = NEVER
        self._shared = shared
        self._watch = watch
        self._held_since: float | None = None
        self._flooded = False

    def share(self, other: Pace) -> None:
        """Count with what the principal of another one sends, where none is counted with yet."""
        self._shared = self._shared or other._shared

    @property
    def is_flooded(self) -> bool:
        """Whether the socket was held back for so long that it is to be closed."""
        return self._flooded

    def messages_left(self) -> int:
        """How many ordinary messages may be read before there is something to wait for; one at least."""
        now = time.monotonic()
        left = self._rates.messages.left(self._messages_at, now)
        return max(1, int(left if self._shared is None else min(left, self._shared.left(now))))

    def spend(self, size: int, cost: float = 1.0) -> float:
        """Count messages of so many bytes that cost as much as so many ordinary ones.

        Gives the seconds to wait before the next one is read.
        """
        now, rates = time.monotonic(), self._rates
        self._messages_at = rates.messages.spent(self._messages_at, cost, now)
        self._bytes_at = rates.bytes.spent(self._bytes_at, size, now)
        own, size_s = rates.messages.owed_s(self._messages_at, now), rates.bytes.owed_s(self._bytes_at, now)
        shared = self._shared.spend(cost, now) if self._shared is not None else 0.0
        if not (own or size_s or shared):  # every keystroke comes by here
            self._held_since = None
            return 0.0
        waits = {"max_messages_per_s": own, "max_bytes_per_s": size_s, "max_messages_per_principal_per_s": shared}
        limit = max(waits, key=waits.__getitem__)
        self._note(limit, now)
        return waits[limit] if waits[limit] >= _LEAST_WAIT_S else 0.0

    def _note(self, limit: str, now: float) -> None:
        if self._held_since is None:
            self._held_since = now
            self._watch("throttled", limit=limit)
        elif now - self._held_since > _FLOOD_S:
            self._flooded = True
            self._watch("refused", limit=limit)
