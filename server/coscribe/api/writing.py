"""The writing half of a connection that is not uvicorn's any more: when it is due, and what is not taken."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from abc import ABC, abstractmethod
from typing import Any

from coscribe.api.lines import Lines

# What is written at once; the rest waits until the line has taken it.
WRITE_BYTES = 2**18
_SEND_BUFFER_BYTES = 2**18


class Writing(asyncio.Protocol, ABC):
    """What a WebSocket's line and an event stream's have in common."""

    __slots__ = ("_connections", "_is_due", "_lines", "_moved_at", "_sent_at", "_transport", "_unsent")

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._transport: asyncio.Transport | None = None
        self._connections: set[Any]
        self._is_due = False
        self._sent_at = 0.0
        # What the transport holds where it holds too much, None where it takes more; and since when it is that much.
        self._unsent: int | None = None
        self._moved_at = 0.0

    def _take_over(self, transport: asyncio.Transport, connections: set[Any]) -> None:
        """Take a connection; `connections` are those that uvicorn shuts down."""
        # Else the kernel takes 4 MB for who reads nothing, and nobody notices until it has them.
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._transport, self._connections = transport, connections
        connections.add(self)
        self._sent_at = self._lines.now()
        transport.set_protocol(self)
        self._lines.add(self)
        # A transport says once that it is full: where the head of this answer did it, another protocol was told.
        if transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]:
            self.pause_writing()

    def _let_go(self) -> None:
        """The connection is gone."""
        self._transport = None
        self._lines.remove(self)
        self._connections.discard(self)

    def wake(self) -> None:
        """There is something to write: it is written at the end of this turn."""
        if not self._is_due and self._transport is not None:
            self._is_due = True
            self._lines.wake(self)

    @abstractmethod
    def flush(self) -> None:
        """Write what is owed."""

    @abstractmethod
    def beat(self, now: float, *, is_late: bool) -> None:
        """Look after the connection."""

    def pause_writing(self) -> None:
        """The transport holds all that it may."""
        self._unsent, self._moved_at = -1, self._lines.now()

    def resume_writing(self) -> None:
        """The other side has taken what it was sent."""
        self._unsent = None
        self.wake()

    def _has_moved(self, now: float, transport: asyncio.Transport) -> bool:
        """Whether anything was taken since the last look of what the transport and the kernel hold."""
        size = transport.get_write_buffer_size() + _unacknowledged(transport)
        if size == self._unsent:
            return False
        self._unsent, self._moved_at = size, now
        return True

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()


def _unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes that the kernel still has: it takes more from a transport only when a third of its buffer is free."""
    connection: socket.socket | None = transport.get_extra_info("socket")
    try:
        queued = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)) if connection is not None else bytes(4)
    except OSError:  # it is gone, or the system does not tell
        return 0
    return int(struct.unpack("i", queued)[0])
