"""How long a keystroke takes from one person to the next, measured while something else happens to the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

from pycrdt import Doc, Text
from tests.support.wire_bytes import framed
from websockets.asyncio.client import ClientConnection, connect

_EVERY_S = 0.02


class Pacer:
    """Types single letters on one line and waits for each on another; neither copies the document."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._doc: Doc[Text] = Doc({"content": Text()})
        self._heard: dict[bytes, asyncio.Event] = {}
        self.took_ms: list[float] = []

    async def __aenter__(self) -> Pacer:
        self._lines = [await connect(self._url, compression=None, max_size=None, proxy=None) for _ in range(2)]
        self._tasks = [asyncio.create_task(self._hear(line)) for line in self._lines]
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in self._lines:
            await line.close()
        await asyncio.gather(*self._tasks)

    async def _hear(self, line: ClientConnection) -> None:
        async for frame in line:
            assert isinstance(frame, bytes)
            if frame in self._heard:
                self._heard[frame].set()

    async def type(self) -> None:
        """One letter, from line to line."""
        before = self._doc.get_state()
        self._doc["content"].insert(0, "x")
        frame = framed(2, self._doc.get_update(before))
        heard = self._heard[frame] = asyncio.Event()
        began = time.perf_counter()
        await self._lines[0].send(frame)
        async with asyncio.timeout(20):
            await heard.wait()
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
        return sorted(self.took_ms)[int(len(self.took_ms) * 0.99)]
