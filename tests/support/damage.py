"""Rows of a closed SQLite file, damaged as disks, hands and attackers damage them."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import zstandard
from tests.support.wire_bytes import item, one

from coscribe.model import Entry, Place
from coscribe.storage.checksums import entry_checksum, segment_checksum, snapshot_checksum
from coscribe.storage.segments import pack, unpack

# Arrays in one another, each with one element: the engine's stack of 8 MB overflows. It stays below the 64 KB above
# which a worker process would be asked first.
BOMB = one(5, 0, item(8, b"\x01" + b"\x75\x01" * 32_000 + b"\x7e"))


@dataclass(frozen=True)
class Row:
    """One row of updates, segments or snapshots."""

    table: str
    seq: int
    place: Place
    payload: bytes
    checksum: bytes

    @property
    def key(self) -> str:
        """The column that has its seq."""
        return "last_seq" if self.table == "segments" else "seq"

    @property
    def bytes_column(self) -> str:
        """The column that has its bytes."""
        return "state" if self.table == "snapshots" else "payload"


def rows_of(file: sqlite3.Connection, table: str, document_id: str) -> list[Row]:
    """A document's rows in a table, in order of seq."""
    shape = Row(table, 0, Place(document_id, 1), b"", b"")
    found = file.execute(
        f"SELECT {shape.key}, {shape.bytes_column}, checksum FROM {table} WHERE document_id = ? ORDER BY 1",
        (document_id,),
    )
    return [replace(shape, seq=seq, payload=payload, checksum=checksum) for seq, payload, checksum in found]


def store(file: sqlite3.Connection, row: Row) -> None:
    """Put a row's bytes and checksum where it stands."""
    file.execute(
        f"UPDATE {row.table} SET {row.bytes_column} = ?, checksum = ? WHERE document_id = ? AND {row.key} = ?",
        (row.payload, row.checksum, row.place.document_id, row.seq),
    )


def remove(file: sqlite3.Connection, row: Row) -> None:
    """Take a row away."""
    file.execute(f"DELETE FROM {row.table} WHERE document_id = ? AND {row.key} = ?", (row.place.document_id, row.seq))


def _flipped(payload: bytes, at: int) -> bytes:
    return payload[:at] + bytes((payload[at] ^ 0x10,)) + payload[at + 1 :]


def _sealed(file: sqlite3.Connection, row: Row, payload: bytes) -> Row:
    """A row with other bytes and the checksum that belongs to them: only a reader of the bytes finds out."""
    if row.table == "updates":
        query = "SELECT principal_id, session_id, at FROM updates WHERE document_id = ? AND seq = ?"
        principal, session, at = file.execute(query, (row.place.document_id, row.seq)).fetchone()
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
        return replace(
            row,
            payload=payload,
            checksum=entry_checksum(row.place, Entry(row.seq, principal, session, moment, payload)),
        )
    if row.table == "snapshots":
        return replace(row, payload=payload, checksum=snapshot_checksum(row.place, row.seq, "yjs-v1", payload))
    query = "SELECT first_seq, codec FROM segments WHERE document_id = ? AND last_seq = ?"
    first, codec = file.execute(query, (row.place.document_id, row.seq)).fetchone()
    return replace(row, payload=payload, checksum=segment_checksum(row.place, (first, row.seq), codec, payload))


def _poisoned(file: sqlite3.Connection, row: Row) -> Row:
    """Bytes that would end the process, stored as if they belonged there."""
    if row.table != "segments":
        return _sealed(file, row, BOMB)
    entries = unpack(row.payload)
    return _sealed(file, row, pack([entries[0]._replace(payload=BOMB), *entries[1:]]))


Damage = Callable[[sqlite3.Connection, Row, random.Random], Row]

DAMAGES: dict[str, Damage] = {
    "first bit": lambda _, row, __: replace(row, payload=_flipped(row.payload, 0)),
    "middle bit": lambda _, row, __: replace(row, payload=_flipped(row.payload, len(row.payload) // 2)),
    "last bit": lambda _, row, __: replace(row, payload=_flipped(row.payload, len(row.payload) - 1)),
    "any bit": lambda _, row, rng: replace(row, payload=_flipped(row.payload, rng.randrange(len(row.payload)))),
    "checksum": lambda _, row, __: replace(row, checksum=_flipped(row.checksum, 3)),
    "cut": lambda _, row, __: replace(row, payload=row.payload[: len(row.payload) // 2]),
    "one byte more": lambda _, row, __: replace(row, payload=row.payload + b"\0"),
    "empty": lambda _, row, __: replace(row, payload=b"", checksum=b""),
    "noise": lambda _, row, rng: replace(row, payload=rng.randbytes(len(row.payload))),
    "sealed noise": lambda file, row, rng: _sealed(file, row, rng.randbytes(len(row.payload))),
    "poison": lambda file, row, _: _poisoned(file, row),
    # 256 MB of nothing in 8 KB; only segments are unpacked, for others it is noise with a good checksum.
    "bomb": lambda file, row, _: _sealed(file, row, zstandard.ZstdCompressor().compress(bytes(2**28))),
}
