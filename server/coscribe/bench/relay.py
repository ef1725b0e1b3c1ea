"""A relay in front of a server, which counts what goes through it: bytes as they are on the wire, heads and all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast


@dataclass(frozen=True, slots=True)
class Passed:
    """What has gone through, in both directions, and in how many connections."""

    total_bytes: int = 0
    connections: int = 0

    def since(self, before: Passed) -> Passed:
        """What has gone through since an earlier look."""
        return Passed(self.total_bytes - before.total_bytes, self.connections - before.connections)


@dataclass(slots=True)
class Said:
    """What one side of a connection said until the other answered."""

    connection: int
    is_client: bool
    data: bytearray = field(default_factory=bytearray)


class Relay:
    """Listens on a port of its own; while it is down it cuts whoever comes.

    What goes through first, until it is `record_bytes`, is kept in `recorded`, in its order.
    """

    def __init__(self, target_port: int, record_bytes: int = 0) -> None:
        self.target_port = target_port
        self.recorded: list[Said] = []
        self.is_down = False
        self._record_bytes = record_bytes
        self._total_bytes = self._connections = 0
        self._ends: set[_End] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    async def __aenter__(self) -> Relay:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Near(self), "127.0.0.1", 0, backlog=1024)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def passed(self) -> Passed:
        """What has gone through so far."""
        return Passed(self._total_bytes, self._connections)

    def cut(self) -> None:
        """Reset every connection."""
        for end in tuple(self._ends):
            end.abort()

    def stop_recording(self) -> None:
        """Keep no more of what goes through."""
        self._record_bytes = 0

    def accepted(self) -> int:
        """A client has come: the number of its connection."""
        self._connections += 1
        return self._connections

    def count(self, data: bytes, connection: int, *, is_client: bool) -> None:
        """Count bytes, and keep the first of them."""
        self._total_bytes += len(data)
        if self._record_bytes <= 0:
            return
        said = next((one for one in reversed(self.recorded) if one.connection == connection), None)
        if said is None or said.is_client is not is_client:
            said = Said(connection, is_client)
            self.recorded.append(said)
        said.data += data
        self._record_bytes -= len(data)

    def opened(self, end: _End) -> None:
        """A connection has an end here."""
        self._ends.add(end)

    def closed(self, end: _End) -> None:
        """It has gone."""
        self._ends.discard(end)


class _End(asyncio.Protocol):
    """One end of a connection; what it hears goes to the other."""

    def __init__(self, relay: Relay, connection: int, *, is_client: bool) -> None:
        self._relay = relay
        self._connection = connection
        self._is_client = is_client
        self._transport: asyncio.Transport | None = None
        self._other: _End | None = None
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._relay.opened(self)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on; they wait for an end that is on its way."""
        self._relay.count(data, self._connection, is_client=self._is_client)
        if self._other is not None:
            self._other.write(data)
        else:
            self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the other end go the same way."""
        self._relay.closed(self)
        if self._other is None:
            return
        if exc is None:
            self._other.close()
        else:
            self._other.abort()

    def join(self, other: _End) -> None:
        """The other end is there."""
        self._other = other
        if self._early:
            other.write(bytes(self._early))
            self._early.clear()

    def write(self, data: bytes) -> None:
        """Say something here."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """End it once everything is said."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Reset it."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_gone(self) -> bool:
        """Whether nobody is there."""
        return self._transport is None or self._transport.is_closing()


class _Near(_End):
    """The client's end, which reaches for the server."""

    def __init__(self, relay: Relay) -> None:
        super().__init__(relay, relay.accepted(), is_client=True)
        self._reaching: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        super().connection_made(transport)
        if self._relay.is_down:
            self.abort()
        else:
            self._reaching = asyncio.ensure_future(self._reach())

    async def _reach(self) -> None:
        relay, loop = self._relay, asyncio.get_running_loop()
        try:
            _, far = await loop.create_connection(
                lambda: _End(relay, self._connection, is_client=False), "127.0.0.1", relay.target_port
            )
        except OSError:
            self.abort()
            return
        if self.is_gone:
            far.abort()
            return
        far.join(self)
        self.join(far)
