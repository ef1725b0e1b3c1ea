"""Thousands of sockets from one test: raw TCP, no CRDT copy; each knows whether it is synced and how it ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from tests.support.raw_socket import frame, request
from tests.support.rfc6455 import BINARY, CLOSE, PING, PONG, Frame, FrameReader

_HELLO = b"\x70\x01\x00\x00"
_EVERYTHING = b"\x00\x00\x01\x00"
_STEP_2 = b"\x00\x01"
# The code of a line that ended without a close frame, and that of one that was never let in.
CUT, REFUSED = 1006, 0


class Onlooker(asyncio.Protocol):
    """One socket that asks for everything and hears what comes."""

    def __init__(self, path: str, onlookers: Onlookers) -> None:
        self.transport: asyncio.Transport
        self.is_synced = False
        self.code: int | None = None
        self.heard_bytes = 0
        self._path = path
        self._onlookers = onlookers
        self._head: bytes | None = b""
        self._frames = FrameReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(request(self._path))

    def data_received(self, data: bytes) -> None:
        self.heard_bytes += len(data)
        if self._head is not None:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._end(REFUSED)
                return
            self._head = None
            self.say(_HELLO)
            self.say(_EVERYTHING)
        for found in self._frames.feed(data):
            self._take(found)

    def say(self, payload: bytes) -> None:
        """Send a message."""
        self.transport.write(frame(BINARY, payload))

    def _take(self, found: Frame) -> None:
        if found.opcode == PING:
            self.transport.write(frame(PONG, found.payload))
        elif found.opcode == CLOSE:
            self._end(int.from_bytes(found.payload[:2], "big"))
        elif found.payload.startswith(_STEP_2) and not self.is_synced:
            self.is_synced = True
            self._onlookers.touch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(CUT if self._head is None else REFUSED)

    def _end(self, code: int) -> None:
        if self.code is None:
            self.code = code
            self.transport.close()
            self._onlookers.touch()


class Onlookers:
    """Many onlookers of some documents, spread evenly."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = [urlsplit(url) for url in urls]
        self._changed = asyncio.Event()
        self.people: list[Onlooker] = []
        self.unreachable = 0

    async def __aenter__(self) -> Onlookers:
        return self

    async def __aexit__(self, *_: object) -> None:
        for person in self.people:
            person.transport.abort()
        # The loop notes the end of an aborted line in its next turn.
        await asyncio.sleep(0)

    async def come(self, count: int) -> None:
        """Connect so many more, all at once."""
        await asyncio.gather(*(self._connect(number) for number in range(count)))

    async def insist(self, timeout_s: float) -> None:
        """Wait until everybody is synced; who is told to try later (1013) comes again at once."""
        async with asyncio.timeout(timeout_s):
            while True:
                await self.wait_over(timeout_s)
                gone = [person for person in self.people if person.code is not None]
                if not gone:
                    return
                assert {person.code for person in gone} == {1013}, self.codes
                self.people = [person for person in self.people if person.code is None]
                await self.come(len(gone))

    async def _connect(self, number: int) -> None:
        url = self._urls[number % len(self._urls)]
        loop = asyncio.get_running_loop()
        try:
            _, person = await loop.create_connection(lambda: Onlooker(url.path, self), url.hostname, url.port)
        except OSError:
            self.unreachable += 1
            return
        self.people.append(person)

    def leave(self) -> None:
        """Cut every line and forget who was there."""
        for person in self.people:
            person.transport.abort()
        self.people = []

    @property
    def synced(self) -> int:
        """How many are synced and still there."""
        return sum(person.is_synced and person.code is None for person in self.people)

    @property
    def codes(self) -> Counter[int]:
        """How many ended how."""
        return Counter(person.code for person in self.people if person.code is not None)

    def touch(self) -> None:
        """Somebody was synced or has ended."""
        self._changed.set()

    async def wait_synced(self, count: int, timeout_s: float) -> None:
        """Wait until so many are synced."""
        await self._until(lambda: self.synced >= count, timeout_s)

    async def wait_over(self, timeout_s: float) -> None:
        """Wait until everybody is synced or gone."""
        await self._until(lambda: all(person.is_synced or person.code is not None for person in self.people), timeout_s)

    async def wait_ended(self, timeout_s: float) -> None:
        """Wait until every line has ended."""
        await self._until(lambda: all(person.code is not None for person in self.people), timeout_s)

    async def _until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while True:
                self._changed.clear()
                if condition():
                    return
                await self._changed.wait()
                # Looking at thousands after each of thousands of changes would cost seconds.
                await asyncio.sleep(0.02)
