"""Rows of the log as they lie in the database, read without trusting any column of them.

A flipped bit may make a time that is none or text that is no UTF-8. SQLAlchemy and the driver would raise for the whole
result, and a document of a million entries would not open for one of them; so SQLite is asked for bytes (it keeps any
type in any column), and each row is read here. PostgreSQL's columns have types.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Row, Select, Table, and_, bindparam, cast, select

from coscribe.model import Damage, Entry, Place, RowKind, Snapshot
from coscribe.storage.checksums import EntryChecksums, fits, segment_checksum, snapshot_checksum
from coscribe.storage.segments import CODEC, inflate, unpack
from coscribe.storage.tables import segments, snapshots, updates

# A state is larger than its text by what was deleted; text of one letter packs to a thousandth.
LARGEST_STATE = 256 * 2**20
# How a state of the rooms' codec is marked once it is packed for its row.
PACKED = "+zstd"

_DOES_NOT_FIT = "its checksum does not fit"
TABLES: dict[RowKind, Table] = {RowKind.ENTRY: updates, RowKind.SEGMENT: segments, RowKind.SNAPSHOT: snapshots}
_NUMBERS = ("document_id", "generation", "seq", "first_seq", "last_seq")


@cache
def stored_rows(dialect: str, what: RowKind) -> Select[Any]:
    """A query of all columns of a kind of row, on SQLite as bytes but for the numbers."""
    return select(*(_column(dialect, column) for column in TABLES[what].c))


def _column(dialect: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    if dialect != "sqlite" or column.key in _NUMBERS:
        return column
    return cast(column, LargeBinary).label(column.key)


def at_place(what: RowKind, place: Place) -> ColumnElement[bool]:
    """The condition that a row belongs to one lineage of a document."""
    table = TABLES[what]
    return and_(table.c.document_id == place.document_id, table.c.generation == place.generation)


def of_place(table: Table) -> ColumnElement[bool]:
    """The same for a query of fixed words, with the parameters `document_id` and `generation`."""
    return and_(table.c.document_id == bindparam("document_id"), table.c.generation == bindparam("generation"))


def position(what: RowKind) -> ColumnElement[int]:
    """The column by which rows of a kind are ordered."""
    return TABLES[what].c.last_seq if what is RowKind.SEGMENT else TABLES[what].c.seq


def entry_of(row: Row[Any], place: Place) -> Entry | Damage:
    """The entry of a row, or what is wrong with it."""
    return entries_in((row,), place)[0]


def entries_in(rows: Iterable[Row[Any]], place: Place) -> list[Entry | Damage]:
    """The entries of rows, and what is wrong with those that are none.

    Each column of each row takes a microsecond to read, but people write more than one letter: what stands in two rows
    alike is read once.
    """
    sums = EntryChecksums(place)
    read: dict[tuple[Any, ...], tuple[str, str, datetime]] = {}
    found: list[Entry | Damage] = []
    for row in rows:
        _, _, seq, *by, raw, stored = tuple(row)
        principal_id, session_id, at = key = tuple(by)
        try:
            known = read.get(key)
            if known is None:
                known = read[key] = text_of(principal_id), text_of(session_id), moment_of(at)
            payload = bytes(raw)
            if fits(bytes(stored), sums.of(seq, *known, payload), payload):
                found.append(Entry(seq, *known, payload))
                continue
            reason = _DOES_NOT_FIT
        except (ValueError, TypeError, OverflowError) as error:
            reason = f"a column cannot be read: {error}"
        found.append(Damage(place, RowKind.ENTRY, seq, reason))
    return found


def entries_of(row: Row[Any], place: Place) -> list[Entry] | Damage:
    """The entries of a segment's row, or what is wrong with it. It unpacks: call it in a thread."""
    try:
        codec, payload = text_of(row.codec), bytes(row.payload)
        if bytes(row.checksum) != segment_checksum(place, (row.first_seq, row.last_seq), codec, payload):
            reason = _DOES_NOT_FIT
        elif codec != CODEC:
            reason = f"its codec {codec!r} is unknown"
        else:
            entries = unpack(payload)
            if (entries[0].seq, entries[-1].seq) == (row.first_seq, row.last_seq):
                return entries
            reason = "its entries are not those that it names"
    except (ValueError, TypeError, IndexError) as error:
        reason = f"it cannot be read: {error}"
    return Damage(place, RowKind.SEGMENT, row.last_seq, reason)


def snapshot_of(row: Row[Any], place: Place) -> Snapshot | Damage:
    """The snapshot of a row, or what is wrong with it. It hashes and unpacks megabytes: call it in a thread."""
    try:
        codec, engine, state = text_of(row.codec), text_of(row.engine), bytes(row.state)
        if fits(bytes(row.checksum), snapshot_checksum(place, row.seq, codec, state), state):
            plain = codec.removesuffix(PACKED)
            unpacked = inflate(state, LARGEST_STATE) if plain != codec else state
            return Snapshot(place.document_id, place.generation, row.seq, plain, engine, unpacked)
        reason = _DOES_NOT_FIT
    except (ValueError, TypeError) as error:
        reason = f"it cannot be read: {error}"
    return Damage(place, RowKind.SNAPSHOT, row.seq, reason)


def parted(found: Sequence[Entry | Damage]) -> tuple[list[Entry], list[Damage]]:
    """What could be read, and what could not."""
    return [item for item in found if isinstance(item, Entry)], [item for item in found if isinstance(item, Damage)]


def text_of(value: object) -> str:
    """The characters of a column. Raises ValueError and TypeError."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    raise TypeError("no text")


def moment_of(value: object) -> datetime:
    """The moment of a column, in UTC. Raises ValueError and TypeError."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    moment = datetime.fromisoformat(text_of(value))
    if moment.tzinfo is not None:
        raise ValueError("a time with an offset")
    return moment.replace(tzinfo=UTC)
