"""How long a keystroke takes from one person to the next, measured while something else happens to the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

from pycrdt import Doc, Text
from tests.support.proof import p99
from tests.support.wire_bytes import framed
from websockets.asyncio.client import ClientConnection, connect

from coscribe.core.lib0 import read_bytes
from coscribe.core.update import scan

_EVERY_S = 0.02


class Pacer:
    """Types single letters on one line and waits for each on another; neither copies the document."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._doc: Doc[Text] = Doc({"content": Text()})
        self._typed = 0
        self._heard = 0
        self._more = asyncio.Condition()
        self.took_ms: list[float] = []

    async def __aenter__(self) -> Pacer:
        self._lines = [await connect(self._url, compression=None, max_size=None, proxy=None) for _ in range(2)]
        for line in self._lines:
            await line.recv()  # the server's question: what is typed from now on is told here
        self._tasks = [asyncio.create_task(self._hear(line)) for line in self._lines]
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in self._lines:
            await line.close()
        await asyncio.gather(*self._tasks)

    async def _hear(self, line: ClientConnection) -> None:
        async for frame in line:
            assert isinstance(frame, bytes)
            if frame[:2] in (b"\x00\x02", b"\x00\x01"):
                # What others wrote in the same turn comes with it as one update (rule P17), and behind a paste of
                # theirs that was too much for the line as a step 2 (rule D7).
                for client, _, end in scan(read_bytes(frame, 2)[0]).structs:
                    if client == self._doc.client_id and line is self._lines[1]:
                        await self._note(end)

    async def _note(self, end: int) -> None:
        async with self._more:
            self._heard = max(self._heard, end)
            self._more.notify_all()

    async def type(self) -> None:
        """One letter, from line to line."""
        before = self._doc.get_state()
        self._doc["content"].insert(0, "x")
        self._typed += 1
        began = time.perf_counter()
        await self._lines[0].send(framed(2, self._doc.get_update(before)))
        async with asyncio.timeout(20), self._more:
            await self._more.wait_for(lambda: self._heard >= self._typed)
        self.took_ms.append((time.perf_counter() - began) * 1000)

    async def type_while(self, other: Awaitable[None]) -> None:
        """Type on until something else is done, and a hundred letters at least."""
        task = asyncio.ensure_future(other)
        while not task.done() or len(self.took_ms) < 100:
            await self.type()
            await asyncio.sleep(_EVERY_S)  # the pace of a room where fifty letters a second are typed
        await task

    @property
    def p99_ms(self) -> float:
        """What all but one of a hundred letters were quicker than."""
        return p99(self.took_ms)
