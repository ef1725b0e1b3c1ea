"""Puts one document of a backup in place of the present one, in one transaction and in a generation of its own.

Sessions and local copies of the present one belong to another generation then: nothing of them is mixed in (rule D6).
Numbers that were told after the backup was made are not known to it, so that what comes after it is numbered by the
clock: generations, and in an empty database activities too, go on at the milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.model import Damage, Entry, Place
from coscribe.storage.activities import last_activity, lock_activities, number_activities_above
from coscribe.storage.appending import entry_row
from coscribe.storage.checksums import segment_checksum, snapshot_checksum
from coscribe.storage.copying import copy_tables
from coscribe.storage.engine import Database, insert_into
from coscribe.storage.readable import Clock, utc_now
from coscribe.storage.rows import entries_of, entry_of, snapshot_of
from coscribe.storage.segments import DROPPED
from coscribe.storage.tables import (
    accepted,
    activity,
    client_ids,
    documents,
    grants,
    links,
    principals,
    quarantine,
    segments,
    sessions,
    snapshots,
    texts,
    tokens,
    updates,
    visits,
)

_ROWS = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_Row = dict[str, Any]


async def fill_principals(source: AsyncConnection, target: Database, *, now: Clock = utc_now) -> None:
    """Bring everybody of a backup into an empty database, with their sessions and tokens.

    Activities that come afterwards are numbered above all that were ever told (see the top).
    """
    async with target.write() as connection:
        await copy_tables(source, connection, (principals, sessions, tokens))
        told = (await source.execute(select(func.max(activity.c.id)))).scalar() or 0
        await number_activities_above(connection, max(told, _milliseconds(now())))


async def add_principals(source: AsyncConnection, target: Database) -> None:
    """Add the principals of a backup that are not there; those that are stay as they are."""
    rows = [dict(row) for row in (await source.execute(select(principals))).mappings()]
    async with target.write() as connection:
        if rows:
            await connection.execute(insert_into(connection, principals).on_conflict_do_nothing(), rows)


async def replace_document(
    source: AsyncConnection, target: Database, document_id: str, *, now: Clock = utc_now
) -> Place:
    """Put a document of a backup in place of the present one, or of none; gives where it stands now.

    Its generation is above both, and above those that it had in between and of which nothing is left.
    """
    row = dict((await source.execute(select(documents).where(documents.c.id == document_id))).mappings().one())
    async with target.write() as connection:
        present = select(documents.c.generation).where(documents.c.id == document_id).with_for_update()
        stood: int | None = (await connection.execute(present)).scalar()
        generation: int = max(stood or 0, row["generation"], _milliseconds(now()) - 1) + 1
        await _place(connection, {**row, "generation": generation}, is_new=stood is None)
        old, new = Place(document_id, row["generation"]), Place(document_id, generation)
        for table, change in _changes(old, new).items():
            await _copy(source, connection, table, change, old)
        await _copy_activity(source, connection, old)
    return new


def _milliseconds(moment: datetime) -> int:
    """Since 1970: below 2^53 for longer than there are years in a datetime, so that JavaScript reads it exactly."""
    return (moment - _EPOCH) // _MILLISECOND


async def _place(connection: AsyncConnection, row: _Row, *, is_new: bool) -> None:
    """Put the document's row there, with nothing that belongs to it.

    A row that is there is changed and not made anew: a commit that waits for it must find another generation, and not
    that the document is gone, which clients take for its end.
    """
    if is_new:
        await connection.execute(insert(documents).values(row))
        return
    for table in (
        accepted,
        activity,
        visits,
        grants,
        links,
        quarantine,
        snapshots,
        texts,
        segments,
        client_ids,
        updates,
    ):
        await connection.execute(delete(table).where(table.c.document_id == row["id"]))
    await connection.execute(update(documents).where(documents.c.id == row["id"]).values(row))


def _changes(old: Place, new: Place) -> dict[Table, Callable[[Any], _Row | None]]:
    """What each table's rows become: in the new generation, and sealed as belonging there."""
    return {
        updates: lambda row: _entry(row, old, new),
        segments: lambda row: _segment(row, old, new),
        snapshots: lambda row: _snapshot(row, old, new),
        client_ids: lambda row: {**row._mapping, "generation": new.generation},
        quarantine: lambda row: {**row._mapping, "generation": new.generation},
        links: lambda row: dict(row._mapping),
        grants: lambda row: dict(row._mapping),
        visits: lambda row: dict(row._mapping),
    }


def _entry(row: Any, old: Place, new: Place) -> _Row | None:
    entry = entry_of(row, old)
    return entry_row(new, entry) if isinstance(entry, Entry) else None


def _segment(row: Any, old: Place, new: Place) -> _Row | None:
    if row.codec != DROPPED and isinstance(entries_of(row, old), Damage):
        return None  # a new checksum would make it look whole
    span = (row.first_seq, row.last_seq)
    sealed = segment_checksum(new, span, row.codec, row.payload)
    return {**row._mapping, "generation": new.generation, "checksum": sealed}


def _snapshot(row: Any, old: Place, new: Place) -> _Row | None:
    if isinstance(snapshot_of(row, old), Damage):
        return None
    sealed = snapshot_checksum(new, row.seq, row.codec, row.state)
    return {**row._mapping, "generation": new.generation, "checksum": sealed}


async def _copy(
    source: AsyncConnection,
    target: AsyncConnection,
    table: Table,
    change: Callable[[Any], _Row | None],
    old: Place,
) -> None:
    async for rows in _pages(source, table, old):
        changed = [row for row in map(change, rows) if row is not None]
        if changed:
            await target.execute(insert(table), changed)


async def _pages(source: AsyncConnection, table: Table, old: Place) -> AsyncIterator[list[Any]]:
    query = select(table).where(table.c.document_id == old.document_id)
    if table is activity:
        query = query.order_by(activity.c.id)
    if "generation" in table.c:
        query = query.where(table.c.generation == old.generation)
    rows: list[Any] = []
    async with source.stream(query) as result:
        async for row in result:
            rows.append(row)
            if len(rows) == _ROWS:
                yield rows
                rows = []
    if rows:
        yield rows


async def _copy_activity(source: AsyncConnection, target: AsyncConnection, old: Place) -> None:
    """Activities keep their ids where these were given out here and are free: feeds then do not tell them again."""
    await lock_activities(target)
    highest = await last_activity(target)
    async for page in _pages(source, activity, old):
        rows = [dict(row._mapping) for row in page]
        ids = select(activity.c.id).where(activity.c.id.in_([row["id"] for row in rows]))
        taken = set((await target.execute(ids)).scalars())
        known = [row for row in rows if row["id"] <= highest and row["id"] not in taken]
        new = [{name: value for name, value in row.items() if name != "id"} for row in rows if row not in known]
        for part in (known, new):
            if part:
                await target.execute(insert(activity), part)
