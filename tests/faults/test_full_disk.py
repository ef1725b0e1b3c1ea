"""D8: the disk takes no more bytes. A transaction may still be begun and rolled back; only the commit fails."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.faults.test_locked_database import degraded, locked
from tests.support.documents import new_document, socket_url, text_of
from tests.support.server import CoscribeServer
from tests.support.typist import Typist


@contextmanager
def full_disk(server: CoscribeServer) -> Iterator[None]:
    """No file of the server's may be written to beyond its first page."""
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


async def test_d8_a_full_disk_is_told_to_people_and_probes(own_server: CoscribeServer) -> None:
    document_id = new_document(own_server, "# Before\n")
    async with Typist(socket_url(own_server, document_id)) as one, Typist(socket_url(own_server, document_id)) as two:
        await one.wait_synced()
        await two.wait_synced()
        await one.wait_saved()
        with own_server.client() as probe:
            assert probe.get("/health/ready").status_code == 200
            with full_disk(own_server):
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
