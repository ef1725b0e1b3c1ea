"""A batch appended on PostgreSQL, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Executable, bindparam, func, insert, select, true, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.model import Append, Appended, Behind, Head, Replaced
from coscribe.storage.activities import insert_activities
from coscribe.storage.appending import Storing
from coscribe.storage.columns import Columns, rows_of
from coscribe.storage.tables import client_ids, documents, updates

# How long others wait for the rows that a server locked and then stopped in the middle, frozen or cut off.
_STANDING_STILL = "5s"
# One statement for a batch, however many documents it has.
_RAISE = (
    update(documents).where(documents.c.id == bindparam("of")).values(seq=bindparam("to"), updated_at=bindparam("at"))
)


async def append_in(
    connection: AsyncConnection, batch: Sequence[Append], heads: Mapping[str, Head]
) -> list[Appended | Replaced | Behind | None]:
    """Store a batch on documents that are locked and stand at `heads`; see the port UpdateLog."""
    storing = Storing(batch, heads)
    raised = storing.documents()
    await _execute(connection, _RAISE, {"of": raised["id"], "to": raised["seq"], "at": raised["updated_at"]})
    await _execute(connection, insert(updates), storing.updates())
    await _execute(connection, postgresql.insert(client_ids).on_conflict_do_nothing(), storing.client_ids())
    return storing.answers(await insert_activities(connection, storing.activities()))


async def lock(connection: AsyncConnection, batch: Sequence[Append]) -> dict[str, Head]:
    """Lock the documents' rows, in order of id: two batches never wait for each other in a circle.

    A server that stands still meanwhile loses its connection, and with it the locks.
    """
    bound = select(func.set_config("idle_in_transaction_session_timeout", _STANDING_STILL, True)).cte("bound")
    locked = (
        select(documents.c.id, documents.c.generation, documents.c.seq)
        .join_from(documents, bound, true())
        .where(documents.c.id.in_([append.document_id for append in batch]))
        .order_by(documents.c.id)
        .with_for_update(key_share=True, of=documents)
    )
    return {row.id: Head(row.generation, row.seq) for row in await connection.execute(locked)}


async def _execute(connection: AsyncConnection, statement: Executable, columns: Columns) -> None:
    if rows := rows_of(columns):
        await connection.execute(statement, rows)
