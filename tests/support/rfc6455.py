"""WebSocket framing (RFC 6455, 5.2) as a cheap client and a proxy between two others need it."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_FIN, _MASKED = 0x80, 0x80


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `raw` is how it came, mask and all, and `payload` is unmasked."""

    opcode: int
    is_last: bool
    payload: bytes
    raw: bytes

    @property
    def is_control(self) -> bool:
        """Whether it may come between the fragments of a message."""
        return self.opcode >= CLOSE


class FrameReader:
    """Frames out of a byte stream that is cut anywhere."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; gives the frames that are whole by now."""
        self._buffer += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, at = buffer[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, at = int.from_bytes(buffer[at : at + size], "big"), at + size
        mask_at = at
        at += 4 if buffer[1] & _MASKED else 0
        if len(buffer) < at or len(buffer) < at + length:
            return None
        payload = _masked(bytes(buffer[at : at + length]), bytes(buffer[mask_at:at]))
        frame = Frame(buffer[0] & 0x0F, bool(buffer[0] & _FIN), payload, bytes(buffer[: at + length]))
        del buffer[: at + length]
        return frame


def encode(opcode: int, payload: bytes, *, is_last: bool = True) -> bytes:
    """A client's frame, masked as the RFC wants it."""
    head = bytes(((_FIN if is_last else 0) | opcode,))
    if len(payload) < 126:
        head += bytes((_MASKED | len(payload),))
    elif len(payload) < 2**16:
        head += bytes((_MASKED | 126,)) + struct.pack(">H", len(payload))
    else:
        head += bytes((_MASKED | 127,)) + struct.pack(">Q", len(payload))
    mask = secrets.token_bytes(4)
    return head + mask + _masked(payload, mask)


def upgrade_request(host: str, path: str) -> bytes:
    """What opens a WebSocket at `path`."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def _masked(payload: bytes, mask: bytes) -> bytes:
    if not mask or not payload:
        return payload
    # One XOR of two long integers: a loop over bytes would cost a second for 16 MB.
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
