"""Migrations: the same schema as the tables, on both databases, once, and quickly."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from tests.contracts.values import stored
from tests.support.postgres import PostgresServer

from coscribe.errors import InvalidInput, Unavailable
from coscribe.storage.engine import Database
from coscribe.storage.migrate import head_revision, migration_config, upgrade
from coscribe.storage.tables import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'empty 100% new.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database("template0")


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def table_options(connection: Connection) -> dict[str, bool]:
    """Which tables SQLite stores without a row id."""
    rows = connection.execute(text("PRAGMA table_list")).mappings()
    return {row["name"]: bool(row["wr"]) for row in rows if row["name"] in metadata.tables}


async def test_migrations_make_exactly_the_tables(empty_url: str) -> None:
    await asyncio.to_thread(upgrade, empty_url)
    database = Database.open(empty_url)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
        names = await connection.run_sync(lambda plain: inspect(plain).get_table_names())
    await database.close()

    assert set(names) - {"sqlite_sequence"} == {*metadata.tables, "alembic_version"}


async def test_sqlites_own_options_are_the_same_too(sqlite: Database, tmp_path: Path) -> None:
    made = Database.open(f"sqlite:///{tmp_path / 'made.db'}")
    async with made.write() as connection:
        await connection.run_sync(metadata.create_all)
        wanted = await connection.run_sync(table_options)
    await made.close()

    async with sqlite.read() as connection:
        assert await connection.run_sync(table_options) == wanted
        kept = text("SELECT sql FROM sqlite_master WHERE name = 'activity'")
        assert "AUTOINCREMENT" in str((await connection.execute(kept)).scalar())
    assert wanted["updates"]


async def test_a_second_run_changes_nothing(database: Database, database_url: str) -> None:
    document = await stored(database)

    await asyncio.to_thread(upgrade, database_url)

    async with database.read() as connection:
        assert (await connection.execute(text("SELECT id FROM documents"))).scalars().all() == [document.id]


async def test_two_processes_may_migrate_at_once(empty_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(upgrade, empty_url) for _ in range(3)))

    database = Database.open(empty_url)
    async with database.read() as connection:
        versions = await connection.execute(text("SELECT version_num FROM alembic_version"))
        assert versions.scalars().all() == [head_revision()]
    await database.close()


async def test_a_newer_schema_is_left_as_it_is(database: Database, database_url: str) -> None:
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    await asyncio.to_thread(upgrade, database_url)


async def test_a_migration_that_fails_leaves_nothing(empty_url: str) -> None:
    """All or none: the last table of the first migration is already there."""
    database = Database.open(empty_url)
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE tokens (id TEXT)"))

    with pytest.raises(Unavailable):
        await asyncio.to_thread(upgrade, empty_url)

    async with database.write() as connection:
        assert await connection.run_sync(lambda plain: inspect(plain).get_table_names()) == ["tokens"]
        await connection.execute(text("DROP TABLE tokens"))
    await database.close()
    await asyncio.to_thread(upgrade, empty_url)


async def test_migrations_can_be_taken_back(database: Database) -> None:
    def down(connection: Connection) -> list[str]:
        command.downgrade(migration_config(connection), "base")
        return inspect(connection).get_table_names()

    async with database.write() as connection:
        assert set(await connection.run_sync(down)) - {"sqlite_sequence"} == {"alembic_version"}


async def test_the_newest_file_is_alembics_head(sqlite: Database) -> None:
    async with sqlite.read() as connection:
        config = await connection.run_sync(migration_config)

    assert ScriptDirectory.from_config(config).get_current_head() == head_revision()


def test_an_up_to_date_start_does_not_load_alembic(sqlite_url: str) -> None:
    program = (
        "import sys\n"
        "from coscribe.storage.migrate import upgrade\n"
        "upgrade(sys.argv[1])\n"
        "print('alembic' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, sqlite_url], capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == ("False\n", "")


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        upgrade(f"sqlite:///{tmp_path}/missing/coscribe.db")
    with pytest.raises(InvalidInput):
        upgrade("oracle://db/x")
