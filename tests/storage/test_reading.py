"""Queries of fixed words: on SQLite one step, with the rows, the faults and the transactions of any other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select
from tests.contracts.values import stored

from coscribe.errors import Unavailable
from coscribe.storage.document_rows import document_rows
from coscribe.storage.engine import Database
from coscribe.storage.reading import fetch
from coscribe.storage.tables import TextRefused, documents, visits

_SEQS = (
    select(documents.c.id, documents.c.seq.label("stood"))
    .where(documents.c.title == bindparam("title"), documents.c.seq < bindparam("upto"))
    .order_by(documents.c.id.desc())
    .limit(2)
)


async def test_rows_are_those_of_an_ordinary_query(database: Database) -> None:
    made = sorted([(await stored(database, title=f"Title {at % 2}")).id for at in range(6)], reverse=True)
    async with database.read() as connection:
        for title in ("Title 0", "Title 1", "Title 2"):
            rows = await fetch(connection, _SEQS, title=title, upto=10)
            same = (await connection.execute(_SEQS, {"title": title, "upto": 10})).all()
            assert [tuple(row) for row in rows] == [tuple(row) for row in same]
            assert [(row.id, row.stood, row._mapping["stood"]) for row in rows] == [(row.id, 0, 0) for row in same]
        everything = document_rows(connection.dialect.name).order_by(documents.c.id.desc())
        rows, same = await fetch(connection, everything), (await connection.execute(everything)).all()
        assert [dict(row._mapping) for row in rows] == [dict(row._mapping) for row in same]
    assert [row.id.decode() if isinstance(row.id, bytes) else row.id for row in rows] == made


async def test_it_sees_what_its_own_transaction_wrote(database: Database) -> None:
    document = await stored(database)
    visitors = select(visits.c.principal_id).where(visits.c.document_id == bindparam("document_id"))
    async with database.write() as connection:
        row = {"document_id": document.id, "principal_id": "ann", "at": document.created_at}
        await connection.execute(insert(visits).values(row))
        assert [tuple(row) for row in await fetch(connection, visitors, document_id=document.id)] == [("ann",)]
        async with database.read() as other:
            assert await fetch(other, visitors, document_id=document.id) == []


async def test_values_are_checked_as_ever(database: Database) -> None:
    with pytest.raises(TextRefused):
        async with database.read() as connection:
            await fetch(connection, _SEQS, title="a\0b", upto=1)


@pytest.fixture
def broken_url(sqlite_url: str) -> str:
    Path(sqlite_url.partition(":///")[2]).write_bytes(b"no database" * 1000)
    return sqlite_url


async def test_a_broken_database_is_unavailable(broken_url: str) -> None:
    database = Database.open(broken_url)
    with pytest.raises(Unavailable):
        async with database.read() as connection:
            await fetch(connection, _SEQS, title="", upto=1)
    await database.close()


async def test_who_leaves_leaves_the_connection_in_order(sqlite: Database) -> None:
    document = await stored(sqlite, title="here")

    async def ask() -> list[Any]:
        async with sqlite.read() as connection:
            return [row.id for row in await fetch(connection, _SEQS, title="here", upto=1)]

    for turns in range(12):
        asked = asyncio.create_task(ask())
        for _ in range(turns):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    assert await asyncio.gather(*[ask() for _ in range(8)]) == [[document.id]] * 8


async def test_it_is_put_together_once(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with sqlite.read() as connection:
        await fetch(connection, _SEQS, title="", upto=1)
        monkeypatch.setattr(type(_SEQS), "compile", None)
        assert await fetch(connection, _SEQS, title="", upto=1) == []
