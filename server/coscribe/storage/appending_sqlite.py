"""A batch appended on SQLite by its driver, in the writer's thread: one way there and back, and half a dozen steps."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from coscribe.model import Activity, Append, Appended, Behind, Head, Replaced
from coscribe.storage.activities import PlacedActivity, activity_columns, with_ids
from coscribe.storage.appending import Storing
from coscribe.storage.columns import Columns, insert_columns, kept
from coscribe.storage.tables import activity, client_ids, documents, updates

# Both are one step however many documents there are. A damaged row may have any type in any column: quoted it is text,
# which JSON takes.
_HEADS = """
    SELECT json_group_array(json_array(id, quote(generation), quote(seq)))
    FROM documents WHERE id IN (SELECT value FROM json_each(?))
"""
_RAISE = """
    UPDATE documents SET seq = json_extract(value, '$[1]'), updated_at = json_extract(value, '$[2]')
    FROM json_each(?) WHERE documents.id = json_extract(value, '$[0]')
"""


def append_here(connection: sqlite3.Connection, batch: Sequence[Append]) -> list[Appended | Replaced | Behind | None]:
    """Store a batch in the caller's transaction, which is itself the lock; see the port UpdateLog."""
    storing = Storing(batch, _heads(connection, batch))
    _raise_heads(connection, storing.documents())
    _insert_entries(connection, storing.updates())
    insert_columns(connection, client_ids, storing.client_ids(), " ON CONFLICT DO NOTHING")
    return storing.answers(_insert_activities(connection, storing.activities()))


def _heads(connection: sqlite3.Connection, batch: Sequence[Append]) -> dict[str, Head]:
    """Raises ValueError where a number is none."""
    of = json.dumps([append.document_id for append in batch])
    [found] = connection.execute(_HEADS, (of,)).fetchone()
    return {document_id: Head(int(generation), int(seq)) for document_id, generation, seq in json.loads(found)}


def _raise_heads(connection: sqlite3.Connection, raised: Columns) -> None:
    if raised["id"]:
        moments = kept(documents.c.updated_at, raised["updated_at"])
        connection.execute(_RAISE, (json.dumps([*zip(raised["id"], raised["seq"], moments, strict=True)]),))


def _insert_entries(connection: sqlite3.Connection, entries: Columns) -> None:
    insert_columns(connection, updates, entries)


def _insert_activities(connection: sqlite3.Connection, new: Sequence[PlacedActivity]) -> list[Activity]:
    """Store activities; AUTOINCREMENT numbers the rows of one transaction without a gap."""
    last = insert_columns(connection, activity, activity_columns(new)) or 0
    return with_ids(new, range(last - len(new) + 1, last + 1))
