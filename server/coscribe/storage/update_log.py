"""The update log: committed updates of every document by seq, and the snapshots that shorten reading it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.errors import Unavailable
from coscribe.model import Activity, Append, Appended, Entry, Snapshot
from coscribe.storage.activities import insert_activities
from coscribe.storage.engine import Database, insert_into
from coscribe.storage.tables import checksum, client_ids, documents, snapshots, updates

# An append that found its document, with the document's seq after it.
_Placed = tuple[Append, int]


class SqlUpdateLog:
    """The port UpdateLog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, batch: Sequence[Append]) -> list[Appended | None]:
        """Commit all of `batch` in one durable transaction, allot seqs under each document's row (rule D1).

        `first_seq` is the document's seq before the append plus one, also when there are no entries: then
        nothing takes that seq, the document keeps its seq and time, and activities carry the seq it has.

        Raises Unavailable when the commit failed, and also when its answer was lost: then the batch may be in
        the log. Appending it again is right in both cases. Entries that are there twice have two seqs without
        a gap and say the same to the CRDT, client ids keep their first owner, and an activity may be told
        twice.
        """
        if len({item.document_id for item in batch}) != len(batch):
            raise ValueError("a batch holds at most one Append a document")
        try:
            async with self._database.write() as connection:
                placed = await _allot(connection, batch)
                await _insert_entries(connection, placed)
                await _bind_client_ids(connection, (append for append, _ in placed))
                told = await insert_activities(
                    connection,
                    [(append.document_id, seq, item) for append, seq in placed for item in append.activities],
                )
        except IntegrityError as error:
            # The log holds entries beyond its document's seq: a damaged database, and nothing was committed.
            raise Unavailable("The update log does not fit its documents.") from error
        return _answers(batch, placed, told)

    async def read(
        self, document_id: str, generation: int, *, after: int, upto: int | None = None, limit: int = 1000
    ) -> list[Entry]:
        """Entries with after < seq <= upto in order, at most `limit`. A bad checksum raises Unavailable."""
        query = (
            select(updates)
            .where(
                updates.c.document_id == document_id,
                updates.c.generation == generation,
                updates.c.seq > after,
            )
            .order_by(updates.c.seq)
            .limit(limit)
        )
        if upto is not None:
            query = query.where(updates.c.seq <= upto)
        async with self._database.read() as connection:
            return [_entry(row) for row in await connection.execute(query)]

    async def client_ids(self, document_id: str, generation: int) -> dict[int, str]:
        """The principal that owns each CRDT client id of the document."""
        query = select(client_ids.c.client_id, client_ids.c.principal_id).where(
            client_ids.c.document_id == document_id, client_ids.c.generation == generation
        )
        async with self._database.read() as connection:
            return {row.client_id: row.principal_id for row in await connection.execute(query)}

    async def snapshot(self, document_id: str, generation: int, *, upto: int | None = None) -> Snapshot | None:
        """The newest snapshot with seq <= upto; one with a bad checksum is passed over."""
        newest = (
            select(snapshots)
            .where(snapshots.c.document_id == document_id, snapshots.c.generation == generation)
            .order_by(snapshots.c.seq.desc())
            .limit(1)
        )
        query = newest if upto is None else newest.where(snapshots.c.seq <= upto)
        async with self._database.read() as connection:
            while row := (await connection.execute(query)).one_or_none():
                # A state of megabytes takes milliseconds, which the loop has not; hashing lets other threads
                # run.
                if await asyncio.to_thread(checksum, row.state) == row.checksum:
                    return _snapshot(row)
                query = newest.where(snapshots.c.seq < row.seq)
        return None

    async def store_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; storing the same seq again changes nothing, and a purged document keeps none."""
        row = {
            "document_id": snapshot.document_id,
            "generation": snapshot.generation,
            "seq": snapshot.seq,
            "codec": snapshot.codec,
            "engine": snapshot.engine,
            "state": snapshot.state,
            "checksum": await asyncio.to_thread(checksum, snapshot.state),
        }
        async with self._database.write() as connection:
            known = (
                select(documents.c.id)
                .where(documents.c.id == snapshot.document_id)
                .with_for_update(read=True, key_share=True)
            )
            if (await connection.execute(known)).first() is not None:
                await connection.execute(insert_into(connection, snapshots).values(row).on_conflict_do_nothing())


async def _allot(connection: AsyncConnection, batch: Sequence[Append]) -> list[_Placed]:
    """Lock the documents' rows and raise their seqs: two statements for a batch, however many documents it has.

    Rows are locked in order of id, so that two batches never wait for each other in a circle. On SQLite the
    transaction itself is the lock.
    """
    lock = (
        select(documents.c.id, documents.c.generation, documents.c.seq)
        .where(documents.c.id.in_([append.document_id for append in batch]))
        .order_by(documents.c.id)
        .with_for_update(key_share=True)
    )
    heads = {(row.id, row.generation): row.seq for row in await connection.execute(lock)}
    placed = [
        (append, heads[place] + len(append.entries))
        for append in batch
        if (place := (append.document_id, append.generation)) in heads
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
        {
            "document_id": append.document_id,
            "generation": append.generation,
            "seq": seq,
            "principal_id": entry.principal_id,
            "session_id": entry.session_id,
            "at": entry.at,
            "payload": entry.payload,
            "checksum": checksum(entry.payload),
        }
        for append, head in placed
        for seq, entry in enumerate(append.entries, start=head - len(append.entries) + 1)
    ]
    if rows:
        await connection.execute(insert(updates), rows)


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


def _answers(batch: Sequence[Append], placed: Iterable[_Placed], told: Sequence[Activity]) -> list[Appended | None]:
    answers: dict[str, Appended] = {}
    taken = 0
    for append, seq in placed:
        of_this = tuple(told[taken : taken + len(append.activities)])
        taken += len(append.activities)
        answers[append.document_id] = Appended(seq - len(append.entries) + 1, of_this)
    return [answers.get(append.document_id) for append in batch]


def _entry(row: Row[Any]) -> Entry:
    if checksum(row.payload) != row.checksum:
        raise Unavailable(f"Entry {row.seq} of document {row.document_id} is damaged: its checksum does not fit.")
    return Entry(row.seq, row.principal_id, row.session_id, row.at, row.payload)


def _snapshot(row: Row[Any]) -> Snapshot:
    return Snapshot(row.document_id, row.generation, row.seq, row.codec, row.engine, row.state)
