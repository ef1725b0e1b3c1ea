"""Checksums of stored rows: over what a row says and over where it belongs, so that a foreign row is found out too.

They are there for rotten disks and mangled restores, not against forgers. CRC-32 would let one bad row in four
thousand million pass; BLAKE2b runs at about 1 GB/s, so that a keystroke's row costs two microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from coscribe.model import Entry, NewEntry, Place

_BYTES = 8
# In front of every checksum over identity and bytes; those of the first schema are of the bytes alone and have none.
_VERSION = b"\x02"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def checksum(payload: bytes) -> bytes:
    """The checksum of the first schema: 8 bytes of BLAKE2b over the bytes alone."""
    return blake2b(payload, digest_size=_BYTES).digest()


def entry_checksum(place: Place, entry: Entry) -> bytes:
    """The checksum of an entry: where it stands, who wrote it and when, and its bytes."""
    return entry_checksums(place, entry.seq, (NewEntry(*entry[1:]),))[0]


def entry_checksums(place: Place, first_seq: int, entries: Iterable[NewEntry]) -> list[bytes]:
    """The checksums of entries that follow one another from a seq."""
    sums = EntryChecksums(place)
    return [sums.of(seq, *entry) for seq, entry in enumerate(entries, start=first_seq)]


class EntryChecksums:
    """The checksums of many entries of one place, thousands a commit, of few authors and moments."""

    __slots__ = ("_begun", "_by")

    def __init__(self, place: Place) -> None:
        self._begun = _begun(_of(place))
        self._by: dict[tuple[str, str, datetime], bytes] = {}

    def of(self, seq: int, principal_id: str, session_id: str, at: datetime, payload: bytes) -> bytes:
        """The checksum of one entry."""
        key = principal_id, session_id, at
        made = self._by.get(key)
        if made is None:
            made = self._by[key] = _encoded(f"\0{principal_id}\0{session_id}\0{(at - _EPOCH) // _MICROSECOND}\0")
        digest = self._begun.copy()
        digest.update(b"\0%d%b%b" % (seq, made, payload))
        return _VERSION + digest.digest()


def snapshot_checksum(place: Place, seq: int, codec: str, state: bytes) -> bytes:
    """The checksum of a snapshot's row, over its state as it is stored."""
    return _sealed(f"{_of(place)}\0{seq}\0{codec}", state)


def segment_checksum(place: Place, span: tuple[int, int], codec: str, payload: bytes) -> bytes:
    """The checksum of a segment's row: its first and last seq, and its bytes as they are stored."""
    return _sealed(f"{_of(place)}\0{span[0]}\0{span[1]}\0{codec}", payload)


def fits(stored: bytes, expected: bytes, payload: bytes) -> bool:
    """Whether a stored checksum is the expected one, or that of the first schema over the bytes alone."""
    return stored == expected or (len(stored) == _BYTES and stored == checksum(payload))


def _of(place: Place) -> str:
    return f"{place.document_id}\0{place.generation}"


def _sealed(identity: str, payload: bytes) -> bytes:
    digest = _begun(f"{identity}\0")
    digest.update(payload)
    return _VERSION + digest.digest()


def _begun(identity: str) -> blake2b:
    return blake2b(_encoded(identity), digest_size=_BYTES)


def _encoded(identity: str) -> bytes:
    # Columns of damaged rows may hold what is no character; such a row has a checksum like any other.
    return identity.encode("utf-8", "surrogatepass")
