"""F11 and F13: a stop with a thousand people, and everybody back at once."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest
from tests.support.documents import feed_url, new_document, socket_url
from tests.support.healing import healed, people
from tests.support.ledger import Ledger
from tests.support.limits import raise_open_files
from tests.support.onlookers import Onlookers
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.viewer import Viewer
from tests.support.writers import Writer, write_until_cut

pytestmark = pytest.mark.alone

_SEED = 20241112
_STOP_WITHIN_S = 5.0
_SYNCED_WITHIN_S = 20.0
_FIRST_EDIT_WITHIN_S = 5.0
# What a socket may cost the server, its room's share included.
_BYTES_A_SOCKET = 2**17
_DOCUMENTS = 10


@pytest.mark.proof(
    promise="A server that is told to stop saves what was typed, sends everybody away by 1012 and is gone in 5 s",
    faults="F11",
    how="SIGTERM with 1,000 sockets while three people type; then everybody comes back",
)
async def test_a_stop_with_a_thousand_sockets(proof: Proof, tmp_path: Path) -> None:
    sockets = proof.rounds(200, 1000)
    rng = random.Random(_SEED)
    with _server_for(tmp_path, sockets) as server, Ledger(tmp_path / "ledger") as ledger:
        document_id = new_document(server)
        async with (
            Viewer(feed_url(server, document_id)) as viewer,
            Onlookers([socket_url(server, document_id)]) as crowd,
        ):
            writers = await people(server, document_id, ledger, "abc")
            await crowd.come(sockets)
            await crowd.wait_synced(sockets, 60)
            took_s = await _stop_under_typing(server, writers, rng)
            await crowd.wait_ended(_STOP_WITHIN_S)
            assert crowd.codes == {1012: sockets}
            assert {writer.typist.closed[0] for writer in writers if writer.typist.closed} == {1012}
            crowd.leave()
            await asyncio.to_thread(server.start)
            await crowd.come(sockets)
            await crowd.wait_synced(sockets, _SYNCED_WITHIN_S)
            await healed(server, document_id, ledger, writers, viewer)
        proof.told(sockets=sockets, stop_s=round(took_s, 2), acked=len(ledger.saved))
        assert took_s < _STOP_WITHIN_S


async def _stop_under_typing(server: CoscribeServer, writers: list[Writer], rng: random.Random) -> float:
    """Seconds that a stop takes in the midst of typing."""

    async def stop() -> float:
        await writers[0].typist.wait(lambda: writers[0].typist.acked > 10)
        began = time.monotonic()
        await asyncio.to_thread(server.stop)
        return time.monotonic() - began

    stopping = asyncio.ensure_future(stop())
    await write_until_cut(writers, rng, cut=stopping)
    return stopping.result()


@pytest.mark.proof(
    promise="When everybody comes back at once after a restart, all are served, and typing goes on meanwhile",
    faults="F13",
    how="all sockets connect in the same moment to a server that was just started; one person types among them",
)
async def test_everybody_back_at_once(proof: Proof, tmp_path: Path) -> None:
    sockets = proof.rounds(300, 5000)
    with _server_for(tmp_path, sockets) as server, Ledger(tmp_path / "ledger") as ledger:
        documents = [new_document(server, "# Text\n" * 100) for _ in range(_DOCUMENTS - 1)] + [new_document(server)]
        async with (
            Viewer(feed_url(server, documents[-1])) as viewer,
            Onlookers([socket_url(server, document_id) for document_id in documents]) as crowd,
        ):
            writers = await people(server, documents[-1], ledger, "ab")
            await crowd.come(sockets)
            await crowd.insist(60)
            before = server.memory_bytes
            await asyncio.to_thread(server.kill)
            await crowd.wait_ended(20)
            crowd.leave()
            await asyncio.to_thread(server.start)
            began = time.monotonic()
            coming = asyncio.ensure_future(crowd.come(sockets))
            await writers[0].connect()
            await writers[0].write()
            await writers[0].wait_saved()
            first_edit_s = time.monotonic() - began
            await coming
            await crowd.insist(60)
            synced_s = time.monotonic() - began
            memory = server.memory_bytes
            await healed(server, documents[-1], ledger, writers, viewer)
        proof.told(sockets=sockets, first_edit_s=round(first_edit_s, 1), synced_s=round(synced_s, 1))
        proof.told(memory_mb=memory // 2**20)
        assert first_edit_s < _FIRST_EDIT_WITHIN_S
        assert synced_s < _SYNCED_WITHIN_S
        assert memory < before + sockets * _BYTES_A_SOCKET


def _server_for(folder: Path, sockets: int) -> CoscribeServer:
    """A server that lets one address have so many; both processes need a file for each."""
    raise_open_files(sockets + 500)
    return CoscribeServer(
        folder,
        max_connections=sockets + 100,
        max_connections_per_address=sockets + 100,
        max_sessions_per_principal=sockets + 100,
    )
