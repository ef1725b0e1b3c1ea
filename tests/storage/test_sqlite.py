"""SQLite: what the connections promise, and what a disk or a neighbour can do to them."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.contracts.values import an_entry, stored

from coscribe.errors import Unavailable
from coscribe.model import Append
from coscribe.storage import engine
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.health import SqlHealth
from coscribe.storage.update_log import SqlUpdateLog

FULL = 2


async def pragma(connection: AsyncConnection, name: str) -> object:
    return (await connection.execute(text(f"PRAGMA {name}"))).scalar()


def file_of(url: str) -> Path:
    return Path(url.partition(":///")[2])


async def test_d3_the_writer_syncs_every_commit(sqlite: Database) -> None:
    async with sqlite.write() as connection:
        assert await pragma(connection, "journal_mode") == "wal"
        assert await pragma(connection, "synchronous") == FULL
        assert await pragma(connection, "foreign_keys") == 1
        assert await pragma(connection, "busy_timeout") == engine.BUSY_TIMEOUT_MS
        assert await pragma(connection, "query_only") == 0


async def test_readers_cannot_write(sqlite: Database) -> None:
    async with sqlite.read() as connection:
        assert await pragma(connection, "query_only") == 1
        assert await pragma(connection, "busy_timeout") == engine.BUSY_TIMEOUT_MS
    with pytest.raises(Unavailable) as refusal:
        async with sqlite.read() as connection:
            await connection.execute(text("DELETE FROM documents"))
    assert "readonly" in str(refusal.value.__cause__)


async def test_a_writer_holds_the_write_lock_from_its_first_word(sqlite: Database, sqlite_url: str) -> None:
    neighbour = sqlite3.connect(file_of(sqlite_url), timeout=0)
    async with sqlite.write():
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            neighbour.execute("BEGIN IMMEDIATE")
    neighbour.execute("BEGIN IMMEDIATE")
    neighbour.close()


async def test_a_reader_sees_one_moment(sqlite: Database) -> None:
    document = await stored(sqlite)
    log = SqlUpdateLog(sqlite)
    count = text("SELECT count(*) FROM updates")

    async with sqlite.read() as connection:
        assert (await connection.execute(count)).scalar() == 0
        await log.append([Append(document.id, 1, (an_entry(),))])
        assert (await connection.execute(count)).scalar() == 0
    async with sqlite.read() as connection:
        assert (await connection.execute(count)).scalar() == 1


async def test_a_neighbours_lock_is_waited_for(sqlite: Database, sqlite_url: str) -> None:
    document = await stored(sqlite)
    neighbour = sqlite3.connect(file_of(sqlite_url), isolation_level=None)
    neighbour.execute("BEGIN EXCLUSIVE")

    waiting = asyncio.create_task(SqlUpdateLog(sqlite).append([Append(document.id, 1, (an_entry(),))]))
    # Reading goes on meanwhile: WAL readers ask nobody.
    assert await SqlDocuments(sqlite).get(document.id) == document
    assert not waiting.done()
    neighbour.execute("COMMIT")
    neighbour.close()

    [answer] = await waiting
    assert answer is not None
    assert answer.first_seq == 1


async def test_a_lock_that_lasts_is_unavailable(
    sqlite: Database, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await stored(sqlite)
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 20)
    impatient = Database.open(sqlite_url)
    log = SqlUpdateLog(impatient)
    append = Append(document.id, 1, (an_entry(),))
    neighbour = sqlite3.connect(file_of(sqlite_url), isolation_level=None)
    neighbour.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable):
        await log.append([append])
    with pytest.raises(Unavailable, match="database is locked"):
        await SqlHealth(impatient).check()
    neighbour.execute("ROLLBACK")
    neighbour.close()

    [answer] = await log.append([append])
    assert answer is not None
    assert answer.first_seq == 1
    await SqlHealth(impatient).check()
    await impatient.close()


async def test_a_full_disk_is_unavailable_until_there_is_room(sqlite: Database) -> None:
    document = await stored(sqlite)
    log = SqlUpdateLog(sqlite)
    async with sqlite.write() as connection:
        await connection.execute(text("PRAGMA max_page_count = 1"))

    with pytest.raises(Unavailable) as refusal:
        await log.append([Append(document.id, 1, (an_entry(b"x" * 100_000),))])
    assert "full" in str(refusal.value.__cause__)
    assert await log.read(document.id, 1, after=0) == []
    assert await SqlDocuments(sqlite).get(document.id) == document

    async with sqlite.write() as connection:
        await connection.execute(text("PRAGMA max_page_count = 1000000"))
    [answer] = await log.append([Append(document.id, 1, (an_entry(b"x" * 100_000),))])
    assert answer is not None
    assert answer.first_seq == 1


async def test_a_process_killed_in_mid_transaction_leaves_nothing(sqlite: Database, sqlite_url: str) -> None:
    document = await stored(sqlite)
    program = (
        "import sqlite3, sys, time\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute('UPDATE documents SET seq = 900')\n"
        "row = (sys.argv[2], 1, 'p', 's', '2026-01-01 00:00:00.000000', b'x' * 4000, b'c')\n"
        "rows = [(*row[:2], seq, *row[2:]) for seq in range(1, 900)]\n"
        "connection.executemany('INSERT INTO updates VALUES (?, ?, ?, ?, ?, ?, ?, ?)', rows)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(file_of(sqlite_url)), document.id]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    process.kill()
    await process.communicate()

    log = SqlUpdateLog(sqlite)
    assert await log.read(document.id, 1, after=0) == []
    [answer] = await log.append([Append(document.id, 1, (an_entry(),))])
    assert answer is not None
    assert answer.first_seq == 1
    async with sqlite.read() as connection:
        assert await pragma(connection, "integrity_check") == "ok"


async def test_closing_folds_the_log_into_the_file(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    document = await stored(database)
    assert await SqlDocuments(database).get(document.id) == document

    await database.close()

    folder = file_of(sqlite_url).parent
    assert [path.name for path in folder.iterdir()] == ["coscribe.db"]
    again = Database.open(sqlite_url)
    assert await SqlDocuments(again).get(document.id) == document
    await again.close()


async def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/missing/coscribe.db")

    with pytest.raises(Unavailable):
        await SqlUpdateLog(database).append([Append("d", 1, (an_entry(),))])
    with pytest.raises(Unavailable):
        await SqlDocuments(database).get("d")
    with pytest.raises(Unavailable, match="unable to open database file"):
        await SqlHealth(database).check()
    await database.close()
    # The driver's threads end after their connections failed, and report to this test's loop.
    for thread in threading.enumerate():
        if "connection_worker" in thread.name:
            await asyncio.to_thread(thread.join)


async def test_a_writer_that_never_lets_go_is_not_healthy(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coscribe.storage.health.CHECK_TIMEOUT_S", 0.01)
    async with sqlite.write():
        with pytest.raises(Unavailable, match=r"no answer in 0\.01 s"):
            await SqlHealth(sqlite).check()
    monkeypatch.undo()
    await SqlHealth(sqlite).check()


async def test_an_append_that_is_cancelled_while_it_waits_stores_nothing(sqlite: Database) -> None:
    document = await stored(sqlite)
    log = SqlUpdateLog(sqlite)
    async with sqlite.write():
        waiting = asyncio.create_task(log.append([Append(document.id, 1, (an_entry(),))]))
        await SqlDocuments(sqlite).get(document.id)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    assert await log.read(document.id, 1, after=0) == []
    [answer] = await log.append([Append(document.id, 1, (an_entry(),))])
    assert answer is not None
    assert answer.first_seq == 1
