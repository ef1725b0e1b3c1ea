"""verify, backup and restore: on SQLite and PostgreSQL, from each to each."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.contracts.values import NOW, a_link, a_principal, an_activity, an_entry, stored
from tests.support.wire_bytes import item, one, typed, uint

from coscribe.config import Settings
from coscribe.core.replica import Replica
from coscribe.errors import CoscribeError
from coscribe.model import Append, Document, Entry, Place, Snapshot
from coscribe.storage.archive import SqlArchive
from coscribe.storage.checksums import entry_checksum
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.grants import SqlGrants
from coscribe.storage.migrate import upgrade
from coscribe.storage.principals import SqlPrincipals
from coscribe.storage.replacing import replace_document
from coscribe.storage.tables import documents, metadata, segments, snapshots, texts, updates
from coscribe.storage.update_log import SqlUpdateLog
from coscribe.upkeep import restoring
from coscribe.upkeep.commands import backup, restore, verify

TYPED = [one(5, at, typed("abcdefghij"[at], after=(5, at - 1) if at else None)) for at in range(10)]

# Words are not restored: they are made again of the text.
TABLES = [table for table in metadata.sorted_tables if table is not texts]
MOVED = ("generation", "checksum")

Work = Callable[[Database], Any]


def on(url: str, work: Work) -> Any:
    """Do something with a database in a loop of its own, as the commands do."""

    async def run() -> Any:
        database = Database.open(url)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


async def write_document(database: Database) -> Document:
    """A document with rows in every table that has any."""
    document = await stored(database)
    log = SqlUpdateLog(database)
    await log.append([Append(document.id, 1, tuple(map(an_entry, TYPED)), ((5, "owner"),), (an_activity(),))])
    await SqlArchive(database).pack(Place(document.id, 1), upto=6, least=6)
    replica = Replica(9)
    replica.load(TYPED[:8])
    await log.store_snapshot(Snapshot(document.id, 1, 8, "yjs-v1", "pycrdt", replica.diff()))
    link, principal, grants = a_link(document.id), a_principal(), SqlGrants(database)
    await SqlPrincipals(database).add(principal)
    await grants.add_link(link)
    await grants.grant_by_link(link, principal.id)
    await grants.visited(document.id, principal.id, document.created_at)
    await SqlDocuments(database).store_words(Place(document.id, 1), 10, " abcdefghij ")
    return document


async def everything(database: Database) -> dict[str, list[Any]]:
    async with database.read() as connection:
        return {
            table.name: [tuple(row) for row in await connection.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
        }


def of(url: str, folder: Path) -> Settings:
    return Settings(database_url=url, data_dir=folder / "data")


def an_empty(folder: Path) -> str:
    url = f"sqlite:///{folder / 'other.db'}"
    upgrade(url)
    return url


def without_numbers(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Rows without generations and without what depends on them."""
    moved = {table: [table.columns.keys().index(name) for name in MOVED if name in table.c] for table in TABLES}
    return {
        table.name: [tuple(value for at, value in enumerate(row) if at not in moved[table]) for row in rows[table.name]]
        for table in TABLES
    }


def generations(url: str) -> dict[str, int]:
    async def read(database: Database) -> dict[str, int]:
        async with database.read() as connection:
            rows = await connection.execute(select(documents.c.id, documents.c.generation))
            return {row.id: row.generation for row in rows}

    return dict(on(url, read))


def test_a_backup_brings_an_empty_database_back_as_it_was(database_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        on(database_url, write_document)
    file = tmp_path / "backup.db"

    backup(of(database_url, tmp_path), file)
    empty = an_empty(tmp_path)
    restore(of(empty, tmp_path), file)

    assert without_numbers(on(empty, everything)) == without_numbers(on(database_url, everything))
    verify(of(empty, tmp_path), None)
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path / "data")) == []
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    on(empty, lambda database: SqlDocuments(database).purge("none"))


def test_numbers_that_were_told_after_the_backup_are_not_given_out_again(
    sqlite_url: str, database_url: str, tmp_path: Path
) -> None:
    document = on(sqlite_url, write_document)
    if database_url == sqlite_url:
        database_url = an_empty(tmp_path)
    file = tmp_path / "backup.db"
    backup(of(sqlite_url, tmp_path), file)
    more = Append(document.id, 1, (an_entry(one(6, 0, typed("z"))),), (), (an_activity(),))
    [told] = on(sqlite_url, lambda database: SqlUpdateLog(database).append([more]))

    restore(of(database_url, tmp_path), file)

    generation = generations(database_url)[document.id]
    other = Append(document.id, generation, (an_entry(one(7, 0, typed("y"))),), (), (an_activity(),))
    [again] = on(database_url, lambda database: SqlUpdateLog(database).append([other]))
    assert (told.first_seq, again.first_seq) == (11, 11)
    assert 1 < generation < 2**53
    assert told.activities[0].id < again.activities[0].id < 2**53

    # What it was restored to is lost as well.
    on(database_url, lambda database: SqlDocuments(database).purge(document.id))
    restore(of(database_url, tmp_path), file)
    assert generations(database_url)[document.id] > generation


def test_a_clock_that_was_set_back_gives_no_lower_generation(sqlite_url: str, tmp_path: Path) -> None:
    document = on(sqlite_url, write_document)
    copy = an_empty(tmp_path)

    async def replaced(source: Database) -> list[int]:
        target = Database.open(copy)
        try:
            async with source.read() as connection:
                return [
                    (await replace_document(connection, target, document.id, now=lambda year=year: year)).generation
                    for year in (NOW, NOW.replace(year=1980), NOW)
                ]
        finally:
            await target.close()

    first = int(NOW.timestamp() * 1000)
    assert on(sqlite_url, replaced) == [first, first + 1, first + 2]


def test_a_document_of_the_backup_replaces_the_present_one(database_url: str, tmp_path: Path) -> None:
    document = on(database_url, write_document)
    file, settings = tmp_path / "backup.db", of(database_url, tmp_path)
    backup(settings, file)
    later = on(database_url, write_document)
    before = on(database_url, everything)
    more = Append(document.id, 1, (an_entry(one(6, 0, typed("z"))),), ((6, "ben"),), (an_activity(),))
    on(database_url, lambda database: SqlUpdateLog(database).append([more]))

    restore(settings, file)
    generation = generations(database_url)[document.id]

    async def read(database: Database) -> Any:
        log = SqlUpdateLog(database)
        entries = await log.read(document.id, generation, after=0)
        return (
            await SqlDocuments(database).get(document.id),
            [(entry.seq, entry.payload) for entry in entries],
            await log.client_ids(document.id, generation),
            await log.snapshot(document.id, generation),
            await log.read(document.id, 1, after=0),
            await SqlDocuments(database).get(later.id),
        )

    found, entries, owners, snapshot, old, other = on(database_url, read)
    assert generation > 1
    assert found.seq == 10
    assert entries == list(enumerate(TYPED, 1))
    assert (owners, old) == ({5: "owner"}, [])
    assert (snapshot.seq, snapshot.generation) == (8, generation)
    assert other == later.__class__(**{name: getattr(other, name) for name in later.__slots__})
    after = on(database_url, everything)
    for same in ("activity", "links", "grants", "visits", "principals"):
        assert after[same] == before[same], same
    [kept] = [name for name in os.listdir(tmp_path / "data") if name.startswith("before-restore-")]
    verify(settings, None)

    again = an_empty(tmp_path)
    restore(of(again, tmp_path), tmp_path / "data" / kept)
    there = generations(again)[document.id]
    assert len(on(again, lambda database: SqlUpdateLog(database).read(document.id, there, after=0))) == 11


def test_an_interrupted_restore_says_how_far_it_came(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        on(database_url, write_document)
    file, settings = tmp_path / "backup.db", of(database_url, tmp_path)
    backup(settings, file)
    replaced: list[str] = []

    async def interrupted(source: AsyncConnection, target: Database, document_id: str) -> Place:
        if replaced:
            os.kill(os.getpid(), signal.SIGINT)
        replaced.append(document_id)
        return await replace_document(source, target, document_id)

    monkeypatch.setattr(restoring, "replace_document", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            restore(settings, file)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "Interrupted: 1 document restored, others not yet" in capsys.readouterr().out
    assert sorted(generations(database_url).values())[0] == 1
    verify(settings, None)


def test_a_purged_document_comes_back_in_a_generation_of_its_own(database_url: str, tmp_path: Path) -> None:
    document = on(database_url, write_document)
    file, settings = tmp_path / "backup.db", of(database_url, tmp_path)
    backup(settings, file)
    on(database_url, lambda database: SqlDocuments(database).purge(document.id))

    restore(settings, file)

    assert generations(database_url)[document.id] > 1
    verify(settings, document.id)


HARMS = {
    "entry 8: its checksum does not fit": lambda: update(updates).where(updates.c.seq == 8).values(payload=b"x"),
    "entry 8 is missing": lambda: updates.delete().where(updates.c.seq == 8),
    "segment 6: its checksum does not fit": lambda: update(segments).values(payload=b"x"),
    "entries 1 to 6 are missing": segments.delete,
    "snapshot 8: its checksum does not fit": lambda: update(snapshots).values(state=b"x"),
    "it stands at 9 and its log ends at 10": lambda: update(documents).values(seq=9),
    "snapshot 8 lies beyond its head 3": lambda: update(documents).values(seq=3),
    "4 rows of updates belong to another generation": lambda: update(updates).values(generation=7),
    "1 rows of client_ids belong to another generation": lambda: update(documents).values(generation=3),
}


@pytest.mark.parametrize("reason", HARMS)
def test_verify_names_what_is_wrong(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    document, settings = on(database_url, write_document), of(database_url, tmp_path)
    verify(settings, None)
    assert capsys.readouterr().out == "1 document verified, nothing is wrong.\n"

    async def harm(database: Database) -> None:
        async with database.write() as connection:
            await connection.execute(HARMS[reason]())

    on(database_url, harm)
    before = on(database_url, everything)
    with pytest.raises(CoscribeError, match=r"1 document verified, [0-9]+ finding"):
        verify(settings, document.id)

    assert f"document {document.id}: {reason}\n" in capsys.readouterr().out
    assert on(database_url, everything) == before


def test_verify_sees_a_snapshot_that_the_log_does_not_give(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = on(database_url, write_document)
    replica = Replica(9)
    replica.load(TYPED[:7])
    other = Snapshot(document.id, 1, 9, "yjs-v1", "pycrdt", replica.diff())
    on(database_url, lambda database: SqlUpdateLog(database).store_snapshot(other))

    with pytest.raises(CoscribeError):
        verify(of(database_url, tmp_path), None)

    assert capsys.readouterr().out == f"document {document.id}: snapshot 9 is not what the log gives\n"


def test_verify_scans_what_fits_its_checksum(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = on(database_url, write_document)

    async def poison(database: Database) -> None:
        log, place = SqlUpdateLog(database), Place(document.id, 1)
        [entry] = await log.read(document.id, 1, after=8, limit=1)
        bomb = Entry(
            9, entry.principal_id, entry.session_id, entry.at, one(5, 8, item(8, uint(1) + b"\x75\x01" * 30_000))
        )
        async with database.write() as connection:
            row = update(updates).where(updates.c.seq == 9)
            await connection.execute(row.values(payload=bomb.payload, checksum=entry_checksum(place, bomb)))

    on(database_url, poison)
    with pytest.raises(CoscribeError):
        verify(of(database_url, tmp_path), None)

    assert f"document {document.id}: entry 9: Content of kind Any" in capsys.readouterr().out


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    missing = of(f"sqlite:///{tmp_path / 'none.db'}", tmp_path)
    file = tmp_path / "backup.db"
    file.write_text("an old backup")
    with pytest.raises(CoscribeError, match="There is no database at"):
        backup(missing, file)
    assert file.read_text() == "an old backup"
    with pytest.raises(CoscribeError, match="There is no database at"):
        verify(missing, None)
    with pytest.raises(CoscribeError, match="cannot be copied: file is not a database"):
        restore(missing, file)
    with pytest.raises(CoscribeError, match="There is no backup at"):
        restore(missing, tmp_path / "nothing")
    empty = an_empty(tmp_path)
    with pytest.raises(CoscribeError, match="There is no document nobody"):
        verify(of(empty, tmp_path), "nobody")
    with closing(sqlite3.connect(file.with_name("foreign.db"))) as connection:
        connection.execute("CREATE TABLE t (a)")
    with pytest.raises(CoscribeError, match="not a database of Coscribe"):
        restore(of(empty, tmp_path), file.with_name("foreign.db"))


def test_a_backup_of_the_first_schema_is_restored(sqlite_url: str, tmp_path: Path) -> None:
    document = on(sqlite_url, write_document)

    async def age(database: Database) -> None:
        async with database.write() as connection:
            for statement in (
                "DELETE FROM snapshots",
                "DROP TABLE texts",
                "DROP TABLE copies",
                "DROP TABLE accepted",
                "DROP TABLE quarantine",
                "DROP TABLE segments",
                "DELETE FROM updates",
                "UPDATE documents SET seq = 0",
                "UPDATE alembic_version SET version_num = '0001'",
            ):
                await connection.execute(text(statement))

    on(sqlite_url, age)
    empty = an_empty(tmp_path)
    restore(of(empty, tmp_path), Path(sqlite_url.partition("///")[2]))
    assert on(empty, lambda database: SqlDocuments(database).get(document.id)).id == document.id
