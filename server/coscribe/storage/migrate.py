"""Bringing a database's schema up to date. Alembic is loaded only when there is something to do."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, NullPool, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from coscribe.errors import CoscribeError, Unavailable, cause_of
from coscribe.storage.engine import FAULTS, parse_url, sqlite_migration_engine

if TYPE_CHECKING:
    from alembic.config import Config

# Any number that no other lock of this database uses; it spells "migr".
_MIGRATION_LOCK = 0x6D696772
# What SQLite says of a file that no restart will make readable.
_DAMAGED = re.compile("malformed|not a database")


def upgrade(url: str) -> bool:
    """Make or bring up to date the tables of the database at a SQLAlchemy URL, in one transaction; gives if it is new.

    It blocks, with an event loop of its own: call it from a coroutine with `asyncio.to_thread`. Several processes may
    call it at once; one does the work. A schema newer than this program is left as it is, so that an old and
    a new version can run side by side while one replaces the other. Raises Unavailable when the database
    fails, and CoscribeError when it is not whole.
    """
    parsed = parse_url(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return _upgrade_sqlite(parsed)
        return asyncio.run(_upgrade_postgres(parsed))
    except FAULTS as error:
        if _DAMAGED.search(str(error)):
            raise CoscribeError(
                f"The database {parsed.database} is damaged ({cause_of(error)}): move it away with the files -wal and"
                " -shm beside it, and bring a backup back with coscribe restore."
            ) from error
        raise Unavailable("The database's schema could not be brought up to date.") from error


def _upgrade_sqlite(url: URL) -> bool:
    _require_whole(Path(url.database or ""))
    engine = sqlite_migration_engine(url)
    try:
        with engine.begin() as connection:
            return _bring_to_head(connection)
    finally:
        engine.dispose()


def _require_whole(file: Path) -> None:
    """Raise CoscribeError for a write-ahead log without its database: SQLite would remove it with all that it holds."""
    log = file.with_name(f"{file.name}-wal")
    if _size(log) and not _size(file):
        raise CoscribeError(
            f"The log {log} holds changes of a database that is not there: put {file.name} back beside it, or move the"
            " log away."
        )


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


async def _upgrade_postgres(url: URL) -> bool:
    # Without a time limit: a migration of a large table takes what it takes.
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_bring_to_head)
    finally:
        await engine.dispose()


def _bring_to_head(connection: Connection) -> bool:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
    revision = _revision(connection)
    if revision >= head_revision():
        return False
    from alembic import command  # noqa: PLC0415 - a third of a second that an up-to-date start does not pay

    command.upgrade(migration_config(connection), "head")
    return not revision


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
