"""How a batch becomes rows: seqs under each document's row, entries, client ids, activities; one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.errors import Unavailable
from coscribe.model import Activity, Append, Appended, Entry, NewEntry, Place, Replaced
from coscribe.storage.activities import insert_activities
from coscribe.storage.checksums import entry_checksum
from coscribe.storage.engine import insert_into
from coscribe.storage.tables import client_ids, documents, updates


@dataclass(frozen=True, slots=True)
class _Head:
    generation: int
    seq: int


# An append that found its document, with the document's seq after it.
_Placed = tuple[Append, int]


async def append_in(connection: AsyncConnection, batch: Sequence[Append]) -> list[Appended | Replaced | None]:
    """Store a batch in the caller's transaction; see the port UpdateLog."""
    heads = await _locked(connection, batch)
    placed = await _allot(connection, batch, heads)
    await _insert_entries(connection, placed)
    await _bind_client_ids(connection, (append for append, _ in placed))
    told = await insert_activities(
        connection, [(append.document_id, seq, item) for append, seq in placed for item in append.activities]
    )
    return _answers(batch, heads, placed, told)


def is_of_rows(error: Exception) -> bool:
    """Whether a failed append tells of what was to be stored or of damage that it met, not of the database's health.

    SQLite tells of a damaged page by a plain DatabaseError; a disk that is full or a file that is locked is an
    OperationalError.
    """
    if not isinstance(error, Unavailable):
        return True
    cause = error.__cause__
    return isinstance(cause, IntegrityError | DataError | ProgrammingError) or type(cause) is DatabaseError


async def _locked(connection: AsyncConnection, batch: Sequence[Append]) -> dict[str, _Head]:
    """Lock the documents' rows, in order of id: two batches never wait for each other in a circle.

    On SQLite the transaction itself is the lock.
    """
    lock = (
        select(documents.c.id, documents.c.generation, documents.c.seq)
        .where(documents.c.id.in_([append.document_id for append in batch]))
        .order_by(documents.c.id)
        .with_for_update(key_share=True)
    )
    return {row.id: _Head(row.generation, row.seq) for row in await connection.execute(lock)}


async def _allot(connection: AsyncConnection, batch: Sequence[Append], heads: dict[str, _Head]) -> list[_Placed]:
    """Raise the documents' seqs: one statement for a batch, however many documents it has."""
    placed = [
        (append, head.seq + len(append.entries))
        for append in batch
        if (head := heads.get(append.document_id)) is not None and head.generation == append.generation
    ]
    raised = [
        {"of": append.document_id, "seq": seq, "updated_at": append.entries[-1].at}
        for append, seq in placed
        if append.entries
    ]
    if raised:
        await connection.execute(update(documents).where(documents.c.id == bindparam("of")), raised)
    return placed


async def _insert_entries(connection: AsyncConnection, placed: Iterable[_Placed]) -> None:
    rows = [
        entry_row(Place(append.document_id, append.generation), _entry(seq, entry))
        for append, head in placed
        for seq, entry in enumerate(append.entries, start=head - len(append.entries) + 1)
    ]
    if rows:
        await connection.execute(insert(updates), rows)


def _entry(seq: int, new: NewEntry) -> Entry:
    return Entry(seq, new.principal_id, new.session_id, new.at, new.payload)


def entry_row(place: Place, entry: Entry) -> dict[str, object]:
    """The row of an entry, with its checksum."""
    return {
        "document_id": place.document_id,
        "generation": place.generation,
        "seq": entry.seq,
        "principal_id": entry.principal_id,
        "session_id": entry.session_id,
        "at": entry.at,
        "payload": entry.payload,
        "checksum": entry_checksum(place, entry),
    }


async def _bind_client_ids(connection: AsyncConnection, appends: Iterable[Append]) -> None:
    rows = [
        {
            "document_id": append.document_id,
            "generation": append.generation,
            "client_id": client_id,
            "principal_id": principal_id,
        }
        for append in appends
        for client_id, principal_id in append.client_ids
    ]
    if rows:
        await connection.execute(insert_into(connection, client_ids).on_conflict_do_nothing(), rows)


def _answers(
    batch: Sequence[Append], heads: dict[str, _Head], placed: Iterable[_Placed], told: Sequence[Activity]
) -> list[Appended | Replaced | None]:
    answers: dict[str, Appended | Replaced] = {of: Replaced(head.generation) for of, head in heads.items()}
    taken = 0
    for append, seq in placed:
        of_this = tuple(told[taken : taken + len(append.activities)])
        taken += len(append.activities)
        answers[append.document_id] = Appended(seq - len(append.entries) + 1, of_this)
    return [answers.get(append.document_id) for append in batch]
