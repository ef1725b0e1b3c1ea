"""What happened to documents, in commit order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.model import Activity, ActivityKind, NewActivity
from coscribe.storage.columns import Columns, rows_of
from coscribe.storage.engine import Database
from coscribe.storage.readable import Clock, readable_by, utc_now
from coscribe.storage.reading import fetch
from coscribe.storage.tables import activity, documents

# Any number that no other lock of this database uses; it spells "cosc".
_ACTIVITY_LOCK = 0x636F7363

# An activity with its document's id and seq.
PlacedActivity = tuple[str, int, NewActivity]


_HEAD = select(func.max(activity.c.id).label("head"))
_HEAD_OF_ONE = _HEAD.where(activity.c.document_id == bindparam("document_id"))


class SqlActivities:
    """The port Activities. `now` decides which links have expired."""

    def __init__(self, database: Database, *, now: Clock = utc_now) -> None:
        self._database = database
        self._now = now

    async def of_document(self, document_id: str, *, after: int, after_seq: int, limit: int = 256) -> list[Activity]:
        """Activities of one document with id > after and seq > after_seq, in order of id."""
        query = (
            select(activity)
            .where(activity.c.document_id == document_id, activity.c.id > after, activity.c.seq > after_seq)
            .order_by(activity.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [_activity(row) for row in await connection.execute(query)]

    async def since(self, after: int, *, limit: int) -> list[Activity]:
        """Activities of all documents with id > after, in order of id."""
        query = select(activity).where(activity.c.id > after).order_by(activity.c.id).limit(limit)
        async with self._database.read() as connection:
            return [_activity(row) for row in await connection.execute(query)]

    async def of_principal(self, principal_id: str, *, after: int, limit: int = 256) -> list[Activity]:
        """Activities with id > after of the documents the principal may read, in order of id.

        Trashed documents are among them: those who could read one learn that it went.
        """
        readable = select(documents.c.id).where(readable_by(principal_id, self._now()))
        query = (
            select(activity)
            .where(activity.c.id > after, activity.c.document_id.in_(readable))
            .order_by(activity.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [_activity(row) for row in await connection.execute(query)]

    async def head(self, document_id: str | None = None) -> int:
        """The highest activity id, of one document or of all; 0 when there is none."""
        async with self._database.read() as connection:
            if document_id is None:
                rows = await fetch(connection, _HEAD)
            else:
                rows = await fetch(connection, _HEAD_OF_ONE, document_id=document_id)
        return int(rows[0].head or 0)


async def insert_activities(connection: AsyncConnection, new: Sequence[PlacedActivity]) -> list[Activity]:
    """Store activities in the caller's transaction and in order.

    Call it last: PostgreSQL hands out ids before the commit, so writers of activities queue here until they
    have committed, and ids rise in commit order. Rows of documents are locked before this lock, never after
    it.
    """
    if not new:
        return []
    await lock_activities(connection)
    statement = insert(activity).returning(activity.c.id, sort_by_parameter_order=True)
    stored = await connection.execute(statement, rows_of(activity_columns(new)))
    return with_ids(new, stored.scalars())


async def lock_activities(connection: AsyncConnection) -> None:
    """Wait for other writers of activities to commit; a SQLite transaction has done so at its beginning."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_ACTIVITY_LOCK})"))


async def number_activities_above(connection: AsyncConnection, told: int) -> None:
    """Let the next activity have a higher id than `told`, which is above 0."""
    if connection.dialect.name == "sqlite":
        await connection.execute(text("DELETE FROM sqlite_sequence WHERE name = 'activity'"))
        await connection.execute(text("INSERT INTO sqlite_sequence VALUES ('activity', :told)"), {"told": told})
        return
    await connection.execute(select(func.setval(func.pg_get_serial_sequence("activity", "id"), told)))


async def last_activity(connection: AsyncConnection) -> int:
    """The highest id that an activity was ever given here, also where none is left of it."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = 'activity'")
    else:
        query = text("SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence('activity', 'id') AS regclass))")
    return int((await connection.execute(query)).scalar() or 0)


def activity_columns(new: Sequence[PlacedActivity]) -> Columns:
    """What is stored of activities."""
    return {
        "document_id": [document_id for document_id, _, _ in new],
        "seq": [seq for _, seq, _ in new],
        "kind": [item.kind.value for _, _, item in new],
        "principal_id": [item.principal_id for _, _, item in new],
        "name": [item.name for _, _, item in new],
        "at": [item.at for _, _, item in new],
        "data": [item.data for _, _, item in new],
    }


def with_ids(new: Sequence[PlacedActivity], ids: Iterable[int]) -> list[Activity]:
    """Activities as stored, by the ids that they were given."""
    return [
        Activity(activity_id, document_id, seq, item.kind, item.principal_id, item.name, item.at, item.data)
        for activity_id, (document_id, seq, item) in zip(ids, new, strict=True)
    ]


def _activity(row: Row[Any]) -> Activity:
    return Activity(
        id=row.id,
        document_id=row.document_id,
        seq=row.seq,
        kind=ActivityKind(row.kind),
        principal_id=row.principal_id,
        name=row.name,
        at=row.at,
        data=row.data,
    )
