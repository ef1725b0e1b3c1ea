"""Yjs v1 updates put together byte by byte, so that tests do not lean on the code that reads them."""

from __future__ import annotations

from collections.abc import Iterable

# Parent info 1 and the name: an item without origins lies in the root `content`.
IN_ROOT = b"\x01\x07content"


def uint(value: int) -> bytes:
    """A varUint."""
    out = b""
    while value >= 0x80:
        out += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return out + bytes((value,))


def place(client: int, clock: int) -> bytes:
    """An item's id."""
    return uint(client) + uint(clock)


def string(text: str | bytes) -> bytes:
    """A varString."""
    raw = text.encode() if isinstance(text, str) else text
    return uint(len(raw)) + raw


def item(
    kind: int, content: bytes, *, after: tuple[int, int] | None = None, before: tuple[int, int] | None = None
) -> bytes:
    """An item with its origins, or in the root without one."""
    info = kind | (0x80 if after else 0) | (0x40 if before else 0)
    origins = (place(*after) if after else b"") + (place(*before) if before else b"")
    return bytes((info,)) + (origins or IN_ROOT) + content


def typed(text: str, *, after: tuple[int, int] | None = None, before: tuple[int, int] | None = None) -> bytes:
    """An item of text."""
    return item(4, string(text), after=after, before=before)


def structs(client: int, clock: int, *found: bytes) -> bytes:
    """One client's section of an update."""
    return uint(len(found)) + uint(client) + uint(clock) + b"".join(found)


def deletes(client: int, *ranges: tuple[int, int]) -> bytes:
    """One client's section of a delete set: clock and length of each range."""
    return uint(client) + uint(len(ranges)) + b"".join(uint(clock) + uint(length) for clock, length in ranges)


def update(sections: Iterable[bytes] = (), removed: Iterable[bytes] = ()) -> bytes:
    """A whole update."""
    sections, removed = list(sections), list(removed)
    return uint(len(sections)) + b"".join(sections) + uint(len(removed)) + b"".join(removed)


def one(client: int, clock: int, *found: bytes) -> bytes:
    """An update of one client that deletes nothing."""
    return update([structs(client, clock, *found)])


def framed(kind: int, payload: bytes) -> bytes:
    """A sync message: 0 step 1, 1 step 2, 2 update."""
    return bytes((0, kind)) + string(payload)


def presence(*entries: tuple[int, int, str]) -> bytes:
    """An awareness message."""
    payload = uint(len(entries)) + b"".join(place(client, clock) + string(state) for client, clock, state in entries)
    return b"\x01" + string(payload)
