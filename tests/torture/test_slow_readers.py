"""F9, rule D7: who reads slowly or not at all holds up nobody else, and the server holds little for him."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support import failing_server
from tests.support.documents import feed_url, new_document, socket_url
from tests.support.fault_proxy import FaultProxy, Weather
from tests.support.healing import healed, keystrokes, people
from tests.support.holding import holding
from tests.support.ledger import Ledger
from tests.support.proof import Proof, p99
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.viewer import Viewer
from tests.support.writers import Writer
from websockets.asyncio.client import connect

pytestmark = pytest.mark.alone

_SEED = 20240907
_OUTBOX = 2**16
_PASTE = " " * 40_000
# Between keys the others wait for one another, so a loaded machine shows here and not only in the server: alone, as
# `make torture` runs it, and beside other tests.
_LEAST_S, _LEAST_BESIDE_OTHERS_S = 0.1, 0.25
# More than the kernel buffers on both sides of a loopback connection.
_MORE_THAN_BUFFERS = 16 * 2**20
_EVERYTHING = b"\x00\x00\x01\x00"


@pytest.mark.proof(
    promise="People who read slowly or not at all delay nobody, and catch up by one answer",
    faults="F9",
    how="three lines at 1 KB/s and three that are never read beside two people at work; p99 with and without them",
)
async def test_d7_slow_readers_delay_nobody_and_catch_up(proof: Proof, tmp_path: Path) -> None:
    keys = proof.rounds(300, 2000)
    with CoscribeServer(tmp_path, max_outbox_bytes=_OUTBOX) as server, Ledger(tmp_path / "ledger") as ledger:
        document_id = new_document(server)
        url = socket_url(server, document_id)
        port = int(server.url.rpartition(":")[2])
        async with (
            FaultProxy(port, seed=_SEED, buffer_bytes=2**14) as proxy,
            Viewer(feed_url(server, document_id)) as viewer,
        ):
            one, two, paster = await people(server, document_id, ledger, "abc")
            slow = await people(server, document_id, ledger, "def", proxy)
            before = await _under_load(one, two, paster, keys)
            for writer in slow:
                await writer.typist.wait_text(str(one.typist.text))
            told, sent = slow[0].typist.heard.updates, _sent(one, paster)
            proxy.set(down=Weather(bytes_per_s=1024))
            unread = [await _unread(url) for _ in slow]
            while (await asyncio.to_thread(holding, server)).stale < len(unread):
                await _under_load(one, two, paster, 10)
            beside = await _under_load(one, two, paster, keys)
            proxy.set()
            for writer in slow:
                await writer.typist.wait_text(str(one.typist.text), timeout_s=60)
                assert writer.typist.closed is None
            passed_over = _sent(one, paster) - sent - (slow[0].typist.heard.updates - told)
            assert passed_over > 0, "the slow line was never behind"
            for socket in unread:
                socket.transport.abort()
            await healed(server, document_id, ledger, [one, two, paster, *slow], viewer)
        proof.told(
            passed_over=passed_over,
            p99_ms_without=round(p99(before) * 1e3, 1),
            p99_ms_beside=round(p99(beside) * 1e3, 1),
            keys=keys,
        )
        least = _LEAST_S if proof.full else _LEAST_BESIDE_OTHERS_S
        assert proof.late(beside) < max(least, 3 * proof.late(before))


async def _under_load(one: Writer, other: Writer, paster: Writer, keys: int) -> list[float]:
    """What keys take from one to the other while a third pastes and takes away, over and over."""
    pasting = asyncio.create_task(_paste(paster.typist))
    try:
        return await keystrokes(one, other, keys)
    finally:
        pasting.cancel()
        with suppress(asyncio.CancelledError):
            await pasting


async def _paste(typist: Typist) -> None:
    while True:
        await typist.insert(0, _PASTE)
        await typist.wait_saved()  # what is pasted and taken away in one turn is told as nothing (rule P17)
        await typist.delete(0, len(_PASTE))
        await typist.wait_saved()


def _sent(*writers: Writer) -> int:
    return sum(writer.typist.sent for writer in writers)


async def _unread(url: str) -> object:
    socket = await connect(url, compression=None, max_size=None, max_queue=1, ping_interval=None, proxy=None)
    socket.transport.pause_reading()
    return socket


async def test_d7_a_socket_that_takes_nothing_is_cut(tmp_path: Path) -> None:
    room = {"max_frame_bytes": 2 * _MORE_THAN_BUFFERS, "max_document_bytes": 2 * _MORE_THAN_BUFFERS}
    with CoscribeServer(tmp_path, command=failing_server.COMMAND, patience_s=3, keepalive_s=0.1, **room) as server:
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
