"""Queries of fixed words, which on SQLite are one step of the driver's thread.

Through SQLAlchemy and aiosqlite a SELECT is nine turns of that thread, and is put together anew each time: 0.6 ms, and
everybody who comes waits for two, who opens a document for seven. In one step it takes 0.15 ms.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Row, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import result_tuple
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

_SQLITE = sqlite.dialect()
# There are not so many; a query that is made anew each time would fill the memory.
_REMEMBERED = 64


class _Parameter(NamedTuple):
    name: str
    default: Any
    keep: Callable[[Any], Any] | None


class _Plain(NamedTuple):
    """A query as the driver takes it, and what its rows are called."""

    text: str
    parameters: tuple[_Parameter, ...]
    row: Callable[[Sequence[Any]], Row[Any]]

    def read(self, connection: sqlite3.Connection, values: Sequence[Any]) -> list[Row[Any]]:
        """Run it; in the driver's thread."""
        return [self.row(found) for found in connection.execute(self.text, values).fetchall()]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in order, as the types of their columns keep them."""
        given = [(values.get(name, default), keep) for name, default, keep in self.parameters]
        return [value if keep is None else keep(value) for value, keep in given]


async def fetch(connection: AsyncConnection, query: Select[Any], **values: Any) -> Sequence[Row[Any]]:
    """All rows of a query with named parameters. It has to be the same object each time, for what it comes to is kept.

    On SQLite columns come as they are stored: ask for those only that are read without trust, or are plain numbers and
    texts.
    """
    if connection.dialect.name != _SQLITE.name:
        found: Sequence[Row[Any]] = (await connection.execute(query, values)).all()
        return found
    plain = _plain(query)
    arguments = plain.arguments(values)
    lent = await connection.get_raw_connection()
    driver: Any = lent.driver_connection
    try:
        # See Database.write_here: aiosqlite has no public way to this.
        rows: list[Row[Any]] = await driver._execute(plain.read, driver._conn, arguments)
    except sqlite3.Error as error:  # the driver's own, told as SQLAlchemy tells it
        raise DBAPIError.instance(None, None, error, sqlite3.Error) from error
    return rows


@lru_cache(_REMEMBERED)
def _plain(query: Select[Any]) -> _Plain:
    made = query.compile(dialect=_SQLITE)
    parameters = tuple(
        _Parameter(name, made.params[name], made.binds[name].type.dialect_impl(_SQLITE).bind_processor(_SQLITE))
        for name in made.positiontup or ()
    )
    return _Plain(str(made), parameters, result_tuple([str(column.key) for column in query.selected_columns]))
