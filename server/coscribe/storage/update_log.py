"""The update log: committed updates of every document by seq, and the snapshots that shorten reading it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import zstandard
from sqlalchemy import Row, Select, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.errors import PositionGone, cause_of
from coscribe.model import (
    Append,
    Appended,
    Behind,
    Damage,
    Entry,
    Head,
    Place,
    Replaced,
    RowKind,
    Snapshot,
    Unstored,
)
from coscribe.ports import Meet
from coscribe.storage.appending import is_of_rows
from coscribe.storage.appending_postgres import append_in, lock
from coscribe.storage.appending_sqlite import append_here
from coscribe.storage.checksums import snapshot_checksum
from coscribe.storage.engine import Database, insert_into
from coscribe.storage.quarantine import Quarantine
from coscribe.storage.reading import fetch
from coscribe.storage.rows import PACKED, at_place, entries_in, entries_of, of_place, parted, snapshot_of, stored_rows
from coscribe.storage.segments import DROPPED
from coscribe.storage.tables import client_ids, documents, segments, snapshots, updates

# A state of 5 MB packs to a fifteenth in 5 ms; what the writing transaction has to carry is small.
_STATE_LEVEL = 3
# A thousand keystrokes take 150 KB; a thousand pastes of 10 MB would take all there is.
_READ_BYTES = 32 * 2**20
_NO_END = 2**62
# What is read while a document's row is locked, for so many documents at once: some milliseconds to take in.
_MOST_LATE, _MOST_MISSED, _MISSED_BYTES = 4, 200, 2**20

_OWNERS = select(client_ids.c.client_id, client_ids.c.principal_id).where(of_place(client_ids))


def _in_span(query: Select[Any]) -> Select[Any]:
    """The next `count` rows of a place behind the seq `after`, up to the seq `upto`."""
    ours = and_(of_place(updates), updates.c.seq > bindparam("after"), updates.c.seq <= bindparam("upto"))
    return query.where(ours).order_by(updates.c.seq).limit(bindparam("count"))


# Neither database reads the bytes for it.
_SIZES = _in_span(select(func.length(updates.c.payload).label("size")))


@cache
def _next(dialect: str) -> Select[Any]:
    return _in_span(stored_rows(dialect, RowKind.ENTRY))


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the log: what could be read of it, and where it ends."""

    found: Sequence[Entry | Damage]
    upto: int


class SqlUpdateLog:
    """The port UpdateLog."""

    def __init__(self, database: Database, quarantine: Quarantine | None = None) -> None:
        self._database = database
        self._quarantine = quarantine or Quarantine(database, lambda _: None)

    async def append(
        self, batch: Sequence[Append], meet: Meet | None = None
    ) -> list[Appended | Replaced | Behind | Unstored | None]:
        """Commit all of `batch` in one durable transaction, allot seqs under each document's row (rule D1).

        `first_seq` is the document's seq before the append plus one, also when there are no entries: then
        nothing takes that seq, the document keeps its seq and time, and activities carry the seq it has.

        A document whose rows cannot be stored is answered with Unstored, and all others are committed one by one.

        Raises Unavailable when the commit failed, and also when its answer was lost: then the batch may be in
        the log. Appending it again is right in both cases: an append that names what it is to stand behind is
        not stored a second time, but answered with Behind.
        """
        if len({item.document_id for item in batch}) != len(batch):
            raise ValueError("a batch holds at most one Append a document")
        late = [item for item in batch if item.is_late][:_MOST_LATE]
        if meet is None or not late or self._database.is_sqlite:  # which one server writes: nobody comes too late
            return await self._commit_all(batch)
        in_turn = {item.document_id for item in late}
        parts = [[item for item in batch if item.document_id not in in_turn], *[[item] for item in late]]
        works = [self._commit_all(parts[0]), *[self._commit_in_turn(item, meet) for item in late]]
        answers: dict[str, Appended | Replaced | Behind | Unstored | None] = {}
        for part, answered in zip(parts, await asyncio.gather(*works, return_exceptions=True), strict=True):
            if isinstance(answered, BaseException):
                raise answered
            answers |= zip([item.document_id for item in part], answered, strict=True)
        return [answers[item.document_id] for item in batch]

    async def _commit_all(self, batch: Sequence[Append]) -> list[Appended | Replaced | Behind | Unstored | None]:
        if not batch:
            return []
        try:
            return [*await self._commit(batch)]
        except Exception as error:
            if not is_of_rows(error):
                raise
        return [await self._commit_alone(append) for append in batch]

    async def _commit(self, batch: Sequence[Append]) -> list[Appended | Replaced | Behind | None]:
        if self._database.is_sqlite:
            return await self._database.write_here(partial(append_here, batch=batch))
        async with self._database.write() as connection:
            return await append_in(connection, batch, await lock(connection, batch))

    async def _commit_in_turn(self, append: Append, meet: Meet) -> list[Appended | Replaced | Behind | Unstored | None]:
        """Commit one that came too late before, with nobody else's: what it misses is met while its row is locked."""
        try:
            async with self._database.write() as connection:
                heads = await lock(connection, [append])
                missed = await _missed(connection, append, heads.get(append.document_id))
                met = await meet(append, missed[-1].seq, missed) if missed else None
                return [*await append_in(connection, [met or append], heads)]
        except Exception:  # noqa: BLE001 - a page that cannot be read, for one: what is wrong is told without meeting
            return [await self._commit_alone(append)]

    async def _commit_alone(self, append: Append) -> Appended | Replaced | Behind | Unstored | None:
        try:
            return (await self._commit([append]))[0]
        except Exception as error:
            if not is_of_rows(error):
                raise  # a database that just went away makes no document a damaged one
            return Unstored(cause_of(error))

    async def read(
        self, document_id: str, generation: int, *, after: int, upto: int | None = None, limit: int = 1000
    ) -> list[Entry]:
        """The next entries with after < seq <= upto that can be read, at most `limit` and about 32 MB of them.

        Damaged ones are left out and set aside: a gap in the seqs tells of them. Raises PositionGone where retention
        let entries go.
        """
        place = Place(document_id, generation)
        entries: list[Entry] = []
        damages: list[Damage] = []
        async with self._database.read() as connection:
            while len(entries) < limit and sum(len(entry.payload) for entry in entries) < _READ_BYTES:
                part = await next_part(connection, place, (after, upto), limit - len(entries))
                if part is None:
                    break
                good, bad = parted(part.found)
                entries += good
                damages += bad
                after = part.upto
        await self._quarantine.take(damages)
        return entries

    async def set_aside(self, damage: Damage) -> None:
        """Put a row that only its reader could find damaged into the quarantine."""
        await self._quarantine.take([damage])

    async def heads(self, document_ids: Sequence[str]) -> dict[str, Head]:
        """Where those of the documents stand that exist."""
        query = select(documents.c.id, documents.c.generation, documents.c.seq).where(documents.c.id.in_(document_ids))
        async with self._database.read() as connection:
            return {row.id: Head(row.generation, row.seq) for row in await connection.execute(query)}

    async def client_ids(self, document_id: str, generation: int) -> dict[int, str]:
        """The principal that owns each CRDT client id of the document."""
        async with self._database.read() as connection:
            rows = await fetch(connection, _OWNERS, document_id=document_id, generation=generation)
        return {row.client_id: row.principal_id for row in rows}

    async def snapshot(self, document_id: str, generation: int, *, upto: int | None = None) -> Snapshot | None:
        """The newest snapshot with seq <= upto that can be read; damaged ones are passed over and set aside."""
        place = Place(document_id, generation)
        found: Snapshot | Damage | None
        damages: list[Damage] = []
        async with self._database.read() as connection:
            while isinstance(found := await newest_snapshot(connection, place, upto), Damage):
                damages.append(found)
                upto = found.seq - 1
        await self._quarantine.take(damages)
        return found

    async def store_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; storing the same seq again changes nothing, and a purged document keeps none."""
        row = await asyncio.to_thread(_snapshot_row, snapshot)
        async with self._database.write() as connection:
            known = (
                select(documents.c.id)
                .where(documents.c.id == snapshot.document_id)
                .with_for_update(read=True, key_share=True)
            )
            if (await connection.execute(known)).first() is not None:
                await connection.execute(insert_into(connection, snapshots).values(row).on_conflict_do_nothing())


async def _missed(connection: AsyncConnection, append: Append, head: Head | None) -> list[Entry]:
    """What stands behind that for which an append was made; nothing where that is much, or cannot be read."""
    if append.after is None or head is None or head.generation != append.generation:
        return []
    place, span = Place(append.document_id, append.generation), (append.after, head.seq)
    rows = await next_rows(connection, place, span, _MOST_MISSED, _MISSED_BYTES)
    entries, _ = parted(entries_in(rows, place))
    return entries if len(entries) == head.seq - append.after else []


async def newest_snapshot(connection: AsyncConnection, place: Place, upto: int | None) -> Snapshot | Damage | None:
    """The newest snapshot with seq <= upto, or what is wrong with it."""
    of = {"document_id": place.document_id, "generation": place.generation}
    rows = await fetch(connection, _newest(connection.dialect.name), upto=_NO_END if upto is None else upto, **of)
    return await asyncio.to_thread(snapshot_of, rows[0], place) if rows else None


@cache
def _newest(dialect: str) -> Select[Any]:
    ours = stored_rows(dialect, RowKind.SNAPSHOT).where(of_place(snapshots), snapshots.c.seq <= bindparam("upto"))
    return ours.order_by(snapshots.c.seq.desc()).limit(1)


def _snapshot_row(snapshot: Snapshot) -> dict[str, object]:
    place = Place(snapshot.document_id, snapshot.generation)
    codec, state = snapshot.codec + PACKED, zstandard.ZstdCompressor(level=_STATE_LEVEL).compress(snapshot.state)
    return {
        "document_id": snapshot.document_id,
        "generation": snapshot.generation,
        "seq": snapshot.seq,
        "codec": codec,
        "engine": snapshot.engine,
        "state": state,
        "checksum": snapshot_checksum(place, snapshot.seq, codec, state),
    }


async def next_part(connection: AsyncConnection, place: Place, span: tuple[int, int | None], limit: int) -> Part | None:
    """The next stretch behind span[0], None at the end.

    Rows are asked for before segments: packing moves entries from the first to the second in one transaction, so that
    whoever reads both without a common snapshot (PostgreSQL) finds them at least once.
    """
    after, upto = span
    if upto is not None and after >= upto:
        return None
    near = after + limit if upto is None else min(upto, after + limit)
    rows = await next_rows(connection, place, (after, near), limit)
    if rows and rows[0].seq == after + 1:
        return _of_rows(rows, place)
    segment = await _segment_behind(connection, place, after)
    if segment is None or (upto is not None and segment.first_seq > upto):
        rows = rows or await next_rows(connection, place, span, limit)
        return _of_rows(rows, place) if rows else None
    if rows and rows[0].seq < segment.first_seq:
        return _of_rows(rows, place)
    return await _of_segment(segment, place, span, limit)


async def next_rows(
    connection: AsyncConnection, place: Place, span: tuple[int, int | None], limit: int, most_bytes: int | None = None
) -> Sequence[Row[Any]]:
    """Rows in order, fewer than `limit` where they have more bytes together (32 MB): a hundred pastes may have a GB."""
    after, upto = span
    of = {"document_id": place.document_id, "generation": place.generation}
    where = {**of, "after": after, "upto": _NO_END if upto is None else upto}
    count = _fitting(
        (row.size for row in await fetch(connection, _SIZES, **where, count=limit)), most_bytes or _READ_BYTES
    )
    return await fetch(connection, _next(connection.dialect.name), **where, count=count) if count else []


def _fitting(sizes: Iterable[int | None], most_bytes: int) -> int:
    """How many rows may be read in one go: one, and as many more as fit beside it."""
    count = total = 0
    for size in sizes:
        total += size or 0
        if count and total > most_bytes:
            break
        count += 1
    return count


async def _segment_behind(connection: AsyncConnection, place: Place, after: int) -> Row[Any] | None:
    query = stored_rows(connection.dialect.name, RowKind.SEGMENT).where(
        at_place(RowKind.SEGMENT, place), segments.c.last_seq > after
    )
    row: Row[Any] | None = (await connection.execute(query.order_by(segments.c.last_seq).limit(1))).one_or_none()
    return row


def _of_rows(rows: Sequence[Row[Any]], place: Place) -> Part:
    """Rows up to the first gap, in which a segment may lie."""
    run = [row for at, row in enumerate(rows, start=rows[0].seq) if row.seq == at]
    return Part(entries_in(run, place), run[-1].seq)


async def _of_segment(segment: Row[Any], place: Place, span: tuple[int, int | None], limit: int) -> Part:
    after, upto = span
    if segment.codec in (DROPPED, DROPPED.encode()):
        raise PositionGone("Changes this far back are kept no longer.", upto=segment.last_seq)
    found = await asyncio.to_thread(entries_of, segment, place)
    if isinstance(found, Damage):
        return Part([found], segment.last_seq)
    wanted = [entry for entry in found if entry.seq > after and (upto is None or entry.seq <= upto)][:limit]
    return Part(wanted, wanted[-1].seq)
