"""A bus within one process: between servers of a test, or to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coscribe.ports import Hear


class Switch:
    """What the buses of one process meet in."""

    def __init__(self) -> None:
        self.buses: list[MemoryBus] = []


class MemoryBus:
    """The port Bus. A message is heard in the next turn of the loop, by everybody but its sender."""

    def __init__(self, sender: str, switch: Switch | None = None) -> None:
        self.sender = sender
        self._switch = switch or Switch()
        self._topics: set[str] = set()
        self._hear: Hear = lambda _topic, _sender, _payload: None

    def start(self, hear: Hear, restored: Callable[[], None]) -> None:
        """Begin to hear."""
        self._hear = hear
        self._switch.buses.append(self)
        restored()

    async def close(self) -> None:
        """Hear nothing more."""
        if self in self._switch.buses:
            self._switch.buses.remove(self)

    def publish(self, topic: str, payload: bytes) -> None:
        """Tell all others that follow a topic."""
        for bus in self._switch.buses:
            if bus is not self and topic in bus._topics:
                asyncio.get_running_loop().call_soon(bus._tell, topic, self.sender, payload)

    def follow(self, topic: str) -> None:
        """Hear what others tell on a topic."""
        self._topics.add(topic)

    def leave(self, topic: str) -> None:
        """Hear no more of it."""
        self._topics.discard(topic)

    def _tell(self, topic: str, sender: str, payload: bytes) -> None:
        if topic in self._topics:
            self._hear(topic, sender, payload)
