"""WebSocket framing (RFC 6455, 5.2) as a cheap client and a proxy between two others need it."""

from __future__ import annotations

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


def _masked(payload: bytes, mask: bytes) -> bytes:
    if not mask or not payload:
        return payload
    # One XOR of two long integers: a loop over bytes would cost a second for 16 MB.
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
