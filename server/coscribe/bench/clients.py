"""The clients of the comparison: each follows one document its own way, and writes that way too."""

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from pycrdt import Doc, Text, TransactionEvent
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from coscribe.bench.wire import AGENT
from coscribe.core.lib0 import read_bytes, write_bytes

_SYNC, _STEP_1, _STEP_2, _UPDATE = 0, 0, 1, 2
# What goes wrong on a line that is cut.
FAULTS = (WebSocketException, OSError)
Told = Callable[[str], None]
Work = Callable[[], Coroutine[Any, Any, None]]


class Client(ABC):
    """Somebody with a document open. `told` hears the text whenever it has changed.

    `place`, from 0 to 1, is where among many he is: those who ask by the clock do not ask all at once.
    """

    # How long after a line broke he tries again: half as long to half as long again. It is short and alike for all who
    # keep a connection, so that their coming back is the transport's and not their patience.
    again_s: ClassVar[float] = 0.2

    def __init__(self, url: str, document_id: str, told: Told, place: float) -> None:
        self.url = url
        self.document_id = document_id
        self.told = told
        self.place = place
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Open the document."""
        self._tasks = [asyncio.create_task(self._keep(work)) for work in self.work()]

    async def stop(self) -> None:
        """Be gone. Raises what a client did not expect."""
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    @property
    @abstractmethod
    def requests(self) -> int:
        """How many requests he has made."""

    @abstractmethod
    def work(self) -> list[Work]:
        """What is done again and again, each at the same time as the others."""

    @abstractmethod
    def type(self, letters: str) -> None:
        """Write at the end of the text."""

    async def pause(self) -> None:
        """Wait until it is time to try again."""
        await asyncio.sleep(self.again_s * (0.5 + self.place))

    async def _keep(self, work: Work) -> None:
        while True:
            try:
                await work()
            except FAULTS:
                await self.pause()


class Replica(Client):
    """A client with a CRDT copy, as a browser has one: it speaks in the frames of docs/protocol.md."""

    def __init__(self, url: str, document_id: str, told: Told, place: float) -> None:
        super().__init__(url, document_id, told, place)
        self._doc: Doc[Text] = Doc(client_id=secrets.randbits(32))
        self._text: Text = self._doc.get("content", type=Text)
        self._events: list[TransactionEvent] = []
        self._watching = self._doc.observe(self._events.append)
        # What a broken line took is asked for by the next greeting.
        self.unsent: asyncio.Queue[bytes] = asyncio.Queue()

    def type(self, letters: str) -> None:
        """Write at the end of the text."""
        self._events.clear()
        self._text += letters
        for event in self._events:
            self.unsent.put_nowait(bytes((_SYNC, _UPDATE)) + write_bytes(event.update))
        self._events.clear()

    def greet(self) -> None:
        """Begin a conversation: ask for what is missing, and send nothing but what the server asks for."""
        while not self.unsent.empty():
            self.unsent.get_nowait()
        self.unsent.put_nowait(bytes((_SYNC, _STEP_1)) + write_bytes(self._doc.get_state()))

    def take(self, frame: bytes) -> None:
        """Take a frame of the server's; those about people are passed over."""
        if frame[0] != _SYNC:
            return
        payload, _ = read_bytes(frame, 2)
        if frame[1] == _STEP_1:
            self.unsent.put_nowait(bytes((_SYNC, _STEP_2)) + write_bytes(self._doc.get_update(payload)))
            return
        self._doc.apply_update(payload)
        self._events.clear()
        self.told(str(self._text))


class SocketClient(Replica):
    """By a WebSocket."""

    def __init__(self, url: str, document_id: str, told: Told, place: float) -> None:
        super().__init__(url, document_id, told, place)
        self._upgrades = 0

    @property
    def requests(self) -> int:
        """How many requests he has made: each connection begins with one."""
        return self._upgrades

    def work(self) -> list[Work]:
        """Be connected."""
        return [self._follow]

    async def _follow(self) -> None:
        address = f"{self.url.replace('http', 'ws', 1)}/ws/{self.document_id}"
        self._upgrades += 1
        async with connect(
            address, compression=None, max_size=None, proxy=None, user_agent_header=AGENT, ping_interval=None
        ) as socket:
            self.greet()
            sending = asyncio.create_task(self._send_on(socket))
            try:
                async for frame in socket:
                    if isinstance(frame, bytes):
                        self.take(frame)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        # It was closed in good order, a stopping server for one: come back like everybody.
        await self.pause()

    async def _send_on(self, socket: ClientConnection) -> None:
        while True:
            await socket.send(await self.unsent.get())
