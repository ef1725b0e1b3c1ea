"""Server-sent events as bytes: WHATWG HTML, section 9.2, in the chunks of RFC 9112, section 7.1."""

from __future__ import annotations

from coscribe.rooms.feed_reader import FeedEvent

# How soon a browser comes back after the stream broke; a restarted server is up again by then.
RETRY_MS = 2000


def event_bytes(event: FeedEvent) -> bytes:
    """One event; its data is JSON on one line, so no CR or LF in a text can forge another event."""
    identified = f"id: {event.position}\n" if event.position is not None else ""
    return f"event: {event.event}\n{identified}data: {event.data}\n\n".encode()


def chunk(content: bytes) -> bytes:
    """A part of a body whose length nobody knows yet."""
    return b"%x\r\n%b\r\n" % (len(content), content)


PREAMBLE = chunk(f"retry: {RETRY_MS}\n\n".encode())
KEEPALIVE = chunk(b":\n\n")
LAST = b"0\r\n\r\n"
