"""Whether a database holds what it should: its file, its rows' checksums, seqs without gaps, heads, segments, orphans.

It only reads, one document a transaction, so that it may run beside a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import Row, func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.errors import CoscribeError, PositionGone
from coscribe.model import Damage, Entry, Place, RowKind
from coscribe.storage.copying import sqlite_file
from coscribe.storage.engine import Database
from coscribe.storage.migrate import head_revision
from coscribe.storage.rows import TABLES, at_place, position, snapshot_of, stored_rows
from coscribe.storage.tables import client_ids, documents, segments, updates
from coscribe.storage.update_log import next_part

_PER_PAGE = 500
_PER_READ = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; `document_id` is None for the database as a whole."""

    document_id: str | None
    reason: str

    def __str__(self) -> str:
        return f"document {self.document_id}: {self.reason}" if self.document_id else f"database: {self.reason}"


async def check_schema(database: Database, url: str, *, older: bool = False) -> None:
    """Raise CoscribeError where there is no database of this version at the URL, or with `older` of an earlier one."""
    file = sqlite_file(url)
    if file is not None and not await asyncio.to_thread(file.is_file):
        raise CoscribeError(f"There is no database at {file}.")
    async with database.read() as connection:
        names = await connection.run_sync(lambda plain: inspect(plain).get_table_names())
        if "alembic_version" not in names:
            raise CoscribeError("This is not a database of Coscribe.")
        revision = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar() or ""
    if revision > head_revision():
        raise CoscribeError(f"The database is of a newer program: its schema is {revision}, ours {head_revision()}.")
    if revision != head_revision() and not older:
        raise CoscribeError(
            f"The database has schema {revision}, this program {head_revision()}: run coscribe migrate."
        )


async def whole_findings(database: Database) -> AsyncIterator[Finding]:
    """What is wrong with a SQLite file as a whole; PostgreSQL looks after its pages and foreign keys itself."""
    async with database.read() as connection:
        if connection.dialect.name != "sqlite":
            return
        for row in await connection.execute(text("PRAGMA integrity_check")):
            if row[0] != "ok":
                yield Finding(None, str(row[0]))
    for finding in await orphan_findings(database):
        yield finding


async def orphan_findings(database: Database) -> list[Finding]:
    """Rows of a SQLite file that belong to nothing."""
    if not database.is_sqlite:
        return []
    async with database.read() as connection:
        rows = await connection.execute(text("PRAGMA foreign_key_check"))
        return [Finding(None, f"a row of {row[0]} belongs to nothing") for row in rows]


async def places(database: Database) -> AsyncIterator[Place]:
    """Every document in its generation, in order of id."""
    after = ""
    while True:
        query = select(documents.c.id, documents.c.generation).where(documents.c.id > after).order_by(documents.c.id)
        async with database.read() as connection:
            rows = (await connection.execute(query.limit(_PER_PAGE))).all()
        for row in rows:
            yield Place(row.id, row.generation)
        if len(rows) < _PER_PAGE:
            return
        after = rows[-1].id


async def document_findings(database: Database, document_id: str) -> list[Finding]:
    """What is wrong with one document's rows; nothing when it went meanwhile."""
    async with database.read() as connection:
        if connection.dialect.name == "postgresql":
            # The head and the rows must be of one moment; a SQLite transaction is that by itself.
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        row = (await connection.execute(select(documents).where(documents.c.id == document_id))).one_or_none()
        if row is None:
            return []
        reasons = [
            *await _log_reasons(connection, row),
            *await _overlaps(connection, Place(row.id, row.generation)),
            *await _snapshot_reasons(connection, row),
            *await _strays(connection, row),
        ]
    return [Finding(document_id, reason) for reason in reasons]


async def _log_reasons(connection: AsyncConnection, row: Row[tuple[object, ...]]) -> list[str]:
    """Damaged rows, gaps, and a head that is not the log's."""
    reasons: list[str] = []
    after = 0
    while True:
        try:
            part = await next_part(connection, Place(row.id, row.generation), (after, None), _PER_READ)
        except PositionGone as gone:
            after = gone.upto  # retention let them go
            continue
        if part is None:
            break
        for item in part.found:
            reasons += _steps(after, item)
            after = item.seq
    if after < row.seq:
        reasons.append(_missing(after + 1, row.seq))
    elif after > row.seq:
        reasons.append(f"it stands at {row.seq} and its log ends at {after}")
    return reasons


def _steps(after: int, item: Entry | Damage) -> list[str]:
    damaged = [f"{item.what.value} {item.seq}: {item.reason}"] if isinstance(item, Damage) else []
    if item.seq == after + 1 or (isinstance(item, Damage) and item.what is RowKind.SEGMENT):
        return damaged  # where a damaged segment begins is not known
    return [_missing(after + 1, item.seq - 1), *damaged]


def _missing(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


async def _overlaps(connection: AsyncConnection, place: Place) -> list[str]:
    query = select(func.count()).where(
        at_place(RowKind.ENTRY, place),
        at_place(RowKind.SEGMENT, place),
        updates.c.seq.between(segments.c.first_seq, segments.c.last_seq),
    )
    count = (await connection.execute(query)).scalar() or 0
    return [f"{count} entries stand in a segment too"] if count else []


async def _snapshot_reasons(connection: AsyncConnection, row: Row[tuple[object, ...]]) -> list[str]:
    place = Place(row.id, row.generation)
    column = position(RowKind.SNAPSHOT)
    seqs = list((await connection.execute(select(column).where(at_place(RowKind.SNAPSHOT, place)))).scalars())
    reasons = [f"snapshot {seq} lies beyond its head {row.seq}" for seq in seqs if seq > row.seq]
    for seq in seqs:
        one = stored_rows(connection.dialect.name, RowKind.SNAPSHOT).where(
            at_place(RowKind.SNAPSHOT, place), column == seq
        )
        found = snapshot_of((await connection.execute(one)).one(), place)
        if isinstance(found, Damage):
            reasons.append(f"snapshot {seq}: {found.reason}")
    return reasons


async def _strays(connection: AsyncConnection, row: Row[tuple[object, ...]]) -> list[str]:
    """Rows of a generation that the document does not have."""
    reasons = []
    for table in (*TABLES.values(), client_ids):
        query = select(func.count()).where(table.c.document_id == row.id, table.c.generation != row.generation)
        count = (await connection.execute(query)).scalar() or 0
        if count:
            reasons.append(f"{count} rows of {table.name} belong to another generation")
    return reasons
