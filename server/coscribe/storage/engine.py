"""The database: one connection that writes and a few that read (SQLite), or one pool (PostgreSQL)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import URL, Engine, NullPool, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from coscribe.errors import InvalidInput, Unavailable
from coscribe.storage.same_file import SameFile

# How long a writer of another process may keep us waiting. The room holds its entries meanwhile and tries
# again.
BUSY_TIMEOUT_MS = 5_000
# One writer serves a few hundred commits a second: who waits ten seconds in its queue waits for a sick disk.
POOL_TIMEOUT_S = 10.0
READERS = 4
POSTGRES_CONNECTIONS = 10
POSTGRES_CONNECT_TIMEOUT_S = 10.0
# A network that swallows packets gives no error; without an end a commit would wait for ever (rule D8).
POSTGRES_COMMAND_TIMEOUT_S = 30.0

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}

_T = TypeVar("_T")

# What a database that is away, locked, full or broken raises. asyncpg's connect is not wrapped by SQLAlchemy;
# OSError holds refused connections and the built-in TimeoutError.
FAULTS = (DBAPIError, PoolTimeout, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


def parse_url(url: str) -> URL:
    """The URL with the asynchronous driver we use; InvalidInput for a database that we do not know."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidInput("The database URL cannot be read.", field="database_url") from error
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise InvalidInput("The database URL must begin with sqlite or postgresql.", field="database_url")
    if driver == _DRIVERS["sqlite"] and parsed.database in (None, "", ":memory:"):
        raise InvalidInput("SQLite needs a file: readers and the writer share it.", field="database_url")
    return parsed.set(drivername=driver)


class Database:
    """The engines behind every port of storage. Opening connects to nothing; the first use does.

    SQLite has one writing connection, whose transactions begin with BEGIN IMMEDIATE, so that writers of this
    process queue here and never meet "database is locked"; its readers cannot write and see the last commit.
    """

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine, file: SameFile | None = None) -> None:
        self._writer = writer
        self._reader = reader
        self._file = file

    @classmethod
    def open(cls, url: str) -> Database:
        """The database at a SQLAlchemy URL; InvalidInput when the URL is no good."""
        parsed = parse_url(url)
        if parsed.get_backend_name() == "sqlite":
            file = SameFile(Path(parsed.database or ""))
            return cls(_sqlite_writer(parsed, file), _sqlite_reader(parsed), file)
        engine = create_async_engine(
            parsed,
            pool_size=POSTGRES_CONNECTIONS,
            pool_timeout=POOL_TIMEOUT_S,
            # One cheap round trip, so that a restarted server costs no request its first connection.
            pool_pre_ping=True,
            connect_args={
                "timeout": POSTGRES_CONNECT_TIMEOUT_S,
                "command_timeout": POSTGRES_COMMAND_TIMEOUT_S,
            },
        )
        return cls(engine, engine)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A writing transaction: commits at the end, rolls back on any exception.

        Raises Unavailable when the database fails; an IntegrityError passes through, it tells of rows and not
        of the database's health.
        """
        with _write_faults():
            async with self._writer.begin() as connection:
                self._check_file()
                yield connection
            self._check_file()

    async def write_here(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """A writing transaction of SQLite as one plain function of the driver's connection, in the writer's thread.

        It takes a fifth of what the same takes by `write`, where each statement is several turns of that thread.
        Raises as `write` does. Who is cancelled meanwhile does not know whether it was committed.
        """
        with _write_faults():
            lent: Any = await self._writer.raw_connection()
            try:
                self._check_file()
                # aiosqlite has no public way to do more than one call in its thread; SQLAlchemy goes this one too.
                driver = lent.driver_connection
                done: _T = await driver._execute(partial(_in_transaction, driver._conn, work))
            finally:
                # Without the pool's rollback, which is another turn. The thread does one thing after the other: what
                # comes next on this connection finds the work over, also where nobody waits for it any more.
                lent._close_special(transaction_reset=True)
            self._check_file()
        return done

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite file."""
        return self._file is not None

    def _check_file(self) -> None:
        """Nothing may be called stored that went into a file which is not there any more (rule D3)."""
        if self._file is not None:
            self._file.check()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A reading transaction; raises Unavailable when the database fails."""
        try:
            async with self._reader.connect() as connection:
                yield connection
        except FAULTS as error:
            raise Unavailable("Storage cannot be read at the moment.") from error

    async def close(self) -> None:
        """Close every connection. The writer goes last: it folds SQLite's write-ahead log into the file."""
        await self._reader.dispose()
        await self._writer.dispose()


@contextmanager
def driver_faults(told: str) -> Iterator[None]:
    """Raise Unavailable, with a sentence, for what the drivers themselves raise."""
    try:
        yield
    except (sqlite3.Error, *FAULTS) as error:
        raise Unavailable(told) from error


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """A database, closed at the end."""
    database = Database.open(url)
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def _write_faults() -> Iterator[None]:
    try:
        try:
            yield
        except sqlite3.Error as error:  # the driver's own, told as SQLAlchemy tells it
            raise DBAPIError.instance(None, None, error, sqlite3.Error) from error
    except IntegrityError:
        raise
    except FAULTS as error:
        raise Unavailable("Storage cannot be written to at the moment.") from error


def _in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T]) -> _T:
    """Do it and commit, or leave nothing."""
    try:
        connection.execute(_BEGIN)
        done = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # Nothing where SQLite has rolled back by itself, as it does when the disk is full.
        connection.rollback()
        raise
    return done


def sqlite_migration_engine(url: URL) -> Engine:
    """A plain engine for changing the schema of a SQLite file; needs no event loop.

    Foreign keys are off: a later migration rebuilds tables, and dropping the old one would cascade.
    """
    engine = create_engine(url.set(drivername="sqlite"), poolclass=NullPool)
    event.listen(engine, "connect", _switch_to_wal)
    _prepare_sqlite(engine, "foreign_keys=OFF", *_WRITER_PRAGMAS)
    return engine


def _switch_to_wal(connection: Any, record: object) -> None:
    """Make a new file a WAL file. SQLite's busy_timeout does not hold for this, so it is tried again by hand."""
    del record
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            # Another process is just doing the same.
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def insert_into(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


# FULL: the log is on the disk when COMMIT returns (rule D3). WAL is a property of the file: readers need not ask.
_WRITER_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL")
_BEGIN = "BEGIN IMMEDIATE"
# Twenty keystrokes in each of a hundred documents change 400 pages. With SQLite's 500 pages of memory they are read
# again each time, and with its 1,000 pages between two checkpoints most go into the file each time. What a statement of
# many rows may have to take back would go into a file of its own: it is kept in memory, 10 MB for a million rows.
_WRITER_ROOM = ("cache_size=-8000", "wal_autocheckpoint=4000", "temp_store=MEMORY")


def _sqlite_writer(url: URL, file: SameFile) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=POOL_TIMEOUT_S)
    _prepare_sqlite(engine.sync_engine, "foreign_keys=ON", *_WRITER_PRAGMAS, *_WRITER_ROOM)
    # Called after the pragmas, of which one has made the write-ahead log.
    event.listen(engine.sync_engine, "connect", lambda _connection, _record: file.opened())
    return engine


def _sqlite_reader(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=READERS, max_overflow=0, pool_timeout=POOL_TIMEOUT_S)
    _prepare_sqlite(engine.sync_engine, "query_only=ON", begin="BEGIN")
    return engine


def _prepare_sqlite(engine: Engine, *pragmas: str, begin: str = _BEGIN) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, record: object) -> None:
        del record
        # The driver must not open transactions by itself: it would begin them only at the first INSERT.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)
