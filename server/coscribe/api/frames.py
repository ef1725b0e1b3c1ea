"""WebSocket frames, RFC 6455 section 5: a client's frames are read one by one, the server's are put together.

Sans-I/O; what breaks the RFC raises Broken with the close code that the RFC names.
"""

from __future__ import annotations

from typing import NamedTuple

from websockets.frames import apply_mask  # type: ignore[attr-defined]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_FIN, _RESERVED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
_CONTROL = 0x08
_WHOLE_BINARY = _FIN | BINARY
# Lengths that say how many bytes of length follow.
_TWO_BYTES, _EIGHT_BYTES = 126, _MASKED | 127
_MOST_CONTROL_BYTES = 125
# Section 7.4.1, and the codes that the registry has added since.
_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))
_OWN_CODES = range(3000, 5000)
# Section 5.5: what remains of a control frame's 125 bytes behind the code.
MOST_REASON_BYTES = 123


class Broken(Exception):
    """Bytes that break RFC 6455; the connection is to be failed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Frame(NamedTuple):
    """One frame of a client's, unmasked."""

    opcode: int
    payload: bytes
    is_final: bool


class Head(NamedTuple):
    """What a frame's first bytes say: where its payload begins and ends, and its mask."""

    opcode: int
    is_final: bool
    start: int
    end: int
    mask: bytes


def read_head(data: bytes | bytearray, pos: int, most: int) -> Head | None:
    """Read the head of the frame at `pos`; None while it is not whole.

    Raises Broken for a head that no client may send (1002), and for a payload of more than `most` bytes (1009).
    """
    if len(data) - pos < 2:
        return None
    first, second = data[pos], data[pos + 1]
    opcode, is_final, length = first & _OPCODE, bool(first & _FIN), second & _LENGTH
    _check(first, second)
    start = pos + 2
    if length > _MOST_CONTROL_BYTES:
        size = 2 if length == 126 else 8
        if len(data) - start < size:
            return None
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if length > most and not opcode & _CONTROL:
        raise Broken(1009, "The message is too large.")
    start += 4
    return Head(opcode, is_final, start, start + length, bytes(data[start - 4 : start]))


def _check(first: int, second: int) -> None:
    opcode = first & _OPCODE
    if first & _RESERVED or opcode not in _OPCODES:
        raise Broken(1002, "A frame has reserved bits or an unknown opcode.")
    if not second & _MASKED:
        raise Broken(1002, "A frame of a client has no mask.")
    if opcode & _CONTROL and (not first & _FIN or second & _LENGTH > _MOST_CONTROL_BYTES):
        raise Broken(1002, "A control frame is too long or in pieces.")


def payload_of(data: bytes, head: Head) -> bytes:
    """The payload of a frame that is whole."""
    return apply_mask(data[head.start : head.end], head.mask)


def check_close(payload: bytes) -> None:
    """Raise Broken for the payload of a close frame that section 5.5.1 does not allow."""
    if not payload:
        return
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _CODES or code in _OWN_CODES):
        raise Broken(1002, "A close frame has no valid code.")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Broken(1007, "A close frame's reason is no UTF-8.") from None


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole frame of the server's."""
    length = len(payload)
    if length <= _MOST_CONTROL_BYTES:
        return bytes((_FIN | opcode, length)) + payload
    if length < 2**16:
        return bytes((_FIN | opcode, 126)) + length.to_bytes(2, "big") + payload
    return bytes((_FIN | opcode, 127)) + length.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; the reason is cut to what fits."""
    told = reason.encode()[:MOST_REASON_BYTES].decode(errors="ignore")
    return frame(CLOSE, code.to_bytes(2, "big") + told.encode())


def short_messages(data: bytes, pos: int, most: int) -> tuple[list[bytes], int]:
    """The whole binary messages of less than 64 KB that stand at `pos`, one after another, and where they end.

    Nearly all that comes is such: in one loop without a call a frame takes 0.6 us, by `read_head` 3 us.
    """
    messages: list[bytes] = []
    end = len(data) - 8
    while pos <= end and data[pos] == _WHOLE_BINARY and len(messages) < most:
        length = data[pos + 1] - _MASKED
        start = pos + 6
        if length == _TWO_BYTES:
            length = data[pos + 2] << 8 | data[pos + 3]
            start = pos + 8
        until = start + length
        if until > end + 8 or length < 0 or data[pos + 1] == _EIGHT_BYTES:
            break
        messages.append(apply_mask(data[start:until], data[start - 4 : start]))
        pos = until
    return messages, pos


class Unfinished:
    """What has come of a message that is not whole, and since when it comes."""

    __slots__ = ("_fragments", "_is_text", "began_at", "came_bytes", "need", "rest")

    def __init__(self, began_at: float) -> None:
        # Bytes of frames that are not read yet, and how many of them make the next frame.
        self.rest = bytearray()
        self.need = 0
        self._fragments: bytearray | None = None
        self._is_text = False
        self.began_at = began_at
        self.came_bytes = 0

    @property
    def size(self) -> int:
        """Bytes of the message in pieces."""
        return len(self._fragments or b"")

    @property
    def kept_bytes(self) -> int:
        """What it takes in memory."""
        return len(self.rest) + self.size

    @property
    def is_fragmented(self) -> bool:
        """Whether it is a message in pieces."""
        return self._fragments is not None

    def take_rest(self) -> bytes:
        """Take the bytes that are not read yet."""
        rest, self.rest = bytes(self.rest), bytearray()
        return rest

    def take(self, part: Frame) -> Frame | None:
        """Take a data frame in; gives the message once it is whole. Raises Broken for one that is out of order.

        A list of the parts would cost fifty times their bytes, and empty ones are without end.
        """
        if (part.opcode == CONTINUATION) is (self._fragments is None):
            raise Broken(1002, "A message begins inside another, or goes on before it began.")
        if self._fragments is None:
            self._fragments, self._is_text = bytearray(), part.opcode == TEXT
        fragments = self._fragments
        fragments += part.payload
        if not part.is_final:
            return None
        whole, self._fragments = bytes(fragments), None
        return Frame(TEXT if self._is_text else BINARY, whole, is_final=True)
