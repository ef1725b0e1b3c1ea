"""F16 and F30: lines that are half open, and lines that break every other second."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import failing_server
from tests.support.documents import feed_url, new_document, socket_url
from tests.support.fault_proxy import FaultProxy, Turn, Weather
from tests.support.healing import healed, people, persist
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.stock import StockClient
from tests.support.typist import Typist
from tests.support.viewer import Viewer

_SEED = 20241630
_LOST = Weather(lost=True)
# A ping and its time to be answered are 15 s each.
_FOUND_OUT_S = 33.0
# What y-websocket and our own client wait for a word before they connect again, and their pause before that.
_CLIENT_FOUND_OUT_S = 30.0 + 8.0


@pytest.fixture
def server(proof: Proof, tmp_path: Path) -> Iterator[CoscribeServer]:
    """Waits for answers as long as in real life under `make torture`, else for a second."""
    settings = {} if proof.full else {"patience_s": 1}
    with CoscribeServer(tmp_path, command=failing_server.COMMAND, **settings) as running:
        yield running


@pytest.mark.proof(
    promise="A line that died silently is noticed within 30 s by both sides, and what was typed on it arrives",
    faults="F16",
    how="a proxy swallows both directions; the server's list of people and a stock client's reconnect are timed",
)
async def test_half_open_lines_are_found_out(proof: Proof, server: CoscribeServer, tmp_path: Path) -> None:
    document_id = new_document(server)
    with Ledger(tmp_path / "ledger") as ledger:
        async with (
            FaultProxy(int(server.url.rpartition(":")[2]), seed=_SEED) as proxy,
            Viewer(feed_url(server, document_id)) as viewer,
        ):
            (lost,) = await people(server, document_id, ledger, "a", proxy)
            (other,) = await people(server, document_id, ledger, "b")
            await lost.typist.set_awareness(1, {"cursor": None, "state": "active"})
            await viewer.wait(lambda: _told(viewer, "joined"))
            proxy.set(up=_LOST, down=_LOST)
            began = time.monotonic()
            for _ in range(20):
                await lost.write()
                await other.write()
            await viewer.wait(lambda: _told(viewer, "left"), timeout_s=_FOUND_OUT_S)
            proof.told(server_found_out_s=round(time.monotonic() - began, 1))
            assert lost.typist.acked < lost.typist.sent
            proxy.set()
            await healed(server, document_id, ledger, [lost, other], viewer)


def _told(viewer: Viewer, what: str) -> bool:
    return any(name == "presence" and what in data for name, _, data in viewer.events)


@pytest.mark.proof(
    promise="A client that knows nothing of Coscribe comes back too, with what it typed meanwhile",
    faults="F16",
    how="y-websocket 2 and 3 on a line that is swallowed; within 30 s and its pause",
)
@pytest.mark.node
@pytest.mark.parametrize("major", [2, 3])
async def test_a_stock_client_comes_back_from_a_cut_and_from_a_half_open_line(
    proof: Proof, server: CoscribeServer, major: int
) -> None:
    document_id = new_document(server)
    async with (
        FaultProxy(int(server.url.rpartition(":")[2]), seed=_SEED) as proxy,
        StockClient(major, f"http://127.0.0.1:{proxy.port}", document_id) as stock,
        Typist(socket_url(server, document_id)) as other,
    ):
        await stock.ask("synced")
        # Its own patience is 30 s and cannot be shortened.
        proxy.set(up=_LOST, down=_LOST) if proof.full else proxy.cut()
        await stock.ask("insert", index=0, what="typed meanwhile")
        proxy.set()
        await other.wait_text("typed meanwhile", timeout_s=_CLIENT_FOUND_OUT_S)


@pytest.mark.proof(
    promise="A line that breaks again and again loses no word and types none twice",
    faults="F30",
    how="a proxy resets every line every 2 s, and delays, slices and freezes it in between, while three people type",
)
async def test_flapping_lines_lose_nothing(proof: Proof, own_server: CoscribeServer, tmp_path: Path) -> None:
    document_id = new_document(own_server)
    rng = random.Random(_SEED)
    every_s = 2.0 if proof.full else 0.4
    schedule = [Turn(every_s, _weather(rng), _weather(rng), cut=True) for _ in range(proof.rounds(5, 30))]
    with Ledger(tmp_path / "ledger") as ledger:
        async with (
            FaultProxy(int(own_server.url.rpartition(":")[2]), seed=_SEED) as proxy,
            Viewer(proxy.through(feed_url(own_server, document_id))) as viewer,
        ):
            writers = await people(own_server, document_id, ledger, "abc", proxy)
            typing = [asyncio.create_task(persist(writer, random.Random(rng.random()))) for writer in writers]
            await proxy.follow(schedule)
            for task in typing:
                task.cancel()
            await asyncio.gather(*typing, return_exceptions=True)
            await healed(own_server, document_id, ledger, writers, viewer)
        assert proxy.passed["cut"] >= len(schedule)
        proof.told(cuts=proxy.passed["cut"], words=len(ledger.words), acked=len(ledger.saved))


def _weather(rng: random.Random) -> Weather:
    return Weather(
        latency_s=rng.choice([0, 0.02, 0.1]),
        jitter_s=rng.choice([0, 0.05]),
        slice_bytes=rng.choice([None, 1, 7]),
        bytes_per_s=rng.choice([None, None, 20_000]),
        frozen=rng.random() < 0.1,
    )
