"""Documents whose own row is damaged: they take no list and no other document with them, and are told once."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from tests.contracts.values import NOW, after, an_entry, stored

from coscribe.errors import Unavailable
from coscribe.model import Append, Appended, Unstored
from coscribe.ports import DocumentChanges, DocumentQuery
from coscribe.storage.archive import SqlArchive
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.update_log import SqlUpdateLog

# What no type of PostgreSQL keeps out.
ANYWHERE = {"access": "'rotten'"}
# SQLite keeps anything in any column.
IN_SQLITE = ANYWHERE | {
    "updated_at": "'rotten'",
    "created_at": "x'ff'",
    "trashed_at": "''",
    "title": "CAST(x'ff' AS TEXT)",
    "language": "CAST(x'ff' AS TEXT)",
    "owner_id": "CAST(x'ff' AS TEXT)",
    "title_by_hand": "7",
    "generation": "'x'",
    "seq": "'12.5.1'",
}


async def rot(database: Database, document_id: str, column: str, value: str) -> None:
    async with database.write() as connection:
        statement = text(f"UPDATE documents SET {column} = {value} WHERE id = :of")
        await connection.execute(statement, {"of": document_id})


async def pages(documents: SqlDocuments, limit: int) -> list[str]:
    titles, cursor = list[str](), None
    while True:
        items, cursor = await documents.page(DocumentQuery("owner", limit=limit, cursor=cursor))
        titles += [document.title for document in items]
        if cursor is None:
            return titles


@pytest.mark.parametrize("column", ANYWHERE)
async def test_a_rotten_row_is_left_out_of_every_page_and_told_once(database: Database, column: str) -> None:
    told: list[tuple[str, str]] = []
    documents = SqlDocuments(database, now=lambda: NOW, damaged=lambda *damage: told.append(damage))
    made = [await stored(database, title=str(number), updated_at=after(-number)) for number in range(7)]
    for number in (0, 3, 4):
        await rot(database, made[number].id, column, ANYWHERE[column])

    for limit in (1, 2, 3, 7):
        assert await pages(documents, limit) == ["1", "2", "5", "6"]
    assert [document_id for document_id, _ in told] == [made[0].id, made[3].id, made[4].id]

    with pytest.raises(Unavailable, match=f"This document cannot be opened: its {column} cannot be read"):
        await documents.get(made[0].id)
    with pytest.raises(Unavailable, match="cannot be opened"):
        await documents.change(made[0].id, DocumentChanges(title="x"), None, NOW)
    assert len(told) == 3
    assert await documents.get(made[1].id) == made[1]


@pytest.mark.parametrize("column", IN_SQLITE)
async def test_no_column_of_a_row_keeps_others_from_being_listed(sqlite: Database, column: str) -> None:
    told: list[tuple[str, str]] = []
    documents = SqlDocuments(sqlite, now=lambda: NOW, damaged=lambda *damage: told.append(damage))
    rotten, _ = await stored(sqlite), await stored(sqlite, title="good")
    await SqlUpdateLog(sqlite).append([Append(rotten.id, 1, (an_entry(),))])
    await rot(sqlite, rotten.id, column, IN_SQLITE[column])

    titles = [
        document.title
        for trashed in (False, True)
        for document in (await documents.page(DocumentQuery("owner", trashed=trashed)))[0]
    ]
    assert titles == ["good"]
    with pytest.raises(Unavailable, match=f"its {column} cannot be read"):
        await documents.get(rotten.id)
    assert [(document_id, column in reason) for document_id, reason in told] == [(rotten.id, True)]


@pytest.mark.parametrize("column", ["updated_at", "title", "created_at"])
async def test_a_head_is_mended_beside_a_rotten_column(sqlite: Database, column: str) -> None:
    document = await stored(sqlite)
    await SqlUpdateLog(sqlite).append([Append(document.id, 1, (an_entry(), an_entry()))])
    await rot(sqlite, document.id, column, IN_SQLITE[column])
    await rot(sqlite, document.id, "seq", "1")

    assert await SqlArchive(sqlite).mend_head(document.id) == "The document stood at 1 and its log at 2."
    assert await SqlArchive(sqlite).mend_head(document.id) is None


async def test_the_patrol_passes_a_document_whose_numbers_are_none(sqlite: Database) -> None:
    rotten, good = sorted([await stored(sqlite), await stored(sqlite)], key=lambda document: document.id)
    await rot(sqlite, rotten.id, "seq", "'x'")

    found = await SqlArchive(sqlite).backlog(after_id="", limit=5)

    assert [(backlog.place.document_id, backlog.seq) for backlog in found] == [(rotten.id, 0), (good.id, 0)]


@pytest.mark.parametrize(("column", "value"), [("seq", "'12.5.1'"), ("seq", "x'ff'"), ("generation", "x'ff'")])
async def test_numbers_that_are_none_keep_no_other_document_from_being_stored(
    sqlite: Database, column: str, value: str
) -> None:
    rotten, good = await stored(sqlite), await stored(sqlite)
    await rot(sqlite, rotten.id, column, value)

    answers = await SqlUpdateLog(sqlite).append([Append(made.id, 1, (an_entry(),)) for made in (rotten, good)])

    assert isinstance(answers[0], Unstored)
    assert answers[1] == Appended(1)
