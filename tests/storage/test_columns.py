"""Rows that SQLite's driver is given by columns are the rows that SQLAlchemy would have stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Table, insert
from sqlalchemy.dialects import sqlite as dialect
from tests.contracts.values import NOW, stored

from coscribe.storage.columns import Columns, insert_columns, kept, rows_of
from coscribe.storage.engine import Database
from coscribe.storage.tables import TextRefused, activity, client_ids, documents, updates

_LEAP = datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)
_FAR_EAST = datetime(2026, 1, 1, 3, 0, tzinfo=timezone(timedelta(hours=14)))


async def rows(database: Database, table: Table) -> list[tuple[Any, ...]]:
    """What lies in a table, as the driver finds it, with each value's type."""
    columns = ", ".join(f"{column.name}, typeof({column.name})" for column in table.c)
    return await database.write_here(lambda it: it.execute(f"SELECT {columns} FROM {table.name} ORDER BY 1").fetchall())


def entries(document_id: str, payloads: Sequence[bytes], *, moments: Sequence[datetime] = (NOW,)) -> Columns:
    count = len(payloads)
    return {
        "document_id": [document_id] * count,
        "generation": [1] * count,
        "seq": range(1, count + 1),
        "principal_id": ["né"] * count,
        "session_id": [f"s{number % 3}" for number in range(count)],
        "at": [moments[number % len(moments)] for number in range(count)],
        "payload": payloads,
        "checksum": [b"12345678"] * count,
    }


@pytest.mark.parametrize("table", [updates, activity, client_ids])
async def test_they_lie_there_byte_for_byte_as_by_sqlalchemy(sqlite: Database, table: Table) -> None:
    document = await stored(sqlite)
    told: dict[Table, Columns] = {
        updates: entries(document.id, [b"", b"\x00", bytes(range(256))], moments=(NOW, _LEAP, _FAR_EAST)),
        activity: {
            "id": [7, 8],
            "document_id": [document.id] * 2,
            "seq": [0, 2**53],
            "kind": ["edited"] * 2,
            "principal_id": ["né", ""],
            "name": ["😀", "'"],
            "at": [_LEAP, _FAR_EAST],
            "data": [{"words": ["né", 1.5, None]}, {}],
        },
        client_ids: {
            "document_id": [document.id] * 2,
            "generation": [1] * 2,
            "client_id": [1, 2**53 - 1],
            "principal_id": ["ann", "ben"],
        },
    }
    clear = f"DELETE FROM {table.name}"
    await sqlite.write_here(lambda it: it.execute(clear))
    async with sqlite.write() as connection:
        await connection.execute(insert(table), rows_of(told[table]))
    expected = await rows(sqlite, table)

    await sqlite.write_here(lambda it: it.execute(clear))
    await sqlite.write_here(lambda it: insert_columns(it, table, told[table]))

    assert await rows(sqlite, table) == expected


def test_a_moment_is_kept_as_sqlalchemy_keeps_it() -> None:
    by_sqlalchemy = dialect.DATETIME().bind_processor(dialect.dialect())  # type: ignore[no-untyped-call]
    moments = [NOW, _LEAP, _FAR_EAST, datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]

    expected = [by_sqlalchemy(moment.astimezone(UTC)) for moment in moments]

    assert kept(documents.c.updated_at, moments) == expected
    assert kept(documents.c.trashed_at, [None, NOW]) == [None, by_sqlalchemy(NOW)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 511, 512, 513, 1999])
async def test_any_number_of_rows_in_few_statements(sqlite: Database, count: int) -> None:
    document = await stored(sqlite)
    said: list[str] = []

    def work(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(said.append)
        insert_columns(connection, updates, entries(document.id, [b"%d" % seq for seq in range(count)]))
        connection.set_trace_callback(None)

    await sqlite.write_here(work)

    found = await sqlite.write_here(lambda it: it.execute("SELECT payload FROM updates ORDER BY seq").fetchall())
    assert found == [(b"%d" % seq,) for seq in range(count)]
    assert len(said) <= 12


async def test_large_rows_go_in_by_themselves(sqlite: Database) -> None:
    """A statement that is kept prepared keeps what it stored last."""
    document = await stored(sqlite)
    sizes = [100_000, 100_000, 100_000, 1, 1, 300_000, 300_000, 1]
    said: list[str] = []

    def work(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(said.append)
        insert_columns(connection, updates, entries(document.id, [bytes(size) for size in sizes]))
        connection.set_trace_callback(None)

    await sqlite.write_here(work)

    found = await sqlite.write_here(
        lambda it: it.execute("SELECT length(payload) FROM updates ORDER BY seq").fetchall()
    )
    assert [size for (size,) in found] == sizes
    assert max(len(statement) for statement in said) < 2 * 300_000 + 1000  # in hexadecimal


async def test_the_last_rowid_counts_the_rows(sqlite: Database) -> None:
    document = await stored(sqlite)
    told = {name: [value] * 700 for name, value in {
        "document_id": document.id, "seq": 0, "kind": "edited", "principal_id": "p", "name": "n", "at": NOW, "data": {},
    }.items()}  # fmt: skip

    first = await sqlite.write_here(lambda it: it.execute("SELECT max(id) FROM activity").fetchone()[0])
    last = await sqlite.write_here(lambda it: insert_columns(it, activity, told))

    assert last == first + 700


@pytest.mark.parametrize("bad", ["\0", "a\0b", "\ud800"])
async def test_text_that_cannot_be_kept_is_refused(sqlite: Database, bad: str) -> None:
    document = await stored(sqlite)
    told = {**entries(document.id, [b"a", b"b"]), "session_id": ["s", bad]}

    with pytest.raises(TextRefused):
        await sqlite.write_here(lambda it: insert_columns(it, updates, told))

    assert await rows(sqlite, updates) == []
