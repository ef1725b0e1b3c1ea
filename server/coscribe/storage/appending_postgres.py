"""A batch appended on PostgreSQL, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Executable, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.model import Append, Appended, Behind, Head, Replaced
from coscribe.storage.activities import insert_activities
from coscribe.storage.appending import Storing
from coscribe.storage.columns import Columns, rows_of
from coscribe.storage.tables import client_ids, documents, updates

# One statement for a batch, however many documents it has.
_RAISE = (
    update(documents).where(documents.c.id == bindparam("of")).values(seq=bindparam("to"), updated_at=bindparam("at"))
)


async def append_in(connection: AsyncConnection, batch: Sequence[Append]) -> list[Appended | Replaced | Behind | None]:
    """Store a batch; see the port UpdateLog."""
    storing = Storing(batch, await _locked(connection, batch))
    raised = storing.documents()
    await _execute(connection, _RAISE, {"of": raised["id"], "to": raised["seq"], "at": raised["updated_at"]})
    await _execute(connection, insert(updates), storing.updates())
    await _execute(connection, postgresql.insert(client_ids).on_conflict_do_nothing(), storing.client_ids())
    return storing.answers(await insert_activities(connection, storing.activities()))


async def _locked(connection: AsyncConnection, batch: Sequence[Append]) -> dict[str, Head]:
    """Lock the documents' rows, in order of id: two batches never wait for each other in a circle."""
    lock = (
        select(documents.c.id, documents.c.generation, documents.c.seq)
        .where(documents.c.id.in_([append.document_id for append in batch]))
        .order_by(documents.c.id)
        .with_for_update(key_share=True)
    )
    return {row.id: Head(row.generation, row.seq) for row in await connection.execute(lock)}


async def _execute(connection: AsyncConnection, statement: Executable, columns: Columns) -> None:
    if rows := rows_of(columns):
        await connection.execute(statement, rows)
