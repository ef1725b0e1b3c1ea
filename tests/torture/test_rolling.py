"""F12: servers behind a proxy are restarted one after the other while people type by every carrier."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import httpx
import pytest
from tests.support.fleet import Fleet, a_fleet
from tests.support.healing import hang_up, persist
from tests.support.ledger import Ledger
from tests.support.postgres import PostgresServer
from tests.support.proof import Proof
from tests.support.proxies import balancer
from tests.support.redis import RedisServer
from tests.support.typist import HttpTypist, Typist
from tests.support.viewer import Viewer
from tests.support.writers import Writer, meet

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

_SEED = 12
_STOPPED_WITHIN_S = 5.0
# How long a word of those who type may wait for its ack while servers go and come.
_LONGEST_PAUSE_S = 8.0


async def _document(url: str) -> str:
    """A document that anyone with its address may edit."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as guest:
        answer = await guest.post("/api/v1/documents", json={"text": ""})
        answer.raise_for_status()
        return str(answer.json()["id"])


@pytest.mark.proof(
    promise="Servers behind a proxy are restarted in turn while people type by every carrier, and nothing is lost",
    faults="F12",
    how="three servers behind Caddy as docs/proxies/scale.Caddyfile has it; SIGTERM and a new start of each in turn",
)
async def test_a_rolling_restart(
    proof: Proof, tmp_path: Path, own_cluster: PostgresServer, own_redis: RedisServer
) -> None:
    async with a_fleet(tmp_path, own_cluster, own_redis, 3, proxied=False, keepalive_s=0.5) as fleet:
        ports = [int(server.url.rpartition(":")[2]) for server in fleet.servers]
        with balancer(tmp_path, ports) as url, Ledger(tmp_path / "ledger") as ledger:
            document_id = await _document(url)
            socket = f"{url.replace('http', 'ws', 1)}/ws/{document_id}"
            writers = []
            for name, typist in (
                ("a", Typist(socket)),
                ("b", Typist(socket)),
                ("c", HttpTypist(socket, "stream")),
                ("d", HttpTypist(socket, "poll")),
            ):
                writer = Writer(name, socket, ledger)
                writer.typist = typist
                await writer.connect()
                await writer.write()
                await writer.wait_saved()
                writers.append(writer)
            async with Viewer(f"{url}/api/v1/documents/{document_id}/events") as viewer:
                stops = []
                for _ in range(proof.rounds(1, 3)):
                    stops += await _restart_all(fleet, writers)
                for writer in writers:
                    await hang_up(writer)
                text = await meet(writers)
                await viewer.wait_text(text)
                for writer in writers:
                    writer.note_acks()
                ledger.check_all(text)
                for writer in writers:
                    await writer.disconnect()
            proof.told(restarts=len(stops), slowest_stop_s=round(max(stops), 1), acked=len(ledger.saved))
    assert max(stops) < _STOPPED_WITHIN_S


async def _restart_all(fleet: Fleet, writers: list[Writer]) -> list[float]:
    """Restart each server in turn under typing; gives the seconds that each took to stop."""
    rng = random.Random(_SEED)
    typing = [asyncio.create_task(persist(writer, random.Random(rng.random()))) for writer in writers]
    stops = []
    for server in fleet.servers:
        await asyncio.sleep(0.5)
        began = time.monotonic()
        await asyncio.to_thread(server.stop)
        stops.append(time.monotonic() - began)
        acked = len(writers[0].ledger.saved)
        async with asyncio.timeout(_LONGEST_PAUSE_S):
            while len(writers[0].ledger.saved) <= acked:
                for writer in writers:
                    writer.note_acks()
                await asyncio.sleep(0.05)
        await asyncio.to_thread(server.start)
    for task in typing:
        task.cancel()
    await asyncio.gather(*typing, return_exceptions=True)
    return stops
