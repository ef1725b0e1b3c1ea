"""Who writes and who reads: when each letter was typed, and when each of the others had it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

from coscribe.bench.clients import Client

# How long anybody waits for anything; what has not come by then is lost.
WITHIN_S = 30.0


@dataclass
class Clock:
    """When the letters were typed, and how long each took to each of the others. A writer has a letter of his own."""

    typed: dict[str, list[float]] = field(default_factory=dict)
    late_ms: list[float] = field(default_factory=list)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def press(self, letter: str) -> None:
        """A writer presses his key."""
        self.typed.setdefault(letter, []).append(time.monotonic())

    def arrived(self, letter: str, number: int, now: float) -> None:
        """The letter with this number, from 0 on, is there for somebody."""
        times = self.typed[letter]
        if number < len(times):
            self.late_ms.append((now - times[number]) * 1000)
            self._moved.set()

    @property
    def letters(self) -> int:
        """How many were typed."""
        return sum(map(len, self.typed.values()))

    async def complete(self, deliveries: int) -> None:
        """Return once so many letters have arrived, or after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                while len(self.late_ms) < deliveries:
                    self._moved.clear()
                    await self._moved.wait()


@dataclass
class Person:
    """Somebody at a client: what he has seen of whom."""

    clock: Clock
    # What the document begins with.
    text: str
    client: Client = field(init=False)
    seen: dict[str, int] = field(default_factory=dict)
    # When something was new to him for the last time.
    heard_at: float = 0.0
    first_text_ms: float = 0.0
    _has_text: asyncio.Event = field(default_factory=asyncio.Event)

    async def come(self, kind: type[Client], url: str, document_id: str, place: float) -> None:
        """Open the document and wait for its text. Raises TimeoutError."""
        self.client = kind(url, document_id, self.told, place)
        began = time.monotonic()
        self.client.start()
        async with asyncio.timeout(WITHIN_S):
            await self._has_text.wait()
        self.first_text_ms = (self.heard_at - began) * 1000

    def told(self, text: str) -> None:
        """His text has changed."""
        now = time.monotonic()
        if not self._has_text.is_set() and self.text in text:
            self.heard_at = now
            self._has_text.set()
        for letter in self.clock.typed:
            before, count = self.seen.get(letter, 0), text.count(letter)
            for number in range(before, count):
                self.clock.arrived(letter, number, now)
            if count > before:
                self.seen[letter], self.heard_at = count, now

    def type(self, letter: str) -> None:
        """Press a key. His own screen has the letter at once: that is no delivery."""
        self.clock.press(letter)
        self.seen[letter] = self.seen.get(letter, 0) + 1
        self.client.type(letter)

    def has(self, letters: int) -> bool:
        """Whether he has so many of them."""
        return sum(self.seen.values()) >= letters

    @property
    def doubled(self) -> int:
        """How many letters he has that nobody typed."""
        return sum(max(0, count - len(self.clock.typed[letter])) for letter, count in self.seen.items())
