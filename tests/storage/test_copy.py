"""copy: from SQLite to PostgreSQL and back, exactly; what it refuses; what it says of rows that differ."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from tests.contracts.values import an_activity, an_entry, stored
from tests.storage.test_damaged_upkeep import execute
from tests.storage.test_upkeep import everything, of, on, write_document
from tests.support.wire_bytes import one, typed

from coscribe.errors import CoscribeError
from coscribe.model import Append, Document
from coscribe.storage.copies import claim
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.folder_lock import folder_held
from coscribe.storage.tables import documents, sessions, tokens, updates
from coscribe.storage.update_log import SqlUpdateLog
from coscribe.upkeep.commands import restore, verify
from coscribe.upkeep.copying import copy


def rows_of(url: str) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = on(url, everything)
    return {table: found for table, found in rows.items() if table != "copies"}


def change(url: str, *statements: Any) -> None:
    async def run(database: Database) -> None:
        async with database.write() as connection:
            for statement in statements:
                await connection.execute(statement)

    on(url, run)


def typed_more(url: str, document: Document | str) -> list[int]:
    """One entry and one activity more in each document that is named; gives the activities' ids."""
    document_id = document if isinstance(document, str) else document.id
    more = Append(document_id, 1, (an_entry(one(6, 0, typed("z"))),), ((6, "ben"),), (an_activity(),))
    [told] = on(url, lambda database: SqlUpdateLog(database).append([more]))
    return [activity.id for activity in told.activities]


@pytest.mark.postgres
def test_there_and_back_again_nothing_is_different(
    source_url: str, postgres_url: str, other_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows_of(source_url)
    assert all(before.values())

    copy(source_url, postgres_url)
    assert rows_of(postgres_url) == before
    told = capsys.readouterr().out
    assert "2 documents compared" in told
    assert "2 copied, 0 stood there, 0 removed" in told
    assert "The copy is finished and may be served." in told

    copy(postgres_url, other_url)
    assert rows_of(other_url) == before
    assert Path(other_url.partition("///")[2]).parent.stat().st_mode & 0o077 == 0
    verify(of(other_url, Path("/nowhere")), None)


def test_ids_go_on_above_those_that_were_ever_told(source_url: str, target_url: str) -> None:
    purged = on(source_url, write_document)
    [highest] = typed_more(source_url, purged)
    on(source_url, lambda database: SqlDocuments(database).purge(purged.id))

    copy(source_url, target_url)

    document_id = rows_of(target_url)["documents"][0][0]
    asyncio.run(claim(target_url))
    assert typed_more(target_url, document_id) > [highest]


def test_a_second_run_brings_what_changed(source_url: str, target_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with folder_held(Path(source_url.partition("///")[2]).parent):  # as its server does
        copy(source_url, target_url)
    assert "The source is in use: stop its servers" in capsys.readouterr().out
    with pytest.raises(CoscribeError, match=r"unfinished copy of .*coscribe\.db: run coscribe copy"):
        asyncio.run(claim(target_url))
    with pytest.raises(CoscribeError, match="unfinished copy"):
        restore(of(target_url, Path("/nowhere")), Path(source_url.partition("///")[2]))

    stays, grows = (row[0] for row in rows_of(source_url)["documents"])
    gone = on(source_url, write_document)
    copy(source_url, target_url)
    capsys.readouterr()
    on(source_url, lambda database: SqlDocuments(database).purge(gone.id))
    typed_more(source_url, grows)
    new = on(source_url, stored)
    change(source_url, delete(sessions))
    copy(source_url, target_url)

    assert rows_of(target_url) == rows_of(source_url)
    assert {row[0] for row in rows_of(target_url)["documents"]} == {stays, grows, new.id}
    assert "2 copied, 1 stood there, 1 removed" in capsys.readouterr().out
    asyncio.run(claim(target_url))


def test_a_copy_that_was_served_is_never_overwritten(source_url: str, target_url: str) -> None:
    copy(source_url, target_url)
    asyncio.run(claim(target_url))
    document_id = rows_of(target_url)["documents"][0][0]
    typed_more(target_url, document_id)
    before = on(target_url, everything)

    with pytest.raises(CoscribeError, match="holds documents or people of its own; name an empty database"):
        copy(source_url, target_url)

    assert on(target_url, everything) == before


def test_rows_that_somebody_changed_in_the_target_are_put_right(source_url: str, target_url: str) -> None:
    copy(source_url, target_url)
    before = rows_of(target_url)
    change(
        target_url,
        update(updates).where(updates.c.seq == 8).values(payload=b"x"),
        delete(updates).where(updates.c.seq == 9),
        update(tokens).values(name="other"),
    )
    assert rows_of(target_url) != before

    copy(source_url, target_url)

    assert rows_of(target_url) == before


def test_what_is_damaged_is_copied_as_it_is(source_url: str, target_url: str) -> None:
    change(
        source_url,
        update(updates).where(updates.c.seq == 8).values(payload=b"\0rotten"),
        delete(updates).where(updates.c.seq == 9),
        update(documents).values(seq=70),
    )
    copy(source_url, target_url)

    assert rows_of(target_url) == rows_of(source_url)
    with pytest.raises(CoscribeError):
        verify(of(target_url, Path("/nowhere")), None)


NO_VALUES = {
    "documents.*its updated_at": "UPDATE documents SET updated_at = 'rotten' WHERE id = :id",
    "documents.*its title": "UPDATE documents SET title = CAST(x'ff41' AS TEXT) WHERE id = :id",
    "documents.*its language": "UPDATE documents SET language = x'4142' WHERE id = :id",
    "updates.*its session_id": "UPDATE updates SET session_id = 'a' || char(0) WHERE seq = 9 AND document_id = :id",
    "updates.*its payload": "UPDATE updates SET payload = 'text' WHERE seq = 9 AND document_id = :id",
    "activity.*its data": "UPDATE activity SET data = '{NaN' WHERE document_id = :id",
    "client_ids.*its client_id": "UPDATE client_ids SET client_id = 'five' WHERE document_id = :id",
    "links.*its role": "UPDATE links SET role = 3 || x'ff' WHERE document_id = :id",
}


@pytest.mark.postgres
@pytest.mark.parametrize("named", NO_VALUES)
def test_what_postgresql_cannot_hold_is_named_and_the_rest_is_copied(
    source_url: str, postgres_url: str, other_url: str, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    first, second = (row[0] for row in rows_of(source_url)["documents"])
    execute(source_url, NO_VALUES[named].replace(":id", f"'{first}'"))

    with pytest.raises(CoscribeError, match="the copy is unfinished"):
        copy(source_url, postgres_url)

    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if re.match(named, line)]
    assert second in [row[0] for row in rows_of(postgres_url)["documents"]]
    with pytest.raises(CoscribeError, match="unfinished copy"):
        asyncio.run(claim(postgres_url))

    copy(source_url, other_url)
    files = [url.partition("///")[2] for url in (source_url, other_url)]
    assert raw(files[0]) == raw(files[1])


def raw(file: str) -> list[str]:
    """All of a SQLite file but what it says of copies."""
    with closing(sqlite3.connect(file)) as connection:
        connection.text_factory = bytes
        tables = [
            name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return sorted(
            f"{table} {row!r}"
            for table in tables
            if table != "copies"
            for row in connection.execute(f"SELECT * FROM {table}")
        )


def test_rows_that_belong_to_nothing_are_no_source(source_url: str, target_url: str) -> None:
    execute(source_url, "DELETE FROM documents WHERE id = (SELECT min(id) FROM documents)")

    with pytest.raises(CoscribeError, match="rows that belong to nothing; coscribe verify names them"):
        copy(source_url, target_url)


def test_large_rows_go_in_small_pages(sqlite_url: str, target_url: str) -> None:
    document = on(sqlite_url, stored)
    payloads = [bytes([at]) * 1_500_000 for at in range(9)]
    many = Append(document.id, 1, tuple(an_entry(payload) for payload in payloads), ())
    small = Append(document.id, 1, tuple(an_entry(b"%d" % at) for at in range(2500)), ())
    on(sqlite_url, lambda database: SqlUpdateLog(database).append([many]))
    on(sqlite_url, lambda database: SqlUpdateLog(database).append([small]))

    copy(sqlite_url, target_url)

    assert rows_of(target_url) == rows_of(sqlite_url)


def test_what_comes_out_differently_is_named(
    source_url: str, other_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy(source_url, other_url)
    capsys.readouterr()
    execute(
        other_url,
        "CREATE TRIGGER rot AFTER INSERT ON updates BEGIN UPDATE updates SET payload = x'00' WHERE seq = 9; END",
        "INSERT INTO visits VALUES ('nobody', 'ann', '2026-01-01 00:00:00.000000')",
        "DELETE FROM updates WHERE seq = 10",
    )

    with pytest.raises(CoscribeError, match="3 differences; the copy is unfinished"):
        copy(source_url, other_url)

    told = capsys.readouterr().out
    for document in rows_of(source_url)["documents"]:
        assert f"updates of document {document[0]}: 4 rows were copied, 4 stand there, which differ\n" in told
    assert "visits: the source has 2 rows, the target 3, of which 2 were compared\n" in told
    with pytest.raises(CoscribeError, match="unfinished copy"):
        asyncio.run(claim(other_url))
