"""The rows of a SQLite file as they lie there, by its driver.

Calls block: whoever copies a database does nothing beside it. A column holds any type, and text that is no UTF-8; such
text is a string with surrogates here, as file names are in Python.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Table

from coscribe.storage.engine import BUSY_TIMEOUT_MS
from coscribe.storage.raw_rows import PAGE_BYTES, PAGE_ROWS, RawRow, Refused, Value, large_at, names, owner_at

_PLAIN = "?"
_NO_UTF8 = "CAST(? AS TEXT)"


class SqliteRows:
    """The port RawRows on an open connection."""

    def __init__(self, file: Path, connection: sqlite3.Connection) -> None:
        self._file = file
        self._connection = connection

    @classmethod
    @contextmanager
    def opened(cls, file: Path) -> Iterator[SqliteRows]:
        """A file that is there; none is made. Closed at the end."""
        connection = sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, isolation_level=None)
        try:
            connection.text_factory = _text
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA synchronous=FULL")
            yield cls(file, connection)
        finally:
            connection.close()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """A transaction that sees one moment: the first look at the file, which is made here."""
        self._connection.execute("BEGIN")
        try:
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield
        finally:
            self._connection.rollback()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """A writing transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise

    async def pages(self, table: Table, ids: Sequence[Value] | None) -> AsyncIterator[list[RawRow]]:
        """The rows of a table."""
        where, values = _of(table, ids)
        large = large_at(table)
        rows: list[RawRow] = []
        size = 0
        for row in self._connection.execute(f"SELECT {', '.join(names(table))} FROM {table.name}{where}", values):  # noqa: S608 - ours
            rows.append(row)
            size += 0 if large is None or row[large] is None else len(row[large])
            if len(rows) == PAGE_ROWS or size >= PAGE_BYTES:
                yield rows
                rows, size = [], 0
        if rows:
            yield rows

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        return int(self._connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])  # noqa: S608 - ours

    async def delete(self, table: Table, ids: Sequence[Value] | None) -> None:
        """Remove rows."""
        where, values = _of(table, ids)
        self._connection.execute(f"DELETE FROM {table.name}{where}", values)  # noqa: S608 - ours

    async def insert(self, table: Table, rows: Sequence[RawRow]) -> list[Refused]:
        """Store rows; a column takes every value."""
        into = f"INSERT INTO {table.name} ({', '.join(names(table))}) VALUES "  # noqa: S608 - ours
        usual = f"{into}({', '.join(_PLAIN for _ in names(table))})"
        odd = [row for row in rows if any(_is_odd(value) for value in row)]
        self._connection.executemany(usual, [row for row in rows if row not in odd] if odd else rows)
        for row in odd:
            self._connection.execute(f"{into}({', '.join(map(_place, row))})", [_bound(value) for value in row])
        return []

    async def identity(self) -> str:
        """Which file it is, by whatever path."""
        about = os.stat(self._file)
        return f"{about.st_dev}/{about.st_ino}"

    @asynccontextmanager
    async def still(self) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        """Whether the file changes: commands write beside a server that holds the folder, and beside a copy."""
        before = self._version()

        async def has_been_still() -> bool:
            return self._version() == before

        yield has_been_still

    def _version(self) -> int:
        """Another number once another connection has committed something."""
        [version] = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    async def hold(self) -> bool:
        """Whoever copies to a file holds its folder."""
        return True

    async def has_others(self, patience_s: float) -> bool:
        """A file does not know its readers; servers lock its folder."""
        del patience_s
        return False


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _of(table: Table, ids: Sequence[Value] | None) -> tuple[str, list[Value]]:
    """The condition that rows belong to documents."""
    owner = owner_at(table)
    if ids is None or owner is None:
        return "", []
    return f" WHERE {names(table)[owner]} IN ({', '.join(map(_place, ids))})", [_bound(value) for value in ids]


def _is_odd(value: Value) -> bool:
    """Whether it is text that is no UTF-8, which the driver does not take."""
    return type(value) is str and not value.isascii() and any("\udc80" <= letter <= "\udcff" for letter in value)


def _place(value: Value) -> str:
    return _NO_UTF8 if _is_odd(value) else _PLAIN


def _bound(value: Value) -> Value:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) and _is_odd(value) else value
