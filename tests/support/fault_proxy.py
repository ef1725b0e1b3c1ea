"""A TCP proxy that does to a line what networks do, by a schedule and from one seed.

Bytes: latency, jitter, throttling, tiny writes, freezing, half-open lines, resets. On a line that was upgraded to
WebSocket also whole messages: drop, duplicate, deliver late, so that others overtake.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from types import TracebackType

from tests.support.cutter import Cutter

_READ_BYTES = 2**16
# What may be under way in one direction of a line before its sender is held up, as by a TCP window.
_WINDOW_BYTES = 2**18
# RST in place of FIN: linger on, for no time.
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Weather:
    """What one direction of all lines suffers. Shares are probabilities of each message.

    `frozen` holds bytes back until it is over, as lost packets that are sent again; `lost` swallows
    all bytes and the end of the line too, for good: the half-open connection of a NAT that forgot.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float | None = None
    slice_bytes: int | None = None
    frozen: bool = False
    lost: bool = False
    drop: float = 0.0
    duplicate: float = 0.0
    late: float = 0.0
    late_s: float = 0.1


CALM = Weather()
_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Turn:
    """One step of a schedule: after so many seconds the weather changes, and lines that are open may be cut."""

    after_s: float
    up: Weather = CALM
    down: Weather = CALM
    cut: bool = False


class FaultProxy:
    """Listens on a port of its own and passes on to one port of this machine. `up` is towards the server.

    With `buffer_bytes` the proxy and the kernel keep about so much in either direction; else it is megabytes.
    """

    def __init__(self, target_port: int, *, seed: int, buffer_bytes: int = 0) -> None:
        self.up = CALM
        self.down = CALM
        self.is_refusing = False
        self.port = 0
        self.passed = {"messages": 0, "dropped": 0, "duplicated": 0, "late": 0, "cut": 0}
        self._target_port = target_port
        self._buffer_bytes = buffer_bytes
        self.window_bytes = buffer_bytes or _WINDOW_BYTES
        self._rng = random.Random(seed)
        self._lines: set[_Line] = set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> FaultProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def through(self, url: str) -> str:
        """The same URL by way of this proxy."""
        scheme, _, rest = url.partition("://")
        return f"{scheme}://127.0.0.1:{self.port}/{rest.partition('/')[2]}"

    def set(self, up: Weather = CALM, down: Weather = CALM) -> None:
        """Change the weather, for open lines too."""
        self.up, self.down = up, down
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self) -> None:
        """Reset every open line."""
        for line in tuple(self._lines):
            self.passed["cut"] += 1
            line.reset()

    async def follow(self, schedule: Sequence[Turn]) -> None:
        """Go through a schedule, then let the weather be calm."""
        for turn in schedule:
            await asyncio.sleep(turn.after_s)
            self.set(turn.up, turn.down)
            if turn.cut:
                self.cut()
        self.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if self.is_refusing:
                raise ConnectionRefusedError
            far_reader, far_writer = await self._reach()
        except OSError:
            _reset(writer)
            return
        line = _Line(self, (reader, writer), (far_reader, far_writer), random.Random(self._rng.random()))
        self._lines.add(line)
        # Only the end of this proxy cancels it, and the stream server would take that for a fault.
        with suppress(asyncio.CancelledError):
            await line.run()
        self._lines.discard(line)

    async def _reach(self) -> _Ends:
        end = socket.socket()
        end.setblocking(False)
        if self._buffer_bytes:
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                end.setsockopt(socket.SOL_SOCKET, option, self._buffer_bytes)
        try:
            await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", self._target_port))
        except OSError:
            end.close()
            raise
        return await asyncio.open_connection(sock=end)

    async def changed(self) -> None:
        """Return at the next change of the weather."""
        await self._changed.wait()


class _Line:
    """One connection: a direction up and one down."""

    def __init__(self, proxy: FaultProxy, near: _Ends, far: _Ends, rng: random.Random) -> None:
        self._writers = (near[1], far[1])
        self._up = _Direction(proxy, near[0], far[1], is_up=True, rng=random.Random(rng.random()))
        self._down = _Direction(proxy, far[0], near[1], is_up=False, rng=random.Random(rng.random()))

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for direction in (self._up, self._down):
                    group.create_task(direction.read())
                    group.create_task(direction.write())
        except* (OSError, _LineIsOver):
            self.reset()
        finally:
            for writer in self._writers:
                writer.close()

    def reset(self) -> None:
        for writer in self._writers:
            _reset(writer)


class _LineIsOver(Exception):
    """Both directions end with the first that was reset."""


class _Direction:
    """Bytes one way: read, given a moment at which they are due, written."""

    def __init__(
        self,
        proxy: FaultProxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_up: bool,
        rng: random.Random,
    ) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer
        self._is_up = is_up
        self._rng = rng
        self._clock = asyncio.get_running_loop().time
        self._cutter = Cutter(is_up=is_up)
        self._due: list[tuple[float, int, bytes]] = []
        self._order = count()
        self._last_due = 0.0
        self._under_way = 0
        self._moved = asyncio.Event()
        self._ended = False
        self._is_lost = False

    @property
    def _weather(self) -> Weather:
        return self._proxy.up if self._is_up else self._proxy.down

    async def read(self) -> None:
        try:
            while data := await self._reader.read(_READ_BYTES):
                if not self._loses:
                    for part, is_message in self._cutter.feed(data):
                        self._take(part, is_message=is_message)
                while self._under_way > self._proxy.window_bytes:
                    self._moved.clear()
                    await self._moved.wait()
        except ConnectionError:
            if not self._loses:
                raise
        if not self._loses:
            self._ended = True
            self._moved.set()

    @property
    def _loses(self) -> bool:
        """A line that lost bytes once can never be used again: the far side would find a hole in its stream."""
        self._is_lost = self._is_lost or self._weather.lost
        return self._is_lost

    def _take(self, part: bytes, *, is_message: bool) -> None:
        weather, passed, times = self._weather, self._proxy.passed, 1
        if is_message:
            passed["messages"] += 1
            if self._rng.random() < weather.drop:
                passed["dropped"] += 1
                times = 0
            elif self._rng.random() < weather.duplicate:
                passed["duplicated"] += 1
                times = 2
        for copy in range(times):
            self._enter(part, is_late=is_message and (copy > 0 or self._rng.random() < weather.late))

    def _enter(self, part: bytes, *, is_late: bool) -> None:
        weather = self._weather
        due = self._clock() + weather.latency_s + self._rng.uniform(0, weather.jitter_s)
        if is_late:
            self._proxy.passed["late"] += 1
            due = max(due, self._last_due) + self._rng.uniform(0, weather.late_s)
        else:
            due = self._last_due = max(due, self._last_due)
        heapq.heappush(self._due, (due, next(self._order), part))
        self._under_way += len(part)
        self._moved.set()

    async def write(self) -> None:
        while True:
            if self._weather.frozen:
                await self._proxy.changed()
            elif self._due and self._due[0][0] <= self._clock():
                await self._deliver(heapq.heappop(self._due)[2])
            elif self._ended and not self._due:
                break
            else:
                await self._pause()
        if self._writer.can_write_eof():
            self._writer.write_eof()

    async def _pause(self) -> None:
        """Wait for the next part to be due, or for another to come in."""
        self._moved.clear()
        wait_s = self._due[0][0] - self._clock() if self._due else None
        try:
            async with asyncio.timeout(wait_s):
                await self._moved.wait()
        except TimeoutError:
            return

    async def _deliver(self, part: bytes) -> None:
        at = 0
        while at < len(part):
            weather = self._weather  # it may change meanwhile
            rest = len(part) - at
            # A throttled line lets out a twentieth of a second's worth at a time.
            step = min(rest, weather.slice_bytes or rest, max(1, int((weather.bytes_per_s or 20 * rest) / 20)))
            self._writer.write(part[at : at + step])
            await self._writer.drain()
            await asyncio.sleep(step / weather.bytes_per_s if weather.bytes_per_s else 0)
            at += step
        self._under_way -= len(part)
        self._moved.set()
        if self._writer.is_closing():
            raise _LineIsOver


def _reset(writer: asyncio.StreamWriter) -> None:
    end = writer.get_extra_info("socket")
    if end is not None and not writer.transport.is_closing():
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
