"""Tests of the tests: with a fault put into the server, the check that a proof makes turns red.

Faults of the core (an early ack, a dropped update, no gate) are put into the simulator by tests/simulation,
missing syncs into the proof of power cuts itself.
"""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.support import failing_server
from tests.support.damage import BOMB
from tests.support.documents import new_document, socket_url, text_of
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.writers import Writer, write_until_cut


@pytest.mark.proof(
    promise="The proof of kill -9 finds a server that acks before it commits",
    faults="F1 mutation",
    how="a log that answers half a second before it stores",
)
async def test_acking_early_is_found(proof: Proof, tmp_path: Path) -> None:
    server = CoscribeServer(tmp_path, command=failing_server.COMMAND, mutant="ack-early")
    with server, Ledger(tmp_path / "ledger") as ledger:
        document_id = new_document(server)
        writer = Writer("a", socket_url(server, document_id), ledger)
        await writer.connect()

        async def kill() -> None:
            await writer.typist.wait(lambda: len(writer.typist.heard.acks) >= 20)
            await asyncio.to_thread(server.kill)

        await write_until_cut([writer], random.Random(1), cut=asyncio.ensure_future(kill()))
        await asyncio.to_thread(server.start)
        with pytest.raises(AssertionError, match="I1: acked and lost"):
            ledger.check(text_of(server, document_id))


@pytest.mark.proof(
    promise="The proof of hostile updates finds a server without the scanner",
    faults="fuzz mutation",
    how="the same bomb sent to a sound server and to one that believes every update",
)
async def test_skipping_the_scanner_is_found(proof: Proof, tmp_path: Path) -> None:
    assert await _end_by_bomb(tmp_path / "sound", "") == "refused"
    assert await _end_by_bomb(tmp_path / "unsound", "skip-the-scanner") == -signal.SIGSEGV


async def _end_by_bomb(folder: Path, mutant: str) -> str | int:
    """Send the bomb; gives what became of it: a refusal, or the exit status of the server that it ended."""
    server = CoscribeServer(folder, command=failing_server.COMMAND, mutant=mutant)
    with server:
        async with Typist(socket_url(server, new_document(server))) as attacker:
            await attacker.wait_synced()
            await attacker.send_update(BOMB)
            await attacker.wait(lambda: bool(attacker.heard.notices) or attacker.closed is not None)
            if attacker.closed is None:
                return str(attacker.heard.notices[0]["kind"])
            with server.client() as probe, suppress(httpx.TransportError):
                return f"alive {probe.get('/health/live').status_code}, the line closed {attacker.closed}"
            return await asyncio.to_thread(server.wait_dead)
