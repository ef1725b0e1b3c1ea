"""copy: what is no source and no target, and is left as it is."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.storage.test_damaged_upkeep import execute
from tests.storage.test_upkeep import on
from tests.support.postgres import PostgresServer

from coscribe.config import Settings
from coscribe.errors import CoscribeError, InvalidInput, Unavailable
from coscribe.storage.copies import begin_copy, claim
from coscribe.storage.engine import Database
from coscribe.storage.folder_lock import folder_held
from coscribe.upkeep import copying
from coscribe.upkeep.commands import verify
from coscribe.upkeep.copying import copy
from coscribe.upkeep.moving import Move, Moved


def test_what_is_no_source(source_url: str, target_url: str, tmp_path: Path) -> None:
    missing = tmp_path / "none" / "coscribe.db"
    for place in (f"sqlite:///{missing}", str(missing), str(missing.parent)):
        with pytest.raises(CoscribeError, match=r"There is no database at .*none"):
            copy(place, target_url)
    assert not missing.parent.exists()
    with pytest.raises(InvalidInput, match="must begin with sqlite or postgresql"):
        copy("oracle://db/x", target_url)
    with pytest.raises(InvalidInput, match="must begin with sqlite or postgresql"):
        copy(source_url, "oracle://db/x")
    with pytest.raises(CoscribeError, match="Source and target are the same"):
        copy(source_url, str(tmp_path))
    execute(source_url, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(CoscribeError, match="run coscribe migrate"):
        copy(source_url, target_url)


def test_what_is_no_target(source_url: str, sqlite_url: str, target_url: str, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    execute(f"sqlite:///{foreign}", "CREATE TABLE t (a)")
    with pytest.raises(CoscribeError, match="not a database of Coscribe"):
        copy(source_url, str(foreign))
    with closing(sqlite3.connect(foreign)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]

    copy(source_url, target_url)
    another = f"sqlite:///{tmp_path / 'another.db'}"
    copy(source_url, another)
    with pytest.raises(CoscribeError, match=r"holds a copy of .*coscribe\.db, not of .*another\.db"):
        copy(another, target_url)


def test_a_folder_that_a_server_holds_is_no_target(source_url: str, other_url: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with folder_held(tmp_path / "other"), pytest.raises(CoscribeError, match="target is in use: a server or another"):
        copy(source_url, other_url)
    assert not list((tmp_path / "other").iterdir())


def test_a_folder_that_cannot_be_made_is_named_with_the_reason(source_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "to-file").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    long = "x" * 300
    reasons = {
        "file/in/it": f"{tmp_path}/file/in/it cannot be made: Not a directory",
        "file/coscribe.db": f"{tmp_path}/file cannot be made: File exists",
        "to-file/coscribe.db": f"{tmp_path}/file cannot be made: File exists",
        "loop/coscribe.db": f"{tmp_path}/loop cannot be made: File exists",
        f"{long}/in/it": f"{tmp_path}/{long}/in/it cannot be made: File name too long",
    }
    for place, reason in reasons.items():
        with pytest.raises(CoscribeError) as raised:
            copy(source_url, str(tmp_path / place))
        assert str(raised.value) == f"The folder {reason}."
    # The outermost that is missing: those in it could be made.
    with pytest.raises(CoscribeError, match=r"^The folder /proc/none cannot be made: No such file or directory"):
        copy(source_url, "/proc/none/in/it")


def test_a_link_may_lead_to_a_folder_that_is_not_there_yet(source_url: str, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to("new/coscribe.db")
    copy(source_url, str(tmp_path / "link.db"))
    asyncio.run(claim(f"sqlite:///{tmp_path / 'new' / 'coscribe.db'}"))


@pytest.mark.postgres
def test_postgresql_with_others_connected(
    source_url: str, postgres_server: PostgresServer, other_url: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("coscribe.upkeep.copying._PATIENCE_S", 0.1)
    postgres_url = postgres_server.new_database()

    async def beside(database: Database, *run: str) -> None:
        async with database.read() as connection:
            await connection.execute(text("SELECT 1"))
            await asyncio.to_thread(copy, *run)

    with pytest.raises(CoscribeError, match="target is in use: a server, another copy or another program"):
        on(postgres_url, lambda database: beside(database, source_url, postgres_url))
    with pytest.raises(CoscribeError, match="Source and target are the same database"):
        copy(postgres_url, f"{postgres_url}&port=5432".replace("@/", ":secret@/"))
    copy(source_url, postgres_url)
    capsys.readouterr()
    on(postgres_url, lambda database: beside(database, postgres_url, other_url))
    assert "The source is in use: stop its servers" in capsys.readouterr().out
    with pytest.raises(CoscribeError, match=r"unfinished copy of postgresql:///test_\d+\?host="):
        asyncio.run(claim(other_url))

    postgres_server.drop_database(postgres_url)
    with pytest.raises(Unavailable, match="A database fails; what was copied stays"):
        copy(source_url, postgres_url)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_what_is_written_meanwhile_is_not_missed_by_a_copy_that_is_called_finished(
    kind: str, source_url: str, tmp_path: Path, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    url = source_url
    if kind == "postgres":
        url = request.getfixturevalue("postgres_url")
        copy(source_url, url)
        asyncio.run(claim(url))

    async def renaming(database: Database) -> None:
        async with database.write() as connection:
            await connection.execute(text("UPDATE tokens SET name = 'late'"))

    run = Move.run
    writers: list[threading.Thread] = []

    async def beside(move: Move) -> Moved:
        """As `coscribe token create` writes beside whatever there is: to SQLite at once, PostgreSQL has it wait."""
        writing = threading.Thread(target=on, args=(url, renaming))
        writers.append(writing)
        writing.start()
        if kind == "sqlite":
            await asyncio.to_thread(writing.join)
        return await run(move)

    monkeypatch.setattr(Move, "run", beside)
    other = f"sqlite:///{tmp_path / 'other' / 'coscribe.db'}"
    capsys.readouterr()
    copy(url, other)
    writers[0].join()

    said = capsys.readouterr().out
    assert ("The source is in use" if kind == "sqlite" else "The copy is finished") in said
    monkeypatch.undo()
    copy(url, other)
    with closing(sqlite3.connect(tmp_path / "other" / "coscribe.db")) as connection:
        assert connection.execute("SELECT name FROM tokens").fetchall() == [("late",)]


@pytest.mark.postgres
def test_a_server_cannot_begin_on_what_is_becoming_a_copy(
    source_url: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy(source_url, postgres_url)
    refused: list[str] = []

    async def beside(url: str, source: str) -> None:
        """A finished copy that a server starts on in the last moment: it would be another one's from then on."""
        try:
            await claim(url)
        except CoscribeError as error:
            refused.append(str(error))
        await begin_copy(url, source)

    monkeypatch.setattr(copying, "begin_copy", beside)
    copy(source_url, postgres_url)
    assert refused == ["This database is just becoming a copy of another one: let coscribe copy end first."]
    asyncio.run(claim(postgres_url))


def test_a_link_to_a_file_leads_to_its_folder(
    source_url: str, tmp_path: Path, other_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "coscribe.db").symlink_to(tmp_path / "coscribe.db")
    with folder_held(tmp_path):  # as a server does whose data directory has the link
        copy(str(tmp_path / "data"), other_url)
    assert "The source is in use" in capsys.readouterr().out


def test_damage_is_not_accepted_in_what_is_no_database_of_its_own(
    source_url: str, other_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with folder_held(tmp_path):
        copy(source_url, other_url)
    assert "The source is in use" in capsys.readouterr().out
    settings = Settings(database_url=other_url.replace("sqlite:", "sqlite+aiosqlite:"), data_dir=tmp_path)
    execute(other_url, "UPDATE updates SET payload = x'00'")
    with pytest.raises(CoscribeError, match="unfinished copy of"):
        verify(settings, None, accepting=True)
