"""A person whose line takes nothing any more (D7): the server lets go of the connection and of what it holds for it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.support.documents import new_document, socket_url
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from websockets.asyncio.client import connect

# More than the kernel buffers on both sides of a loopback connection.
_MORE_THAN_BUFFERS = 16 * 2**20
_EVERYTHING = b"\x00\x00\x01\x00"


async def test_d7_a_socket_that_takes_nothing_is_cut(tmp_path: Path) -> None:
    room = {"max_frame_bytes": 2 * _MORE_THAN_BUFFERS, "max_document_bytes": 2 * _MORE_THAN_BUFFERS}
    with CoscribeServer(tmp_path, keepalive_s=0.1, **room) as server:
        document_id = new_document(server, "x" * _MORE_THAN_BUFFERS)
        other = new_document(server)
        stalled = await connect(
            socket_url(server, document_id),
            compression=None,
            max_size=None,
            max_queue=1,
            ping_interval=None,
            proxy=None,
        )
        stalled.transport.pause_reading()
        await stalled.send(_EVERYTHING)
        async with Typist(socket_url(server, other)) as person:
            # The log has a line for each socket that has ended; keepalives make the typist look again.
            await person.wait(lambda: f"path=/ws/{document_id}" in server.log, timeout_s=60)
        started = time.monotonic()
        assert server.stop() in (0, -signal.SIGTERM)
        # A connection that is still open holds the stop up for three seconds.
        assert time.monotonic() - started < 2.5
        assert "graceful shutdown exceeded" not in server.log
        stalled.transport.abort()
