"""Rows that are to be stored, by columns: for SQLAlchemy, or for SQLite's driver in as few steps as can be.

The driver gives the interpreter's lock away with each step of a statement, and while the loop is busy it waits up to
5 ms to have it back: a thousand rows by `executemany` are a thousand such waits. One INSERT of hundreds of rows is one
step, and costs half the CPU.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import JSON, Column, Table
from sqlalchemy.dialects import sqlite

# The values of each column, all of the same number.
Columns = Mapping[str, Sequence[Any]]

# SQLite takes 32,766 values a statement; more than 64 rows make none of them cheaper, but fewer steps.
_MOST_ROWS = 512
# A prepared statement keeps copies of what it last stored, and there is one for each power of two.
_MOST_BYTES = 256 * 2**10

_SQLITE = sqlite.dialect()


def rows_of(columns: Columns) -> list[dict[str, Any]]:
    """The rows as SQLAlchemy takes them."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def insert_columns(connection: sqlite3.Connection, table: Table, columns: Columns, then: str = "") -> int | None:
    """Insert rows by SQLite's driver, in order; gives the last one's rowid, None when there are none.

    Each value is kept as its column's type keeps it, and raises what that raises.
    """
    if not any(columns.values()):
        return None
    values = _in_rows([kept(table.c[name], column) for name, column in columns.items()])
    last, at = None, 0
    for rows in _runs(columns):
        end = at + rows * len(columns)
        statement = _insert(table, tuple(columns), rows, then)
        last, at = connection.execute(statement, values[at:end]).lastrowid, end
    return last


def _in_rows(columns: Sequence[Sequence[Any]]) -> list[Any]:
    """All values, row by row."""
    width = len(columns)
    values: list[Any] = [None] * (width * len(columns[0]))
    for at, column in enumerate(columns):
        values[at::width] = column
    return values


def kept(column: Column[Any], values: Sequence[Any]) -> Sequence[Any]:
    """What the database keeps of values. Thousands of rows have few authors and moments: each is seen to once."""
    keep = _keeper(column)
    if keep is None:
        return values
    if isinstance(column.type, JSON):  # whose values have no hash
        return [keep(value) for value in values]
    by_value = {value: keep(value) for value in set(values)}
    return [by_value[value] for value in values]


@cache
def _keeper(column: Column[Any]) -> Callable[[Any], Any] | None:
    return column.type.dialect_impl(_SQLITE).bind_processor(_SQLITE)


def _runs(columns: Columns) -> Iterator[int]:
    """How many rows each statement takes: powers of two, so that ten prepared statements do for every number."""
    payloads = columns.get("payload", ())
    at, left = 0, len(next(iter(columns.values())))
    while left:
        rows = min(_MOST_ROWS, 1 << (left.bit_length() - 1))
        while rows > 1 and sum(map(len, payloads[at : at + rows])) > _MOST_BYTES:
            rows //= 2
        yield rows
        at, left = at + rows, left - rows


@cache
def _insert(table: Table, names: tuple[str, ...], rows: int, then: str) -> str:
    row = f"({', '.join('?' * len(names))})"
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join([row] * rows)}{then}"  # noqa: S608 - ours
