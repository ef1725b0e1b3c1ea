"""verify --accept: damage that is known and cannot be mended hides no other damage, and fails no command."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update
from tests.contracts.values import an_entry
from tests.storage.test_damaged_upkeep import execute
from tests.storage.test_upkeep import an_empty, of, on, write_document
from tests.support.wire_bytes import one, typed

from coscribe.errors import CoscribeError
from coscribe.model import Append
from coscribe.storage.engine import Database
from coscribe.storage.tables import snapshots, updates
from coscribe.storage.update_log import SqlUpdateLog
from coscribe.upkeep.commands import backup, restore, verify


def lose(url: str, seq: int) -> None:
    async def work(database: Database) -> None:
        async with database.write() as connection:
            await connection.execute(updates.delete().where(updates.c.seq == seq))

    on(url, work)


def rot(url: str) -> None:
    async def work(database: Database) -> None:
        async with database.write() as connection:
            await connection.execute(update(updates).where(updates.c.seq == 9).values(payload=b"x"))

    on(url, work)


def test_accepted_damage_fails_nothing_and_new_damage_does(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document, settings, file = on(database_url, write_document), of(database_url, tmp_path), tmp_path / "backup.db"
    backup(settings, file)
    lose(database_url, 8)
    with pytest.raises(CoscribeError, match="1 finding"):
        verify(settings, None)
    capsys.readouterr()

    verify(settings, None, accepting=True)
    told = f"document {document.id}: entry 8 is missing\n1 document verified, 1 finding accepted.\n"
    assert capsys.readouterr().out == told
    verify(settings, None)
    assert capsys.readouterr().out == (
        "1 finding known, accepted before.\n1 document verified, nothing new is wrong.\n"
    )
    backup(settings, file)
    assert not file.with_name("backup.db.damaged").exists()

    rot(database_url)
    with pytest.raises(CoscribeError, match="1 thing is damaged"):
        backup(settings, file)
    assert file.with_name("backup.db.damaged").exists()
    capsys.readouterr()
    with pytest.raises(CoscribeError, match="1 document verified, 1 finding"):
        verify(settings, document.id)
    told = f"document {document.id}: entry 9: its checksum does not fit\n1 finding known, accepted before.\n"
    assert capsys.readouterr().out == told


def test_a_lost_end_stays_known_when_the_document_goes_on(database_url: str, tmp_path: Path) -> None:
    document, settings = on(database_url, write_document), of(database_url, tmp_path)
    lose(database_url, 10)
    verify(settings, None, accepting=True)
    more = Append(document.id, 1, (an_entry(one(6, 0, typed("z"))),))
    on(database_url, lambda database: SqlUpdateLog(database).append([more]))

    verify(settings, None)


def test_what_was_accepted_is_known_where_it_is_restored(database_url: str, tmp_path: Path) -> None:
    on(database_url, write_document)
    settings, file = of(database_url, tmp_path), tmp_path / "backup.db"
    rot(database_url)
    verify(settings, None, accepting=True)
    backup(settings, file)

    empty = of(an_empty(tmp_path), tmp_path)
    for target in (empty, settings):
        restore(target, file)
        verify(target, None)


def test_a_file_that_is_torn_cannot_be_accepted(sqlite_url: str, tmp_path: Path) -> None:
    on(sqlite_url, write_document)
    execute(sqlite_url, "PRAGMA foreign_keys=OFF", "INSERT INTO visits VALUES ('nobody', 'ann', '2026-01-01 00:00:00')")
    with pytest.raises(CoscribeError, match="1 finding"):
        verify(of(sqlite_url, tmp_path), None, accepting=True)
    with pytest.raises(CoscribeError, match="1 finding"):
        verify(of(sqlite_url, tmp_path), None)


def test_another_reason_at_the_same_place_is_new(database_url: str, tmp_path: Path) -> None:
    on(database_url, write_document)
    settings = of(database_url, tmp_path)
    rot(database_url)
    verify(settings, None, accepting=True)
    lose(database_url, 9)
    with pytest.raises(CoscribeError, match="1 finding"):
        verify(settings, None)


def test_an_accepted_document_is_looked_at_as_before(database_url: str, tmp_path: Path) -> None:
    on(database_url, write_document)
    settings = of(database_url, tmp_path)
    lose(database_url, 9)
    verify(settings, None, accepting=True)

    async def harm(database: Database) -> None:
        async with database.write() as connection:
            await connection.execute(update(snapshots).values(state=b"x"))

    on(database_url, harm)
    with pytest.raises(CoscribeError, match="1 finding"):
        verify(settings, None)
