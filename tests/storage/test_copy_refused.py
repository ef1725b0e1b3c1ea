"""copy: what is no source and no target, and is left as it is."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.storage.test_damaged_upkeep import execute
from tests.storage.test_upkeep import on
from tests.support.postgres import PostgresServer

from coscribe.errors import CoscribeError, InvalidInput, Unavailable
from coscribe.storage.copies import claim
from coscribe.storage.engine import Database
from coscribe.storage.folder_lock import folder_held
from coscribe.upkeep.copying import copy


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
