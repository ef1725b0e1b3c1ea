"""The patrol of access: what it finds changed behind a session's back, and what it cannot find out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from tests.contracts.values import a_link, stored
from tests.rooms.building import Building, enter, eventually
from tests.support.people import ANN, BEN

from coscribe.errors import Unavailable
from coscribe.model import Document, Link, Role
from coscribe.services.access import AccessService
from coscribe.storage.engine import Database
from coscribe.storage.grants import SqlGrants


@pytest.fixture
async def building(sqlite: Database) -> AsyncIterator[Building]:
    building = Building(sqlite)
    yield building
    await building.close()


async def behind_its_back(building: Building, document: Document, change: str) -> None:
    """Change the document's row as no request does."""
    async with building.database.write() as connection:
        await connection.execute(text(f"UPDATE documents SET {change} WHERE id = :id"), {"id": document.id})


async def test_a_document_that_cannot_be_read_keeps_no_other_from_being_looked_at(building: Building) -> None:
    access = AccessService(building.documents, SqlGrants(building.database), building.registry)
    async with AsyncExitStack() as stack:
        made = [await building.document() for _ in range(250)]
        rooms = [await stack.enter_async_context(building.registry.hold(document)) for document in made]
        sessions = [enter(room, f"ben {number}", BEN, Role.EDITOR) for number, room in enumerate(rooms)]
        for document in made:
            await behind_its_back(building, document, "access = 'viewer'")
        await behind_its_back(building, made[0], "access = 'rotten'")
        with pytest.raises(ExceptionGroup) as raised:
            await access.patrol(asyncio.Event())
        assert [type(failure) for failure in raised.value.exceptions] == [Unavailable]
        assert [session.role for session in sessions] == [Role.EDITOR, *[Role.VIEWER] * 249]


async def test_its_rounds_go_on_until_it_is_stopped(building: Building, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coscribe.services.access.PATROL_EVERY_S", 0.01)
    access = AccessService(building.documents, SqlGrants(building.database), building.registry)
    stop = asyncio.Event()
    patrol = asyncio.create_task(access.patrol(stop))
    document = await stored(building.database, owner_id=ANN.id)
    async with building.registry.hold(document) as room:
        ben, ann = enter(room, "ben", BEN), enter(room, "ann", ANN, Role.OWNER)
        for granted, role in (("viewer", Role.VIEWER), ("editor", Role.EDITOR)):
            await behind_its_back(building, document, f"access = '{granted}'")
            await eventually(lambda role=role: ben.role is role)
        await behind_its_back(building, document, "access = 'restricted'")
        await eventually(lambda: ben.outbox.closing is not None)
        assert ben.outbox.closing is not None
        assert ben.outbox.closing.code == 4403
        assert (ann.role, ann.outbox.closing) == (Role.OWNER, None)
    stop.set()
    await patrol


async def test_links_that_cannot_be_read_keep_no_other_from_being_looked_at(building: Building) -> None:
    grants = SqlGrants(building.database)
    access = AccessService(building.documents, grants, building.registry)
    async with AsyncExitStack() as stack:
        made = [await building.document() for _ in range(3)]
        sessions = [
            enter(await stack.enter_async_context(building.registry.hold(document)), f"ben {at}", BEN)
            for at, document in enumerate(made)
        ]
        await grants.add_link(a_link(made[0].id))
        async with building.database.write() as connection:
            await connection.execute(text("UPDATE links SET role = 'rotten'"))
        for document in made:
            await behind_its_back(building, document, "access = 'viewer'")
        with pytest.raises(ExceptionGroup) as raised:
            await access.patrol(asyncio.Event())
        assert [str(failure) for failure in raised.value.exceptions] == ["The links of this document cannot be read."]
        assert [session.role for session in sessions] == [Role.EDITOR, Role.VIEWER, Role.VIEWER]


class Stopping(SqlGrants):
    """Grants that are asked for when the server is told to stop."""

    asked = 0
    stop: asyncio.Event

    async def links(self, document_id: str) -> list[Link]:
        self.asked += 1
        self.stop.set()
        return await super().links(document_id)


async def test_a_round_ends_when_the_server_stops(building: Building) -> None:
    grants = Stopping(building.database)
    grants.stop = asyncio.Event()
    access = AccessService(building.documents, grants, building.registry)
    async with AsyncExitStack() as stack:
        for number in range(150):
            room = await stack.enter_async_context(building.registry.hold(await building.document()))
            enter(room, f"ben {number}", BEN)
        await access.patrol(grants.stop)
    assert grants.asked == 100
