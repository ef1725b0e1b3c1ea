"""A client of dialect 1 with a real CRDT copy, for tests that need to see every ack and frame.

It decodes with the package's own decoder where a server message has a form that clients send too, and by hand where
it does not (ack, digest, notice): those bytes are what the tests are about.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pycrdt import Doc, Text, TransactionEvent
from tests.support.http_wire import HttpWire
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from coscribe.core.lib0 import read_bytes, read_string, read_uint, write_bytes
from coscribe.core.protocol import AwarenessEntry, decode_awareness, encode_awareness

HELLO = b"\x70\x01\x00\x00"


@dataclass
class Heard:
    """What the server told beside the document."""

    acks: list[tuple[int, int]] = field(default_factory=list)
    digests: list[tuple[bytes, bytes]] = field(default_factory=list)
    notices: list[dict[str, Any]] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    awareness: dict[int, AwarenessEntry] = field(default_factory=dict)
    updates: int = 0


class Typist:
    """One person's client. Indexes are UTF-8 bytes, as pycrdt counts."""

    def __init__(self, url: str, *, headers: dict[str, str] | None = None, hello: bool = True) -> None:
        self.url = url
        self.headers = headers or {}
        self.hello = hello
        self.doc: Doc[Text] = Doc(client_id=secrets.randbits(32))
        self.text: Text = self.doc.get("content", type=Text)
        self.heard = Heard()
        self.sent = 0
        self.synced = False
        self.closed: tuple[int, str] | None = None
        self.words_by_frame: dict[int, int] = {}
        self.on_update: Callable[[], None] = lambda: None
        self._events: list[TransactionEvent] = []
        self._subscription = self.doc.observe(self._events.append)
        self._socket: ClientConnection | HttpWire | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Typist:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()

    async def connect(self) -> None:
        """Open a socket and handshake; frames are counted anew, as the server does."""
        self._socket = await self._open()
        self.synced, self.closed, self.sent = False, None, 0
        self.heard = Heard()
        # A server without a place for it has closed already; what it said is read below.
        if self.hello:
            await self.send(HELLO)
        await self.send(b"\x00\x00" + write_bytes(self.doc.get_state()))
        self._task = asyncio.create_task(self._read(self._socket))

    async def _open(self) -> ClientConnection | HttpWire:
        return await connect(self.url, additional_headers=self.headers, compression=None, max_size=None, proxy=None)

    async def disconnect(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._task is not None:
            await self._task

    def abort(self) -> None:
        """Cut the line without a goodbye."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def insert(self, index: int, what: str) -> None:
        await self.change(lambda text: text.insert(index, what))

    async def delete(self, start: int, end: int) -> None:
        def cut(text: Text) -> None:
            del text[start:end]

        await self.change(cut)

    async def change(self, edit: Callable[[Text], None]) -> None:
        """Edit in one transaction and send its update."""
        self._events.clear()
        with self.doc.transaction():
            edit(self.text)
        for event in self._events:
            await self.send_update(event.update)
        self._events.clear()

    async def send_update(self, update: bytes) -> None:
        self.sent += 1
        await self.send(b"\x00\x02" + write_bytes(update))

    async def send(self, frame: bytes | str) -> None:
        """Send a frame; on a dead line it is lost, as in life."""
        try:
            if self._socket is not None:
                await self._socket.send(frame)
        except ConnectionClosed:
            return

    async def set_awareness(self, clock: int, state: dict[str, Any] | None) -> None:
        await self.send(encode_awareness([AwarenessEntry(self.doc.client_id, clock, json.dumps(state))]))

    @property
    def acked(self) -> int:
        """How many frames of this connection are settled."""
        return self.heard.acks[-1][0] if self.heard.acks else 0

    async def wait(self, condition: Callable[[], bool], timeout_s: float = 20) -> None:
        """Wait until a condition on what was heard holds."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(condition)

    async def wait_synced(self) -> None:
        await self.wait(lambda: self.synced)

    async def wait_saved(self, timeout_s: float = 20) -> None:
        await self.wait(lambda: self.acked >= self.sent, timeout_s)

    async def wait_text(self, expected: str, timeout_s: float = 20) -> None:
        await self.wait(lambda: str(self.text) == expected, timeout_s)

    async def _read(self, socket: ClientConnection | HttpWire) -> None:
        try:
            async for frame in socket:
                assert isinstance(frame, bytes)
                reply = self._take(frame)
                if reply is not None:
                    self.sent += 1
                    await socket.send(reply)
                async with self._changed:
                    self._changed.notify_all()
        except ConnectionClosed:
            pass
        self.closed = (socket.close_code or 1006, socket.close_reason or "")
        async with self._changed:
            self._changed.notify_all()

    def _take(self, frame: bytes) -> bytes | None:
        kind, pos = read_uint(frame, 0)
        if kind == 0:
            return self._take_sync(frame, pos)
        if kind == 1:
            payload, _ = read_bytes(frame, pos)
            self.heard.awareness |= {entry.client: entry for entry in decode_awareness(payload)}
        elif kind == 2:
            self.heard.denied.append(read_string(frame, pos + 1)[0])
        elif kind == 0x71:
            frames, pos = read_uint(frame, pos)
            self.heard.acks.append((frames, read_uint(frame, pos)[0]))
        elif kind == 0x72:
            state_vector, pos = read_bytes(frame, pos)
            self.heard.digests.append((state_vector, frame[pos:]))
        elif kind == 0x73:
            self.heard.notices.append(json.loads(read_string(frame, pos)[0]))
        return None

    def _take_sync(self, frame: bytes, pos: int) -> bytes | None:
        step, pos = read_uint(frame, pos)
        payload, _ = read_bytes(frame, pos)
        if step == 0:
            return b"\x00\x01" + write_bytes(self.doc.get_update(payload))
        self.doc.apply_update(payload)
        self._events.clear()
        if step == 1:
            self.synced = True
        else:
            self.heard.updates += 1
            self.on_update()
        return None


class HttpTypist(Typist):
    """The same where a WebSocket cannot be had: `carrier` is `stream` or `poll`, `url` that of the socket."""

    def __init__(self, url: str, carrier: str, *, headers: dict[str, str] | None = None, hello: bool = True) -> None:
        super().__init__(url, headers=headers, hello=hello)
        self.carrier = carrier

    async def _open(self) -> HttpWire:
        return await HttpWire.open(self.url, self.carrier, self.headers)
