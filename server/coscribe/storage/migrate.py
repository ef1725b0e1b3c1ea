"""Bringing a database's schema up to date. Alembic is loaded only when there is something to do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, NullPool, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from coscribe.errors import Unavailable
from coscribe.storage.engine import FAULTS, parse_url, sqlite_migration_engine

if TYPE_CHECKING:
    from alembic.config import Config

# Any number that no other lock of this database uses; it spells "migr".
_MIGRATION_LOCK = 0x6D696772


def upgrade(url: str) -> None:
    """Make or bring up to date the tables of the database at a SQLAlchemy URL, in one transaction.

    It blocks, with an event loop of its own: call it from a coroutine with `asyncio.to_thread`. Several processes may
    call it at once; one does the work. A schema newer than this program is left as it is, so that an old and
    a new version can run side by side while one replaces the other. Raises Unavailable when the database
    fails.
    """
    parsed = parse_url(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            _upgrade_sqlite(parsed)
        else:
            asyncio.run(_upgrade_postgres(parsed))
    except FAULTS as error:
        raise Unavailable("The database's schema could not be brought up to date.") from error


def _upgrade_sqlite(url: URL) -> None:
    engine = sqlite_migration_engine(url)
    try:
        with engine.begin() as connection:
            _bring_to_head(connection)
    finally:
        engine.dispose()


async def _upgrade_postgres(url: URL) -> None:
    # Without a time limit: a migration of a large table takes what it takes.
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_bring_to_head)
    finally:
        await engine.dispose()


def _bring_to_head(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
    if _revision(connection) >= head_revision():
        return
    from alembic import command  # noqa: PLC0415 - a third of a second that an up-to-date start does not pay

    command.upgrade(migration_config(connection), "head")


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def head_revision() -> str:
    """The newest revision there is: migrations are named `0001_what.py` and their revision is that number."""
    return max(path.name.partition("_")[0] for path in (migrations_folder() / "versions").glob("[0-9]*_*.py"))


def migrations_folder() -> Path:
    """Where the migrations lie: inside the package of a wheel, at the top of a source tree."""
    package = Path(__file__).parents[1]
    packed = package / "migrations"
    return packed if packed.is_dir() else package.parents[1] / "migrations"


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration without a file; its env.py takes the connection from the attributes."""
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    # The value is a ConfigParser template, in which a per cent sign in a path must be doubled.
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
