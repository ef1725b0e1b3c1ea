"""Words by which documents are found follow their texts: at a pause, once in a while, and when the room is let go."""

from __future__ import annotations

import asyncio

import pytest
from tests.rooms.building import PATIENCE_S, Building, eventually
from tests.support.people import ANN

from coscribe.core.splices import Splice
from coscribe.core.words import WORDED
from coscribe.model import Document, Place
from coscribe.ports import DocumentQuery
from coscribe.rooms.room import Room
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database


class Watched(SqlDocuments):
    """The real documents; it sees what words come to be stored, and how many at a time, and can lose the first."""

    most = now = 0

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.came: list[tuple[int, str]] = []
        self.is_cut = False

    async def store_words(self, place: Place, seq: int, words: str) -> None:
        if self.is_cut:
            self.is_cut = False
            raise OSError("the line is cut")
        self.now += 1
        self.most = max(self.most, self.now)
        await super().store_words(place, seq, words)
        self.now -= 1
        self.came.append((seq, words))


@pytest.fixture
def documents(building: Building) -> Watched:
    watched = Watched(building.database)
    building.registry._searching._documents = watched
    return watched


async def write(room: Room, text: str) -> None:
    await room.writers.edit(ANN, lambda now: [Splice(0, len(now), text)])


async def finds(documents: Watched, word: str) -> list[str]:
    items, _ = await documents.page(DocumentQuery("owner", q=word, words=[word]))
    return [document.id for document in items]


async def found(documents: Watched, document: Document, word: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while document.id not in await finds(documents, word):  # noqa: ASYNC110 - a row
            await asyncio.sleep(0)


async def test_a_pause_stores_words_once_and_then_the_next_minute(building: Building, documents: Watched) -> None:
    building.registry._searching._every_s = 2.0
    document = await building.document()
    async with building.registry.hold(document) as room:
        await write(room, "plum")
        await found(documents, document, "plum")
        await write(room, "pear")
        await write(room, "apple")
        await found(documents, document, "apple")
    assert documents.came == [(1, " plum "), (3, " apple ")]


async def test_a_room_that_is_let_go_leaves_its_last_words(building: Building, documents: Watched) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        await write(room, "plum")
        await found(documents, document, "plum")
        await write(room, "pear")
        await eventually(lambda: room.is_settled)
    assert await finds(documents, "pear") == []

    building.registry.evict_idle()

    await found(documents, document, "pear")
    assert not building.registry._searching._resting


async def test_one_that_cannot_be_stored_is_told_of_and_comes_later(building: Building, documents: Watched) -> None:
    document = await building.document()
    documents.is_cut = True
    async with building.registry.hold(document) as room:
        await write(room, "plum")
        await eventually(lambda: [event for event, _ in building.told] == ["words_failed"])
        [(_, told)] = building.told
        assert (told["document_id"], told["reason"]) == (document.id, "the line is cut")
        assert isinstance(told["exc_info"], OSError)
    building.registry.evict_idle()
    await found(documents, document, "plum")


async def test_what_was_written_before_is_found_once_it_is_opened(building: Building, documents: Watched) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        await write(room, "plum")
    await building.registry.close()
    assert documents.came == []
    again = Building(building.database)
    watched = again.registry._searching._documents = Watched(building.database)
    async with again.registry.hold(document):
        await found(watched, document, "plum")
    again.registry.evict_idle()
    async with again.registry.hold(document) as room:
        await eventually(lambda: room.worded == 1)  # as the table says
    await again.close()
    assert watched.came == [(1, " plum ")]


async def test_rooms_that_end_together_are_stored_one_after_the_other(building: Building, documents: Watched) -> None:
    made = [await building.document() for _ in range(20)]
    for document in made:
        async with building.registry.hold(document) as room:
            await write(room, "plum")
    building.registry.evict_idle()
    for document in made:
        await found(documents, document, "plum")
    assert (documents.most, len(documents.came)) == (1, 20)


async def test_a_long_text_is_searched_at_its_beginning(building: Building, documents: Watched) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        await write(room, "plum " + "." * WORDED + " pear")
        await found(documents, document, "plum")
    assert documents.came == [(1, " plum ")]


async def test_a_room_that_is_purged_leaves_none(building: Building, documents: Watched) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        await write(room, "plum")
        await documents.purge(document.id)
    building.registry.evict_idle()
    await eventually(lambda: bool(documents.came))
    assert await documents.worded(document.id) == 0
    assert building.told == []
