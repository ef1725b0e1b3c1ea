"""An HTTP proxy that does to a server's answers what firewalls and proxies do between people and it.

It reads heads only: each request has a connection of its own to the server, whose end is the answer's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType

_READ_BYTES = 2**16
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RESUMED = re.compile(rb"\r\nlast-event-id: *([^\r]+)", re.IGNORECASE)
_STREAM = re.compile(rb"^GET /sse/")
_UPGRADE = re.compile(rb"\r\nupgrade: *websocket", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\n(?:connection|keep-alive):[^\r]*", re.IGNORECASE)
_REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Mode(Enum):
    """What it does."""

    OPEN = auto()
    # Upgrades are answered with 403.
    NO_UPGRADES = auto()
    # Upgrades succeed, and what is sent on them goes nowhere.
    SWALLOWING = auto()
    # No upgrades, and an answer is handed on when it has ended.
    BUFFERING = auto()
    # No upgrades, and no event streams either: refused with 403, or cut.
    NO_STREAMS = auto()
    CUT_STREAMS = auto()
    # What was open is cut; what comes after gets through.
    CUTTING = auto()


_WITHOUT_STREAMS = (Mode.NO_STREAMS, Mode.CUT_STREAMS)
_WITHOUT_UPGRADES = (Mode.NO_UPGRADES, Mode.BUFFERING, *_WITHOUT_STREAMS)


class StrictProxy:
    """Listens on a port of its own and passes on to one port of this machine."""

    def __init__(self, target_port: int, mode: Mode = Mode.OPEN) -> None:
        self.mode = mode
        self.port = 0
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: set[asyncio.StreamWriter] = set()
        self._sockets: set[asyncio.StreamWriter] = set()
        # The first lines of the requests that were let through; of all so far, and of those that are not answered yet.
        self.seen: list[str] = []
        self.open: list[str] = []
        # Where event streams went on.
        self.resumed: list[str] = []
        self.cuts = 0

    async def __aenter__(self) -> StrictProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def turn(self, mode: Mode) -> None:
        """Do something else from now on; what does not exist there is cut."""
        self.mode = mode
        if mode in _WITHOUT_UPGRADES:
            _abort(self._sockets)
        if mode in (Mode.BUFFERING, Mode.CUTTING, *_WITHOUT_STREAMS):
            self.cut()

    def cut(self) -> None:
        """Cut everything that is open."""
        self.cuts += 1
        _abort(self._lines)

    async def cut_every(self, seconds: float) -> None:
        """Cut everything that is open, again and again."""
        while True:
            await asyncio.sleep(seconds)
            self.cut()

    async def turn_every(
        self, seconds: float, modes: Sequence[Mode], times: int, tell: Callable[[], Awaitable[None]]
    ) -> None:
        """Go through modes, so long each; `tell` is called whenever it is another."""
        for number in range(times):
            self.turn(modes[number % len(modes)])
            await tell()
            await asyncio.sleep(seconds)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._lines.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._pass_on(reader, writer)
        self._lines.discard(writer)
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        is_upgrade = _UPGRADE.search(head) is not None
        is_refused = (is_upgrade and self.mode in _WITHOUT_UPGRADES) or (
            _STREAM.search(head) is not None and self.mode in _WITHOUT_STREAMS
        )
        if is_refused:
            if is_upgrade or self.mode is Mode.NO_STREAMS:
                writer.write(_REFUSED)
                await writer.drain()
            return
        if not is_upgrade:
            head = _CONNECTION.sub(b"", head)[:-2] + b"Connection: close\r\n\r\n"
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        asked = head.partition(b"\r\n")[0].decode()
        self.seen.append(asked)
        self.open.append(asked)
        self.resumed += [found[1].decode()] if (found := _RESUMED.search(head)) else []
        try:
            await self._let_through(head + body, (reader, writer), is_upgrade=is_upgrade)
        finally:
            self.open.remove(asked)

    async def _let_through(
        self, request: bytes, near: tuple[asyncio.StreamReader, asyncio.StreamWriter], *, is_upgrade: bool
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._lines.add(far_writer)
        try:
            far_writer.write(request)
            if is_upgrade:
                await self._upgraded(near, (far_reader, far_writer))
            else:
                await self._answered(near[0], far_reader, near[1])
        finally:
            self._lines.discard(far_writer)
            far_writer.close()

    async def _answered(
        self, reader: asyncio.StreamReader, far: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        gone = asyncio.create_task(reader.read(1))  # a reader that has gone takes its request with it
        passing = asyncio.create_task(self._answer(far, writer))
        try:
            await asyncio.wait({gone, passing}, return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                passing.result()
        finally:
            gone.cancel()
            passing.cancel()
            await asyncio.gather(gone, passing, return_exceptions=True)

    async def _answer(self, far: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = b""
        while data := await far.read(_READ_BYTES):
            held += data
            if self.mode is not Mode.BUFFERING:
                writer.write(held)
                held = b""
                await writer.drain()
        writer.write(held)
        await writer.drain()

    async def _upgraded(
        self,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        head = await far[0].readuntil(b"\r\n\r\n")
        near[1].write(head)
        self._sockets |= {near[1], far[1]}
        both = [asyncio.create_task(self._frames(near[0], far[1])), asyncio.create_task(self._frames(far[0], near[1]))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._sockets -= {near[1], far[1]}
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _frames(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_READ_BYTES):
            # Half a frame that got through would break the line: what was swallowed once stays so.
            if self.mode is Mode.SWALLOWING:
                self._sockets.discard(writer)
            if writer in self._sockets:
                writer.write(data)
                await writer.drain()


def _abort(writers: set[asyncio.StreamWriter]) -> None:
    for writer in tuple(writers):
        writer.transport.abort()
