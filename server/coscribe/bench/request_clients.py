"""The clients of the comparison that make requests: a session's frames by them, or the text by the clock."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from contextlib import suppress
from typing import ClassVar

from coscribe.bench.clients import FAULTS, Client, Replica, Told, Work
from coscribe.bench.wire import Http, Refused
from coscribe.core.lib0 import read_bytes, read_uint, write_bytes

_BYTES, _JSON = "application/octet-stream", "application/json"
_CLOSING = 0x74
_GONE, _UNCHANGED = 404, 304
_WAIT_S = 25


class PollClient(Replica):
    """By POSTs up, and down by long polls: docs/protocol.md, P20 to P25."""

    def __init__(self, url: str, document_id: str, told: Told, place: float) -> None:
        super().__init__(url, document_id, told, place)
        # One connection for what waits for an answer, another for what is sent meanwhile.
        self.down, self.up = Http(url), Http(url)
        self._session = ""
        self._position = 0

    @property
    def requests(self) -> int:
        """How many requests he has made."""
        return self.down.requests + self.up.requests

    def work(self) -> list[Work]:
        """Have a session."""
        return [self._converse]

    async def stop(self) -> None:
        """Be gone, and say so."""
        await super().stop()
        if self._session:
            with suppress(*FAULTS):
                await self.up.ask("DELETE", f"/sessions/{self.document_id}?session={self._session}")
        self.down.close()
        self.up.close()

    async def _converse(self) -> None:
        """One session, from its beginning to its end; the lines below it may break."""
        begun = await self.up.ask("POST", f"/sessions/{self.document_id}")
        self._session, self._position = json.loads(begun.body)["session"], 0
        self.greet()
        posting = asyncio.create_task(self._post_on(self._session))
        try:
            while self._session:
                await self._read_on()
        finally:
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)

    async def _read_on(self) -> None:
        try:
            await self.read(f"{self.document_id}?session={self._session}.{self._position}")
        except Refused as refused:
            if refused.status == _GONE:
                self._session = ""
            await self.pause()
        except OSError:
            await self.pause()

    async def read(self, asked: str) -> None:
        """Hear what comes next."""
        body, at = (await self.down.ask("GET", f"/poll/{asked}&wait={_WAIT_S}")).body, 0
        while at < len(body):
            _, at = read_uint(body, at)
            frame, at = read_bytes(body, at)
            self.hear(frame)

    def hear(self, frame: bytes) -> None:
        """Take the next frame."""
        self._position += 1
        if frame[0] == _CLOSING:
            self._session = ""
        else:
            self.take(frame)

    async def _post_on(self, session: str) -> None:
        number = 0
        while True:
            frames = [await self.unsent.get()]
            while not self.unsent.empty():
                frames.append(self.unsent.get_nowait())
            number += 1
            await self._post(f"{session}&n={number}", b"".join(map(write_bytes, frames)))

    async def _post(self, asked: str, body: bytes) -> None:
        """Send frames until they have come; the server takes a number once."""
        while True:
            try:
                await self.up.ask("POST", f"/frames/{self.document_id}?session={asked}", (_BYTES, body))
            except OSError:
                await self.pause()
            else:
                return


class StreamClient(PollClient):
    """By POSTs up, and down by an event stream."""

    async def read(self, asked: str) -> None:
        """Hear the stream until it ends."""
        rest = bytearray()

        def heard(data: bytes) -> None:
            nonlocal rest
            rest += data
            *lines, rest = rest.split(b"\n")
            for line in lines:
                if line.startswith(b"data: "):
                    self.hear(b64decode(line[6:]))

        await self.down.listen(f"/sse/{asked}", heard)


class PollingClient(Client):
    """By asking for the text every second, and writing over REST: the simplest script there is."""

    # Such a script does nothing else when a request has failed than to make the next one in time.
    every_s: ClassVar[float] = 1.0

    def __init__(self, url: str, document_id: str, told: Told, place: float) -> None:
        super().__init__(url, document_id, told, place)
        self._down, self._up = Http(url), Http(url)
        self._unsent: asyncio.Queue[str] = asyncio.Queue()
        self._tag = ""
        self._path = f"/api/v1/documents/{document_id}/text"

    @property
    def requests(self) -> int:
        """How many requests he has made."""
        return self._down.requests + self._up.requests

    def work(self) -> list[Work]:
        """Ask, and write."""
        return [self._ask_on, self._write]

    def type(self, letters: str) -> None:
        """Write at the end of the text."""
        self._unsent.put_nowait(letters)

    async def stop(self) -> None:
        """Be gone."""
        await super().stop()
        self._down.close()
        self._up.close()

    async def _ask_on(self) -> None:
        await self._ask()
        # Those who came together do not go on asking together.
        await asyncio.sleep(self.every_s * self.place)
        while True:
            with suppress(OSError):
                await self._ask()
            await asyncio.sleep(self.every_s)

    async def _ask(self) -> None:
        headers = {"if_none_match": self._tag} if self._tag else {}
        answer = await self._down.ask("GET", self._path, None, **headers)
        if answer.status != _UNCHANGED:
            self._tag = answer.headers["etag"]
            self.told(answer.body.decode())

    async def _write(self) -> None:
        letters = await self._unsent.get()
        while not self._unsent.empty():
            letters += self._unsent.get_nowait()
        edit = json.dumps({"edits": [{"op": "append", "text": letters}]}).encode()
        await self._up.ask("PATCH", self._path, (_JSON, edit))


class SlowPollingClient(PollingClient):
    """The same, five times less often."""

    every_s = 5.0
