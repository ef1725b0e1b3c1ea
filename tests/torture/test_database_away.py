"""F5, rule D8: PostgreSQL is stopped, or hangs, while people type."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tests.support.documents import new_document, socket_url, text_of
from tests.support.ledger import Ledger
from tests.support.postgres import PostgresServer
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.sick_disk import degraded
from tests.support.writers import Writer, introduce, meet, new_guest

from coscribe.storage.migrate import upgrade

_SEED = 5


@contextmanager
def _stopped(cluster: PostgresServer) -> Iterator[None]:
    """Shut down at once, as by a crash."""
    cluster.stop()
    yield
    cluster.start()


@contextmanager
def _frozen(cluster: PostgresServer) -> Iterator[None]:
    """Every process of it held still: connections are taken by the kernel, and nothing answers."""
    postmaster = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    processes = [postmaster, *map(int, children)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    yield
    for process in processes:
        os.kill(process, signal.SIGCONT)


@pytest.mark.postgres
@pytest.mark.proof(
    promise="While PostgreSQL is stopped or hangs nothing is called saved; then saving goes on by itself, without loss",
    faults="F5",
    how="an immediate shutdown and a freeze of all its processes, under typing",
)
async def test_a_database_that_is_away_loses_nothing(proof: Proof, own_cluster: PostgresServer, tmp_path: Path) -> None:
    await asyncio.to_thread(own_cluster.execute, "CREATE DATABASE away")
    url = own_cluster.url("away")
    await asyncio.to_thread(upgrade, url)
    rng = random.Random(_SEED)
    with CoscribeServer(tmp_path, database_url=url, keepalive_s=0.1) as server, Ledger(tmp_path / "ledger") as ledger:
        document_id = new_document(server)
        socket = socket_url(server, document_id)
        writers = [Writer(name, socket, ledger, headers=new_guest(server, name)) for name in "ab"]
        await introduce(writers)
        back_s = []
        for number in range(proof.rounds(1, 6)):
            away = _frozen if number % 2 else _stopped
            back_s.append(await _type_while_away(server, writers, away(own_cluster), rng))
        text = await meet(writers)
        ledger.check_all(text)
        for writer in writers:
            await writer.disconnect()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        assert text_of(server, document_id) == text
        proof.told(acked=len(ledger.saved), slowest_return_s=round(max(back_s), 1))


async def _type_while_away(
    server: CoscribeServer, writers: list[Writer], away: AbstractContextManager[None], rng: random.Random
) -> float:
    """Type before, while and after it is away; gives the seconds that the first ack took once it was back."""
    for writer in writers:
        await writer.connect()
    typing = [asyncio.create_task(writer.write_on(random.Random(rng.random()))) for writer in writers]
    witness = writers[0].typist
    await witness.wait(lambda: len(witness.heard.acks) >= 5)
    await asyncio.to_thread(away.__enter__)
    with server.client() as probe:
        ready = await asyncio.to_thread(probe.get, "/health/ready")
        assert (ready.status_code, probe.get("/health/live").status_code) == (503, 200)
    stood = witness.acked
    await asyncio.to_thread(away.__exit__, None, None, None)
    began = time.monotonic()
    await witness.wait(lambda: witness.acked > stood, timeout_s=60)
    took = time.monotonic() - began
    await witness.wait(lambda: degraded(witness)[-1:] in ([], [True]), timeout_s=60)
    for task in typing:
        task.cancel()
    await asyncio.gather(*typing, return_exceptions=True)
    for writer in writers:
        await writer.wait_saved()
        await writer.disconnect()
    return took
