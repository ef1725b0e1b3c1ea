"""One room a document: loaded once, kept while somebody holds it, given up when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from tests.rooms.building import NOBODY
from tests.support.people import ANN, NOW
from tests.support.wire_bytes import framed

from coscribe.core import answers
from coscribe.core.bounds import Limits
from coscribe.core.outbox import Outbox
from coscribe.core.pieces import split
from coscribe.core.protocol import SyncStep2, Update, decode
from coscribe.core.replica import Replica
from coscribe.core.session import Session
from coscribe.core.splices import Splice
from coscribe.errors import Unavailable
from coscribe.model import Access, ActivityKind, Document, NewActivity, Place, Role, new_id
from coscribe.ports import DocumentChanges
from coscribe.rooms.compaction import Compactor, Upkeep
from coscribe.rooms.hub import ActivityHub
from coscribe.rooms.opening import Storage
from coscribe.rooms.registry import Registry
from coscribe.rooms.room import Room
from coscribe.storage.activities import SqlActivities
from coscribe.storage.archive import SqlArchive
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.principals import SqlPrincipals
from coscribe.storage.update_log import SqlUpdateLog

_WITHIN_S = 20.0
UPKEEP = Upkeep(lambda _: False, lambda _, error: pytest.fail(str(error)), NOBODY)


def a_registry(database: Database, *, idle_s: float = 30.0) -> Registry:
    storage = Storage(
        SqlUpdateLog(database),
        SqlDocuments(database),
        SqlActivities(database),
        SqlPrincipals(database),
        SqlArchive(database),
    )
    return Registry(
        storage, ActivityHub(), limits=Limits(2**20, 2**20), idle_s=idle_s, watch=lambda event, **fields: None
    )


@asynccontextmanager
async def running(database: Database, *, idle_s: float = 30.0) -> AsyncIterator[Registry]:
    registry = a_registry(database, idle_s=idle_s)
    registry.start()
    try:
        yield registry
    finally:
        await registry.close()


async def a_document(database: Database, *, title: str = "") -> Document:
    document = Document(
        new_id(), title, False, "markdown", ANN.id, 1, 0, Access.RESTRICTED, NOW, NOW, None
    )  # fmt: skip
    await SqlDocuments(database).create(document, NewActivity(ActivityKind.CREATED, ANN.id, ANN.name, NOW))
    return document


async def write(room: Room, text: str) -> None:
    await room.writers.edit(ANN, lambda _: [Splice(0, 0, text)])


async def settled(database: Database) -> None:
    """Return behind all that was waiting to be written: there is one writer, and this is one more write."""
    await a_document(database)


async def test_a_room_that_need_not_stay_is_there_for_whoever_asked(sqlite: Database) -> None:
    document = await a_document(sqlite)
    async with running(sqlite, idle_s=0) as registry, asyncio.timeout(_WITHIN_S):
        async with registry.hold(document) as room:
            await write(room, "kept")
        await settled(sqlite)
        assert registry.live(document.id) is None
        async with registry.hold(document) as again:
            assert again is not room
            assert again.text == "kept"


async def test_a_room_that_is_being_loaded_ends_with_the_server(sqlite: Database) -> None:
    document = await a_document(sqlite)
    async with running(sqlite) as registry, asyncio.timeout(_WITHIN_S):
        asked = asyncio.create_task(_hold(registry, document))
        await asyncio.sleep(0)
        await registry.close()
        with pytest.raises(Unavailable, match="restarting"):
            await asked
        assert not registry.rooms
        with pytest.raises(Unavailable, match="restarting"):
            await _hold(registry, document)


async def _hold(registry: Registry, document: Document) -> None:
    async with registry.hold(document):
        pass


async def test_a_title_that_a_stop_came_before_is_found_at_the_next_start(sqlite: Database) -> None:
    document = await a_document(sqlite)
    async with running(sqlite) as registry, registry.hold(document) as room:
        await write(room, "# Minutes of March\n")
    documents = SqlDocuments(sqlite)
    # The server stopped within the second after which the title is looked at.
    stored = await documents.get(document.id)
    assert stored is not None
    assert stored.title == ""

    async with running(sqlite) as registry, registry.hold(stored):
        await settled(sqlite)
        found = await documents.get(document.id)
        assert found is not None
        assert found.title == "Minutes of March"


async def test_opening_a_document_changes_nothing_of_it(sqlite: Database) -> None:
    documents = SqlDocuments(sqlite)
    named, new = await a_document(sqlite, title="Minutes"), await a_document(sqlite, title="Agenda")
    await documents.change(named.id, DocumentChanges(title="By hand"), None, NOW + timedelta(minutes=1))
    before = [await documents.get(named.id), await documents.get(new.id)]
    async with running(sqlite) as registry:
        for document in (named, new):
            await _hold(registry, document)
        await settled(sqlite)
    assert [await documents.get(named.id), await documents.get(new.id)] == before


async def test_a_rehearsal_opens_nothing(sqlite: Database) -> None:
    async with running(sqlite) as registry:
        await registry.rehearse()
        assert not registry.rooms


async def test_a_long_document_is_told_in_the_pieces_that_are_stored(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await a_document(sqlite)
    text = "lorem ipsum " * 50_000
    async with running(sqlite) as registry, registry.hold(document) as room:
        await write(room, text)
        place = Place(document.id, document.generation)
        await Compactor(SqlUpdateLog(sqlite), SqlArchive(sqlite), UPKEEP)._snapshot(place, room.seq)

    cuts: list[int] = []
    monkeypatch.setattr(answers, "split", lambda update: cuts.append(len(update)) or split(update))
    async with running(sqlite) as registry, registry.hold(document) as room:
        assert (read(told(room)), cuts) == (text, [])
        await write(room, "more ")
        assert read(told(room)) == "more " + text
        assert max(cuts) < 100


def told(room: Room) -> list[bytes]:
    """What somebody is answered who has nothing."""
    session = Session("newcomer", ANN, Role.EDITOR, Outbox(2**22, lambda: None))
    room.sessions.join(session)
    room.sessions.receive(session, framed(0, b"\x00"))
    messages = [decode(frame) for frame in session.outbox.take()]
    room.sessions.leave(session)
    return [message.update for message in messages if isinstance(message, Update | SyncStep2)]


def read(updates: list[bytes]) -> str:
    replica = Replica(1)
    replica.load(updates)
    return replica.text
