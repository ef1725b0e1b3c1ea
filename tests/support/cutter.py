"""Cuts the bytes of a line into WebSocket messages, so that a proxy can play with whole ones."""

from __future__ import annotations

from tests.support.rfc6455 import Frame, FrameReader

# More than any request of ours has before its body.
_MAX_HEAD_BYTES = 2**14


class Cutter:
    """Cuts one direction of a line into parts: whole WebSocket messages after an upgrade, anything else as it comes."""

    def __init__(self, *, is_up: bool) -> None:
        self._is_up = is_up
        self._head = b""
        self._frames: FrameReader | None = None
        self._is_raw = False
        self._fragments: list[bytes] = []

    def feed(self, data: bytes) -> list[tuple[bytes, bool]]:
        """Take bytes; gives parts, each with whether it is a message, which may be dropped or overtaken."""
        if self._is_raw:
            return [(data, False)]
        if self._frames is not None:
            return self._messages(self._frames.feed(data))
        self._head += data
        if b"\r\n\r\n" not in self._head and len(self._head) < _MAX_HEAD_BYTES:
            # A head is passed on when it is whole; what is no HTTP has no head to wait for.
            return [] if self._head.startswith((b"GET ", b"HTTP/1.1 ")) else self._all_raw()
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not self._is_upgrade(head):
            return self._all_raw()
        self._frames = FrameReader()
        return [(head + end, False), *self._messages(self._frames.feed(rest))]

    def _is_upgrade(self, head: bytes) -> bool:
        if self._is_up:
            return b"\r\nupgrade: websocket" in head.lower()
        return head.startswith(b"HTTP/1.1 101 ")

    def _all_raw(self) -> list[tuple[bytes, bool]]:
        self._is_raw = True
        return [(self._head, False)]

    def _messages(self, frames: list[Frame]) -> list[tuple[bytes, bool]]:
        parts = []
        for frame in frames:
            if frame.is_control:
                parts.append((frame.raw, False))
                continue
            self._fragments.append(frame.raw)
            if frame.is_last:
                parts.append((b"".join(self._fragments), True))
                self._fragments = []
        return parts
