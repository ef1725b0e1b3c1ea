"""F3, rule D8: the disk takes no more bytes. A transaction may be begun and rolled back; only the commit fails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.documents import new_document, socket_url, text_of
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.sick_disk import degraded, filled, limited, locked
from tests.support.sound import check_file
from tests.support.typist import Typist
from tests.support.writers import Writer, introduce, meet, new_guest

# Above it a room is read-only: 2 ** 16 is the least that the setting takes.
_UNSAVED_BYTES = 2**16


@pytest.mark.proof(
    promise="A full disk is told, refuses what cannot be kept, loses nothing and heals by itself",
    faults="F3",
    how="a disk of 8 MB filled to its last byte under typing, more typed than a room may hold, freed again",
)
async def test_a_full_disk_loses_nothing_and_heals(proof: Proof, small_disk: Path, tmp_path: Path) -> None:
    server = CoscribeServer(small_disk, keepalive_s=0.1, max_unsaved_bytes=_UNSAVED_BYTES)
    with server, Ledger(tmp_path / "ledger") as ledger:
        document_id = new_document(server)
        url = socket_url(server, document_id)
        writers = [Writer(name, url, ledger, headers=new_guest(server, name)) for name in "ab"]
        await introduce(writers)
        before = server.memory_bytes
        rounds = proof.rounds(1, 5)
        for _ in range(rounds):
            for writer in writers:
                await writer.connect()
            with filled(small_disk):
                await _fill_the_room(server, document_id, writers)
            for writer in writers:
                await writer.typist.wait(lambda writer=writer: degraded(writer.typist)[-1:] == [True])
                await writer.wait_saved()
                await writer.disconnect()
            with server.client() as probe:
                assert probe.get("/health/ready").status_code == 200
        text = await meet(writers)
        ledger.check_all(text)
        for writer in writers:
            await writer.disconnect()
        grown = server.memory_bytes - before
        assert grown < 64 * 2**20
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        check_file(server, ledger, document_id)
        assert text_of(server, document_id) == text
        proof.told(filled=rounds, words=len(ledger.words), grown_mb=round(grown / 2**20, 1))


async def _fill_the_room(server: CoscribeServer, document_id: str, writers: list[Writer]) -> None:
    """Type more than a room holds; what is stored can be read meanwhile and nothing new is promised."""
    first, second = writers
    while not any(notice.get("limit") == "max_unsaved_bytes" for notice in first.typist.heard.notices):
        await first.write()
        await asyncio.sleep(0)  # let the answers be heard
    await second.typist.wait(lambda: degraded(second.typist)[-1:] == [False])
    acked = first.typist.acked
    with server.client() as probe:
        ready = probe.get("/health/ready")
        assert (ready.status_code, probe.get("/health/live").status_code) == (503, 200)
        assert re.search("stored: .*(I/O error|disk is full)", ready.json()["detail"])
        first.ledger.check(probe.get(f"/api/v1/documents/{document_id}/text").raise_for_status().text)
        made = probe.post("/api/v1/documents", json={"text": "one more"})
        assert (made.status_code, made.headers["content-type"]) == (503, "application/problem+json")
    # It comes with the next attempt to store, of which there is one every two seconds.
    await first.typist.wait(lambda: any(notice["kind"] == "read-only" for notice in first.typist.heard.notices))
    assert first.typist.acked == acked


async def test_d8_a_full_disk_is_told_to_people_and_probes(own_server: CoscribeServer) -> None:
    document_id = new_document(own_server, "# Before\n")
    async with Typist(socket_url(own_server, document_id)) as one, Typist(socket_url(own_server, document_id)) as two:
        await one.wait_synced()
        await two.wait_synced()
        await one.wait_saved()
        with own_server.client() as probe:
            assert probe.get("/health/ready").status_code == 200
            with limited(own_server):
                await one.insert(0, "typed ")
                await one.wait(lambda: degraded(one) == [False])
                await two.wait_text("typed # Before\n")
                assert one.acked < one.sent
                ready = probe.get("/health/ready")
                assert ready.status_code == 503
                assert re.search("stored: .*(I/O error|disk is full)", ready.json()["detail"])
                assert probe.get("/health/live").status_code == 200
                assert text_of(own_server, document_id) == "# Before\n"
                assert "recording_failed" in own_server.log
            await one.wait_saved()
            await one.wait(lambda: degraded(one) == [False, True])
            assert probe.get("/health/ready").status_code == 200
    own_server.kill()
    own_server.start()
    assert text_of(own_server, document_id) == "typed # Before\n"


@pytest.fixture
def chatty_server(tmp_path: Path) -> Iterator[CoscribeServer]:
    """Sends a keepalive ten times a second, upon which a typist looks again at what it waits for."""
    with CoscribeServer(tmp_path, keepalive_s=0.1) as running:
        yield running


async def test_a_title_that_could_not_be_stored_is_made_up_for(chatty_server: CoscribeServer) -> None:
    document_id = new_document(chatty_server, "text\n")
    async with Typist(socket_url(chatty_server, document_id)) as person:
        await person.wait_synced()
        await person.insert(0, "# Heading\n")
        await person.wait_saved()
        # The title follows a second behind the commit.
        with locked(chatty_server):
            await person.wait(lambda: "title_failed" in chatty_server.log)
        await person.insert(len(person.text), "more\n")
        await person.wait_saved()
        await person.wait(lambda: any(notice["kind"] == "document" for notice in person.heard.notices))
        with chatty_server.client() as reader:
            assert reader.get(f"/api/v1/documents/{document_id}").json()["title"] == "Heading"
