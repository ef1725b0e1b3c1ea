"""The rows of a PostgreSQL database, in the values that SQLite keeps, by asyncpg: COPY in, cursors out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from asyncpg.exceptions import InsufficientPrivilegeError, LockNotAvailableError  # type: ignore[import-untyped]
from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, LargeBinary, NullPool, Table
from sqlalchemy.ext.asyncio import create_async_engine

from coscribe.errors import CoscribeError
from coscribe.storage.copies import COPYING
from coscribe.storage.engine import FAULTS, POSTGRES_COMMAND_TIMEOUT_S, POSTGRES_CONNECT_TIMEOUT_S, parse_url
from coscribe.storage.raw_rows import (
    OF_DOCUMENTS,
    PAGE_BYTES,
    PAGE_ROWS,
    PEOPLE,
    RawRow,
    Refused,
    Value,
    large_at,
    names,
    owner_at,
)
from coscribe.storage.tables import UtcDateTime, documents

_AGAIN_AFTER_S = 0.1
_IDENTITY = (
    "SELECT system_identifier || '/' || oid FROM pg_control_system(), pg_database WHERE datname = current_database()"
)
# What a database that was just filled knows of itself is nothing: it would read a whole table for each fifty documents.
_BY_INDEX = "SET enable_seqscan = off"
# Of all that are connected to this database, autovacuum has no user.
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL"
)
# All tables are locked by one statement: one of them tells of all.
_IS_LOCKED = (
    "SELECT count(*) FROM pg_locks"
    " WHERE pid = pg_backend_pid() AND relation = 'documents'::regclass AND mode = 'ShareLock' AND granted"
)


class PostgresRows:
    """The port RawRows on one connection of the driver."""

    def __init__(self, driver: Any, url: str) -> None:
        self._driver = driver
        self._url = url

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator[PostgresRows]:
        """A connection of its own without a time limit: a COPY takes what it takes. Closed at the end."""
        limits = {"timeout": POSTGRES_CONNECT_TIMEOUT_S}
        # JSON is text here.
        engine = create_async_engine(parse_url(url), poolclass=NullPool, connect_args=limits, json_deserializer=str)
        try:
            async with engine.connect() as connection:
                # Nothing goes by SQLAlchemy, whose transaction begins with its first statement.
                driver = (await connection.get_raw_connection()).driver_connection
                rows = cls(driver, url)
                await rows._driver.execute(_BY_INDEX)
                yield rows
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """A transaction that sees one moment."""
        async with self._driver.transaction(isolation="repeatable_read", readonly=True):
            yield

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """A writing transaction."""
        async with self._driver.transaction():
            yield

    async def pages(self, table: Table, ids: Sequence[Value] | None) -> AsyncIterator[list[RawRow]]:
        """The rows of a table."""
        where, values = _of(table, ids)
        query = f"SELECT {', '.join(names(table))} FROM {table.name}{where}"  # noqa: S608 - ours
        async for records in self._records(query, values, await self._at_once(table, ids)):
            yield list(zip(*map(_given, _givers(table), zip(*records, strict=True)), strict=True))

    async def _records(self, query: str, values: Sequence[Any], at_once: int) -> AsyncIterator[list[Any]]:
        records = []
        # By its iterator, which closes the portal: in a transaction of hours they would pile up.
        async for record in self._driver.cursor(query, *values, prefetch=at_once):
            records.append(record)
            if len(records) == at_once:
                yield records
                records = []
        if records:
            yield records

    async def _at_once(self, table: Table, ids: Sequence[Value] | None) -> int:
        """How many rows to ask for: as many as stay within PAGE_BYTES if all are as large as the largest."""
        large = large_at(table)
        if large is None:
            return PAGE_ROWS
        where, values = _of(table, ids)
        largest = f"SELECT max(octet_length({names(table)[large]})) FROM {table.name}{where}"  # noqa: S608 - ours
        return max(1, min(PAGE_ROWS, PAGE_BYTES // (await self._driver.fetchval(largest, *values) or 1)))

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        return int(await self._driver.fetchval(f"SELECT count(*) FROM {table.name}"))  # noqa: S608 - ours

    async def delete(self, table: Table, ids: Sequence[Value] | None) -> None:
        """Remove rows."""
        where, values = _of(table, ids)
        await self._driver.execute(f"DELETE FROM {table.name}{where}", *values)  # noqa: S608 - ours

    async def insert(self, table: Table, rows: Sequence[RawRow]) -> list[Refused]:
        """Store rows; gives those with a value that its column cannot hold."""
        refused: list[Refused] = []
        try:
            taken = _taken(table, rows)
        except ValueError:  # one of them: look at each
            whole: list[RawRow] = []
            for row in rows:
                try:
                    whole += _taken(table, [row])
                except ValueError as error:
                    refused.append(Refused(table, row, str(error)))
            taken = whole
        if taken:
            await self._driver.copy_records_to_table(table.name, records=taken, columns=names(table))
        return refused

    async def identity(self) -> str:
        """Which database it is, by whatever address."""
        return str(await self._driver.fetchval(_IDENTITY))

    @asynccontextmanager
    async def still(self) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        """Let writers wait until the end, where none is at work now. Raises nothing where that cannot be had."""
        async with self.opened(self._url) as beside:
            # It ends with its connection: a rollback on one that is lost would hide the sentence that tells of it.
            await beside._driver.transaction().start()
            yield partial(beside._has_been_still, was_locked=await beside._lock_writers_out())

    async def _lock_writers_out(self) -> bool:
        tables = ", ".join(table.name for table in (documents, *PEOPLE, *OF_DOCUMENTS))
        try:
            async with self._driver.transaction():  # a savepoint, behind which it is tried
                await self._driver.execute("SET LOCAL lock_timeout = '1s'")
                await self._driver.execute(f"LOCK TABLE {tables} IN SHARE MODE")
        except (LockNotAvailableError, InsufficientPrivilegeError):
            return False
        return True

    async def _has_been_still(self, *, was_locked: bool) -> bool:
        """The lock goes with its connection, which the driver never opens again. Raises CoscribeError where it went."""
        try:
            is_locked = was_locked and await self._driver.fetchval(_IS_LOCKED, timeout=POSTGRES_COMMAND_TIMEOUT_S)
        except FAULTS:
            is_locked = False
        if was_locked and not is_locked:
            raise CoscribeError(
                "The connection that kept writers away from the source was lost, and they may have written meanwhile:"
                " the copy is unfinished; run the same command again."
            )
        return was_locked

    async def hold(self) -> bool:
        """By a lock that `claim` asks for; the system lets go of it with the connection."""
        return bool(await self._driver.fetchval("SELECT pg_try_advisory_lock($1)", COPYING))

    async def has_others(self, patience_s: float) -> bool:
        """Whether others are connected. Who was killed is for a moment."""
        until = time.monotonic() + patience_s
        while await self._driver.fetchval(_OTHERS):
            if time.monotonic() >= until:
                return True
            await asyncio.sleep(_AGAIN_AFTER_S)
        return False


def _of(table: Table, ids: Sequence[Value] | None) -> tuple[str, list[Any]]:
    """The condition that rows belong to documents. An id that it cannot hold has none."""
    owner = owner_at(table)
    if ids is None or owner is None:
        return "", []
    return f" WHERE {names(table)[owner]} = ANY($1::text[])", [[value for value in ids if _is_text(value)]]


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


_Giver = Callable[[Any], Value]


def _given(give: _Giver | None, column: Sequence[Any]) -> Sequence[Value]:
    if give is None:
        return column
    # Thousands of rows have few moments: each is seen to once.
    by_value = {value: None if value is None else give(value) for value in set(column)}
    return [by_value[value] for value in column]


@cache
def _givers(table: Table) -> tuple[_Giver | None, ...]:
    """What makes SQLite's value of PostgreSQL's, a column each; None where they are the same."""
    return tuple(_giver(column) for column in table.c)


def _giver(column: Column[Any]) -> _Giver | None:
    if isinstance(column.type, UtcDateTime):
        return _text_of_moment
    return int if isinstance(column.type, Boolean) else None


def _text_of_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


_Taker = Callable[[Any], Any]


def _taken(table: Table, rows: Sequence[RawRow]) -> list[RawRow]:
    """Rows in PostgreSQL's values. Raises ValueError for one that has none."""
    columns = []
    for column, values in zip(table.c, zip(*rows, strict=True), strict=True):
        take = _taker(column)
        if isinstance(column.type, LargeBinary):  # long, and each another
            columns.append([_take(column, take, value) for value in values])
            continue
        # 1 and 1.0 and True are equal; only one of them is what the column holds.
        by_value = {key: _take(column, take, key[1]) for key in {(type(value), value) for value in values}}
        columns.append([by_value[type(value), value] for value in values])
    return list(zip(*columns, strict=True))


def _take(column: Column[Any], take: _Taker, value: Value) -> Any:
    if value is None and column.nullable:
        return None
    try:
        return take(value)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"PostgreSQL cannot hold its {column.name}") from error


@cache
def _taker(column: Column[Any]) -> _Taker:
    kinds: tuple[tuple[type[Any], _Taker], ...] = (
        (UtcDateTime, _moment_of_text),
        (LargeBinary, _bytes),
        (Boolean, lambda value: {0: False, 1: True}[_whole(value, 1)]),
        (JSON, _json),
        (BigInteger, lambda value: _whole(value, 63)),
        (Integer, lambda value: _whole(value, 31)),
    )
    return next((take for kind, take in kinds if isinstance(column.type, kind)), _text)


def _whole(value: object, bits: int) -> int:
    if type(value) is not int or not -(1 << bits) <= value < 1 << bits:
        raise ValueError("no such number")
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("no bytes")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not _is_text(value):
        raise ValueError("no text")
    return value


def _json(value: object) -> str:
    text = _text(value)
    json.loads(text, parse_constant=int)  # NaN and its like are no JSON
    return text


def _moment_of_text(value: object) -> datetime:
    """A moment that is kept as that very text."""
    text = _text(value)
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    if _text_of_moment(moment) != text:
        raise ValueError("another text of the same moment")
    return moment
