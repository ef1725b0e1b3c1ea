"""A session's frames over HTTP (docs/protocol.md, P20-P26), behind the face of a WebSocket of `websockets`.

Down by an event stream or by long polls, up by numbered POSTs, one after the other; what an answer was lost of is
asked for again.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
from websockets.exceptions import ConnectionClosedError

from coscribe.core.lib0 import read_bytes, read_string, read_uint, write_bytes

CLOSING = 0x74
_BYTES = {"Content-Type": "application/octet-stream"}
# How soon a request that failed is made again; nothing waits for it.
_RETRY_S = 0.05
_GONE, _AWAY = 404, 500


def frames_of(body: bytes) -> list[tuple[int, bytes]]:
    """The frames of a poll's answer, each with its session's place in the query."""
    found, at = [], 0
    while at < len(body):
        part, at = read_uint(body, at)
        frame, at = read_bytes(body, at)
        found.append((part, frame))
    return found


class HttpWire:
    """One session."""

    def __init__(self, client: httpx.AsyncClient, document_id: str, session: str) -> None:
        self.client = client
        self.document_id = document_id
        self.session = session
        self.position = 0
        self.requests = 0
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.transport = self  # of which only `abort` is used
        self._heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._cleaning: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str, carrier: str, headers: dict[str, str]) -> HttpWire:
        """Begin a session in the document of a socket's address, with the cookie or the token that `headers` have."""
        parts = urlsplit(url)
        base = f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"
        client = httpx.AsyncClient(base_url=base, headers={"Origin": base, **headers}, timeout=60)
        document_id = parts.path.rpartition("/")[2]
        try:
            answer = await client.post(f"/sessions/{document_id}")
            answer.raise_for_status()
        except BaseException:  # who waits may be cancelled, too; a client that is left open is a warning
            await client.aclose()
            raise
        wire = cls(client, document_id, answer.json()["session"])
        read = wire._stream if carrier == "stream" else wire._poll
        wire._tasks = [asyncio.create_task(wire._keep(read)), asyncio.create_task(wire._post())]
        return wire

    @property
    def asked(self) -> dict[str, str]:
        """The query that goes on behind what was heard."""
        return {"session": f"{self.session}.{self.position}"}

    async def send(self, frame: bytes | str) -> None:
        """Have a frame sent behind those before it."""
        if self.close_code is not None:
            raise ConnectionClosedError(None, None)
        assert isinstance(frame, bytes)
        self._unsent.put_nowait(frame)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (frame := await self._heard.get()) is not None:
            yield frame

    async def close(self) -> None:
        """End the session."""
        if self.close_code is None:
            with suppress(httpx.HTTPError):
                await self.client.delete(f"/sessions/{self.document_id}", params={"session": self.session})
        self._end(1000, "")
        if self._cleaning is not None:
            await self._cleaning

    def abort(self) -> None:
        """Be gone without a word."""
        self._end(1006, "")

    def _end(self, code: int, reason: str) -> None:
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._heard.put_nowait(None)
        if self._cleaning is None:
            self._cleaning = asyncio.create_task(self._clean())

    async def _clean(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.aclose()

    def _take(self, frame: bytes) -> None:
        self.position += 1
        if frame[0] == CLOSING:
            code, at = read_uint(frame, 1)
            self._end(code, read_string(frame, at)[0])
        else:
            self._heard.put_nowait(frame)

    async def _keep(self, read: object) -> None:
        assert callable(read)
        while self.close_code is None:
            try:
                await read()
            except httpx.HTTPStatusError as error:
                self._end(1006, f"status {error.response.status_code}")
            except httpx.HTTPError:
                await asyncio.sleep(_RETRY_S)

    async def _stream(self) -> None:
        path = f"/sse/{self.document_id}"
        async with self.client.stream("GET", path, params=self.asked) as response:
            response.raise_for_status()
            event = ""
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                event = value if name == "event" else event
                if name == "data" and event == "frame":
                    self._take(b64decode(value))

    async def _poll(self) -> None:
        response = await self.client.get(f"/poll/{self.document_id}", params={**self.asked, "wait": "25"})
        response.raise_for_status()
        for _, frame in frames_of(response.content):
            self._take(frame)

    async def _post(self) -> None:
        while self.close_code is None:
            frames = [await self._unsent.get()]
            while not self._unsent.empty():
                frames.append(self._unsent.get_nowait())
            self.requests += 1
            await self._post_one(b"".join(map(write_bytes, frames)))

    async def _post_one(self, body: bytes) -> None:
        asked = {"session": self.session, "n": str(self.requests)}
        while self.close_code is None:
            try:
                answer = await self.client.post(
                    f"/frames/{self.document_id}", params=asked, content=body, headers=_BYTES
                )
            except httpx.HTTPError:
                await asyncio.sleep(_RETRY_S)
                continue
            if answer.status_code >= _AWAY:
                await asyncio.sleep(_RETRY_S)
                continue
            if answer.status_code == _GONE:
                self._end(1006, "status 404")
            else:
                answer.raise_for_status()
            return
