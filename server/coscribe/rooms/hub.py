"""Where activity of all documents is announced within this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coscribe.model import Activity


class ActivityHub:
    """A bell: it says that there is something new, storage says what."""

    def __init__(self) -> None:
        self._last = 0
        self._rung = asyncio.Event()
        # Hears that something was stored here, where other servers store activities too: whoever reads the list tells
        # all of them in order of their ids, which is how readers resume. None where this server is alone.
        self.news: Callable[[], None] | None = None

    def store(self, activity: Activity) -> bool:
        """Announce an activity that was stored here; False where that is left to the news."""
        if self.news is not None:
            self.news()
            return False
        self.publish(activity)
        return True

    def publish(self, activity: Activity) -> None:
        """Announce a stored activity."""
        self._last = max(self._last, activity.id)
        self._ring()

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
