"""What a segment holds: a run of entries with all their columns, packed by zstandard.

Columns lie side by side, in JSON, and the updates behind them: a thousand keystrokes take about 12 KB in place of
150 KB. A checksum for each entry would be most of that; the segment's own covers all of them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any

import zstandard

from coscribe.model import Entry

CODEC = "entries-1+zstd"
# A segment that stands for entries that retention let go; it has no bytes.
DROPPED = "dropped"
# An entry of more than this stays a row, so that a segment never unpacks to more than the second number.
LARGEST_ENTRY = 8 * 2**20
LARGEST_RAW = 16 * 2**20
# zstandard's own default at this level is 2 MB; a frame may ask for gigabytes.
_LARGEST_WINDOW = 8 * 2**20
_LEVEL = 6
_LENGTH = struct.Struct("<I")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def pack(entries: Sequence[Entry]) -> bytes:
    """Pack entries with consecutive seqs."""
    authors: dict[tuple[str, str], int] = {}
    by = [authors.setdefault((entry.principal_id, entry.session_id), len(authors)) for entry in entries]
    moments = [(entry.at - _EPOCH) // _MICROSECOND for entry in entries]
    head = {
        "first": entries[0].seq,
        "authors": list(authors),
        "by": by,
        "at": [moments[0], *(later - earlier for earlier, later in pairwise(moments))],
        "sizes": [len(entry.payload) for entry in entries],
    }
    raw = json.dumps(head, separators=(",", ":")).encode()
    joined = b"".join((_LENGTH.pack(len(raw)), raw, *(entry.payload for entry in entries)))
    return zstandard.ZstdCompressor(level=_LEVEL).compress(joined)


def unpack(payload: bytes) -> list[Entry]:
    """The entries of a segment. Raises ValueError for bytes that are none; unpacks 16 MB at most."""
    raw = inflate(payload, LARGEST_RAW)
    try:
        size = _LENGTH.unpack_from(raw)[0]
        head = json.loads(raw[_LENGTH.size : _LENGTH.size + size])
        return _entries(head, raw[_LENGTH.size + size :])
    except (struct.error, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"no segment: {error}") from error


def _entries(head: dict[str, Any], payloads: bytes) -> list[Entry]:
    sizes = head["sizes"]
    if sum(sizes) != len(payloads) or min(sizes) < 0:
        raise ValueError("no segment: the lengths of its entries do not fit")
    ends = accumulate(sizes)
    moments = accumulate(head["at"])
    authors = [(str(principal_id), str(session_id)) for principal_id, session_id in head["authors"]]
    return [
        Entry(seq, authors[by][0], authors[by][1], _EPOCH + at * _MICROSECOND, payloads[end - size : end])
        for seq, (by, at, size, end) in enumerate(
            zip(head["by"], moments, sizes, ends, strict=True), start=head["first"]
        )
    ]


def inflate(payload: bytes, most: int) -> bytes:
    """Unpack at most `most` bytes, whatever the frame claims. Raises ValueError."""
    try:
        reader = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).stream_reader(payload)
        raw = reader.read(most + 1)
    except (zstandard.ZstdError, MemoryError) as error:
        raise ValueError(f"cannot be unpacked: {error}") from error
    if len(raw) > most:
        raise ValueError(f"unpacks to more than {most} bytes")
    return raw
