"""PostgreSQL: several writers at once, and a server that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text, update
from tests.contracts.values import an_activity, an_entry, stored
from tests.support.postgres import PostgresServer, postgres_programs

from coscribe.errors import Unavailable
from coscribe.model import Append, Appended, Replaced
from coscribe.storage.activities import SqlActivities, insert_activities
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.health import SqlHealth
from coscribe.storage.migrate import upgrade
from coscribe.storage.tables import documents
from coscribe.storage.update_log import SqlUpdateLog

pytestmark = pytest.mark.postgres

WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = :kind")


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[Database]:
    database = Database.open(postgres_url)
    yield database
    await database.close()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A cluster that a test may stop."""
    server = PostgresServer(postgres_programs())
    server.make()
    server.start()
    yield server
    server.remove()


async def until_someone_waits(database: Database, kind: str) -> None:
    async with asyncio.timeout(30):
        while True:
            async with database.read() as connection:
                if (await connection.execute(WAITING, {"kind": kind})).scalar():
                    return


async def test_activity_ids_rise_in_commit_order(postgres: Database) -> None:
    """Who took a lower id commits first, so that a reader behind the head misses nothing."""
    early, late = await stored(postgres), await stored(postgres)
    activities, log = SqlActivities(postgres), SqlUpdateLog(postgres)
    head = await activities.head()

    async with postgres.write() as connection:
        [first] = await insert_activities(connection, [(early.id, 0, an_activity())])
        append = Append(late.id, 1, (an_entry(),), (), (an_activity(),))
        second = asyncio.create_task(log.append([append]))
        await until_someone_waits(postgres, "advisory")
        assert await activities.head() == head

    [answer] = await second
    assert answer is not None
    assert head < first.id < answer.activities[0].id == await activities.head()


async def test_d1_seqs_are_allotted_in_commit_order(postgres: Database) -> None:
    document = await stored(postgres)
    log = SqlUpdateLog(postgres)
    append = Append(document.id, 1, (an_entry(),))

    async with postgres.write() as connection:
        held = text("UPDATE documents SET seq = seq + 1 WHERE id = :id RETURNING seq")
        assert (await connection.execute(held, {"id": document.id})).scalar() == 1
        waiting = asyncio.create_task(log.append([append]))
        await until_someone_waits(postgres, "transactionid")
        await connection.rollback()

    # The seq that was rolled back is not lost.
    assert await waiting == [Appended(1)]


async def test_appends_without_activities_do_not_wait_for_those_with(postgres: Database) -> None:
    one, two = await stored(postgres), await stored(postgres)

    async with postgres.write() as connection:
        await insert_activities(connection, [(one.id, 0, an_activity())])
        answers = await SqlUpdateLog(postgres).append([Append(two.id, 1, (an_entry(),))])

    assert answers == [Appended(1)]


async def test_a_connection_killed_in_mid_transaction_leaves_nothing(postgres: Database) -> None:
    document = await stored(postgres)

    async def raise_seq_and_be_killed() -> None:
        async with postgres.write() as connection:
            await connection.execute(text("UPDATE documents SET seq = 100"))
            backend = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar()
            async with postgres.read() as killer:
                await killer.execute(text("SELECT pg_terminate_backend(:backend, 5000)"), {"backend": backend})
            await connection.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        await raise_seq_and_be_killed()

    assert await SqlDocuments(postgres).get(document.id) == document
    assert await SqlUpdateLog(postgres).append([Append(document.id, 1, (an_entry(),))]) == [Appended(1)]


async def test_a_server_that_is_away_is_unavailable_until_it_is_back(own_server: PostgresServer) -> None:
    url = await asyncio.to_thread(own_server.new_database, "template0")
    await asyncio.to_thread(upgrade, url)
    database = Database.open(url)
    document = await stored(database)
    log = SqlUpdateLog(database)
    append = Append(document.id, 1, (an_entry(),))
    assert await log.append([append]) == [Appended(1)]

    await asyncio.to_thread(own_server.stop)
    with pytest.raises(Unavailable):
        await log.append([append])
    with pytest.raises(Unavailable):
        await log.read(document.id, 1, after=0)
    with pytest.raises(Unavailable, match="Storage cannot be written to"):
        await SqlHealth(database).check()
    with pytest.raises(Unavailable):
        await asyncio.to_thread(upgrade, url)

    await asyncio.to_thread(own_server.start)
    assert await log.append([append]) == [Appended(2)]
    await SqlHealth(database).check()
    await database.close()
    await asyncio.to_thread(own_server.stop)


async def test_a_database_that_does_not_exist_is_unavailable(postgres_server: PostgresServer) -> None:
    database = Database.open(postgres_server.url("missing"))

    with pytest.raises(Unavailable):
        await SqlDocuments(database).get("d")
    await database.close()


async def test_d6_an_append_that_waits_for_a_restore_finds_another_generation(postgres: Database) -> None:
    """Not that the document is gone: a client takes that for its end and keeps nothing."""
    document = await stored(postgres)
    async with postgres.write() as connection:
        await connection.execute(update(documents).where(documents.c.id == document.id).values(generation=5))
        waiting = asyncio.create_task(SqlUpdateLog(postgres).append([Append(document.id, 1, (an_entry(),))]))
        await until_someone_waits(postgres, "transactionid")

    assert await waiting == [Replaced(5)]
