"""F4, rule D8: another process holds the SQLite file. People go on typing together, are told, and lose nothing."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.documents import new_document, socket_url, text_of
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.sick_disk import degraded, locked
from tests.support.typist import Typist


@pytest.mark.proof(
    promise="While another program locks the database, people type and read on, are told, and lose nothing",
    faults="F4",
    how="BEGIN EXCLUSIVE from a second process, under typing in two documents",
)
async def test_d8_everybody_is_told_and_nothing_is_lost(proof: Proof, own_server: CoscribeServer) -> None:
    first, second = new_document(own_server), new_document(own_server)
    async with (
        Typist(socket_url(own_server, first)) as one,
        Typist(socket_url(own_server, first)) as two,
        Typist(socket_url(own_server, second)) as elsewhere,
        Typist(socket_url(own_server, first)) as late,
    ):
        for person in (one, two, elsewhere):
            await person.wait_synced()
            await person.wait_saved()
        await late.disconnect()
        with locked(own_server):
            await one.insert(0, "typed ")
            await two.wait_text("typed ")
            # While the first document's commit is tried again and again, the second one's is not even begun.
            await elsewhere.insert(0, "elsewhere")
            for person in (one, two, elsewhere):
                await person.wait(lambda person=person: degraded(person) == [False])
            await late.connect()
            await late.wait(lambda: degraded(late) == [False])
            await late.wait_text("typed ")
            assert one.acked < one.sent
            assert elsewhere.acked < elsewhere.sent
            with own_server.client() as probe:
                ready = probe.get("/health/ready")
                assert (ready.status_code, probe.get("/health/live").status_code) == (503, 200)
                assert "database is locked" in ready.json()["detail"]
            reads = await asyncio.to_thread(_read, own_server, first, proof.rounds(20, 4000), 2 if proof.full else 4)
        for person in (one, two, elsewhere, late):
            await person.wait_saved()
            await person.wait(lambda person=person: degraded(person) == [False, True])
        assert text_of(own_server, first) == "typed "
        assert text_of(own_server, second) == "elsewhere"
    proof.told(reads_while_locked=reads)


def _read(server: CoscribeServer, document_id: str, times: int, within_s: float) -> int:
    """Read the text and what the probes say again and again; no answer may be slow or an error of the server's."""
    with server.client() as reader:
        for _ in range(times):
            answer = reader.get(f"/api/v1/documents/{document_id}/text").raise_for_status()
            assert answer.text == ""
            assert answer.elapsed.total_seconds() < within_s  # the database's own patience is five seconds
    return times
