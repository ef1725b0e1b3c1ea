"""PostgreSQL: several writers at once, and a server that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import cast, func, select, text, update
from sqlalchemy.dialects.postgresql import REGCLASS
from tests.contracts.values import an_activity, an_entry, stored
from tests.support.postgres import PostgresServer, postgres_programs

from coscribe.errors import Unavailable
from coscribe.model import Append, Appended, Behind, Entry, Replaced
from coscribe.storage import appending_postgres, update_log
from coscribe.storage.activities import SqlActivities, insert_activities
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.health import SqlHealth
from coscribe.storage.migrate import upgrade
from coscribe.storage.tables import documents, updates
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


def late(document_id: str, payload: bytes, behind: int) -> Append:
    """What has come too late before."""
    return Append(document_id, 1, (an_entry(payload),), after=behind, is_late=True)


async def test_who_comes_too_late_again_takes_in_what_he_missed_while_the_row_is_his(postgres: Database) -> None:
    document, log = await stored(postgres), SqlUpdateLog(postgres)
    await log.append([Append(document.id, 1, (an_entry(b"a"), an_entry(b"b")))])
    met: list[tuple[int, list[bytes]]] = []

    async def meet(append: Append, seq: int, missed: Sequence[Entry]) -> Append:
        met.append((seq, [entry.payload for entry in missed]))
        other = asyncio.create_task(log.append([Append(document.id, 1, (an_entry(b"d"),))]))
        others.append(other)
        await until_someone_waits(postgres, "transactionid")
        return replace(append, after=seq)

    others: list[asyncio.Task[Any]] = []
    assert await log.append([late(document.id, b"c", 1)], meet) == [Appended(3)]

    assert met == [(2, [b"b"])]
    assert await others[0] == [Appended(4)]
    assert [entry.payload for entry in await log.read(document.id, 1, after=0)] == [b"a", b"b", b"c", b"d"]


async def test_who_cannot_take_in_what_he_missed_is_told_again(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, log = await stored(postgres), SqlUpdateLog(postgres)
    await log.append([Append(document.id, 1, (an_entry(b"a"), an_entry(b"b"), an_entry(b"c")))])
    met: list[int] = []

    async def meet(_append: Append, seq: int, _missed: Sequence[Entry]) -> None:
        met.append(seq)

    assert await log.append([late(document.id, b"d", 1)], meet) == [Behind(3)]
    assert await log.append([late(document.id, b"d", 3)], meet) == [Appended(4)]
    assert met == [3]
    # Nor is he asked where there is much, or where some of it cannot be read.
    monkeypatch.setattr(update_log, "_MOST_MISSED", 2)
    assert await log.append([late(document.id, b"e", 1)], meet) == [Behind(4)]
    async with postgres.write() as connection:
        await connection.execute(update(updates).where(updates.c.seq == 3).values(payload=b"x"))
    assert await log.append([late(document.id, b"e", 2)], meet) == [Behind(4)]
    assert met == [3]


async def test_a_server_that_stands_still_keeps_no_row_from_others(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending_postgres, "_STANDING_STILL", "200ms")
    document, log = await stored(postgres), SqlUpdateLog(postgres)
    await log.append([Append(document.id, 1, (an_entry(b"a"),))])
    thawed = asyncio.Event()

    async def meet(append: Append, seq: int, _missed: Sequence[Entry]) -> Append:
        others.append(asyncio.create_task(log.append([Append(document.id, 1, (an_entry(b"c"),))])))
        others[0].add_done_callback(lambda _: thawed.set())
        await thawed.wait()
        return replace(append, after=seq)

    others: list[asyncio.Task[Any]] = []
    async with asyncio.timeout(30):
        assert await log.append([late(document.id, b"b", 0)], meet) == [Behind(2)]

    assert await others[0] == [Appended(2)]


async def _filled(database: Database) -> tuple[str, str]:
    """A document with two entries, and the file that they are in, below the cluster's data."""
    document = await stored(database)
    await SqlUpdateLog(database).append([Append(document.id, 1, (an_entry(b"a"), an_entry(b"b")))])
    file = select(func.pg_relation_filepath(cast(text("tableoid"), REGCLASS))).select_from(updates)
    async with database.read() as connection:
        found = await connection.execute(file.where(updates.c.document_id == document.id).limit(1))
        return document.id, str(found.scalar_one())


async def test_d8_a_page_that_cannot_be_read_holds_up_none_but_its_documents(own_server: PostgresServer) -> None:
    await asyncio.to_thread(own_server.execute, "CREATE DATABASE torn")
    await asyncio.to_thread(upgrade, own_server.url("torn"))
    before = Database.open(own_server.url("torn"))
    sick, torn = await _filled(before)
    well, file = await _filled(before)
    while file == torn:
        well, file = await _filled(before)
    await before.close()
    await asyncio.to_thread(own_server.execute, "CHECKPOINT")
    await asyncio.to_thread(own_server.stop)
    with (own_server.folder / "data" / torn).open("r+b") as page:
        page.write(b"\xff" * 24)
    await asyncio.to_thread(own_server.start)
    database = Database.open(own_server.url("torn"))

    batch = [late(sick, b"c", 1), Append(well, 1, (an_entry(b"c"),), after=2)]
    answers = await SqlUpdateLog(database).append(batch, never_meet)

    await database.close()
    assert answers == [Behind(2), Appended(3)]


async def never_meet(_append: Append, _seq: int, _missed: Sequence[Entry]) -> None:
    raise AssertionError("there is nothing to meet")


async def test_what_one_document_takes_to_meet_holds_up_no_other(postgres: Database) -> None:
    sick, well, log = await stored(postgres), await stored(postgres), SqlUpdateLog(postgres)
    await log.append([Append(sick.id, 1, (an_entry(b"a"),))])
    stored_beside = asyncio.Event()

    async def meet(append: Append, seq: int, _missed: Sequence[Entry]) -> Append:
        while not (await log.heads([well.id]))[well.id].seq:  # noqa: ASYNC110 - the other transaction makes it so
            await asyncio.sleep(0)
        stored_beside.set()
        return replace(append, after=seq)

    async with asyncio.timeout(30):
        batch = [late(sick.id, b"b", 0), Append(well.id, 1, (an_entry(b"c"),), after=0)]
        assert await log.append(batch, meet) == [Appended(2), Appended(1)]
    assert stored_beside.is_set()
