"""Rows as they lie in a database, to be copied and compared value by value.

Values are as SQLite keeps them: integers (flags too), text, bytes and None; a moment and JSON are their text. Rows of
PostgreSQL are given and taken in that form. Nothing of a row is understood, so that a damaged one is copied as well.
"""

from __future__ import annotations

import marshal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Protocol, TypeAlias

from sqlalchemy import LargeBinary, Table

from coscribe.storage.tables import copies, documents, metadata, principals, sessions, tokens

Value: TypeAlias = int | float | str | bytes | None
RawRow: TypeAlias = tuple[Value, ...]

# Parents before children. What belongs to no document is small beside what does.
PEOPLE: tuple[Table, ...] = (principals, sessions, tokens)
OF_DOCUMENTS: tuple[Table, ...] = tuple(
    table for table in metadata.sorted_tables if table is not copies and table not in PEOPLE
)

# So many rows are in memory at once, and of large ones so many bytes, or one row.
PAGE_ROWS = 1000
PAGE_BYTES = 4 * 2**20

_DIGEST_BYTES = 16
_MODULUS = 1 << (8 * _DIGEST_BYTES)
# The encoding that names a value's type and length and refers to nothing outside of it; later ones depend on what
# else Python refers to.
_MARSHAL_VERSION = 2


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that a database cannot hold, and why."""

    table: Table
    row: RawRow
    reason: str

    def __str__(self) -> str:
        key = ", ".join(map(shown, key_of(self.table, self.row)))
        return f"{self.table.name} ({key}): {self.reason}"


class RawRows(Protocol):
    """One database's rows. `ids` are those of documents, None for tables that belong to none."""

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """A transaction that sees one moment; reading needs one."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """A writing transaction: commits at the end, rolls back on any exception."""
        ...

    def pages(self, table: Table, ids: Sequence[Value] | None) -> AsyncIterator[list[RawRow]]:
        """The rows of a table, in any order."""
        ...

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        ...

    async def delete(self, table: Table, ids: Sequence[Value] | None) -> None:
        """Remove rows."""
        ...

    async def insert(self, table: Table, rows: Sequence[RawRow]) -> list[Refused]:
        """Store rows; gives those that this kind of database cannot hold, which are left out."""
        ...

    async def identity(self) -> str:
        """The same for two addresses of one database, another for another."""
        ...

    def still(self) -> AbstractAsyncContextManager[Callable[[], Awaitable[bool]]]:
        """Whether anybody writes meanwhile: at its end what it gives tells whether nobody has.

        That raises CoscribeError where it was to be prevented, and cannot be proven any more to have been.
        """
        ...

    async def hold(self) -> bool:
        """Keep servers and other copies from beginning here for as long as this is open; whether that can be had."""
        ...

    async def has_others(self, patience_s: float) -> bool:
        """Whether others are connected, and after so many seconds still; a SQLite file cannot tell and says no."""
        ...


@dataclass(slots=True)
class Digest:
    """Rows in any order: how many there are, their bytes, and the sum of their hashes."""

    rows: int = 0
    bytes: int = 0
    hashes: int = 0

    def add(self, row: RawRow) -> None:
        """Take one more row in."""
        encoded = marshal.dumps(row, _MARSHAL_VERSION)
        self.rows += 1
        self.bytes += len(encoded)
        hashed = blake2b(encoded, digest_size=_DIGEST_BYTES).digest()
        self.hashes = (self.hashes + int.from_bytes(hashed, "big")) % _MODULUS


# By a table's name and the document that its rows belong to.
Digests: TypeAlias = dict[tuple[str, Value], Digest]


async def digests(database: RawRows, tables: Sequence[Table], ids: Sequence[Value] | None) -> Digests:
    """The digests of what stands in tables, of some documents or of none."""
    found: Digests = defaultdict(Digest)
    for table in tables:
        async for page in database.pages(table, ids):
            _take_in(found, table, page)
    return dict(found)


async def copy_rows(
    source: RawRows, target: RawRows, tables: Sequence[Table], ids: Sequence[Value] | None
) -> tuple[Digests, list[Refused]]:
    """Copy rows into a transaction of the target that has none of them yet; gives what was copied and what was not.

    A row whose parent is refused is refused with it.
    """
    copied: Digests = defaultdict(Digest)
    refused: list[Refused] = []
    missing: set[tuple[str, RawRow]] = set()
    for table in tables:
        async for page in source.pages(table, ids):
            lost = _orphans(table, page, missing)
            lost += await target.insert(table, _without(page, lost))
            missing.update((table.name, key_of(table, item.row)) for item in lost)
            refused += lost
            _take_in(copied, table, _without(page, lost))
    return dict(copied), refused


def _orphans(table: Table, page: Sequence[RawRow], missing: set[tuple[str, RawRow]]) -> list[Refused]:
    if not missing:
        return []
    return [Refused(table, row, "what it belongs to is missing") for row in page if _parents(table, row) & missing]


def _without(page: list[RawRow], lost: Sequence[Refused]) -> list[RawRow]:
    gone = {item.row for item in lost}
    return [row for row in page if row not in gone] if gone else page


def _take_in(found: Digests, table: Table, rows: Sequence[RawRow]) -> None:
    owner = owner_at(table)
    for row in rows:
        found[table.name, None if owner is None else row[owner]].add(row)


@cache
def names(table: Table) -> tuple[str, ...]:
    """The columns of a table, in the order in which rows have them."""
    return tuple(table.c.keys())


@cache
def owner_at(table: Table) -> int | None:
    """Which column says to what document a row belongs; None where it belongs to none."""
    name = "id" if table is documents else "document_id"
    return names(table).index(name) if table in OF_DOCUMENTS else None


@cache
def large_at(table: Table) -> int | None:
    """Which column may hold megabytes, None where none does."""
    found = (
        at for at, column in enumerate(table.c) if isinstance(column.type, LargeBinary) and column.name != "checksum"
    )
    return next(found, None)


def shown(value: Value) -> str:
    """A value for people, also where it is text that is none."""
    return str(value).encode(errors="backslashreplace").decode()


def key_of(table: Table, row: RawRow) -> RawRow:
    """The primary key of a row."""
    return tuple(row[at] for at in _key_at(table))


@cache
def _key_at(table: Table) -> tuple[int, ...]:
    return tuple(names(table).index(column.name) for column in table.primary_key)


def _parents(table: Table, row: RawRow) -> set[tuple[str, RawRow]]:
    return {(name, tuple(row[at] for at in columns)) for name, columns in _parents_at(table)}


@cache
def _parents_at(table: Table) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(
        (key.referred_table.name, tuple(names(table).index(name) for name in key.column_keys))
        for key in table.foreign_key_constraints
    )
