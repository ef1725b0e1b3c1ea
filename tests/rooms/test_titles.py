"""Titles that follow their texts are stored one after the other, and one that cannot be keeps none of the others."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime

import pytest
from tests.contracts.values import stored
from tests.rooms.building import Building, eventually
from tests.support.people import ANN

from coscribe.core.splices import Splice
from coscribe.model import Activity, Document, NewActivity
from coscribe.ports import DocumentChanges
from coscribe.rooms.room import Room
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database

_WITHIN_S = 20


class Watched(SqlDocuments):
    """The real documents; it sees how many changes are on their way, and loses the first of one document.

    That one comes to `arrived`, and goes on once it is let.
    """

    most = now = 0
    unlucky = ""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.arrived, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    async def change(
        self, document_id: str, changes: DocumentChanges, activity: NewActivity | None, at: datetime
    ) -> tuple[Document, Activity | None] | None:
        if document_id == self.unlucky:
            self.unlucky = ""
            self.arrived.set()
            await self.open.wait()
            raise OSError("the line is cut")
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await super().change(document_id, changes, activity, at)
        finally:
            self.now -= 1


@pytest.fixture
def documents(building: Building) -> Watched:
    watched = Watched(building.database)
    building.registry._titles._documents = watched
    return watched


async def write(room: Room, text: str) -> None:
    await room.writers.edit(ANN, lambda now: [Splice(0, len(now), text)])


async def titled(documents: Watched, document: Document, title: str) -> None:
    async with asyncio.timeout(_WITHIN_S):
        while (found := await documents.get(document.id)) is None or found.title != title:  # noqa: ASYNC110 - a row
            await asyncio.sleep(0)


async def test_many_that_pause_at_once_are_stored_one_after_the_other(building: Building, documents: Watched) -> None:
    made = [await stored(building.database, title_by_hand=False) for _ in range(20)]
    async with AsyncExitStack() as stack:
        rooms = [await stack.enter_async_context(building.registry.hold(document)) for document in made]
        await asyncio.gather(*(write(room, f"# {number}\n") for number, room in enumerate(rooms)))
        for number, document in enumerate(made):
            await titled(documents, document, str(number))
        await eventually(lambda: [room.title for room in rooms] == [str(number) for number in range(20)])
    assert documents.most == 1


async def test_one_that_cannot_be_stored_is_told_of_and_tried_again(building: Building, documents: Watched) -> None:
    first, second = [await stored(building.database, title_by_hand=False) for _ in range(2)]
    documents.unlucky = first.id
    async with building.registry.hold(first) as one, building.registry.hold(second) as other:
        await write(one, "# One\n")
        await write(other, "# Other\n")
        await titled(documents, second, "Other")
        [told] = [fields for event, fields in building.told if event == "title_failed"]
        assert (told["document_id"], told["reason"]) == (first.id, "the line is cut")
        assert isinstance(told["exc_info"], OSError)  # none of our own: its traceback is wanted
        await write(one, "# One\nand more\n")
        await titled(documents, first, "One")


async def test_a_newer_title_waits_behind_one_that_cannot_be_stored(building: Building, documents: Watched) -> None:
    document = await stored(building.database, title_by_hand=False)
    documents.unlucky = document.id
    documents.open.clear()
    async with building.registry.hold(document) as room:
        await write(room, "# One\n")
        await documents.arrived.wait()
        await room.writers.edit(ANN, lambda _: [Splice(0, 5, "# Two")])
        async with asyncio.timeout(_WITHIN_S):
            while room.derived_title != "Two":  # noqa: ASYNC110 - a second after the commit
                await asyncio.sleep(0)
        documents.open.set()
        await titled(documents, document, "Two")
        await eventually(lambda: room.title == "Two")  # the row is there before its answer
