"""The upkeep of the log: heads mended, old entries packed, snapshots thinned, history let go. Small transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.errors import Unavailable
from coscribe.model import Backlog, Damage, Entry, Place, RowKind, Snapshot
from coscribe.storage.checksums import segment_checksum
from coscribe.storage.engine import Database
from coscribe.storage.quarantine import Quarantine
from coscribe.storage.readable import Clock, utc_now
from coscribe.storage.reading import fetch
from coscribe.storage.rows import at_place, entries_in
from coscribe.storage.segments import CODEC, DROPPED, LARGEST_ENTRY, pack, unpack
from coscribe.storage.tables import documents, segments, snapshots, updates
from coscribe.storage.update_log import newest_snapshot, next_rows

# What one segment takes: reading one position of the past unpacks one of them.
_RUN_ENTRIES = 1000
_RUN_BYTES = 2**20
# A seq that is further than this above its log's head is no head whose entries were lost, but a damaged number.
_MOST_LOST = 2**20
# Rows in one go, of which the first few may fill the run.
_FETCHED = 100


def _highest(table: Table, column: ColumnElement[int]) -> Any:
    return (
        select(func.max(column))
        .where(table.c.document_id == documents.c.id, table.c.generation == documents.c.generation)
        .scalar_subquery()
    )


# Where a document's row says that it stands, and where the rows and the segments of its log end.
_STANDING = select(
    documents.c.seq,
    _highest(updates, updates.c.seq).label("in_rows"),
    _highest(segments, segments.c.last_seq).label("in_segments"),
).where(documents.c.id == bindparam("document_id"))


@dataclass(slots=True)
class _Run:
    """Entries that stand side by side, until one comes that cannot be added."""

    entries: list[Entry] = field(default_factory=list)
    size: int = 0
    seen: int = 0
    is_full: bool = False

    def take(self, entry: Entry | None) -> bool:
        """Add an entry, or pass over one that must stay a row while there is none yet; False once it is full."""
        self.seen += 1
        if self.entries and (entry is None or entry.seq != self.entries[-1].seq + 1):
            self.is_full = True
        elif entry is not None:
            self.entries.append(entry)
            self.size += len(entry.payload)
            self.is_full = self.size >= _RUN_BYTES
        return not self.is_full


class SqlArchive:
    """The port Archive. `history_days` is how long entries stay behind good snapshots, 0 for ever."""

    def __init__(
        self, database: Database, quarantine: Quarantine | None = None, *, history_days: int = 0, now: Clock = utc_now
    ) -> None:
        self._database = database
        self._history = timedelta(days=history_days)
        self._now = now
        self._quarantine = quarantine or Quarantine(database, lambda _: None)

    async def mend_head(self, document_id: str) -> str | None:
        """Bring the document's seq up to its log's head (rule D1); gives what was wrong, None when nothing was.

        A seq somewhat above the log's head stays: its numbers were told and must not be given out again.
        """
        async with self._database.read() as connection:
            stood, head = await _heads(connection, document_id)
        if stood == head:
            return None
        if not head < stood <= head + _MOST_LOST:
            async with self._database.write() as connection:
                await connection.execute(
                    select(documents.c.id).where(documents.c.id == document_id).with_for_update(key_share=True)
                )
                stood, head = await _heads(connection, document_id)
                await connection.execute(update(documents).where(documents.c.id == document_id).values(seq=head))
        return f"The document stood at {stood} and its log at {head}."

    async def backlog(self, *, after_id: str, limit: int) -> list[Backlog]:
        """How far upkeep has come with the next `limit` documents in order of id."""
        packed = _highest(segments, segments.c.last_seq)
        taken = _highest(snapshots, snapshots.c.seq)
        query = (
            select(documents.c.id, documents.c.generation, documents.c.seq, packed, taken)
            .where(documents.c.id > after_id)
            .order_by(documents.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [_backlog(tuple(row)) for row in rows]

    async def pack(self, place: Place, *, upto: int, least: int) -> int:
        """Move the oldest run of entries with seq <= upto into one segment, if it has `least` entries.

        What was packed is unpacked again and compared before the rows go. Gives how many were packed.
        """
        run, is_closed = await self._oldest_run(place, upto)
        if not run or (len(run) < least and not is_closed):
            return 0
        payload = await asyncio.to_thread(_packed, run)
        span = (run[0].seq, run[-1].seq)
        row = {
            "document_id": place.document_id,
            "generation": place.generation,
            "first_seq": span[0],
            "last_seq": span[1],
            "at": run[-1].at,
            "codec": CODEC,
            "payload": payload,
            "checksum": segment_checksum(place, span, CODEC, payload),
        }
        rows = and_(at_place(RowKind.ENTRY, place), updates.c.seq.between(*span))
        async with self._database.write() as connection:
            gone = await connection.execute(delete(updates).where(rows))
            if gone.rowcount != len(run):
                # The document was replaced or purged meanwhile: leaving the transaction takes the deletion back.
                raise Unavailable("The entries to be packed have changed.")
            await connection.execute(insert(segments).values(row))
        return len(run)

    async def _oldest_run(self, place: Place, upto: int) -> tuple[list[Entry], bool]:
        """The oldest entries in rows that stand side by side, and whether nothing can be added to them any more."""
        last = select(func.max(segments.c.last_seq)).where(at_place(RowKind.SEGMENT, place))
        async with self._database.read() as connection:
            packed = (await connection.execute(last)).scalar() or 0
            run, after = _Run(), packed
            while not run.is_full and (left := min(_FETCHED, _RUN_ENTRIES - run.seen)):
                rows = await next_rows(connection, place, (after, upto), left)
                if not rows:
                    break
                after = rows[-1].seq
                for entry in entries_in(rows, place):
                    if not run.take(_packable(entry)):
                        break
        return run.entries, run.is_full or run.seen == _RUN_ENTRIES

    async def thin(self, place: Place, *, apart: int) -> int:
        """Remove old snapshots that stand closer than `apart` entries, keeping the newest two good ones."""
        good = await self._newest_good(place, 2)
        if len(good) < 2:
            return 0
        older = select(snapshots.c.seq).where(at_place(RowKind.SNAPSHOT, place), snapshots.c.seq < good[1].seq)
        async with self._database.read() as connection:
            seqs = list((await connection.execute(older.order_by(snapshots.c.seq.desc()))).scalars())
        return await self._remove(snapshots, [_snapshot_is(place, seq) for seq in _too_close(good[1].seq, seqs, apart)])

    async def let_go(self, place: Place) -> int:
        """Remove segments older than history is to be kept, behind the older of the newest two good snapshots.

        One row without bytes stands for all of them, so that what is gone on purpose is not taken for damage.
        Snapshots among them go too: they hold what was to be forgotten.
        """
        if not self._history:
            return 0
        old = and_(at_place(RowKind.SEGMENT, place), segments.c.at < self._now() - self._history)
        async with self._database.read() as connection:
            if (
                await connection.execute(select(segments.c.codec).where(old, segments.c.codec != DROPPED))
            ).first() is None:
                return 0
        good = await self._newest_good(place, 2)
        if len(good) < 2:
            return 0
        old = and_(old, segments.c.last_seq <= good[1].seq)
        async with self._database.write() as connection:
            found = (await connection.execute(select(segments.c.last_seq, segments.c.at).where(old))).all()
            if not found:
                return 0
            last_seq, at = max((row.last_seq, row.at) for row in found)
            await connection.execute(delete(segments).where(old))
            await connection.execute(
                delete(snapshots).where(at_place(RowKind.SNAPSHOT, place), snapshots.c.seq < last_seq)
            )
            await connection.execute(insert(segments).values(_gone(place, last_seq, at)))
        return len(found)

    async def _newest_good(self, place: Place, count: int) -> list[Snapshot]:
        good: list[Snapshot] = []
        upto: int | None = None
        damages: list[Damage] = []
        async with self._database.read() as connection:
            while len(good) < count and (found := await newest_snapshot(connection, place, upto)) is not None:
                if isinstance(found, Snapshot):
                    good.append(found)
                else:
                    damages.append(found)
                upto = found.seq - 1
        await self._quarantine.take(damages)
        return good

    async def _remove(self, table: Table, rows: Sequence[ColumnElement[bool]]) -> int:
        """Remove rows, each in a transaction of its own: a state of megabytes takes its time."""
        for condition in rows:
            async with self._database.write() as connection:
                await connection.execute(delete(table).where(condition))
        return len(rows)


async def _heads(connection: AsyncConnection, document_id: str) -> tuple[int, int]:
    """Where the document's row says that it stands, and where its log does. Raises Unavailable when it is gone."""
    rows = await fetch(connection, _STANDING, document_id=document_id)
    if not rows:
        raise Unavailable("The document was just removed.")
    [row] = rows
    return row.seq, max(row.in_rows or 0, row.in_segments or 0)


def _backlog(row: Sequence[Any]) -> Backlog:
    """How far upkeep has come; with a document whose numbers are none there is nothing to be done."""
    document_id, generation, seq, packed, taken = row
    if not all(isinstance(number, int | None) for number in row[1:]):
        return Backlog(Place(document_id, 0), 0, 0, 0)
    return Backlog(Place(document_id, generation), seq, packed or 0, taken or 0)


def _packable(entry: Entry | Damage) -> Entry | None:
    """The entry; None for one that must stay a row: it is damaged, or very large."""
    return entry if isinstance(entry, Entry) and len(entry.payload) <= LARGEST_ENTRY else None


def _packed(run: list[Entry]) -> bytes:
    payload = pack(run)
    if unpack(payload) != run:
        raise Unavailable("What was packed does not unpack to the same.")
    return payload


def _too_close(newest: int, older: Sequence[int], apart: int) -> list[int]:
    """Which of the positions, newest first, stand closer than `apart` to the last one that stays."""
    gone = []
    for seq in older:
        if newest - seq < apart:
            gone.append(seq)
        else:
            newest = seq
    return gone


def _snapshot_is(place: Place, seq: int) -> ColumnElement[bool]:
    return and_(at_place(RowKind.SNAPSHOT, place), snapshots.c.seq == seq)


def _gone(place: Place, last_seq: int, at: datetime) -> dict[str, object]:
    return {
        "document_id": place.document_id,
        "generation": place.generation,
        "first_seq": 1,
        "last_seq": last_seq,
        "at": at,
        "codec": DROPPED,
        "payload": b"",
        "checksum": segment_checksum(place, (1, last_seq), DROPPED, b""),
    }
