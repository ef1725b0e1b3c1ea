"""D8: another process holds the SQLite file. People go on typing together, are told, and lose nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.documents import new_document, socket_url, text_of
from tests.support.server import CoscribeServer
from tests.support.typist import Typist


@contextmanager
def locked(server: CoscribeServer) -> Iterator[None]:
    """The database with its one place for a writer taken."""
    with closing(sqlite3.connect(Path(server.data_dir) / "coscribe.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def degraded(person: Typist) -> list[bool]:
    """The notices that a person heard: False for each that it began, True for each that it is over."""
    return [notice.get("recovered", False) for notice in person.heard.notices if notice["kind"] == "degraded"]


async def test_d8_everybody_is_told_and_nothing_is_lost(own_server: CoscribeServer) -> None:
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
            assert text_of(own_server, first) == ""
        for person in (one, two, elsewhere, late):
            await person.wait_saved()
            await person.wait(lambda person=person: degraded(person) == [False, True])
        assert text_of(own_server, first) == "typed "
        assert text_of(own_server, second) == "elsewhere"
