"""SQLite: a writing transaction in one call of the driver's thread promises what every other one does."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError
from tests.contracts.values import an_activity, an_entry, stored

from coscribe.errors import Unavailable, cause_of
from coscribe.model import Append, Appended
from coscribe.storage import engine
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.update_log import SqlUpdateLog

_RAISE_SEQ = "UPDATE documents SET seq = seq + 1"


def file_of(url: str) -> Path:
    return Path(url.partition(":///")[2])


async def test_it_holds_the_write_lock_from_its_first_word(sqlite: Database, sqlite_url: str) -> None:
    def work(connection: sqlite3.Connection) -> None:
        assert connection.in_transaction
        neighbour = sqlite3.connect(file_of(sqlite_url), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            neighbour.execute("BEGIN IMMEDIATE")
        neighbour.close()

    await sqlite.write_here(work)


@pytest.mark.parametrize("failure", [RuntimeError("ours"), sqlite3.OperationalError("disk I/O error")])
async def test_what_fails_leaves_nothing_and_no_transaction(sqlite: Database, failure: Exception) -> None:
    document = await stored(sqlite)

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(_RAISE_SEQ)
        raise failure

    for _ in range(2):
        with pytest.raises(RuntimeError if isinstance(failure, RuntimeError) else Unavailable):
            await sqlite.write_here(work)
    assert await SqlDocuments(sqlite).get(document.id) == document


async def test_a_conflict_of_rows_tells_of_rows(sqlite: Database) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        await sqlite.write_here(
            lambda it: it.execute("INSERT INTO client_ids VALUES ('gone', 1, 1, 'p')"),
        )


async def test_a_transaction_that_was_left_open_ends_with_the_next_failure(sqlite: Database) -> None:
    """A rollback can fail too, where there is no memory for it; not every commit after it may."""
    document = await stored(sqlite)
    kept: list[sqlite3.Connection] = []
    await sqlite.write_here(kept.append)
    kept[0].execute("BEGIN IMMEDIATE")
    kept[0].execute(_RAISE_SEQ)

    with pytest.raises(Unavailable):
        await sqlite.write_here(lambda it: it.execute(_RAISE_SEQ))
    assert await SqlUpdateLog(sqlite).append([Append(document.id, 1, (an_entry(),))]) == [Appended(1)]


async def test_one_that_is_cancelled_underway_is_whole_and_holds_up_nobody(sqlite: Database) -> None:
    document = await stored(sqlite)
    underway, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(_RAISE_SEQ)
        loop.call_soon_threadsafe(underway.set)
        assert go_on.wait(5)
        connection.execute(_RAISE_SEQ)

    task = asyncio.create_task(sqlite.write_here(work))
    await underway.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # On the same connection, behind it.
    following = asyncio.create_task(SqlUpdateLog(sqlite).append([Append(document.id, 1, (an_entry(),))]))
    renamed = asyncio.create_task(sqlite.write_here(lambda it: it.execute("SELECT seq FROM documents").fetchall()))
    await asyncio.sleep(0)
    go_on.set()

    assert await following == [Appended(3)]
    assert await renamed == [(3,)]


async def test_closing_waits_for_what_was_cancelled(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    await stored(database)
    underway, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(connection: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(underway.set)
        assert go_on.wait(5)
        connection.execute(_RAISE_SEQ)

    task = asyncio.create_task(database.write_here(work))
    await underway.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    loop.call_soon(go_on.set)
    await database.close()

    folder = file_of(sqlite_url).parent
    assert [path.name for path in folder.iterdir()] == ["coscribe.db"]
    with sqlite3.connect(file_of(sqlite_url)) as reader:
        assert reader.execute("SELECT seq FROM documents").fetchall() == [(1,)]
    reader.close()


async def test_writers_of_both_kinds_never_meet_a_lock(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 0)
    document = await stored(sqlite)
    log, documents = SqlUpdateLog(sqlite), SqlDocuments(sqlite)

    async def append() -> None:
        for _ in range(20):
            await log.append([Append(document.id, 1, (an_entry(),), (), (an_activity(),))])

    async def write() -> None:
        for _ in range(20):
            await stored(sqlite)

    await asyncio.gather(append(), write(), append(), write())

    found = await documents.get(document.id)
    assert found is not None
    assert found.seq == 40


async def test_a_file_that_goes_meanwhile_stored_nothing(sqlite: Database, tmp_path: Path) -> None:
    document = await stored(sqlite)
    append = Append(document.id, 1, (an_entry(),))
    (tmp_path / "coscribe.db").rename(tmp_path / "aside")
    with pytest.raises(Unavailable) as told:
        await SqlUpdateLog(sqlite).append([append])
    assert "moved, removed or replaced" in cause_of(told.value)
    (tmp_path / "aside").rename(tmp_path / "coscribe.db")
    assert await SqlUpdateLog(sqlite).append([append]) == [Appended(1)]

    with pytest.raises(Unavailable):
        await sqlite.write_here(lambda _: (tmp_path / "coscribe.db").rename(tmp_path / "aside"))
    (tmp_path / "aside").rename(tmp_path / "coscribe.db")


async def test_an_append_of_a_hundred_documents_is_a_dozen_steps(sqlite: Database) -> None:
    """Each step may wait 5 ms for the interpreter, whose lock it gives away."""
    made = [await stored(sqlite) for _ in range(100)]
    said: list[str] = []
    await sqlite.write_here(lambda it: it.set_trace_callback(said.append))
    batch = [
        Append(document.id, 1, (an_entry(),) * 20, ((1, "ann"), (2, "ben")), (an_activity(),)) for document in made
    ]

    await SqlUpdateLog(sqlite).append(batch)

    await sqlite.write_here(lambda it: it.set_trace_callback(None))
    assert said.pop(0) == "COMMIT"  # of the transaction that began to listen
    assert said[0] == "BEGIN IMMEDIATE"
    assert len(said[: said.index("COMMIT")]) < 24
