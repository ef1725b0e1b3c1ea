"""Where activity of all documents is announced within this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coscribe.model import Activity

_REMEMBERED = 4096


class ActivityHub:
    """A bell: it says that there is something new, storage says what."""

    def __init__(self) -> None:
        self._last = 0
        self._rung = asyncio.Event()
        # The newest that were announced: they are read again where other servers store some, too.
        self._told: dict[int, None] = {}
        # Hears the id of what was stored here.
        self.stored: Callable[[int], None] = lambda _: None

    def store(self, activity: Activity) -> None:
        """Announce an activity that was stored here."""
        self.publish(activity)
        self.stored(activity.id)

    def publish(self, activity: Activity) -> None:
        """Announce a stored activity."""
        self._told[activity.id] = None
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        self._last = max(self._last, activity.id)
        self._ring()

    def has_told(self, activity: Activity) -> bool:
        """Whether it was announced here a short while ago."""
        return activity.id in self._told

    def _ring(self) -> None:
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    async def wait(self, after: int, timeout_s: float) -> None:
        """Return when an activity with an id beyond `after` was announced, when closed, or after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._last <= after:
                    rung = self._rung
                    await rung.wait()
                    if rung is self._rung:
                        return
        except TimeoutError:
            return

    def close(self) -> None:
        """Let every waiter go, for good."""
        self._rung.set()
