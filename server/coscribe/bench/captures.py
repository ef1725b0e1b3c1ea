"""The beginning of a conversation as it went over the wire, in words: HTTP as it is, frames one a line, no secrets."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import suppress

from coscribe.bench.relay import Said
from coscribe.core.lib0 import read_bytes, read_uint
from coscribe.errors import Malformed

_END_OF_HEAD = b"\r\n\r\n"
_SHOWN_BYTES = 20
_LONG_HEADER = 72
# How much is shown: things said, lines of a stream, lines of any other text, frames.
_MOST_SAID, _MOST_EVENT_LINES, _MOST_LINES, _MOST_FRAMES = 12, 26, 4, 5
# By a credential's header or by its name in a query: what follows is nobody's business.
_SECRET_HEADER = re.compile(r"(?im)^((?:cookie|set-cookie|authorization): ).*$")
_SESSION = re.compile(r"""(?:[?&]session=|"session": ?")([A-Za-z0-9]{22})""")
_TYPES = {
    b"\x00\x00": "sync step 1: asks for what is missing",
    b"\x00\x01": "sync step 2: the answer",
    b"\x00\x02": "an update",
    b"\x01": "awareness: who is here",
}
_SWITCHING = b"HTTP/1.1 101"


def readable(said: Sequence[Said], document_id: str) -> Iterator[tuple[str, str]]:
    """Who spoke, and what; ids of sessions and of the document are replaced by words."""
    whole = b"\n".join(bytes(one.data) for one in said).decode("latin-1")
    sessions = sorted(set(_SESSION.findall(whole)))
    upgraded: set[int] = set()
    for one in said[:_MOST_SAID]:
        data = bytes(one.data)
        head, body = _split(data)
        if head.startswith(_SWITCHING):
            upgraded.add(one.connection)
        lines = _head(head) if head else []
        if head:
            lines.append("")
        if one.connection in upgraded:
            lines += _first(list(_socket_frames(body)), _MOST_FRAMES)
        else:
            lines += _body(head, body, is_client=one.is_client)
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
        for session in sessions:
            text = text.replace(session, "SESSION")
        text = text.replace(document_id, "DOCUMENT")
        yield f"{'Client' if one.is_client else 'Server'}, connection {one.connection}", text


def _split(data: bytes) -> tuple[bytes, bytes]:
    """The head of HTTP, empty where there is none, and what stands behind it."""
    if not re.match(rb"HTTP/1\.1 |[A-Z]+ \S+ HTTP/1\.1\r\n", data):
        return b"", data
    head, _, body = data.partition(_END_OF_HEAD)
    return head, body


def _head(head: bytes) -> list[str]:
    """The lines of a head; long ones are cut short, and what signs somebody in is left out."""
    text = _SECRET_HEADER.sub(r"\1…", head.decode("latin-1").replace("\r\n", "\n"))
    first, *lines = text.split("\n")
    return [first, *(line if len(line) <= _LONG_HEADER else f"{line[:_LONG_HEADER]}…" for line in lines)]


def _body(head: bytes, body: bytes, *, is_client: bool) -> list[str]:
    if not body:
        return []
    if b"application/octet-stream" in head:
        return _first(list(map(_frame, _packed(body, is_client=is_client))), _MOST_FRAMES)
    lines = body.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    if b"text/event-stream" in head:
        return _first([told for line in lines for told in _with_frame(line)], _MOST_EVENT_LINES)
    return _first(lines, _MOST_LINES)


def _first(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[:most], "…"]


def _with_frame(line: str) -> Iterator[str]:
    """A line of an event stream, with the frame that its base64 holds."""
    if not line.startswith("data: "):
        yield line
        return
    yield line if len(line) <= _LONG_HEADER else f"{line[:_LONG_HEADER]}…"
    with suppress(binascii.Error):  # what was recorded last may have been cut off, here and below
        yield f"      ({_frame(b64decode(line[6:]))})"


def _packed(body: bytes, *, is_client: bool) -> Iterator[bytes]:
    """The frames of a POST, and those of a poll's answer, which have their session's place in front."""
    at = 0
    with suppress(Malformed):
        while at < len(body):
            if not is_client:
                _, at = read_uint(body, at)
            frame, at = read_bytes(body, at)
            yield frame


def _socket_frames(data: bytes) -> Iterator[str]:
    """The frames of RFC 6455, section 5.2, unmasked."""
    at = 0
    while at + 2 <= len(data):
        begin, length, at = at, data[at + 1] & 0x7F, at + 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        mask = b""
        if data[begin + 1] & 0x80:
            mask, at = data[at : at + 4], at + 4
        payload = data[at : at + length]
        if len(payload) < length:
            return
        if mask:
            payload = bytes(letter ^ mask[i % 4] for i, letter in enumerate(payload))
        extra = f" and {at - begin} of its head{', masked' if mask else ''}"
        at += length
        yield f"{_frame(payload)}{extra}"


def _frame(payload: bytes) -> str:
    kind = next((name for start, name in _TYPES.items() if payload.startswith(start)), "another frame")
    more = " …" if len(payload) > _SHOWN_BYTES else ""
    return f"{payload[:_SHOWN_BYTES].hex(' ')}{more}   {kind}, {len(payload)} bytes"
