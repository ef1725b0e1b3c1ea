"""verify, backup and restore where something is damaged: what is whole is never replaced, and all else goes on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.contracts.values import an_entry
from tests.storage.test_upkeep import everything, generations, of, on, write_document
from tests.support.wire_bytes import one, typed

from coscribe.errors import CoscribeError
from coscribe.model import Append
from coscribe.storage.update_log import SqlUpdateLog
from coscribe.upkeep.commands import backup, restore, verify


def test_a_damaged_backup_is_not_restored(sqlite_url: str, tmp_path: Path) -> None:
    on(sqlite_url, write_document)
    file, settings = tmp_path / "backup.db", of(sqlite_url, tmp_path)
    backup(settings, file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE updates SET payload = x'00' WHERE seq = 9")
        connection.commit()
    before = on(sqlite_url, everything)

    with pytest.raises(CoscribeError, match=r"backup\.db is damaged; nothing was restored"):
        restore(settings, file)

    assert on(sqlite_url, everything) == before


def execute(url: str, *statements: str) -> None:
    with closing(sqlite3.connect(url.partition("///")[2])) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_what_is_damaged_can_be_backed_up_and_does_not_replace_what_is_whole(sqlite_url: str, tmp_path: Path) -> None:
    on(sqlite_url, write_document)
    file, settings = tmp_path / "backup.db", of(sqlite_url, tmp_path)
    backup(settings, file)
    whole = file.read_bytes()

    execute(sqlite_url, "UPDATE updates SET payload = x'78' WHERE seq = 8")
    with pytest.raises(CoscribeError, match=r"backup\.db\.damaged holds .* 1 thing is damaged"):
        backup(settings, file)
    assert file.read_bytes() == whole
    with pytest.raises(CoscribeError, match=r"other\.db holds .* 1 thing is damaged"):
        backup(settings, tmp_path / "other.db")


UNREADABLE = {
    "a time that is none": "UPDATE documents SET updated_at = 'rotten' WHERE id = (SELECT min(id) FROM documents)",
    "no characters": "UPDATE documents SET title = CAST(x'ff' AS TEXT) WHERE id = (SELECT min(id) FROM documents)",
}


@pytest.mark.parametrize("harm", UNREADABLE)
def test_a_document_that_cannot_be_read_keeps_no_other_from_verify_backup_and_restore(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    first, second = sorted(on(sqlite_url, write_document).id for _ in range(2))
    file, settings = tmp_path / "backup.db", of(sqlite_url, tmp_path)
    execute(sqlite_url, UNREADABLE[harm], "UPDATE updates SET payload = x'00' WHERE seq = 9")

    with pytest.raises(CoscribeError, match="2 documents verified, 2 findings"):
        verify(settings, None)
    with pytest.raises(CoscribeError, match="2 things are damaged"):
        backup(settings, file)
    told = capsys.readouterr().out
    assert f"document {first}: it cannot be read: " in told
    assert f"document {second}: entry 9: its checksum does not fit" in told

    # What is damaged is better than nothing to those who have nothing else.
    with pytest.raises(CoscribeError, match="1 document could not be restored; what stood there stays"):
        restore(settings, file, damaged=True)
    generation = generations(sqlite_url)[second]
    entries = on(sqlite_url, lambda database: SqlUpdateLog(database).read(second, generation, after=0))
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5, 6, 7, 8, 10]


def test_a_file_of_which_not_even_the_documents_can_be_listed_is_backed_up(sqlite_url: str, tmp_path: Path) -> None:
    on(sqlite_url, write_document)
    source, file = Path(sqlite_url.partition("///")[2]), tmp_path / "backup.db"
    with closing(sqlite3.connect(source)) as connection:
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'documents'").fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    with source.open("r+b") as stream:
        stream.seek((page - 1) * size)
        stream.write(b"\xff" * size)

    with pytest.raises(CoscribeError, match="are damaged"):
        backup(of(sqlite_url, tmp_path), file)

    assert file.is_file()


def test_a_damaged_segment_does_not_look_whole_after_a_restore(sqlite_url: str, tmp_path: Path) -> None:
    document = on(sqlite_url, write_document)
    file, settings = tmp_path / "backup.db", of(sqlite_url, tmp_path)
    execute(sqlite_url, "UPDATE segments SET checksum = x'00'", "DELETE FROM snapshots")
    with pytest.raises(CoscribeError, match="1 thing is damaged"):
        backup(settings, file)

    restore(settings, file, damaged=True)

    generation = generations(sqlite_url)[document.id]
    entries = on(sqlite_url, lambda database: SqlUpdateLog(database).read(document.id, generation, after=0))
    assert [entry.seq for entry in entries] == [7, 8, 9, 10]


def test_the_database_is_not_its_own_backup(sqlite_url: str, tmp_path: Path) -> None:
    on(sqlite_url, write_document)
    before, settings = on(sqlite_url, everything), of(sqlite_url, tmp_path)
    file = tmp_path / "link.db"
    file.symlink_to(sqlite_url.partition("///")[2])
    for command in (backup, restore):
        with pytest.raises(CoscribeError, match="is the database itself"):
            command(settings, file)
    assert on(sqlite_url, everything) == before


def test_verify_sees_an_entry_that_builds_on_what_the_log_does_not_have(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = on(sqlite_url, write_document)
    orphan = Append(document.id, 1, (an_entry(one(6, 3, typed("z", after=(6, 2)))),))
    on(sqlite_url, lambda database: SqlUpdateLog(database).append([orphan]))

    with pytest.raises(CoscribeError, match="1 finding"):
        verify(of(sqlite_url, tmp_path), None)

    told = f"document {document.id}: entry 11: it builds on what the log does not have\n"
    assert capsys.readouterr().out == told
