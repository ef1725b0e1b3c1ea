"""A WebSocket put together byte by byte, for what no client library would send."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

from tests.support.rfc6455 import CLOSE, Frame, FrameReader

_WITHIN_S = 30.0
# A mask that changes nothing is one all the same.
_MASK = bytes(4)


def request(
    path: str | bytes, *changed: tuple[str, str | None], method: str = "GET", protocol: str = "HTTP/1.1"
) -> bytes:
    """A handshake; `changed` replaces headers, adds them, or leaves them out (None)."""
    headers: dict[str, str] = {
        "Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
    }  # fmt: skip
    for name, value in changed:
        headers.pop(name, None)
        if value is not None:
            headers[name] = value
    target = path.encode() if isinstance(path, str) else path
    lines = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers.items())
    return b"%s %s %s\r\n%s\r\n" % (method.encode(), target, protocol.encode(), lines)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """One frame as a client sends it."""
    return header(opcode, len(payload), fin=fin, rsv=rsv, masked=masked) + payload


def header(opcode: int, length: int, *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """A frame's header alone, with its mask."""
    first, bit = bytes((fin << 7 | rsv << 4 | opcode,)), masked << 7
    if length < 126:
        size = bytes((bit | length,))
    elif length < 2**16:
        size = struct.pack("!BH", bit | 126, length)
    else:
        size = struct.pack("!BQ", bit | 127, length)
    return first + size + (_MASK if masked else b"")


def closing(code: int, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason)


def cut_up(whole: bytes, random_: random.Random, most: int = 20) -> list[bytes]:
    """The bytes in pieces, as a network may bring them."""
    at = sorted(random_.sample(range(1, len(whole)), min(random_.randrange(most), len(whole) - 1)))
    return [whole[start:end] for start, end in zip([0, *at], [*at, len(whole)], strict=True)]


class RawSocket:
    """A TCP connection to a server at `url`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._place = (parts.hostname, parts.port)
        self._framing = FrameReader()
        self._frames: list[Frame] = []

    async def __aenter__(self) -> RawSocket:
        self.reader, self.writer = await asyncio.open_connection(*self._place)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def send(self, pieces: Iterable[bytes]) -> None:
        """Send each piece as a packet of its own; a peer that has hung up is not complained about."""
        with suppress(ConnectionError):
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()
                await asyncio.sleep(0)

    async def status(self) -> int:
        """The status of the next answer's head, 0 when the line ends before."""
        try:
            async with asyncio.timeout(_WITHIN_S):
                head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        return int(head.split(b" ", 2)[1])

    async def close_code(self) -> int:
        """The code that the server closes with, 0 when it hangs up or closes without one."""
        while found := await self.frame():
            if found.opcode == CLOSE:
                return int.from_bytes(found.payload[:2], "big")
        return 0

    async def frame(self) -> Frame | None:
        """The next frame, None when the server has ended the connection."""
        async with asyncio.timeout(_WITHIN_S):
            while not self._frames:
                try:
                    data = await self.reader.read(2**16)
                except ConnectionError:
                    return None
                if not data:
                    return None
                self._frames += self._framing.feed(data)
        return self._frames.pop(0)
