"""Migrations: the same schema as the tables, on both databases, once, and quickly."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from tests.contracts.values import an_entry, stored
from tests.support.postgres import PostgresServer

from coscribe.errors import InvalidInput, Unavailable
from coscribe.model import Append, Appended
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.migrate import head_revision, migration_config, upgrade
from coscribe.storage.tables import metadata
from coscribe.storage.update_log import SqlUpdateLog


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'empty 100% new.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database("template0")


def is_part(name: str) -> bool:
    """Whether it is a part of a table, which the program knows as a whole only."""
    return name.startswith("updates_part_")


# PostgreSQL's own, made of a column that the program writes.
SEARCHED = {"searched", "ix_texts_searched"}


def differences(connection: Connection) -> list[object]:
    options = {"include_name": lambda name, kind, parents: not is_part(str(name)) and name not in SEARCHED}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def tables(connection: Connection) -> set[str]:
    return {name for name in inspect(connection).get_table_names() if not is_part(name)}


def table_options(connection: Connection) -> dict[str, bool]:
    """Which tables SQLite stores without a row id."""
    rows = connection.execute(text("PRAGMA table_list")).mappings()
    return {row["name"]: bool(row["wr"]) for row in rows if row["name"] in metadata.tables}


async def test_migrations_make_exactly_the_tables(empty_url: str) -> None:
    await asyncio.to_thread(upgrade, empty_url)
    database = Database.open(empty_url)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
        names = await connection.run_sync(tables)
    await database.close()

    assert names - {"sqlite_sequence"} == {*metadata.tables, "alembic_version"}


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


@pytest.fixture
async def last_version(empty_url: str) -> AsyncIterator[Database]:
    """A database as the version before has it."""

    def almost(connection: Connection) -> None:
        config = migration_config(connection)
        last = ScriptDirectory.from_config(config).get_revision(head_revision()).down_revision
        assert isinstance(last, str)
        command.upgrade(config, last)

    database = Database.open(empty_url)
    async with database.write() as connection:
        await connection.run_sync(almost)
    yield database
    await database.close()


async def test_this_version_runs_on_the_tables_of_the_last_one(last_version: Database) -> None:
    document = await stored(last_version)
    log = SqlUpdateLog(last_version)

    [appended] = await log.append([Append(document.id, 1, (an_entry(b"a"),), ((5, "ann"),), after=0)])

    assert isinstance(appended, Appended)
    assert [entry.payload for entry in await log.read(document.id, 1, after=0)] == [b"a"]
    assert await log.client_ids(document.id, 1) == {5: "ann"}


async def test_what_the_last_version_stored_is_there_and_goes_with_its_document(
    last_version: Database, empty_url: str
) -> None:
    log = SqlUpdateLog(last_version)
    documents = [await stored(last_version) for _ in range(30)]
    await log.append([Append(document.id, 1, (an_entry(document.id.encode()),)) for document in documents])

    await asyncio.to_thread(upgrade, empty_url)
    again = [Append(document.id, 1, (an_entry(b"more"),), after=1) for document in documents]
    assert all(isinstance(answer, Appended) for answer in await log.append(again))

    for document in documents:
        entries = await log.read(document.id, 1, after=0)
        assert [entry.payload for entry in entries] == [document.id.encode(), b"more"]
    await SqlDocuments(last_version).purge(documents[0].id)
    async with last_version.read() as connection:
        count = await connection.execute(text("SELECT count(*) FROM updates"))
        assert count.scalar() == 2 * (len(documents) - 1)


@pytest.mark.postgres
async def test_documents_lie_in_different_parts_of_the_log(postgres_url: str) -> None:
    database = Database.open(postgres_url)
    documents = [await stored(database) for _ in range(64)]
    await SqlUpdateLog(database).append([Append(document.id, 1, (an_entry(b"x"),)) for document in documents])

    async with database.read() as connection:
        parts = await connection.execute(text("SELECT count(DISTINCT tableoid) FROM updates"))
        assert int(parts.scalar() or 0) > 8
    await database.close()


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
